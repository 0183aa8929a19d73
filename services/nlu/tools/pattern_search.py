"""The programs that expressions become, and the search of a text by them. Sans-IO.

Each instruction is followed from each place of the text at most once, so that the time grows with their product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

CHAR, SPLIT, START, END, EDGE, NO_EDGE, LOOK, MATCH = range(8)

Test = Callable[[str], bool]


class TooLong(Exception):
    """A search has taken all the steps that it may take."""


@dataclass(frozen=True, slots=True)
class Look:
    program: tuple[Instruction, ...]
    is_ahead: bool
    is_wanted: bool  # False: what it finds must not be there


@dataclass(frozen=True, slots=True)
class Instruction:
    kind: int
    test: Test | None = None  # of CHAR
    to: tuple[int, ...] = ()  # of SPLIT, where it goes on, relative to itself
    look: Look | None = None


class Search:
    def __init__(self, text: str, most_steps: int) -> None:
        self._text, self.steps_left = text, most_steps
        self._looked: dict[tuple[int, int], bool] = {}

    def matches(self, program: Sequence[Instruction], starts: Sequence[int], *, ends_at: int | None = None) -> bool:
        """Return whether the program matches from one of the places, and up to one, where it is given."""
        text, seen = self._text, set[tuple[int, int]]()
        for start in starts:
            todo = [(0, start)]
            while todo:
                state = todo.pop()
                if state in seen:
                    continue
                seen.add(state)
                self.steps_left -= 1
                if self.steps_left < 0:
                    raise TooLong
                at, place = state
                each = program[at]
                if each.kind == MATCH:
                    if ends_at is None or place == ends_at:
                        return True
                elif each.kind == CHAR:
                    if place < len(text) and each.test is not None and each.test(text[place]):
                        todo.append((at + 1, place + 1))
                elif each.kind == SPLIT:
                    todo += [(at + step, place) for step in reversed(each.to)]
                elif self._holds(each, place):
                    todo.append((at + 1, place))
        return False

    def _holds(self, each: Instruction, place: int) -> bool:
        text = self._text
        if each.kind == START:
            return place == 0
        if each.kind == END:
            return place == len(text)
        if each.look is not None:
            return self._looks(each.look, place)
        before = place > 0 and is_word(text[place - 1])
        after = place < len(text) and is_word(text[place])
        return (before != after) == (each.kind == EDGE)

    def _looks(self, look: Look, place: int) -> bool:
        known = (id(look), place)
        if known not in self._looked:
            if look.is_ahead:
                found = self.matches(look.program, (place,))
            else:
                found = self.matches(look.program, range(place, -1, -1), ends_at=place)
            self._looked[known] = found == look.is_wanted
        return self._looked[known]


def is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")
