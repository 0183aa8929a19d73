"""Prompt cache on disk for the openings of prompts, which take seconds to compute and none to read back; and the check
that a call has room beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import llama_cpp

from services.nlu.engine import Message
from services.nlu.engines.llama_cpp.model import ModelOptions
from services.nlu.engines.llama_cpp.prompt import PromptTokens, Tokenizer
from services.nlu.engines.llama_cpp.slots import CacheSlot
from services.runtime.errors import NotServing
from services.runtime.logs import get_logger

log = get_logger(__name__)

_LEAST_CALL_SLOTS = 2  # one for its turn, one for its draft
_LEAST_CALL_TOKENS = 1024  # of a call beside its opening and one reply: some three minutes of talk
_MOST_FILES = 16  # of ten megabytes or so; the oldest goes


def check_openings(
    tokenizer: Tokenizer,
    options: ModelOptions,
    openings: Sequence[Sequence[Message]],
    *,
    max_reply_tokens: int,
    max_prompt_chars: int = 0,
) -> None:
    """Check that a call fits beside the openings, which are kept until the end. Raises NotServing.

    Where it fits, but not with a history of `max_prompt_chars`, the log says so: the turns of so long a call fail.
    """
    sizes = [len(PromptTokens(tokenizer).up_to_next(messages)) for messages in openings]
    n_slots, n_cells = options.n_slots, options.context_tokens
    if n_slots < len(sizes) + _LEAST_CALL_SLOTS:
        raise NotServing(
            f"NLU_SLOTS={n_slots}: {len(sizes)} slots are for the openings of the agents' languages and a call "
            f"needs {_LEAST_CALL_SLOTS}: set at least {len(sizes) + _LEAST_CALL_SLOTS}"
        )
    needed = sum(sizes) + _LEAST_CALL_TOKENS + max_reply_tokens
    if n_cells < needed:
        raise NotServing(
            f"NLU_CONTEXT_TOKENS={n_cells}: the openings of the agents' languages take {sum(sizes)} tokens and a "
            f"call needs {_LEAST_CALL_TOKENS + max_reply_tokens} beside them: set at least {needed}, or have "
            "fewer agents or shorter instructions"
        )
    room = n_cells - sum(sizes) - max_reply_tokens
    history = round(
        max_prompt_chars * max((_tokens_a_character(tokenizer, opening) for opening in openings), default=0)
    )
    if history > room:
        log.warning(
            "history_may_outgrow_context",
            why=f"{history} tokens of a history, and room for {room}",
            remedy=f"set NLU_CONTEXT_TOKENS to {sum(sizes) + max_reply_tokens + history} or lower NLU_MAX_PROMPT_CHARS",
        )


def _tokens_a_character(tokenizer: Tokenizer, messages: Sequence[Message]) -> float:
    """Return the tokens per character of an opening's language: 0.25 of English, 0.7 of Chinese."""
    texts = [message.text for message in messages]
    n_tokens = sum(len(tokenizer.tokenize(text, is_template=False)) for text in texts)
    return n_tokens / max(1, sum(map(len, texts)))


class Memory(Protocol):
    """Protocol of the model's cache: what was computed can be written and read."""

    def cut(self, slot: int, n_tokens: int) -> bool:
        """Keep the first n tokens of a slot."""

    def save(self, slot: int, tokens: Sequence[int], path: Path) -> None:
        """Write a slot to a file."""

    def restore(self, slot: int, tokens: Sequence[int], path: Path) -> bool:
        """Fill an empty slot from a file. False: it is still empty."""


class KeptOpenings:
    """Prompt cache in one folder. Each file is named for the model, the library and the tokens it belongs to."""

    def __init__(self, folder: Path, model_path: Path) -> None:
        about = model_path.stat()
        self._folder = folder
        self._model = f"{model_path}:{about.st_size}:{about.st_mtime_ns}:{llama_cpp.__version__}"

    def restore(self, slot: CacheSlot, tokens: Sequence[int], memory: Memory) -> None:
        """Fill the slot with all but the last token, which is computed at every start, when they are kept."""
        if not self._file(tokens).is_file():
            return
        memory.cut(slot.index, 0)
        slot.tokens.clear()
        if memory.restore(slot.index, tokens, self._file(tokens)):
            memory.cut(slot.index, len(tokens) - 1)
            slot.tokens = list(tokens[:-1])

    def keep(self, slot: CacheSlot, memory: Memory) -> None:
        """Keep what the slot holds."""
        path = self._file(slot.tokens)
        if path.is_file():
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            memory.save(slot.index, slot.tokens, path)
            files = sorted(self._folder.glob("*.kv"), key=lambda kept: kept.stat().st_mtime)
            for old in files[:-_MOST_FILES]:
                old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("opening_not_kept", path=str(path), fault=str(error))

    def _file(self, tokens: Sequence[int]) -> Path:
        digest = hashlib.sha256(f"{self._model}:{list(tokens)}".encode()).hexdigest()
        return self._folder / f"{digest[:32]}.kv"
