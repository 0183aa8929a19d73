"""Random calls on the hotel's outbox, journal and register: no room is given twice, nothing is done twice, out of order
or unwanted, and nothing is told that is not so.

DEED_CASES=10000 pytest tests/unit/nlu/test_rooms_at_random.py --hypothesis-seed=14 --timeout=0 runs many more of them.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.nlu.agent.tools import ToolRefused
from services.nlu.tool_runs import key_of
from services.nlu.tools.deed import Deed, DeedState, NotReached
from services.nlu.tools.hotel.package import HotelPackage
from services.nlu.tools.hotel.register import Register
from services.nlu.tools.journal import Journal
from services.nlu.tools.operations import OperationDeed
from services.nlu.tools.outbox import Outbox
from services.nlu.tools.outbox_file import Decided, OutboxFile
from services.nlu.tools.package import PackageContext
from tests.unit.nlu.test_deeds_at_random import KILLS, LONG_S, MOODS, Inline, Killed

N_CASES = int(os.environ.get("DEED_CASES", "200"))
NOW = datetime.fromisoformat("2026-11-30T10:30")
ROOMS = {"single": 1, "double": 2}
ARRIVALS, PHONES = ("2026-12-04", "2026-12-05"), ("0912345678", "0987654321")
NAME = "Ann Bell"
LOOP = asyncio.new_event_loop()

Stay = tuple[str, str, int, str]  # phone, day of arrival, nights, room
Wish = tuple[str, Mapping[str, Any]]


class Flaky:
    """A register that answers, does and is not heard, does nothing, or does late."""

    timeout_s = 3.0

    def __init__(self, deed: Deed, house: "House") -> None:
        self.spec, self._deed, self._house = deed.spec, deed, house

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        mood = self._house.mood
        if mood == "deaf":
            raise NotReached("refused connection")
        if mood == "late":
            self._house.late.append((self.spec.name, dict(arguments), key))
            raise NotReached("no answer yet")
        result = await self._deed.do(arguments, tenant_id=tenant_id, key=key)
        if mood == "unheard":
            raise NotReached("the answer was lost")
        return result


class House:
    """An NLU that can be killed between any two steps, and started again on the same files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.now, self.mood = 0.0, "well"
        self.late: list[tuple[str, dict[str, Any], str]] = []
        self.start()

    def start(self) -> None:
        self.worker = Inline()
        context = PackageContext("hotel", "hotel", "hotel", data_dir=self._folder)
        package = HotelPackage(HotelPackage.Options(rooms=ROOMS), context, clock=lambda: NOW)
        LOOP.run_until_complete(package.open())
        package._worker.close()
        journal = Journal(self._folder / "sent", "sent")
        journal._worker.close()
        package._worker = journal._worker = self.worker  # type: ignore[assignment] # a worker of the test's
        self.package, self.journal, self.file = package, journal, OutboxFile(self._folder / "outbox")
        self.outbox = Outbox(self.file, self.worker, clock=lambda: self.now, chance=lambda: 0.5)
        writing = [operation for operation in package.operations() if operation.writes]
        (argument,) = {operation.in_order_by for operation in writing}
        deeds = [Flaky(OperationDeed([operation], "hotel", journal), self) for operation in writing]
        if argument:
            self.outbox.add_in_order(deeds, argument)
        else:
            for deed in deeds:
                self.outbox.add(deed)

    @property
    def register(self) -> Register:
        return self.package._register

    def close(self) -> None:
        self.register.close()
        self.journal._connection.close()
        self.file.close()

    def restart(self) -> None:
        self.close()
        self.start()

    def let_late_arrive(self) -> None:
        for tool, wanted, key in self.late:
            arrives = date.fromisoformat(wanted["arrives"])
            with suppress(ToolRefused):
                if tool == "hotel_book":
                    room, nights, phone = wanted["room"], wanted["nights"], wanted["phone"]
                    today = NOW.date()
                    self.register.book("t", room, arrives, nights, name=NAME, phone=phone, key=key, today=today)
                else:
                    phones, room = (wanted["phone"],), wanted["room"]
                    self.register.cancel("t", arrives, name=NAME, phones=phones, key=key, room=room)
        self.late.clear()

    def rows(self) -> list[Stay]:
        stays = self.register.booked("t", since=NOW.date())
        for night in (date(2026, 12, 4) + timedelta(days=n) for n in range(4)):
            for room, count in ROOMS.items():
                assert sum(one.room == room and one.covers(night) for one in stays) <= count, "a room is given once"
        return sorted((one.phone, one.arrives.isoformat(), one.nights, one.room) for one in stays)

    def decided(self) -> list[str]:
        return [key for (key,) in self.file._connection.execute("SELECT key FROM deeds ORDER BY rowid")]

    def done(self) -> dict[str, bool]:
        rows = self.register._connection.execute("SELECT key, result_json FROM deeds")
        return {key: "error" not in json.loads(result) for key, result in rows}


TURNS = st.integers(0, 2)
BOOK = st.fixed_dictionaries(
    {
        "room": st.sampled_from(sorted(ROOMS)),
        "arrives": st.sampled_from(ARRIVALS),
        "nights": st.integers(1, 2),
        "phone": st.sampled_from(PHONES),
    }
)
CANCEL = st.fixed_dictionaries(
    {
        "room": st.sampled_from(["", *sorted(ROOMS)]),
        "arrives": st.sampled_from(ARRIVALS),
        "phone": st.sampled_from(PHONES),
    }
)
WISHES = st.one_of(BOOK.map(lambda one: ("hotel_book", one)), CANCEL.map(lambda one: ("hotel_cancel", one)))
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["confirm", "twice at once", "barge-in"]), TURNS, WISHES, MOODS, KILLS),
    st.tuples(st.just("retry"), MOODS, KILLS),
    st.tuples(st.sampled_from(["restart", "late"])),
)


class Caller:
    """The wishes of callers, and what they were told."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._wanted: dict[str, Wish] = {}
        self._told: dict[str, DeedState] = {}

    def happen(self, event: tuple[Any, ...]) -> None:
        house = self._house
        try:
            match event:
                case (str(how), int(turn), (str(tool), dict(wish)), str(mood), kill):
                    self._prepare(mood, kill)
                    key = key_of("t", f"{tool} {sorted(wish.items())}", str(turn), "1")
                    self._wanted[key] = (tool, wish)
                    decided = LOOP.run_until_complete(self._confirm(how, tool, {**wish, "name": NAME}, key))
                    if decided is not None:
                        self._told[key] = decided.state
                case ("retry", str(mood), kill):
                    house.now += LONG_S
                    self._prepare(mood, kill)
                    LOOP.run_until_complete(house.outbox.try_due())
                case ("late",):
                    house.let_late_arrive()
                case _:
                    house.restart()
        except Killed:
            house.restart()
        self._prepare("well", (-1, True))

    def _prepare(self, mood: str, kill: tuple[int, bool]) -> None:
        n, is_before = kill
        self._house.mood, worker = mood, self._house.worker
        worker.kill_before, worker.kill_behind = (n, -1) if is_before else (-1, n)

    async def _confirm(self, how: str, tool: str, wanted: Mapping[str, Any], key: str) -> Decided | None:
        """The decision that the caller can be told; None: they talked over it before it was known."""
        outbox = self._house.outbox
        n_times = 2 if how == "twice at once" else 1
        doing = [asyncio.ensure_future(outbox.do(tool, wanted, tenant_id="t", key=key)) for _ in range(n_times)]
        if how == "barge-in":
            await asyncio.sleep(0)
            doing[0].cancel()
        ended = await asyncio.gather(*doing, return_exceptions=True)
        for _ in range(12):
            await asyncio.sleep(0)  # what was begun goes on
        for one in ended:
            if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError):
                raise one
        return ended[0] if isinstance(ended[0], Decided) and how != "barge-in" else None

    def check(self) -> None:
        """The register has what was decided and done, each once and in the order of the decisions, and no more."""
        house, done = self._house, self._house.done()
        decided, stays = house.decided(), list[Stay]()
        assert done.keys() <= set(decided), "nothing is done that was not decided"
        for key in decided:
            tool, wish = self._wanted[key]
            if not done.get(key):
                assert self._told.get(key) is not DeedState.DONE, "nothing is told that is not there"
                continue
            assert self._told.get(key) is not DeedState.FAILED
            if tool == "hotel_book":
                stay = (wish["phone"], wish["arrives"], wish["nights"], wish["room"])
                stays += [stay] if stay not in stays else []
            else:
                theirs = [one for one in stays if (one[0], one[1]) == (wish["phone"], wish["arrives"])]
                theirs = [one for one in theirs if wish["room"] in ("", one[3])]
                assert len({one[3] for one in theirs}) < 2, "nothing is taken back that was not named"
                if theirs:
                    stays.remove(theirs[0])
        assert sorted(stays) == house.rows(), "what callers decided last holds"

    def check_settled(self) -> None:
        for key in self._told:
            found = self._house.file.find(key)
            assert found is not None
            assert found.state is not DeedState.PENDING


@settings(max_examples=N_CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENTS, max_size=14))
def test_no_room_is_given_twice_and_nothing_is_told_that_is_not_so(events: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        caller = Caller(house)
        for event in events:
            caller.happen(event)
            caller.check()
        house.let_late_arrive()
        for _ in range(8):
            house.now += LONG_S
            LOOP.run_until_complete(house.outbox.try_due())
        caller.check()
        caller.check_settled()
        house.close()


def test_the_cancellation_is_not_refused_before_the_booking_is_done(tmp_path: Path) -> None:
    house = House(tmp_path)
    caller = Caller(house)
    who = {"arrives": ARRIVALS[0], "phone": PHONES[0]}
    booking = ("hotel_book", {**who, "room": "single", "nights": 1})
    caller.happen(("confirm", 0, booking, "deaf", (-1, True)))
    caller.happen(("confirm", 1, ("hotel_cancel", {**who, "room": ""}), "well", (-1, True)))
    for _ in range(4):
        caller.happen(("retry", "well", (-1, True)))
    caller.check()
    assert house.rows() == []
    house.close()
