"""One direction of a call as it was, with every sample where it belongs in time."""

import wave
from pathlib import Path
from typing import Final

import numpy as np

from services.audio.pcm import Samples

RATE_HERTZ: Final = 8000
_JITTER_S: Final = 0.060
_FLOOR_DBFS: Final = -60.0
_WINDOW: Final = RATE_HERTZ // 100  # 10 ms
_ONSET_QUIET: Final = 6  # windows


class Recording:
    """Grows at the end. Chunks that come in time are laid end to end; a pause in the stream becomes silence."""

    def __init__(self) -> None:
        self._chunks: list[Samples] = []
        self.n_samples = 0

    @property
    def length_s(self) -> float:
        return self.n_samples / RATE_HERTZ

    def add(self, samples: Samples, *, end_s: float) -> None:
        """`samples` ended at `end_s`. What would lie before the end of the recording follows it instead."""
        start_s = end_s - len(samples) / RATE_HERTZ
        if start_s - self.length_s > _JITTER_S:
            self._append(np.zeros(round((start_s - self.length_s) * RATE_HERTZ), dtype=np.int16))
        self._append(samples)

    def samples(self) -> Samples:
        """All of it, (n_samples,) int16."""
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0] if self._chunks else np.empty(0, dtype=np.int16)

    def levels_dbfs(self, *, from_s: float = 0.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Level of each 10 ms from `from_s` on, -60 at least."""
        part = self.samples()[round(from_s * RATE_HERTZ) :]
        windows = part[: len(part) // _WINDOW * _WINDOW].reshape(-1, _WINDOW).astype(np.float64)
        if not len(windows):
            return np.empty(0)
        rms = np.sqrt((windows**2).mean(axis=1)) / 32768
        return np.asarray(20 * np.log10(np.maximum(rms, 10 ** (_FLOOR_DBFS / 20))))

    def first_sound_s(self, *, from_s: float, above_dbfs: float = -40.0) -> float | None:
        """Return when sound begins at or after `from_s`, to 10 ms; None when it does not."""
        loud = np.flatnonzero(self.levels_dbfs(from_s=from_s) > above_dbfs)
        return None if not len(loud) else from_s + loud[0] * _WINDOW / RATE_HERTZ

    def first_onset_s(self, *, from_s: float, above_dbfs: float = -40.0) -> float | None:
        """Like first_sound_s, but the sound that is under way at `from_s` does not count: 60 ms of quiet come first."""
        quiet_windows = 0
        before_s = max(0.0, from_s - _ONSET_QUIET * _WINDOW / RATE_HERTZ)
        for n, level in enumerate(self.levels_dbfs(from_s=before_s)):
            if level <= above_dbfs:
                quiet_windows += 1
                continue
            at_s = before_s + n * _WINDOW / RATE_HERTZ
            if quiet_windows >= _ONSET_QUIET and at_s >= from_s:
                return at_s
            quiet_windows = 0
        return None

    def last_sound_s(self, *, from_s: float = 0.0, above_dbfs: float = -40.0) -> float | None:
        """Return when the last sound at or after `from_s` ended, to 10 ms; None when there is none."""
        loud = np.flatnonzero(self.levels_dbfs(from_s=from_s) > above_dbfs)
        return None if not len(loud) else from_s + (loud[-1] + 1) * _WINDOW / RATE_HERTZ

    def _append(self, samples: Samples) -> None:
        self._chunks.append(samples)
        self.n_samples += len(samples)


def write_wav(path: Path, *channels: Samples) -> None:
    """16-bit WAV at 8 kHz; channels of unequal length are filled up with silence."""
    length = max((len(channel) for channel in channels), default=0)
    both = np.zeros((length, max(1, len(channels))), dtype="<i2")
    for column, channel in enumerate(channels):
        both[: len(channel), column] = channel
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(both.shape[1])
        wav.setsampwidth(2)
        wav.setframerate(RATE_HERTZ)
        wav.writeframes(both.tobytes())


class UnusableWav(ValueError):
    """The file cannot be played on a telephone; the message says what would do."""


def read_wav(path: Path) -> Samples:
    """16-bit PCM of 8 kHz, or of a whole multiple of it; several channels are mixed. Raises UnusableWav."""
    try:
        with wave.open(str(path), "rb") as wav:
            rate, width, n_channels = wav.getframerate(), wav.getsampwidth(), wav.getnchannels()
            content = wav.readframes(wav.getnframes())
    except (OSError, wave.Error, EOFError) as error:
        raise UnusableWav(f"{path}: {error}") from error
    if width != 2 or rate % RATE_HERTZ:
        raise UnusableWav(f"{path}: {8 * width} bit, {rate} Hz; use 16 bit and 8000, 16000, 24000 or 48000 Hz")
    mono = np.frombuffer(content, dtype="<i2").reshape(-1, n_channels).mean(axis=1)
    factor = rate // RATE_HERTZ
    mono = mono[: len(mono) // factor * factor].reshape(-1, factor).mean(axis=1)  # a box filter will do for a telephone
    return np.asarray(mono, dtype=np.int16)
