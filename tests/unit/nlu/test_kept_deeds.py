"""Deeds that ended long ago leave outbox and journal; one that is undone, or that somebody is to hear of, stays."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from services.nlu.agent.tools import ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.tools.deed import DeedState, NotReached
from services.nlu.tools.journal import Journal
from services.nlu.tools.outbox import Outbox
from services.nlu.tools.outbox_file import Decided, OutboxFile
from services.nlu.tools.sqlite_thread import SqliteThread

DAY_S = 86_400.0
SPEC = ToolSpec("note", "Notes something.", "{}", writes=True)


class Notes:
    """Does what it is told; of "never" nothing, of "no" it refuses."""

    spec, timeout_s = SPEC, 1.0

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        if arguments["what"] == "never":
            raise NotReached("away")
        if arguments["what"] == "no":
            raise ToolRefused("no")
        return '{"status": "done"}'


def keys_in(path: Path, table: str) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {key for (key,) in connection.execute(f"SELECT key FROM {table}")}  # noqa: S608 - a table of this test


async def test_only_what_ended_long_ago_is_forgotten(tmp_path: Path) -> None:
    now = 1_000_000.0
    journal = Journal(tmp_path / "sent.sqlite", "sent")
    file = OutboxFile(tmp_path / "outbox.sqlite")
    worker = SqliteThread("outbox")
    outbox = Outbox(file, worker, clock=lambda: now, chance=lambda: 0.5, kept_s=90 * DAY_S, forget=journal.forget_all)
    outbox.add(Notes())
    for key, what in (("done", "yes"), ("refused", "no"), ("pending", "never"), ("promised", "yes")):
        await outbox.do("note", {"what": what}, tenant_id="t", key=key)
        await journal.note(key, "sent")
    file.promise("promised", "en")
    now += 89 * DAY_S
    assert await outbox.forget_old() == 0
    await outbox.do("note", {"what": "yes"}, tenant_id="t", key="late")
    now += 2 * DAY_S
    assert await outbox.forget_old() == 2
    assert keys_in(tmp_path / "outbox.sqlite", "deeds") == {"pending", "promised", "late"}
    assert keys_in(tmp_path / "sent.sqlite", "sent") == {"pending", "promised"}
    file.keep_promise("promised")
    assert await outbox.forget_old() == 1
    assert keys_in(tmp_path / "outbox.sqlite", "promises") == set()


async def test_a_journal_that_cannot_be_reached_keeps_the_deed(tmp_path: Path) -> None:
    async def broken(keys: object) -> None:
        raise NotReached("the disk is gone")

    file = OutboxFile(tmp_path / "outbox.sqlite")
    outbox = Outbox(file, SqliteThread("outbox"), clock=lambda: 1e9, kept_s=DAY_S, forget=broken)
    file.put(Decided("a", "t", "note", "{}"), due=0)
    file.settle("a", DeedState.DONE, "{}")
    try:
        await outbox.forget_old()
    except NotReached:
        assert keys_in(tmp_path / "outbox.sqlite", "deeds") == {"a"}
    else:
        raise AssertionError("it was told to go on")
