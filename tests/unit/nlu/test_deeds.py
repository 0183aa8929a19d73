"""The outbox and the diary behind it: kills, retries, keys that come twice, deeds that come late."""

import asyncio
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.nlu.agent.profile import read_agents
from services.nlu.agent.tools import ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.settings import NluSettings
from services.nlu.tool_runs import key_of
from services.nlu.tools.clinic.diary import Diary
from services.nlu.tools.clinic.package import ClinicPackage
from services.nlu.tools.clinic.tools import Book, Times
from services.nlu.tools.deed import DeedState, NotReached
from services.nlu.tools.outbox import Outbox, OutboxTool
from services.nlu.tools.outbox_file import OutboxFile
from services.nlu.tools.sqlite_thread import SqliteThread

T = TypeVar("T")
N_CASES = int(os.environ.get("DEED_CASES", "200"))
FACTS = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)["clinic"].facts
NOW = datetime.fromisoformat("2026-11-30T10:30")
SLOTS = ("2026-12-01T10:00", "2026-12-02T15:00")
PHONES = ("0912345678", "0987654321")


class Killed(BaseException):
    """The process ends here."""


class Inline:
    """Runs in the loop's own thread. `kill_before` and `kill_behind` count its steps down to a kill."""

    def __init__(self) -> None:
        self.kill_before = self.kill_behind = -1

    async def run(self, work: Callable[[], T]) -> T:
        if self.kill_before == 0:
            raise Killed
        self.kill_before -= 1
        result = work()
        if self.kill_behind == 0:
            raise Killed
        self.kill_behind -= 1
        return result


class Process:
    """An NLU that can be killed between any two steps, and started again on the same files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.now = 0.0
        self._late: list[Callable[[], str]] = []
        self.cancelled: set[str] = set()  # keys that were done, and taken back by the caller
        self.start()

    def start(self) -> None:
        self.diary, self.file = Diary(self._folder / "diary"), OutboxFile(self._folder / "outbox")
        self.worker = Inline()
        self.outbox = Outbox(self.file, self.worker, clock=lambda: self.now, chance=lambda: 0.5)
        self.book = Flaky(Book(self.diary, self.worker, Times(FACTS, lambda: NOW)), self._late)
        self.outbox.add(self.book)

    def restart(self) -> None:
        self.diary.close()
        self.file.close()
        self.start()

    def done_keys(self) -> set[str]:
        return {key for (key,) in self.diary._connection.execute("SELECT key FROM deeds")}

    def wish(self, key: str) -> tuple[object, object]:
        found = self.file.find(key)
        wanted = json.loads(found.arguments_json) if found else {}
        return wanted.get("starts"), wanted.get("phone")

    def let_late_arrive(self) -> None:
        """What the system was asked for before a kill or a timeout gets there now."""
        for one in self._late:
            with suppress(ToolRefused):
                one()
        self._late.clear()

    def at(self, wanted: Mapping[str, object], key: str) -> Callable[[], str]:
        return lambda: self.diary.book(
            "tenant",
            datetime.fromisoformat(str(wanted["starts"])),
            service="",
            name="A",
            phone=str(wanted["phone"]),
            key=key,
            check=Times(FACTS, lambda: NOW).check,
        )


class Flaky:
    """A system that answers, does and is not heard, does nothing, or does late."""

    spec: ToolSpec = Book.spec
    timeout_s = 3.0

    def __init__(self, book: Book, late: list[Callable[[], str]]) -> None:
        self._book, self._late = book, late
        self.mood = "well"
        self.later: Callable[[Mapping[str, object], str], Callable[[], str]] | None = None

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        if self.mood == "deaf":
            raise NotReached("refused connection")
        if self.mood == "late" and self.later:
            self._late.append(self.later(arguments, key))
            raise NotReached("no answer yet")
        result = await self._book.do(arguments, tenant_id=tenant_id, key=key)
        if self.mood == "unheard":
            raise NotReached("the answer was lost")
        return result


MOODS = st.sampled_from(["well", "well", "deaf", "unheard", "late"])
KILLS = st.one_of(st.just(-1), st.integers(0, 5))
CONFIRMS = st.tuples(
    st.just("confirm"), st.integers(0, 2), st.sampled_from(SLOTS), st.sampled_from(PHONES), MOODS, KILLS, st.booleans()
)
RETRIES = st.tuples(st.just("retry"), MOODS, KILLS, st.booleans())
CANCELS = st.tuples(st.just("cancel"), st.sampled_from(SLOTS), st.sampled_from(PHONES), st.integers(0, 999))
OTHERS = st.tuples(st.sampled_from(["restart", "late"]))
LOOP = asyncio.new_event_loop()


@settings(max_examples=N_CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(CONFIRMS, RETRIES, CANCELS, OTHERS), max_size=12))
def test_nothing_is_booked_twice_and_nothing_is_told_that_is_not_so(events: list[tuple[object, ...]]) -> None:
    told: dict[str, tuple[DeedState, dict[str, object]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        process = Process(Path(folder))
        for event in events:
            LOOP.run_until_complete(_happen(process, event, told))
            _check(process, told)
        LOOP.run_until_complete(_drain(process))
        _check(process, told)
        for key in {_key(event) for event in events if event[0] == "confirm"}:
            found = process.file.find(key)
            assert found is None or found.state is not DeedState.PENDING
        process.diary.close()
        process.file.close()


async def _happen(
    process: Process, event: tuple[object, ...], told: dict[str, tuple[DeedState, dict[str, object]]]
) -> None:
    match event:
        case ("confirm", _, str(starts), str(phone), str(mood), int(kill), bool(is_before)):
            wanted = {"starts": starts, "name": "A", "phone": phone}
            _prepare(process, mood, kill, is_before=is_before)
            try:
                decided = await process.outbox.do(Book.spec.name, wanted, tenant_id="tenant", key=_key(event))
            except Killed:
                process.restart()
            else:
                told[decided.key] = (decided.state, json.loads(decided.arguments_json))
        case ("retry", str(mood), int(kill), bool(is_before)):
            process.now += 400
            _prepare(process, mood, kill, is_before=is_before)
            try:
                await process.outbox.try_due()
            except Killed:
                process.restart()
        case ("cancel", str(starts), str(phone), int(number)):
            with suppress(ToolRefused):
                process.diary.cancel(
                    "tenant", datetime.fromisoformat(starts), name="A", phones=(phone,), key=f"cancel {number}"
                )
                process.cancelled |= {key for key in process.done_keys() if process.wish(key) == (starts, phone)}
        case ("late",):
            process.let_late_arrive()
        case _:
            process.restart()
    process.worker.kill_before = process.worker.kill_behind = -1


def _prepare(process: Process, mood: str, kill: int, *, is_before: bool) -> None:
    process.book.mood, process.book.later = mood, process.at
    process.worker.kill_before, process.worker.kill_behind = (kill, -1) if is_before else (-1, kill)


async def _drain(process: Process) -> None:
    process.book.mood = "well"
    process.let_late_arrive()
    for _ in range(4):
        process.now += 400
        await process.outbox.try_due()


def _key(event: tuple[object, ...]) -> str:
    """One confirmed act has one wish: the same turn and ordinal with another wish is another visit's."""
    return key_of("tenant", f"{event[2]}{event[3]}", str(event[1]), "1")


def _check(process: Process, told: Mapping[str, tuple[DeedState, dict[str, object]]]) -> None:
    rows = process.diary._connection.execute(
        "SELECT starts, phone, key FROM appointments WHERE state = 'booked'"
    ).fetchall()
    assert len({starts for starts, _, _ in rows}) == len(rows)
    assert len({key for _, _, key in rows}) == len(rows)
    booked = {(starts, phone) for starts, phone, _ in rows}
    for key, (state, wanted) in told.items():
        wish = (wanted["starts"], wanted["phone"])
        if state is DeedState.DONE and key not in process.cancelled:
            assert wish in booked
        if state is DeedState.FAILED:
            assert key not in {row[2] for row in rows}
    for _, _, key in rows:
        assert process.file.find(key), "nothing is done that was not decided"


class Slow:
    """Never answers in time."""

    spec = ToolSpec("slow", "", "{}")
    timeout_s = 0.01

    def __init__(self) -> None:
        self.n = 0

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        self.n += 1
        if self.n == 1:
            await asyncio.sleep(1)
        return '{"status": "done"}'


async def test_a_deed_without_an_answer_is_pending_and_tried_again(tmp_path: Path) -> None:
    now = 0.0
    outbox, slow = Outbox(OutboxFile(tmp_path / "outbox"), SqliteThread("test"), clock=lambda: now), Slow()
    outbox.add(slow)
    tool = OutboxTool(slow, outbox, "tenant")
    assert json.loads(await tool.run({}, idempotency_key="key")) == {"status": "pending"}
    assert await outbox.try_due() == 0
    now = 400.0
    assert await outbox.try_due() == 1
    found = await outbox.state("key")
    assert found is not None
    assert found.state is DeedState.DONE
    assert json.loads(await tool.run({}, idempotency_key="key")) == {"status": "done"}
    assert slow.n == 2


def clinic(tmp_path: Path) -> ClinicPackage:
    return ClinicPackage(FACTS, "clinic", tmp_path, clock=lambda: NOW)


BOOK = {"starts": SLOTS[0], "name": "Lan", "phone": "091 234 5678"}
LANS = {"name": "Lan", "phone": PHONES[0]}


async def test_the_clinic_books_finds_moves_and_cancels(tmp_path: Path) -> None:
    tools = clinic(tmp_path).tools("tenant")
    free = json.loads(await tools["clinic_free_times"].run({}, idempotency_key=""))["free"]
    assert free[:3] == ["2026-12-01T10:00", "2026-12-02T15:00", "2026-12-04T09:00"]
    assert "2026-12-25T09:00" not in free  # a holiday
    assert json.loads(await tools["clinic_book"].run(BOOK, idempotency_key="1"))["booked"] == SLOTS[0]
    with pytest.raises(ToolRefused, match="taken"):
        await tools["clinic_book"].run({**BOOK, "phone": PHONES[1]}, idempotency_key="2")
    found = json.loads(await tools["clinic_find"].run(LANS, idempotency_key=""))
    assert [one["starts"] for one in found["appointments"]] == [SLOTS[0]]
    others = clinic(tmp_path).tools("another tenant")
    assert json.loads(await others["clinic_find"].run(LANS, idempotency_key="")) == {"appointments": []}
    move = {"starts": SLOTS[0], "new_starts": SLOTS[1], **LANS}
    assert json.loads(await tools["clinic_move"].run(move, idempotency_key="3"))["moved_to"] == SLOTS[1]
    cancel = {"starts": SLOTS[1], **LANS}
    with pytest.raises(ToolRefused, match="no such appointment"):
        await tools["clinic_cancel"].run({**cancel, "phone": PHONES[1]}, idempotency_key="4")
    assert json.loads(await tools["clinic_cancel"].run(cancel, idempotency_key="5"))["freed"] == SLOTS[1]
    rows = sqlite3.connect(tmp_path / "clinic" / "diary.sqlite").execute("SELECT state FROM appointments").fetchall()
    assert rows == [("cancelled",)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"starts": "2026-12-01T11:00"}, "no appointment can begin"),
        ({"starts": "2026-11-24T10:00"}, "no appointment can begin"),
        ({"starts": "2026-12-01T10:00Z"}, "leave the zone out"),
        ({"starts": "tomorrow"}, "starts"),
        ({"phone": "none"}, "phone: .*no telephone number"),
        ({"name": ""}, "name"),
        ({"extra": 1}, "extra"),
    ],
)
async def test_wrong_arguments_are_refused_by_field(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(ToolRefused, match=why):
        await clinic(tmp_path).tools("tenant")["clinic_book"].run({**BOOK, **changes}, idempotency_key="1")


async def test_what_was_decided_before_a_kill_is_done_after_the_start(tmp_path: Path) -> None:
    first = clinic(tmp_path)
    sqlite3.connect(tmp_path / "clinic" / "outbox.sqlite", isolation_level=None).execute(
        "INSERT INTO deeds (key, tenant_id, tool, arguments_json, state, due)"
        " VALUES ('k', 't', 'clinic_book', ?, 'pending', 0)",
        (json.dumps(BOOK),),
    )
    first.start()
    async with asyncio.timeout(5):
        while not json.loads(await first.tools("t")["clinic_find"].run(LANS, idempotency_key=""))["appointments"]:
            await asyncio.sleep(0.02)
    await first.outbox.stop()
