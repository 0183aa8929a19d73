"""The four streams by name: what the suite needs to open any of them, and what a good and a bad config is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voice.call.v1 import call_pb2
from voice.nlu.v1 import nlu_pb2
from voice.stt.v1 import stt_pb2
from voice.tts.v1 import tts_pb2
from voice.type.v1 import audio_pb2

MULAW_8K = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000)
LINEAR16_8K = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=8000)
LINEAR16_16K = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=16000)
NO_ENCODING = audio_pb2.AudioFormat(sample_rate_hertz=8000)
MULAW_16K = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=16000)
LINEAR16_11K = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=11025)


@dataclass(frozen=True, slots=True)
class BadConfig:
    """A config that must be refused, and the field the refusal names."""

    name: str
    change: Mapping[str, Any]
    field: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One service and its bidirectional stream."""

    name: str
    module: str
    full_name: str
    method: str
    request: Any
    response: Any
    config_fields: Mapping[str, Any]
    opening: str
    """The kind of the first response."""
    later_request: Mapping[str, Any]
    """A request that may not come first."""
    describe_request: Any
    describe_method: str
    describe_response: Any
    bad_configs: tuple[BadConfig, ...] = field(default=())

    @property
    def stream_path(self) -> str:
        return f"/{self.full_name}/{self.method}"

    @property
    def describe_path(self) -> str:
        return f"/{self.full_name}/{self.describe_method}"

    def config(self, **change: Any) -> Any:
        """The first request, good unless `change` makes it bad."""
        return self.request(config={**self.config_fields, **change})


BAD_FORMATS = (
    BadConfig("no encoding", {"audio_format": NO_ENCODING}, "config.audio_format.encoding"),
    BadConfig("an unknown rate", {"audio_format": LINEAR16_11K}, "config.audio_format.sample_rate_hertz"),
    BadConfig("mu-law at 16 kHz", {"audio_format": MULAW_16K}, "config.audio_format.sample_rate_hertz"),
)
BAD_LANGUAGE = BadConfig("an unknown language", {"language_codes": ["tlh-KL"]}, "config.language_codes")
BAD_AGENT = BadConfig("an unknown agent", {"agent_id": "no-such-agent"}, "config.agent_id")

STT = Stage(
    name="stt",
    module="services.stt_proxy",
    full_name="voice.stt.v1.SttService",
    method="StreamingRecognize",
    request=stt_pb2.StreamingRecognizeRequest,
    response=stt_pb2.StreamingRecognizeResponse,
    config_fields={"call_id": "conformance", "language_codes": ["en-US"], "audio_format": MULAW_8K},
    opening="engine",
    later_request={"utterance_end": {"end_sample": 0}},
    describe_request=stt_pb2.DescribeEngineRequest(),
    describe_method="DescribeEngine",
    describe_response=stt_pb2.DescribeEngineResponse,
    bad_configs=(*BAD_FORMATS, BadConfig("no format", {"audio_format": None}, "config.audio_format")),
)
NLU = Stage(
    name="nlu",
    module="services.nlu",
    full_name="voice.nlu.v1.NluService",
    method="StreamingConverse",
    request=nlu_pb2.StreamingConverseRequest,
    response=nlu_pb2.StreamingConverseResponse,
    config_fields={"call_id": "conformance", "language_codes": ["en-US"]},
    opening="engine",
    later_request={"commit": {"turn_id": 1}},
    describe_request=nlu_pb2.DescribeEngineRequest(),
    describe_method="DescribeEngine",
    describe_response=nlu_pb2.DescribeEngineResponse,
    bad_configs=(BAD_AGENT, BAD_LANGUAGE),
)
TTS = Stage(
    name="tts",
    module="services.tts",
    full_name="voice.tts.v1.TtsService",
    method="StreamingSynthesize",
    request=tts_pb2.StreamingSynthesizeRequest,
    response=tts_pb2.StreamingSynthesizeResponse,
    config_fields={
        "call_id": "conformance",
        "language_codes": ["en-US"],
        "audio_format": MULAW_8K,
        "max_lead_ms": 0,
    },
    opening="engine",
    later_request={"text": {"turn_id": 1, "text": "Hello."}},
    describe_request=tts_pb2.DescribeEngineRequest(),
    describe_method="DescribeEngine",
    describe_response=tts_pb2.DescribeEngineResponse,
    bad_configs=(
        *BAD_FORMATS,
        BadConfig("no format", {"audio_format": None}, "config.audio_format"),
        BadConfig("an unknown voice", {"voice": "no-such-voice"}, "config.voice"),
        BadConfig("a rate out of range", {"rate": 9.0}, "config.rate"),
        BadConfig("a negative lead", {"max_lead_ms": -1}, "config.max_lead_ms"),
        BadConfig("chunks too short to send", {"longest_chunk_ms": 5}, "config.longest_chunk_ms"),
    ),
)
CALL = Stage(
    name="call",
    module="services.call_gateway",
    full_name="voice.call.v1.CallGatewayService",
    method="ConnectCall",
    request=call_pb2.ConnectCallRequest,
    response=call_pb2.ConnectCallResponse,
    config_fields={"call_id": "conformance", "language_codes": ["en-US"], "audio_format": MULAW_8K},
    opening="call",
    later_request={"dtmf": {"digit": "1"}},
    describe_request=call_pb2.ListCallsRequest(),
    describe_method="ListCalls",
    describe_response=call_pb2.ListCallsResponse,
    bad_configs=(*BAD_FORMATS, BAD_AGENT),
)
STAGES = {stage.name: stage for stage in (STT, NLU, TTS, CALL)}
