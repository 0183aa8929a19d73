"""Decoding model as the scheduler sees it: what it asks of llama.cpp, or of a stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from services.nlu.engine import Sampling
from services.nlu.engines.llama_cpp.constrained import SamplingModel
from services.nlu.engines.llama_cpp.model import Row
from services.nlu.engines.llama_cpp.openings import Memory
from services.nlu.engines.llama_cpp.prompt import Tokenizer
from services.nlu.engines.llama_cpp.slots import Cache


class Model(Tokenizer, Cache, Memory, SamplingModel, Protocol):
    """Protocol of the model that the scheduler needs; LlamaModel is one."""

    def ends_reply(self, token: int) -> bool:
        """Return whether the token says that the reply is whole."""

    def decode(self, rows: Sequence[Row]) -> bool:
        """Compute one step. False: no room. Raises DecodeFailed."""

    def open_sampler(self, sampling: Sampling) -> int:
        """Open a sampler for one reply; return its number."""

    def use_sampler(self, number: int) -> None:
        """Draw the tokens from here on with it."""

    def close_sampler(self, number: int) -> None: ...

    def close(self) -> None: ...


class ModelBroken(RuntimeError):
    """Every one of the last steps failed: the model cannot serve any more."""
