"""A caller who says nothing: asked twice whether they are there, then wished goodbye."""

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.ending import Ending
from services.call_gateway.conversation.events import PromptKind
from services.call_gateway.conversation.keys import Keypad
from services.call_gateway.conversation.recordings import Recordings
from services.call_gateway.conversation.turn import Floor
from services.call_gateway.line import EndCause


class SilenceWatch:
    """Counts while the agent is done and the caller makes no sound."""

    def __init__(
        self,
        state: CallState,
        *,
        agent: Agent,
        announcer: Announcer,
        caller: Caller,
        keypad: Keypad,
        ending: Ending,
        recordings: Recordings,
    ) -> None:
        self._state = state
        self._agent = agent
        self._announcer = announcer
        self._caller = caller
        self._keypad = keypad
        self._ending = ending
        self._recordings = recordings
        self._n_asked = 0
        self._left_at_sample: int | None = None
        self.deadline: float | None = None  # seconds: when the silence is long enough; None: nobody is silent

    def caller_left(self) -> None:
        """A program caller closed its half: it will say nothing more, and hears the answer to what it said."""
        self._left_at_sample = self._state.clock.sample

    def look_around(self) -> None:
        """After every event: is anybody still doing something?"""
        answer = self._agent.answer
        if answer is not None and not answer.is_greeting:
            self._n_asked = 0  # the caller took part
        if not self._is_quiet():
            self.deadline = None
        elif self._left_at_sample is not None and self._caller.heard_sample >= self._left_at_sample:
            self._ending.begin(EndCause.CALLER, None)
        elif self.deadline is None:
            self.deadline = self._state.now + self._state.settings.silence_prompt_ms / 1000

    def _is_quiet(self) -> bool:
        return self._state.floor is Floor.LISTENING and not (
            self._announcer.is_speaking
            or self._caller.is_busy
            or self._keypad.deadline is not None
            or self._recordings.is_wordless  # music or a fax: there is nobody to ask
        )

    def on_timer(self) -> None:
        """The silence may have lasted long enough."""
        if self.deadline is None or self._state.now < self.deadline:
            return
        self.deadline = None
        if self._left_at_sample is not None:
            self._ending.begin(EndCause.CALLER, None)
        elif self._n_asked < self._state.settings.silence_prompts:
            self._n_asked += 1
            self._announcer.say(PromptKind.STILL_THERE)
        else:
            self._ending.begin(EndCause.SILENCE, PromptKind.SILENCE_GOODBYE)
