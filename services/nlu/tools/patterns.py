"""Regular expressions of schemas that others wrote, matched in bounded time. Sans-IO.

The syntax is that of ECMA-262 with the flag `u`, as JSON Schema 2020-12 (Core, 6.4) asks, without back references. An
expression becomes a program, as in Thompson's construction; its instructions are followed from each place of the text
at most once, so that the time grows with their product and never with a power of the text's length. What is longer than
the limits is refused, not tried.
"""

from __future__ import annotations

import string

from services.nlu.tools.pattern_characters import (
    CLASSES,
    between,
    category_of,
    in_category,
    is_digit,
    is_no_line_end,
    opposite,
    same,
)
from services.nlu.tools.pattern_search import (
    CHAR,
    EDGE,
    END,
    LOOK,
    MATCH,
    NO_EDGE,
    SPLIT,
    START,
    Instruction,
    Look,
    Search,
    Test,
)

MOST_INSTRUCTIONS = 10_000
_DEEPEST = 40  # groups within groups


class BadPattern(ValueError):
    """The text is no regular expression, or one that cannot be matched in bounded time."""


class Pattern:
    """One expression. Safe to share: a search keeps its state to itself."""

    def __init__(self, text: str) -> None:
        """Raises BadPattern."""
        self._program = (*_Parser(text).whole(), Instruction(MATCH))

    def search(self, text: str, *, most_steps: int) -> tuple[bool, int]:
        """Return whether it matches anywhere in the text, and the steps that it took to see that. Raises TooLong."""
        search = Search(text, most_steps)
        found = search.matches(self._program, range(len(text) + 1))
        return found, most_steps - search.steps_left


_LOOKS = {"?=": (True, True), "?!": (True, False), "?<=": (False, True), "?<!": (False, False)}
_ASSERTIONS = {"^": START, "$": END, "\\b": EDGE, "\\B": NO_EDGE}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "f": "\f", "0": "\0"}


class _Parser:
    """Recursive descent; each part gives the instructions that match it."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth, self._n_looked = text, 0, 0, 0

    def whole(self) -> tuple[Instruction, ...]:
        made = self._choices()
        if self._at < len(self._text):
            raise self._bad("a bracket is closed that was not opened")
        return tuple(made)

    def _bad(self, why: str) -> BadPattern:
        return BadPattern(f"pattern {self._text[:80]!r}: {why}, at {self._at}")

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self, text: str) -> bool:
        found = self._peek(text)
        self._at += len(text) if found else 0
        return found

    def _peek_any(self, chars: str) -> bool:
        return self._text[self._at : self._at + 1] in set(chars)

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise self._bad("it ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _choices(self) -> list[Instruction]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._bad("too many groups within groups")
        branches = [self._sequence()]
        size = len(branches[0])
        while self._take("|"):
            branches.append(self._sequence())
            size += len(branches[-1]) + 2
            self._check_size(size)
        self._depth -= 1
        made: list[Instruction] = []
        for branch in branches[:-1]:
            made += [_to(1, len(branch) + 2), *branch]
            made.append(_to(size - len(made)))
        return made + branches[-1]

    def _sequence(self) -> list[Instruction]:
        made: list[Instruction] = []
        while self._at < len(self._text) and not self._peek("|") and not self._peek(")"):
            made += self._repeated(*self._atom())
            self._check_size(len(made))
        return made

    def _check_size(self, n_instructions: int) -> None:
        """Refuse a program that is too large with those of its look-arounds, which stand beside it."""
        if n_instructions + self._n_looked > MOST_INSTRUCTIONS:
            raise self._bad("it is too large")

    def _repeated(self, atom: list[Instruction], can_repeat: bool) -> list[Instruction]:
        if (bounds := self._bounds()) is None:
            return atom
        if not can_repeat:
            raise self._bad("there is nothing to repeat")
        least, most = bounds
        self._take("?")  # whether it takes much or little changes no answer of whether it is there
        size = len(atom)
        if (size + 2) * max(least + 1, most if most is not None else 0) > MOST_INSTRUCTIONS:
            raise self._bad("it repeats too much")
        made = atom * least
        if most is None:
            return [*made, _to(1, size + 2), *atom, _to(-size - 1)]
        for n_left in range(most - least, 0, -1):
            made += [_to(1, (size + 1) * n_left), *atom]
        return made

    def _bounds(self) -> tuple[int, int | None] | None:
        """Return what a quantifier here asks for; None: there is none."""
        for sign, found in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return found
        if not self._take("{"):
            return None
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = None if self._peek("}") else self._number()
        if not self._take("}") or (most is not None and most < least):
            raise self._bad("a quantifier is {n}, {n,} or {n,m}")
        return least, most

    def _number(self) -> int:
        digits = ""
        while self._at < len(self._text) and is_digit(self._text[self._at]) and len(digits) < 9:
            digits += self._next()
        if not digits:
            raise self._bad("a quantifier is {n}, {n,} or {n,m}")
        return int(digits)

    def _atom(self) -> tuple[list[Instruction], bool]:
        """One atom or assertion, and whether it may be repeated."""
        char = self._next()
        if char == "\\" and self._peek_any("bB"):
            char += self._next()
        if (kind := _ASSERTIONS.get(char)) is not None:
            return [Instruction(kind)], False
        if char == "(":
            return self._group()
        if char in "*+?{":
            raise self._bad("there is nothing to repeat")
        return [_char(self._one_of(char))], True

    def _one_of(self, char: str) -> Test:
        """The test of what matches one character."""
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()[0]
        return is_no_line_end if char == "." else same(char)

    def _group(self) -> tuple[list[Instruction], bool]:
        look = next((sign for sign in _LOOKS if self._take(sign)), None)
        if look is None and not self._take("?:") and self._take("?<"):
            while (char := self._next()) != ">":  # a name: nothing refers to it here
                if not (char.isalnum() or char in "_$"):
                    raise self._bad("a group's name has letters and digits")
        elif look is None and self._peek("?"):
            raise self._bad("there is no such group")
        made = self._choices()
        if not self._take(")"):
            raise self._bad("a bracket is not closed")
        if look is None:
            return made, True
        self._n_looked += len(made)
        self._check_size(0)
        is_ahead, is_wanted = _LOOKS[look]
        held = Look((*made, Instruction(MATCH)), is_ahead, is_wanted)
        return [Instruction(LOOK, look=held)], False

    def _class(self) -> Test:
        is_negated = self._take("^")
        tests: dict[Test, None] = {}  # each once, so that a class of many is no slower
        ranges: list[tuple[str, str]] = []
        chars: set[str] = set()
        while not self._take("]"):
            test, first = self._member()
            if self._peek("-") and not self._peek("-]"):
                self._next()
                _, last = self._member()
                if first is None or last is None or last < first:
                    raise self._bad("a range goes from one character to a later one")
                ranges.append((first, last))
            elif first is not None:
                chars.add(first)
            else:
                tests[test] = None
        held, listed, is_between = frozenset(chars), tuple(tests), between(ranges)
        return lambda char: (char in held or is_between(char) or any(each(char) for each in listed)) != is_negated

    def _member(self) -> tuple[Test, str | None]:
        char = self._next()
        if char != "\\":
            return same(char), char
        if self._take("b"):
            return same("\b"), "\b"
        if self._take("-"):
            return same("-"), "-"
        return self._escape()

    def _escape(self) -> tuple[Test, str | None]:
        """Return what stands after a backslash: its test, and its character where it is one."""
        char = self._next()
        if (test := CLASSES.get(char.lower())) is not None:
            return (test if char.islower() else opposite(test)), None
        if char in "pP":
            test = self._property()
            return (test if char == "p" else opposite(test)), None
        if char == "k" or char in "123456789":
            raise self._bad("a reference back cannot be matched in bounded time")
        found = _CONTROLS.get(char) or self._coded(char)
        if found is None and char.isascii() and char.isalnum():
            raise self._bad(f"\\{char} means nothing")
        return same(found or char), found or char

    def _coded(self, char: str) -> str | None:
        if char == "x":
            return self._hexadecimal(2)
        if char == "u" and self._take("{"):
            digits = ""
            while not self._take("}"):
                digits += self._next()
            return self._character(digits)
        if char == "u":
            first = self._hexadecimal(4)
            begins_pair, behind = "\ud800" <= first <= "\udbff", self._at
            if begins_pair and self._take("\\u") and not self._peek("{"):
                second = self._hexadecimal(4)
                if "\udc00" <= second <= "\udfff":
                    return chr(0x10000 + ((ord(first) - 0xD800) << 10) + (ord(second) - 0xDC00))
            self._at = behind
            return first
        if char == "c":
            letter = self._next()
            if not (letter.isascii() and letter.isalpha()):
                raise self._bad("\\c stands before a letter")
            return chr(ord(letter) % 32)
        return None

    def _hexadecimal(self, n_digits: int) -> str:
        return self._character("".join(self._next() for _ in range(n_digits)))

    def _character(self, digits: str) -> str:
        try:
            if not set(digits) <= set(string.hexdigits):
                raise ValueError("int() reads signs, spaces and underscores too")
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise self._bad(f"{digits[:10]!r} is no code of a character") from None

    def _property(self) -> Test:
        r"""A general category of Unicode: \p{L}, \p{Lu}, \p{gc=Nd}."""
        if not self._take("{"):
            raise self._bad("\\p stands before a property in braces")
        name = ""
        while not self._take("}"):
            name += self._next()
        kind, _, category = name.rpartition("=")
        wanted = category_of(category)
        if kind not in {"", "gc", "General_Category"} or wanted is None:
            raise self._bad(f"the property {name[:20]!r} is not known here: use a general category")
        return in_category(wanted)


def _to(*steps: int) -> Instruction:
    return Instruction(SPLIT, to=steps)


def _char(test: Test) -> Instruction:
    return Instruction(CHAR, test)
