"""Named tones by frequency and cadence: ITU-T E.180 (ring-back, busy, dial tone), T.30 (fax), and beeps.

Frequencies of call progress differ by country (425 Hz in most, 350 to 620 Hz in pairs elsewhere, 450 Hz in China), the
cadences are alike: a dial tone does not stop, busy comes again within 1.6 seconds, ring-back is off for two to five
seconds. A tone that has sounded once may be a ring or a beep: what follows it tells.
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
BUSY_PERIOD_RATIO = 1.2  # between two of its periods: Britain's congestion and Germany's busy vary within them
BUSY_RATIO = 1.6  # between two of its lengths, where its periods differ, as Spain's do
BUSY_BURSTS = 3
RING_HERTZ = (380.0, 490.0)  # E.180: 400 to 450 Hz; America's pair is followed as one tone of 460 Hz
RING_ON_S = (0.3, 2.7)
RING_OFF_S = (1.6, 6.3)  # of silence: no busy tone is off for so long, and no ring for longer
RING_RATIO = 1.6  # between two of its lengths
SHORTEST_LONE_RING_S = 0.65  # a shorter one comes twice, as Britain's does, or is none
SAME_TONE_HERTZ = 25.0
FAX_HERTZ = (1054.0, 1146.0)  # T.30: 1100 Hz with 38 Hz to either side, and a bin's inaccuracy
FAX_ON_S = (0.38, 0.62)  # 0.5 s with 15 %, and a window's inaccuracy
BEEP_HERTZ = (300.0, 3400.0)
BEEP_S = (0.1, 2.2)
BEEP_QUIET_S = 0.2  # behind it there is no other tone
BEEP_ALONE_S = 1.2  # nor before it, save the same: beeps come two or three at a time as well
MOST_BEEPS = 3
BUSY_WAIT_S = 0.95  # of silence behind a tone that may be the first of a busy tone
REMEMBERED_BURSTS = 8
VOICE_BEFORE_S = 10.0  # a greeting: a lone tone behind it is a beep, whatever its frequency
VOICE_WINDOWS = 6  # of voice in a row: a tone's own onset may be taken for voice, not for so long
VOICE_GAP = 256  # samples from one window of voice to the next
FALL_DB = 5.0  # from a tone to the silence behind it, in which the line may be noisy
TOLD_AGAIN_S = 8.0  # the same kind after so long without its tone is told again


class ProgressTone(Enum):
    """Meaning of a tone."""

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
        self._bursts: deque[Burst] = deque(maxlen=REMEMBERED_BURSTS)
        self._is_pending = False  # the last burst has no name yet
        self._voice_at = self._greeting_at = -(10**9)
        self._n_voice = 0  # windows of voice in a row
        self._told: dict[ProgressTone, int] = {}  # where each kind was last heard

    def voice(self, position: int) -> None:
        """There is speech up to this position."""
        self._n_voice = self._n_voice + 1 if position - self._voice_at <= VOICE_GAP else 1
        self._voice_at = position
        if self._n_voice >= VOICE_WINDOWS:
            self._greeting_at = position

    def feed(self, burst: Burst | None, position: int, level_dbfs: float) -> Named | None:
        """The next frame up to `position` and how loud its newest half is, with its tone if there is one."""
        if burst is not None and not burst.is_over:
            is_steady = burst.seconds >= DIAL_TONE_S and _is_progress(burst)
            return self._tell(ProgressTone.DIAL_TONE, burst.start, burst.end) if is_steady else None
        if burst is not None:
            self._bursts.append(burst)
            self._is_pending = True
            if self._is_busy():
                return self._name(ProgressTone.BUSY, list(self._bursts)[-BUSY_BURSTS], burst)
            if (first := self._first_ring()) is not None:
                return self._name(ProgressTone.RING_BACK, first, burst)
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
        if self._voice_at > last.end:
            self._is_pending = False  # speech right behind it: part of other sound
            return None
        beeps = self._beeps()
        if not beeps or self._is_known(last):
            return None
        is_behind_voice = beeps[0].start - self._greeting_at < VOICE_BEFORE_S * RATE_HERTZ
        quiet_s = (position - last.end) / RATE_HERTZ
        if quiet_s < (BEEP_QUIET_S if is_behind_voice else _quiet_behind_beeps_s(beeps)):
            return None
        hertz = last.hertz[0]
        is_fax = FAX_HERTZ[0] <= hertz <= FAX_HERTZ[1] and FAX_ON_S[0] <= last.seconds <= FAX_ON_S[1]
        if is_fax and len(beeps) == 1 and not is_behind_voice:
            return self._name(ProgressTone.FAX_CALLING, last, last)
        return self._name(ProgressTone.BEEP, beeps[0], last)

    def _name(self, progress: ProgressTone, first: Burst, last: Burst) -> Named | None:
        self._is_pending = False
        return self._tell(progress, first.start, last.end)

    def _tell(self, progress: ProgressTone, start: int, end: int) -> Named | None:
        last, self._told[progress] = self._told.get(progress), end
        return Named(progress, start, end) if last is None or start - last > TOLD_AGAIN_S * RATE_HERTZ else None

    def _is_busy(self) -> bool:
        bursts = list(self._bursts)[-BUSY_BURSTS:]
        if len(bursts) < BUSY_BURSTS or not all(_is_progress(one) and _is_same(one, bursts[-1]) for one in bursts):
            return False
        on_s = [one.seconds for one in bursts]
        off_s = [_gap_s(one, two) for one, two in pairwise(bursts)]
        periods_s = [(two.start - one.start) / RATE_HERTZ for one, two in pairwise(bursts)]
        lengths = [*on_s, *off_s]
        if not all(BUSY_S[0] <= one <= BUSY_S[1] for one in lengths):
            return False
        return max(periods_s) <= BUSY_PERIOD_RATIO * min(periods_s) or max(lengths) <= BUSY_RATIO * min(lengths)

    def _first_ring(self) -> Burst | None:
        """Return where the newest burst is a ring behind a ring, the first of them; None: it is not."""
        last = self._bursts[-1]
        if not _may_ring(last):
            return None
        for before in list(self._bursts)[-2::-1]:
            if not (_may_ring(before) and _is_same(before, last)):
                return None
            gap_s = _gap_s(before, last)
            if RING_OFF_S[0] <= gap_s <= RING_OFF_S[1]:
                shorter, longer = sorted((before.seconds, last.seconds))
                is_voice_between = self._greeting_at > before.end
                return before if longer <= RING_RATIO * shorter and not is_voice_between else None
            if gap_s > RING_OFF_S[1]:
                return None
        return None

    def _beeps(self) -> list[Burst]:
        """The last burst with those of its kind right before it, where they are beeps; else none."""
        bursts = list(self._bursts)
        last = bursts.pop()
        found = [last]
        while bursts and _gap_s(bursts[-1], found[0]) < BEEP_ALONE_S:
            if not _is_same(bursts[-1], last):
                return []
            found.insert(0, bursts.pop())
        is_beep = len(last.hertz) == 1 and BEEP_HERTZ[0] <= last.hertz[0] <= BEEP_HERTZ[1]
        are_short = all(BEEP_S[0] <= one.seconds <= BEEP_S[1] for one in found)
        return found if is_beep and are_short and len(found) <= MOST_BEEPS else []

    def _is_known(self, burst: Burst) -> bool:
        """Return whether the tone comes again in a cadence with a name: a ring behind a ring, a fax behind a fax."""
        told = [self._told.get(one) for one in (ProgressTone.RING_BACK, ProgressTone.BUSY) if _is_progress(burst)]
        return any(one is not None and burst.start - one < TOLD_AGAIN_S * RATE_HERTZ for one in told)


def _quiet_behind_beeps_s(beeps: list[Burst]) -> float:
    """Return how long nothing must follow them, so that they can be neither a ring nor the first of a busy tone."""
    last = beeps[-1]
    if not _is_progress(last):
        return BEEP_QUIET_S
    is_ring_enough = len(beeps) > 1 or last.seconds >= SHORTEST_LONE_RING_S
    return RING_OFF_S[1] if is_ring_enough and _is_ring_hertz(last) else BUSY_WAIT_S


def _may_ring(burst: Burst) -> bool:
    return _is_ring_hertz(burst) and RING_ON_S[0] <= burst.seconds <= RING_ON_S[1]


def _is_ring_hertz(burst: Burst) -> bool:
    return len(burst.hertz) == 1 and RING_HERTZ[0] <= burst.hertz[0] <= RING_HERTZ[1]


def _gap_s(one: Burst, two: Burst) -> float:
    return (two.start - one.end) / RATE_HERTZ


def _is_progress(burst: Burst) -> bool:
    return all(PROGRESS_HERTZ[0] <= one <= PROGRESS_HERTZ[1] for one in burst.hertz)


def _is_same(one: Burst, two: Burst) -> bool:
    if len(one.hertz) != len(two.hertz):
        return False
    return all(abs(first - second) <= SAME_TONE_HERTZ for first, second in zip(one.hertz, two.hertz, strict=True))
