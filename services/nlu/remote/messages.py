"""Messages of prompts for chat servers, in OpenAI's shape. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from services.nlu.engine import Message, Role, ToolSpec
from services.nlu.history import ToolCall
from services.runtime.json_text import read_json

CONTINUE = "(The line broke off there. Go on with that answer from the very next word; repeat nothing of it.)"
"""Asked of a model that goes on with an answer another one began."""


def call_of(message: Message) -> ToolCall:
    """Return the call of a TOOL message, with arguments that are a JSON object and a result. For a remark of ours,
    which answers no call, a call is made up: these servers take a result only behind its call.
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
    """Return name, arguments and result of a tool's message: `name(arguments): result`, or `name: result`."""
    head, colon, result = text.partition("): ") if "(" in text.partition(":")[0] else text.partition(": ")
    name, _, arguments = head.partition("(")
    if not colon or not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
        return "tool", "{}", text
    try:
        read_json(arguments or "{}")
    except ValueError:
        arguments = "{}"
    return name, arguments or "{}", result


def write_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Write messages in OpenAI's shape: calls in a row are one message of the agent's, behind what it said, and then
    their results.
    """
    written: list[dict[str, Any]] = []
    for is_tool, group in groupby(enumerate(messages), key=lambda each: each[1].role is Role.TOOL):
        if is_tool:
            tools = list(group)
            calls = [(f"call_{number}", call_of(message)) for number, message in tools]
            is_behind_words = tools[0][1].called is not None and written and written[-1]["role"] == Role.AGENT.value
            said = written.pop()["content"] if is_behind_words else None
            written.append({"role": Role.AGENT.value, "content": said, "tool_calls": [_call(*each) for each in calls]})
            written += [
                {"role": Role.TOOL.value, "tool_call_id": call_id, "content": call.result_json}
                for call_id, call in calls
            ]
            continue
        for _, message in group:
            if written and written[-1]["role"] == message.role.value and message.role is not Role.SYSTEM:
                written[-1]["content"] += f"\n{message.text}"  # some servers' templates refuse two of one role in a row
            else:
                written.append({"role": message.role.value, "content": message.text})
    return written


def _call(call_id: str, call: ToolCall) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments_json}}


def write_tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": json.loads(tool.parameters_json),
        },
    }
