"""A turn as the body of POST /chat/completions. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from services.nlu.engine import Message, ReplyRequest, Role, ToolSpec
from services.nlu.remote.messages import CONTINUE, split_tool
from services.nlu.settings import NluSettings


def body_of(request: ReplyRequest, settings: NluSettings) -> dict[str, Any]:
    """The JSON of the request, streamed."""
    messages = write_messages(request.messages)
    if request.begun:
        messages += [{"role": "assistant", "content": request.begun}, {"role": "user", "content": CONTINUE}]
    body: dict[str, Any] = {
        "model": settings.openai_model,
        "messages": messages,
        "stream": True,
        "temperature": settings.temperature,
        settings.openai_token_limit_field: settings.max_reply_tokens,
    }
    if request.tools:
        body["tools"] = [write_tool(tool) for tool in request.tools]
    return body


def write_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """In OpenAI's shape. A tool's result needs the call it answers, which the prompt does not keep: it is made anew."""
    written: list[dict[str, Any]] = []
    for number, message in enumerate(messages):
        if message.role is Role.TOOL:
            name, arguments, result = split_tool(message.text)
            call_id = f"call_{number}"
            function = {"name": name, "arguments": arguments}
            call = {"id": call_id, "type": "function", "function": function}
            written.append({"role": "assistant", "content": None, "tool_calls": [call]})
            written.append({"role": "tool", "tool_call_id": call_id, "content": result})
        elif written and written[-1]["role"] == message.role.value and message.role is not Role.SYSTEM:
            written[-1]["content"] += f"\n{message.text}"  # some servers' templates refuse two of one role in a row
        else:
            written.append({"role": message.role.value, "content": message.text})
    return written


def write_tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": json.loads(tool.parameters_json),
        },
    }
