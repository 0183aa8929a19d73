"""Reader of a streamed chat completion: its events as parts of the reply. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.nlu.engine import CutShort, ReplyPart, TextMade, ToolWanted
from services.nlu.remote.answer import AnswerText, readable_json
from services.nlu.remote.failures import from_error_event
from services.nlu.remote.reasoning import ReasoningFilter
from services.runtime.breaker import ErrorClass
from services.runtime.json_text import read_json
from services.runtime.providers import ProviderFailed

DONE = "[DONE]"
_BROKEN = frozenset({"error", "abort", "cancelled"})  # reasons to finish that say: this is no answer
_MAX_TOOL_CALLS = 16
_MAX_NAME_CHARS = 256
_MAX_INDEX_DIGITS = 4
_MAX_ARGUMENT_CHARS = 32 * 1024


@dataclass(slots=True)
class _Call:
    call_id: str = ""
    name: str = ""
    arguments: str = ""

    def is_other(self, call_id: str, name: str, arguments: str) -> bool:
        """Return whether a piece under this call's number begins another call: it has another id, or, where a server
        gives no ids, a name once the arguments of this one are whole.
        """
        if call_id and self.call_id:
            return call_id != self.call_id
        return bool(name) and (name != self.name or bool(arguments)) and self._has_whole_arguments()

    def _has_whole_arguments(self) -> bool:
        try:
            return bool(self.arguments.strip()) and bool(readable_json(self.arguments))
        except ValueError:
            return False


class CompletionReader:
    """Reader of one completion. After `is_over` nothing more counts."""

    def __init__(self, provider: str, *, max_tokens: int, begins_in_reasoning: bool = False) -> None:
        """`begins_in_reasoning`: nothing of the text is an answer before the end of a thought."""
        self._provider = provider
        self._reasoning = ReasoningFilter(begins_inside=begins_in_reasoning)
        self._text = AnswerText(max_tokens)
        self._calls: dict[int, _Call] = {}
        self._numbers: dict[int, int] = {}  # of the calls that stand under a server's index now
        self._last_index = 0
        self._has_tool_calls = False
        self._finish = ""
        self._is_done = False
        self.n_taken = 0  # events that brought something of the answer, thoughts as well
        self.is_over = False
        self.is_whole = False  # over because the server said so

    @property
    def has_finished(self) -> bool:
        """The server has said why the answer ends: what comes after that adds nothing to it."""
        return bool(self._finish)

    @property
    def began_in_reasoning(self) -> bool:
        """The text began inside a thought whose opening mark the server did not send."""
        return self._reasoning.began_inside

    def take(self, event: str) -> list[ReplyPart]:
        """Take an event; return its parts. Raises ProviderFailed."""
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
        if error := _error_in(chunk):
            raise from_error_event(self._provider, error)
        choices = chunk.get("choices") or []  # some events have none: a ping, what was used
        if not isinstance(choices, list):
            raise self._broken("sent choices that are no list")
        parts: list[ReplyPart] = []
        for choice in choices[:1]:
            if not isinstance(choice, dict):
                raise self._broken("sent a choice that is no object")
            parts += self._take_delta(choice.get("delta") or choice.get("message") or {})
            is_not_streamed = not choice.get("delta") and choice.get("message")
            self._finish = str(choice.get("finish_reason") or self._finish or ("stop" if is_not_streamed else ""))
        return parts

    def end(self) -> list[ReplyPart]:
        """The stream has ended: return the last parts. Raises ProviderFailed where it ended in the middle."""
        if self.is_over:
            return []
        self.is_over = True
        if not self._finish and not self._calls and not self._text.has_text:
            raise self._broken("ended its stream without an answer")
        match self._finish:
            case "" if not self._is_done:
                raise self._broken("ended its stream in mid-answer")
            case "length" if self._reasoning.is_holding and self._text.has_text:
                raise self._broken("ended its answer inside its reasoning")
            case "length":
                return [CutShort()]
            case "content_filter":
                if self._text.has_text:
                    return [CutShort()]
                raise ProviderFailed("CONTENT_FILTERED", f"{self._provider} filtered the answer", ErrorClass.REQUEST)
            case reason if reason in _BROKEN:
                raise self._broken(f"ended its answer with {reason!r}")
            case _:
                held = self._reasoning.finish()
                calls = [self._wanted(call) for _, call in sorted(self._calls.items())]
                return [TextMade(held), *calls] if held else [*calls]

    def _take_delta(self, delta: Any) -> list[ReplyPart]:
        if not isinstance(delta, dict):
            raise self._broken("sent a delta that is no object")
        thoughts = delta.get("reasoning_content") or delta.get("reasoning")  # not spoken
        calls = delta.get("tool_calls") or []
        if not isinstance(calls, list):
            raise self._broken("sent tool calls that are no list")
        self._has_tool_calls = self._has_tool_calls or bool(calls)
        if (old := delta.get("function_call")) and not self._has_tool_calls:  # from before there were tools
            calls = [{"index": 0, "function": old}]
        for piece in calls:
            self._take_call(piece)
        text = _text_of(delta.get("content") or delta.get("refusal"))  # a refusal is what the model says
        if text is None:
            raise self._broken("sent content that is no text")
        self.n_taken += bool(thoughts or calls or text)
        parts = self._text.take(text)
        self.is_over = self._text.is_over
        return list(self._without_reasoning(parts))

    def _without_reasoning(self, parts: list[ReplyPart]) -> Iterator[ReplyPart]:
        for part in parts:
            if not isinstance(part, TextMade):
                yield part
            elif text := self._reasoning.take(part.text):
                yield TextMade(text)

    def _take_call(self, piece: Any) -> None:
        if not isinstance(piece, dict):
            raise self._broken("sent a tool call that is no object")
        function = piece.get("function") or {}
        if not isinstance(function, dict):
            raise self._broken("sent a tool call that is no function")
        name, arguments = str(function.get("name") or ""), function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        call = self._call_of(piece.get("index"), str(piece.get("id") or ""), name, arguments)
        if name != call.name:  # some servers say it again with each piece
            call.name += name
        call.arguments += arguments
        if len(call.arguments) > _MAX_ARGUMENT_CHARS or len(call.name) > _MAX_NAME_CHARS:
            raise self._broken("sent too long a call of a tool")

    def _call_of(self, index: Any, call_id: str, name: str, arguments: str) -> _Call:
        """Return the call that a piece belongs to. A new call is found also where a server numbers every call 0, or
        none.
        """
        if isinstance(index, str) and len(index) < _MAX_INDEX_DIGITS and index.isdecimal():
            index = int(index)
        if isinstance(index, bool) or not isinstance(index, int):
            index = self._last_index
        number = self._numbers.get(index, index)
        known = self._calls.get(number)
        if known is not None and known.is_other(call_id, name, arguments):
            same = (each for each, call in self._calls.items() if call_id and call.call_id == call_id)
            number = next(same, max(self._calls) + 1)
        if number not in self._calls and len(self._calls) >= _MAX_TOOL_CALLS:
            raise self._broken("sent too many tool calls")
        self._last_index, self._numbers[index] = index, number
        call = self._calls.setdefault(number, _Call())
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


def _error_in(chunk: dict[str, Any]) -> Any:
    """Return the error of an event: OpenAI's shape, or the error itself, as vLLM and others write it."""
    is_bare = not chunk.get("choices") and "message" in chunk and ("code" in chunk or "type" in chunk)
    return chunk.get("error") or (chunk if is_bare else None)


def _text_of(content: Any) -> str | None:
    """Return the text of a delta: a string, or a list of parts of which some are text. None: neither."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return None
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else None
