"""The conditions of a telephone line: levels, distortion, noise, codecs and loss, each a function of sound at 8 kHz.

Noise is made, not recorded, and every draw is seeded: a condition is the same on each machine. Signal to noise is of
the level of speech while it is spoken (20 ms frames within 25 dB of the loudest).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from services.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from services.audio.pcm import Samples

RATE = 8000
FRAME = 160
FULL_SCALE = 32768.0
Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A condition. `apply` takes clean speech with the silence around it, and other speech for the background."""

    name: str
    apply: Callable[[Sound, Sequence[Sound], int], Sound]
    loss: float = 0.0  # share of packets of 20 ms that do not arrive


def frame_levels(sound: Sound) -> Sound:
    """RMS of each 20 ms, (n_frames,)."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    return np.asarray(np.sqrt((frames**2).mean(axis=1)), dtype=np.float64)


def speech_level(sound: Sound) -> float:
    """RMS of the speech while it is spoken."""
    levels = frame_levels(sound)
    return float(np.sqrt((levels[levels > levels.max() / 18] ** 2).mean())) if len(levels) else 0.0


def at_level(dbfs: float) -> Callable[[Sound, Sequence[Sound], int], Sound]:
    """Speech whose loudest sample is at that level."""

    def apply(sound: Sound, others: Sequence[Sound], seed: int) -> Sound:
        return sound * (FULL_SCALE * 10 ** (dbfs / 20) / max(1.0, float(np.abs(sound).max())))

    return apply


def _clean(sound: Sound, others: Sequence[Sound], seed: int) -> Sound:
    return sound


def _offset(sound: Sound, others: Sequence[Sound], seed: int) -> Sound:
    return sound + 2000.0  # -24 dBFS of direct current


def _clipped(sound: Sound, others: Sequence[Sound], seed: int) -> Sound:
    limit = 2.0 * speech_level(sound)
    return np.clip(sound, -limit, limit)


def street(n_samples: int, seed: int) -> Sound:
    """Traffic: noise that falls by 6 dB an octave above 200 Hz, in swells of some seconds."""
    chance = np.random.default_rng(seed)
    spectrum = np.fft.rfft(chance.standard_normal(n_samples))
    hertz = np.fft.rfftfreq(n_samples, 1 / RATE)
    shaped = np.fft.irfft(spectrum / np.maximum(1.0, hertz / 200.0) * (hertz > 60), n_samples)
    at = np.arange(n_samples) / RATE
    swell = 1.0 + 0.6 * np.sin(2 * np.pi * at / chance.uniform(2, 5) + chance.uniform(0, 6))
    return np.asarray(shaped * swell, dtype=np.float64)


def babble(n_samples: int, others: Sequence[Sound], seed: int) -> Sound:
    """Two other people who speak, on and on."""
    chance = np.random.default_rng(seed)
    mixed = np.zeros(n_samples)
    for _ in range(2):
        order = chance.permutation(len(others))
        spoken = np.concatenate([others[number] / max(1.0, speech_level(others[number])) for number in order])
        mixed += np.resize(spoken, n_samples)
    return mixed


def noisy(kind: str, snr_db: float) -> Callable[[Sound, Sequence[Sound], int], Sound]:
    """Speech in front of such a noise: street, speech or comfort (white, as a codec's comfort noise)."""

    def apply(sound: Sound, others: Sequence[Sound], seed: int) -> Sound:
        if kind == "street":
            noise = street(len(sound), seed)
        elif kind == "speech":
            noise = babble(len(sound), others, seed)
        else:
            noise = np.random.default_rng(seed).standard_normal(len(sound))
        level = speech_level(noise) if kind == "speech" else float(np.sqrt((noise**2).mean()))
        return sound + noise * (speech_level(sound) / 10 ** (snr_db / 20) / max(1e-9, level))

    return apply


def _both_laws_twice(sound: Sound, others: Sequence[Sound], seed: int) -> Sound:
    samples = to_samples(sound)
    for _ in range(2):
        samples = decode_alaw(encode_alaw(decode_mulaw(encode_mulaw(samples))))
    return samples.astype(np.float64)


def _g722(sound: Sound, others: Sequence[Sound], seed: int) -> Sound:
    from G722 import G722  # the package is an extra

    wide = to_samples(np.asarray(soxr.resample(sound, RATE, 2 * RATE), dtype=np.float64))
    coded = G722(2 * RATE, 64000).encode(wide)
    decoded = np.asarray(G722(2 * RATE, 64000).decode(coded), dtype=np.float64)
    return np.asarray(soxr.resample(decoded, 2 * RATE, RATE), dtype=np.float64)[: len(sound)]


def to_samples(sound: Sound) -> Samples:
    """int16, what is too loud cut off."""
    return np.clip(np.rint(sound), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


LINES = {
    line.name: line
    for line in (
        Line("clean", _clean),
        *(Line(f"level {dbfs} dBFS", at_level(dbfs)) for dbfs in (-6, -20, -33, -45)),
        Line("direct current", _offset),
        Line("clipped", _clipped),
        Line("street 10 dB", noisy("street", 10)),
        Line("street 0 dB", noisy("street", 0)),
        Line("speech 10 dB", noisy("speech", 10)),
        Line("speech 0 dB", noisy("speech", 0)),
        Line("comfort noise", noisy("comfort", 30)),
        Line("both laws twice", _both_laws_twice),
        Line("G.722", _g722),
        Line("5 % loss", _clean, loss=0.05),
    )
}
