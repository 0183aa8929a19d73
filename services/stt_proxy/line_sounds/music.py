"""Music detector: sound that goes on for seconds without speech, and whose partials last and change.

Persistence: the share of a frame's power that lies at the five strongest partials of the frame 64 ms before. Over four
seconds music of an exchange has 0.56 to 0.95, speech 0.3, six voices at once 0.45, white noise 0.06.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.stt_proxy.line_sounds.frames import LONG_BIN_HERTZ, LOWEST_BIN, Frame

WINDOWS_LOOKED_AT = 125  # 4 s
LEAST_LOUD = 0.6  # of them
MOST_SPEECH = 0.15
MOST_TONE = 0.4  # in which one steady tone sounds: a ring or a hum, not music
LEAST_PERSISTENCE = 0.6
LEAST_CHANGES = 3  # of the strongest partial, by more than a semitone
SEMITONE = 1.06
N_PARTIALS = 5
OVER_WINDOWS = 62  # 2 s without music: it is over, and later music is told again
JUDGED_EVERY = 8  # windows: four times a second
_AROUND = np.arange(-1, 2)


class _Looked(NamedTuple):
    is_loud: bool
    is_speech: bool
    is_tone: bool
    persistence: float
    strongest_hertz: float


class MusicDetector:
    """Music detector of one call. Music is told once each time it begins."""

    def __init__(self) -> None:
        self._looked: deque[_Looked] = deque(maxlen=WINDOWS_LOOKED_AT)
        self._partials: deque[NDArray[np.bool_] | None] = deque((None, None), maxlen=2)
        self._is_on = False
        self._n_without = 0
        self._n_fed = 0

    def feed(self, frame: Frame, *, is_speech: bool, is_tone: bool) -> bool:
        """The next frame. True: music has been heard for four seconds, which was not so before."""
        before = self._partials[0]
        if frame.is_quiet or is_speech:
            self._partials.append(None)
            self._looked.append(_Looked(not frame.is_quiet, is_speech, is_tone, 0.0, 0.0))
        else:
            power = frame.power[LOWEST_BIN:]
            inner = power[1:-1]
            peaks = np.where((inner > power[:-2]) & (inner >= power[2:]), inner, 0.0)
            strongest = np.argpartition(peaks, -N_PARTIALS)[-N_PARTIALS:] + 1
            total = frame.total_power or 1.0
            near = np.zeros(len(power), dtype=bool)
            near[(strongest[:, np.newaxis] + _AROUND).ravel()] = True
            held = 0.0 if before is None else float(np.add.reduce(power[before])) / total
            self._partials.append(near)
            hertz = (LOWEST_BIN + int(power.argmax())) * LONG_BIN_HERTZ
            self._looked.append(_Looked(True, is_speech, is_tone, held, hertz))
        return self._judge()

    def reset(self) -> None:
        """The sound broke off."""
        self._looked.clear()
        self._partials.extend((None, None))
        self._is_on = False

    def _judge(self) -> bool:
        self._n_fed += 1
        if self._n_fed % JUDGED_EVERY:
            return False
        is_music = len(self._looked) == WINDOWS_LOOKED_AT and self._is_music()
        if is_music:
            self._n_without = 0
            was_on, self._is_on = self._is_on, True
            return not was_on
        self._n_without += JUDGED_EVERY
        if self._n_without >= OVER_WINDOWS:
            self._is_on = False
        return False

    def _is_music(self) -> bool:
        loud = [one for one in self._looked if one.is_loud and not one.is_speech]
        if len(loud) < LEAST_LOUD * WINDOWS_LOOKED_AT:
            return False
        if sum(one.is_speech for one in self._looked) > MOST_SPEECH * WINDOWS_LOOKED_AT:
            return False
        if sum(one.is_tone for one in self._looked) > MOST_TONE * WINDOWS_LOOKED_AT:
            return False
        if sum(one.persistence for one in loud) < LEAST_PERSISTENCE * len(loud):
            return False
        changes, last = 0, loud[0].strongest_hertz
        for one in loud:
            if not last / SEMITONE < one.strongest_hertz < last * SEMITONE:
                changes, last = changes + 1, one.strongest_hertz
        return changes >= LEAST_CHANGES
