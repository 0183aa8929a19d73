"""The caller's sound on its way to the ear: cut to the right length, and kept until it is settled."""

from collections import deque
from dataclasses import dataclass

from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.line import CallerAudio, IdleReason, MediaIdle, joined
from services.call_gateway.stages.urgency import Urgency

KEPT_S = 10
"""How much of it is kept, to be heard again by a fresh stream."""
LONG_CHUNK_MS = 40
VOICE_CHUNK_MS = 100
"""While the ear hears a voice that goes on."""
QUIET_CHUNK_MS = 200
"""Where it is too soft for a word, and the ear hears none."""

_IDLE_REASONS = {
    IdleReason.UNKNOWN: stt_pb2.MediaIdle.REASON_UNKNOWN,
    IdleReason.LOSS: stt_pb2.MediaIdle.REASON_LOSS,
    IdleReason.DTMF: stt_pb2.MediaIdle.REASON_DTMF,
    IdleReason.HOLD: stt_pb2.MediaIdle.REASON_HOLD,
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the caller's clock as it is sent."""

    from_sample: int
    to_sample: int
    sound_samples: int  # 0 when it is idle time
    request: stt_pb2.StreamingRecognizeRequest


class CallerSound:
    """Gives stretches to send, and remembers the last KEPT_S seconds of them."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._rate = audio_format.sample_rate_hertz
        self._urgency = Urgency(audio_format)
        self._held: list[CallerAudio] = []  # the beginning of a long chunk
        self._step_samples = 1
        self._steps_from_sample = 0
        self._kept: deque[Stretch] = deque()
        self.next_sample = 0
        """Where the caller's clock stands, as far as it was given out."""

    def begin(self, from_sample: int) -> None:
        """A stream begins with what lies there, and the ear counts its steps from there; one may be of any length."""
        self._steps_from_sample = max(self._steps_from_sample, from_sample)
        self._step_samples = 1

    def follow_steps(self, step_ms: int) -> None:
        """The ear judges sound in steps of that length; 0: it does not say."""
        self._step_samples = max(1, step_ms * self._rate // 1000)

    def pause_is_judged(self) -> None:
        """The ear has found the end of the voice and its words: nobody waits for the silence behind it."""
        self._urgency.pause_is_judged()

    def hear(self, audio: CallerAudio, *, is_agent_speaking: bool, is_voice_heard: bool = False) -> Stretch | None:
        """Take sound. None when it is held back: where delay is not felt, short chunks go as one long one.

        It is felt after a change of level, and while the agent speaks, when any sound may be an interruption, but only
        where a step of the ear's is complete. It is not felt while a voice goes on, nor where it is too quiet for any.
        `is_voice_heard`: the ear hears one already, so that a rise tells nothing new.
        """
        urgency = self._urgency
        self._held.append(audio)
        start_sample = self._held[0].start_sample
        end_sample = audio.start_sample + self._format.samples_in(audio.content)
        is_urgent = urgency.hear(audio.content, audio.start_sample, end_sample, is_voice_heard=is_voice_heard)
        is_urgent = is_urgent or (is_agent_speaking and not urgency.is_quiet)
        longest_ms = LONG_CHUNK_MS
        if urgency.does_voice_go_on:
            longest_ms = VOICE_CHUNK_MS
        elif urgency.is_quiet and not is_voice_heard:
            longest_ms = QUIET_CHUNK_MS
        is_told = is_urgent and self._step(end_sample) > self._step(start_sample)
        if is_told or (end_sample - start_sample) * 1000 >= longest_ms * self._rate:
            return self.flush()
        return None

    def flush(self) -> Stretch | None:
        """What is held back: something that must follow it is about to be sent."""
        if not self._held:
            return None
        audio = joined(self._held)
        self._held.clear()
        return self._give(audio, audio.start_sample + self._format.samples_in(audio.content))

    def idle(self, idle: MediaIdle) -> Stretch:
        """Take a stretch without sound; flush first."""
        message = stt_pb2.MediaIdle(
            from_sample=idle.from_sample, to_sample=idle.to_sample, reason=_IDLE_REASONS[idle.reason]
        )
        request = stt_pb2.StreamingRecognizeRequest(media_idle=message)
        if idle.reason is not IdleReason.LOSS:  # which the ear fills, and counts on
            self._steps_from_sample = idle.to_sample
        return self._keep(Stretch(idle.from_sample, idle.to_sample, 0, request))

    def kept_since(self, sample: int) -> tuple[Stretch, ...]:
        """What must be heard again when everything before `sample` is settled, as far as it is kept."""
        while self._kept and self._kept[0].to_sample <= sample:
            self._kept.popleft()
        return tuple(self._kept)

    def _step(self, sample: int) -> int:
        return (sample - self._steps_from_sample) // self._step_samples

    def _give(self, audio: CallerAudio, end_sample: int) -> Stretch:
        chunk = audio_pb2.AudioChunk(
            start_sample=audio.start_sample, content=audio.content, concealed_samples=audio.concealed_samples
        )
        request = stt_pb2.StreamingRecognizeRequest(audio=chunk)
        return self._keep(Stretch(audio.start_sample, end_sample, end_sample - audio.start_sample, request))

    def _keep(self, stretch: Stretch) -> Stretch:
        self.next_sample = stretch.to_sample
        self._kept.append(stretch)
        while self.next_sample - self._kept[0].to_sample > KEPT_S * self._rate:
            self._kept.popleft()
        return stretch
