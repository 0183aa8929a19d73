"""Plays dialogues that must end in deeds, with a diary of their own, and says which deeds were right.

A call is *reached* when exactly the deeds of its file were done, with the arguments of its file, and the diary then has
what they leave. A deed that is not in the file is *wrong*. A reply is *untrue* when it says that something was booked,
moved or cancelled and no such deed has been done in that call.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from services.language.words import normalise
from services.nlu.agent.farewell_lists import load_farewells
from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.guarding import Guarding, guard_of
from services.nlu.agent.interface import Call
from services.nlu.agent.phrases import load_languages
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.conversation import Conversation
from services.nlu.engine import NluEngine
from services.nlu.inputs import Config, PlayoutReport, Silence, Text, TurnInput, UserTurn
from services.nlu.outputs import Output, ReplyText, ToolActivity, ToolPhase, TurnEnd
from services.nlu.settings import NluSettings
from services.nlu.tools.clinic.diary import Diary
from services.nlu.tools.hotel.package import HotelPackage
from services.nlu.tools.hotel.register import Register
from services.runtime.metrics import StageMetrics
from tests.load.dialogue_files import Expected, ExpectedDeed, Phrases, Script

_REPLY_LIMIT_S = 60.0
_SILENCE_MS = 8000
_CLAIMS = {"booked": "book", "cancelled": "cancel", "changed": "move"}  # the end of a tool's name

Row = tuple[str, str]  # when an appointment or a stay begins, and its number


@dataclass(frozen=True, slots=True)
class Deed:
    """A deed that was done."""

    tool: str
    arguments: Mapping[str, str]


@dataclass(slots=True)
class Played:
    """The result of one call."""

    script: Script
    deeds: list[Deed] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    rows: set[Row] = field(default_factory=set)  # of the diary, afterwards
    wrong_turns: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def wrong_deeds(self) -> list[Deed]:
        """Deeds that were not wanted, or with other arguments."""
        left = list(self.script.deeds or ())
        wrong = []
        for deed in self.deeds:
            fitting = next((one for one in left if _fits(deed, one)), None)
            if fitting is None:
                wrong.append(deed)
            else:
                left.remove(fitting)
        return wrong

    @property
    def is_reached(self) -> bool:
        is_done = len(self.deeds) == len(self.script.deeds or ()) and not self.wrong_deeds
        return is_done and self.rows == _rows_after(self.script) and not self.wrong_turns


@dataclass(slots=True)
class DeedScore:
    """The number of calls that reached their deeds."""

    calls: int = 0
    reached: int = 0
    wrong_deeds: int = 0
    untrue: int = 0


def _fits(deed: Deed, expected: ExpectedDeed) -> bool:
    given = {name: normalise(str(value)) for name, value in deed.arguments.items()}
    wanted = {name: normalise(str(value)) for name, value in expected.arguments.items()}
    return deed.tool == expected.tool and all(given.get(name) == value for name, value in wanted.items())


def _rows_after(script: Script) -> set[Row]:
    """The rows that the diary must have in the end."""
    rows = {
        (str(row.get("starts") or row["arrives"]), f"{row['phone']}{number or ''}")
        for row in script.diary
        for number in range(int(row.get("count", 1)))
    }
    for deed in script.deeds or ():
        starts, phone = str(deed.arguments.get("starts") or deed.arguments["arrives"]), deed.arguments["phone"]
        if deed.tool.endswith("_book"):
            rows.add((starts, phone))
        else:
            rows.discard((starts, phone))
        if deed.tool == "clinic_move":
            rows.add((deed.arguments["new_starts"], phone))
    return rows


class DeedCaller:
    """Plays one call and keeps what was done in it."""

    def __init__(self, played: Played, phrases: Mapping[str, list[str]]) -> None:
        self._played, self._phrases = played, phrases
        self.conversation: Conversation | None = None
        self._text = ""
        self._ended = asyncio.Event()

    async def emit(self, output: Output) -> None:
        match output:
            case ReplyText(text=text):
                self._text += text
            case ToolActivity(name=name, phase=ToolPhase.COMPLETED, arguments_json=arguments, result_json=result):
                if json.loads(result).get("status") == "done":
                    self._played.deeds.append(Deed(name, json.loads(arguments)))
            case TurnEnd():
                self._ended.set()

    async def play(self) -> None:
        """The whole call."""
        for turn_id, turn in enumerate(self._played.script.turns, start=1):
            assert self.conversation is not None
            self._text, self._ended = "", asyncio.Event()
            said: TurnInput = Silence(_SILENCE_MS, turn.silence) if turn.silence else Text(turn.caller)
            await self.conversation.handle(UserTurn(turn_id, said, language_code=self._played.script.language))
            async with asyncio.timeout(_REPLY_LIMIT_S):
                await self._ended.wait()
            heard = int(len(self._text) * turn.hears)
            await self.conversation.handle(PlayoutReport(turn_id, heard, is_final=True))
            self._judge(turn)

    def _judge(self, turn: Expected) -> None:
        played, plain = self._played, self._text.lower()
        played.replies.append(self._text.strip())
        done = {deed.tool.rpartition("_")[2] for deed in played.deeds}
        for claim, tool in _CLAIMS.items():
            if claim in self._phrases and tool not in done and _says(plain, self._phrases[claim]):
                played.untrue.append(self._text)
        has_all = all(wanted.lower() in plain for wanted in turn.all)
        has_any = not turn.any or any(wanted.lower() in plain for wanted in turn.any)
        if not (has_all and has_any) or any(never.lower() in plain for never in turn.never):
            played.wrong_turns.append(f"{turn.caller!r} -> {self._text!r}")


def _says(plain: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, plain) for pattern in patterns)


class Desk:
    """One agent with a diary; each call is of a tenant of its own, so that no call sees another's appointments."""

    def __init__(self, profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> None:
        self._profile, self._engine, self._settings = profile, engine, settings
        self._now = datetime.now(profile.zone)
        self._agent = GraphAgent(profile, engine, settings, clock=lambda: self._now)
        self._guarding = Guarding(guard_of(profile), profile, lambda: self._now)

    async def load(self) -> None:
        await self._agent.load()

    async def play(self, script: Script, phrases: Mapping[str, list[str]]) -> Played:
        assert script.now is not None, f"{script.name}: deeds need `now`"
        assert self._settings.data_dir is not None
        self._now = script.now.replace(tzinfo=self._profile.zone)
        rooms = rooms_of(self._profile)
        path = self._settings.data_dir / script.agent / ("rooms.sqlite" if rooms else "diary.sqlite")
        if rooms:
            prepare_rooms(path, script, script.name, rooms)
        else:
            prepare_diary(path, script, script.name)
        played = Played(script)
        caller = DeedCaller(played, phrases)
        config = Config(
            call_id=script.name,
            visit_id=script.name,
            tenant_id=script.name,
            agent_id=script.agent,
            language_codes=(script.language,),
            caller=script.calls_from,
        )
        call = Call(script.name, (script.language,), tenant_id=script.name, caller=script.calls_from)
        async with asyncio.TaskGroup() as tasks:
            caller.conversation = Conversation(
                config,
                agent=self._agent,
                call=call,
                guarding=self._guarding,
                engine=self._engine,
                settings=self._settings,
                metrics=_METRICS,
                emit=caller.emit,
                tasks=tasks,
            )
            await caller.play()
            await caller.conversation.finish()
        played.rows = stays_of(path, script.name) if rooms else rows_of(path, script.name)
        return played


_METRICS = StageMetrics("nlu")


def prepare_diary(path: Path, script: Script, tenant_id: str) -> None:
    """Put down what stands in the diary before the call."""
    diary = Diary(path)
    for n, row in enumerate(script.diary):
        diary.book(
            tenant_id,
            datetime.fromisoformat(row["starts"]),
            service=row.get("service", ""),
            name=row["name"],
            phone=row["phone"],
            key=f"{script.name} {n}",
            check=lambda _: None,
        )
    diary.close()


def rooms_of(profile: AgentProfile) -> Mapping[str, int]:
    """Return how many rooms of each kind an agent lets; empty: none."""
    use = next((use for use in profile.packages if use.package == "hotel"), None)
    return dict(use.options.rooms) if use and isinstance(use.options, HotelPackage.Options) else {}


def prepare_rooms(path: Path, script: Script, tenant_id: str, rooms: Mapping[str, int]) -> None:
    """Put down the stays that are booked before the call; `count` of a row: so many of the same."""
    register = Register(path, rooms)
    for n, row in enumerate(script.diary):
        for number in range(int(row.get("count", 1))):
            register.book(
                tenant_id,
                row["room"],
                date.fromisoformat(str(row["arrives"])),
                int(row.get("nights", 1)),
                name=row["name"],
                phone=f"{row['phone']}{number or ''}",
                key=f"{script.name} {n} {number}",
                today=date.min,
            )
    register.close()


def stays_of(path: Path, tenant_id: str) -> set[Row]:
    """The stays of a tenant that stand."""
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT arrives, phone FROM stays WHERE tenant_id = ? AND state = 'booked'", (tenant_id,)
        ).fetchall()
    return {(arrives, phone) for arrives, phone in found}


def rows_of(path: Path, tenant_id: str) -> set[Row]:
    """The appointments of a tenant that stand."""
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT starts, phone FROM appointments WHERE tenant_id = ? AND state = 'booked'", (tenant_id,)
        ).fetchall()
    return {(starts, phone) for starts, phone in found}


async def play_deeds(
    scripts: Sequence[Script], phrases: Phrases, engine: NluEngine, *, shows: bool
) -> dict[str, DeedScore]:
    """Play the scripts that have deeds; the scores by language, and of all as "all"."""
    scores: dict[str, DeedScore] = {}
    load_languages()
    load_farewells()
    with tempfile.TemporaryDirectory() as folder:
        settings = NluSettings.model_validate({"engine": "script", "data_dir": folder})
        profiles = read_agents(settings.agents_dir)
        desks = {name: Desk(profiles[name], engine, settings) for name in {script.agent for script in scripts}}
        for desk in desks.values():
            await desk.load()
        for script in scripts:
            played = await desks[script.agent].play(script, phrases[script.language])
            for name in (script.language, "all"):
                score = scores.setdefault(name, DeedScore())
                score.calls += 1
                score.reached += played.is_reached
                score.wrong_deeds += len(played.wrong_deeds)
                score.untrue += len(played.untrue)
            if shows and (not played.is_reached or played.untrue):
                print(_story(played))
    return scores


def story_of(played: Played) -> list[str]:
    """The deeds that were done in a call, for a person."""
    return [f"    done:   {deed.tool} {dict(deed.arguments)}" for deed in played.deeds]


def _story(played: Played) -> str:
    """A call that did not reach what it had to, for a person."""
    lines = [f"{'reached' if played.is_reached else 'MISSED'} {played.script.name}"]
    for turn, reply in zip(played.script.turns, played.replies, strict=True):
        lines += [f"    caller: {turn.caller or '(silence)'}", f"    agent:  {reply}"]
    lines += story_of(played)
    lines += [f"    untrue: {text}" for text in played.untrue]
    return "\n".join(lines)
