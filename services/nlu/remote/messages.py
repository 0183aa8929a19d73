"""What prompts for chat servers share. Sans-IO."""

from __future__ import annotations

from services.runtime.json_text import read_json

CONTINUE = "(The line broke off there. Go on with that answer from the very next word; repeat nothing of it.)"
"""Asked of a model that goes on with an answer another one began."""


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
