"""The last minute of what was measured on the caller's line: which words came out of music, and what follows them.

What the STT stage calls speech counts as sound too; the steady noise of a street does not.
"""

from collections import Counter, deque
from typing import Final

from services.call_gateway.conversation.media_clock import MediaClock
from services.call_gateway.line import LineMeasured

KEPT: Final = 600  # measurements, ten a second: announcements longer than a minute do not exist
MOSTLY: Final = 0.6  # of a stretch
BEFORE_MS: Final = 5000  # music before words lies in this stretch
NEAR_MS: Final = 1000  # and comes as near to the words as this; whoever takes up a receiver needs longer
BACKGROUND: Final = 0.35  # as a factor of the words' level: a radio in the caller's room is fainter
AFTER_MS: Final = 100  # from the last word: a syllable may still ring
ONE_TONE: Final = 0.9  # of the sound has its peak at the same place
ONE_LEVEL: Final = 1.4  # as a factor: what a machine sends is neither loud nor faint
ONE_TONE_HERTZ: Final = 60  # to either side: a frame of 20 ms tells no finer


class LineSound:
    """The last minute of a line."""

    def __init__(self, clock: MediaClock) -> None:
        self._clock = clock
        self._looks: deque[LineMeasured] = deque(maxlen=KEPT)

    def on_measured(self, measured: LineMeasured) -> None:
        """The line was measured."""
        self._looks.append(measured)

    def is_music_around(self, began_sample: int, end_sample: int, *, not_before: int) -> bool:
        """Whether words that were said there came out of music as loud as they: an announcement. What was heard up to
        `not_before` were words too.
        """
        since = max(not_before, began_sample - self._clock.samples(BEFORE_MS))
        before = [look for look in self._looks if since < look.sample <= began_sample]
        music = [look for look in before if look.is_sound]
        is_long = began_sample - since >= MOSTLY * self._clock.samples(BEFORE_MS)
        if not is_long or not music or len(music) < MOSTLY * len(before):
            return False
        if began_sample - music[-1].sample > self._clock.samples(NEAR_MS):
            return False
        words = [look for look in self._looks if began_sample < look.sample <= end_sample]
        return _loudness(music) >= BACKGROUND * _loudness(words)

    def sounds_since(self, end_sample: int) -> bool:
        """Whether the line has been sounding since words ended there."""
        since = end_sample + self._clock.samples(AFTER_MS)
        after = [look.is_sound for look in self._looks if look.sample > since]
        after = after or [look.is_sound for look in list(self._looks)[-1:]]
        return sum(after) >= MOSTLY * max(1, len(after))

    def is_one_tone(self, since_sample: int) -> bool:
        """Whether all that has been heard since then is the same tone: a machine's."""
        looks = [look for look in self._looks if look.is_sound and look.sample > since_sample]
        if not looks:
            return False
        levels = [look.level for look in looks]
        low, high = _percentile(levels, 25), _percentile(levels, 75)
        if high > ONE_LEVEL * low:
            return False
        peaks = [look.peak_hertz for look in looks]
        common = Counter(peaks).most_common(1)[0][0]
        return sum(abs(peak - common) <= ONE_TONE_HERTZ for peak in peaks) >= ONE_TONE * len(peaks)


def _loudness(looks: list[LineMeasured]) -> float:
    return _percentile([look.level for look in looks], 75) if looks else 0.0


def _percentile(values: list[float], percent: int) -> float:
    """Between the two nearest ranks, linearly. Raises IndexError when there are no values."""
    ranked = sorted(values)
    rank, part = divmod((len(ranked) - 1) * percent, 100)
    return ranked[rank] + (ranked[min(rank + 1, len(ranked) - 1)] - ranked[rank]) * part / 100
