"""How a call ends: the last words are heard, then a short tail, then the line is hung up, each within its limit."""

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.commands import HangUp, SendOn
from services.call_gateway.conversation.events import PromptKind
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.turn import Floor, Move
from services.call_gateway.line import EndCause


class Ending:
    """Not begun, begun, or over."""

    def __init__(
        self,
        state: CallState,
        *,
        agent: Agent,
        caller: Caller,
        announcer: Announcer,
        playout: Playout,
        has_fallback: bool,
    ) -> None:
        self._state = state
        self._has_fallback = has_fallback
        self._agent = agent
        self._caller = caller
        self._announcer = announcer
        self._playout = playout
        self._why: HangUp | SendOn = HangUp(EndCause.CALLER)
        self._is_all_heard = False
        self.deadline: float | None = None  # seconds; None: not begun
        self.is_begun = False
        self.is_over = False

    def begin(self, cause: EndCause, prompt: PromptKind | None, message: str = "") -> None:
        """What is being said is broken off; the prompt is the last word."""
        if self.is_begun:
            return
        self._caller.abandon_turn()
        self._agent.give_up_answer("failed" if cause is EndCause.FAILURE else "interrupted", cause.value)
        self._close(cause, message)
        if prompt is not None:
            self._announcer.say(prompt)
        self.watch()

    def begin_for_failure(self) -> None:
        """The stages cannot hold the call. It goes to whoever else takes it; where nobody does, goodbye is said."""
        if not self._has_fallback:
            self.begin(EndCause.FAILURE, PromptKind.GOODBYE)
        elif not self.is_begun:
            self.begin(EndCause.FAILURE, None, "a stage stays away")
            self._why = SendOn("a stage stays away")

    def begin_after_word(self, cause: EndCause, message: str) -> None:
        """The word being spoken is the last."""
        voice = self._playout.current
        if voice is None or self._state.floor is not Floor.SPEAKING:
            self.begin(cause, None, message)
        elif not self.is_begun:
            self._caller.abandon_turn()
            self._agent.stop_making()
            voice.cut(voice.word_end(voice.position))
            self._close(cause, message)

    def _close(self, cause: EndCause, message: str) -> None:
        self._why = HangUp(cause, message)
        self.is_begun = True
        self.deadline = self._state.now + self._state.settings.closing_limit_ms / 1000
        self._state.move(Move.CLOSED)

    def watch(self) -> None:
        """Time has passed, or a frame went out."""
        if self.deadline is None or self.is_over:
            return
        if not self._is_all_heard and self._playout.current is None:
            self._is_all_heard = True
            self.deadline = self._state.now + self._state.settings.tail_ms / 1000
        elif self._state.now >= self.deadline:
            self._state.command(self._why)
            self.finish()

    def finish(self) -> None:
        """The line is gone, or given up: the last reports, then nothing."""
        if self.is_over:
            return
        self._caller.abandon_turn()
        self._agent.give_up_answer("interrupted", "call_ended")
        self.is_over = True
