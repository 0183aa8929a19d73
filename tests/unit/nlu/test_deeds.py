"""The outbox and the diary behind it: kills, retries, keys that come twice, deeds that come late."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest

from services.nlu.agent.profile import read_agents
from services.nlu.agent.tools import ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.settings import NluSettings
from services.nlu.tools.clinic.package import ClinicPackage
from services.nlu.tools.deed import DeedState
from services.nlu.tools.outbox import Outbox, OutboxTool
from services.nlu.tools.outbox_file import OutboxFile
from services.nlu.tools.sqlite_thread import SqliteThread

T = TypeVar("T")
FACTS = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)["clinic"].facts
NOW = datetime.fromisoformat("2026-11-30T10:30")
SLOTS = ("2026-12-01T10:00", "2026-12-02T15:00")
PHONES = ("0912345678", "0987654321")


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


async def test_how_a_deed_stands_is_told_while_it_is_under_way(tmp_path: Path) -> None:
    outbox, slow = Outbox(OutboxFile(tmp_path / "outbox"), SqliteThread("test")), Slow()
    slow.timeout_s = 30.0
    outbox.add(slow)
    tool = OutboxTool(slow, outbox, "tenant")
    assert await tool.standing(idempotency_key="key") == ""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await tool.run({}, idempotency_key="key")
    assert json.loads(await tool.standing(idempotency_key="key")) == {"status": "pending", "reference": "key"}
    await asyncio.sleep(1.2)
    assert json.loads(await tool.standing(idempotency_key="key")) == {"status": "done"}
    assert slow.n == 1


async def test_a_deed_without_an_answer_is_pending_and_tried_again(tmp_path: Path) -> None:
    now = 0.0
    outbox, slow = Outbox(OutboxFile(tmp_path / "outbox"), SqliteThread("test"), clock=lambda: now), Slow()
    outbox.add(slow)
    tool = OutboxTool(slow, outbox, "tenant")
    assert json.loads(await tool.run({}, idempotency_key="key")) == {"status": "pending", "reference": "key"}
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
