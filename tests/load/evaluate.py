"""Puts questions and dialogues to an agent and says how it did: python -m tests.load.evaluate (or `make evaluate`).

Reads tests/data/dialogues; its README.md describes the files. A reply is *right* when it has everything that its file
asks for, *false* when it has a figure that stands neither in the agent's facts nor in what the caller said, or claims a
deed that was not done, and *wrong* otherwise. Agent, engine and guard run in this process as in the service.

    AGENT_KIND=graph,prompt  ENGINE=none,llama_cpp  MODEL=qwen2.5-1.5b-instruct  PART=test,dev  LANGUAGES=en,vi  SHOW=1
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime

from services.nlu.__main__ import openings
from services.nlu.agent.farewell_lists import load_farewells
from services.nlu.agent.guarding import guarding_of
from services.nlu.agent.interface import Call
from services.nlu.agent.kinds import open_agent
from services.nlu.agent.phrases import load_languages
from services.nlu.agent.profile import read_agents
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.conversation import Conversation
from services.nlu.engine import Message, NluEngine, ReplyPart, ReplyRequest, TextMade, open_engine
from services.nlu.inputs import CallActionResult, Config, PlayoutReport, Text, UserTurn
from services.nlu.outputs import ActionOutcome, CallAction, Output, ReplyText, TurnEnd
from services.nlu.settings import NluSettings
from services.runtime.metrics import StageMetrics
from tests.load.deed_dialogues import DeedScore, play_deeds
from tests.load.dialogue_files import Expected, Script, read_phrases, read_scripts
from tests.load.judge import Judge

_REPLY_LIMIT_S = 60.0


@dataclass(slots=True)
class Heard:
    """The result of one turn."""

    text: str = ""
    acts: list[str] = field(default_factory=list)
    first_clause_s: float = 0.0
    withheld: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Score:
    """The score of the turns, by language or altogether."""

    right: int = 0
    wrong: int = 0
    false: int = 0
    acts_right: int = 0
    acts_wrong: int = 0
    withheld: int = 0
    tokens: int = 0
    first_clauses_s: list[float] = field(default_factory=list)


class CountingEngine:
    """An engine whose tokens are counted: each piece of a model's text is one."""

    def __init__(self, engine: NluEngine) -> None:
        self._engine = engine
        self.continues = engine.continues
        self.name, self.model = engine.name, engine.model
        self.tokens = 0

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        await self._engine.load(prompts)

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        async for part in self._engine.reply(request):
            self.tokens += isinstance(part, TextMade)
            yield part

    async def commit(self, conversation: str, turn_id: int) -> None:
        await self._engine.commit(conversation, turn_id)

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        await self._engine.prepare(conversation, messages, language_code=language_code)

    async def forget(self, conversation: str) -> None:
        await self._engine.forget(conversation)

    async def close(self) -> None:
        await self._engine.close()


class Caller:
    """Plays one call."""

    def __init__(self, script: Script, conversation: Conversation) -> None:
        self._conversation = conversation
        self._language = script.language
        self._heard = Heard()
        self._asked_at = 0.0
        self._ended = asyncio.Event()

    async def emit(self, output: Output) -> None:
        match output:
            case ReplyText(text=text):
                if not self._heard.text:
                    self._heard.first_clause_s = time.perf_counter() - self._asked_at
                self._heard.text += text
            case CallAction(act=act):
                self._heard.acts.append(re.sub(r"(?<!^)(?=[A-Z])", "_", type(act).__name__).lower())
                await self._conversation.handle(CallActionResult(output.action_id, ActionOutcome.DONE))
            case TurnEnd(withheld=withheld):
                self._heard.withheld = [f"{one.rule}: {one.text}" for one in withheld]
                self._ended.set()

    def takes(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def say(self, turn_id: int, text: str) -> Heard:
        """Say it, and hear the reply to its end."""
        self._heard, self._ended = Heard(), asyncio.Event()
        self._asked_at = time.perf_counter()
        await self._conversation.handle(UserTurn(turn_id, Text(text), language_code=self._language))
        async with asyncio.timeout(_REPLY_LIMIT_S):
            await self._ended.wait()
        await self._conversation.handle(PlayoutReport(turn_id, len(self._heard.text), is_final=True))
        return self._heard


async def evaluate(kind: str, engine_name: str, scripts: list[Script], *, shows: bool) -> dict[str, Score]:
    """Play the scripts; the scores by language, and of all as "all"."""
    changes = {"engine": "script" if engine_name == "none" else engine_name, "agent_kind": kind}
    if "MODEL" in os.environ and engine_name == "llama_cpp":
        changes["model"] = os.environ["MODEL"]
    settings = NluSettings.model_validate(changes)
    load_languages()
    load_farewells()
    profiles = read_agents(settings.agents_dir)
    engine = CountingEngine(open_engine(settings))
    agents = {name: open_agent(profiles[name], engine, settings) for name in {script.agent for script in scripts}}
    for agent in agents.values():
        await agent.load()
    await engine.load(openings([agent for agent in agents.values() if isinstance(agent, PromptAgent)]))
    phrases, metrics = read_phrases(), StageMetrics("nlu")
    scores: dict[str, Score] = {}
    for script in scripts:
        profile = profiles[script.agent]
        judge = Judge(profile, script.language, phrases[script.language], datetime.now(profile.zone))
        call = Call(script.name, (script.language,))
        caller: Caller | None = None

        async def emit(output: Output) -> None:
            assert caller is not None  # noqa: B023 - of this round: the conversation ends with it
            await caller.emit(output)  # noqa: B023

        async with asyncio.TaskGroup() as tasks:
            config = Config(call_id=script.name, agent_id=script.agent, language_codes=(script.language,))
            conversation = Conversation(
                config,
                agent=agents[script.agent],
                call=call,
                guarding=guarding_of(profile),
                engine=engine,
                settings=settings,
                metrics=metrics,
                emit=emit,
                tasks=tasks,
            )
            caller = Caller(script, conversation)
            said = ""
            for turn_id, turn in enumerate(script.turns, start=1):
                said += f"{turn.caller}\n"
                before = engine.tokens
                heard = await caller.say(turn_id, turn.caller)
                outcome = judge.outcome(heard.text, turn, said)
                for name in (script.language, "all"):
                    _count(scores.setdefault(name, Score()), outcome, heard, turn, engine.tokens - before)
                is_bad = _acts_of(heard, turn) != sorted(turn.acts)
                if shows and (heard.withheld or outcome != "right" or is_bad or "ALL" in os.environ):
                    more = [*heard.acts, *heard.withheld] or ""
                    print(f"{outcome:5} {script.name}: {turn.caller}\n      {heard.text} {more}")
            await conversation.finish()
        await engine.forget(script.name)
    await engine.close()
    return scores


def _acts_of(heard: Heard, turn: Expected) -> list[str]:
    """The acts that were asked for; a change of the recogniser's language counts only where the file speaks of one."""
    return sorted(act for act in heard.acts if act != "switch_language" or "switch_language" in turn.acts)


def _count(score: Score, outcome: str, heard: Heard, turn: Expected, tokens: int) -> None:
    setattr(score, outcome, getattr(score, outcome) + 1)
    if _acts_of(heard, turn) == sorted(turn.acts):
        score.acts_right += bool(turn.acts)
    else:
        score.acts_wrong += 1
    score.tokens += tokens
    score.withheld += len(heard.withheld)
    score.first_clauses_s.append(heard.first_clause_s)


def _row(name: str, score: Score) -> str:
    n = score.right + score.wrong + score.false
    times = sorted(score.first_clauses_s)
    p50, p95 = (times[min(int(share * len(times)), len(times) - 1)] * 1000 for share in (0.5, 0.95))
    figures = (
        n,
        score.right,
        score.wrong,
        score.false,
        score.acts_right,
        score.acts_wrong,
        score.withheld,
        score.tokens,
    )
    return f"{name:<34}" + "".join(f"{figure:>8}" for figure in figures) + f"{p50:>9.0f}{p95:>8.0f}"


async def _main() -> int:
    chosen = {key: (os.environ.get(key) or default).split(",") for key, default in (
        ("AGENT_KIND", "graph"), ("ENGINE", "none"), ("PART", "test"), ("LANGUAGES", "en,vi"), ("AGENT", ""),
    )}  # fmt: skip
    scripts = [
        script
        for script in read_scripts()
        if script.part in chosen["PART"]
        and script.language in chosen["LANGUAGES"]
        and (chosen["AGENT"] == [""] or script.agent in chosen["AGENT"])
    ]
    with_deeds = [script for script in scripts if script.deeds is not None]
    scripts = [script for script in scripts if script.deeds is None]
    rows, n_false = [], 0
    for engine in chosen["ENGINE"]:
        for kind in chosen["AGENT_KIND"] if scripts else ():
            scores = await evaluate(kind, engine, scripts, shows="SHOW" in os.environ)
            rows += [_row(f"{kind}, {engine}, {language}", score) for language, score in sorted(scores.items())]
            n_false += scores["all"].false
    if rows:
        names = ("turns", "right", "wrong", "false", "acts", "bad", "guarded", "tokens")
        print(f"{'agent, engine, language':<34}" + "".join(f"{name:>8}" for name in names) + "  first ms p50, p95")
        print("\n".join(rows))
    if with_deeds:
        deeds = await play_deeds(with_deeds, read_phrases(), _script_engine(), shows="SHOW" in os.environ)
        print(f"\n{'deeds, language':<34}{'calls':>8}{'reached':>9}{'share':>8}{'wrong':>8}{'untrue':>8}")
        print("\n".join(_deed_row(language, score) for language, score in sorted(deeds.items())))
        n_false += deeds["all"].wrong_deeds + deeds["all"].untrue
    return 1 if n_false else 0


def _script_engine() -> NluEngine:
    """Deeds are those of `graph`, which asks no model."""
    return open_engine(NluSettings.model_validate({"engine": "script"}))


def _deed_row(language: str, score: DeedScore) -> str:
    share = f"{score.reached / score.calls:.0%}"
    return (
        f"{f'graph, {language}':<34}{score.calls:>8}{score.reached:>9}{share:>8}{score.wrong_deeds:>8}{score.untrue:>8}"
    )


def main() -> None:
    sys.exit(asyncio.run(_main()))


if __name__ == "__main__":
    main()
