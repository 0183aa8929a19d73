"""Constrained decoding: tool calls in a reply follow the grammar of the tools, token by token; other text is free.

From the first sign of a call on, each token that the model takes is looked at; only one that the grammar refuses is
sampled again. The state belongs to the reply, so replies with and without tools share every step of the batch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from services.runtime.logs import get_logger

log = get_logger(__name__)

_MOST_CALLS = 8  # in a reply; a model that loops writes calls without end
_LEAST_TEXT_KEPT = 400  # characters in which a call may begin


class CallGrammar(Protocol):
    """One pass through the grammar; llama_cpp.sampling.Grammar is one."""

    @property
    def is_complete(self) -> bool: ...

    def allows(self, token: int) -> bool: ...

    def accept(self, token: int) -> None: ...

    def close(self) -> None: ...


class SamplingModel(Protocol):
    """Protocol of a model that samples."""

    def sample(self, row: int) -> int:
        """Sample the token after a row of the last step."""

    def sample_allowed(self, row: int, grammar: CallGrammar) -> int | None:
        """Sample the token after a row among those that the grammar allows; None: there is none."""

    def open_grammar(self, rules: str) -> CallGrammar:
        """Raises ValueError."""

    def spelled(self, token: int) -> bytes:
        """Return the bytes of a token, also of a special one."""


@dataclass(slots=True, eq=False)
class ConstrainedCalls:
    """Constrained calls of one reply."""

    rules: str  # GBNF
    beginning: re.Pattern[str]  # of a call, as text
    n_call_tokens: int = 0  # taken so far
    n_calls: int = 0
    _text: str = ""  # since the last call
    _pieces: list[tuple[int, int]] = field(default_factory=list)  # where each token of it begins, and the token
    _grammar: CallGrammar | None = None
    _is_free: bool = False  # the grammar cannot be used

    @property
    def is_in_call(self) -> bool:
        return self._grammar is not None

    def sample(self, model: SamplingModel, row: int) -> int:
        """Sample the token after a row, held to the grammar within a call."""
        token = model.sample(row)
        if self._grammar is None and not self._begins_call(model, token):
            return token
        grammar = self._grammar
        if grammar is None:
            return token
        if not grammar.allows(token):
            allowed = model.sample_allowed(row, grammar)
            if allowed is None:
                log.warning("call_not_constrained", reason="the grammar allows no token")
                self._leave()
                return token
            token = allowed
        grammar.accept(token)
        self.n_call_tokens += 1
        if grammar.is_complete:
            self.n_calls += 1
            self._leave()
        return token

    def close(self) -> None:
        """The reply has ended."""
        self._leave()

    def _begins_call(self, model: SamplingModel, token: int) -> bool:
        """Return whether the text has come to a call with this token. Then the tokens of its beginning are in the
        grammar.
        """
        start = len(self._text)
        self._text += model.spelled(token).decode(errors="ignore")
        self._pieces.append((start, token))
        found = self.beginning.search(self._text)
        if found is None or self._is_free:
            if len(self._text) > 2 * _LEAST_TEXT_KEPT:
                self._forget(len(self._text) - _LEAST_TEXT_KEPT)
            return False
        first = max(i for i, (begin, _) in enumerate(self._pieces) if begin <= found.start())
        if self._text[self._pieces[first][0] : found.start()].strip():
            return False  # its beginning stands within a token: what follows is held against the schema later
        if self.n_calls >= _MOST_CALLS:
            return False
        earlier = [each for _, each in self._pieces[first:-1]]
        self._text, self._pieces = "", []
        return self._enter(model, earlier)

    def _enter(self, model: SamplingModel, earlier: list[int]) -> bool:
        try:
            grammar = model.open_grammar(self.rules)
        except ValueError as error:
            log.warning("call_not_constrained", reason=str(error))
            self._is_free = True
            return False
        for token in earlier:
            if not grammar.allows(token):
                grammar.close()
                return False
            grammar.accept(token)
        self.n_call_tokens += len(earlier)
        self._grammar = grammar
        return True

    def _leave(self) -> None:
        if self._grammar is not None:
            self._grammar.close()
            self._grammar = None

    def _forget(self, n_chars: int) -> None:
        kept = [(begin - n_chars, token) for begin, token in self._pieces if begin >= n_chars]
        if kept:
            cut = n_chars + kept[0][0]
            self._pieces = [(begin - kept[0][0], token) for begin, token in kept]
            self._text = self._text[cut:]
