"""Streams of the Python client, on a call of grpc.aio that plays back responses and keeps requests."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from voice.call.v1 import call_pb2, record_pb2
from voice.nlu.v1 import nlu_pb2
from voice.tts.v1 import tts_pb2
from voice.type.v1 import audio_pb2, turn_pb2

from clients.python import Call, Conversation, ServerError, Speech, Stream, Wav, write_wav
from clients.python.programs.names import name_of

COMPLETED, FAILED = turn_pb2.TurnEnd.OUTCOME_COMPLETED, turn_pb2.TurnEnd.OUTCOME_FAILED


class PlayedBack:
    """Stands for grpc.aio's StreamStreamCall, which takes one request at a time."""

    def __init__(self, responses: Iterable[Message] = ()) -> None:
        self.sent: list[Any] = []
        self._responses = list(responses)
        self._is_writing = False

    async def write(self, request: Message) -> None:
        assert not self._is_writing, "two tasks write at once: grpc.aio fails the call"
        self._is_writing = True
        await asyncio.sleep(0)
        self._is_writing = False
        self.sent.append(request)

    async def done_writing(self) -> None:
        assert not self._is_writing, "two tasks write at once: grpc.aio fails the call"

    async def read(self) -> Any:
        await asyncio.sleep(0)
        return self._responses.pop(0) if self._responses else grpc.aio.EOF

    def kinds(self) -> list[str]:
        return [request.WhichOneof("request") for request in self.sent]


def heard_by(*responses: call_pb2.ConnectCallResponse) -> Call:
    return Call(PlayedBack(responses), call_pb2.ConnectCallRequest)


def audio(start: int, content: bytes = bytes(320)) -> call_pb2.ConnectCallResponse:
    return call_pb2.ConnectCallResponse(audio=audio_pb2.AudioChunk(start_sample=start, content=content))


def talking(*responses: nlu_pb2.StreamingConverseResponse) -> tuple[Conversation, PlayedBack]:
    wire = PlayedBack(responses)
    stream: Stream[Any, Any] = Stream(wire, nlu_pb2.StreamingConverseRequest)

    async def reopen() -> Stream[Any, Any]:
        return stream

    talk = Conversation(stream, reopen)
    talk._config = nlu_pb2.ConversationConfig()
    return talk, wire


def clause(turn_id: int, text: str) -> nlu_pb2.StreamingConverseResponse:
    return nlu_pb2.StreamingConverseResponse(reply_text=nlu_pb2.ReplyText(turn_id=turn_id, text=text))


def end(turn_id: int, outcome: Any = COMPLETED) -> nlu_pb2.StreamingConverseResponse:
    return nlu_pb2.StreamingConverseResponse(turn_end=turn_pb2.TurnEnd(turn_id=turn_id, outcome=outcome))


def reports(wire: PlayedBack) -> list[tuple[int, int]]:
    found = [request.playout_report for request in wire.sent if request.HasField("playout_report")]
    return [(report.turn_id, report.heard_offset) for report in found]


async def test_what_is_played_is_reported_while_another_task_speaks() -> None:
    wire = PlayedBack([audio(160 * number) for number in range(20)])
    call = Call(wire, call_pb2.ConnectCallRequest)
    call.end = record_pb2.CallEnd()
    call.reports_played = True

    async def speak() -> None:
        for _ in range(20):
            await call.put(audio=audio_pb2.AudioChunk(content=bytes(320)))

    async def listen() -> None:
        async for _ in call:
            pass

    await asyncio.gather(speak(), listen(), call.hang_up())
    assert [wire.kinds().count(kind) for kind in ("audio", "played", "hangup")] == [20, 20, 1]


@pytest.mark.parametrize("sample", [-1, -(1 << 62), 1 << 40])
async def test_a_place_that_cannot_be_on_the_clock_is_a_typed_error(sample: int) -> None:
    discard = call_pb2.ConnectCallResponse(audio_discard=call_pb2.AudioDiscard(from_sample=sample))
    for told in (audio(sample), discard):
        call = heard_by(audio(0), told)
        await anext(call)
        with pytest.raises(ServerError) as refused:
            await anext(call)
        assert refused.value.summary == "INTERNAL BAD_SAMPLE"
        assert len(call.heard) == 320


async def test_of_a_reply_that_is_left_the_words_handed_over_are_reported_before_the_next_turn() -> None:
    talk, wire = talking(clause(1, "One 👋,"), clause(1, " two."), end(1), clause(2, "Three."), end(2))
    async for _ in talk.say("Go."):
        break
    assert [one.reply_text.text async for one in talk.say("On.")] == ["Three.", ""]
    assert wire.kinds() == ["user_turn", "cancellation", "playout_report", "user_turn", "playout_report"]
    assert reports(wire) == [(1, len("One 👋,")), (2, len("Three."))]
    assert [(turn.user_text, turn.heard_text) for turn in talk._config.history] == [
        ("Go.", "One 👋,"),
        ("On.", "Three."),
    ]


async def test_what_was_heard_of_a_turn_that_failed_is_reported() -> None:
    talk, wire = talking(clause(1, "One,"), end(1, FAILED), end(2, FAILED))
    for text in ("Go.", "On."):
        with pytest.raises(ServerError):
            async for _ in talk.say(text):
                pass
    assert reports(wire) == [(1, len("One,"))]
    assert [turn.heard_text for turn in talk._config.history] == ["One,"]


async def test_a_voice_that_is_left_is_cancelled_when_its_stream_is_closed() -> None:
    sound = tts_pb2.TurnAudio(turn_id=1, chunk=audio_pb2.AudioChunk(content=bytes(320)))
    wire = PlayedBack([tts_pb2.StreamingSynthesizeResponse(audio=sound)] * 2)
    stream: Stream[Any, Any] = Stream(wire, tts_pb2.StreamingSynthesizeRequest)

    async def reopen() -> Stream[Any, Any]:
        return stream

    speech = Speech(stream, reopen)
    async for _ in speech.say("Hello."):
        break
    await speech.close()
    assert wire.kinds() == ["text", "text_end", "cancellation"]


def test_the_error_of_a_full_disk_names_the_file() -> None:
    with pytest.raises(OSError, match="/dev/full") as refused:
        write_wav(Path("/dev/full"), Wav(8000, bytes(320)))
    assert refused.value.filename == "/dev/full"


def test_an_outcome_of_a_later_version_is_its_number() -> None:
    outcome = record_pb2.TurnRecord.Outcome
    assert name_of(outcome, record_pb2.TurnRecord.OUTCOME_COMPLETED, "OUTCOME_") == "COMPLETED"
    assert name_of(outcome, 99, "OUTCOME_") == "99"
