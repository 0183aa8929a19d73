"""An open booking and what a whole turn says of it: corrections, several slots at once, answers in few words."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from services.nlu.agent.graph.dialogue import Wish
from services.nlu.agent.graph.timed_wishes import bare_hours
from services.nlu.agent.graph.wished_deeds import deed_of, is_owed
from services.nlu.history import Entry, ToolCall
from tests.unit.nlu.desk import Caller, booked, call, stands

FILLING_ON_FRIDAY = "You'd like filling, Friday, December 4 at 9 a.m., Anna Bell, 0912 345 678. Shall I book it?"
ANNAS = ("2026-12-04T09:00", "filling", "Anna Bell", "0912345678")


@pytest.mark.parametrize(
    "said",
    [
        "Hmm, could you make that a filling, and on Friday instead? I'm so sorry.",
        "It's a filling I need, not a cleaning. And Tuesday doesn't work, Friday does.",
        "I'm busy on Tuesday. Friday, then, and a filling.",
    ],
)
async def test_a_correction_counts_whatever_stands_around_it(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert await caller.say(said) == FILLING_ON_FRIDAY
        assert (
            await caller.say("Yes")
            == "Your appointment is booked: Friday, December 4 at 9 a.m. Is there anything else?"
        )
    assert booked(tmp_path) == [ANNAS]


async def test_a_day_that_is_refused_is_not_read_back_again(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert (await caller.say("Oh, I can't make Tuesday.")).startswith("Which of these suits you")
    assert booked(tmp_path) == []


async def test_an_hour_is_looked_for_on_the_day_that_was_said(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        reply = await caller.say("I want an appointment for a cleaning on Wednesday at ten")
        assert "Wednesday, December 2 at 3 p.m." in reply
        assert "Tuesday" not in reply
        assert "Tuesday" not in await caller.say("ten")
        assert await caller.say("three, then") == "May I have your name, please?"


@pytest.mark.parametrize(
    ("said", "name"),
    [("It's for Zoe Hart.", "Zoe Hart"), ("Her name's Lily Porter", "Lily Porter"), ("Hart. Zoe Hart.", "Zoe Hart")],
)
async def test_a_name_has_no_words_around_it(tmp_path: Path, said: str, name: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want an appointment for a cleaning")
        await caller.say("Tuesday")
        assert await caller.say(said) == f"Thank you, {name}. What is your telephone number?"


async def test_a_caller_who_begins_with_their_name_is_not_asked_for_it(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        reply = await Caller(rig).say("Hello, it's Ruth Ames, I want an appointment on Tuesday.")
        assert reply.endswith("What is your telephone number?")


async def test_a_second_request_comes_behind_the_first(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-01T10:00", name="Ruth Ames", phone="0912345678")
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        reply = await caller.say("Please cancel what I have. And I want an appointment on Friday.")
        assert reply == "You'd like to cancel your appointment, Tuesday, December 1 at 10 a.m. Shall I cancel it?"
        reply = await caller.say("Yes")
        assert reply.startswith("Your appointment is cancelled: Tuesday, December 1 at 10 a.m. Let's find a time.")
        assert reply.endswith(
            "You'd like cleaning, Friday, December 4 at 9 a.m., Ruth Ames, 0912 345 678. Shall I book it?"
        )


def test_a_bare_number_may_be_an_hour() -> None:
    assert bare_hours("eleven would do", "en") == (time(11), time(23))
    assert bare_hours("it's three thirty", "en") == (time(3, 30), time(15, 30))
    assert bare_hours("for the two of us, or three", "en") == ()


def test_what_was_done_earlier_in_the_call_is_not_owed_once_more() -> None:
    wish = Wish("book", service="cleaning", when="then", name="Ann", phone="0912345678", at="2026-12-01T10:00")
    name, arguments = deed_of(wish)
    done = Entry(1, user_text="Yes", heard_text="It is booked.", tool_calls=(ToolCall("1", name, arguments, "{}"),))
    later = Entry(2, user_text="The same once more", heard_text="Shall I book it?")
    assert is_owed((name, arguments), wish, (done,))
    assert not is_owed((name, arguments), wish, (done, later))
