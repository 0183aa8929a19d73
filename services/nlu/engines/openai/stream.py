"""The events of a streamed chat completion, as parts of the reply. Sans-IO."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from services.nlu.engine import CutShort, ReplyPart, ToolWanted
from services.nlu.remote.answer import AnswerText, readable_json
from services.nlu.remote.failures import from_error_event
from services.runtime.breaker import ErrorClass
from services.runtime.json_text import read_json
from services.runtime.providers import ProviderFailed

DONE = "[DONE]"
_BROKEN = frozenset({"error", "abort", "cancelled"})  # reasons to finish that say: this is no answer
_MAX_TOOL_CALLS = 16
_MAX_NAME_CHARS = 256
_MAX_ARGUMENT_CHARS = 32 * 1024


@dataclass(slots=True)
class _Call:
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class CompletionReader:
    """One completion. After `is_over` nothing more counts."""

    def __init__(self, provider: str, *, max_tokens: int) -> None:
        self._provider = provider
        self._text = AnswerText(max_tokens)
        self._calls: dict[int, _Call] = {}
        self._last_index = 0
        self._finish = ""
        self._is_done = False
        self.n_taken = 0  # events that brought something of the answer, thoughts as well
        self.is_over = False
        self.is_whole = False  # over because the server said so

    def take(self, event: str) -> list[ReplyPart]:
        """The parts that an event brings. Raises ProviderFailed."""
        if self.is_over:
            return []
        if event.strip() == DONE:
            self.is_whole = self._is_done = True
            return self.end()
        try:
            chunk = read_json(event)
        except ValueError:
            raise self._broken("sent an event that is no JSON") from None
        if not isinstance(chunk, dict):
            raise self._broken("sent an event that is no object")
        if chunk.get("error"):
            raise from_error_event(self._provider, chunk["error"])
        choices = chunk.get("choices") or []  # some events have none: a ping, what was used
        if not isinstance(choices, list):
            raise self._broken("sent choices that are no list")
        parts: list[ReplyPart] = []
        for choice in choices[:1]:
            if not isinstance(choice, dict):
                raise self._broken("sent a choice that is no object")
            parts += self._take_delta(choice.get("delta") or choice.get("message") or {})
            self._finish = str(choice.get("finish_reason") or self._finish)
        return parts

    def end(self) -> list[ReplyPart]:
        """The stream has ended: the last parts. Raises ProviderFailed where it ended in the middle."""
        if self.is_over:
            return []
        self.is_over = True
        if not self._finish and not self._calls and not self._text.has_text:
            raise self._broken("ended its stream without an answer")
        match self._finish:
            case "" if not self._is_done:
                raise self._broken("ended its stream in mid-answer")
            case "length":
                return [CutShort()]
            case "content_filter":
                if self._text.has_text:
                    return [CutShort()]
                raise ProviderFailed("CONTENT_FILTERED", f"{self._provider} filtered the answer", ErrorClass.REQUEST)
            case reason if reason in _BROKEN:
                raise self._broken(f"ended its answer with {reason!r}")
            case _:
                return [self._wanted(call) for _, call in sorted(self._calls.items())]

    def _take_delta(self, delta: Any) -> list[ReplyPart]:
        if not isinstance(delta, dict):
            raise self._broken("sent a delta that is no object")
        thoughts = delta.get("reasoning_content") or delta.get("reasoning")  # not spoken
        calls = delta.get("tool_calls") or []
        if not isinstance(calls, list):
            raise self._broken("sent tool calls that are no list")
        for piece in calls:
            self._take_call(piece)
        text = _text_of(delta.get("content"))
        if text is None:
            raise self._broken("sent content that is no text")
        self.n_taken += bool(thoughts or calls or text)
        parts = self._text.take(text)
        self.is_over = self._text.is_over
        return parts

    def _take_call(self, piece: Any) -> None:
        if not isinstance(piece, dict):
            raise self._broken("sent a tool call that is no object")
        function = piece.get("function") or {}
        if not isinstance(function, dict):
            raise self._broken("sent a tool call that is no function")
        call = self._call_of(piece.get("index"), str(piece.get("id") or ""))
        name, arguments = str(function.get("name") or ""), function.get("arguments") or ""
        if name != call.name:  # some servers say it again with each piece
            call.name += name
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)
        if len(call.arguments) > _MAX_ARGUMENT_CHARS or len(call.name) > _MAX_NAME_CHARS:
            raise self._broken("sent too long a call of a tool")

    def _call_of(self, index: Any, call_id: str) -> _Call:
        """The call that a piece belongs to. A new id is a new call, also where a server counts every one as 0."""
        if isinstance(index, bool) or not isinstance(index, int):
            index = self._last_index
        known = self._calls.get(index)
        if known is not None and call_id and known.call_id and known.call_id != call_id:
            same = (number for number, call in self._calls.items() if call.call_id == call_id)
            index = next(same, max(self._calls) + 1)
        if index not in self._calls and len(self._calls) >= _MAX_TOOL_CALLS:
            raise self._broken("sent too many tool calls")
        self._last_index = index
        call = self._calls.setdefault(index, _Call())
        call.call_id = call.call_id or call_id
        return call

    def _wanted(self, call: _Call) -> ToolWanted:
        try:
            arguments_json = readable_json(call.arguments)
        except ValueError:
            arguments_json = ""
        if not call.name or not arguments_json:
            raise self._broken("asked for a tool without a name, or with arguments that are no JSON object")
        return ToolWanted(call.name, arguments_json)

    def _broken(self, what: str) -> ProviderFailed:
        return ProviderFailed("ENGINE_FAILED", f"{self._provider} {what}", ErrorClass.TRANSIENT)


def _text_of(content: Any) -> str | None:
    """The text of a delta: a string, or a list of parts of which some are text. None: neither."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return None
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else None
