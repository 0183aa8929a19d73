"""Bounds on the answers of chat servers: of their text, and of the time they may take."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.nlu.engine import CutShort, ReplyPart, TextMade
from services.runtime.breaker import ErrorClass
from services.runtime.json_text import read_json
from services.runtime.providers import ProviderFailed

CHARS_A_TOKEN = 16  # far above any tokenizer's; a server that sends more does not keep to the limit
_UNREADABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Halves of UTF-16 pairs, which no message of ours can carry, and control characters, which cannot be spoken."""


class AnswerText:
    """Text of one answer, within the characters that its token limit allows. Sans-IO."""

    def __init__(self, max_tokens: int) -> None:
        self._chars_left = max_tokens * CHARS_A_TOKEN
        self.has_text = False
        self.is_over = False  # the server went over the limit: nothing more counts

    def take(self, text: str) -> list[ReplyPart]:
        """Take more text; return its parts, behind the limit a CutShort."""
        if self.is_over or not text:
            return []
        self._chars_left -= len(text)
        kept = text if self._chars_left >= 0 else text[: self._chars_left]
        self.is_over = self._chars_left < 0
        clean = readable(kept)
        self.has_text = self.has_text or not (clean.isspace() or not clean)
        parts: list[ReplyPart] = [TextMade(clean)] if clean else []
        return [*parts, CutShort()] if self.is_over else parts


class AnswerTime:
    """Time limits of one answer: without progress, and in all.

    Only waiting for the server counts, not what is done with the answer meanwhile.
    """

    def __init__(self, provider: str, *, stall_s: float, total_s: float) -> None:
        self._provider, self._stall_s, self._total_s = provider, stall_s, total_s
        self._stall_left_s, self._total_left_s = stall_s, total_s

    def ends_within(self, limit_s: float) -> None:
        """The answer is whole: limit the time for what else the server sends, in seconds."""
        self._stall_s = self._stall_left_s = min(limit_s, self._stall_left_s)

    def progressed(self) -> None:
        """The server has sent a part of the answer. Comments and empty events do not count."""
        self._stall_left_s = self._stall_s

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Context manager around each wait for the server. Raises ProviderFailed when the time is over."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(min(self._stall_left_s, self._total_left_s)):
                yield
        except TimeoutError as error:
            is_stalled = self._stall_left_s <= self._total_left_s
            why = f"sent nothing for {self._stall_s:g} s" if is_stalled else f"took over {self._total_s:g} s"
            raise ProviderFailed("ENGINE_FAILED", f"{self._provider} {why}", ErrorClass.TRANSIENT) from error
        finally:
            took_s = loop.time() - began_s
            self._stall_left_s -= took_s
            self._total_left_s -= took_s


def readable(text: str) -> str:
    """Return the text without characters that cannot be sent on."""
    return _UNREADABLE.sub("", text)


def readable_json(text: str) -> str:
    """Return the JSON object of a call's arguments, with readable strings. Raises ValueError.

    Some servers write `null` where there are none, and some write the JSON text as a JSON string.
    """
    found = read_json(text or "{}")
    if isinstance(found, str):
        text = found
        found = read_json(text or "{}")
    if found is None:
        text, found = "{}", {}
    if not isinstance(found, dict):
        raise ValueError("the arguments are no JSON object")
    cleaned = _cleaned(found)
    return (text or "{}") if cleaned == found and readable(text) == text else json.dumps(cleaned, ensure_ascii=False)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return readable(value)
        case list():
            return [_cleaned(each) for each in value]
        case dict():
            return {readable(str(name)): _cleaned(each) for name, each in value.items()}
    return value
