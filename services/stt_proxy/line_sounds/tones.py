"""Tone tracker: stretches of sound in which one or two frequencies carry the power and do not move.

Voices do not hold a pitch to a few hertz and a level to a few decibels for an eighth of a second, and what they come
near with (a hum, "mm") has harmonics; tones of telephone networks are never a harmonic of one another.
"""

from dataclasses import dataclass

import numpy as np

from services.stt_proxy.line_sounds.frames import LONG_BIN_HERTZ, LONG_SAMPLES, LOWEST_BIN, WINDOW_SAMPLES, Frame, Power

LEAST_SHARE = 0.8  # of the power that lies in at most two tones: noise may be 6 dB below them
LEAST_SECOND = 0.03  # of the power: a second tone, not what is left of the first
MOST_DRIFT_HERTZ = 14.0
MOST_DRIFT_DB = 4.0
LEAST_FRAMES = 3  # of 64 ms, 32 ms apart: 128 ms
HALF_WIDTH = 3  # bins around a tone: 47 Hz, so that 400 with 450 Hz and 440 with 480 are one
ONE_LUMP_HERTZ = 100.0  # tones nearer than this beat, and are followed as one
HARMONIC_RATIOS = (1.333, 1.5, 2.0)
HARMONIC_TOLERANCE = 0.02
LOUDEST_HARMONIC = 0.01  # of the power, at half or twice the frequency
_BINS = np.arange(LONG_SAMPLES // 2 + 1)


@dataclass(frozen=True, slots=True)
class Burst:
    """A tone, or two at once, up to the last sample received."""

    hertz: tuple[float, ...]  # one or two, rising
    start: int  # positions: samples at 8 kHz
    end: int
    is_over: bool
    level_dbfs: float

    @property
    def seconds(self) -> float:
        """Return the tone's length so far."""
        return (self.end - self.start) / 8000


class ToneTracker:
    """Tone tracker of one call; one tone at a time."""

    def __init__(self) -> None:
        self._hertz: tuple[float, ...] = ()
        self._level_dbfs = 0.0
        self._start = 0
        self._n_frames = 0

    @property
    def is_sounding(self) -> bool:
        """Return whether a tone is certain now."""
        return self._n_frames >= LEAST_FRAMES

    def feed(self, frame: Frame) -> Burst | None:
        """The next frame. A tone is given while it lasts, and once more when it is over."""
        hertz = () if frame.is_quiet else tones_in(frame)
        if hertz and self._goes_on(hertz, frame.level_dbfs):
            self._n_frames += 1
            self._level_dbfs = max(self._level_dbfs, frame.level_dbfs)
            return self._burst(frame.position, is_over=False) if self.is_sounding else None
        ended = self.reset(frame.position)
        if hertz:
            self._hertz, self._level_dbfs, self._n_frames = hertz, frame.level_dbfs, 1
            self._start = frame.position - LONG_SAMPLES * 3 // 4
        return ended

    def reset(self, position: int) -> Burst | None:
        """The sound broke off there, or is another one. The tone that this ended, if there was one."""
        was_sounding, self._n_frames = self.is_sounding, 0
        if not was_sounding:
            return None
        end = max(self._start, position - WINDOW_SAMPLES * 3 // 4)
        return self._burst(end, is_over=True)

    def _burst(self, end: int, *, is_over: bool) -> Burst:
        return Burst(self._hertz, self._start, end, is_over, self._level_dbfs)

    def _goes_on(self, hertz: tuple[float, ...], level_dbfs: float) -> bool:
        if not self._n_frames or len(hertz) != len(self._hertz):
            return False
        is_same = all(abs(one - two) <= MOST_DRIFT_HERTZ for one, two in zip(hertz, self._hertz, strict=True))
        is_rising = self._n_frames == 1  # the first frame may have held the tone's onset
        return is_same and (is_rising or abs(level_dbfs - self._level_dbfs) <= MOST_DRIFT_DB)


def tones_in(frame: Frame) -> tuple[float, ...]:
    """The one or two frequencies that carry the power of the 64 ms; empty: it is no tone."""
    power, total = frame.power, frame.total_power
    if total <= 0:
        return ()
    rest = power[LOWEST_BIN:].copy()
    found: list[tuple[float, float]] = []
    for _ in range(2):
        at = int(rest.argmax())
        first, last = max(0, at - HALF_WIDTH), min(len(rest), at + HALF_WIDTH + 1)
        around = rest[first:last]
        held = float(np.add.reduce(around))
        if held < (LEAST_SECOND if found else LEAST_SHARE / 2) * total:
            break
        hertz = (LOWEST_BIN + float(around @ _BINS[first:last]) / held) * LONG_BIN_HERTZ
        found.append((hertz, held / total))
        rest[first:last] = 0.0
    if sum(share for _, share in found) < LEAST_SHARE:
        return ()
    if len(found) == 2 and abs(found[0][0] - found[1][0]) < ONE_LUMP_HERTZ:
        found = [((found[0][0] * found[0][1] + found[1][0] * found[1][1]) / (found[0][1] + found[1][1]), 1.0)]
    hertz_found = tuple(sorted(hertz for hertz, _ in found))
    return () if _is_voiced(hertz_found, power, total) else hertz_found


def _is_voiced(hertz: tuple[float, ...], power: Power, total: float) -> bool:
    """Return whether the tones are harmonics of one pitch, as a voice has them."""
    if len(hertz) == 2:
        ratio = hertz[1] / hertz[0]
        return any(abs(ratio - one) <= HARMONIC_TOLERANCE * one for one in HARMONIC_RATIOS)
    at = hertz[0] / LONG_BIN_HERTZ
    near = (round(at / 2), round(at * 2))
    return any(
        float(power[max(3, place - 2) : place + 3].sum()) > LOUDEST_HARMONIC * total
        for place in near
        if abs(place - at) > 2 * HALF_WIDTH and place + 3 < len(power)
    )
