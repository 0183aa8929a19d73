"""Rooms: never more than there are, once for a key, cancelled by who has them; and what the tools refuse."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nlu.agent.profile import read_agents
from services.nlu.agent.tools import ToolRefused
from services.nlu.settings import NluSettings
from services.nlu.tools.hotel.package import HotelPackage
from services.nlu.tools.hotel.register import FULL, NONE_SUCH, WHICH_ROOM, Register
from services.nlu.tools.package import Asked, PackageContext
from services.nlu.tools.packages import AgentPackages

TODAY, FRIDAY, SATURDAY = date(2026, 11, 30), date(2026, 12, 4), date(2026, 12, 5)
ROOMS = {"single": 1, "double": 2}
ANNA = {"name": "Anna Bell", "phone": "0912345678"}
BOB = {"name": "Bob Dole", "phone": "0987654321"}


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    one = Register(tmp_path / "rooms.sqlite", ROOMS)
    yield one
    one.close()


def book(register: Register, stay: tuple[str, date, int], who: dict[str, str], key: str) -> None:
    register.book("", *stay, key=key, today=TODAY, **who)


def test_a_room_is_given_for_each_night_once(register: Register) -> None:
    book(register, ("single", FRIDAY, 2), ANNA, "1")
    for arrives in (FRIDAY, SATURDAY, date(2026, 12, 3)):
        with pytest.raises(ToolRefused, match=FULL):
            book(register, ("single", arrives, 2), BOB, f"2 {arrives}")
    book(register, ("single", date(2026, 12, 6), 1), BOB, "3")
    assert register.free("", FRIDAY, 1) == {"single": 0, "double": 2}


def test_a_key_books_once_and_a_stay_that_is_theirs_is_not_booked_again(register: Register) -> None:
    for key in ("1", "1", "2"):
        book(register, ("double", FRIDAY, 2), ANNA, key)
    assert register.free("", FRIDAY, 1) == {"single": 1, "double": 1}


def test_a_refusal_is_kept_under_its_key(register: Register) -> None:
    book(register, ("single", FRIDAY, 1), ANNA, "1")
    with pytest.raises(ToolRefused, match=FULL):
        book(register, ("single", FRIDAY, 1), BOB, "2")
    register.cancel("", FRIDAY, phones=[ANNA["phone"]], name=ANNA["name"], key="3")
    with pytest.raises(ToolRefused, match=FULL):  # it was told: a late try does not take it back
        book(register, ("single", FRIDAY, 1), BOB, "2")
    book(register, ("single", FRIDAY, 1), BOB, "4")


def test_only_the_name_and_number_of_a_booking_cancel_it(register: Register) -> None:
    book(register, ("single", FRIDAY, 1), ANNA, "1")
    for n, (name, phone) in enumerate([("Bob Dole", ANNA["phone"]), ("Anna Bell", BOB["phone"])]):
        with pytest.raises(ToolRefused, match=NONE_SUCH):
            register.cancel("", FRIDAY, name=name, phones=[phone], key=f"no {n}")
    register.cancel("", FRIDAY, name="anna bell", phones=[ANNA["phone"]], key="yes")
    assert register.find("", [ANNA["phone"]], since=TODAY) == []


def test_one_stay_of_several_is_taken_back_by_its_room(register: Register) -> None:
    for n, room in enumerate(("single", "double", "double")):
        book(register, (room, FRIDAY, n + 1), ANNA, f"{n}")

    def cancel(key: str, room: str = "") -> None:
        register.cancel("", FRIDAY, name=ANNA["name"], phones=[ANNA["phone"]], key=key, room=room)

    def left() -> list[tuple[str, int]]:
        return [(one.room, one.nights) for one in register.find("", [ANNA["phone"]], since=TODAY)]

    with pytest.raises(ToolRefused, match=f"{WHICH_ROOM}: double, single"):
        cancel("which")
    with pytest.raises(ToolRefused, match=NONE_SUCH):
        cancel("no such", "suite")
    cancel("one", "single")
    cancel("one", "single")
    assert left() == [("double", 2), ("double", 3)]
    cancel("two")
    assert left() == [("double", 3)]
    cancel("three", "single")  # it was taken back before
    assert left() == [("double", 3)]


def test_tenants_see_nothing_of_each_other(register: Register) -> None:
    book(register, ("single", FRIDAY, 1), ANNA, "1")
    assert register.free("another", FRIDAY, 1)["single"] == 1
    assert register.find("another", [ANNA["phone"]], since=TODAY) == []


stays = st.lists(st.tuples(st.sampled_from(sorted(ROOMS)), st.integers(0, 6), st.integers(1, 4)), max_size=20)


@given(wanted=stays)
def test_no_night_has_more_guests_than_rooms(
    wanted: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    register = Register(tmp_path_factory.mktemp("rooms") / "rooms.sqlite", ROOMS)
    reasons: set[str] = set()
    for n, (room, day, nights) in enumerate(wanted):
        try:
            book(register, (room, date(2026, 12, 1 + day), nights), {"name": "A", "phone": f"09{n:08}"}, str(n))
        except ToolRefused as refused:
            reasons.add(str(refused))
    assert reasons <= {FULL}
    for day in range(1, 12):
        assert min(register.free("", date(2026, 12, day), 1).values()) >= 0
    register.close()


def settings_of(data_dir: Path | None) -> NluSettings:
    return NluSettings.model_validate({"engine": "script", "data_dir": data_dir})


async def test_the_hotels_file_has_its_own_tools_behind_the_outbox(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    profile = read_agents(settings.agents_dir)["hotel"]
    packages = AgentPackages(profile, settings)
    await packages.load()
    try:
        tools = packages.tools("tenant")
        assert {name: tool.spec.writes for name, tool in tools.items()} == {
            "hotel_free_rooms": False,
            "hotel_find": False,
            "hotel_book": True,
            "hotel_cancel": True,
        }
        arrives = date(datetime.now(profile.zone).year + 1, 1, 4).isoformat()
        wanted = {"room": "single", "arrives": arrives, "nights": 2, **ANNA}
        first, second = [json.loads(await tools["hotel_book"].run(wanted, idempotency_key="1" * 32)) for _ in range(2)]
        assert (
            first == second == {"status": "done", "booked": arrives, "room": "single", "nights": 2, "name": "Anna Bell"}
        )
        free = json.loads(await tools["hotel_free_rooms"].run({"arrives": arrives, "nights": 1}, idempotency_key=""))
        assert free["free"] == {"single": 9, "double": 8}
        for n, (field, wrong) in enumerate(
            [("nights", 0), ("nights", 31), ("arrives", "soon"), ("phone", "1"), ("name", ""), ("room", "suite")]
        ):
            with pytest.raises(ToolRefused, match=field):
                await tools["hotel_book"].run({**wanted, field: wrong}, idempotency_key=f"{n + 2}" * 32)
    finally:
        await packages.close()


async def test_without_a_folder_for_data_there_is_nothing_to_book_and_the_agent_starts() -> None:
    settings = settings_of(None)
    packages = AgentPackages(read_agents(settings.agents_dir)["hotel"], settings)
    await packages.load()
    assert packages.tools("") == {}
    await packages.close()


async def test_a_past_day_is_refused(tmp_path: Path) -> None:
    context = PackageContext("hotel", "hotel", "hotel", timezone="Asia/Ho_Chi_Minh", data_dir=tmp_path)
    package = HotelPackage(HotelPackage.Options(rooms=ROOMS), context, clock=lambda: datetime(2026, 12, 10, tzinfo=UTC))
    await package.open()
    run = {operation.name: operation for operation in package.operations()}["book"]
    checked = run.check({"room": "single", "arrives": "2026-12-04", "nights": 1, **ANNA})
    with pytest.raises(ToolRefused, match="is past"):
        async with asyncio.timeout(5):
            await run.run(checked, Asked("", "1" * 32))
