"""A turn as the body of POST /chat/completions. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from services.nlu.engine import Message, ReplyRequest, Role, ToolSpec
from services.nlu.history import ToolCall
from services.nlu.remote.messages import CONTINUE, call_of
from services.nlu.settings import NluSettings


def body_of(request: ReplyRequest, settings: NluSettings) -> dict[str, Any]:
    """The JSON of the request, streamed."""
    messages = write_messages(request.messages)
    if request.begun:
        messages += [{"role": "assistant", "content": request.begun}, {"role": "user", "content": CONTINUE}]
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": settings.openai_model,
        "messages": messages,
        "stream": True,
        "temperature": settings.temperature if sampling.temperature is None else sampling.temperature,
        settings.openai_token_limit_field: settings.max_reply_tokens,
    }
    asked = {"top_p": sampling.top_p, "seed": sampling.seed}
    body |= {name: value for name, value in asked.items() if value is not None}
    if request.tools:
        body["tools"] = [write_tool(tool) for tool in request.tools]
    return body


def write_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """In OpenAI's shape: calls in a row are one message of the agent's, behind what it said, and then their results."""
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
