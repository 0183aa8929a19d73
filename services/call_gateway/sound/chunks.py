"""Cuts the caller's audio into chunks for the STT stage, and keeps them until they are settled."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.audio.pcm import AudioFormat
from services.call_gateway.line import IdleReason, MediaIdle
from services.call_gateway.sound.chunk_policy import ChunkLimit, ChunkPolicy
from services.call_gateway.sound.track import Frame

KEPT_S: Final = 10
"""Limit on sound that is kept, to be sent again to a fresh stream."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the caller's clock as it is sent: sound, or idle time."""

    from_sample: int
    to_sample: int
    content: bytes = b""  # in the leg's format; empty for idle time
    concealed_samples: int = 0
    idle: MediaIdle | None = None

    @property
    def sound_samples(self) -> int:
        """Return the number of samples of sound in the chunk; 0 for idle time."""
        return self.to_sample - self.from_sample if self.idle is None else 0


class Chunker:
    """Gives chunks to send, and remembers the last KEPT_S seconds of them."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._rate = audio_format.sample_rate_hertz
        self._policy = ChunkPolicy(self._rate)
        self._held: list[Frame] = []  # the beginning of a long chunk
        self._step_samples = 1
        self._steps_from_sample = 0
        self._kept: deque[Chunk] = deque()
        self.next_sample = 0
        """The caller's clock at the end of the last chunk."""

    def begin(self, from_sample: int) -> None:
        """A stream begins with what lies there, and counts its steps from there; one may be of any length."""
        self._steps_from_sample = max(self._steps_from_sample, from_sample)
        self._step_samples = 1

    def follow_steps(self, step_ms: int) -> None:
        """The STT stage judges sound in steps of that length; 0: it does not say."""
        self._step_samples = max(1, step_ms * self._rate // 1000)

    def on_pause_judged(self) -> None:
        """The STT stage has found the end of the voice and its words."""
        self._policy.on_pause_judged()

    def feed(self, frames: Sequence[Frame], *, is_agent_speaking: bool, is_voice_heard: bool = False) -> Chunk | None:
        """Take a packet. Returns None when it is held back: where delay is not felt, short pieces go as one long chunk.

        Delay is felt only where a step of the STT stage is complete. `is_voice_heard`: that stage hears a voice.
        """
        if not frames:
            return None
        is_urgent = False
        for frame in frames:
            limit = self._policy.observe(frame, is_voice_heard=is_voice_heard, is_agent_speaking=is_agent_speaking)
            is_urgent = is_urgent or limit is ChunkLimit.AT_ONCE
        self._held.extend(frames)
        start_sample, end_sample = self._held[0].start_sample, frames[-1].end_sample
        longest_ms = limit.value or ChunkLimit.SOON.value
        completes_step = self._step(end_sample) > self._step(start_sample)
        if (is_urgent and completes_step) or (end_sample - start_sample) * 1000 >= longest_ms * self._rate:
            return self.flush()
        return None

    def flush(self) -> Chunk | None:
        """Return the chunk that is held back: something that must follow it is about to be sent."""
        held = self._held
        if not held:
            return None
        concealed_samples = sum([frame.concealed_samples for frame in held])
        content = held[0].content if len(held) == 1 else b"".join([frame.content for frame in held])
        chunk = Chunk(held[0].start_sample, held[-1].end_sample, content, concealed_samples)
        held.clear()
        return self._keep(chunk)

    def on_idle(self, idle: MediaIdle) -> Chunk:
        """Take a stretch without sound; flush first."""
        if idle.reason is not IdleReason.LOSS:  # which the STT stage fills, and counts on
            self._steps_from_sample = idle.to_sample
        return self._keep(Chunk(idle.from_sample, idle.to_sample, idle=idle))

    def kept_since(self, sample: int) -> tuple[Chunk, ...]:
        """Return what must be heard again when everything before `sample` is settled, as far as it is kept."""
        while self._kept and self._kept[0].to_sample <= sample:
            self._kept.popleft()
        if self._kept:
            self._kept[0] = _since(self._kept[0], sample)
        return tuple(self._kept)

    def _step(self, sample: int) -> int:
        return (sample - self._steps_from_sample) // self._step_samples

    def _keep(self, chunk: Chunk) -> Chunk:
        self.next_sample = chunk.to_sample
        self._kept.append(chunk)
        while self.next_sample - self._kept[0].to_sample > KEPT_S * self._rate:
            self._kept.popleft()
        return chunk


def _since(chunk: Chunk, sample: int) -> Chunk:
    """The chunk from `sample` on, which lies before its end."""
    n_samples, n_cut = chunk.to_sample - chunk.from_sample, sample - chunk.from_sample
    if n_cut <= 0:
        return chunk
    if chunk.idle is not None:
        return Chunk(sample, chunk.to_sample, idle=replace(chunk.idle, from_sample=sample))
    bytes_per_sample, n_torn = divmod(len(chunk.content), n_samples)
    if n_torn:  # no whole samples: the STT stage refuses it as it came
        return chunk
    concealed = min(chunk.concealed_samples, n_samples - n_cut)
    return Chunk(sample, chunk.to_sample, chunk.content[n_cut * bytes_per_sample :], concealed)
