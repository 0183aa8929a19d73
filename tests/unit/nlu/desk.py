"""A caller at the desk of the clinic, with a diary: says things, and hears the replies as far as they let them play."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import yaml

from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.understanding import Guess
from services.nlu.engine import NluEngine
from services.nlu.history import Entry
from services.nlu.inputs import Commit, Config, PlayoutReport, Text, UserTurn
from services.nlu.outputs import Outcome, TurnEnd
from services.nlu.settings import NluSettings
from services.nlu.tools.clinic.diary import Diary
from tests.unit.nlu.rig import Rig, opened

NOW = datetime.fromisoformat("2026-11-30T10:30")  # a Monday
KINDS = {
    "move": "change",
    "cancel": "cancel",
    "when is": "check",
    "dời": "change",
    "hủy": "cancel",
    "no wait": "no",
    "appointment": "book",
    "how much": "price",
    "yes": "yes",
    "vâng": "yes",
    "hẹn": "book",
}


class Told:
    """Understands the words of these tests."""

    async def load(self) -> None: ...

    async def understand(self, text: str, language_code: str) -> tuple[Guess, ...]:
        kind = next((kind for words, kind in KINDS.items() if words in text.lower()), "unknown")
        return Guess(kind, 0.9 if kind != "unknown" else 0.1), Guess("chat", 0.05)


def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> GraphAgent:
    now = NOW.replace(tzinfo=profile.zone)
    return GraphAgent(profile, engine, settings, clock=lambda: now, understanding=Told())


def clinic_with_many_times(folder: Path) -> Path:
    """A folder of agents with the clinic, which has eight free times on each weekday."""
    clinic = yaml.safe_load((NluSettings().agents_dir / "clinic.yaml").read_text(encoding="utf-8"))
    times = ("09:00", "09:30", "10:00", "11:00", "14:00", "14:30", "15:00", "16:00")
    days = ("monday", "tuesday", "wednesday", "thursday", "friday")
    clinic["facts"]["free_times"] = [{"weekday": day, "time": at} for day in days for at in times]
    agents = folder / "agents"
    agents.mkdir()
    (agents / "clinic.yaml").write_text(yaml.safe_dump(clinic, allow_unicode=True), encoding="utf-8")
    return agents


class Caller:
    """Says things, and hears the replies as far as they let them be played."""

    def __init__(self, rig: Rig, turn_id: int = 0) -> None:
        self.rig, self.turn_id = rig, turn_id

    async def say(self, text: str, *, hears: float | None = 1.0, is_draft: bool = False, commits: bool = True) -> str:
        self.turn_id += 1
        await self.rig.send(UserTurn(self.turn_id, Text(text), "", is_draft=is_draft))
        if is_draft:
            await asyncio.sleep(0.2)
            if not commits:
                return self.rig.said(self.turn_id)
            await self.rig.send(Commit(self.turn_id))
        async with asyncio.timeout(10):
            while not self.rig.of(TurnEnd, self.turn_id):
                await asyncio.sleep(0.005)
        assert self.rig.end(self.turn_id).outcome is Outcome.COMPLETED
        said = self.rig.said(self.turn_id)
        if hears is not None:
            await self.rig.send(PlayoutReport(self.turn_id, int(len(said) * hears), is_final=True))
        return said

    async def come_to_the_question(self, *, hears: float | None = 1.0) -> str:
        await self.say("I want an appointment for a cleaning")
        await self.say("Tuesday")
        await self.say("Anna Bell")
        return await self.say("0912 345 678", hears=hears)


@asynccontextmanager
async def call(
    tmp_path: Path | None,
    *,
    visit: str = "1" * 32,
    state: bytes = b"",
    history: tuple[Entry, ...] = (),
    caller: str = "",
    agents_dir: Path | None = None,
) -> AsyncIterator[Rig]:
    values = {"engine": "script", "data_dir": tmp_path, "tool_filler_ms": 60_000}
    settings = NluSettings.model_validate(values | ({"agents_dir": agents_dir} if agents_dir else {}))
    config = Config(call_id="call", visit_id=visit, tenant_id="tenant", state=state, history=history, caller=caller)
    async with opened(settings, config, factory=make) as rig:
        yield rig


def booked(tmp_path: Path) -> list[tuple[str, str, str, str]]:
    connection = sqlite3.connect(tmp_path / "clinic" / "diary.sqlite")
    return connection.execute("SELECT starts, service, name, phone FROM appointments WHERE state = 'booked'").fetchall()


def stands(tmp_path: Path, starts: str, *, name: str, phone: str) -> None:
    """An appointment that was made before."""
    diary = Diary(tmp_path / "clinic" / "diary.sqlite")
    at = datetime.fromisoformat(starts)
    diary.book("", at, service="cleaning", name=name, phone=phone, key=f"before {starts} {phone}", check=lambda _: None)
    diary.close()
