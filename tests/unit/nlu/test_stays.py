"""Stays of a caller who has several from one day on: the room tells them apart, and one of them is cancelled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from services.nlu.inputs import Config
from services.nlu.settings import NluSettings
from services.nlu.tools.hotel.register import Register
from tests.unit.nlu.desk import Caller, make
from tests.unit.nlu.rig import Rig, opened

ANNA = {"name": "Anna Bell", "phone": "0912345678"}
ROOMS = {"single": 9, "double": 8}
TODAY, FRIDAY = date(2026, 11, 30), date(2026, 12, 4)
WHICH = "Which of your bookings is it: single room, Friday, December 4 or double room, Friday, December 4?"


@asynccontextmanager
async def call(tmp_path: Path) -> AsyncIterator[Rig]:
    values = {"engine": "script", "data_dir": tmp_path, "tool_filler_ms": 60_000}
    config = Config(call_id="call", visit_id="1" * 32, tenant_id="tenant", caller=ANNA["phone"], agent_id="hotel")
    async with opened(NluSettings.model_validate(values), config, factory=make) as rig:
        yield rig


def stand(tmp_path: Path, *rooms: str) -> None:
    register = Register(tmp_path / "hotel" / "rooms.sqlite", ROOMS)
    for n, room in enumerate(rooms):
        register.book("", room, FRIDAY, 2, key=f"before {n}", today=TODAY, **ANNA)
    register.close()


def standing(tmp_path: Path) -> list[str]:
    register = Register(tmp_path / "hotel" / "rooms.sqlite", ROOMS)
    rooms = [one.room for one in register.booked("", since=TODAY)]
    register.close()
    return rooms


async def test_which_of_two_rooms_is_asked_by_their_kinds_and_one_is_cancelled(tmp_path: Path) -> None:
    stand(tmp_path, "single", "double")
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        assert await caller.say("Please cancel one of my rooms.") == WHICH
        reply = await caller.say("The single.")
        assert reply == "You'd like to cancel your room, single room, Friday, December 4. Shall I cancel it?"
        assert "Your room is cancelled: single room, Friday, December 4." in await caller.say("yes")
    assert standing(tmp_path) == ["double"]


@pytest.mark.parametrize(
    "said", ["Please cancel the double room.", "Cancel the double on Friday", "I need to cancel my double room, please"]
)
async def test_a_room_that_is_named_at_once_is_not_asked_after(tmp_path: Path, said: str) -> None:
    stand(tmp_path, "single", "double")
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        reply = await caller.say(said)
        assert reply == "You'd like to cancel your room, double room, Friday, December 4. Shall I cancel it?"
        await caller.say("yes")
    assert standing(tmp_path) == ["single"]


@pytest.mark.parametrize("said", ["yes, the double", "the double, I mean", "No, the double room."])
async def test_another_room_said_at_the_read_back_is_read_back_again(tmp_path: Path, said: str) -> None:
    stand(tmp_path, "single", "double")
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("Please cancel the single room.")
        assert "cancel your room, double room, Friday" in await caller.say(said)
        await caller.say("yes")
    assert standing(tmp_path) == ["single"]


async def test_both_rooms_of_a_day_are_cancelled_one_after_the_other(tmp_path: Path) -> None:
    stand(tmp_path, "single", "double")
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        assert "double room, Friday, December 4. Shall I cancel it?" in await caller.say("Cancel both of my rooms")
        reply = await caller.say("yes")
        assert reply.startswith("Your room is cancelled: double room, Friday, December 4.")
        assert reply.endswith("You'd like to cancel your room, Friday, December 4. Shall I cancel it?")
        assert standing(tmp_path) == ["single"]
        await caller.say("yes")
    assert standing(tmp_path) == []


async def test_the_only_stay_of_a_day_is_read_back_by_its_day(tmp_path: Path) -> None:
    stand(tmp_path, "single")
    async with call(tmp_path) as rig:
        reply = await Caller(rig).say("Please cancel my room.")
    assert reply == "You'd like to cancel your room, Friday, December 4. Shall I cancel it?"


async def test_vietnamese(tmp_path: Path) -> None:
    stand(tmp_path, "single", "double")
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("Cho em hủy một phòng")
        assert "hủy phòng đặt từ thứ Sáu ngày 4 tháng 12, phòng đơn." in await caller.say("Phòng đơn ạ")
        await caller.say("vâng")
    assert standing(tmp_path) == ["double"]


async def test_a_second_equal_room_is_not_told_as_booked(tmp_path: Path) -> None:
    """The register has one row for it."""
    wish = "I want an appointment: a double room from Friday for two nights."
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        said = [await caller.say(one) for one in (wish, "Anna Bell", "yes", "yes")]
        assert any("is booked" in one for one in said), said
        again = await caller.say(wish)
        assert again.startswith("You have a room booked from Friday, December 4")
    assert standing(tmp_path) == ["double"]
