"""The calls of tests/data/dialogues: what callers say, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "data" / "dialogues"

Phrases = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Expected:
    """One turn of a file."""

    caller: str
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    hears: float = 1.0  # share of the reply that the caller hears
    silence: int = 0  # the caller says nothing, so often in a row


@dataclass(frozen=True, slots=True)
class ExpectedDeed:
    """A tool that must be run, and what it must be given at least."""

    tool: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Script:
    """One call: what the caller says, turn by turn."""

    name: str
    agent: str
    language: str
    part: str
    turns: tuple[Expected, ...]
    now: datetime | None = None  # by the agent's clock; None: as it is
    calls_from: str = ""  # the caller's number
    diary: tuple[Mapping[str, str], ...] = ()  # appointments that stand before the call
    deeds: tuple[ExpectedDeed, ...] | None = None  # all that must be done; None: the agent has no tools that write


def read_scripts(folder: Path = FOLDER) -> list[Script]:
    """Every call of the folder: a question is a call of one turn."""
    scripts = []
    for path in sorted(folder.glob("*.yaml")):
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        shared: dict[str, Any] = {key: content.get(key, "") for key in ("agent", "language", "part")}
        shared["now"] = datetime.fromisoformat(str(content["now"])) if "now" in content else None
        for number, question in enumerate(content.get("questions", ()), start=1):
            scripts.append(Script(f"{path.stem}.{number}", **shared, turns=(_expected(question),)))
        for number, one in enumerate(content.get("dialogues", ()), start=1):
            call = one if isinstance(one, dict) else {"turns": one}
            name = f"{path.stem}.{call.get('name', f'dialogue-{number}')}"
            scripts.append(Script(name, **shared, **_call(call)))
        if "turns" in content:
            scripts.append(Script(path.stem, **shared, **_call(content)))
    return scripts


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    deeds = [ExpectedDeed(tool, arguments) for deed in call.get("deeds", ()) for tool, arguments in deed.items()]
    return {
        "turns": tuple(_expected(turn) for turn in call["turns"]),
        "calls_from": str(call.get("calls_from", "")),
        "diary": tuple(call.get("diary", ())),
        "deeds": tuple(deeds) if "deeds" in call else None,
    }


def _expected(turn: dict[str, Any]) -> Expected:
    lists = {key: tuple(map(str, turn.get(key, ()))) for key in ("all", "any", "never", "acts")}
    said = str(turn.get("say", turn.get("caller", "")))
    return Expected(said, **lists, hears=turn.get("hears", 1.0), silence=turn.get("silence", 0))


def read_phrases() -> Phrases:
    """Regular expressions by language and name."""
    phrases: Phrases = yaml.safe_load((FOLDER / "phrases.yaml").read_text(encoding="utf-8"))
    return phrases
