"""Failover within a chain of engines: for each turn they are tried in the order of the language's chain.

A turn goes to the next engine when one fails, or when its first token is late. Once words of the answer have gone out
it is never begun again: another engine goes on with it from the next word where it can, else the turn fails. A tool
that was asked for is not asked for by another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial

from services.nlu.chained_reply import ChainedReply, ChainLimits, Member, told
from services.nlu.engine import (
    Message,
    NluEngine,
    ReplyPart,
    ReplyRequest,
)
from services.runtime.engine_chains import Chains, chain_for
from services.runtime.errors import StartupError, TurnFailed
from services.runtime.loading import first_to_pass
from services.runtime.logs import get_logger
from services.runtime.providers import ProviderBoard

log = get_logger(__name__)


class ChainEngine:
    """The engines of all chains as one."""

    continues = True

    def __init__(
        self,
        chains: Chains,
        engines: Mapping[str, NluEngine],
        board: ProviderBoard,
        limits: ChainLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`engines` by the names that the chains use, not yet loaded."""
        self._chains, self._limits, self._clock = chains, limits, clock
        self.board = board
        self._members = {name: Member(engine, board.add(name, engine.model)) for name, engine in engines.items()}
        for member in self._members.values():
            if reports := getattr(member.engine, "report_lost", None):
                reports(partial(self._on_lost, member))
        self.name = ">".join(engines)
        self.model = ">".join(engine.model for engine in engines.values())

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        """One engine that loads is enough for each chain: the others are lost until the process starts again."""
        members = list(self._members.values())
        loads = [member.engine.load(prompts) for member in members]
        outcomes = await asyncio.gather(*loads, return_exceptions=True)
        failures: dict[str, StartupError] = {}
        for member, outcome in zip(members, outcomes, strict=True):
            if isinstance(outcome, StartupError):
                failures[member.provider.name] = outcome
                log.error("provider_lost", provider=member.provider.name, why=str(outcome))
                member.provider.lose(str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
        for chain in self._chains.values():
            if all(name in failures for name in chain):
                raise first_to_pass([failures[name] for name in chain])

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        names = chain_for(request.language_code, self._chains)
        if not names:
            raise TurnFailed("ENGINE_FAILED", f"NLU_ENGINES has no chain for {request.language_code}")
        turn = ChainedReply([self._members[name] for name in names], request, self._limits, self._clock)
        try:
            async for part in turn.parts():
                yield part
        finally:
            await turn.close()

    async def commit(self, conversation: str, turn_id: int) -> None:
        for member in self._loaded():
            await told(member, member.engine.commit(conversation, turn_id))

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        """Read ahead in all engines of the language's chain, so that a turn that moves to another one finds the
        conversation read. Engines of other languages' chains read nothing: it would cost the calls that they answer.
        """
        for name in chain_for(language_code, self._chains):
            if not (member := self._members[name]).provider.lost:
                await told(member, member.engine.prepare(conversation, messages, language_code=language_code))

    async def forget(self, conversation: str) -> None:
        for member in self._loaded():
            await told(member, member.engine.forget(conversation))

    async def close(self) -> None:
        for member in self._members.values():
            await member.engine.close()

    def _on_lost(self, member: Member, why: str) -> bool:
        """The thread of an engine has ended or hangs. Return whether every chain still has an engine that serves."""
        member.provider.lose(why)
        return all(any(not self._members[name].provider.lost for name in chain) for chain in self._chains.values())

    def _loaded(self) -> list[Member]:
        return [member for member in self._members.values() if not member.provider.lost]
