"""Fades where sound is cut, so that no cut clicks. Sans-IO."""

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import AudioFormat, decode, encode

FADE_MS = 5
QUIET = 64  # a sound that ends or begins under this has nothing to fade
STEP = 1000  # between two frames that both sound, a smaller one is no cut
STEEPEST = 3.0  # a cut is so many times steeper than the sound around it

Floats = NDArray[np.float64]


class CutFader:
    """Stands between what is played and the line, frame by frame, None for silence.

    A sound that breaks off goes on for 5 ms as its own mirror image and fades; one that begins in its middle fades in.
    Sound that begins and ends in silence passes as it is.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._n_fade = audio_format.sample_rate_hertz * FADE_MS // 1000
        self._ramp = np.linspace(1.0, 0.0, self._n_fade, endpoint=False)
        self._past: Floats = np.zeros(self._n_fade)  # the last 5 ms
        self._n_frame = 0  # samples

    def push(self, frame: bytes | None) -> bytes | None:
        """The frame as it may be heard. Frames are of one length, at least 5 ms."""
        sound = np.zeros(self._n_frame) if frame is None else decode(self._format, frame).astype(np.float64)
        past, self._n_frame = self._past, len(sound)
        if len(sound) < self._n_fade:
            return frame
        if not self._is_cut(past, sound):
            self._past = sound[-self._n_fade :]
            return frame
        sound[: self._n_fade] *= 1 - self._ramp
        sound[: self._n_fade] += past[::-1] * self._ramp
        self._past = sound[-self._n_fade :]
        return encode(self._format, np.rint(np.clip(sound, -32768, 32767)).astype(np.int16))

    def _is_cut(self, past: Floats, sound: Floats) -> bool:
        step = abs(sound[0] - past[-1])
        if min(np.abs(past).max(), np.abs(sound).max()) <= QUIET:
            return bool(step > QUIET)
        around = max(np.abs(np.diff(past)).max(), np.abs(np.diff(sound[: self._n_fade])).max())
        return bool(step > max(STEP, STEEPEST * around))
