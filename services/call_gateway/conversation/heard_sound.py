"""The last seconds of the caller's sound, as it came: for whoever must look back at it."""

from collections import deque

from services.audio.pcm import AudioFormat

KEPT_MS = 3000  # longer than an ear can stall before it is noticed


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

    def last(self, ms: int) -> list[tuple[int, bytes]]:
        """The chunks of the last so many milliseconds; the oldest may reach further back."""
        if not self._chunks:
            return []
        return self.since(self._chunks[-1][0] - ms * self.audio_format.sample_rate_hertz // 1000)
