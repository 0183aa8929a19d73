"""One sentence to sound, outside any call: for prompts that must be ready before they are needed."""

import asyncio

import grpc
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import engine_pb2

from services.audio.pcm import TELEPHONE
from services.call_gateway.conversation.events import Outcome
from services.call_gateway.profile import AgentProfile
from services.call_gateway.stages.agent_profile import voice_for
from services.call_gateway.stages.shapes import format_message, outcome_of
from services.call_gateway.stages.stream import StageCall
from services.runtime.errors import rpc_failure

LIMIT_S = 30.0


class NotRendered(Exception):
    """The voice would not say it."""

    def __init__(self, reason: str, *, is_retryable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_retryable = is_retryable


async def render(
    stub: "tts_pb2_grpc.TtsServiceAsyncStub",
    text: str,
    language_code: str,
    profile: AgentProfile,
    *,
    purpose: tts_pb2.SynthesisPurpose.ValueType = tts_pb2.SYNTHESIS_PURPOSE_RECORDING,
) -> bytes:
    """The sentence as 8 kHz mu-law, in the agent's voice for the language. Raises NotRendered.

    The voice keeps what it has made: the same sentence costs nothing when it is asked for again.
    """
    config = tts_pb2.SynthesisConfig(
        tenant_id=profile.tenants[0] if profile.tenants else "",
        purpose=purpose,
        agent_id=profile.agent_id,
        language_codes=[language_code],
        audio_format=format_message(TELEPHONE),
        max_lead_ms=0,
        lexicon=[
            tts_pb2.Pronunciation(
                written=word.written,
                spoken=word.spoken,
                language_code=word.language_code,
                ipa=word.ipa,
                spoken_language_code=word.spoken_language_code,
            )
            for word in profile.lexicon
        ],
    )
    call = stub.StreamingSynthesize()
    try:
        async with asyncio.timeout(LIMIT_S):
            await call.write(tts_pb2.StreamingSynthesizeRequest(config=config))
            engine = _engine(await call.read())
            voice = voice_for(profile, language_code)
            is_known = voice.voice in {known.name for known in engine.voices}
            words = tts_pb2.TurnText(
                turn_id=1,
                text=text,
                language_code=language_code,
                voice=voice.voice if is_known else "",
                rate=voice.rate,
            )
            await call.write(tts_pb2.StreamingSynthesizeRequest(text=words))
            await call.done_writing()
            return await _sound(call)
    except TimeoutError:
        raise NotRendered("NO_RESPONSE", is_retryable=True) from None
    except asyncio.InvalidStateError:
        raise NotRendered("ENDED_EARLY", is_retryable=True) from None
    except grpc.aio.AioRpcError as error:
        failure = rpc_failure(error)
        reason = failure.reason or failure.code.name
        raise NotRendered(reason, is_retryable=failure.is_elsewhere_worthwhile) from None
    finally:
        call.cancel()


def _engine(first: object) -> engine_pb2.EngineInfo:
    if not isinstance(first, tts_pb2.StreamingSynthesizeResponse):
        raise NotRendered("ENDED_EARLY", is_retryable=True)
    return first.engine


async def _sound(call: StageCall[tts_pb2.StreamingSynthesizeRequest, tts_pb2.StreamingSynthesizeResponse]) -> bytes:
    sound = bytearray()
    while isinstance(response := await call.read(), tts_pb2.StreamingSynthesizeResponse):
        if response.HasField("audio"):
            sound += response.audio.chunk.content
        elif response.HasField("turn_end") and outcome_of(response.turn_end) is not Outcome.COMPLETED:
            raise NotRendered(response.turn_end.reason, is_retryable=response.turn_end.is_retryable)
    if not sound:
        raise NotRendered("NOTHING_SPOKEN", is_retryable=False)
    return bytes(sound)
