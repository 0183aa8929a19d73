"""State, limits and tools of one turn of the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from services.nlu.agent.courtesies import user_text
from services.nlu.agent.interface import AgentState
from services.nlu.agent.waiting_words import WaitingWords
from services.nlu.engine import ToolWanted
from services.nlu.guarded_reply import GuardedReply
from services.nlu.history import ToolCall
from services.nlu.inputs import TurnInput
from services.nlu.tool_waits import CompanyTimes
from services.runtime.clock import Stopwatch


@dataclass(slots=True, eq=False)
class Turn:
    """State of a turn from its beginning to its end."""

    turn_id: int
    input: TurnInput
    language_code: str
    family: tuple[int, ...]  # itself, then the turns it continues
    committed: asyncio.Event
    switches_language: bool = False
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    reply: str = ""  # as sent
    remembered: AgentState | None = None  # by the agent in this turn
    is_waiting_for_commit: bool = False
    engines: list[str] = field(default_factory=list)  # of a chain, in the order they made the reply
    task: asyncio.Task[None] | None = None
    guarded: GuardedReply | None = None

    @property
    def user_text(self) -> str:
        return user_text(self.input)


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Limits of a turn: its times in seconds, the length of the reply, and the words of its first clause."""

    turn_s: float
    draft_s: float
    max_sentences: int
    first_phrase_words: int  # see ClauseCutter
    company: CompanyTimes  # while tools work


@dataclass(frozen=True, slots=True)
class TurnTools:
    """The tools of one turn. `run` runs one, or finds the result of the same one; `writes` says whether it may not run
    for a draft; `words` are said while one works. `refusal` says why one may not run as things stand; empty: it may.
    """

    run: Callable[[ToolWanted], Coroutine[Any, Any, ToolCall]]
    writes: Callable[[str], bool]
    words: WaitingWords
    refusal: Callable[[ToolWanted], str] = lambda wanted: ""
