"""Callers who agree to nothing, change everything at once, say nothing or hang up: no deed but what was read back and
agreed to. And a system that answers when the call is over.
"""

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from services.nlu.inputs import Silence, Text, UserTurn
from services.nlu.tools.clinic.diary import Diary
from tests.unit.nlu.desk import Caller, booked, call

ANNAS = ("2026-12-01T10:00", "cleaning", "Anna Bell", "0912345678")


def decided(tmp_path: Path) -> list[tuple[str, str]]:
    """The deeds of the outbox."""
    connection = sqlite3.connect(tmp_path / "clinic" / "outbox.sqlite")
    return connection.execute("SELECT tool, state FROM deeds").fetchall()


async def test_a_yes_to_nothing_does_nothing(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        for said in ("Yes", "Yes, book it", "Yes, yes, do it"):
            assert "booked" not in await caller.say(said)
    assert (booked(tmp_path), decided(tmp_path)) == ([], [])


async def test_three_things_that_are_changed_at_once_are_read_back_and_booked_so(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        reply = await caller.say("Make it Friday, the name is Tim Reed, and the number is 0912 000 222")
        assert all(part in reply for part in ("Friday, December 4", "Tim Reed", "0912 000 222"))
        assert decided(tmp_path) == []
        await caller.say("Yes")
    assert booked(tmp_path) == [("2026-12-04T09:00", "cleaning", "Tim Reed", "0912000222")]


async def test_silence_at_the_question_is_no_yes(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await rig.send(UserTurn(caller.turn_id + 1, Silence(8000, 1), ""), wait_s=0.3)
    assert (booked(tmp_path), decided(tmp_path)) == ([], [])


@pytest.mark.parametrize("hears", [0.4, 1.0])
async def test_who_hangs_up_at_the_question_has_booked_nothing(tmp_path: Path, hears: float) -> None:
    async with call(tmp_path) as rig:
        await Caller(rig).come_to_the_question(hears=hears)
    assert (booked(tmp_path), decided(tmp_path)) == ([], [])


async def test_what_is_answered_after_the_call_is_over_is_done_once_and_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_time = Diary.book

    def late(*args: object, **options: object) -> str:
        time.sleep(1.0)  # on the diary's own thread
        return in_time(*args, **options)  # type: ignore[arg-type] # as they were given

    monkeypatch.setattr(Diary, "book", late)
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await rig.send(UserTurn(caller.turn_id + 1, Text("Yes"), ""))
        async with asyncio.timeout(10):
            while not decided(tmp_path):
                await asyncio.sleep(0.01)
        assert booked(tmp_path) == []
    async with asyncio.timeout(10):
        while decided(tmp_path) != [("clinic_book", "done")]:
            await asyncio.sleep(0.05)
    assert booked(tmp_path) == [ANNAS]
