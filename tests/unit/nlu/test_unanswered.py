"""Turns that leave a question open: hums, a moment that is asked for, a reason that is wanted, a number kept back."""

from pathlib import Path

import pytest

from tests.unit.nlu.desk import Caller, booked, call
from tests.unit.nlu.test_reprompts import GIVEN_UP, QUESTION, transfers

NAME = "May I have your name, please?"
NUMBER = "What is your telephone number?"
WHY_NAME = "It is only so that we can find it again under your name."
WHY_NUMBER = "It is only so that we can find it again and reach you."


async def test_a_hum_is_no_failed_try_until_the_third(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        for said in ("hold on a second", "wait a minute, the doorbell"):
            assert await caller.say(said) == f"Take your time. {QUESTION}"
        assert "Please say yes or no." in await caller.say("hold on")
        assert transfers(rig) == 0
        await caller.say("yes")
    assert len(booked(tmp_path)) == 1


@pytest.mark.parametrize("said", ["Just a moment, I'm driving", "hold on, I'm on the bus", "one second please"])
async def test_one_who_asks_for_a_moment_has_given_no_name(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want an appointment for a cleaning on Tuesday")
        assert await caller.say(said) == f"Take your time. {NAME}"
        assert (await caller.say("Hold on, it's Anna Bell")).endswith(f"Anna Bell. {NUMBER}")


async def test_a_reason_is_told_once_and_the_question_stays_bounded(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want an appointment for a cleaning on Tuesday")
        assert await caller.say("Why do you need my name?") == f"{WHY_NAME} {NAME}"
        await caller.say("Anna Bell")
        assert await caller.say("What for?") == f"{WHY_NUMBER} {NUMBER}"
        assert "Please say just the number" in await caller.say("I don't want to give my number.")
        assert transfers(rig) == 0
        assert await caller.say("Why?") == GIVEN_UP
        assert transfers(rig) == 1
    assert booked(tmp_path) == []


async def test_a_reason_is_told_to_one_who_cancels_too(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want to cancel")
        assert await caller.say("Why do you need my number?") == f"{WHY_NUMBER} {NUMBER}"


async def test_a_number_beside_the_question_why_is_taken(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want an appointment for a cleaning on Tuesday")
        await caller.say("Anna Bell")
        assert "0912 345 678" in await caller.say("Why, but all right, 0912 345 678")
