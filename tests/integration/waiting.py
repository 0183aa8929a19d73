"""Waits of the integration tests: until a condition holds, with a limit, and windows in which it must hold."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

LOOK_S = 0.02


async def until(is_so: Callable[[], Any], limit_s: float = 10.0, story: Callable[[], str] = str) -> None:
    """Wait until a condition holds. Raises AssertionError with `story` when it does not hold within `limit_s`."""

    async def look() -> Any:
        return is_so()

    await until_awaited(look, limit_s, story)


async def until_awaited(
    is_so: Callable[[], Awaitable[Any]], limit_s: float = 10.0, story: Callable[[], str] = str
) -> None:
    """The same for a condition that has to be asked for, such as a list of Asterisk's."""
    give_up_s = time.monotonic() + limit_s
    while not await is_so():
        assert time.monotonic() < give_up_s, f"not within {limit_s} s\n{story()}"
        await asyncio.sleep(LOOK_S)


async def throughout(window_s: float, is_so: Callable[[], Any], why: str) -> None:
    """Watch that a condition holds all the time of a window. `why` says what breaks where it does not."""
    end_s = time.monotonic() + window_s
    while time.monotonic() < end_s:
        assert is_so(), why
        await asyncio.sleep(LOOK_S)
    assert is_so(), why
