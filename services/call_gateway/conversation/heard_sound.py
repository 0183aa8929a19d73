"""The last seconds of the caller's sound, as it came: for whoever must look back at it."""

from collections import deque

import numpy as np

from services.audio.pcm import AudioFormat, TornSample, decode

KEPT_MS = 3000  # longer than an ear can stall before it is noticed
VOICE_MS = 1500  # before an end; the loudest of it is the voice
LATEST_END_MS = 240  # an ear that windows of 32 ms make sure is no later than that
LEVEL_MS = 5
QUIET_RATIO = 0.018  # 35 dB below the voice
NOISE_RATIO = 1.5  # above what follows the end


class HeardSound:
    """A bounded memory; the oldest sound is forgotten."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self.audio_format = audio_format
        self._kept_samples = KEPT_MS * audio_format.sample_rate_hertz // 1000
        self._chunks: deque[tuple[int, bytes]] = deque()  # (first sample, content), rising

    def keep(self, start_sample: int, content: bytes) -> None:
        """More of it, in the leg's format."""
        self._chunks.append((start_sample, content))
        while self._chunks[0][0] < start_sample - self._kept_samples:
            self._chunks.popleft()

    def since(self, sample: int) -> list[tuple[int, bytes]]:
        """The chunks that reach beyond that sample: (first sample, content), in order."""
        width = self.audio_format.bytes_per_sample
        return [(start, content) for start, content in self._chunks if start + len(content) // width > sample]

    def voice_end(self, sample: int) -> int:
        """Where a voice that the ear heard up to `sample` really ended: an ear calls a window speech that holds a last
        bit of it. Behind its end the sound stays 35 dB below the voice, or down in the noise. Costs some 50 us.
        """
        per_ms = self.audio_format.sample_rate_hertz // 1000
        chunks = self.since(sample - VOICE_MS * per_ms)
        try:
            samples = decode(self.audio_format, b"".join(content for _, content in chunks))
        except TornSample:
            return sample
        if not chunks or len(samples) != chunks[-1][0] - chunks[0][0] + self.audio_format.samples_in(chunks[-1][1]):
            return sample  # there are holes in it
        length = LEVEL_MS * per_ms
        levels = np.abs(samples[: len(samples) // length * length].reshape(-1, length).astype(np.int32)).max(axis=1)
        n_before = (sample - chunks[0][0]) // length
        if not 0 < n_before <= len(levels):
            return sample
        quiet = max(QUIET_RATIO * levels[:n_before].max(), NOISE_RATIO * levels[n_before:].max(initial=0))
        n_searched = min(n_before, LATEST_END_MS // LEVEL_MS)
        loud = np.flatnonzero(levels[n_before - n_searched : n_before] > quiet)
        return sample - (n_searched - 1 - int(loud[-1])) * length if len(loud) else sample

    def last(self, ms: int) -> list[tuple[int, bytes]]:
        """The chunks of the last so many milliseconds; the oldest may reach further back."""
        if not self._chunks:
            return []
        return self.since(self._chunks[-1][0] - ms * self.audio_format.sample_rate_hertz // 1000)
