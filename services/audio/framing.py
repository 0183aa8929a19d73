"""Cuts a run of samples into frames of one length."""

import numpy as np

from services.audio.pcm import Samples


class Framer:
    """Collects chunks of any length and gives frames of `frame_samples`."""

    def __init__(self, frame_samples: int) -> None:
        self._frame_samples = frame_samples
        self._held: Samples = np.empty(0, dtype=np.int16)

    def push(self, samples: Samples) -> list[Samples]:
        """Every whole frame there is now, in order."""
        held = np.concatenate((self._held, samples)) if len(self._held) else samples
        n_whole = len(held) // self._frame_samples
        cut = n_whole * self._frame_samples
        self._held = held[cut:].copy()
        return list(held[:cut].reshape(n_whole, self._frame_samples))

    def rest(self) -> Samples:
        """What makes no whole frame, handed over once: shorter than a frame, maybe empty."""
        rest, self._held = self._held, np.empty(0, dtype=np.int16)
        return rest
