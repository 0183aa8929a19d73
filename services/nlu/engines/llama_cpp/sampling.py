"""Sampling by llama.cpp's samplers: by the temperature alone, or also by a grammar."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data
_LIKELIEST = 256  # looked at before the whole vocabulary: that takes 30 ms of every call's step at 152,000 tokens
_REFUSED = float("-inf")


def open_chain(temperature: float, top_p: float = 0.95, seed: int = 0) -> llama.llama_sampler_p:
    """Open a sampler of text; a temperature of 0 always takes the likeliest token. Samplers draw independently."""
    chain: llama.llama_sampler_p = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    steps = [llama.llama_sampler_init_greedy()]
    if temperature > 0:
        steps = [
            llama.llama_sampler_init_top_k(40),
            llama.llama_sampler_init_top_p(top_p, 1),
            llama.llama_sampler_init_temp(temperature),
            llama.llama_sampler_init_dist(seed & 0xFFFFFFFF),
        ]
    for step in steps:
        llama.llama_sampler_chain_add(chain, step)
    return chain


class Grammar:
    """State of one reply in a grammar. Each reply has a state of its own, so any number of replies share a batch."""

    def __init__(self, vocab: Any, rules: str, *, end_token: int) -> None:
        """`rules` in GBNF. Raises ValueError where llama.cpp does not read them."""
        self._end_token = end_token
        self._sampler = llama.llama_sampler_init_grammar(vocab, rules.encode(), b"root")
        if not self._sampler:
            raise ValueError("llama.cpp does not read the grammar")

    def allows(self, token: int) -> bool:
        """Return whether the token may come next."""
        return bool(len(self.allowed(np.array([token], np.int32), np.zeros(1, np.float32))))

    @property
    def is_complete(self) -> bool:
        """Return whether what was accepted is whole."""
        return self.allows(self._end_token)

    def allowed(self, ids: NDArray[np.int32], logits: NDArray[np.float32]) -> NDArray[Any]:
        """Return those of the tokens that may come next, as llama_token_data."""
        candidates = np.zeros(len(ids), _CANDIDATE)
        candidates["id"], candidates["logit"] = ids, logits
        llama.llama_sampler_apply(self._sampler, ctypes.byref(_array_of(candidates)))
        return candidates[candidates["logit"] > _REFUSED]

    def accept(self, token: int) -> None:
        """Take a token. One that is not allowed would end the process: ask `allows` first."""
        llama.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        if self._sampler:
            llama.llama_sampler_free(self._sampler)
            self._sampler = None


def pick_allowed(context: Any, row: int, n_vocab: int, grammar: Grammar, chain: llama.llama_sampler_p) -> int | None:
    """Sample the token after a row among those that the grammar allows: of the likeliest, else of the whole vocabulary.
    None: the grammar allows none.
    """
    logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(context, row), (n_vocab,))
    likeliest = np.argpartition(logits, -_LIKELIEST)[-_LIKELIEST:] if n_vocab > _LIKELIEST else np.arange(n_vocab)
    for ids in (likeliest.astype(np.int32), np.arange(n_vocab, dtype=np.int32)):
        left = grammar.allowed(ids, logits[ids])
        if len(left):
            array = _array_of(left)
            llama.llama_sampler_apply(chain, ctypes.byref(array))
            token = int(array.data[array.selected].id)
            llama.llama_sampler_accept(chain, token)
            return token
    return None


def _array_of(candidates: NDArray[Any]) -> llama.llama_token_data_array:
    data = candidates.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
    return llama.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)
