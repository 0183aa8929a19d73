"""Servers that are of a newer contract, or break off: what no service of ours does on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from voice.call.v1 import call_pb2, record_pb2
from voice.nlu.v1 import nlu_pb2
from voice.stt.v1 import stt_pb2
from voice.tts.v1 import tts_pb2
from voice.type.v1 import audio_pb2, turn_pb2

FUTURE_KIND = b"\xba\x06\x02\x08\x01"
"""A response of a kind no client knows yet: field 103, a message."""
FUTURE_FIELD = b"\xf8\x3e\x2a"
"""A field no client knows yet: 1007, a varint."""
FUTURE_VALUE: Any = 99
"""A value no enum has yet."""
ODD_TEXT = "\u2028\u2029\x01\x7f\t\b\f\\u2028 \"<&>/' 👋\n"
FORMAT = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=8000)
Behaviour = Callable[[AsyncIterator[bytes], Any], AsyncIterator[bytes]]


def connect_call(**fields: Any) -> bytes:
    return call_pb2.ConnectCallResponse(**fields).SerializeToString()


def event(**fields: Any) -> bytes:
    return connect_call(event=record_pb2.CallEvent(**fields))


async def newer_gateway(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """A whole call with kinds, events, fields and enum values of a later version among what is known."""
    await anext(requests)
    yield connect_call(call=call_pb2.CallInfo(agent_id="later", language_code="en", audio_format=FORMAT)) + FUTURE_FIELD
    yield FUTURE_KIND
    yield event(call_id="x") + FUTURE_FIELD  # an event of an unknown kind
    yield event(floor_change=record_pb2.FloorChange(to=record_pb2.FLOOR_LISTENING))
    async for _request in requests:
        pass  # up to the half-close
    completed = record_pb2.TurnRecord.OUTCOME_COMPLETED
    yield event(turn=record_pb2.TurnRecord(turn_id=1, outcome=completed, heard_text="Later."))
    yield event(turn=record_pb2.TurnRecord(turn_id=2, outcome=FUTURE_VALUE, heard_text="Odd."))
    yield connect_call(end=record_pb2.CallEnd(cause=FUTURE_VALUE, turn_count=2))


async def newer_listener(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """Edges of speech and transcripts of a later version, at half milliseconds."""
    await anext(requests)
    engine = stt_pb2.StreamingRecognizeResponse()
    engine.engine.name, engine.engine.model = "later", "later"
    yield engine.SerializeToString()
    yield FUTURE_KIND
    edge = stt_pb2.SpeechActivity(kind=FUTURE_VALUE, sample=500)
    yield stt_pb2.StreamingRecognizeResponse(speech_activity=edge).SerializeToString()
    text = stt_pb2.Transcript(stage=FUTURE_VALUE, end_sample=1500, text="Later.")
    yield stt_pb2.StreamingRecognizeResponse(transcript=text).SerializeToString()
    async for _request in requests:
        pass  # up to the half-close


def gateway_of_a_lost_clock(**told: Any) -> Behaviour:
    """The first that the gateway says of its sound lies where nothing can be."""

    async def behave(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        await anext(requests)
        yield connect_call(call=call_pb2.CallInfo(agent_id="lost", language_code="en", audio_format=FORMAT))
        yield connect_call(audio=audio_pb2.AudioChunk(content=bytes(320)))
        yield connect_call(**told)
        async for _request in requests:
            pass  # the client breaks off

    return behave


async def gateway_that_talks_meanwhile(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """The agent speaks a frame for each of the caller's; the call ends when two hundred of them are reported."""
    await anext(requests)
    yield connect_call(call=call_pb2.CallInfo(agent_id="talks", language_code="en", audio_format=FORMAT))
    at = n_reported = 0
    async for raw in requests:
        match call_pb2.ConnectCallRequest.FromString(raw).WhichOneof("request"):
            case "audio":
                yield connect_call(audio=audio_pb2.AudioChunk(start_sample=at, content=bytes(320)))
                at += 160
            case "played":
                n_reported += 1
        if n_reported == 200:
            break
    yield connect_call(end=record_pb2.CallEnd(cause=record_pb2.CallEnd.CAUSE_CALLER, turn_count=1))


async def gateway_that_ends_early(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """The stream ends OK before the call does."""
    await anext(requests)
    yield connect_call(call=call_pb2.CallInfo(agent_id="short", language_code="en", audio_format=FORMAT))


async def gateway_that_fails(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    """The stream ends in the middle of the call with a status without details."""
    await anext(requests)
    yield connect_call(call=call_pb2.CallInfo(agent_id="short", language_code="en", audio_format=FORMAT))
    await context.abort(grpc.StatusCode.INTERNAL, "it broke")


async def voice_that_is_cut(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """The stream ends in the middle of a turn."""
    await anext(requests)
    engine = tts_pb2.StreamingSynthesizeResponse()
    engine.engine.name, engine.engine.model = "cut", "cut"
    yield engine.SerializeToString()
    await anext(requests)
    await anext(requests)
    chunk = audio_pb2.AudioChunk(content=bytes(320))
    audio = tts_pb2.TurnAudio(turn_id=1, chunk=chunk)
    yield tts_pb2.StreamingSynthesizeResponse(audio=audio).SerializeToString()


async def voice_of_old_turns(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """Ends of turns that are not the one asked for, and kinds of a later version, stand before the answer."""
    await anext(requests)
    engine = tts_pb2.StreamingSynthesizeResponse()
    engine.engine.name, engine.engine.model = "late", "late"
    yield engine.SerializeToString()
    await anext(requests)
    yield FUTURE_KIND
    other = tts_pb2.TurnAudio(turn_id=7, chunk=audio_pb2.AudioChunk(content=bytes(320)))
    yield tts_pb2.StreamingSynthesizeResponse(audio=other).SerializeToString()
    late = turn_pb2.TurnEnd(turn_id=7, outcome=turn_pb2.TurnEnd.OUTCOME_CANCELLED)
    yield tts_pb2.StreamingSynthesizeResponse(turn_end=late).SerializeToString()
    audio = tts_pb2.TurnAudio(turn_id=1, chunk=audio_pb2.AudioChunk(content=bytes(1600)))
    yield tts_pb2.StreamingSynthesizeResponse(audio=audio).SerializeToString()
    end = turn_pb2.TurnEnd(turn_id=1, outcome=turn_pb2.TurnEnd.OUTCOME_COMPLETED)
    yield tts_pb2.StreamingSynthesizeResponse(turn_end=end).SerializeToString()
    async for _request in requests:
        pass  # up to the half-close


async def voice_that_waits(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """A turn begins and never ends."""
    await anext(requests)
    engine = tts_pb2.StreamingSynthesizeResponse()
    engine.engine.name, engine.engine.model = "waits", "waits"
    yield engine.SerializeToString()
    await anext(requests)
    audio = tts_pb2.TurnAudio(turn_id=1, chunk=audio_pb2.AudioChunk(content=bytes(320)))
    yield tts_pb2.StreamingSynthesizeResponse(audio=audio).SerializeToString()
    await asyncio.Event().wait()


async def gateway_that_talks_on(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """The agent speaks 60 ms behind the caller's half-close; then the call ends."""
    await anext(requests)
    yield connect_call(call=call_pb2.CallInfo(agent_id="talks", language_code="en", audio_format=FORMAT))
    async for _request in requests:
        pass  # up to the half-close
    for start in (0, 160, 320):
        yield connect_call(audio=audio_pb2.AudioChunk(start_sample=start, content=bytes(320)))
        await asyncio.sleep(0.02)  # time for a report
    yield connect_call(end=record_pb2.CallEnd(cause=record_pb2.CallEnd.CAUSE_CALLER, turn_count=1))


class LeavingAgent:
    """Each stream answers one turn and asks to go elsewhere; what comes late of another turn stands in between."""

    def __init__(self) -> None:
        self.configs: list[nlu_pb2.ConversationConfig] = []
        self.turns: list[nlu_pb2.UserTurn] = []

    async def behave(self, requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for raw in requests:
            request = nlu_pb2.StreamingConverseRequest.FromString(raw)
            match request.WhichOneof("request"):
                case "config":
                    self.configs.append(request.config)
                    engine = nlu_pb2.ConversationEngine()
                    engine.engine.name, engine.engine.model, engine.agent.agent_id = "leaving", "leaving", "leaving"
                    yield nlu_pb2.StreamingConverseResponse(engine=engine).SerializeToString()
                case "user_turn":
                    self.turns.append(request.user_turn)
                    for response in self._answer(request.user_turn):
                        yield response.SerializeToString()

    def _answer(self, turn: nlu_pb2.UserTurn) -> list[nlu_pb2.StreamingConverseResponse]:
        end = turn_pb2.TurnEnd(turn_id=turn.turn_id, outcome=turn_pb2.TurnEnd.OUTCOME_COMPLETED)
        end.state = b"state of %d" % turn.turn_id
        leaving = nlu_pb2.StreamingConverseResponse()
        leaving.going_away.deadline_ms = 1000
        text = nlu_pb2.ReplyText(turn_id=turn.turn_id, text=f"Answer {turn.turn_id} 👋.")
        return [
            leaving,
            nlu_pb2.StreamingConverseResponse(reply_text=nlu_pb2.ReplyText(turn_id=turn.turn_id - 1, text="Late.")),
            nlu_pb2.StreamingConverseResponse(reply_text=text),
            nlu_pb2.StreamingConverseResponse(turn_end=end),
        ]


class AgentThatIsLeft:
    """Says a clause of each turn, and ends the first one when it is cancelled."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.reports: list[tuple[int, int]] = []

    async def behave(self, requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for raw in requests:
            request = nlu_pb2.StreamingConverseRequest.FromString(raw)
            self.kinds.append(request.WhichOneof("request") or "")
            end = turn_pb2.TurnEnd(turn_id=request.user_turn.turn_id, outcome=turn_pb2.TurnEnd.OUTCOME_COMPLETED)
            match self.kinds[-1]:
                case "config":
                    yield nlu_pb2.StreamingConverseResponse(engine=nlu_pb2.ConversationEngine()).SerializeToString()
                case "user_turn":
                    text = nlu_pb2.ReplyText(turn_id=end.turn_id, text="One 👋,")
                    yield nlu_pb2.StreamingConverseResponse(reply_text=text).SerializeToString()
                    if end.turn_id > 1:
                        yield nlu_pb2.StreamingConverseResponse(turn_end=end).SerializeToString()
                case "cancellation":
                    end.turn_id, end.outcome = request.cancellation.turn_id, turn_pb2.TurnEnd.OUTCOME_CANCELLED
                    yield nlu_pb2.StreamingConverseResponse(turn_end=end).SerializeToString()
                case "playout_report":
                    self.reports.append((request.playout_report.turn_id, request.playout_report.heard_offset))


async def watched_gateway(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
    """One turn whose words are all that JSON writes in a way of its own; its outcome is of a later version."""
    await anext(requests)
    turn = record_pb2.TurnRecord(turn_id=1 << 40, outcome=FUTURE_VALUE, user_text=ODD_TEXT, latency_us=1999)
    watched = record_pb2.CallEvent(call_id="x", turn=turn)
    yield call_pb2.WatchCallsResponse(event=watched).SerializeToString() + FUTURE_FIELD


METHODS = {
    "/voice.call.v1.CallGatewayService/WatchCalls",
    "/voice.stt.v1.SttService/StreamingRecognize",
    "/voice.call.v1.CallGatewayService/ConnectCall",
    "/voice.tts.v1.TtsService/StreamingSynthesize",
    "/voice.nlu.v1.NluService/StreamingConverse",
}


class Answers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types for it
    """Every stream behaves as it is told; messages pass as bytes."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def service(self, call: Any) -> Any:
        return grpc.stream_stream_rpc_method_handler(self._behaviour) if call.method in METHODS else None


async def serve(behaviour: Behaviour) -> tuple[grpc.aio.Server, str]:
    """A server on a loopback port of its own; returns it and its target."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Answers(behaviour),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"
