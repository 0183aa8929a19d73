"""Engines that play their steps, for the tests of chains."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.nlu.chained_reply import ChainLimits
from services.nlu.engine import Began, MadeBy, Message, ReplyPart, ReplyRequest, Role, TextMade
from services.nlu.engines.chain import ChainEngine
from services.runtime.breaker import BreakerPolicy, ErrorClass
from services.runtime.engine_chains import parse_chains
from services.runtime.errors import StartupError
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard, ProviderFailed
from tests.unit.nlu.virtual_time import run

REQUEST = ReplyRequest("a", 1, (Message(Role.CALLER, "Hello?"),), "en-US")


LIMITS = ChainLimits(first_token_s=2.0, token_gap_s=1.0)


BROKEN = ProviderFailed("ENGINE_FAILED", "503", ErrorClass.TRANSIENT)


def run_in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def wrapped(*arguments: Any, **named: Any) -> None:
        run(test(*arguments, **named))

    return wrapped


Step = ReplyPart | BaseException | float


@dataclass
class Fake:
    """Plays steps: a part is yielded, a number waited for, an exception raised."""

    name: str
    steps: Sequence[Step]
    continues: bool = True
    model: str = "fake"
    fault: StartupError | None = None
    asked: list[ReplyRequest] = field(default_factory=list)
    n_closed: int = 0
    calls: list[str] = field(default_factory=list)
    read_ahead: list[object] = field(default_factory=list)

    async def load(self, prompts: object) -> None:
        if self.fault:
            raise self.fault

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.asked.append(request)
        try:
            yield Began()
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.n_closed += 1

    async def commit(self, conversation: str, turn_id: int) -> None:
        self.calls.append("commit")

    async def prepare(self, conversation: str, messages: object, *, language_code: str) -> None:
        self.calls.append("prepare")
        self.read_ahead.append(messages)

    async def forget(self, conversation: str) -> None:
        self.calls.append("forget")

    async def close(self) -> None:
        self.calls.append("close")


def good(name: str = "good", text: str = "Hello.") -> Fake:
    return Fake(name, [TextMade(text)])


def chain_of(*engines: Fake, limits: ChainLimits = LIMITS, chains: str = "") -> ChainEngine:
    clock = asyncio.get_running_loop().time
    board = ProviderBoard(StageMetrics("nlu"), BreakerPolicy(), clock)
    wanted = parse_chains(chains or "*=" + ">".join(engine.name for engine in engines))
    return ChainEngine(wanted, {engine.name: engine for engine in engines}, board, limits, clock)


async def answer(chain: ChainEngine, request: ReplyRequest = REQUEST) -> list[ReplyPart]:
    return [part async for part in chain.reply(request) if not isinstance(part, Began)]


def text_of(parts: list[ReplyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextMade))


def made_by(parts: list[ReplyPart]) -> list[str]:
    return [part.engine for part in parts if isinstance(part, MadeBy)]
