"""A question that brings nothing is asked in an easier form, then a person takes over: none is asked for ever."""

from pathlib import Path

import pytest

from services.nlu.outputs import CallAction, Transfer
from tests.unit.nlu.desk import Caller, booked, call, stands
from tests.unit.nlu.rig import Rig

QUESTION = "You'd like cleaning, Tuesday, December 1 at 10 a.m., Anna Bell, 0912 345 678. Shall I book it?"
GIVEN_UP = "I'm sorry, I can't take that down. One moment, please, I'll put you through."
WHAT = "What should I change?"


def transfers(rig: Rig) -> int:
    return sum(isinstance(action.act, Transfer) for action in rig.of(CallAction))


async def test_a_read_back_that_brings_nothing_goes_to_a_person_at_its_third_time(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        assert (await caller.come_to_the_question()).endswith(QUESTION)
        easier = await caller.say("blue, perhaps")
        assert easier.endswith(f"Please say yes or no. {QUESTION}")
        assert transfers(rig) == 0
        assert await caller.say("blue, perhaps") == GIVEN_UP
        assert transfers(rig) == 1
        await caller.say("yes")
    assert booked(tmp_path) == []


async def test_the_choice_of_a_time_is_bounded_too(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        assert "Which of these suits you" in await caller.say("I want an appointment for a cleaning")
        assert "Please say just a day and a time. Which of these suits you" in await caller.say("whatever, blue")
        assert await caller.say("whatever, blue") == GIVEN_UP


async def test_a_question_that_was_not_heard_to_its_end_is_not_counted(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question(hears=0.5)
        for _ in range(3):
            assert (await caller.say("yes", hears=0.5)) == QUESTION
        assert transfers(rig) == 0
        await caller.say("yes")
        await caller.say("yes")
    assert len(booked(tmp_path)) == 1


async def test_questions_of_the_callers_that_are_answered_are_not_counted(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        for _ in range(3):
            assert (await caller.say("How much is a cleaning?")).endswith(QUESTION)
        await caller.say("yes")
    assert len(booked(tmp_path)) == 1


@pytest.mark.parametrize("objection", ["That's wrong.", "It is not right.", "no wait"])
async def test_an_objection_that_names_nothing_is_asked_what_is_wrong(tmp_path: Path, objection: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert (await caller.say(objection)).endswith(WHAT)
        await caller.say("yes")
        assert booked(tmp_path) == []  # the read-back was not the last thing that was asked
        assert (
            await caller.say("yes")
            == "Your appointment is booked: Tuesday, December 1 at 10 a.m. Is there anything else?"
        )


@pytest.mark.parametrize(
    ("wrong", "question", "right", "row"),
    [
        ("The name.", "May I have your name, please?", "Amy Hill", ("2026-12-01T10:00", "Amy Hill", "0912345678")),
        (
            "The number.",
            "What is your telephone number?",
            "0977 889 900",
            ("2026-12-01T10:00", "Anna Bell", "0977889900"),
        ),
        ("The day.", "Which of these suits you", "Friday", ("2026-12-04T09:00", "Anna Bell", "0912345678")),
    ],
)
async def test_what_is_named_as_wrong_is_asked_for_again(
    tmp_path: Path, wrong: str, question: str, right: str, row: tuple[str, str, str]
) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert await caller.say("no wait") == WHAT
        assert question in await caller.say(wrong)
        assert (await caller.say(right)).endswith("Shall I book it?")
        await caller.say("yes")
    assert [(starts, name, phone) for starts, _, name, phone in booked(tmp_path)] == [row]


async def test_the_count_goes_with_the_call_to_another_process(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-04T09:00", name="Amy Hill", phone="0977889900")
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("blue, perhaps")
        state, history = rig.end(caller.turn_id).state, tuple(rig.conversation._history.entries())
    async with call(tmp_path, state=state, history=history) as rig:
        assert await Caller(rig, turn_id=20).say("blue, perhaps") == GIVEN_UP


async def test_a_reply_to_two_sentences_asks_one_question_at_its_end(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        reply = await Caller(rig).say("I want an appointment for a cleaning on Tuesday. How much is a cleaning?")
        assert reply == "Let's find a time. A cleaning costs 35 dollars. May I have your name, please?"
