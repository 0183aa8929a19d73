"""A line that returns part of what it is sent: delayed, fainter, and shaped by what reflects it."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from services.audio.g711 import decode_mulaw, encode_mulaw
from tests.load.wire import FRAME_SAMPLES

Signal = NDArray[np.float64]
"""Shape (n_samples,), 8 kHz, in units of 16-bit samples."""

PER_MS: Final = 8
Reflector = Literal["line", "hybrid", "room"]


def response(reflector: Reflector, chance: np.random.Generator) -> Signal:
    """Return what a click comes back as, its energy 1: itself; smeared over 5 ms by a two-wire hybrid; a loudspeaker in
    a small room, over 50 ms.
    """
    if reflector == "line":
        return np.ones(1)
    if reflector == "hybrid":
        taps = chance.normal(0, 0.3, 40) * np.exp(-np.arange(40) / 8)
        taps[0] += 1.0
    else:
        taps = chance.normal(0, 1.0, 400) * np.exp(-np.arange(400) / 80)
        taps[0] = 2.5
    whole: Signal = taps / np.sqrt(taps @ taps)
    return whole


def returned(sent: Signal, *, delay_ms: float, db: float, taps: Signal | None = None) -> Signal:
    """The echo of `sent`, as long as it."""
    shaped = sent if taps is None else np.convolve(sent, taps)[: len(sent)]
    delayed = np.concatenate((np.zeros(round(delay_ms * PER_MS)), shaped))[: len(sent)]
    echo: Signal = delayed * 10 ** (db / 20)
    return echo


class LineEcho:
    """The echo of a call under way: takes the agent's packets as they come, and adds them to what the caller sends."""

    def __init__(self, *, delay_ms: int, db: float) -> None:
        """The delay counts from a packet's arrival to the frame sent next."""
        self._factor = 10 ** (db / 20)
        self._waiting: Signal = np.zeros(delay_ms * PER_MS)
        self._next_sequence: int | None = None

    def receive(self, sequence: int, payload: bytes) -> None:
        """A packet of the agent's came; those that were lost return nothing."""
        lost = 0 if self._next_sequence is None else (sequence - self._next_sequence) & 0xFFFF
        self._next_sequence = sequence + 1
        if lost < 50:
            self._waiting = np.concatenate((self._waiting, np.zeros(lost * FRAME_SAMPLES), decode_mulaw(payload)))

    def mix(self, payload: bytes) -> bytes:
        """One frame with its share of the echo."""
        echo = np.zeros(FRAME_SAMPLES)
        due = self._waiting[:FRAME_SAMPLES]
        echo[: len(due)] = due
        self._waiting = self._waiting[FRAME_SAMPLES:]
        mixed = decode_mulaw(payload) + echo * self._factor
        return encode_mulaw(np.clip(np.round(mixed), -32768, 32767).astype(np.int16))
