"""The events of a streamed chat completion, as parts of the reply. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.nlu.engine import CutShort, ReplyPart, TextMade, ToolWanted
from services.nlu.remote.failures import from_error_event
from services.runtime.breaker import ErrorClass
from services.runtime.json_text import read_json
from services.runtime.providers import ProviderFailed

DONE = "[DONE]"
_CHARS_A_TOKEN = 16  # far above any tokenizer's; a server that sends more does not keep to the limit
_MAX_TOOL_CALLS = 16
_MAX_ARGUMENT_CHARS = 32 * 1024


@dataclass(slots=True)
class _Call:
    name: str = ""
    arguments: str = ""


class CompletionReader:
    """One completion. After `is_over` nothing more counts."""

    def __init__(self, provider: str, *, max_tokens: int) -> None:
        self._provider = provider
        self._chars_left = max_tokens * _CHARS_A_TOKEN
        self._calls: dict[int, _Call] = {}
        self._finish = ""
        self._has_text = False
        self.is_over = False
        self.is_whole = False  # over because the server said so

    def take(self, event: str) -> list[ReplyPart]:
        """The parts that an event brings. Raises ProviderFailed."""
        if self.is_over:
            return []
        if event.strip() == DONE:
            self.is_whole = True
            return self.end()
        try:
            chunk = read_json(event)
        except ValueError:
            raise self._broken("sent an event that is no JSON") from None
        if not isinstance(chunk, dict):
            raise self._broken("sent an event that is no object")
        if chunk.get("error"):
            raise from_error_event(self._provider, chunk["error"])
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            raise self._broken("sent an event without choices")
        parts: list[ReplyPart] = []
        for choice in choices[:1]:  # the last event has none, only what was used
            if not isinstance(choice, dict):
                raise self._broken("sent a choice that is no object")
            parts += self._take_delta(choice.get("delta") or {})
            self._finish = str(choice.get("finish_reason") or self._finish)
        return parts

    def end(self) -> list[ReplyPart]:
        """The stream has ended: the last parts. Raises ProviderFailed where it ended in the middle."""
        if self.is_over:
            return []
        self.is_over = True
        if not self._finish and not self._calls and not self._has_text:
            raise self._broken("ended its stream without an answer")
        match self._finish:
            case "":
                raise self._broken("ended its stream in mid-answer")
            case "length":
                return [CutShort()]
            case "content_filter":
                if self._has_text:
                    return [CutShort()]
                raise ProviderFailed("CONTENT_FILTERED", f"{self._provider} filtered the answer", ErrorClass.REQUEST)
            case _:
                return [self._wanted(call) for _, call in sorted(self._calls.items())]

    def _take_delta(self, delta: Any) -> list[ReplyPart]:
        if not isinstance(delta, dict):
            raise self._broken("sent a delta that is no object")
        for piece in delta.get("tool_calls") or []:
            self._take_call(piece)
        text = delta.get("content")
        if not text:
            return []  # reasoning comes under other names and is not spoken
        if not isinstance(text, str):
            raise self._broken("sent content that is no text")
        self._has_text = self._has_text or not text.isspace()
        kept = text[: max(self._chars_left, 0)]
        self._chars_left -= len(text)
        if self._chars_left >= 0:
            return [TextMade(kept)]
        self.is_over = True
        return [TextMade(kept), CutShort()] if kept else [CutShort()]

    def _take_call(self, piece: Any) -> None:
        if not isinstance(piece, dict):
            raise self._broken("sent a tool call that is no object")
        index = piece.get("index", 0)
        if not isinstance(index, int) or (index not in self._calls and len(self._calls) >= _MAX_TOOL_CALLS):
            raise self._broken("sent too many tool calls")
        call = self._calls.setdefault(index, _Call())
        function = piece.get("function") or {}
        if not isinstance(function, dict):
            raise self._broken("sent a tool call that is no function")
        call.name += str(function.get("name") or "")
        call.arguments += str(function.get("arguments") or "")
        if len(call.arguments) > _MAX_ARGUMENT_CHARS:
            raise self._broken("sent too long arguments of a tool")

    def _wanted(self, call: _Call) -> ToolWanted:
        try:
            is_object = isinstance(read_json(call.arguments or "{}"), dict)
        except ValueError:
            is_object = False
        if not call.name or not is_object:
            raise self._broken("asked for a tool without a name, or with arguments that are no JSON object")
        return ToolWanted(call.name, call.arguments or "{}")

    def _broken(self, what: str) -> ProviderFailed:
        return ProviderFailed("ENGINE_FAILED", f"{self._provider} {what}", ErrorClass.TRANSIENT)
