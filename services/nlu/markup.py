"""Takes markup out of a reply that is still being written. Sans-IO.

Blocks that are no speech go whole: reasoning (`<think>`), tool calls, code fences, JSON, tables. Markdown's marks for
emphasis, headings, list items and code go; the same signs in keys, addresses and figures ("1#", "*",
"john_doe@mail.com", "2^3") stay, and the voice says them in the language's words.
"""

from __future__ import annotations

import re
import unicodedata

LIST_ITEM = "\ue002"
"""Stands where a list item begins behind a word: a pause, whatever white space is before it."""
HEADING_END = "\ue003"
"""Stands where a heading without punctuation ends."""

_HIDDEN_NAMES = (
    "think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad|"
    "tool_call|tool_calls|tool_response|function_call|tool"
)
_HIDDEN_TAG = re.compile(rf"<({_HIDDEN_NAMES})\s{{0,8}}>", re.IGNORECASE)
_TAG = re.compile(r"<\|[^<>|\s]{1,40}\|>|<｜[^<>]{1,60}｜>|</?[A-Za-z][\w:-]{0,30}\s{0,8}/?>")
_TAG_BEGINNING = re.compile(r"<(?:\|[^<>|\s]{0,40}\|?|｜[^<>]{0,60}｜?|/?(?:[A-Za-z][\w:-]{0,30}\s{0,8}/?)?)")
_JSON_LIST = re.compile(r"\[\s*(.?)", re.DOTALL)
_LONGEST_CLOSING_TAG = 40
_UNSPOKEN = frozenset("<>~{}\\`|")
_SPOKEN_SYMBOLS = frozenset("°℃℉№^")  # in categories of which everything else is a picture or an accent alone
_PICTURES = frozenset({"So", "Sk", "Cc", "Cf", "Co", "Cn", "Cs"})
_OPENING = frozenset("\"'“‘«([¿¡")
_BULLETS = frozenset("*-+•")


class Markup:
    """One reply. Push what the model writes; speech comes out, with LIST_ITEM and HEADING_END in it.

    How the reply is cut into pieces changes nothing. What may still become markup is held, a few characters at most;
    only the lines of a table are held to their ends.
    """

    def __init__(self) -> None:
        self._held = ""
        self._begin()

    def push(self, text: str) -> str:
        """Add text; returns what is certain to be speech by now."""
        self._held += text
        return self._take(is_whole=False)

    def finish(self) -> str:
        """The reply is whole; returns what was held. A block without an end goes to the end of the reply."""
        rest = self._take(is_whole=True)
        self._begin()
        return rest

    def _begin(self) -> None:
        self._before = "\n"  # the character before, marks left out
        self._last_spoken = ""  # that is no white space
        self._is_line_blank = True
        self._is_heading = False
        self._is_in_table = False
        self._is_emphasised = {"*": False, "_": False}
        self._closing: re.Pattern[str] | None = None  # what ends the hidden block
        self._json_depth = 0
        self._is_in_string = self._is_escaped = False

    def _take(self, *, is_whole: bool) -> str:
        spoken = []
        while self._held:
            n_used, text = self._next(self._held, is_whole)
            if n_used == 0:
                break
            spoken.append(text)
            self._held = self._held[n_used:]
        if is_whole:
            self._held = ""
        return "".join(spoken)

    def _next(self, held: str, is_whole: bool) -> tuple[int, str]:
        """How many characters are used up, and what is spoken for them. (0, ""): more must be seen first."""
        if self._closing is not None:
            return self._hide(self._closing, held, is_whole)
        if self._json_depth:
            return self._hide_json(held)
        if self._is_in_table and self._before == "\n" and self._is_line_blank:
            return self._table_line(held, is_whole)
        return self._next_sign(held, is_whole)

    def _next_sign(self, held: str, is_whole: bool) -> tuple[int, str]:
        handlers = {"<": self._tag, "`": self._fence, "~": self._fence, "[": self._bracket}
        handlers |= dict.fromkeys("*_#-+•^", self._marks)
        if handler := handlers.get(held[0]):
            return handler(held, is_whole)
        match held[0]:
            case "\n":
                return 1, self._end_line()
            case "{":
                return self._hide_json(held)
            case "|":
                self._is_in_table = True
                self._closing = re.compile(r"(?=\n)")
                return 1, ""
        return self._speak(held[0])

    def _speak(self, text: str) -> tuple[int, str]:
        spoken = "".join(c for c in text if _is_spoken(c))
        if spoken:
            self._before = spoken[-1]
            if not spoken.isspace():
                self._last_spoken, self._is_line_blank = spoken[-1], False
        return len(text), spoken

    def _end_line(self) -> str:
        end = HEADING_END if self._is_heading and self._last_spoken.isalnum() else ""
        self._before, self._is_line_blank, self._is_heading = "\n", True, False
        return f"{end}\n"

    # Blocks

    def _tag(self, held: str, is_whole: bool) -> tuple[int, str]:
        if found := _HIDDEN_TAG.match(held):
            self._closing = re.compile(rf"</{found.group(1)}\s{{0,8}}>", re.IGNORECASE)
            return found.end(), ""
        if found := _TAG.match(held):
            return found.end(), ""
        may_become_tag = _TAG_BEGINNING.fullmatch(held) is not None
        return (0, "") if may_become_tag and not is_whole else (1, "")

    def _table_line(self, held: str, is_whole: bool) -> tuple[int, str]:
        line, newline, _ = held.partition("\n")
        if not newline and not is_whole:
            return 0, ""
        if "|" in line:
            return len(line) + len(newline), ""
        self._is_in_table = False
        return self._next_sign(held, is_whole)

    def _bracket(self, held: str, is_whole: bool) -> tuple[int, str]:
        found = _JSON_LIST.match(held)
        inside = found.group(1) if found else ""
        if not inside and not is_whole:
            return 0, ""
        return self._hide_json(held) if inside and inside in '{"' else self._speak("[")

    def _fence(self, held: str, is_whole: bool) -> tuple[int, str]:
        n = _run(held)
        if n >= 3:
            self._closing = re.compile(re.escape(held[:3]))
            return 3, ""
        return (0, "") if n == len(held) and not is_whole else (n, "")

    def _hide(self, closing: re.Pattern[str], held: str, is_whole: bool) -> tuple[int, str]:
        if found := closing.search(held):
            self._closing = None
            if found.end():
                return found.end(), ""
            return 1, self._end_line()
        return (len(held), "") if is_whole else (max(len(held) - _LONGEST_CLOSING_TAG, 0), "")

    def _hide_json(self, held: str) -> tuple[int, str]:
        for i, character in enumerate(held):
            if self._is_in_string:
                self._is_in_string = self._is_escaped or character != '"'
                self._is_escaped = character == "\\" and not self._is_escaped
            elif character == '"':
                self._is_in_string = True
            elif character in "{[":
                self._json_depth += 1
            elif character in "}]":
                self._json_depth -= 1
                if not self._json_depth:
                    return i + 1, ""
        return len(held), ""

    # Marks

    def _marks(self, held: str, is_whole: bool) -> tuple[int, str]:
        """A run of one sign: a mark of markdown, or a sign to be said."""
        sign, n = held[0], _run(held)
        if n == len(held) and not is_whole:
            return 0, ""
        after = held[n : n + 1]
        if self._is_line_blank and sign in _BULLETS and n == 1 and (after.isspace() or sign == "•"):
            return 1, LIST_ITEM if self._last_spoken.isalnum() else ""
        if self._is_line_blank and sign == "#" and after.isspace():
            self._is_heading = True
            return n, ""
        if sign in "*_":
            is_said = self._is_star_said(n, after) if sign == "*" else self._is_underscore_said(n, after)
        elif sign == "#":
            is_said = n == 1 or self._before.isdigit()
        elif sign == "-":
            is_said = n < 3 or not self._is_line_blank
        elif sign == "^":
            is_said = (self._before.isalnum() or self._before == ")") and (after.isalnum() or after in {"(", "-"})
        else:
            is_said = sign == "+"
        return self._speak(held[:n]) if is_said else (n, "")

    def _is_star_said(self, n: int, after: str) -> bool:
        if n > 1:
            return False
        if self._is_emphasised["*"] and not self._before.isspace():
            self._is_emphasised["*"] = False
            return False
        opens = after.isalpha() or after in _OPENING
        if opens and not (self._before.isdigit() and after.isalpha()):
            self._is_emphasised["*"] = after != "" and (self._before.isspace() or not self._before.isascii())
            self._is_emphasised["*"] |= self._before in _OPENING
            return False
        return not (self._before.isalpha() or (self._before in ".!?" and not after.strip()))

    def _is_underscore_said(self, n: int, after: str) -> bool:
        if self._before.isalnum() and after.isalnum():
            return True
        if n > 1:
            return False
        if self._is_emphasised["_"] and not self._before.isspace():
            self._is_emphasised["_"] = False
            return False
        if (self._before.isspace() or self._before in _OPENING) and (after.isalpha() or after in _OPENING):
            self._is_emphasised["_"] = after != ""
            return after == ""
        if after == "@" or (self._before in "@./" and after.isalnum()):
            return True
        return self._before.isspace() and (not after.strip() or after in ",.")


def _run(held: str) -> int:
    """How often the first character is repeated."""
    return len(held) - len(held.lstrip(held[0]))


def _is_spoken(character: str) -> bool:
    if character.isspace() or character in _SPOKEN_SYMBOLS:
        return True
    return character not in _UNSPOKEN and unicodedata.category(character) not in _PICTURES
