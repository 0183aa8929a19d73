"""The interface of every agent: one Protocol, and the steps of a reply. docs/AGENTS.md shows how to write one.

An agent is one object a process and serves many calls at once. It keeps nothing of a call: what it must know at the
next turn it says by `Remember`, and is given back as `AgentTurn.state`, on another stream too. It acts only by its
steps, so a draft has no side effects behind any agent: TurnRun takes the first Act of a draft, or the first call of a
tool that writes, and the steps behind it, when the draft is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from services.nlu.engine import Began, CutShort, MadeBy
from services.nlu.history import Entry, ToolCall
from services.nlu.inputs import TurnInput
from services.nlu.outputs import Act as CallAct
from services.nlu.outputs import ExpectedKind

AgentState = Mapping[str, object]  # what JSON can hold


@dataclass(frozen=True, slots=True)
class Call:
    """The constants of a conversation."""

    conversation: str  # unique; engines key their caches by it
    language_codes: tuple[str, ...]  # those of the agent's to speak here, likeliest first
    instructions: str = ""  # of the client, in place of the agent's own
    tenant_id: str = ""
    caller: str = ""  # who calls: E.164, or a SIP URI; empty: withheld


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """One turn of the caller, or a draft of it."""

    call: Call
    turn_id: int
    input: TurnInput
    language_code: str  # to answer in
    state: AgentState = field(default_factory=dict)  # as the turns before it left it; empty at the first
    objection: str = ""  # why an earlier reply to this turn was not spoken; the next one must do without
    objected: str = ""  # the guard's rule that it broke
    results: tuple[ToolCall, ...] = ()  # of the tools that the earlier reply called
    heard: Callable[[], Sequence[Entry]] = tuple  # the history by now: a draft's may change until its commit


@dataclass(slots=True, eq=False)
class Say:
    """More of the reply, cut anywhere: whole sentences, or pieces as a model writes them."""

    text: str
    is_written_by_model: bool = False
    may_claim_anything: bool = False  # a model made it up, and no script: its statements are held to the facts' words
    computed: tuple[Decimal, ...] = ()  # numbers in it that code has reckoned: the guard takes them for so
    captured: str = ""  # what callers gave by the letter, as `text` says it again: the guard takes it for said
    looked_up: tuple[str, ...] = ()  # what code has looked up for it, as JSON: the guard takes it for a tool's result
    is_enough: bool = False  # set before the next step is asked for: what a model writes behind it is not spoken


@dataclass(frozen=True, slots=True)
class Act:
    """Do something with the call. How it went stands in the history of later turns."""

    act: CallAct
    is_now: bool = False  # else when the reply has been heard to its end


@dataclass(slots=True, eq=False)
class CallTool:
    """Run a tool. `result` is set before the next step is asked for; of one that writes not before the commit."""

    name: str
    arguments_json: str = "{}"
    result: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class CallTools:
    """Run several tools at the same time. Each has its `result` before the next step is asked for.

    Those that only read run at once, for a draft too; those that write wait for the commit.
    """

    calls: tuple[CallTool, ...]


@dataclass(frozen=True, slots=True)
class Expect:
    """The input that is expected next. Without it the reply's last question tells."""

    kind: ExpectedKind
    length: int = 0  # digits or letters of a whole answer; 0: not known
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AwaitCommit:
    """A mark before side effects of the agent's own: the next step is asked for at the turn's commit."""


@dataclass(frozen=True, slots=True)
class Remember:
    """The state of the call as this turn leaves it, in place of what it was. It counts when the turn is committed.

    At most `MAX_STATE_BYTES` as JSON.
    """

    state: AgentState


MAX_STATE_BYTES = 8 * 1024  # half of what a client must keep (protos/README.md, rule 33)

# Began and CutShort are handed on from an engine: work on the reply begins; a reply that hit its bound in mid-sentence.
Step = Say | Act | CallTool | CallTools | Expect | AwaitCommit | Remember | Began | CutShort | MadeBy


class Agent(Protocol):
    """One agent of the folder, for all its calls."""

    async def load(self) -> None:
        """Make ready to serve, once, before the first call. Raises StartupError."""

    async def prepare(self, call: Call, history: Sequence[Entry], *, language_code: str, state: AgentState) -> None:
        """The agent's words have been heard: read the conversation ahead of the next turn, where that saves time."""

    def respond(
        self, turn: AgentTurn, history: Sequence[Entry], *, committed: asyncio.Event
    ) -> AsyncGenerator[Step, None]:
        """Answer a turn; `history` is what came before it, as it was heard.

        `committed` is set when the turn is no draft any more. Closing the generator cancels: it lets go of what it has
        begun within one step of the model. Raises TurnFailed (this turn only).
        """
