"""A line that does not behave like a caller: nothing comes from it, or sound that is no conversation.

Nothing at all for some seconds is a fault somebody must look for, so it is told, once for each likely cause. Sound that
goes on without a word is music on hold or a fax: to ask it whether it is still there makes no sense, and when it has
gone on for minutes the call is ended.
"""

from typing import Final

from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.ending import Ending
from services.call_gateway.conversation.events import PromptKind
from services.call_gateway.conversation.line_sound import LineSound
from services.call_gateway.conversation.news import LineCause, LineTroubled
from services.call_gateway.conversation.recordings import Recordings
from services.call_gateway.conversation.turn import Floor
from services.call_gateway.line import EndCause, IdleReason, LineMeasured, PacketsMissing

GAP_MS: Final = 4000  # a calling fax beeps for half a second in 3.5 (ITU-T T.30 section 4.1.1); music has pauses


class LineWatch:
    """Watches the caller's line, in the caller's own time. Hold and the agent's own speech do not count."""

    def __init__(
        self,
        state: CallState,
        *,
        caller: Caller,
        announcer: Announcer,
        ending: Ending,
        sound: LineSound,
        recordings: Recordings,
    ) -> None:
        self._state = state
        self._caller = caller
        self._announcer = announcer
        self._ending = ending
        self._sound = sound
        self._recordings = recordings
        self._measured_sample = 0  # where the last measurement lies
        self._told: set[LineCause] = set()
        self._sounding_until_sample = 0  # sound is taken to go on up to here

    def on_measured(self, measured: LineMeasured) -> None:
        """The line was measured, ten times a second."""
        self._sound.on_measured(measured)
        if self._caller.is_sounding or measured.is_sound:
            self._sounding_until_sample = measured.sample + self._state.clock.samples(GAP_MS)
        since, self._measured_sample = self._measured_sample, measured.sample
        self._count(since)

    def on_packets_missing(self, missing: PacketsMissing) -> None:
        """The line's clock went on, and no packet came."""
        if missing.to_sample > self._sounding_until_sample:
            self._recordings.forget_sound()
        if missing.n_samples < self._state.clock.samples(self._state.settings.no_sound_limit_ms):
            return
        if self._state.floor is Floor.HELD or missing.reason is IdleReason.HOLD:
            cause = LineCause.HOLD
        else:
            cause = LineCause.STOPPED if missing.has_packet_come else LineCause.NEVER_CAME
        self._tell(cause, missing.n_samples)

    def _count(self, since: int) -> None:
        """Sound goes on: is anything said?"""
        if self._measured_sample > self._sounding_until_sample:
            self._recordings.forget_sound()
        elif self._state.floor is Floor.LISTENING and not self._announcer.is_speaking and not self._caller.has_words:
            self._recordings.wordless_samples += self._measured_sample - since
            if self._recordings.is_wordless:
                self._leave_alone(self._recordings.wordless_samples)

    def _leave_alone(self, wordless_samples: int) -> None:
        """There is nobody to talk to, and in the end nobody to wait for."""
        is_tone = self._sound.is_one_tone(self._measured_sample - wordless_samples)
        cause = LineCause.TONE if is_tone else LineCause.NO_CONVERSATION
        if not self._told & {LineCause.TONE, LineCause.NO_CONVERSATION}:
            self._tell(cause, wordless_samples)
        limit_ms = self._state.settings.wordless_end_ms
        if limit_ms and wordless_samples >= self._state.clock.samples(limit_ms):
            likely = "a fax or modem" if is_tone else "music on hold or voicemail"
            message = f"{limit_ms // 1000} s of sound without a word: {likely}"
            self._ending.begin(EndCause.SILENCE, PromptKind.SILENCE_GOODBYE, message)

    def _tell(self, cause: LineCause, n_samples: int) -> None:
        if cause not in self._told:
            self._told.add(cause)
            self._state.command(LineTroubled(cause, n_samples * 1000 // self._state.clock.sample_rate_hertz))
