"""Verdicts on scenarios, from the events and the recording."""

from pathlib import Path

import numpy as np
import pytest
from voice.call.v1 import record_pb2

from clients.phone import scenarios
from clients.phone.booking import SAYINGS, Booked, answer_to
from clients.phone.caller import Asked
from clients.phone.evidence import Evidence, Remark, Sound, Told, sounds_of
from clients.phone.recording import Recording
from clients.phone.scenarios import SCENARIOS
from clients.phone.timeline import timeline
from clients.phone.verdicts import (
    VERDICTS,
    judge_backchannel,
    judge_barge_in,
    judge_booking,
    judge_echo,
    judge_hold,
    judge_pause,
)

LISTENING, HELD, THINKING = record_pb2.FLOOR_LISTENING, record_pb2.FLOOR_HELD, record_pb2.FLOOR_THINKING
SPEAKING, PAUSED = record_pb2.FLOOR_SPEAKING, record_pb2.FLOOR_PAUSED
COMPLETED = record_pb2.TurnRecord.OUTCOME_COMPLETED
INTERRUPTED = record_pb2.TurnRecord.OUTCOME_INTERRUPTED
GREETING = ("", "Hello, this is Linh.")


def floor(at_s: float, before: record_pb2.Floor.ValueType, after: record_pb2.Floor.ValueType, cause: str = "") -> Told:
    change = record_pb2.FloorChange(to=after, cause=cause, turn_id=2)
    setattr(change, "from", before)
    return Told(at_s, record_pb2.CallEvent(floor_change=change))


def turn(
    at_s: float,
    said: str = "When are you open?",
    heard: str = "Sure, we are open.",
    outcome: record_pb2.TurnRecord.Outcome.ValueType = COMPLETED,
    **more: str | int,
) -> Told:
    record = record_pb2.TurnRecord(turn_id=2, outcome=outcome, user_text=said, heard_text=heard, **more)
    return Told(at_s, record_pb2.CallEvent(turn=record))


def interruption(*told: Told, agent: tuple[Sound, ...] = (Sound(3.0, 5.16), Sound(8.0, 9.0))) -> Evidence:
    return Evidence(told, agent, remarks=(Remark("interruption", 5.0, 6.5),))


def test_an_interruption_is_told_by_when_the_agent_stopped_and_what_was_heard():
    verdict = judge_barge_in(
        interruption(
            floor(5.2, SPEAKING, PAUSED),
            floor(5.7, PAUSED, LISTENING, "caller_insisted"),
            turn(5.7, heard="Sure, we are", outcome=INTERRUPTED, stop_reason="sustained_speech"),
            turn(9.0, said="How much?", heard="20 dollars."),
        )
    )
    assert verdict.is_seen
    assert "stopped 160 ms after the caller began (sustained_speech)" in verdict.text
    assert 'heard: "Sure, we are"' in verdict.text


def test_an_agent_that_speaks_on_is_no_interruption():
    verdict = judge_barge_in(interruption(turn(8.0), turn(12.0, said="How much?")))
    assert not verdict.is_seen
    assert "not interrupted" in verdict.text


def test_an_agent_that_stops_late_is_no_interruption():
    told = (floor(7.2, PAUSED, LISTENING), turn(7.2, outcome=INTERRUPTED), turn(9.0, said="How much?"))
    verdict = judge_barge_in(interruption(*told, agent=(Sound(3.0, 7.1), Sound(8.0, 9.0))))
    assert not verdict.is_seen
    assert "2100 ms" in verdict.text


def test_an_interruption_that_is_not_answered_is_not_enough():
    verdict = judge_barge_in(interruption(floor(5.7, PAUSED, LISTENING), turn(5.7, outcome=INTERRUPTED)))
    assert not verdict.is_seen
    assert "not answered" in verdict.text


def test_there_is_nothing_to_interrupt_when_the_agent_is_silent():
    verdict = judge_barge_in(interruption(turn(4.0), agent=(Sound(3.0, 4.0),)))
    assert not verdict.is_seen
    assert "was not speaking" in verdict.text


def backchannel(*told: Told, agent: tuple[Sound, ...] = (Sound(3.0, 5.1), Sound(5.7, 9.0))) -> Evidence:
    return Evidence(told, agent, remarks=(Remark("backchannel", 5.0, 5.25),))


def test_a_backchannel_is_told_by_how_long_the_agent_paused():
    verdict = judge_backchannel(backchannel(floor(5.1, SPEAKING, PAUSED), turn(9.1, stop_reason="backchannel")))
    assert verdict.is_seen
    assert "paused 100 ms after it began and went on 600 ms later (backchannel)" in verdict.text


def test_an_agent_that_does_not_even_pause_goes_on_too():
    verdict = judge_backchannel(backchannel(turn(9.1), agent=(Sound(3.0, 9.0),)))
    assert verdict.is_seen
    assert "without a pause" in verdict.text


@pytest.mark.parametrize("told", [(turn(6.0, outcome=INTERRUPTED),), (turn(9.0), turn(12.0, said="Uh-huh.")), ()])
def test_an_agent_that_stops_or_answers_a_backchannel_fails(told: tuple[Told, ...]):
    assert not judge_backchannel(backchannel(*told)).is_seen


def pause(*told: Told, agent: tuple[Sound, ...] = (Sound(1.0, 3.0), Sound(8.0, 9.0))) -> Evidence:
    halves = (Sound(4.0, 5.0), Sound(5.6, 7.0))
    asked = Asked("pause.wav", speech_end_s=7.0, answer_s=7.45)
    return Evidence(told, agent, remarks=(Remark("pause", 4.0, 7.0, halves),), asked=(asked,))


def test_a_pause_that_was_waited_for_is_told_with_its_length_and_the_answers_latency():
    verdict = judge_pause(pause(floor(7.3, LISTENING, THINKING), turn(9.0, end_reason="complete", drafts_made=2)))
    assert verdict.is_seen
    assert "paused 600 ms" in verdict.text
    assert "answered 450 ms after the end (complete)" in verdict.text


def test_a_turn_that_is_taken_in_the_pause_fails():
    assert "too early" in judge_pause(pause(floor(5.5, LISTENING, THINKING), turn(9.0))).text


def test_a_caller_who_is_cut_off_fails():
    assert "cut off" in judge_pause(pause(turn(9.0), agent=(Sound(5.3, 6.0),))).text


def test_two_answers_to_one_sentence_fail():
    assert not judge_pause(pause(turn(9.0), turn(11.0))).is_seen


def echo(*told: Told) -> Evidence:
    return Evidence((turn(3.0, *GREETING), *told), (), asked=(Asked("1.wav", 5.0, 5.5),))


def test_an_agent_that_hears_itself_and_goes_on_is_told_by_its_hesitations():
    verdict = judge_echo(echo(floor(6.0, SPEAKING, PAUSED), floor(6.2, PAUSED, SPEAKING), turn(9.0)))
    assert verdict.is_seen
    assert "hesitated 1 times, 200 ms at the longest" in verdict.text
    assert "never hesitated" in judge_echo(echo(turn(9.0))).text


def test_an_agent_that_hesitates_long_is_disturbed():
    assert not judge_echo(echo(floor(6.0, SPEAKING, PAUSED), floor(7.0, PAUSED, SPEAKING), turn(9.0))).is_seen


def test_an_agent_that_stops_for_itself_or_answers_itself_fails():
    assert "stopped by its own voice" in judge_echo(echo(turn(9.0, outcome=INTERRUPTED))).text
    invented = judge_echo(echo(turn(9.0), turn(12.0, said="Sure, we are open.", outcome=INTERRUPTED)))
    assert "of 1 questions the agent made 2" in invented.text
    assert "Sure, we are open." in invented.text


def hold(*told: Told, agent: tuple[Sound, ...] = (Sound(3.0, 5.1), Sound(8.05, 9.0))) -> Evidence:
    return Evidence(told, agent, remarks=(Remark("hold", 5.0, 8.0),))


HELD_AND_BACK = (floor(5.0, SPEAKING, HELD), floor(8.0, HELD, SPEAKING))


def test_a_hold_is_told_by_its_silence_and_by_when_the_agent_went_on():
    verdict = judge_hold(hold(*HELD_AND_BACK, turn(9.1)))
    assert verdict.is_seen
    assert "silent for 3.0 s of hold and went on 50 ms after it" in verdict.text


def test_an_agent_that_speaks_into_the_hold_or_loses_the_rest_fails():
    spoke = hold(*HELD_AND_BACK, turn(9.1), agent=(Sound(3.0, 6.0), Sound(8.05, 9.0)))
    assert "spoke during the hold" in judge_hold(spoke).text
    assert "did not say the rest" in judge_hold(hold(*HELD_AND_BACK, turn(8.1), agent=(Sound(3.0, 5.1),))).text
    assert "did not notice" in judge_hold(hold(turn(9.1))).text


@pytest.mark.parametrize("name", sorted(VERDICTS))
def test_a_call_that_was_over_at_once_shows_nothing(name: str):
    assert not VERDICTS[name](Evidence((), ())).is_seen


def test_every_scenario_has_its_verdict_and_what_it_says():
    assert VERDICTS.keys() == SCENARIOS.keys()
    remarks = Path(__file__).parents[3] / "clients/phone/remarks"
    for language in ("en-US", "vi-VN"):
        for name in ("interruption", "backchannel", "pause"):
            assert (remarks / f"{language}-{name}.wav").is_file()


def test_the_timeline_is_in_order_and_says_why_the_agent_stopped():
    lines = timeline(
        interruption(
            floor(5.7, PAUSED, LISTENING, "caller_insisted"),
            turn(
                5.7,
                heard="Sure, we are",
                outcome=INTERRUPTED,
                stop_reason="words",
                end_reason="complete",
                drafts_made=1,
            ),
        )
    )
    assert [float(line.split()[0]) for line in lines] == [3.0, 5.0, 5.16, 5.7, 5.7, 6.5, 8.0, 9.0]
    assert "floor    paused -> listening (caller_insisted, turn 2)" in lines[3]
    assert "interrupted; ended by complete; agent: words; drafts 1, 0 dropped" in lines[4]
    assert 'heard: "Sure, we are"' in lines[4]


def test_sound_is_parted_by_pauses_only():
    recording = Recording()
    beep = (8000 * np.sin(np.arange(8000) / 3)).astype(np.int16)
    for n, length in ((1.0, 4000), (1.6, 800), (2.4, 1600)):
        recording.add(beep[:length], end_s=n)
    assert sounds_of(recording) == (Sound(0.5, 1.0), Sound(1.5, 1.6), Sound(2.2, 2.4))
    assert sounds_of(Recording()) == ()


TOLD = "Your appointment is booked: Tuesday, December 1 at 10 a.m. Is there anything else?"
ANNAS = Booked(1, "2026-12-01T10:00", "cleaning", "Anna Bell", "0912345678")


@pytest.mark.parametrize(
    ("heard", "booked", "is_seen"),
    [
        (TOLD, (ANNAS,), True),
        ("Dạ, lịch hẹn đã được đặt: thứ Ba ạ.", (ANNAS,), True),
        (TOLD, (), False),
        (TOLD, (ANNAS, ANNAS), False),
        ("Shall I book it?", (ANNAS,), False),
    ],
)
def test_a_booking_is_seen_where_it_is_told_and_in_the_diary_once(
    heard: str, booked: tuple[Booked, ...], is_seen: bool
) -> None:
    verdict = judge_booking(Evidence((turn(9.0, heard=heard),), (), booked=booked))
    assert verdict.is_seen is is_seen
    assert not is_seen or "2026-12-01T10:00, cleaning, Anna Bell, 0912345678" in verdict.text


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Let's find a time. Which of these suits you: Wednesday, December 2 at 3 p.m.?", "wednesday"),
        ("You'd like cleaning, Tuesday, Anna Bell, 0 912 345 678. Shall I book it?", "yes"),
        ("Thank you, Anna Bell. What is your telephone number?", "number"),
        ("How can I help you?", ""),
    ],
)
def test_the_caller_who_books_answers_what_is_asked(said: str, answer: str) -> None:
    assert answer_to(said, "en-US") == answer


def test_every_answer_of_the_caller_who_books_is_recorded() -> None:
    for language, sayings in SAYINGS.items():
        for name in sayings:
            assert (Path(scenarios.__file__).parent / f"remarks/{language}-{name}.wav").is_file()
