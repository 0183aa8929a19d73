"""Markup filter: takes markup out of a reply that is still being written. Sans-IO.

Blocks that are no speech go whole: reasoning (`<think>`, `[THINK]`, `<|channel|>analysis`), tool calls, code fences,
JSON, tables, and whatever the model writes behind the end of its turn. Markdown's marks for emphasis, headings, list
items and code go, and the address of a link; the same signs in keys, addresses and figures ("1#", "*",
"john_doe@mail.com", "2^3") stay, and the voice says them in the language's words.
"""

from __future__ import annotations

import html
import re
import unicodedata

from services.nlu import markup_forms as forms
from services.nlu.markup_edges import AngleEscapes, LineHead

LIST_ITEM = "\ue002"
"""Stands where a list item begins behind a word: a pause, whatever white space is before it."""
HEADING_END = "\ue003"
"""Stands where a heading without punctuation ends."""
THOUGHT_END = "\ue004"
"""Stands where reasoning ends whose beginning is not in the reply: all before it was no speech. Templates that write
`<think>` themselves leave the model to write `</think>` alone.
"""

_UNSPOKEN = frozenset("<>~{}\\`|")
_SPOKEN_SYMBOLS = frozenset("°℃℉№^")  # in categories of which everything else is a picture or an accent alone
_PICTURES = frozenset({"So", "Sk", "Cc", "Cf", "Co", "Cn", "Cs"})
_OPENING = frozenset("\"'“‘«([¿¡")
_BULLETS = frozenset("*-+•")


class Markup:
    """Markup filter of one reply. Push what the model writes; speech comes out, with LIST_ITEM and HEADING_END in it.

    How the reply is cut into pieces changes nothing. What may still become markup is held, a few characters at most;
    only the lines of a table are held to their ends.
    """

    def __init__(self) -> None:
        self._held = ""
        self._escapes = AngleEscapes()
        self._begin()

    def push(self, text: str) -> str:
        """Add text; returns what is certain to be speech by now."""
        self._held += self._escapes.push(text)
        return self._take(is_whole=False)

    def finish(self) -> str:
        """The reply is whole; returns what was held. A block without an end goes to the end of the reply."""
        self._held += self._escapes.finish()
        rest = self._take(is_whole=True)
        self._begin()
        return rest

    def _begin(self) -> None:
        self._before = "\n"  # the character before, marks left out
        self._last_spoken = ""  # that is no white space
        self._head = LineHead()
        self._is_line_blank = True
        self._is_heading = False
        self._is_in_table = False
        self._is_emphasised = {"*": False, "_": False}
        self._closing: re.Pattern[str] | None = None  # what ends the hidden block
        self._opening = forms.NEVER  # what begins another such block inside it
        self._depth = 0
        self._has_reasoned = False  # in a block with a beginning
        self._channel = ""  # what stood between the last two special tokens
        self._json_depth = 0
        self._is_in_string = self._is_escaped = False

    def _take(self, *, is_whole: bool) -> str:
        spoken = []
        while self._held:
            n_used, text = self._next(self._held, is_whole)
            if n_used == 0:
                break
            spoken.append(self._head.void() + text if text == THOUGHT_END else self._head.push(text))
            self._held = self._held[n_used:]
        if is_whole:
            self._held = ""
            spoken.append(self._head.finish())
        return "".join(spoken)

    def _next(self, held: str, is_whole: bool) -> tuple[int, str]:
        """Return how many characters are used up, and what is spoken for them. (0, ""): more must be seen first."""
        if self._closing is not None:
            return self._hide(self._closing, held, is_whole)
        if self._json_depth:
            return self._hide_json(held)
        if self._is_in_table and self._before == "\n" and self._is_line_blank:
            return self._table_line(held, is_whole)
        return self._next_sign(held, is_whole)

    def _next_sign(self, held: str, is_whole: bool) -> tuple[int, str]:
        handlers = {"<": self._tag, "`": self._fence, "~": self._fence, "[": self._bracket, "◁": self._bracket}
        handlers |= {"&": self._entity, "]": self._link}
        handlers |= dict.fromkeys("*_#-+•^", self._marks)
        if handler := handlers.get(held[0]):
            return handler(held, is_whole)
        match held[0]:
            case "\n":
                return 1, self._end_line()
            case "{":
                return self._hide_json(held)
            case "|":
                return self._bar(held, is_whole)
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
        if found := forms.SPECIAL.match(held):
            return found.end(), self._special((found.group(1) or found.group(2)).strip())
        if found := forms.TAG.match(held):
            name = found.group(2)
            if found.group(1):
                return found.end(), self._thought_end(name)
            if forms.TURN_ENDS.search(name):
                self._hide_until(forms.NEVER)
            elif not held[: found.end()].endswith("/>") and forms.HIDDEN.search(name):
                is_reasoning = bool(forms.REASONING.search(name))
                self._has_reasoned = self._has_reasoned or is_reasoning
                name = forms.ANY_REASONING if is_reasoning else re.escape(name)  # some models close it by another name
                opening = re.compile(rf"<\s?{name}[^<>]{{0,300}}(?<!/)>", re.IGNORECASE)
                self._hide_until(re.compile(rf"<\s?/\s?{name}\s{{0,8}}>", re.IGNORECASE), opening)
            return found.end(), ""
        if found := forms.UNSEEN.match(held):
            self._hide_until(forms.UNSEEN_ENDS.get(found.group(), re.compile(">")))
            return found.end(), ""
        if not is_whole and forms.UNSEEN_BEGINNING.fullmatch(held):
            return 0, ""
        may_become_tag = forms.TAG_BEGINNING.fullmatch(held) or forms.SPECIAL_BEGINNING.fullmatch(held)
        return (0, "") if may_become_tag and not is_whole else (1, "")

    def _special(self, name: str) -> str:
        """Read a special token that the model wrote as text."""
        if name == "im_start" and not self._last_spoken:  # the header of its own turn once more
            self._hide_until(re.compile(r"(?=\n)"))
        elif forms.TURN_ENDS.search(name) or name in forms.OTHERS:
            self._hide_until(forms.NEVER)
        else:
            is_end = name.startswith(("/", "end")) or name.endswith("end")
            if is_end:
                return self._thought_end(name)
            is_hidden = forms.HIDDEN.search(name)
            is_header = name in ("channel", "start") or (name == "message" and self._channel != "final")
            if is_hidden or is_header:
                self._has_reasoned = self._has_reasoned or bool(forms.REASONING.search(name))
                self._hide_until(forms.NEXT_SPECIAL)
        return ""

    def _thought_end(self, name: str) -> str:
        """A closing mark outside any block: of reasoning it says that all before it was that."""
        if self._has_reasoned or not forms.REASONING.search(name):
            return ""
        self._has_reasoned = True
        self._last_spoken, self._is_line_blank, self._is_heading = "", True, False
        return THOUGHT_END

    def _hide_until(self, closing: re.Pattern[str], opening: re.Pattern[str] = forms.NEVER) -> None:
        self._closing, self._opening, self._depth, self._channel = closing, opening, 1, ""

    def _bar(self, held: str, is_whole: bool) -> tuple[int, str]:
        """A table's cell ends, or what a comma would stand for in speech."""
        if not self._is_line_blank:
            _, newline, below = held.partition("\n")
            if not is_whole and (not newline or forms.TABLE_RULE_BEGINNING.fullmatch(below)):
                return 0, ""
            if not forms.TABLE_RULE.match(below):
                item, self._last_spoken = LIST_ITEM if self._last_spoken.isalnum() else "", ","
                return 1, item
            self._head.drop()
        self._is_in_table = True
        self._hide_until(re.compile(r"(?=\n)"))
        return 1, ""

    def _table_line(self, held: str, is_whole: bool) -> tuple[int, str]:
        line, newline, _ = held.partition("\n")
        if not newline and not is_whole:
            return 0, ""
        if "|" in line:
            return len(line) + len(newline), ""
        self._is_in_table = False
        return self._next_sign(held, is_whole)

    def _bracket(self, held: str, is_whole: bool) -> tuple[int, str]:
        if found := forms.BRACKET_TAG.match(held):
            slash, name = found.group(1) or found.group(3), found.group(2) or found.group(4)
            if slash:
                return found.end(), self._thought_end(name)
            if forms.HIDDEN.search(name) or name == "INST":
                self._has_reasoned = self._has_reasoned or bool(forms.REASONING.search(name))
                left, right = ("\\[", "\\]") if held[0] == "[" else ("◁", "▷")
                self._hide_until(re.compile(f"{left}/{re.escape(name)}{right}"))
            return found.end(), ""
        if not is_whole and forms.BRACKET_TAG_BEGINNING.fullmatch(held):
            return 0, ""
        return self._square(held, is_whole) if held[0] == "[" else (1, "")

    def _square(self, held: str, is_whole: bool) -> tuple[int, str]:
        """Read the beginning of a list of JSON or of calls, a box to be ticked, or a bracket."""
        if self._is_line_blank and (box := forms.TASK_BOX.match(held)):
            return box.end(), ""
        if self._is_line_blank and not is_whole and forms.TASK_BOX_BEGINNING.fullmatch(held):
            return 0, ""
        if forms.PYTHON_CALL.match(held):
            return self._hide_json(held)
        found = forms.JSON_LIST.match(held)
        inside = found.group(1) if found else ""
        if not is_whole and (not inside or forms.PYTHON_CALL_BEGINNING.fullmatch(held)):
            return 0, ""
        return self._hide_json(held) if inside and inside in '{"' else self._speak("[")

    def _link(self, held: str, is_whole: bool) -> tuple[int, str]:
        """Read the end of a link's words; the address is not spoken."""
        if held.startswith("]("):
            self._hide_until(re.compile(r"\)"))
            return 2, self._speak("]")[1]
        return (0, "") if held == "]" and not is_whole else self._speak("]")

    def _entity(self, held: str, is_whole: bool) -> tuple[int, str]:
        if found := forms.ENTITY.match(held):
            meant = html.unescape(found.group())
            return (found.end(), self._speak(meant)[1]) if meant[:1] != "&" or meant == "&" else self._speak("&")
        return (0, "") if not is_whole and forms.ENTITY_BEGINNING.fullmatch(held) else self._speak("&")

    def _fence(self, held: str, is_whole: bool) -> tuple[int, str]:
        n = _run(held)
        if n >= 3:
            self._hide_until(re.compile(re.escape(held[:3])))
            return 3, ""
        return (0, "") if n == len(held) and not is_whole else (n, "")

    def _hide(self, closing: re.Pattern[str], held: str, is_whole: bool) -> tuple[int, str]:
        found, inner = closing.search(held), self._opening.search(held)
        if inner and (found is None or inner.start() < found.start()):
            self._depth += 1
            return inner.end(), ""
        if found:
            self._channel = (self._channel + held[: found.start()]).strip()[: forms.LONGEST_CLOSING_TAG]
            self._depth -= 1
            if not self._depth:
                self._closing = None
            return (found.end(), "") if found.end() else self._next_after_hidden(held, is_whole)
        n_used = len(held) if is_whole else max(len(held) - forms.LONGEST_CLOSING_TAG, 0)
        self._channel = (self._channel + held[:n_used])[: forms.LONGEST_CLOSING_TAG]
        return n_used, ""

    def _next_after_hidden(self, held: str, is_whole: bool) -> tuple[int, str]:
        """Return the text behind the block; the mark that ends the block stands first."""
        return (1, self._end_line()) if held[0] == "\n" else self._tag(held, is_whole)

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
        """Read a run of one sign: a mark of markdown, or a sign to be spoken."""
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
    """Return how often the first character is repeated."""
    return len(held) - len(held.lstrip(held[0]))


def _is_spoken(character: str) -> bool:
    if character.isspace() or character in _SPOKEN_SYMBOLS:
        return True
    return character not in _UNSPOKEN and unicodedata.category(character) not in _PICTURES
