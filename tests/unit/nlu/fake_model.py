"""A model of letters: every character is a token, and it answers with a text it was given."""

import json
from collections import Counter, deque
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from string import printable
from typing import Any

from services.nlu.engine import Sampling, ToolSpec
from services.nlu.engines.llama_cpp.constrained import CallGrammar
from services.nlu.engines.llama_cpp.model import DecodeFailed, Row
from services.nlu.tool_form import ToolForm

END = 0
_LETTERS = printable


class LetterModel:
    """Tokens are code points. What follows the last "<assistant>" is the answer, letter by letter, then the end.

    It checks as llama.cpp does that every slot is computed in order, without a hole.
    """

    tool_form: ToolForm | None = ToolForm.HERMES

    def __init__(self, answer: str = "Yes, we do.", *, max_cells: int = 10_000) -> None:
        self.answer, self.max_cells = answer, max_cells
        self.cells: dict[int, list[int]] = {}
        self._numbers: dict[int, list[int]] = {}  # of the cells of each slot; shared ones have one number
        self._next_number = count()
        self._n_slots_of: Counter[int] = Counter()  # of each cell in use
        self.steps: list[list[Row]] = []
        self.saved: dict[Path, list[int]] = {}
        self.fails: deque[bool] = deque()
        self.is_closed = False
        self.samplers: dict[int, Sampling] = {}  # open
        self.used: list[int] = []  # the last sampler of a step's rows, in order
        self._next_sampler = count(1)

    def tokenize(self, text: str, *, is_template: bool) -> list[int]:
        return [ord(c) for c in text]

    def bos(self) -> list[int]:
        return []

    def piece(self, token: int) -> bytes:
        return chr(token).encode()

    def spelled(self, token: int) -> bytes:
        return self.piece(token)

    def render_tools(self, messages: Sequence[dict[str, Any]], *, tools: Sequence[ToolSpec], opens_reply: bool) -> str:
        named = f"<tools>{','.join(tool.name for tool in tools)}</>"
        rendered = named + "".join(
            f"<{m['role']}>{m['content']}{json.dumps(m['tool_calls']) if 'tool_calls' in m else ''}</>"
            for m in messages
        )
        return rendered + ("<assistant>" if opens_reply else "")

    def open_grammar(self, rules: str) -> CallGrammar:
        raise ValueError("letters know no grammar")

    def sample_allowed(self, row: int, grammar: CallGrammar) -> int | None:
        return next((token for token in map(ord, _LETTERS) if grammar.allows(token)), None)

    def render(self, messages: Sequence[tuple[str, str]], *, opens_reply: bool) -> str:
        rendered = "".join(f"<{role}>{text}</>" for role, text in messages)
        return rendered + ("<assistant>" if opens_reply else "")

    def copy(self, from_slot: int, to_slot: int, n_tokens: int) -> None:
        assert not self.cells.get(to_slot)
        self.cells[to_slot] = self.cells[from_slot][:n_tokens]
        self._numbers[to_slot] = self._numbers[from_slot][:n_tokens]
        self._n_slots_of.update(self._numbers[to_slot])

    def cut(self, slot: int, n_tokens: int) -> bool:
        self.cells[slot] = self.cells.get(slot, [])[:n_tokens]
        numbers = self._numbers.get(slot, [])
        for number in numbers[n_tokens:]:
            self._n_slots_of[number] -= 1
            if not self._n_slots_of[number]:
                del self._n_slots_of[number]
        self._numbers[slot] = numbers[:n_tokens]
        return True

    def save(self, slot: int, tokens: Sequence[int], path: Path) -> None:
        assert self.cells[slot] == list(tokens)
        path.write_text("kept", encoding="utf-8")
        self.saved[path] = list(tokens)

    def restore(self, slot: int, tokens: Sequence[int], path: Path) -> bool:
        assert not self.cells.get(slot)
        if self.saved.get(path) != list(tokens):
            return False
        self.cells[slot] = list(tokens)
        self._numbers[slot] = [next(self._next_number) for _ in tokens]
        self._n_slots_of.update(self._numbers[slot])
        return True

    def ends_reply(self, token: int) -> bool:
        return token == END

    def decode(self, rows: Sequence[Row]) -> bool:
        if self.fails and self.fails.popleft():
            raise DecodeFailed("llama_decode returned -3")
        if len(self._n_slots_of) + len(rows) > self.max_cells:
            return False
        for row in rows:
            cells = self.cells.setdefault(row.slot, [])
            assert row.position == len(cells), "a slot is computed in order"
            cells.append(row.token)
            number = next(self._next_number)
            self._numbers.setdefault(row.slot, []).append(number)
            self._n_slots_of[number] = 1
        self.steps.append(list(rows))
        return True

    def sample(self, row: int) -> int:
        last = self.steps[-1][row]
        assert last.wants_next
        text = "".join(map(chr, self.cells[last.slot]))
        said = text.rpartition("<assistant>")[2]
        return ord(self.answer[len(said)]) if len(said) < len(self.answer) else END

    def open_sampler(self, sampling: Sampling) -> int:
        number = next(self._next_sampler)
        self.samplers[number] = sampling
        return number

    def use_sampler(self, number: int) -> None:
        assert number in self.samplers, "a sampler is open while it is used"
        self.used[:] = [number]

    def close_sampler(self, number: int) -> None:
        del self.samplers[number]

    def close(self) -> None:
        self.is_closed = True
