"""Calls and news in the words of voice.call.v1."""

import pytest
from voice.call.v1 import call_pb2, record_pb2
from voice.type.v1 import audio_pb2

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding
from services.call_gateway.call_messages import UnknownEncoding, UnknownSampleRate, audio_format_of, event_of
from services.call_gateway.conversation.commands import FloorMoved, TurnFinished
from services.call_gateway.conversation.events import Keyword
from services.call_gateway.conversation.record import TurnRecord
from services.call_gateway.watching import CallNews


def config(encoding: int, rate: int) -> call_pb2.CallConfig:
    return call_pb2.CallConfig(audio_format=audio_pb2.AudioFormat(encoding=encoding, sample_rate_hertz=rate))


def test_without_a_format_it_is_the_telephones():
    assert audio_format_of(call_pb2.CallConfig()) == TELEPHONE


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
def test_linear_sound_comes_at_four_rates(rate: int):
    wanted = config(audio_pb2.AUDIO_ENCODING_LINEAR16, rate)
    assert audio_format_of(wanted) == AudioFormat(Encoding.LINEAR16, rate)


def test_no_encoding_names_its_field():
    with pytest.raises(UnknownEncoding) as refused:
        audio_format_of(config(0, 8000))
    assert refused.value.field == "config.audio_format.encoding"


def test_g711_at_16_khz_names_its_field():
    with pytest.raises(UnknownSampleRate) as refused:
        audio_format_of(config(audio_pb2.AUDIO_ENCODING_MULAW, 16_000))
    assert refused.value.field == "config.audio_format.sample_rate_hertz"


def test_a_move_of_the_floor_names_both_sides():
    event = event_of(CallNews("a", "", 160, FloorMoved("listening", "thinking", "turn_ended", 2)))
    assert getattr(event.floor_change, "from") == record_pb2.FLOOR_LISTENING
    assert event.floor_change.to == record_pb2.FLOOR_THINKING
    assert event.sample == 160


def test_a_turn_without_an_answer_has_no_latency():
    record = TurnRecord(2, "failed", "hello", "", "complete", "", 1, 0, False, False, 0, 800, None)
    message = event_of(CallNews("a", "", 0, TurnFinished(record))).turn
    assert message.latency_us == 0
    assert message.outcome == record_pb2.TurnRecord.OUTCOME_FAILED


def test_a_keyword_is_told_with_its_utterance():
    event = event_of(CallNews("a", "", 160, Keyword(2, "root canal", 120)))
    assert (event.caller_keyword.utterance_id, event.caller_keyword.phrase) == (2, "root canal")
