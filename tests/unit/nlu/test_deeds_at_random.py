"""Random calls on outbox and diary: nothing is done twice, nothing unwanted, and nothing is told that is not so.

DEED_CASES=10000 pytest tests/unit/nlu/test_deeds_at_random.py --hypothesis-seed=14 --timeout=0 runs many more of them;
with TMPDIR=/dev/shm the disk does not hold them up.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.nlu.agent.profile import read_agents
from services.nlu.agent.tools import ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.settings import NluSettings
from services.nlu.tool_runs import key_of
from services.nlu.tools.clinic.diary import Diary
from services.nlu.tools.clinic.tools import Book, Cancel, Move, Times
from services.nlu.tools.deed import Deed, DeedState, NotReached
from services.nlu.tools.outbox import Outbox
from services.nlu.tools.outbox_file import Decided, OutboxFile

T = TypeVar("T")
N_CASES = int(os.environ.get("DEED_CASES", "200"))
FACTS = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)["clinic"].facts
NOW = datetime.fromisoformat("2026-11-30T10:30")
TIMES = Times(FACTS, lambda: NOW)
SLOTS = ("2026-12-01T10:00", "2026-12-02T15:00", "2026-12-04T09:00")
PHONES = ("0912345678", "0987654321")
LONG_S = 400.0  # longer than the outbox ever waits

Row = tuple[str, str]  # when an appointment begins, and its number
Wanted = Mapping[str, str]


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


class Flaky:
    """A system that answers, does and is not heard, does nothing, or does late."""

    timeout_s = 3.0

    def __init__(self, deed: Deed, process: "Process") -> None:
        self.spec: ToolSpec = deed.spec
        self._deed, self._process = deed, process

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        mood = self._process.mood
        if mood == "deaf":
            raise NotReached("refused connection")
        if mood == "late":
            self._process.late.append((self.spec.name, {name: str(value) for name, value in arguments.items()}, key))
            raise NotReached("no answer yet")
        result = await self._deed.do(arguments, tenant_id=tenant_id, key=key)
        if mood == "unheard":
            raise NotReached("the answer was lost")
        return result


class Process:
    """An NLU that can be killed between any two steps, and started again on the same files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.now, self.mood = 0.0, "well"
        self.late: list[tuple[str, Wanted, str]] = []  # on its way to the diary
        self.start()

    def start(self) -> None:
        self.diary, self.file = Diary(self._folder / "diary"), OutboxFile(self._folder / "outbox")
        self.worker = Inline()
        self.outbox = Outbox(self.file, self.worker, clock=lambda: self.now, chance=lambda: 0.5)
        kinds = (Book(self.diary, self.worker, TIMES), Move(self.diary, self.worker, TIMES))
        deeds = [Flaky(deed, self) for deed in (*kinds, Cancel(self.diary, self.worker, TIMES))]
        self.outbox.add_in_order(deeds, "phone")

    def close(self) -> None:
        self.diary.close()
        self.file.close()

    def restart(self) -> None:
        self.close()
        self.start()

    def let_late_arrive(self) -> None:
        """Let the requests that were sent before a kill, or before a timeout, reach the diary now."""
        for tool, wanted, key in self.late:
            at, name, phone = datetime.fromisoformat(wanted["starts"]), wanted["name"], wanted["phone"]
            with suppress(ToolRefused):
                if tool == "clinic_book":
                    self.diary.book("t", at, service="", name=name, phone=phone, key=key, check=TIMES.check)
                elif tool == "clinic_move":
                    new = datetime.fromisoformat(wanted["new_starts"])
                    self.diary.move("t", at, new, name=name, phones=(phone,), key=key, check=TIMES.check)
                else:
                    self.diary.cancel("t", at, name=name, phones=(phone,), key=key)
        self.late.clear()

    def rows(self) -> set[Row]:
        found = self.diary._connection.execute(
            "SELECT starts, phone FROM appointments WHERE state = 'booked'"
        ).fetchall()
        assert len({starts for starts, _ in found}) == len(found), "a time is given once"
        return set(found)

    def decided(self) -> list[str]:
        """The keys of the outbox, in their order."""
        return [key for (key,) in self.file._connection.execute("SELECT key FROM deeds ORDER BY rowid")]

    def done(self) -> dict[str, bool]:
        """The keys that came to the diary, and whether it did what they wanted."""
        rows = self.diary._connection.execute("SELECT key, result_json FROM deeds")
        return {key: "error" not in json.loads(result) for key, result in rows}


MOODS = st.sampled_from(["well", "well", "deaf", "unheard", "late"])
KILLS = st.tuples(
    st.one_of(st.just(-1), st.integers(0, 7)), st.booleans()
)  # after how many steps; before or behind one
TURNS = st.integers(0, 2)
WISHES = st.one_of(
    st.fixed_dictionaries({"starts": st.sampled_from(SLOTS), "phone": st.sampled_from(PHONES)}).map(
        lambda wanted: ("clinic_book", wanted)
    ),
    st.fixed_dictionaries({"starts": st.sampled_from(SLOTS), "phone": st.sampled_from(PHONES)}).map(
        lambda wanted: ("clinic_cancel", wanted)
    ),
    st.fixed_dictionaries(
        {"starts": st.sampled_from(SLOTS), "new_starts": st.sampled_from(SLOTS), "phone": st.sampled_from(PHONES)}
    ).map(lambda wanted: ("clinic_move", wanted)),
)
EVENTS = st.one_of(
    st.tuples(st.just("confirm"), TURNS, WISHES, MOODS, KILLS),
    st.tuples(st.just("twice at once"), TURNS, WISHES, MOODS, KILLS),
    st.tuples(st.just("barge-in"), TURNS, WISHES, MOODS, KILLS),
    st.tuples(st.just("retry"), MOODS, KILLS),
    st.tuples(st.sampled_from(["restart", "late"])),
)
LOOP = asyncio.new_event_loop()


class Caller:
    """The wishes of callers, and what they were told."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._wanted: dict[str, tuple[str, Wanted]] = {}
        self._told: dict[str, DeedState] = {}

    async def happen(self, event: tuple[object, ...]) -> None:
        process, before = self._process, set(self._process.done())
        match event:
            case (str(how), int(turn), (str(tool), dict(wish)), str(mood), (int(kill), bool(is_before))):
                self._prepare(mood, kill, is_before=is_before)
                wanted = {**wish, "name": "A"}
                # One confirmed act has one wish: the same turn with another wish is another visit's.
                key = key_of("t", f"{tool} {sorted(wish.items())}", str(turn), "1")
                self._wanted[key] = (tool, wanted)
                try:
                    decided = await self._confirm(how, tool, wanted, key)
                except Killed:
                    process.restart()
                else:
                    if decided is not None:
                        self._tell(decided, is_new=key not in before)
            case ("retry", str(mood), (int(kill), bool(is_before))):
                process.now += LONG_S
                self._prepare(mood, kill, is_before=is_before)
                try:
                    await process.outbox.try_due()
                except Killed:
                    process.restart()
            case ("late",):
                process.let_late_arrive()
            case _:
                process.restart()
        self._prepare("well", -1, is_before=True)

    def _prepare(self, mood: str, kill: int, *, is_before: bool) -> None:
        worker, self._process.mood = self._process.worker, mood
        worker.kill_before, worker.kill_behind = (kill, -1) if is_before else (-1, kill)

    async def _confirm(self, how: str, tool: str, wanted: Wanted, key: str) -> Decided | None:
        """The decision that the caller can be told; None: they talked over it before it was known."""

        async def once() -> Decided:
            return await self._process.outbox.do(tool, wanted, tenant_id="t", key=key)

        if how == "twice at once":
            first, second = await asyncio.gather(once(), once(), return_exceptions=True)
            for one in (first, second):
                if isinstance(one, BaseException):
                    raise one
            return first if isinstance(first, Decided) else None
        if how == "barge-in":
            doing = asyncio.ensure_future(once())
            await asyncio.sleep(0)
            doing.cancel()
            (ended,) = await asyncio.gather(doing, return_exceptions=True)
            for _ in range(8):
                await asyncio.sleep(0)  # what was begun goes on
            if isinstance(ended, Killed):
                raise ended
            return None
        return await once()

    def _tell(self, decided: Decided, *, is_new: bool) -> None:
        """Tell the caller how the deed stands: a deed that is told as done just now is done."""
        self._told[decided.key] = decided.state
        if decided.state is not DeedState.DONE or not is_new:
            return
        tool, wanted = self._wanted[decided.key]
        rows, phone = self._process.rows(), wanted["phone"]
        held, new = (wanted["starts"], phone), (wanted.get("new_starts", ""), phone)
        if tool == "clinic_book":
            assert held in rows
        elif tool == "clinic_cancel":
            assert held not in rows
        else:
            assert new in rows
            assert held == new or held not in rows

    def check(self) -> None:
        """The diary has what was decided and done, each once and in the order of the decisions, and nothing else."""
        process, done, rows = self._process, self._process.done(), set[Row]()
        decided = process.decided()
        assert done.keys() <= set(decided), "nothing is done that was not decided"
        for key in decided:
            assert key not in done or self._told.get(key) is not (DeedState.FAILED if done[key] else DeedState.DONE)
            if done.get(key):
                _apply(rows, *self._wanted[key])
        assert rows == process.rows(), "what callers decided last holds"
        for key, state in self._told.items():
            assert state is not DeedState.DONE or done[key], "nothing is told that is not there"

    def check_settled(self) -> None:
        """Check that each deed that was told as noted has come to an end."""
        for key in self._told:
            found = self._process.file.find(key)
            assert found is not None
            assert found.state is not DeedState.PENDING


def _apply(rows: set[Row], tool: str, wanted: Wanted) -> None:
    held, phone = (wanted["starts"], wanted["phone"]), wanted["phone"]
    if tool == "clinic_book":
        rows.add(held)
    elif tool == "clinic_cancel":
        rows.discard(held)
    elif held in rows:
        rows.discard(held)
        rows.add((wanted["new_starts"], phone))


@settings(max_examples=N_CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENTS, max_size=14))
def test_nothing_is_booked_twice_and_nothing_is_told_that_is_not_so(events: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        process = Process(Path(folder))
        caller = Caller(process)
        for event in events:
            LOOP.run_until_complete(caller.happen(event))
            caller.check()
        LOOP.run_until_complete(_drain(process))
        caller.check()
        caller.check_settled()
        process.close()


async def _drain(process: Process) -> None:
    process.let_late_arrive()
    for _ in range(8):
        process.now += LONG_S
        await process.outbox.try_due()
