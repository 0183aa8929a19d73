"""One reply through a chain of engines: the attempts, the race of two, and the hand-over in mid-reply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from services.nlu.engine import (
    Began,
    MadeBy,
    NluEngine,
    ReplyPart,
    ReplyRequest,
    TextMade,
    ToolWanted,
)
from services.nlu.joint import Joint, WholeWords, ends_sentence
from services.runtime.breaker import ErrorClass, Permit
from services.runtime.errors import TurnFailed
from services.runtime.logs import get_logger
from services.runtime.providers import Provider, ProviderFailed

log = get_logger(__name__)

RESTING_FACTOR = 3.0
"""An engine has so many times the limits where all that could go on are at rest: it may be slow, they have failed."""


def _answered_nothing(attempt: _Attempt) -> ProviderFailed:
    return ProviderFailed("ENGINE_FAILED", f"{attempt.provider.name} answered nothing", ErrorClass.TRANSIENT)


@dataclass(frozen=True, slots=True)
class ChainLimits:
    """Limits on an engine while another could take the turn, in seconds."""

    first_token_s: float
    token_gap_s: float
    hedge_s: float = 0.0  # a second engine is asked when the first token is later than this; 0: never


@dataclass(frozen=True, slots=True)
class Member:
    """An engine of the chain, with its state as a provider."""

    engine: NluEngine
    provider: Provider


async def told(member: Member, step: Awaitable[None]) -> None:
    """Tell an engine of a conversation: one that breaks at it must not take the turn of another with it."""
    try:
        await step
    except Exception:
        log.exception("engine_broke", provider=member.provider.name)


@dataclass(slots=True, eq=False)
class _Attempt:
    """One engine at work on the turn."""

    member: Member
    permit: Permit | None
    parts: AsyncGenerator[ReplyPart, None]
    began_s: float
    next_part: asyncio.Task[ReplyPart] | None = None
    first_text_s: float | None = None
    is_settled: bool = False

    @property
    def provider(self) -> Provider:
        return self.member.provider

    def pull(self) -> asyncio.Task[ReplyPart]:
        """Return the next part as it comes. One call at a time."""
        if self.next_part is None:
            self.next_part = asyncio.ensure_future(anext(self.parts))
        return self.next_part


@dataclass(slots=True, eq=False)
class ChainedReply:
    """One turn through the chain."""

    members: list[Member]
    request: ReplyRequest
    limits: ChainLimits
    clock: Callable[[], float]
    _said: str = ""
    _has_asked_tool: bool = False
    _tried: set[str] = field(default_factory=set)
    _live: list[_Attempt] = field(default_factory=list)

    async def parts(self) -> AsyncGenerator[ReplyPart, None]:
        attempt = self._next() or self._resting()
        if attempt is None:
            raise TurnFailed("ENGINE_FAILED", "every engine of the chain is lost", is_retryable=True)
        await self._ready_next()
        while True:
            try:
                async for part in self._of(attempt):
                    yield part
                return
            except TurnFailed as failure:
                failed = self._live[-1] if attempt not in self._live and self._live else attempt
                self._fail(failed, failure)
                for each in list(self._live):
                    await self._drop(each)
                going_on = bool(self._said.strip())
                if self._has_asked_tool:
                    raise
                following = self._next(going_on=going_on) or self._resting(going_on=going_on)
                if following is None:
                    raise
                failed.provider.handed_over(following.provider, failure.message)
                attempt = following

    async def close(self) -> None:
        """End the attempts still at work. An engine whose answer had begun counts as a success."""
        live = list(self._live)
        for attempt in live:  # at once: what is awaited below may be cancelled
            self._settle(attempt)
            if attempt.next_part is not None:
                attempt.next_part.cancel()
        for attempt in live:
            await self._drop(attempt)

    async def _of(self, attempt: _Attempt) -> AsyncGenerator[ReplyPart, None]:
        """Yield the turn's parts from one engine, or from the one that was asked beside it and was first."""
        attempt, first = await self._first(attempt)
        if first is None and not self._said and self._could_go_on():
            raise _answered_nothing(attempt)
        yield MadeBy(attempt.provider.name)
        begun, has_other_parts = self._said, False
        joint, words = Joint(self._said), WholeWords()
        part: ReplyPart | None = first
        while part is not None:
            if isinstance(part, TextMade):
                text = joint.push(part.text)
                if text and len(self.members) > 1:
                    text = words.push(text)
                if text:
                    self._said += text
                    yield TextMade(text)
            else:
                has_other_parts = True
                self._has_asked_tool = self._has_asked_tool or isinstance(part, ToolWanted)
                if rest := words.finish() + joint.finish():
                    self._said += rest
                    yield TextMade(rest)
                yield part
            part = await self._pull(attempt, self.limits.token_gap_s)
        if rest := words.finish() + joint.finish():
            self._said += rest
            yield TextMade(rest)
        has_added = has_other_parts or bool(self._said[len(begun) :].strip())
        if begun.strip() and not has_added and not ends_sentence(begun):
            raise _answered_nothing(attempt)
        self._succeed(attempt)
        await self._drop(attempt)

    async def _first(self, attempt: _Attempt) -> tuple[_Attempt, ReplyPart | None]:
        """Return the first part with content and the engine that made it. None: an empty answer."""
        hedge_s = self.limits.hedge_s
        if hedge_s and self._could_go_on():
            with suppress(TimeoutError):
                return attempt, await self._pull_first(attempt, hedge_s, fails=False)
            if (other := self._next(going_on=bool(self._said.strip()))) is not None:
                attempt.provider.handed_over(other.provider, f"no token after {hedge_s:g} s")
                return await self._race(attempt, other)
        return attempt, await self._pull_first(attempt, self.limits.first_token_s)

    async def _race(self, one: _Attempt, other: _Attempt) -> tuple[_Attempt, ReplyPart | None]:
        """Race two engines: the first to answer goes on, the other is closed."""
        runs = {asyncio.ensure_future(self._pull_first(each, self.limits.first_token_s)): each for each in (one, other)}
        failure: BaseException | None = None
        try:
            waiting = set(runs)
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for run in done:
                    attempt = runs[run]
                    if (failure := run.exception()) is None:
                        for loser in (each for each in (one, other) if each is not attempt):
                            await self._drop(loser)
                        return attempt, run.result()
                    if isinstance(failure, TurnFailed):
                        self._fail(attempt, failure)
            raise failure or TurnFailed("ENGINE_FAILED", "no engine answered", is_retryable=True)
        finally:
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)

    async def _pull_first(self, attempt: _Attempt, limit_s: float, *, fails: bool = True) -> ReplyPart | None:
        """Pass over Began. With `fails` False a TimeoutError leaves the attempt at work."""
        while True:
            part = await self._pull(attempt, limit_s, waited_s=self.clock() - attempt.began_s, fails=fails)
            if not isinstance(part, Began):
                attempt.first_text_s = self.clock() - attempt.began_s
                return part

    async def _pull(
        self, attempt: _Attempt, limit_s: float, *, waited_s: float = 0.0, fails: bool = True
    ) -> ReplyPart | None:
        """Return the next part; None at the end. Raises TurnFailed, also when the part is late and another engine could
        go on.
        """
        task = attempt.pull()
        allowed_s = self._allowed_s(limit_s) if fails else limit_s
        left_s = None if allowed_s is None else max(0.0, allowed_s - waited_s)
        done, _ = await asyncio.wait((task,), timeout=left_s)
        if not done:
            if not fails:
                raise TimeoutError
            message = f"{attempt.provider.name} sent no token for {allowed_s:.1f} s"
            raise ProviderFailed("ENGINE_FAILED", message, ErrorClass.TRANSIENT)
        attempt.next_part = None
        if task.cancelled():  # by the engine: a cancelled turn is not here any more
            raise ProviderFailed("ENGINE_FAILED", f"{attempt.provider.name} gave up", ErrorClass.TRANSIENT)
        try:
            return task.result()
        except StopAsyncIteration:
            return None
        except TurnFailed:
            raise
        except Exception as error:  # a fault of ours or of a library: another engine may still take the turn
            log.exception("engine_broke", provider=attempt.provider.name)
            message = f"{attempt.provider.name} broke: {type(error).__name__}"
            raise ProviderFailed("ENGINE_FAILED", message, ErrorClass.TRANSIENT) from error

    def _allowed_s(self, limit_s: float) -> float | None:
        """Return for how long a part may keep the turn waiting. None: for as long as the turn may take."""
        if self._could_go_on():
            return limit_s
        going_on = bool(self._said.strip())
        has_resting = any(self._is_able(member, going_on=going_on) for member in self.members)
        return limit_s * RESTING_FACTOR if has_resting and not self._has_asked_tool else None

    def _could_go_on(self) -> bool:
        """Return whether another engine could take the turn over now."""
        if self._has_asked_tool:
            return False
        return any(self._is_open_to(member, going_on=bool(self._said.strip())) for member in self.members)

    def _is_open_to(self, member: Member, *, going_on: bool) -> bool:
        return self._is_able(member, going_on=going_on) and not member.provider.breaker.is_open(self.clock())

    def _is_able(self, member: Member, *, going_on: bool) -> bool:
        if member.provider.name in self._tried or member.provider.lost:
            return False
        return not going_on or bool(getattr(member.engine, "continues", False))

    async def _ready_next(self) -> None:
        """Have the engine that would go on read the question now: one whose provider is killed in mid-reply is then
        followed after a step or two. What it reads it would read for the next turn anyway.
        """
        able = [member for member in self.members if self._is_able(member, going_on=True)]
        if not able:
            return
        open_ones = (member for member in able if self._is_open_to(member, going_on=True))
        member, request = next(open_ones, self._least_resting(able)), self.request
        step = member.engine.prepare(request.conversation, request.messages, language_code=request.language_code)
        await told(member, step)

    def _next(self, *, going_on: bool = False) -> _Attempt | None:
        for member in self.members:
            if self._is_open_to(member, going_on=going_on) and (permit := member.provider.admit()) is not None:
                return self._ask(member, permit)
        return None

    def _resting(self, *, going_on: bool = False) -> _Attempt | None:
        """Ask the engine that rests shortest: it is better than none. None: there is none."""
        able = [member for member in self.members if self._is_able(member, going_on=going_on)]
        return self._ask(self._least_resting(able), None) if able else None

    def _least_resting(self, members: list[Member]) -> Member:
        now = self.clock()
        return min(members, key=lambda member: member.provider.breaker.rests_for_s(now))

    def _ask(self, member: Member, permit: Permit | None) -> _Attempt:
        self._tried.add(member.provider.name)
        begun = (self.request.begun + self._said).rstrip()  # behind a space a model does not find its next word
        request = replace(self.request, begun=begun) if self._said else self.request
        attempt = _Attempt(member, permit, member.engine.reply(request), self.clock())
        self._live.append(attempt)
        return attempt

    def _succeed(self, attempt: _Attempt) -> None:
        if not attempt.is_settled:
            attempt.is_settled = True
            attempt.provider.succeeded(attempt.permit, took_s=attempt.first_text_s or 0.0)

    def _fail(self, attempt: _Attempt, failure: TurnFailed) -> None:
        if not attempt.is_settled:
            attempt.is_settled = True
            attempt.provider.failed(attempt.permit, failure)

    async def _drop(self, attempt: _Attempt) -> None:
        if attempt in self._live:
            self._live.remove(attempt)
        self._settle(attempt)
        try:
            if attempt.next_part is not None:
                attempt.next_part.cancel()
                await asyncio.gather(attempt.next_part, return_exceptions=True)
            await attempt.parts.aclose()
        except Exception:  # an engine that breaks while it is closed: the turn goes on without it
            log.exception("engine_broke", provider=attempt.provider.name)

    def _settle(self, attempt: _Attempt) -> None:
        """Give the permit back, before anything is awaited: a permit that is lost would keep the provider out."""
        if attempt.is_settled:
            return
        attempt.is_settled = True
        if attempt.first_text_s is not None:
            attempt.provider.succeeded(attempt.permit, took_s=attempt.first_text_s)
        else:
            attempt.provider.released(attempt.permit)
