"""Form of a model's tool calls, found by rendering its own chat template. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any, Protocol

from services.nlu.engine import ToolSpec

CALL_BEGINS, CALL_ENDS = "<tool_call>", "</tool_call>"
_PYTHON_MARK = r"<\|python_(?:start|tag)\|>"


class ToolForm(Enum):
    """A form of calls."""

    HERMES = "hermes"  # <tool_call>{"name": ..., "arguments": {...}}</tool_call>: Hermes, Qwen
    LLAMA_JSON = "llama_json"  # {"name": ..., "parameters": {...}}: Llama 3.1 to 4
    PYTHONIC = "pythonic"  # [name(argument=value), ...]: Llama 3.2 and 4


class Template(Protocol):
    """Protocol of a chat template that may know tools."""

    def render(self, messages: Sequence[dict[str, Any]], *, opens_reply: bool, tools: Sequence[ToolSpec] = ()) -> str:
        """Render messages as OpenAI writes them. Raises ValueError where the template refuses them."""


_PROBE = ToolSpec("probe_tool", "Probes the template.", '{"type": "object", "properties": {"key": {"type": "string"}}}')
_CALL: dict[str, Any] = {
    "id": "probe0001",
    "type": "function",
    "function": {"name": _PROBE.name, "arguments": {"key": "value"}},
}
_QUESTION = "Which form?"


def form_of(template: Template) -> ToolForm | None:
    """Return the form in which a template writes a call back to its model. None: it knows no tools, or a form of its
    own.

    A template is judged by what it renders, since it is a program: its text holds branches that are never taken.
    """
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are kind."},
        {"role": "user", "content": _QUESTION},
        {"role": "assistant", "content": "", "tool_calls": [_CALL]},
        {"role": "tool", "name": _PROBE.name, "tool_call_id": _CALL["id"], "content": "{}"},
    ]
    try:
        rendered = template.render(messages, opens_reply=True, tools=(_PROBE,))
    except ValueError:
        return None
    if _PROBE.description not in rendered:
        return None
    called = rendered.rpartition(_QUESTION)[2]
    if re.search(rf"\[\s*{_PROBE.name}\(\s*key\s*=", called):
        return ToolForm.PYTHONIC
    if re.search(rf'{CALL_BEGINS}\s*\{{\s*"name"\s*:\s*"{_PROBE.name}"\s*,\s*"arguments"', called):
        return ToolForm.HERMES
    if re.search(rf'\{{\s*"name"\s*:\s*"{_PROBE.name}"\s*,\s*"parameters"', called):
        return ToolForm.LLAMA_JSON
    return None


def beginning_of(form: ToolForm, names: Collection[str]) -> re.Pattern[str]:
    """Return the text that is certain to begin a call of one of the tools, in a model's text."""
    named = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    as_json = rf'\{{\s*"name"\s*:\s*"(?:{named})"'  # small models forget the marks before it
    match form:
        case ToolForm.HERMES:
            return re.compile(rf"{CALL_BEGINS}|{as_json}")
        case ToolForm.LLAMA_JSON:
            return re.compile(rf"\A\s*(?:{_PYTHON_MARK}\s*)?\{{|{as_json}")
        case ToolForm.PYTHONIC:
            return re.compile(rf"(?:{_PYTHON_MARK}\s*)?\[\s*(?:{named})\(")
