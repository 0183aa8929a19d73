"""DTMF detector: ITU-T Q.23 frequencies by the reception limits of ITU-T Q.24.

A key is a tone of each group at once: within 1.5 % of its frequency it must be taken, beyond 3.5 % refused; 40 ms must
be heard, as must a pause of 40 ms. Against voices ("talk-off") the two tones must carry nearly all the power.
"""

from dataclasses import dataclass

import numpy as np

from services.stt_proxy.line_sounds.frames import SHORT_BIN_HERTZ, SHORT_SAMPLES, SHORT_STEP, Frame, Power

LOW_HERTZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HERTZ = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = ("123A", "456B", "789C", "*0#D")
LARGEST_DEVIATION = 0.025  # of the nominal frequency, between what Q.24 takes and what it refuses
MOST_TWIST_DB = 10.0  # between the two tones; Q.24 asks for 4 to 8, lines add to it
LEAST_SHARE = 0.82  # of the power that lies in the two tones; a tone with noise 10 dB below has 0.9
LEAST_PIECES = 3.7  # of 8 ms, a piece at the key's edge counting by its share of the power: 30 ms
QUIET_KEY_RMS = 25.0  # of 32768: -62 dBFS, three steps of G.711
PIECES_APART = 3  # steps without it: the key was let go of
HALF_WIDTH = 2  # bins around a tone that hold its power
_LOW_BINS = slice(int(640 / SHORT_BIN_HERTZ), int(1000 / SHORT_BIN_HERTZ) + 2)
_HIGH_BINS = slice(int(1150 / SHORT_BIN_HERTZ), int(1700 / SHORT_BIN_HERTZ) + 2)
_LOWEST_BIN = 6  # of what counts as power: hum of the mains does not


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is held, as far as it was heard."""

    key: str  # 0-9, A-D, * or #
    start: int  # positions: samples at 8 kHz
    end: int


class DtmfDetector:
    """DTMF detector of one call. Each key is told once, as soon as it is certain."""

    def __init__(self) -> None:
        self._candidate = ""
        self._since = 0
        self._power = 0.0  # of the pieces with it
        self._most_power = 0.0  # of one of them
        self._held = ""
        self._n_without = 0

    @property
    def is_held(self) -> bool:
        """Return whether a key sounds now."""
        return bool(self._held)

    def feed(self, frame: Frame) -> list[Key]:
        """The next frame; the keys that have become certain in it."""
        is_quiet = frame.rms < QUIET_KEY_RMS
        if not (self._held or self._candidate) and (is_quiet or not _may_hold_key(frame)):
            return []
        if is_quiet:
            found = [(end, "", 0.0) for end in frame.short_ends]
        else:
            found = [(end, *key_in(power)) for end, power in zip(frame.short_ends, frame.short_powers, strict=True)]
        return [key for one in found if (key := self._observe(*one)) is not None]

    def reset(self) -> None:
        """The sound broke off."""
        self._candidate = self._held = ""
        self._n_without = 0

    def _observe(self, end: int, name: str, power: float) -> Key | None:
        if self._held:
            self._n_without = 0 if name == self._held else self._n_without + 1
            if self._n_without >= PIECES_APART:
                self._held = ""
        if name != self._candidate:
            self._candidate, self._since = name, end - SHORT_SAMPLES + SHORT_STEP
            self._power = self._most_power = 0.0
        self._power += power
        self._most_power = max(self._most_power, power)
        if not name or name == self._held or self._power < LEAST_PIECES * self._most_power:
            return None
        self._held, self._n_without = name, 0
        return Key(name, self._since, end)


def key_in(power: Power) -> tuple[str, float]:
    """The key whose two tones are in the spectrum of 24 ms, (129,), and their power; empty: none."""
    total = float(power[_LOWEST_BIN:].sum())
    low_bin = _LOW_BINS.start + int(np.argmax(power[_LOW_BINS]))
    high_bin = _HIGH_BINS.start + int(np.argmax(power[_HIGH_BINS]))
    low_hertz, low_power = _tone_at(power, low_bin)
    high_hertz, high_power = _tone_at(power, high_bin)
    if low_power <= 0 or high_power <= 0 or low_power + high_power < LEAST_SHARE * total:
        return "", 0.0
    if abs(10 * np.log10(high_power / low_power)) > MOST_TWIST_DB:
        return "", 0.0
    row, column = _nearest(low_hertz, LOW_HERTZ), _nearest(high_hertz, HIGH_HERTZ)
    if row is None or column is None:
        return "", 0.0
    return KEYS[row][column], low_power + high_power


def _tone_at(power: Power, at: int) -> tuple[float, float]:
    """Frequency of the tone around a bin, by its centre of power, and that power."""
    around = power[at - HALF_WIDTH : at + HALF_WIDTH + 1]
    held = float(around.sum())
    offset = float(around @ np.arange(-HALF_WIDTH, HALF_WIDTH + 1)) / held if held > 0 else 0.0
    return (at + offset) * SHORT_BIN_HERTZ, held


def _nearest(hertz: float, nominal: tuple[float, ...]) -> int | None:
    number = min(range(len(nominal)), key=lambda one: abs(hertz - nominal[one]))
    return number if abs(hertz - nominal[number]) <= LARGEST_DEVIATION * nominal[number] else None


def _may_hold_key(frame: Frame) -> bool:
    """Return whether both groups have power in the 64 ms: a cheap look before the pieces are looked at."""
    power, total = frame.power, frame.total_power
    low = float(np.add.reduce(power[41:65]))  # 640 to 1000 Hz
    high = float(np.add.reduce(power[74:110]))  # 1150 to 1710 Hz
    return low + high > 0.5 * total and min(low, high) > 0.03 * total
