"""The STT stage: one StreamingRecognize stream, as commands in and events out."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp
from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.type.v1 import audio_pb2

from services.call_gateway.conversation.commands import DiscardUtterance, EndUtterance, UpdateStt
from services.call_gateway.conversation.events import (
    Event,
    InputExpected,
    Keyword,
    SpeechBegan,
    SpeechStopped,
    Stage,
    SttProgressed,
    TextStage,
    TranscriptHeard,
    TurnPredicted,
    UtteranceSettled,
)
from services.call_gateway.line import IdleReason, KeyPressed, MediaIdle
from services.call_gateway.profile import AgentProfile
from services.call_gateway.sound.chunks import KEPT_S, Chunk, Chunker
from services.call_gateway.sound.track import Frame
from services.call_gateway.stages.facts import CallFacts
from services.call_gateway.stages.link import StageLink, metrics
from services.call_gateway.stages.outbox import SoundOutbox
from services.call_gateway.stages.shapes import expected_message, format_message, timing_of, trace_of
from services.call_gateway.stages.stream import StreamLimits
from services.call_gateway.stages.unsettled import Unsettled

SttCommand = EndUtterance | DiscardUtterance | UpdateStt

metrics.queue_dropped_total("caller_audio")  # there from the start: a series that begins at its first drop has no rate

OPTIONAL_KINDS = frozenset({"media_idle", "update", "utterance_discard"})
SOUND_GONE = "SOUND_GONE"
"""The reason for words that never come: their sound is kept no longer, and no stream has heard it."""
MAX_AHEAD_S = 3
"""Limit on how far writing may run ahead of what the STT stage has heard; over 2 s the conversation takes it for
stalled.
"""

_TEXT_STAGES = {
    stt_pb2.Transcript.STAGE_PARTIAL: TextStage.PARTIAL,
    stt_pb2.Transcript.STAGE_DRAFT: TextStage.DRAFT,
    stt_pb2.Transcript.STAGE_SETTLED: TextStage.SETTLED,
    stt_pb2.Transcript.STAGE_CORRECTED: TextStage.CORRECTED,
}
_IDLE_REASONS = {
    IdleReason.UNKNOWN: stt_pb2.MediaIdle.REASON_UNKNOWN,
    IdleReason.LOSS: stt_pb2.MediaIdle.REASON_LOSS,
    IdleReason.DTMF: stt_pb2.MediaIdle.REASON_DTMF,
    IdleReason.HOLD: stt_pb2.MediaIdle.REASON_HOLD,
}


class SttStage:
    """Sends the caller's sound to the STT server and receives its events. Utterance ids are made unique in the call: a
    fresh stream counts from 1 again.
    """

    def __init__(
        self,
        stub: "stt_pb2_grpc.SttServiceAsyncStub",
        call: CallFacts,
        *,
        profile: AgentProfile,
        tasks: asyncio.TaskGroup,
        on_event: Callable[[Event], None],
        limits: StreamLimits,
    ) -> None:
        self._call = call
        self._profile = profile
        self._rate = call.audio_format.sample_rate_hertz
        self._on_event = on_event
        self._language_codes = call.language_codes
        self._expected: InputExpected | None = None
        self._is_agent_speaking = False
        self._start_time = Timestamp()
        self._start_time.FromNanoseconds(time.time_ns())
        self._chunker = Chunker(call.audio_format)
        self._unsettled = Unsettled()
        self._is_voice_heard = False  # by the STT stage, at this moment
        self._is_server_leaving = False
        self._last_utterance_id = 0
        self._least_end_sample = 0  # where an utterance may end, on the present stream
        self._utterance_id_base = 0
        self._outbox = self._fresh_outbox(start_sample=0)
        self._link: StageLink[stt_pb2.StreamingRecognizeRequest, stt_pb2.StreamingRecognizeResponse] = StageLink(
            Stage.STT,
            tasks=tasks,
            open_call=stub.StreamingRecognize,
            optional_kinds=OPTIONAL_KINDS,
            on_engine=self._on_engine,
            on_response=self._on_response,
            on_event=on_event,
            limits=limits,
        )

    def open(self, *, judged_sample: int = 0) -> None:
        """Open a stream, or give the present one up for a fresh one, which hears again what was not settled.

        `judged_sample`: the conversation has judged all before it. Heard once more, words of a turn that was taken
        would stand before those of the next.
        """
        self._unsettled.on_settled(judged_sample)
        kept = self._chunker.kept_since(self._unsettled.settled_sample)
        start_sample = kept[0].from_sample if kept else self._chunker.next_sample
        self._least_end_sample = start_sample
        self._is_server_leaving = False
        self._is_voice_heard = False
        self._utterance_id_base = self._last_utterance_id
        self._outbox = self._fresh_outbox(start_sample=start_sample)
        if start_sample and (self._expected or self._is_agent_speaking):
            update = UpdateStt(start_sample, expected=self._expected, agent_is_speaking=self._is_agent_speaking)
            self._outbox.push(_update(update))
        for chunk in kept:
            self._push(chunk)
        for discard in self._unsettled.discards:
            self._outbox.push(_discard(discard))
        self._chunker.begin(start_sample)
        self._link.open(self._config(start_sample), self._outbox)

    def adopt(self, profile: AgentProfile) -> None:
        """The agent's profile has become known: listen for its languages and its names."""
        self._profile = profile
        update = stt_pb2.RecognitionUpdate(
            phrases=profile.phrases, region=profile.region, effective_sample=self._chunker.next_sample
        )
        if not self._language_codes:
            update.language_codes.extend(profile.language_codes)
        if update.phrases or update.language_codes or update.region:
            self._link.send(stt_pb2.StreamingRecognizeRequest(update=update))

    def send_audio(self, frames: Sequence[Frame]) -> None:
        """Pass a packet of the caller's on: at once where delay is felt, in longer chunks elsewhere."""
        self._send_chunk(
            self._chunker.feed(frames, is_agent_speaking=self._is_agent_speaking, is_voice_heard=self._is_voice_heard)
        )

    def send_idle(self, idle: MediaIdle) -> None:
        """Pass on that the clock went on without sound."""
        self._send_chunk(self._chunker.flush())
        self._send_chunk(self._chunker.on_idle(idle))

    def perform(self, command: SttCommand) -> None:
        """Carry out one of the conversation's commands."""
        self._send_chunk(self._chunker.flush())
        match command:
            case EndUtterance(end_sample):
                self._end_utterance(end_sample)
            case DiscardUtterance():
                self._send_about(_discard(command), command.to_sample)
                self._is_voice_heard = False  # it was none, and its end may never be told
                self._unsettled.on_discard(command)
            case UpdateStt():
                self._language_codes = command.language_codes or self._language_codes
                self._expected = command.expected or self._expected
                if command.agent_is_speaking is not None:
                    self._is_agent_speaking = command.agent_is_speaking
                self._link.send(_update(command))

    async def finish(self) -> None:
        """No more sound comes: end the stream in good order, within the limit."""
        self._send_chunk(self._chunker.flush())
        await self._link.finish()

    def _end_utterance(self, end_sample: int) -> None:
        """Ask for the words up to there. Of sound that the stream was never sent, since it is kept no longer, there
        will be none: asked for them, the stage would refuse the stream.
        """
        if end_sample < self._least_end_sample:
            self._on_event(UtteranceSettled(self._last_utterance_id, end_sample, is_ok=False, reason=SOUND_GONE))
            return
        self._least_end_sample = end_sample
        self._unsettled.on_end(end_sample)
        end = stt_pb2.UtteranceEnd(end_sample=end_sample)
        self._send_about(stt_pb2.StreamingRecognizeRequest(utterance_end=end), end_sample)

    def _send_about(self, request: stt_pb2.StreamingRecognizeRequest, sample: int) -> None:
        """Send what is about the sound before `sample`. A fresh stream has seconds of sound to hear, and must learn of
        it before it makes one utterance of that sound and what came later.
        """
        outbox = self._outbox
        self._link.send(request, push=lambda waiting: outbox.push_behind(waiting, sample))

    def _config(self, start_sample: int) -> stt_pb2.StreamingRecognizeRequest:
        endpointing = self._profile.endpointing
        config = stt_pb2.RecognitionConfig(
            call_id=self._call.call_id,
            visit_id=self._call.visit_id,
            tenant_id=self._call.tenant_id,
            agent_id=self._call.agent_id,
            language_codes=self._language_codes or self._profile.language_codes,
            audio_format=format_message(self._call.audio_format),
            phrases=self._profile.phrases,
            region=self._profile.region,
            start_sample=start_sample,
            start_time=self._start_time,
            endpointing=stt_pb2.EndpointingConfig(
                draft_pause_ms=endpointing.draft_pause_ms,
                complete_wait_ms=endpointing.complete_wait_ms,
                unfinished_wait_ms=endpointing.unfinished_wait_ms,
            ),
        )
        return stt_pb2.StreamingRecognizeRequest(config=config)

    def _fresh_outbox(self, *, start_sample: int) -> SoundOutbox[stt_pb2.StreamingRecognizeRequest]:
        return SoundOutbox(
            start_sample=start_sample,
            max_waiting_samples=KEPT_S * self._rate,
            max_ahead_samples=MAX_AHEAD_S * self._rate,
        )

    def _send_chunk(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            self._push(chunk)
            self._link.wake()

    def _push(self, chunk: Chunk) -> None:
        before = self._outbox.dropped_chunks
        self._outbox.push_sound(audio_message(chunk), end_sample=chunk.to_sample, n_samples=chunk.sound_samples)
        if self._outbox.dropped_chunks > before:
            metrics.queue_dropped_total("caller_audio").inc(self._outbox.dropped_chunks - before)

    def _on_engine(self, first: stt_pb2.StreamingRecognizeResponse) -> Iterable[str]:
        self._chunker.follow_steps(first.engine.audio_step_ms)
        return first.engine.features

    def _on_response(self, response: stt_pb2.StreamingRecognizeResponse) -> None:
        match response.WhichOneof("response"):
            case "progress":
                self._outbox.listened(response.progress.processed_sample)
                if len(self._outbox):
                    self._link.wake()
                self._on_event(SttProgressed(response.progress.processed_sample))
            case "speech_activity":
                self._is_voice_heard = response.speech_activity.kind == stt_pb2.SpeechActivity.KIND_BEGIN
                on_speech = self._unsettled.on_speech if self._is_voice_heard else self._unsettled.on_speech_end
                on_speech(response.speech_activity.sample)
                self._on_event(_activity(response.speech_activity))
            case "transcript":
                if response.transcript.stage == stt_pb2.Transcript.STAGE_DRAFT and not self._is_voice_heard:
                    self._chunker.on_pause_judged()
                self._on_event(self._transcript(response.transcript))
            case "keyword":
                keyword = response.keyword
                self._on_event(Keyword(self._unique(keyword.utterance_id), keyword.phrase, keyword.end_sample))
            case "turn_prediction":
                self._on_event(self._prediction(response.turn_prediction))
            case "utterance_settled":
                settled = response.utterance_settled
                self._unsettled.on_settled(settled.end_sample)
                self._on_event(
                    UtteranceSettled(
                        self._unique(settled.utterance_id),
                        settled.end_sample,
                        is_ok=settled.outcome == stt_pb2.UtteranceSettled.OUTCOME_OK,
                        reason=settled.reason,
                    )
                )
            case "line_event" if response.line_event.kind == stt_pb2.LineEvent.KIND_DTMF:
                self._on_event(KeyPressed(response.line_event.key, duration_ms=0, is_in_band=True))
            case "going_away":
                self._is_server_leaving = True
        if self._is_server_leaving and not self._unsettled.owes_words:
            self.open()

    def _unique(self, utterance_id: int) -> int:
        unique_id = self._utterance_id_base + utterance_id
        self._last_utterance_id = max(self._last_utterance_id, unique_id)
        return unique_id

    def _transcript(self, transcript: stt_pb2.Transcript) -> TranscriptHeard:
        return TranscriptHeard(
            self._unique(transcript.utterance_id),
            _TEXT_STAGES.get(transcript.stage, TextStage.PARTIAL),
            transcript.text,
            transcript.start_sample,
            transcript.end_sample,
            confidence=transcript.confidence if transcript.HasField("confidence") else None,
            language_code=transcript.language_code,
            timing=timing_of(transcript.timing),
            trace=trace_of(transcript.trace_context),
        )

    def _prediction(self, prediction: stt_pb2.TurnPrediction) -> TurnPredicted:
        return TurnPredicted(
            self._unique(prediction.utterance_id),
            prediction.end_sample,
            prediction.probability,
            prediction.wait_ms,
            prediction.reason,
        )


def audio_message(chunk: Chunk) -> stt_pb2.StreamingRecognizeRequest:
    """A chunk of the caller's audio, or of idle time."""
    idle = chunk.idle
    if idle is not None:
        message = stt_pb2.MediaIdle(
            from_sample=idle.from_sample, to_sample=idle.to_sample, reason=_IDLE_REASONS[idle.reason]
        )
        return stt_pb2.StreamingRecognizeRequest(media_idle=message)
    audio = audio_pb2.AudioChunk(
        start_sample=chunk.from_sample, content=chunk.content, concealed_samples=chunk.concealed_samples
    )
    return stt_pb2.StreamingRecognizeRequest(audio=audio)


def _activity(activity: stt_pb2.SpeechActivity) -> SpeechBegan | SpeechStopped:
    if activity.kind == stt_pb2.SpeechActivity.KIND_BEGIN:
        return SpeechBegan(activity.sample, activity.score)
    return SpeechStopped(activity.sample, activity.score)


def _discard(discard: DiscardUtterance) -> stt_pb2.StreamingRecognizeRequest:
    message = stt_pb2.UtteranceDiscard(from_sample=discard.from_sample, to_sample=discard.to_sample)
    return stt_pb2.StreamingRecognizeRequest(utterance_discard=message)


def _update(update: UpdateStt) -> stt_pb2.StreamingRecognizeRequest:
    message = stt_pb2.RecognitionUpdate(
        language_codes=update.language_codes,
        effective_sample=update.effective_sample,
        agent_is_speaking=update.agent_is_speaking,
    )
    if update.expected is not None:
        message.expected_input.CopyFrom(expected_message(update.expected))
        message.phrases.extend(update.expected.phrases)
    return stt_pb2.StreamingRecognizeRequest(update=message)
