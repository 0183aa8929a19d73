"""Turns messages into tokens so that what was computed before is found in the cache again."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from services.nlu.engine import Message, Role

_REMEMBERED_REPLIES = 64
_MARK = "\ue000{}\ue001"  # stands for a message's text in the template; private use, never spoken
_MARKED = re.compile("\ue000(\\d+)\ue001")
_OPEN_REASONING = re.compile(r"<((?:think|reason|thought)\w*)>\s*$", re.IGNORECASE)


class Tokenizer(Protocol):
    """The part of the model that knows tokens."""

    def tokenize(self, text: str, *, is_template: bool) -> list[int]:
        """Tokens of a text; special ones only in the template's."""

    def bos(self) -> list[int]:
        """The token that every prompt of this model begins with; empty: none."""

    def piece(self, token: int) -> bytes:
        """The bytes of a token."""

    def render(self, messages: Sequence[tuple[str, str]], *, opens_reply: bool) -> str:
        """Messages in the chat template."""


class PromptTokens:
    """Tokens of one conversation's prompts.

    A reply is kept as the tokens that were generated: written out and
    tokenised again it may come out otherwise, and the cache would be lost from
    there on. A reply heard in part is the same tokens up to that word.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._replies: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    def remember(self, text: str, tokens: Sequence[int]) -> None:
        """What a reply was made of."""
        self._replies[text] = tuple(tokens)
        self._replies.move_to_end(text)
        if len(self._replies) > _REMEMBERED_REPLIES:
            self._replies.popitem(last=False)

    def up_to_reply(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of the messages, up to where the reply begins.

        A template that opens a block of reasoning for the model (DeepSeek-R1, QwQ) has it closed at once: a caller
        does not wait for reasoning, and a block whose beginning is not in the reply would be taken for speech.
        """
        rendered = self._render([message.role for message in messages], opens_reply=True)
        if opened := _OPEN_REASONING.search(rendered):
            rendered += f"\n</{opened.group(1)}>\n\n"
        return self._of(messages, rendered)

    def up_to_caller(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of the messages, up to where the caller's next words begin."""
        roles = [*(message.role for message in messages), Role.CALLER]
        rendered, _, _ = self._render(roles, opens_reply=False).partition(_MARK.format(len(messages)))
        return self._of(messages, rendered)

    def _render(self, roles: Sequence[Role], *, opens_reply: bool) -> str:
        marked = [(role.value, _MARK.format(i)) for i, role in enumerate(roles)]
        return self._tokenizer.render(marked, opens_reply=opens_reply)

    def _of(self, messages: Sequence[Message], rendered: str) -> list[int]:
        parts = _MARKED.split(rendered)
        tokens: list[int] = []
        for i, part in enumerate(parts):
            if i % 2 == 0:
                tokens += self._tokenizer.tokenize(part, is_template=True) if part else []
            else:
                tokens += self._of_message(messages[int(part)])
        bos = self._tokenizer.bos()  # few templates write it
        return tokens if tokens[: len(bos)] == bos else bos + tokens

    def _of_message(self, message: Message) -> list[int]:
        if message.role is Role.AGENT:
            for text, tokens in reversed(self._replies.items()):
                if text.startswith(message.text):
                    return self._beginning(tokens, message.text)
        return self._tokenizer.tokenize(message.text, is_template=False)

    def _beginning(self, tokens: Sequence[int], text: str) -> list[int]:
        """The tokens that spell the beginning `text` of a reply; its last, broken word is tokenised anew."""
        rest, kept = text.encode(), []
        for token in tokens:
            piece = self._tokenizer.piece(token)
            if not rest.startswith(piece):
                break
            kept.append(token)
            rest = rest[len(piece) :]
        return kept + (self._tokenizer.tokenize(rest.decode(errors="ignore"), is_template=False) if rest else [])
