"""What prompts for chat servers share. Sans-IO."""

from __future__ import annotations

from dataclasses import replace

from services.nlu.engine import Message
from services.nlu.history import ToolCall
from services.runtime.json_text import read_json

CONTINUE = "(The line broke off there. Go on with that answer from the very next word; repeat nothing of it.)"
"""Asked of a model that goes on with an answer another one began."""


def call_of(message: Message) -> ToolCall:
    """The call that a TOOL message is, with arguments that are a JSON object and a result. Of a remark of ours, which
    answers no call, one is made up: these servers take a result only behind its call.
    """
    if (call := message.called) is None:
        name, arguments_json, result = split_tool(message.text)
        return ToolCall("", name, arguments_json, result)
    try:
        is_object = isinstance(read_json(call.arguments_json or "{}"), dict)
    except ValueError:
        is_object = False
    return replace(
        call,
        arguments_json=(call.arguments_json or "{}") if is_object else "{}",
        result_json=call.result_json or '{"status": "still running"}',
    )


def split_tool(text: str) -> tuple[str, str, str]:
    """Name, arguments and result of a tool's message: `name(arguments): result`, or `name: result`."""
    head, colon, result = text.partition("): ") if "(" in text.partition(":")[0] else text.partition(": ")
    name, _, arguments = head.partition("(")
    if not colon or not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
        return "tool", "{}", text
    try:
        read_json(arguments or "{}")
    except ValueError:
        arguments = "{}"
    return name, arguments or "{}", result
