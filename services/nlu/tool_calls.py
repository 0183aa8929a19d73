"""Tool call parser: takes tool calls out of a reply that is still being written. Sans-IO.

Every form is read, whatever the model's template teaches: Hermes' and Qwen's `<tool_call>` with JSON, JSON without the
mark, Llama's `[name(argument=value)]`, also behind `<|python_start|>`. What is not a call goes on as text.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from services.nlu.engine import ReplyPart, TextMade, ToolSpec, ToolWanted
from services.nlu.tool_form import CALL_BEGINS, CALL_ENDS
from services.runtime.json_text import read_json

_MARKS = ("<|python_start|>", "<|python_tag|>", "<|python_end|>")
_LIST = r"\[\s*[A-Za-z_][\w.]*\("
_LIST_BEGINNING = re.compile(r"\[\s*(?:[A-Za-z_][\w.]{0,64})?\Z")
_AFTER_CALL = re.compile(rf"\s*{CALL_ENDS}")
_CLOSERS = {"{": "}", "[": "]", "(": ")"}
_MOST_HELD_CHARS = 32 * 1024

Part = TextMade | ToolWanted


class ToolCallReader:
    """Tool call parser of one reply. Push what the model writes, in any pieces; speech and calls come out in their
    order.

    A call that is not whole at the reply's end is no call, and is not speech either.
    """

    def __init__(self, names: Collection[str]) -> None:
        """`names`: of the tools there are. Another name counts as one where the text can only be a call."""
        self._names = frozenset(names)
        named = "|".join(re.escape(name) for name in sorted(self._names, key=len, reverse=True))
        bare = rf"|(?<![\w.])(?:{named})\((?=\s*(?:\)|[A-Za-z_]\w*\s*=))" if named else ""
        self._bare_beginning = re.compile(rf"(?<![\w.])(?:{named or '(?!)'})\(\s*(?:[A-Za-z_]\w*\s*)?\Z")
        marks = "|".join(re.escape(mark) for mark in (CALL_BEGINS, *_MARKS))
        self._start = re.compile(rf"{marks}|\{{|\[(?=\s*\{{)|{_LIST}{bare}")
        self._beginnings = (CALL_BEGINS, *_MARKS, *(f"{name}(" for name in self._names))
        self._held = ""

    def push(self, text: str) -> list[Part]:
        """Add text; returns what is certain by now."""
        self._held += text
        return list(self._take(is_whole=len(self._held) > _MOST_HELD_CHARS))

    def finish(self) -> list[Part]:
        """The reply is whole; returns what was held."""
        return list(self._take(is_whole=True))

    def _take(self, *, is_whole: bool) -> Iterator[Part]:
        while self._held:
            found = self._start.search(self._held)
            n_clear = found.start() if found else len(self._held) - (0 if is_whole else self._n_held_back())
            if n_clear:
                yield TextMade(self._held[:n_clear])
                self._held = self._held[n_clear:]
            if found is None:
                return
            n_used, parts = self._read(found.group(), is_whole)
            if not n_used:
                return
            self._held = self._held[n_used:]
            yield from parts

    def _n_held_back(self) -> int:
        """Return how many characters at the end may be the beginning of a call."""
        held = self._held
        if found := _LIST_BEGINNING.search(held) or self._bare_beginning.search(held):
            return len(held) - found.start()
        longest = max(map(len, self._beginnings))
        for n in range(min(longest, len(held)), 0, -1):
            tail = held[-n:]
            is_word = tail[0].isalpha() or tail[0] == "_"
            if is_word and n < len(held) and (held[-n - 1].isalnum() or held[-n - 1] in "_."):
                continue
            if any(beginning.startswith(tail) for beginning in self._beginnings):
                return n
        return 0

    def _read(self, start: str, is_whole: bool) -> tuple[int, list[Part]]:
        """Read the beginning of the held text: how many characters, and what they are. 0: more must come."""
        held = self._held
        if start in _MARKS:
            return len(start), []
        if start == CALL_BEGINS:
            return self._read_marked(is_whole)
        end = _end_of(held, held.index("(") if start[0] not in "{[" else 0)
        if end is None:
            is_call = start[0] not in "{[" or not self._is_plain_json(held)
            return (len(held), [] if is_call else [TextMade(held)]) if is_whole else (0, [])
        text = held[:end]
        calls = self._calls_in_json(text) if start[0] == "{" or start == "[" else _calls_in_python(text)
        if calls is None:
            return end, [] if start[0] not in "{[" else [TextMade(text)]
        return end, list(calls)

    def _read_marked(self, is_whole: bool) -> tuple[int, list[Part]]:
        """Read `<tool_call>`, up to its end mark or the end of its JSON."""
        inside = self._held[len(CALL_BEGINS) :]
        body = inside.lstrip()
        begin = len(self._held) - len(body)
        if not body:
            return (len(self._held), []) if is_whole else (0, [])
        if body[0] not in "{[":
            end = self._held.find(CALL_ENDS)
            if end < 0:
                return (len(self._held), []) if is_whole else (0, [])
            return end + len(CALL_ENDS), []
        length = _end_of(body, 0)
        if length is None:
            return (len(self._held), []) if is_whole else (0, [])
        rest = body[length:]
        closing = _AFTER_CALL.match(rest)
        if closing is None and not is_whole and CALL_ENDS.startswith(rest.strip()):
            return 0, []
        calls = _calls_of(_json_of(body[:length]))
        return begin + length + (closing.end() if closing else 0), list(calls or ())

    def _calls_in_json(self, text: str) -> list[ToolWanted] | None:
        """Return calls without a mark. None: the JSON is something else."""
        value = _json_of(text)
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(item, dict) and self._is_call(item) for item in items):
            return None
        return _calls_of(value)

    def _is_call(self, item: dict[str, Any]) -> bool:
        name = _name_of(item)
        return name in self._names or (bool(name) and any(key in item for key in ("arguments", "parameters")))

    def _is_plain_json(self, text: str) -> bool:
        return not any(f'"{name}"' in text for name in self._names)


async def with_calls(
    parts: AsyncGenerator[ReplyPart, None], tools: Sequence[ToolSpec]
) -> AsyncGenerator[ReplyPart, None]:
    """Yield the parts of a reply, with the calls in its text as parts of their own. Closing this closes `parts`."""
    reader = ToolCallReader([tool.name for tool in tools]) if tools else None
    async with aclosing(parts):
        async for part in parts:
            if reader is None:
                yield part
            elif isinstance(part, TextMade):
                for each in reader.push(part.text):
                    yield each
            else:
                for rest in reader.finish():
                    yield rest
                yield part
    for rest in reader.finish() if reader is not None else ():
        yield rest


def _end_of(text: str, start: int) -> int | None:
    """Return the place behind the bracket that closes the one at `start`; brackets in strings do not count. None:
    open.
    """
    open_brackets: list[str] = []
    quote, i = "", start
    while i < len(text):
        character = text[i]
        if quote:
            if character == "\\":
                i += 1
            elif character == quote:
                quote = ""
        elif character == '"' or (character == "'" and text[start] != "{"):
            quote = character
        elif character in _CLOSERS:
            open_brackets.append(_CLOSERS[character])
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
            if not open_brackets:
                return i + 1
        i += 1
    return None


def _json_of(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return None


def _name_of(item: dict[str, Any]) -> str:
    function = item.get("function")
    name = item.get("name") or (function.get("name") if isinstance(function, dict) else function)
    return name if isinstance(name, str) else ""


def _calls_of(value: Any) -> list[ToolWanted] | None:
    items = value if isinstance(value, list) else [value]
    calls = []
    for item in items:
        if not isinstance(item, dict) or not (name := _name_of(item)):
            return None
        nested = item.get("function")
        source = nested if isinstance(nested, dict) else item
        arguments = source.get("arguments", source.get("parameters", {}))
        calls.append(
            ToolWanted(name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))
        )
    return calls


def _calls_in_python(text: str) -> list[ToolWanted] | None:
    """`[name(argument=value), ...]` or `name(argument=value)`, with literals for values. None: it is something else."""
    try:
        tree = ast.parse(text, mode="eval").body
        nodes = tree.elts if isinstance(tree, ast.List) else [tree]
        return [_call_of(node) for node in nodes]
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None


def _call_of(node: ast.expr) -> ToolWanted:
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError("not a call with named arguments")
    arguments = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise ValueError("arguments without names")
        value = keyword.value
        is_json_word = isinstance(value, ast.Name) and value.id in ("true", "false", "null")
        arguments[keyword.arg] = json.loads(ast.unparse(value)) if is_json_word else ast.literal_eval(value)
    return ToolWanted(ast.unparse(node.func), json.dumps(arguments, ensure_ascii=False))
