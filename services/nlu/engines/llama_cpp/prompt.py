"""Prompt tokenisation that keeps prefixes: the tokens of earlier messages and replies stay as they are in the cache."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from services.nlu.engine import Message, Role, ToolSpec
from services.nlu.engines.llama_cpp.tool_chat import chat_in_words, chat_of, fills_of, has_tools, plain_specs
from services.nlu.tool_form import ToolForm

_REMEMBERED_REPLIES = 64
_MARK = "\ue000{}\ue001"  # stands for a message's text in the template; private use, never spoken
_MARKED = re.compile("\ue000(\\d+)\ue001")
_SPECIAL_SIGNS = re.compile(r"<(?=\S)|\[(?=[A-Z/])")
_OPEN_REASONING = re.compile(r"<((?:think|reason|thought)\w*)>\s*$", re.IGNORECASE)


class TemplateRefuses(RuntimeError):
    """The chat template does not take these messages."""


class Tokenizer(Protocol):
    """Protocol of the model's tokenizer and template."""

    tool_form: ToolForm | None  # in which its template writes calls; None: it knows no tools

    def tokenize(self, text: str, *, is_template: bool) -> list[int]:
        """Tokens of a text; special ones only in the template's."""

    def bos(self) -> list[int]:
        """The token that every prompt of this model begins with; empty: none."""

    def piece(self, token: int) -> bytes:
        """The bytes of a token."""

    def render(self, messages: Sequence[tuple[str, str]], *, opens_reply: bool) -> str:
        """Messages in the chat template."""

    def render_tools(self, messages: Sequence[dict[str, Any]], *, tools: Sequence[ToolSpec], opens_reply: bool) -> str:
        """Messages with the calls of tools, and the tools, in the chat template. Raises TemplateRefuses."""


class PromptTokens:
    """Prompt tokens of one conversation.

    A reply is kept as the tokens that were generated: written out and
    tokenised again it may come out otherwise, and the cache would be lost from
    there on. A reply heard in part is the same tokens up to that word.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._replies: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    def remember(self, text: str, tokens: Sequence[int]) -> None:
        """Keep the tokens that a reply was made of."""
        self._replies[text] = tuple(tokens)
        self._replies.move_to_end(text)
        if len(self._replies) > _REMEMBERED_REPLIES:
            self._replies.popitem(last=False)

    def up_to_reply(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the messages, up to where the reply begins.

        A template that opens a block of reasoning for the model (DeepSeek-R1, QwQ) has it closed at once: a caller
        does not wait for reasoning, and a block whose beginning is not in the reply would be taken for speech.
        """
        rendered = self._render(messages, opens_reply=True)
        if opened := _OPEN_REASONING.search(rendered):
            rendered += f"\n</{opened.group(1)}>\n\n"
        return self._of(messages, rendered)

    def up_to_next(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens of the messages, up to where the next words begin: the caller's, or those of the reply."""
        if messages and messages[-1].role is Role.CALLER:
            return self.up_to_reply(messages)
        following = [*messages, Message(Role.CALLER, "")]
        rendered, _, _ = self._render(following, opens_reply=False).partition(_mark(len(messages)))
        return self._of(messages, rendered)

    def _render(self, messages: Sequence[Message], *, opens_reply: bool) -> str:
        """Render the template with a mark in place of each message's text."""
        if not has_tools(messages):
            marked = [(message.role.value, _mark(i)) for i, message in enumerate(messages)]
            return self._tokenizer.render(marked, opens_reply=opens_reply)
        if self._tokenizer.tool_form is None:
            in_words = chat_in_words(messages, mark=_mark, plain=self._plain)
            return self._tokenizer.render(in_words, opens_reply=opens_reply)
        tools = plain_specs(messages, self._plain)
        try:
            chat = chat_of(messages, mark=_mark, plain=self._plain)
            return self._tokenizer.render_tools(chat, tools=tools, opens_reply=opens_reply)
        except TemplateRefuses:
            chat = chat_of(messages, mark=_mark, plain=self._plain, one_by_one=True)
            return self._tokenizer.render_tools(chat, tools=tools, opens_reply=opens_reply)

    def _plain(self, text: str) -> str:
        """Return a text for the template itself, without special tokens: arguments hold what a caller said."""
        tokenize = self._tokenizer.tokenize
        if tokenize(text, is_template=True) == tokenize(text, is_template=False):
            return text
        return _SPECIAL_SIGNS.sub(r"\g<0> ", text)

    def _of(self, messages: Sequence[Message], rendered: str) -> list[int]:
        parts, texts = _MARKED.split(rendered), fills_of(messages)
        tokens: list[int] = []
        for i, part in enumerate(parts):
            if i % 2 == 0:
                tokens += self._tokenizer.tokenize(part, is_template=True) if part else []
            else:
                tokens += self._of_message(texts[int(part)])
        bos = self._tokenizer.bos()  # few templates write it
        return tokens if tokens[: len(bos)] == bos else bos + tokens

    def _of_message(self, message: Message) -> list[int]:
        if message.role is Role.AGENT:
            for text, tokens in reversed(self._replies.items()):
                if text.startswith(message.text):
                    return self._beginning(tokens, message.text)
        return self._tokenizer.tokenize(message.text, is_template=False)

    def _beginning(self, tokens: Sequence[int], text: str) -> list[int]:
        """Return the tokens that spell the beginning `text` of a reply; its last, broken word is tokenised again."""
        rest, kept = text.encode(), []
        for token in tokens:
            piece = self._tokenizer.piece(token)
            if not rest.startswith(piece):
                break
            kept.append(token)
            rest = rest[len(piece) :]
        return kept + (self._tokenizer.tokenize(rest.decode(errors="ignore"), is_template=False) if rest else [])


def _mark(i: int) -> str:
    return _MARK.format(i)
