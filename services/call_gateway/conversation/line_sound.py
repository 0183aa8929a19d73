"""What comes over the caller's line as sound, looked at ten times a second: music, a tone or a voice, and not noise.

What the ear calls speech counts as sound too; the steady noise of a street does not.
"""

from collections import Counter, deque
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import AudioFormat, TornSample, decode

LOOK_EVERY_MS: Final = 100
FRAME_MS: Final = 20  # that a look takes in
KEPT_LOOKS: Final = 600  # a minute: longer announcements do not exist
LOUD: Final = 328.0  # root mean square of int16 samples: -40 dBFS, louder than a quiet room on a telephone
MODULATED: Final = 2.0  # as a factor of the quietest in the last seconds: steadier is noise
TONAL: Final = 0.6  # of the energy in one narrow band: steady, and yet no noise
MEMORY_LOOKS: Final = 30  # three seconds
BEFORE_MS: Final = 5000  # music before words lies in this stretch
MOSTLY: Final = 0.6  # of it
NEAR_MS: Final = 1000  # and comes as near to the words as this; whoever takes up a receiver needs longer
BACKGROUND: Final = 0.35  # as a factor of the words' level: a radio in the caller's room is fainter
AFTER_MS: Final = 100  # from the last word: a syllable may still ring
ONE_TONE: Final = 0.9  # of the sound has its peak at the same place
ONE_LEVEL: Final = 1.4  # as a factor: what a machine sends is neither loud nor faint
ONE_TONE_HERTZ: Final = 60  # to either side: a packet of 20 ms tells no finer


@dataclass(frozen=True, slots=True)
class Look:
    """The line at one moment."""

    sample: int
    level: float  # root mean square
    is_sound: bool
    peak_hertz: int  # where the most energy lies


class LineSound:
    """The last minute of a line."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._per_ms = audio_format.sample_rate_hertz / 1000
        self._looks: deque[Look] = deque(maxlen=KEPT_LOOKS)
        self._levels: deque[float] = deque(maxlen=MEMORY_LOOKS)
        self._next_sample = 0

    def hear(self, start_sample: int, content: bytes) -> list[Look]:
        """Sound in the leg's format, a packet or several; what was seen of it where it was time to look."""
        width = self._format.bytes_per_sample
        n_samples, frame = len(content) // width, round(FRAME_MS * self._per_ms)
        looks: list[Look] = []
        for at in range(0, n_samples, frame):
            end = start_sample + min(at + frame, n_samples)
            if end >= self._next_sample:
                self._next_sample = end + round(LOOK_EVERY_MS * self._per_ms)
                looks.append(self._look(end, content[at * width : (at + frame) * width]))
        self._looks.extend(looks)
        return looks

    def _look(self, end_sample: int, content: bytes) -> Look:
        try:
            samples = decode(self._format, content).astype(np.float32)
        except TornSample:
            return Look(end_sample, 0.0, False, 0)
        if not len(samples):
            return Look(end_sample, 0.0, False, 0)
        level = sqrt(float(samples @ samples) / len(samples))
        self._levels.append(level)
        if level < LOUD:
            return Look(end_sample, level, False, 0)
        powers = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
        peak = int(powers.argmax())
        hertz = peak * self._format.sample_rate_hertz // len(samples)
        return Look(end_sample, level, level >= MODULATED * min(self._levels) or _is_tone(powers, peak), hertz)

    def is_music_around(self, began_sample: int, end_sample: int, *, not_before: int) -> bool:
        """Whether words that were said there came out of music as loud as they: an announcement. What was heard up to
        `not_before` were words too.
        """
        since = max(not_before, began_sample - round(BEFORE_MS * self._per_ms))
        before = [look for look in self._looks if since < look.sample <= began_sample]
        music = [look for look in before if look.is_sound]
        is_long = began_sample - since >= MOSTLY * BEFORE_MS * self._per_ms
        if not is_long or not music or len(music) < MOSTLY * len(before):
            return False
        if began_sample - music[-1].sample > NEAR_MS * self._per_ms:
            return False
        words = [look for look in self._looks if began_sample < look.sample <= end_sample]
        return _loudness(music) >= BACKGROUND * _loudness(words)

    def sounds_since(self, end_sample: int) -> bool:
        """Whether the line has been sounding since words ended there."""
        since = end_sample + AFTER_MS * self._per_ms
        after = [look.is_sound for look in self._looks if look.sample > since]
        after = after or [look.is_sound for look in list(self._looks)[-1:]]
        return sum(after) >= MOSTLY * max(1, len(after))

    def is_one_tone(self, since_sample: int) -> bool:
        """Whether all that has been heard since then is the same tone: a machine's."""
        looks = [look for look in self._looks if look.is_sound and look.sample > since_sample]
        if not looks:
            return False
        low, high = np.percentile([look.level for look in looks], (25, 75))
        if high > ONE_LEVEL * low:
            return False
        peaks = [look.peak_hertz for look in looks]
        common = Counter(peaks).most_common(1)[0][0]
        return sum(abs(peak - common) <= ONE_TONE_HERTZ for peak in peaks) >= ONE_TONE * len(peaks)


def _loudness(looks: list[Look]) -> float:
    return float(np.percentile([look.level for look in looks], 75)) if looks else 0.0


def _is_tone(powers: NDArray[np.float32], peak: int) -> bool:
    return float(powers[max(0, peak - 2) : peak + 3].sum()) >= TONAL * float(powers.sum())
