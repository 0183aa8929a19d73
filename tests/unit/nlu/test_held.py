"""Whose appointment is meant, and which: nobody else's is moved or cancelled, nor one on another day unsaid."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.nlu.inputs import Config
from services.nlu.settings import NluSettings
from tests.unit.nlu.desk import Caller, booked, call, make, stands
from tests.unit.nlu.rig import opened

TUESDAY, WEDNESDAY, FRIDAY = "2026-12-01T10:00", "2026-12-02T15:00", "2026-12-04T09:00"
PAUL = {"name": "Paul Doyle", "phone": "0977889900"}
KAREN = {"name": "Karen Doyle", "phone": "0977889900"}
WHOSE = "Under which name was it booked?"


def starts(tmp_path: Path) -> list[str]:
    return sorted(row[0] for row in booked(tmp_path))


@pytest.mark.parametrize(
    "said",
    [
        "Please cancel my wife's appointment",
        "My wife can't come, please cancel her appointment",
        "Can you cancel the appointment for my son, please",
    ],
)
async def test_somebody_elses_is_not_the_callers_own(tmp_path: Path, said: str) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        caller = Caller(rig)
        assert (await caller.say(said)).endswith(WHOSE)
        await caller.say("yes")
        assert "Shall I cancel it?" not in await caller.say("Karen Doyle")
    assert starts(tmp_path) == [TUESDAY]


async def test_the_appointment_of_a_named_person_is_looked_for_by_that_name(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        assert "Shall I cancel it?" not in await Caller(rig).say("Please cancel the appointment of Karen Doyle")
        assert "Shall I cancel it?" not in await Caller(rig, 5).say("Please cancel Karen Doyle's appointment")
    assert starts(tmp_path) == [TUESDAY]


async def test_a_relatives_on_the_number_that_calls_is_read_back_with_its_name(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    stands(tmp_path, WEDNESDAY, **KAREN)
    async with call(tmp_path, caller="0977889900") as rig:
        caller = Caller(rig)
        reply = await caller.say("Please cancel my wife's appointment on Wednesday")
        assert reply == (
            "You'd like to cancel the appointment of Karen Doyle, Wednesday, December 2 at 3 p.m. Shall I cancel it?"
        )
        await caller.say("yes")
    assert starts(tmp_path) == [TUESDAY]


async def test_a_day_without_an_appointment_is_said(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        reply = await Caller(rig).say("I need to cancel my Friday appointment")
        assert reply.startswith("I find none on Friday. You'd like to cancel your appointment, Tuesday, December 1")


@pytest.mark.parametrize("said", ["Cancel all my appointments", "Cancel both of them"])
async def test_all_are_cancelled_one_after_the_other(tmp_path: Path, said: str) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    stands(tmp_path, FRIDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        caller = Caller(rig)
        assert "Tuesday, December 1 at 10 a.m. Shall I cancel it?" in await caller.say(said)
        assert "Friday, December 4 at 9 a.m. Shall I cancel it?" in await caller.say("yes")
        assert starts(tmp_path) == [FRIDAY]
        await caller.say("yes")
    assert starts(tmp_path) == []


async def test_one_is_moved_and_another_cancelled(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    stands(tmp_path, FRIDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        caller = Caller(rig)
        reply = await caller.say("Move my Tuesday appointment to Wednesday and cancel the Friday one.")
        assert reply.startswith("You'd like Wednesday, December 2 at 3 p.m. in place of Tuesday, December 1 at 10 a.m.")
        assert "Friday, December 4 at 9 a.m. Shall I cancel it?" in await caller.say("yes")
        await caller.say("yes")
    assert starts(tmp_path) == [WEDNESDAY]


async def test_a_time_instead_of_one_that_is_cancelled_is_a_move(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        reply = await Caller(rig).say("Cancel Tuesday for me and give me Friday at nine instead.")
        assert reply.endswith("Shall I move your appointment?")


async def test_a_second_request_is_taken_up_when_the_first_is_dropped(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        caller = Caller(rig)
        said = "I want to cancel my appointment. And an appointment for a cleaning on Friday at nine for my mother."
        assert "Shall I cancel it?" in await caller.say(said)
        assert await caller.say("No, keep it.") == (
            "All right, I'll leave it. Let's find a time. May I have your name, please?"
        )
    assert starts(tmp_path) == [TUESDAY]


@pytest.mark.parametrize("said", ["Cancel Karen Doyle's appointment", "cancel the appointment of Karen Doyle, please"])
async def test_the_owners_name_is_found_behind_the_verb(tmp_path: Path, said: str) -> None:
    stands(tmp_path, TUESDAY, **PAUL)
    async with call(tmp_path, caller="0977889900") as rig:
        caller = Caller(rig)
        assert "Shall I cancel it?" not in await caller.say(said)
        await caller.say("yes")
    assert starts(tmp_path) == [TUESDAY]


@pytest.mark.parametrize(
    "added",
    [
        "Yes, and one for my son on Friday. Oh, but don't book mine yet.",
        "Yes, and one more for my son on Friday, and make mine Wednesday at three",
    ],
)
async def test_a_yes_with_something_else_about_it_behind_books_nothing(tmp_path: Path, added: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say(added)
    assert booked(tmp_path) == []


async def test_calls_of_one_agent_at_once_are_kept_apart(tmp_path: Path) -> None:
    """Each hears what it would hear alone, though their turns lie between one another's."""
    days = {
        "0912345671": ("2026-12-02T10:00", "2026-12-03T11:00"),
        "0912345672": ("2026-12-07T14:00", "2026-12-08T16:00"),
        "0912345673": ("2026-12-09T09:00", "2026-12-10T13:30"),
    }
    for phone, own in days.items():
        for at in own:
            stands(tmp_path, at, name="Ann Bell", phone=phone)
    settings = NluSettings.model_validate({"engine": "script", "data_dir": tmp_path, "tool_filler_ms": 60_000})
    turns = ("Please cancel my appointment", "how much is a filling", "Hmm")
    shared: list[object] = []

    def one(profile, engine, settings):  # type: ignore[no-untyped-def]
        if not shared:
            shared.append(make(profile, engine, settings))
        return shared[0]

    async def heard(caller: Caller) -> list[str]:
        return [await caller.say(turn) for turn in turns]

    async with AsyncExitStack() as stack:
        callers = []
        for visit in ("1", "2"):
            for phone in days:
                config = Config(call_id=visit + phone, visit_id=visit + phone, tenant_id="tenant", caller=phone)
                callers.append(Caller(await stack.enter_async_context(opened(settings, config, factory=one))))
        alone = [await heard(caller) for caller in callers[:3]]
        together = await asyncio.gather(*(heard(caller) for caller in callers[3:]))
    assert together == alone
    assert len({first for first, *_ in alone}) == 3
