"""Prompts with tools as chat templates want them: calls by the agent, each with its result behind it. Sans-IO.

A template that knows no tools is given them in words, in the form that Hermes made common and most models have seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from services.nlu.engine import Message, Role, ToolSpec
from services.nlu.history import ToolCall
from services.nlu.tool_form import CALL_BEGINS, CALL_ENDS
from services.runtime.json_text import read_json

STILL_RUNNING = '{"status": "still running"}'
_PREAMBLE = f"""

# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{{tools}}
</tools>

For each function call, return a json object with function name and arguments within {CALL_BEGINS}{CALL_ENDS} XML tags:
{CALL_BEGINS}
{{{{"name": <function-name>, "arguments": <args-json-object>}}}}
{CALL_ENDS}"""

Plain = Callable[[str], str]  # a text without what the model's tokenizer takes for a special token
Mark = Callable[[int], str]  # what stands for the text of the message at an index


def has_tools(messages: Sequence[Message]) -> bool:
    return any(message.tools for message in messages)


def fills_of(messages: Sequence[Message]) -> list[Message]:
    """Return the texts that replace the marks: of a call its result."""
    return [
        replace(message, text=message.called.result_json or STILL_RUNNING) if message.called else message
        for message in messages
    ]


def plain_specs(messages: Sequence[Message], plain: Plain) -> tuple[ToolSpec, ...]:
    tools = next((message.tools for message in messages if message.tools), ())
    return tuple(
        replace(tool, description=plain(tool.description), parameters_json=plain(tool.parameters_json))
        for tool in tools
    )


def chat_of(messages: Sequence[Message], *, mark: Mark, plain: Plain, one_by_one: bool = False) -> list[dict[str, Any]]:
    """Return messages as OpenAI writes them. `one_by_one`: each call in a message of its own, as Llama 3's template
    wants.
    """
    chat: list[dict[str, Any]] = []
    for is_called, group in groupby(enumerate(messages), key=lambda each: each[1].called is not None):
        if not is_called:
            chat += [{"role": message.role.value, "content": mark(i)} for i, message in group]
            continue
        said = chat.pop()["content"] if chat and chat[-1]["role"] == Role.AGENT.value else ""
        calls = [(i, message.called) for i, message in group if message.called is not None]
        for part in [[call] for call in calls] if one_by_one else [calls]:
            written = [_written(i, call, plain) for i, call in part]
            chat.append({"role": Role.AGENT.value, "content": said, "tool_calls": written})
            chat += [
                {"role": Role.TOOL.value, "name": plain(call.name), "tool_call_id": _id(i), "content": mark(i)}
                for i, call in part
            ]
            said = ""
    return chat


def chat_in_words(messages: Sequence[Message], *, mark: Mark, plain: Plain) -> list[tuple[str, str]]:
    """Return (role, text) for a template that knows no tools: the tools stand in the system message, results in the
    user's.
    """
    tools = "\n".join(json.dumps(_function(tool), ensure_ascii=False) for tool in plain_specs(messages, plain))
    preamble = _PREAMBLE.format(tools=tools)
    chat: list[tuple[str, str]] = []
    for message in chat_of(messages, mark=mark, plain=plain):
        role, text = message["role"], message["content"]
        if role == Role.TOOL.value:
            text = f"<tool_response>\n{text}\n</tool_response>"
            if chat and chat[-1][0] == Role.CALLER.value and chat[-1][1].endswith("</tool_response>"):
                chat[-1] = (Role.CALLER.value, f"{chat[-1][1]}\n{text}")
                continue
            role = Role.CALLER.value
        calls = [
            f"{CALL_BEGINS}\n{json.dumps(call['function'], ensure_ascii=False)}\n{CALL_ENDS}"
            for call in message.get("tool_calls", ())
        ]
        chat.append((role, "\n".join([*([text] if text else []), *calls])))
    if chat and chat[0][0] == Role.SYSTEM.value:
        return [(Role.SYSTEM.value, chat[0][1] + preamble), *chat[1:]]
    return [(Role.SYSTEM.value, preamble.strip()), *chat]


def _written(i: int, call: ToolCall, plain: Plain) -> dict[str, Any]:
    try:
        arguments = read_json(plain(call.arguments_json))
    except ValueError:
        arguments = {}
    function = {"name": plain(call.name), "arguments": arguments if isinstance(arguments, dict) else {}}
    return {"id": _id(i), "type": "function", "function": function}


def _id(i: int) -> str:
    return f"call{i:05d}"  # nine letters or digits, as some templates insist


def _function(tool: ToolSpec) -> dict[str, Any]:
    parameters = read_json(tool.parameters_json)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}
