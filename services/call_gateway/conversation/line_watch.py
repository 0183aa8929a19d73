"""A line that does not behave like a caller: nothing comes from it, or sound that is no conversation.

Nothing at all for some seconds is a fault somebody must look for, so it is told, once for each likely cause. Sound that
goes on without a word is music on hold or a fax: to ask it whether it is still there makes no sense. The line is looked
at ten times a second; what the ear calls speech counts as sound too, and the steady noise of a street does not.
"""

from collections import deque
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import AudioFormat, TornSample, decode
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.line import IdleReason
from services.call_gateway.conversation.news import LineCause, LineTroubled
from services.call_gateway.conversation.turn import Floor

LOOK_EVERY_MS: Final = 100
LOUD: Final = 328.0  # root mean square of int16 samples: -40 dBFS, louder than a quiet room on a telephone
MODULATED: Final = 2.0  # as a factor of the quietest in the last seconds: steadier is noise
TONAL: Final = 0.6  # of the energy in one narrow band: steady, and yet no noise
MEMORY_LOOKS: Final = 30  # three seconds
GAP_MS: Final = 4000  # a calling fax beeps for half a second in 3.5 (ITU-T T.30 section 4.1.1); music has pauses


class LineWatch:
    """Watches the caller's line, in the caller's own time. Hold and the agent's own speech do not count."""

    def __init__(self, state: CallState, *, caller: Caller, announcer: Announcer, audio_format: AudioFormat) -> None:
        self._state = state
        self._caller = caller
        self._announcer = announcer
        self._format = audio_format
        self._last_sound_sample = 0  # where the last packet's sound ended
        self._has_sound_come = False
        self._told: set[LineCause] = set()
        self._next_look_sample = 0
        self._levels: deque[float] = deque(maxlen=MEMORY_LOOKS)
        self._sounding_until_sample = 0  # sound is taken to go on up to here
        self._watched_sample = 0
        self._wordless_samples = 0

    @property
    def is_wordless(self) -> bool:
        """What is heard has been no conversation for so long that nobody need be spoken to."""
        return self._wordless_samples >= self._state.clock.samples(self._state.settings.wordless_limit_ms)

    def hear_sound(self, start_sample: int, content: bytes) -> None:
        """A packet's sound, in the leg's format."""
        self._has_sound_come = True
        self._last_sound_sample = start_sample + len(content) // self._format.bytes_per_sample
        if self._last_sound_sample >= self._next_look_sample:
            self._next_look_sample = self._last_sound_sample + self._state.clock.samples(LOOK_EVERY_MS)
            if self._is_sound(content) or self._caller.is_sounding:
                self._sounding_until_sample = self._last_sound_sample + self._state.clock.samples(GAP_MS)
            self._count()

    def hear_nothing(self, to_sample: int, reason: IdleReason) -> None:
        """The line's clock went on up to there, and no packet came."""
        if to_sample > self._sounding_until_sample:
            self._wordless_samples = 0
        silent_samples = to_sample - self._last_sound_sample
        if silent_samples < self._state.clock.samples(self._state.settings.no_sound_limit_ms):
            return
        if self._state.floor is Floor.HELD or reason is IdleReason.HOLD:
            cause = LineCause.HOLD
        else:
            cause = LineCause.STOPPED if self._has_sound_come else LineCause.NEVER_CAME
        self._tell(cause, silent_samples)

    def hear_words(self) -> None:
        """Somebody is there after all."""
        self._wordless_samples = 0

    def _count(self) -> None:
        """Sound goes on: is anything said?"""
        since, self._watched_sample = self._watched_sample, self._last_sound_sample
        if self._last_sound_sample > self._sounding_until_sample or self._caller.has_words:
            self._wordless_samples = 0
        elif self._state.floor is Floor.LISTENING and not self._announcer.is_speaking:
            self._wordless_samples += self._last_sound_sample - since
            if self.is_wordless:
                self._tell(LineCause.NO_CONVERSATION, self._wordless_samples)

    def _is_sound(self, content: bytes) -> bool:
        """Music, a tone, a voice; not noise."""
        try:
            samples = decode(self._format, content).astype(np.float32)
        except TornSample:
            return False
        if not len(samples):
            return False
        level = sqrt(float(samples @ samples) / len(samples))
        self._levels.append(level)
        if level < LOUD:
            return False
        return level >= MODULATED * min(self._levels) or _is_tone(samples)

    def _tell(self, cause: LineCause, n_samples: int) -> None:
        if cause not in self._told:
            self._told.add(cause)
            self._state.command(LineTroubled(cause, n_samples * 1000 // self._state.clock.sample_rate_hertz))


def _is_tone(samples: NDArray[np.float32]) -> bool:
    powers = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    peak = int(powers.argmax())
    return float(powers[max(0, peak - 2) : peak + 3].sum()) >= TONAL * float(powers.sum())
