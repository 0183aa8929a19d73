"""Fillers while tools work, since silence on a telephone is taken for a broken line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CompanyTimes:
    """Times of fillers, in seconds."""

    first_s: float  # after the tool has begun
    then_s: float  # between two phrases


async def in_company(
    work: Coroutine[Any, Any, T],
    *,
    say: Callable[[int], Awaitable[None]],
    committed: asyncio.Event,
    times: CompanyTimes,
) -> T:
    """Return the result of `work`. Meanwhile `say` is called each time a filler is due, with the number said before.

    A draft has no listener: until its commit nothing is said. Cancelling this cancels `work`.
    """
    task = asyncio.ensure_future(work)
    try:
        n_said = 0
        while not await _ends_within(task, times.then_s if n_said else times.first_s):
            if not committed.is_set():
                await _first(task, committed)
            if task.done():
                break
            await say(n_said)
            n_said += 1
        return await task
    finally:
        task.cancel()


async def _ends_within(task: asyncio.Future[Any], limit_s: float) -> bool:
    done, _ = await asyncio.wait((task,), timeout=limit_s)
    return bool(done)


async def _first(task: asyncio.Future[Any], event: asyncio.Event) -> None:
    """Wait for the one or the other."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
