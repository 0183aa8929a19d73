"""What goes out on the line, frame by frame, and what it means that a voice begins to be heard, or was."""

from services.call_gateway.conversation.actions import Actions
from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.ending import Ending
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.trouble import Trouble
from services.call_gateway.conversation.turn import Floor, Move
from services.call_gateway.conversation.voice import Voice


class Playing:
    """The line's side of the playout: pulls it, and moves the floor as its voices are heard."""

    def __init__(
        self,
        state: CallState,
        *,
        agent: Agent,
        announcer: Announcer,
        playout: Playout,
        trouble: Trouble,
        ending: Ending,
        actions: Actions,
    ) -> None:
        self._state = state
        self._agent = agent
        self._announcer = announcer
        self._playout = playout
        self._trouble = trouble
        self._ending = ending
        self._actions = actions

    def next_frame(self) -> tuple[bytes | None, bool]:
        """The frame that is due, None for comfort silence; and whether a voice began or ended with it."""
        if not self._may_play():
            self._playout.pass_silence()
            return None, False
        pulled = self._playout.pull()
        for voice in pulled.finished:
            self._was_heard(voice)
        if pulled.began is not None:
            self._is_heard_first(pulled.began)
        if self._ending.is_begun:
            self._ending.watch()
        else:
            self._trouble.watch_playout()
        return pulled.content, bool(pulled.finished) or pulled.began is not None

    def _may_play(self) -> bool:
        answered_at = self._state.answered_at
        if self._ending.is_over or answered_at is None or self._state.floor in (Floor.HELD, Floor.PAUSED):
            return False
        return self._state.now >= answered_at + self._state.settings.greeting_delay_ms / 1000

    @property
    def _are_words_awaited(self) -> bool:
        """The caller's turn is over and its words are not known yet: what was said meanwhile is no answer."""
        floor = self._state.floor
        return (self._state.covered_floor if floor in (Floor.HELD, Floor.PAUSED) else floor) is Floor.THINKING

    def _is_heard_first(self, voice: Voice) -> None:
        """The first frame of a voice goes out. A prompt said while the agent thinks leaves the floor as it is."""
        answer = self._agent.answer
        is_answer = answer is not None and answer.voice is voice
        if answer is not None and is_answer and answer.notes.first_frame_at is None:
            answer.notes.first_frame_at = self._state.now
        if is_answer or self._state.floor is Floor.LISTENING:
            self._state.move(Move.ANSWER_BEGAN)

    def _was_heard(self, voice: Voice) -> None:
        """A voice was heard to its end."""
        answer = self._agent.answer
        if self._announcer.finish(voice):
            if answer is None and not self._announcer.is_speaking and not self._are_words_awaited:
                self._state.move(Move.ANSWER_DONE)
        elif answer is None or answer.voice is not voice:
            return
        elif self._ending.is_begun:
            self._agent.finish_answer("interrupted")
        else:
            self._trouble.answer_was_heard()
            self._state.move(Move.ANSWER_DONE)
            for asked in self._agent.finish_answer("completed"):
                self._actions.do(asked)
