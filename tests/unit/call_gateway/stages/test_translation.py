"""Protobuf to the conversation's own words and back."""

from voice.nlu.v1 import agent_pb2, nlu_pb2
from voice.type.v1 import audio_pb2, turn_pb2

from services.audio.pcm import TELEPHONE
from services.call_gateway.conversation.events import ExpectedKind, InputExpected, Outcome, Trace
from services.call_gateway.conversation.record import HeardTurn, ToolCall
from services.call_gateway.profile import AgentProfile, AgentVoice
from services.call_gateway.prompts.book import PromptKind
from services.call_gateway.stages.agent_profile import profile_of, voice_for
from services.call_gateway.stages.past import history_messages
from services.call_gateway.stages.shapes import (
    cancellation,
    expected_message,
    expected_of,
    format_message,
    outcome_of,
    trace_message,
)


def test_the_telephone_format_is_told_as_mulaw_at_8_khz():
    message = format_message(TELEPHONE)
    assert (message.encoding, message.sample_rate_hertz) == (audio_pb2.AUDIO_ENCODING_MULAW, 8000)


def test_an_expectation_survives_the_way_there_and_back():
    expected = InputExpected(3, ExpectedKind.DIGITS, length=6, phrases=("oh",))
    assert expected_of(3, expected_message(expected)) == expected


def test_an_unknown_outcome_is_a_failure():
    assert outcome_of(turn_pb2.TurnEnd()) is Outcome.FAILED


def test_no_trace_is_no_message():
    assert trace_message(Trace()) is None


def test_only_one_turn_can_be_cancelled():
    assert cancellation(4, only=True).scope == turn_pb2.Cancellation.SCOPE_ONLY


def test_a_profile_is_taken_over_and_prompts_of_unknown_kinds_left_out():
    message = agent_pb2.AgentProfile(
        agent_id="clinic",
        language_codes=["en-US"],
        prompts=[
            agent_pb2.Prompt(kind=agent_pb2.Prompt.KIND_APOLOGY, language_code="en", text="Sorry."),
            agent_pb2.Prompt(language_code="en", text="?"),
        ],
        endpointing=agent_pb2.AgentEndpointing(complete_wait_ms=300),
    )
    profile = profile_of(message)
    assert [(prompt.kind, prompt.text) for prompt in profile.prompts] == [(PromptKind.APOLOGY, "Sorry.")]
    assert profile.endpointing.complete_wait_ms == 300


def test_a_voice_is_chosen_by_tag_then_by_language_then_left_to_the_engine():
    profile = AgentProfile(voices=(AgentVoice("en-GB", "jane"), AgentVoice("en-US", "joe")))
    assert voice_for(profile, "en-US").voice == "joe"
    assert voice_for(profile, "en").voice == "jane"
    assert voice_for(profile, "vi").voice == ""


def said(messages: list[nlu_pb2.HistoryTurn]) -> list[str]:
    return [message.user_text for message in messages if message.user_text]


def test_history_that_does_not_fit_loses_the_oldest_words_of_the_agent_first():
    turns = [HeardTurn(number, "x" * 100, "y" * 100) for number in range(1, 11)]
    messages = history_messages(turns, max_bytes=1850, state_bytes=200)
    assert [bool(message.heard_text) for message in messages] == [False] * 5 + [True] * 5
    assert len(said(messages)) == 10
    assert sum(message.ByteSize() for message in messages) <= 1650


def test_what_the_caller_said_of_themselves_is_told_a_fresh_stream_longest():
    name, number = "My name is Annabel Lee.", "It is 0912 345 678."
    turns = [HeardTurn(1, "", "Hello. What is your name?"), HeardTurn(2, name, "And your number?")]
    turns += [HeardTurn(3, number, "Thank you.")]
    turns += [HeardTurn(n, f"What does number {n} cost?", "It costs " + "very " * 60 + "much.") for n in range(4, 300)]
    messages = history_messages(turns, max_bytes=0, state_bytes=1000)
    assert sum(message.ByteSize() + 4 for message in messages) + 1000 <= 64 << 10
    assert said(messages)[:2] == [name, number]
    assert said(messages)[-1] == turns[-1].user_text
    assert messages[-1].heard_text == turns[-1].heard_text
    tight = history_messages(turns, max_bytes=2000, state_bytes=0)
    assert said(tight)[:2] == [name, number]


def test_history_beyond_any_bound_is_not_told():
    turns = [HeardTurn(number, "x" * 1000, "y" * 1000) for number in range(1, 4)]
    assert history_messages(turns, max_bytes=100, state_bytes=0) == []


def test_history_tells_who_made_the_words_and_which_tools_ran():
    turn = HeardTurn(2, "", "One moment.", is_gateway=True, tool_calls=(ToolCall("t1", "clock", "{}", "12"),))
    message = history_messages([turn], max_bytes=0, state_bytes=0)[0]
    assert message.origin == nlu_pb2.PlayoutReport.ORIGIN_GATEWAY
    assert message.tool_calls[0].name == "clock"
