"""Named tones by frequency and cadence: ITU-T E.180 (ring-back, busy, dial tone), T.30 (fax), and beeps.

Frequencies of call progress differ by country (425 Hz in most, 350 to 620 Hz in pairs elsewhere, 450 Hz in China), the
cadences are alike: a dial tone does not stop, busy is on as long as off, ring-back is off for two to five seconds.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from services.stt_proxy.line_sounds.tones import Burst

RATE_HERTZ = 8000
STILL_SOUNDING = 512  # samples behind a tone's end in which some of it may be heard: two windows
PROGRESS_HERTZ = (300.0, 690.0)
DIAL_TONE_S = 2.8  # longer than any ring is on
BUSY_S = (0.1, 0.85)  # on, and off
BUSY_RATIO = 1.6  # between two of its lengths
BUSY_BURSTS = 3
RING_ON_S = (0.3, 2.7)
RING_OFF_S = 1.6  # of silence: no busy tone is off for so long
SAME_TONE_HERTZ = 25.0
FAX_HERTZ = (1062.0, 1138.0)  # T.30: 1100 Hz with 38 Hz to either side
FAX_ON_S = (0.38, 0.62)  # 0.5 s with 15 %, and a window's inaccuracy
BEEP_HERTZ = (300.0, 2600.0)
BEEP_S = (0.1, 2.2)
BEEP_QUIET_S = 0.2  # before and behind it there is no other tone
VOICE_BEFORE_S = 10.0  # a greeting: a lone tone behind it is a beep, whatever its frequency
FALL_DB = 5.0  # from a tone to the silence behind it, in which the line may be noisy
TOLD_AGAIN_S = 8.0  # the same kind after so long without its tone is told again


class ProgressTone(Enum):
    """What a tone says."""

    RING_BACK = "ring_back"
    BUSY = "busy"
    DIAL_TONE = "dial_tone"
    FAX_CALLING = "fax_calling"
    BEEP = "beep"


@dataclass(frozen=True, slots=True)
class Named:
    """A tone with a name. Positions are samples at 8 kHz."""

    progress: ProgressTone
    start: int
    end: int


class CallProgress:
    """Call progress tones of one call. Each kind is told once while its tone comes again and again."""

    def __init__(self) -> None:
        self._bursts: deque[Burst] = deque(maxlen=BUSY_BURSTS)
        self._is_pending = False  # the last burst has no name yet
        self._voice_at = -(10**9)
        self._told: dict[ProgressTone, int] = {}  # where each kind was last heard

    def voice(self, position: int) -> None:
        """There is speech up to this position."""
        self._voice_at = position

    def feed(self, burst: Burst | None, position: int, level_dbfs: float) -> Named | None:
        """The next frame up to `position` and how loud its newest half is, with its tone if there is one."""
        if burst is not None and not burst.is_over:
            is_steady = burst.seconds >= DIAL_TONE_S and _is_progress(burst)
            return self._tell(ProgressTone.DIAL_TONE, burst.start, burst.end) if is_steady else None
        if burst is not None:
            self._bursts.append(burst)
            self._is_pending = True
            if self._is_busy():
                self._is_pending = False
                return self._tell(ProgressTone.BUSY, self._bursts[0].start, burst.end)
        elif self._is_pending and level_dbfs > self._bursts[-1].level_dbfs - FALL_DB:
            self._is_pending = position - self._bursts[-1].end < STILL_SOUNDING  # else other sound follows it
        return self._name_by_silence(position) if self._is_pending else None

    def reset(self) -> None:
        """The sound broke off."""
        self._bursts.clear()
        self._is_pending = False

    def _name_by_silence(self, position: int) -> Named | None:
        """Return what the last burst was, now that nothing has followed it for some time."""
        last = self._bursts[-1]
        quiet_s = (position - last.end) / RATE_HERTZ
        if self._voice_at > last.end:
            self._is_pending = False  # speech right behind it: part of other sound
            return None
        is_behind_voice = last.start - self._voice_at < VOICE_BEFORE_S * RATE_HERTZ
        if quiet_s >= BEEP_QUIET_S and self._is_alone(last) and not self._is_known(last):
            hertz = last.hertz[0]
            is_fax = FAX_HERTZ[0] <= hertz <= FAX_HERTZ[1] and FAX_ON_S[0] <= last.seconds <= FAX_ON_S[1]
            if is_fax and not is_behind_voice:
                return self._name(ProgressTone.FAX_CALLING, last)
            is_beep = BEEP_HERTZ[0] <= hertz <= BEEP_HERTZ[1] and BEEP_S[0] <= last.seconds <= BEEP_S[1]
            if is_beep and (is_behind_voice or not _is_progress(last)):
                return self._name(ProgressTone.BEEP, last)
        if quiet_s >= RING_OFF_S:
            is_ring = _is_progress(last) and RING_ON_S[0] <= last.seconds <= RING_ON_S[1]
            self._is_pending = False
            return self._name(ProgressTone.RING_BACK, last) if is_ring else None
        return None

    def _name(self, progress: ProgressTone, burst: Burst) -> Named | None:
        self._is_pending = False
        return self._tell(progress, burst.start, burst.end)

    def _tell(self, progress: ProgressTone, start: int, end: int) -> Named | None:
        last, self._told[progress] = self._told.get(progress), end
        return Named(progress, start, end) if last is None or start - last > TOLD_AGAIN_S * RATE_HERTZ else None

    def _is_busy(self) -> bool:
        bursts = list(self._bursts)
        if len(bursts) < BUSY_BURSTS or not all(_is_progress(one) and _is_same(one, bursts[-1]) for one in bursts):
            return False
        on_s = [one.seconds for one in bursts]
        off_s = [(two.start - one.end) / RATE_HERTZ for one, two in pairwise(bursts)]
        lengths = [*on_s, *off_s]
        return all(BUSY_S[0] <= one <= BUSY_S[1] for one in lengths) and max(lengths) <= BUSY_RATIO * min(lengths)

    def _is_alone(self, burst: Burst) -> bool:
        before = self._bursts[-2] if len(self._bursts) > 1 else None
        is_apart = before is None or burst.start - before.end >= 5 * BEEP_QUIET_S * RATE_HERTZ
        return len(burst.hertz) == 1 and is_apart

    def _is_known(self, burst: Burst) -> bool:
        """Return whether the tone comes again in a cadence with a name: a ring behind a ring, a fax behind a fax."""
        told = [self._told.get(one) for one in (ProgressTone.RING_BACK, ProgressTone.BUSY) if _is_progress(burst)]
        return any(one is not None and burst.start - one < TOLD_AGAIN_S * RATE_HERTZ for one in told)


def _is_progress(burst: Burst) -> bool:
    return all(PROGRESS_HERTZ[0] <= one <= PROGRESS_HERTZ[1] for one in burst.hertz)


def _is_same(one: Burst, two: Burst) -> bool:
    if len(one.hertz) != len(two.hertz):
        return False
    return all(abs(first - second) <= SAME_TONE_HERTZ for first, second in zip(one.hertz, two.hertz, strict=True))
