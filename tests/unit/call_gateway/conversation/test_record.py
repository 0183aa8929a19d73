"""The record of a turn: its latency, the stages that took it, and the time that no stage explains."""

import pytest

from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.record import StageTime, StopReason, TurnNotes, TurnOutcome
from services.call_gateway.conversation.user_turn import Verdict
from services.call_gateway.line import EndCause
from tests.unit.call_gateway.conversation.driver import Call


def notes(**times: object) -> TurnNotes:
    values: dict[str, object] = {
        "spoke_last_at": 10.0,
        "asked_at": 10.2,
        "taken_at": 10.2,
        "first_clause_at": 10.3,
        "first_audio_at": 10.4,
        "first_frame_at": 10.41,
        **times,
    }
    return TurnNotes(**values)  # type: ignore[arg-type]


def test_latency_runs_from_the_last_speech_sample_to_the_first_sample_of_the_answer():
    assert notes().finished(2, outcome=TurnOutcome.COMPLETED, heard_text="").latency_us == 410_000


def test_a_turn_without_speech_or_without_an_answer_has_no_latency():
    assert notes(spoke_last_at=None).finished(1, outcome=TurnOutcome.COMPLETED, heard_text="").latency_us is None
    assert notes(first_frame_at=None).finished(1, outcome=TurnOutcome.FAILED, heard_text="").latency_us is None


def test_each_stage_says_its_part_and_the_rest_of_what_was_seen_is_network():
    record = notes(
        text_timing=ev.Timing(1_000, 20_000, 25_000),
        clause_timing=ev.Timing(2_000, 70_000, 80_000),
        audio_timing=ev.Timing(3_000, 60_000, 70_000),
    ).finished(2, outcome=TurnOutcome.COMPLETED, heard_text="")
    parts = {time.stage: time for time in record.stage_times}
    assert list(parts) == ["endpointing", "stt", "nlu", "tts", "playout"]
    assert parts["nlu"] == StageTime("nlu", 2_000, 70_000, 20_000)
    assert parts["tts"] == StageTime("tts", 3_000, 60_000, 30_000)
    assert parts["playout"].queue_us == 10_000


def test_what_no_stage_explains_is_printed():
    record = notes(
        clause_timing=ev.Timing(0, 70_000, 80_000),  # 10 ms of its own the stage does not explain
        audio_timing=ev.Timing(0, 60_000, 60_000),
    ).finished(2, outcome=TurnOutcome.COMPLETED, heard_text="")
    explained = sum(time.queue_us + time.compute_us + time.network_us for time in record.stage_times)
    assert record.unexplained_us == 10_000
    assert record.latency_us == explained + record.unexplained_us


def test_an_answer_that_was_ready_costs_the_end_of_the_turn_and_the_frame():
    record = notes(taken_at=10.35, first_audio_at=10.33, first_frame_at=10.36).finished(
        2, outcome=TurnOutcome.COMPLETED, heard_text=""
    )
    assert [(time.stage, time.queue_us) for time in record.stage_times] == [
        ("endpointing", 350_000),
        ("playout", 10_000),
    ]
    assert record.unexplained_us == 0


def test_a_call_writes_the_record_of_a_turn():
    call = Call().greeted()
    call.say("hello agent")
    turn_id = call.conversation.turn_id
    call.wait(80)
    call.clause(turn_id, "Sure.")
    call.wait(60)
    call.voice(turn_id, 200)
    call.mark(turn_id, 5, 200)
    call.wait(40)
    call.settle("hello agent")
    call.end_reply(turn_id)
    call.end_voice(turn_id)
    call.wait(400)
    record = call.record(turn_id)
    assert record.latency_us == (100 + 160) * 1000, "the reply does not wait for the settled words"
    assert record.end_reason == "complete"
    assert sum(time.queue_us + time.compute_us + time.network_us for time in record.stage_times) == record.latency_us


def test_a_trace_goes_from_the_text_to_question_voice_and_record():
    call = Call().greeted()
    trace = ev.Trace("00-abc-def-01", "")
    call.begin_speech()
    call.wait(300)
    call.stop_speech()
    end = call.sample()
    call.tell(ev.TranscriptHeard(1, ev.TextStage.DRAFT, "hello", 0, end, trace=trace))
    turn_id = call.conversation.turn_id
    call.predict()
    call.clause(turn_id, "Sure.")
    call.wait(260)
    call.tell(ev.TranscriptHeard(1, ev.TextStage.SETTLED, "hello", 0, end, trace=trace))
    call.end_reply(turn_id)
    call.voice(turn_id, 100)
    call.end_voice(turn_id)
    call.wait(200)
    assert call.last(cmd.AskAgent).trace == call.last(cmd.Speak).trace == call.record(turn_id).trace == trace


def test_what_the_guard_withheld_stands_in_the_record():
    call = Call().greeted()
    turn_id = call.ask("how much is a crown")
    call.clause(turn_id, "I don't know that.")
    call.end_reply(turn_id, withheld_rules=("price", "price"))
    call.voice(turn_id, 100)
    call.end_voice(turn_id)
    call.wait(400)
    assert call.record(turn_id).withheld_rules == ("price", "price")


def test_the_record_names_the_engines_that_served_the_turn():
    record = notes(nlu_engine="openai>llama_cpp", tts_engine="piper").finished(
        2, outcome=TurnOutcome.COMPLETED, heard_text=""
    )
    assert (record.nlu_engine, record.tts_engine) == ("openai>llama_cpp", "piper")
    parts = {time.stage: time.engine for time in record.stage_times}
    assert (parts["nlu"], parts["tts"], parts["playout"]) == ("openai>llama_cpp", "piper", "")


@pytest.mark.parametrize("cause", EndCause)
def test_each_end_of_a_call_is_a_reason_why_the_agent_stops(cause: EndCause) -> None:
    assert StopReason(cause.value) == cause.value


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_on_a_sound_is_a_reason_of_the_turn_record(verdict: Verdict) -> None:
    assert StopReason(verdict.value) is verdict.value
