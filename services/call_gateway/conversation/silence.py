"""Silence policy: a caller who says nothing is asked twice whether they are there, then wished goodbye."""

from services.call_gateway.conversation.call import Call
from services.call_gateway.conversation.ending import close, hang_up_soon
from services.call_gateway.conversation.floor import Decisions, Floor
from services.call_gateway.conversation.keys import Keypad
from services.call_gateway.conversation.line_watch import Recordings
from services.call_gateway.conversation.prompt_playout import say
from services.call_gateway.conversation.user_turn import TurnPhase
from services.call_gateway.line import EndCause
from services.call_gateway.prompts.book import PromptKind


class SilenceWatch:
    """Counts while the agent is done and the caller makes no sound."""

    def __init__(self, call: Call, keypad: Keypad, recordings: Recordings) -> None:
        self._call = call
        self._keypad = keypad
        self._recordings = recordings
        self._n_asked = 0
        self._left_at_sample: int | None = None
        self.deadline: float | None = None  # by the wall: when it has lasted long enough; None: no silence

    def on_caller_left(self) -> None:
        """A program caller closed its half: it will say nothing more, and hears the reply to what it said."""
        self._left_at_sample = self._call.clock.sample

    def review(self) -> Decisions:
        """After every event: does the caller or the agent still do something?"""
        call = self._call
        if call.reply is not None and not call.reply.is_greeting:
            self._n_asked = 0  # the caller took part
        if not self._is_quiet():
            self.deadline = None
        elif self._left_at_sample is not None and call.user_turn.evidence.heard_sample >= self._left_at_sample:
            yield close(EndCause.CALLER, None)
        elif self.deadline is None:
            self.deadline = call.clock.wall + call.settings.silence_prompt_ms / 1000

    def _is_quiet(self) -> bool:
        call = self._call
        return call.floor is Floor.LISTENING and not (
            call.is_gateway_speaking
            or call.hang_up is not None
            or call.user_turn.phase is not TurnPhase.SILENT
            or self._keypad.is_waiting
            or self._recordings.is_wordless  # music or a fax: there is no person to ask
        )

    def on_timer(self) -> Decisions:
        """The silence may have lasted long enough."""
        call = self._call
        if self.deadline is None or call.clock.wall < self.deadline:
            return
        self.deadline = None
        if self._left_at_sample is not None:
            yield close(EndCause.CALLER, None)
        elif self._n_asked < call.settings.silence_prompts:
            self._n_asked += 1
            say(call, PromptKind.STILL_THERE)
        else:
            say(call, PromptKind.SILENCE_GOODBYE)
            hang_up_soon(call, EndCause.SILENCE)
