"""Fades where sound is cut, so that no cut clicks. Sans-IO."""

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import AudioFormat, Encoding, decode, encode

FADE_MS = 5
QUIET = 64  # a sound that ends or begins under this has nothing to fade
STEP = 1000  # between two frames that both sound, a smaller one is no cut
STEEPEST = 3.0  # a cut is so many times steeper than the sound around it

Floats = NDArray[np.float64]


class CutFader:
    """Stands between what is played and the line, frame by frame, None for silence.

    A sound that breaks off goes on for 5 ms as its own mirror image and fades; one that begins in its middle fades in.
    Sound that begins and ends in silence passes as it is. Nearly every frame is let through by its first sample alone.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._n_fade = audio_format.sample_rate_hertz * FADE_MS // 1000
        self._ramp = np.linspace(1.0, 0.0, self._n_fade, endpoint=False)
        is_linear = audio_format.encoding is Encoding.LINEAR16
        self._codes: list[int] = [] if is_linear else decode(audio_format, bytes(range(256))).tolist()
        self._before: bytes | None = None  # the last frame that was let out
        self._last = 0  # its last sample

    def push(self, frame: bytes | None) -> bytes | None:
        """The frame as it may be heard. Frames are of one length, at least 5 ms; shorter ones pass as they are."""
        if frame is not None and len(frame) < self._n_fade * self._format.bytes_per_sample:
            return frame
        first = 0 if frame is None else self._sample(frame, 0)
        step = abs(first - self._last)
        if step > QUIET and not (step <= STEP and min(abs(first), abs(self._last)) > QUIET):
            frame = self._faded(frame)
        self._before, self._last = frame, 0 if frame is None else self._sample(frame, -1)
        return frame

    def _sample(self, frame: bytes, at: int) -> int:
        """The first sample of a frame (0) or its last one (-1)."""
        if self._codes:
            return self._codes[frame[at]]
        return int.from_bytes(frame[:2] if at == 0 else frame[-2:], "little", signed=True)

    def _faded(self, frame: bytes | None) -> bytes | None:
        past = self._floats(self._before, frame)[-self._n_fade :]
        sound = self._floats(frame, self._before)
        if not self._is_cut(past, sound):
            return frame
        sound[: self._n_fade] *= 1 - self._ramp
        sound[: self._n_fade] += past[::-1] * self._ramp
        return encode(self._format, np.rint(np.clip(sound, -32768, 32767)).astype(np.int16))

    def _floats(self, frame: bytes | None, other: bytes | None) -> Floats:
        """The samples of a frame; of silence, as many as the other frame has."""
        if frame is None:
            return np.zeros(self._n_fade if other is None else self._format.samples_in(other))
        return decode(self._format, frame).astype(np.float64)

    def _is_cut(self, past: Floats, sound: Floats) -> bool:
        step = abs(sound[0] - past[-1])
        if min(np.abs(past).max(), np.abs(sound).max()) <= QUIET:
            return bool(step > QUIET)
        around = max(np.abs(np.diff(past)).max(), np.abs(np.diff(sound[: self._n_fade])).max())
        return bool(step > max(STEP, STEEPEST * around))
