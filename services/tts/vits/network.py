"""Inference of a VITS voice: phoneme ids in, sound out in chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.audio.pcm import Samples
from services.tts.vits.graph import DECODER, ENCODER, FLOW, cut_voice

Floats = NDArray[np.float32]

DECODER_MARGIN = 12
"""Frames on either side of a chunk that its sound depends on: the decoder's receptive field (10 measured; from there on
the chunks equal the whole to float noise)."""
FLOW_MARGIN = 32
"""The same of the flow: four couplings of four layers that each see two frames to either side."""


@dataclass(frozen=True, slots=True)
class Scales:
    """Scales of a line: noise in the sound, overall length, noise in the lengths."""

    noise: float
    length: float
    noise_width: float


class VitsNetwork:
    """The three networks of a voice, loaded. Steps of several lines may run at once, each in its own thread."""

    def __init__(self, path: Path, *, threads: int) -> None:
        """`path`: a voice as Piper exports it; `threads`: inside one step. Raises NotServing, OSError."""
        with TemporaryDirectory(prefix="voice-") as name:  # from files: from bytes a session keeps them all its life
            folder = Path(name)
            self._seams = cut_voice(path, folder)
            self._encoder = _session(folder / ENCODER, threads)
            self._flow = _session(folder / FLOW, threads)
            self._decoder = _session(folder / DECODER, threads)

    def encode(self, phoneme_ids: Sequence[int], scales: Scales) -> "Utterance":
        """Draw the lengths and the prior of a whole line: its prosody is settled here."""
        ids = np.array([phoneme_ids], dtype=np.int64)
        prior, mask, durations = self._encoder.run(
            [self._seams.prior, self._seams.mask, self._seams.durations],
            {
                "input": ids,
                "input_lengths": np.array([ids.shape[1]], dtype=np.int64),
                "scales": np.array([scales.noise, scales.length, scales.noise_width], dtype=np.float32),
            },
        )
        return Utterance(self, prior, mask, durations.ravel().astype(np.int64))

    def run_flow(self, prior: Floats, mask: Floats) -> Floats:
        """(1, channels, frames) to the same shape."""
        latent: Floats = self._flow.run(None, {self._seams.prior: prior, self._seams.mask: mask})[0]
        return latent

    def run_decoder(self, latent: Floats) -> Floats:
        """(1, channels, frames) to (frames * hop,) samples in -1..1."""
        sound: Floats = self._decoder.run(None, {self._seams.latent: latent})[0]
        return sound.ravel()


class Utterance:
    """One line on its way through flow and decoder."""

    def __init__(self, network: VitsNetwork, prior: Floats, mask: Floats, durations: NDArray[np.int64]) -> None:
        """`durations`: frames of each phoneme id, shape (n_ids,)."""
        self._network = network
        self._prior = prior
        self._mask = mask
        self._latent: Floats = prior[:, :, :0]
        self._n_decoded = 0
        self.durations = durations
        self.n_frames: int = prior.shape[2]

    @property
    def is_done(self) -> bool:
        return self._n_decoded >= self.n_frames

    def decode(self, n_frames: int) -> Samples:
        """Return the next `n_frames` frames of sound, or the rest."""
        begin, end = self._n_decoded, min(self._n_decoded + n_frames, self.n_frames)
        low, high = max(0, begin - DECODER_MARGIN), min(self.n_frames, end + DECODER_MARGIN)
        self._extend_latent(high)
        sound = self._network.run_decoder(self._latent[:, :, low:high])
        hop = len(sound) // (high - low)
        self._n_decoded = end
        kept = np.nan_to_num(sound[(begin - low) * hop : (end - low) * hop])  # weights may make what is no number
        return np.rint(np.clip(kept, -1.0, 1.0) * 32767).astype(np.int16)

    def _extend_latent(self, end: int) -> None:
        begin = self._latent.shape[2]
        if end <= begin:
            return
        low, high = max(0, begin - FLOW_MARGIN), min(self.n_frames, end + FLOW_MARGIN)
        latent = self._network.run_flow(self._prior[:, :, low:high], self._mask[:, :, low:high])
        self._latent = np.concatenate((self._latent, latent[:, :, begin - low : end - low]), axis=2)


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning starves the other services
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
