"""The TTS stage: one StreamingSynthesize stream, as commands in and events out."""

import asyncio
from collections.abc import Callable, Iterable

from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import engine_pb2

from services.call_gateway.conversation.commands import EndSpeech, Speak, StopSpeech
from services.call_gateway.conversation.events import Event, Stage, VoiceAudio, VoiceEnded, VoiceMark
from services.call_gateway.profile import AgentProfile
from services.call_gateway.stages.agent_profile import voice_for
from services.call_gateway.stages.facts import CallFacts
from services.call_gateway.stages.link import StageLink
from services.call_gateway.stages.outbox import Outbox
from services.call_gateway.stages.shapes import cancellation, format_message, outcome_of, timing_of, trace_message
from services.call_gateway.stages.stream import StreamLimits

TtsCommand = Speak | EndSpeech | StopSpeech

OPTIONAL_KINDS: frozenset[str] = frozenset()
LONGEST_CHUNK_MS = 400
"""Limit on the speech in one message. Speech is kept until it is played, so that few large messages cost less; the TTS
stage sends a shorter one rather than wait for speech that is not made yet.
"""


class TtsStage:
    """Sends the agent's words to the TTS server and receives their speech."""

    def __init__(
        self,
        stub: "tts_pb2_grpc.TtsServiceAsyncStub",
        call: CallFacts,
        *,
        profile: AgentProfile,
        tasks: asyncio.TaskGroup,
        on_event: Callable[[Event], None],
        limits: StreamLimits,
    ) -> None:
        self._call = call
        self._profile = profile
        self._on_event = on_event
        self._voices: frozenset[str] = frozenset()  # those the engine has
        self._turns_under_way: set[int] = set()
        self._is_server_leaving = False
        self._link: StageLink[tts_pb2.StreamingSynthesizeRequest, tts_pb2.StreamingSynthesizeResponse] = StageLink(
            Stage.TTS,
            tasks=tasks,
            open_call=stub.StreamingSynthesize,
            optional_kinds=OPTIONAL_KINDS,
            on_engine=self._on_engine,
            on_response=self._on_response,
            on_event=on_event,
            limits=limits,
        )

    def open(self) -> None:
        """Open a stream, or give the present one up for a fresh one."""
        self._begin_afresh()
        self._link.open(self._config(), Outbox())

    def adopt(self, profile: AgentProfile) -> None:
        """The agent's profile has become known: speak with its voices and its pronunciations."""
        is_lexicon_new = profile.lexicon != self._profile.lexicon
        self._profile = profile
        if is_lexicon_new:  # only `config` can carry it
            self._begin_afresh()
            self._link.succeed(self._config(), Outbox())

    def perform(self, command: TtsCommand) -> None:
        """Carry out one of the conversation's commands."""
        match command:
            case Speak():
                self._speak(command)
            case EndSpeech(turn_id):
                end = tts_pb2.TextEnd(turn_id=turn_id)
                self._link.send(tts_pb2.StreamingSynthesizeRequest(text_end=end))
            case StopSpeech(turn_id, only):
                stop = cancellation(turn_id, only=only)
                self._link.send_to_all(tts_pb2.StreamingSynthesizeRequest(cancellation=stop))

    async def finish(self) -> None:
        """No more words come: end the stream in good order, within the limit."""
        await self._link.finish()

    def _begin_afresh(self) -> None:
        self._is_server_leaving = False
        self._turns_under_way.clear()

    def _speak(self, speak: Speak) -> None:
        if self._is_server_leaving and not self._turns_under_way:
            self._begin_afresh()
            self._link.succeed(self._config(), Outbox())
        is_first = speak.turn_id not in self._turns_under_way
        self._turns_under_way.add(speak.turn_id)
        voice = voice_for(self._profile, speak.language_code)
        text = tts_pb2.TurnText(
            turn_id=speak.turn_id,
            text=speak.text,
            flush=True,  # the agent has cut a clause that can be spoken as it is
            voice=voice.voice if voice.voice in self._voices else "",  # an unknown one would fail the turn
            rate=voice.rate,
            language_code=speak.language_code,
            start_offset=speak.start_offset,
            trace_context=trace_message(speak.trace) if is_first else None,
        )
        self._link.send(tts_pb2.StreamingSynthesizeRequest(text=text))

    def _config(self) -> tts_pb2.StreamingSynthesizeRequest:
        config = tts_pb2.SynthesisConfig(
            call_id=self._call.call_id,
            visit_id=self._call.visit_id,
            tenant_id=self._call.tenant_id,
            agent_id=self._call.agent_id,
            language_codes=self._call.language_codes or self._profile.language_codes,
            audio_format=format_message(self._call.audio_format),
            lexicon=[
                tts_pb2.Pronunciation(
                    written=word.written,
                    spoken=word.spoken,
                    language_code=word.language_code,
                    ipa=word.ipa,
                    spoken_language_code=word.spoken_language_code,
                )
                for word in self._profile.lexicon
            ],
            longest_chunk_ms=LONGEST_CHUNK_MS,
            marks_in_audio=True,
        )
        return tts_pb2.StreamingSynthesizeRequest(config=config)

    def _on_engine(self, response: tts_pb2.StreamingSynthesizeResponse) -> Iterable[str]:
        engine: engine_pb2.EngineInfo = response.engine
        self._voices = frozenset(voice.name for voice in engine.voices)
        return engine.features

    def _on_response(self, response: tts_pb2.StreamingSynthesizeResponse) -> None:
        match response.WhichOneof("response"):
            case "audio":
                audio = response.audio
                timing = timing_of(audio.timing) if audio.HasField("timing") else None
                marks = tuple(_mark(audio.turn_id, mark) for mark in audio.marks)
                self._on_event(VoiceAudio(audio.turn_id, audio.chunk.start_sample, audio.chunk.content, timing, marks))
            case "spoken_text":
                self._on_event(_mark(response.spoken_text.turn_id, response.spoken_text))
            case "turn_end":
                end = response.turn_end
                self._turns_under_way.discard(end.turn_id)
                self._on_event(VoiceEnded(end.turn_id, outcome_of(end), end.reason, end.is_retryable, end.engine))
            case "going_away":
                self._is_server_leaving = True


def _mark(turn_id: int, mark: tts_pb2.SpokenText) -> VoiceMark:
    is_measured = mark.timing == tts_pb2.SpokenText.MARK_TIMING_MEASURED
    return VoiceMark(turn_id, mark.text_end_offset, mark.end_sample, is_measured)
