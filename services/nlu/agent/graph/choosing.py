"""Where the examples leave a sentence in doubt, the model chooses among the kinds that it may be of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from uuid import uuid4

from services.language import data
from services.language.data import primary
from services.nlu.agent.graph.asking import FILE
from services.nlu.engine import Message, NluEngine, ReplyRequest, Role, TextMade
from services.runtime.errors import TurnFailed

_LETTERS = "ABCDEF"
_EXAMPLES = 3  # of each kind


class ModelChooser:
    """Asks the engine for one letter. An engine that is slow, broken, or answers otherwise chooses nothing."""

    def __init__(
        self, engine: NluEngine, examples: Mapping[str, Mapping[str, Sequence[str]]], *, limit_s: float
    ) -> None:
        self._engine, self._examples, self._limit_s = engine, examples, limit_s

    async def choose(self, text: str, kinds: Sequence[str], *, asked: str, language_code: str) -> str | None:
        offered = dict(zip(_LETTERS, kinds, strict=False))
        lines = [f"{letter}: {self._described(kind, language_code)}" for letter, kind in offered.items()]
        instructions = str(data.value(primary(language_code), FILE, "choosing.instructions"))
        before = f"{asked}\n" if asked else ""
        messages = (
            Message(Role.SYSTEM, f"{instructions}\n" + "\n".join(lines)),
            Message(Role.CALLER, f"{before}> {text}"),
        )
        request = ReplyRequest(f"choosing-{uuid4().hex}", 1, messages, language_code, is_draft=True)
        try:
            async with asyncio.timeout(self._limit_s), aclosing(self._engine.reply(request)) as parts:
                async for part in parts:
                    if isinstance(part, TextMade) and part.text.strip():
                        return offered.get(part.text.strip().rstrip(".:)"))
        except (TimeoutError, TurnFailed):
            pass
        finally:
            await self._engine.forget(request.conversation)
        return None

    def _described(self, kind: str, language_code: str) -> str:
        return " / ".join(self._examples.get(kind, {}).get(language_code, ())[:_EXAMPLES])
