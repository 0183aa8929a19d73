"""A turn in the chat template of a Hugging Face tokenizer, and its tokens as text. No torch in here."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from services.nlu.engine import ReplyRequest
from services.nlu.remote.messages import write_messages, write_tool

_UNFINISHED = "\ufffd"  # how half a character is decoded


class ChatTokenizer(Protocol):
    """Protocol of the part of transformers' tokenizers that is used."""

    def apply_chat_template(self, conversation: list[dict[str, Any]], **named: Any) -> Any: ...

    def encode(self, text: str, **named: Any) -> list[int]: ...

    def decode(self, token_ids: Sequence[int], **named: Any) -> str: ...

    def get_added_vocab(self) -> dict[str, int]: ...


def tokens_of(request: ReplyRequest, tokenizer: ChatTokenizer) -> list[int]:
    """Return the prompt's tokens. A template that knows no tools, or no roles of ours, gets them as plain turns.

    Raises ValueError where the template takes neither.
    """
    marks = tuple(tokenizer.get_added_vocab())
    messages = [_for_template(message, marks) for message in write_messages(request.messages)]
    tools = [write_tool(tool) for tool in request.tools] or None
    faults: list[str] = []
    for asked, named in ((messages, {"tools": tools} if tools else {}), (_plain(messages), {})):
        try:
            text = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False, **named)
        except Exception as error:  # a template may raise errors of its own
            faults.append(f"{type(error).__name__}: {error}")
            continue
        return tokenizer.encode(text + request.begun, add_special_tokens=False)
    raise ValueError("; ".join(" ".join(fault.split())[:160] for fault in faults))


def _for_template(message: dict[str, Any], marks: Collection[str]) -> dict[str, Any]:
    """Return a message with its arguments as an object, as templates want, and no special token in people's words."""
    written = dict(message)
    if isinstance(content := written.get("content"), str):
        written["content"] = without_marks(content, marks)
    elif content is None:
        written["content"] = ""
    if calls := written.get("tool_calls"):
        written["tool_calls"] = [
            call | {"function": call["function"] | {"arguments": json.loads(call["function"]["arguments"])}}
            for call in calls
        ]
    return written


def without_marks(text: str, marks: Collection[str]) -> str:
    """Return the text with each special token broken by a space: read as words, not as the template's own marks."""
    for mark in sorted(marks, key=len, reverse=True):
        if len(mark) > 1 and not mark.isspace() and mark in text:
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text


def _plain(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two roles in turns, the user's first: the system's words stand before the first of these, results are told."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        calls = message.get("tool_calls") or []
        said = [message["content"], *(json.dumps(call["function"], ensure_ascii=False) for call in calls)]
        text = "\n".join(words for words in said if words)
        role = "assistant" if message["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n{text}"
        else:
            turns += [{"role": "user", "content": ""}] if not turns and role == "assistant" else []
            turns.append({"role": role, "content": text})
    return turns


class TokenText:
    """The text of a reply's tokens, as far as its characters are whole."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self.said = ""

    def take(self, tokens: Sequence[int], *, is_whole: bool = False) -> str:
        """Return the text that the tokens so far add to what was taken. With `is_whole`, half a character at the end is
        left out.
        """
        text = self._decode(tokens)
        if is_whole:
            text = text.rstrip(_UNFINISHED)
        elif text.endswith(_UNFINISHED):
            return ""
        if not text.startswith(self.said):  # a tokenizer that spells earlier tokens otherwise once later ones come
            return ""
        new, self.said = text[len(self.said) :], text
        return new
