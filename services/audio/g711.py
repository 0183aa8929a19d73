"""ITU-T G.711 by table: mu-law and A-law, one byte a sample.

The tables are made from the segment rules of the recommendation (section 3, tables 1 and 2) when the module is
loaded; a sample then costs one look-up.
"""

import numpy as np
from numpy.typing import NDArray

MULAW_SILENCE = 0xFF
ALAW_SILENCE = 0xD5

_MULAW_BIAS = 33
_MULAW_CLIP = 8158  # the largest magnitude that stays within the last segment once biased


def _mulaw_expansion() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF  # all bits travel inverted
    segment, step = (codes >> 4) & 0x07, codes & 0x0F
    magnitude = (((step << 1) + _MULAW_BIAS << segment) - _MULAW_BIAS) << 2
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_expansion() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.int32) ^ 0x55  # even bits travel inverted
    segment, step = (codes >> 4) & 0x07, codes & 0x0F
    linear = (step << 4) + 8
    magnitude = np.where(segment == 0, linear, linear + 0x100 << np.maximum(segment - 1, 0))
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


def _mulaw_compression() -> NDArray[np.uint8]:
    samples = np.arange(-32768, 32768, dtype=np.int32) >> 2  # the recommendation compresses fourteen bits
    magnitude = np.minimum(np.abs(samples), _MULAW_CLIP) + _MULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    step = (magnitude >> (segment + 1)) & 0x0F
    codes = ((samples < 0).astype(np.int32) << 7) | (segment << 4) | step
    return np.asarray(~codes & 0xFF, dtype=np.uint8)


def _alaw_compression() -> NDArray[np.uint8]:
    samples = np.arange(-32768, 32768, dtype=np.int32)
    # Thirteen bits; a negative sample is folded as its one's complement, so -1 shares the first step with 0.
    magnitude = np.where(samples < 0, ~samples, samples) >> 3
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    step = np.where(segment == 0, magnitude >> 1, magnitude >> segment) & 0x0F
    codes = ((samples >= 0).astype(np.int32) << 7) | (segment << 4) | step
    return np.asarray(codes ^ 0x55, dtype=np.uint8)


_FROM_MULAW, _TO_MULAW = _mulaw_expansion(), _mulaw_compression()
_FROM_ALAW, _TO_ALAW = _alaw_expansion(), _alaw_compression()


def decode_mulaw(content: bytes) -> NDArray[np.int16]:
    """(n_bytes,) mu-law to (n_bytes,) int16."""
    return _FROM_MULAW.take(np.frombuffer(content, dtype=np.uint8))


def encode_mulaw(samples: NDArray[np.int16]) -> bytes:
    """(n_samples,) int16 to n_samples bytes of mu-law."""
    return _TO_MULAW[samples.astype(np.int32) + 32768].tobytes()


def decode_alaw(content: bytes) -> NDArray[np.int16]:
    """(n_bytes,) A-law to (n_bytes,) int16."""
    return _FROM_ALAW.take(np.frombuffer(content, dtype=np.uint8))


def encode_alaw(samples: NDArray[np.int16]) -> bytes:
    """(n_samples,) int16 to n_samples bytes of A-law."""
    return _TO_ALAW[samples.astype(np.int32) + 32768].tobytes()
