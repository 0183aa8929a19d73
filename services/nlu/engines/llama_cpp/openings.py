"""Keeps on disk what the model made of the openings of prompts: it takes seconds to compute and none to read back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import llama_cpp

from services.nlu.engines.llama_cpp.slots import Slot
from services.runtime.logs import get_logger

log = get_logger(__name__)

_MOST_FILES = 16  # of ten megabytes or so; the oldest goes


class Memory(Protocol):
    """The part of the model that can write and read what was computed."""

    def cut(self, slot: int, n_tokens: int) -> bool:
        """Keep the first n tokens of a slot."""

    def save(self, slot: int, tokens: Sequence[int], path: Path) -> None:
        """Write a slot to a file."""

    def restore(self, slot: int, tokens: Sequence[int], path: Path) -> bool:
        """Fill an empty slot from a file. False: it is still empty."""


class KeptOpenings:
    """The files of one folder. Each is named for the model, the library and the tokens it belongs to."""

    def __init__(self, folder: Path, model_path: Path) -> None:
        about = model_path.stat()
        self._folder = folder
        self._model = f"{model_path}:{about.st_size}:{about.st_mtime_ns}:{llama_cpp.__version__}"

    def restore(self, slot: Slot, tokens: Sequence[int], memory: Memory) -> None:
        """Fill the slot with all but the last token, which is computed at every start, when they are kept."""
        if not self._file(tokens).is_file():
            return
        memory.cut(slot.index, 0)
        slot.tokens.clear()
        if memory.restore(slot.index, tokens, self._file(tokens)):
            memory.cut(slot.index, len(tokens) - 1)
            slot.tokens = list(tokens[:-1])

    def keep(self, slot: Slot, memory: Memory) -> None:
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
