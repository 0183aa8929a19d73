"""NLU engine: the Protocol, the values that engines take and give, and the table of engines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import Protocol

from services.nlu.history import ToolCall
from services.nlu.settings import NluSettings
from services.runtime.breaker import BreakerPolicy
from services.runtime.engine_chains import engine_names
from services.runtime.errors import StartupError
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard

CHAIN = "services.nlu.engines.chain"
CHAINED_REPLY = "services.nlu.chained_reply"
ENGINES = {
    "llama_cpp": "services.nlu.engines.llama_cpp.engine:LlamaCppEngine",
    "gemini": "services.nlu.engines.gemini:GeminiEngine",
    "openai": "services.nlu.engines.openai.engine:OpenAiEngine",
    "script": "services.nlu.engines.script:ScriptEngine",
    "transformers": "services.nlu.engines.transformers.engine:TransformersEngine",
}
_REMEDIES = {
    "transformers": "it runs in an environment of its own: deploy/transformers/environment.sh makes it, and "
    ".cache/transformers-venv/bin/python -m services.nlu starts the stage in it"
}


class Role(Enum):
    """Role of the author of a message."""

    SYSTEM = "system"
    CALLER = "user"
    AGENT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool the engine may call."""

    name: str
    description: str
    parameters_json: str  # a JSON schema of its arguments
    writes: bool = True  # changes something outside the call: waits for the turn's commit; False: it only reads


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the prompt.

    The SYSTEM message carries the tools that the engine may call: they are part of the prompt's opening, and are read
    ahead with it. A TOOL message is one call with its result; `text` is the same for an engine that knows no calls.
    """

    role: Role
    text: str
    tools: tuple[ToolSpec, ...] = ()
    called: ToolCall | None = None  # None in a TOOL message: a remark of ours to the model


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling of one reply's tokens. None: the engine's default."""

    temperature: float | None = None  # 0 always takes the likeliest token
    top_p: float | None = None  # over 0, to 1
    seed: int | None = None  # the same prompt, sampling and seed give the same reply, as far as the engine can


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """Request for the reply to one turn.

    `conversation` is made unique by the server: engines may key caches by it.
    Successive requests of a conversation mostly extend the same messages.
    """

    conversation: str
    turn_id: int
    messages: tuple[Message, ...]  # ends with what must be answered
    language_code: str  # BCP-47 tag the reply should be in
    is_draft: bool = False  # a guess: committed turns go first
    begun: str = ""  # the answer's first words, made by another engine and sent out: go on from the next one
    sampling: Sampling = Sampling()

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """Tools that the engine may call."""
        return next((message.tools for message in self.messages if message.tools), ())


@dataclass(frozen=True, slots=True)
class Began:
    """A worker has begun the request: queueing ends, computing begins."""


@dataclass(frozen=True, slots=True)
class TextMade:
    """A piece of the reply, cut anywhere. The pieces joined are the model's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolWanted:
    """The engine wants a tool run, or an act on the call. Its result, when it has one, comes with the next request."""

    name: str
    arguments_json: str = "{}"


@dataclass(frozen=True, slots=True)
class CutShort:
    """The reply hit its bound in mid-sentence."""


@dataclass(frozen=True, slots=True)
class MadeBy:
    """The engine of a chain that makes the parts that follow."""

    engine: str


ReplyPart = Began | TextMade | ToolWanted | CutShort | MadeBy


class NluEngine(Protocol):
    """A model that continues conversations; it serves many at once.

    A chain of engines that stand in for one another is an engine too: engines/chain.py. An engine with a thread of its
    own may have `report_lost`, so that in a chain its loss does not take the process down.
    """

    name: str
    model: str
    continues: bool  # whether it can go on with an answer that another engine began: ReplyRequest.begun

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        """Make ready to serve. `prompts` are the openings conversations will have, to be cached.

        Raises StartupError.
        """

    def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        """Yield Began, then the reply as it is made.

        Closing the iterator cancels: no more than one model step is spent on
        it after that. Raises TurnFailed (this turn only).
        """

    async def commit(self, conversation: str, turn_id: int) -> None:
        """The draft of this turn is committed: the turn goes before drafts from here on. Unknown turns are no error."""

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        """Read the conversation so far ahead of its next turn, or, where the messages end with the caller's, ahead of
        going on with that turn's answer. Where that saves time; returns at once. `language_code`: of the next turn as
        far as it is known.
        """

    async def forget(self, conversation: str) -> None:
        """Release what is cached for a conversation that has ended."""

    async def close(self) -> None:
        """Release the model. Replies under way end with TurnFailed."""


def open_engine(settings: NluSettings) -> NluEngine:
    """The engine that the settings name, or a chain of them, not yet loaded. Raises StartupError."""
    chains = settings.chains
    names = engine_names(chains)
    if len(names) == 1:
        return _make(names[0], settings)
    engines = {name: _make(name, settings) for name in names}
    chain = import_module(CHAIN)
    limits = import_module(CHAINED_REPLY).ChainLimits(
        first_token_s=settings.first_token_limit_s,
        token_gap_s=settings.token_gap_limit_s,
        hedge_s=settings.hedge_ms / 1000,
    )
    policy = BreakerPolicy(slow_s=settings.slow_first_token_s)
    engine: NluEngine = chain.ChainEngine(chains, engines, ProviderBoard(StageMetrics("nlu"), policy), limits)
    return engine


def _make(name: str, settings: NluSettings) -> NluEngine:
    if name not in ENGINES:
        raise StartupError(f"NLU_ENGINES names {name!r}; there are {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    try:
        make: Callable[[NluSettings], NluEngine] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as missing:
        raise StartupError(
            f"NLU_ENGINE={name} needs the package {missing.name}: "
            + _REMEDIES.get(name, f"pip install 'tong-dai[nlu-{name.replace('_', '-')}]'")
        ) from missing
    return make(settings)
