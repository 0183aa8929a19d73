"""Deeds of the call that are taken back or put right behind them, and whose appointment and which time are meant."""

from pathlib import Path

import pytest

from tests.unit.nlu.desk import Caller, booked, call, stands

ANNA = {"name": "Anna Bell", "phone": "0912345678"}
TUESDAY, FRIDAY = "2026-12-01T10:00", "2026-12-04T09:00"


def starts(tmp_path: Path) -> list[str]:
    return [row[0] for row in booked(tmp_path)]


@pytest.mark.parametrize("said", ["Wait, stop!", "No, leave it, I'm not coming.", "Oh, I changed my mind."])
async def test_a_booking_that_is_taken_back_is_cancelled_behind_a_read_back(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("yes")
        assert (await caller.say(said)).endswith("Shall I cancel it?")
        assert starts(tmp_path) == [TUESDAY]
        await caller.say("yes")
    assert starts(tmp_path) == []


async def test_a_cancellation_that_is_taken_back_is_told_and_read_back_as_a_booking(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller=ANNA["phone"]) as rig:
        caller = Caller(rig)
        await caller.say("I want to cancel")
        await caller.say("yes")
        reply = await caller.say("Oh, keep it.")
        assert reply.startswith("Your appointment is cancelled: Tuesday, December 1 at 10 a.m.")
        assert reply.endswith("cleaning, Tuesday, December 1 at 10 a.m., Anna Bell, 0912 345 678. Shall I book it?")
        await caller.say("yes")
    assert starts(tmp_path) == [TUESDAY]


async def test_a_move_that_is_taken_back_goes_back(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller=ANNA["phone"]) as rig:
        caller = Caller(rig)
        await caller.say("Please move my appointment to Friday")
        await caller.say("yes")
        assert starts(tmp_path) == [FRIDAY]
        assert "Tuesday, December 1 at 10 a.m. in place of Friday" in await caller.say("Oh, leave it as it is.")
        await caller.say("yes")
    assert starts(tmp_path) == [TUESDAY]


@pytest.mark.parametrize(
    "said", ["No, thanks", "No, that's all", "I'll ring you back if anything comes up", "No, leave it at that, thanks"]
)
async def test_an_end_takes_nothing_back(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("yes")
        assert "cancel" not in await caller.say(said)
    assert starts(tmp_path) == [TUESDAY]


@pytest.mark.parametrize(
    "said",
    [
        "I'm calling on behalf of Joan Reed. Please cancel her appointment.",
        "My boss asked me to cancel his appointment",
        "It's about Joan Reed. She needs to cancel.",
        "Please cancel the appointment under Joan Reed",
    ],
)
async def test_somebody_else_s_appointment_is_not_the_callers_own(tmp_path: Path, said: str) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller=ANNA["phone"]) as rig:
        assert "Tuesday" not in await Caller(rig).say(said)


@pytest.mark.parametrize(
    "said",
    [
        "My appointment's on Tuesday and something has come up. Is there anything on Friday at nine?",
        "Tuesday's no good for me any more. Could I come on Friday at nine?",
    ],
)
async def test_an_appointment_that_is_told_is_moved_to_the_time_that_is_asked_for(tmp_path: Path, said: str) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller=ANNA["phone"]) as rig:
        caller = Caller(rig)
        assert "Friday, December 4 at 9 a.m. in place of Tuesday, December 1 at 10 a.m." in await caller.say(said)
        await caller.say("yes")
    assert starts(tmp_path) == [FRIDAY]


async def test_a_weekday_behind_an_appointment_counts_from_it(tmp_path: Path) -> None:
    stands(tmp_path, FRIDAY, **ANNA)
    async with call(tmp_path, caller=ANNA["phone"]) as rig:
        reply = await Caller(rig).say("Please move my appointment to the Tuesday after, at ten")
        assert "Tuesday, December 8 at 10 a.m. in place of Friday, December 4 at 9 a.m." in reply


async def test_a_cancellation_that_is_taken_back_is_that_of_this_call(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-01T10:00", name="Anna Bell", phone="0912345678")
    stands(tmp_path, "2026-12-04T09:00", name="Anna Bell", phone="0912345678")
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("Please cancel my Tuesday appointment")
        await caller.say("Yes")
        reply = await caller.say("No wait, keep it.")
    assert "Tuesday, December 1 at 10 a.m." in reply
    assert "December 4" not in reply


@pytest.mark.parametrize("said", ["Great, leave it like that.", "Never mind."])
async def test_what_was_booked_is_kept_where_nothing_more_is_wanted(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("yes")
        assert "cancel" not in await caller.say(said)
    assert len(booked(tmp_path)) == 1


async def test_the_same_wish_behind_its_deed_is_told_as_booked(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("yes")
        reply = await caller.say("I want an appointment for a cleaning on Tuesday at ten")
        assert reply.startswith("Your appointment is Tuesday, December 1 at 10 a.m.")
    assert len(booked(tmp_path)) == 1
