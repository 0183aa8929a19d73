"""Answers that come in pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

Cursor = TypeVar("Cursor")

MAX_PAGES = 10
MAX_ITEMS = 1000


async def all_pages(
    first: Cursor, page: Callable[[Cursor], Awaitable[tuple[Sequence[Any], Cursor | None]]]
) -> list[Any]:
    """The items of all pages, at most 10 pages and 1000 items. `page` gives the items of one, and where the next is;
    None: there is none.
    """
    found: list[Any] = []
    cursor: Cursor | None = first
    for _ in range(MAX_PAGES):
        if cursor is None or len(found) >= MAX_ITEMS:
            break
        items, cursor = await page(cursor)
        found += items
    return found[:MAX_ITEMS]
