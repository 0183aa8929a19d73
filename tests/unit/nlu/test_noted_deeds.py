"""Deeds that wait in the outbox are told as noted and not fixed, in this call and the next, and can be taken back."""

import asyncio
import json
import sqlite3
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import pytest

from services.nlu.tools.clinic.diary import Appointment, Diary
from services.nlu.tools.clinic.noted import with_noted
from services.nlu.tools.deed import NotReached
from services.nlu.tools.outbox_file import Decided
from tests.unit.nlu.desk import Caller, booked, call, stands

ANNA = {"name": "Anna Bell", "phone": "0912345678"}
TUESDAY, FRIDAY = "2026-12-01T10:00", "2026-12-04T09:00"
NOTED = "Your booking is still waiting, and is not fixed yet: Tuesday, December 1 at 10 a.m. Is there anything else?"


def locked(monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[pytest.MonkeyPatch]:
    def refuse(*args: object, **options: object) -> str:
        raise NotReached("locked")

    for name in ("book", "move", "cancel"):
        monkeypatch.setattr(Diary, name, refuse)
    return monkeypatch.context()


async def settled(tmp_path: Path) -> None:
    """Wait until no deed is pending."""
    connection = sqlite3.connect(tmp_path / "clinic" / "outbox.sqlite")
    async with asyncio.timeout(20):
        while connection.execute("SELECT 1 FROM deeds WHERE state = 'pending'").fetchall():
            await asyncio.sleep(0.05)


async def test_a_booking_that_is_noted_is_not_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        locked(monkeypatch)
        assert (await caller.say("Yes")).startswith("I have noted it, but it is not fixed yet.")
        assert await caller.say("When is my appointment now?") == NOTED
    async with call(tmp_path, visit="2" * 32, caller="0912345678") as rig:
        assert await Caller(rig).say("When is my appointment?") == NOTED
    monkeypatch.undo()
    async with call(tmp_path, visit="3" * 32, caller="0912345678") as rig:
        await settled(tmp_path)
        assert (await Caller(rig).say("When is my appointment?")).startswith("Your appointment is Tuesday, December 1")


async def test_a_booking_that_is_noted_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        locked(monkeypatch)
        await caller.say("Yes")
        question = await caller.say("I want to cancel")
        assert "Tuesday, December 1 at 10 a.m." in question
        assert question.endswith("Shall I cancel it?")
        assert (await caller.say("Yes")).startswith("I have noted it, but it is not fixed yet.")
        again = await caller.say("When is my appointment?")
        told = "Your booking is not cancelled yet: Tuesday, December 1 at 10 a.m. That is still waiting."
        assert again.startswith(told)
        assert again == await caller.say("I want to cancel")
    monkeypatch.undo()
    async with call(tmp_path, visit="2" * 32):
        await settled(tmp_path)
    assert booked(tmp_path) == []


def decided(tool: str, **arguments: str) -> Decided:
    return Decided("key", "tenant", tool, json.dumps({**ANNA, **arguments}))


def told(*appointments: Appointment) -> list[tuple[str, bool, bool]]:
    return [(f"{one.starts:%Y-%m-%dT%H:%M}", one.is_booked, one.is_noted) for one in appointments]


HELD = Appointment(1, datetime.fromisoformat(TUESDAY), "cleaning", **ANNA)
SINGLE, DOUBLE = (
    Appointment(n, datetime.fromisoformat("2026-12-04"), room, **ANNA) for n, room in enumerate(("single", "double"))
)


@pytest.mark.parametrize(
    ("held", "noted", "left"),
    [
        ([], [decided("clinic_book", starts=TUESDAY)], [(TUESDAY, True, True)]),
        ([HELD], [decided("clinic_book", starts=TUESDAY)], [(TUESDAY, True, False)]),  # done, and not known to be
        ([HELD], [decided("clinic_move", starts=TUESDAY, new_starts=FRIDAY)], [(FRIDAY, True, True)]),
        ([HELD], [decided("clinic_cancel", starts=TUESDAY)], [(TUESDAY, False, True)]),
        ([HELD], [decided("clinic_cancel", starts=FRIDAY)], [(TUESDAY, True, False)]),
        (
            [],
            [decided("clinic_book", starts=TUESDAY), decided("clinic_move", starts=TUESDAY, new_starts=FRIDAY)],
            [(FRIDAY, True, True)],
        ),
        (
            [HELD],
            [decided("clinic_cancel", starts=TUESDAY), decided("clinic_book", starts=TUESDAY)],
            [(TUESDAY, True, True)],
        ),
        ([], [decided("hotel_book", arrives="2026-12-04", room="double")], [("2026-12-04T00:00", True, True)]),
        ([HELD], [decided("clinic_cancel", starts=TUESDAY, name="Tom Reed")], [(TUESDAY, True, False)]),
        (
            [SINGLE, DOUBLE],
            [decided("hotel_cancel", arrives="2026-12-04", room="double")],
            [("2026-12-04T00:00", True, False), ("2026-12-04T00:00", False, True)],
        ),
        (
            [SINGLE],
            [decided("hotel_book", arrives="2026-12-04", room="double")],
            [("2026-12-04T00:00", True, False), ("2026-12-04T00:00", True, True)],
        ),
    ],
)
def test_what_noted_deeds_leave(
    held: list[Appointment], noted: list[Decided], left: list[tuple[str, bool, bool]]
) -> None:
    assert told(*with_noted(held, noted)) == left


async def test_nobody_else_hears_of_a_noted_booking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stands(tmp_path, FRIDAY, name="Tom Reed", phone="0912000111")
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        locked(monkeypatch)
        await caller.say("Yes")
    async with call(tmp_path, visit="2" * 32, caller="0912000111") as rig:
        assert "December 1" not in await Caller(rig).say("When is my appointment?")
