"""Codes: numbers that name a thing are said digit by digit, letters beside them by their names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

from services.language.reading.numbers import Numbers, in_threes
from services.language.reading.patterns import APOSTROPHE, any_of, letter, letter_or_digit
from services.language.reading.rule import DIGIT, Rule
from services.language.reading.spoken import Rewrite
from services.language.words import is_of_a_word, lowered

_DIGITS_OR_LETTERS = re.compile(r"\d+|[^\W\d_]+")
_LONGEST_RUN = 6  # digits said in one breath
_LETTERED = (
    r"(?!\d+(?:AM|PM|ST|ND|RD|TH)\b)(?=[A-Z\d-]*\d)(?=[A-Z\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*+"  # AB12, XK7-99Q
    r"|[A-Z]{1,3} \d{2,}|[a-z]+\d[a-z\d]*+(?![/.]\w)"  # VN 123, a1b2
)
_FIRST_DIGITS = re.compile(r"\d+")
_ONE_WORD = re.compile(r"\s[^\W\d]+\s")
_FEWEST_DIGITS = 3  # of a code; two behind some nouns
_AMOUNTS = ("counted_things", "units", "currencies", "scales")
_WITHIN = r"(?:(?![。！？；])[^.!?;\n\d])"
"""A sign of a clause that is no digit."""
_FAR = 60  # code points between the noun and its code, at most
_APART = re.compile(rf"(?:{_WITHIN}|(?<!\d)\d{{1,2}}(?!\d)){{0,{_FAR}}}")


def characters(code: str, numbers: Numbers) -> str:
    """Digits by themselves, letters by their names, groups parted by commas: "A B, one two"."""
    said = []
    for part in _DIGITS_OR_LETTERS.findall(code):
        if not part[0].isdecimal():
            said.append(" ".join(part.upper()))
        else:
            said += [numbers.digits(cut) for cut in (in_threes(part) if len(part) > _LONGEST_RUN else [part])]
    return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun of a text that announces codes."""

    end: int  # code points
    is_short: bool  # one of `short_code_words`


class Nouns:
    """Finds the nouns that announce codes, in any case. A pattern of all of them takes 2 ms to compile."""

    def __init__(self, words: Mapping[str, Any], *, is_spaced: bool) -> None:
        self._is_spaced = is_spaced
        self._endings = (*sorted(words.get("code_endings", ()), key=len, reverse=True), "")
        self._by_letter: dict[str, list[tuple[str, bool]]] = {}  # short ones first, the longest of each first
        for is_short, key in ((True, "short_code_words"), (False, "code_words")):
            for noun in sorted((lowered(noun) for noun in words.get(key, ())), key=len, reverse=True):
                self._by_letter.setdefault(noun[0], []).append((noun, is_short))

    def find(self, text: str) -> list[Noun]:
        """Return the codes of a text, in order; they do not overlap."""
        found: list[Noun] = []
        small, at = lowered(text), 0
        for start, first in enumerate(small):
            if start < at or first not in self._by_letter:
                continue
            if self._is_spaced and start and is_of_a_word(small[start - 1]):
                continue
            if (noun := self._at(small, start)) is not None:
                found.append(noun)
                at = noun.end
        return found

    def _at(self, small: str, start: int) -> Noun | None:
        for noun, is_short in self._by_letter[small[start]]:
            if not small.startswith(noun, start):
                continue
            for ending in self._endings:
                end = start + len(noun) + len(ending)
                is_whole = not self._is_spaced or not is_of_a_word(small[end : end + 1])
                if is_whole and small.startswith(ending, start + len(noun)):
                    return Noun(end, is_short)
        return None


@cache
def _code(word: str) -> re.Pattern[str]:
    """Return the pattern of codes, `word` being that of `letter_or_digit`: the same in every language with spaces."""
    return re.compile(
        rf"(?<!{word})(?<![.,:/$£¥-])(?<![€₫])"
        rf"(?P<code>\d+(?:-\d+)*-[A-Z]+(?!\w)|\d{{2,}}(?:-\d+| \d{{2,}}){{0,9}}+|\d+|{_LETTERED})"
        rf"(?!{word}|[/%°$£¥]|[€₫]{{1}}|[.,:]\d|{APOSTROPHE}(?!s\b)|-\d|\s[%°])"
    )


class AnnouncedCodes:
    """Codes that a noun announces: "room 1204", "the code for the door is 4821", "4821 is your PIN".

    Behind a noun of `code_words` a code has three digits or more and stands beside it but for `code_links` and
    `copulas`: "order no. 4821". Behind one of `short_code_words` two digits are enough there, and three in the clause.
    `list_words` join codes of one noun. An amount of `counted_things` or of a unit is no code: "order 100 boxes".
    """

    needs = (DIGIT,)

    def __init__(self, words: Mapping[str, Any], numbers: Numbers) -> None:
        self._numbers = numbers
        self._is_far = False
        short = any_of(words.get("short_code_words", ()))
        copulas, joiners, behind = (
            any_of(words.get(key, ())) for key in ("copulas", "list_words", "code_words_behind")
        )
        links = "|".join(words.get("code_links", ())) or "(?!)"
        is_spaced, word = bool(words.get("gap", " ")), letter_or_digit(words)
        space = r"\s" if is_spaced else r"\s?"
        self._nouns = Nouns(words, is_spaced=is_spaced)
        self._near = re.compile(rf"\.?(?:{space}(?i:{links}|{copulas}))*+[\s:：#№-]*+")
        self._apart = _APART
        self._joined = re.compile(rf"\s?,\s?|\s?(?i:{joiners})\s?")
        self._told = re.compile(
            rf"(?:'s|’s|\s?(?i:{copulas}))\s?(?:(?!,|，){_WITHIN}){{0,30}}?(?i:{short})(?!{word})|\s?(?i:{behind})"
        )
        self._has_nouns_behind = bool(words.get("code_words_behind"))
        self._amounts: dict[str, list[str]] = {}  # by first letter
        for amount in (
            *words.get("counted_things", ()),
            *words["units"],
            *words["currencies"],
            *words.get("scales", {}),
        ):
            self._amounts.setdefault(amount[0], []).append(amount)
        self._word = re.compile(word)
        self._code = _code(word)

    def far(self) -> "AnnouncedCodes":
        """Return also the codes that stand apart from their noun, to be asked for after every other kind of number."""
        other = copy(self)
        other._is_far = True
        return other

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every code in `text`."""
        nouns = self._nouns.find(text)
        if not nouns and not self._has_nouns_behind:
            return
        last: re.Match[str] | None = None
        at = 0
        while code := self._code.search(text, at):
            if self._is_counted(text, code.end()) and (cut := code["code"].rfind(" ")) > 0:
                code = self._code.match(text, code.start(), code.start() + cut) or code
            if not self._is_amount(code) and self._is_one(code, last, nouns):
                last = code
                yield Rewrite(*code.span("code"), characters(code["code"], self._numbers))
                at = code.end()
            else:  # "PIN 4821" may be read as "VN 123" is, but for the noun in it
                at = code.start("code") + len(code["code"].partition(" ")[0])

    def _is_amount(self, code: re.Match[str]) -> bool:
        digits = _FIRST_DIGITS.match(code["code"])
        return self._is_counted(code.string, code.end()) or (
            digits is not None and self._is_counted(code.string, code.start() + digits.end())
        )

    def _is_counted(self, text: str, at: int) -> bool:
        """A unit or a thing that is counted stands there, or behind one word more: "100 more people"."""
        between = _ONE_WORD.match(text, at)
        places = {at, at + 1 if text[at : at + 1].isspace() else at, between.end() if between else at}
        return any(self._has_amount(text, place) for place in places)

    def _has_amount(self, text: str, at: int) -> bool:
        return any(
            text.startswith(amount, at) and not self._word.match(text, at + len(amount))
            for amount in self._amounts.get(text[at : at + 1], ())
        )

    def _is_one(self, code: re.Match[str], last: re.Match[str] | None, nouns: Sequence["Noun"]) -> bool:
        text, start = code.string, code.start("code")
        n_digits = len(code["code"]) if code["code"].isdecimal() else _FEWEST_DIGITS
        if last and n_digits >= _FEWEST_DIGITS and self._joined.fullmatch(text, last.end(), start):
            return True
        noun = next((noun for noun in reversed(nouns) if noun.end <= start), None)
        return (noun is not None and self._is_announced(code, n_digits, noun)) or self._is_told(code, n_digits)

    def _is_announced(self, code: re.Match[str], n_digits: int, noun: "Noun") -> bool:
        text, start, is_short = code.string, code.start("code"), noun.is_short
        if n_digits >= (2 if is_short else _FEWEST_DIGITS) and self._near.fullmatch(text, noun.end, start):
            return True
        if not self._is_far or not is_short or n_digits < _FEWEST_DIGITS or not code["code"][0].isdecimal():
            return False
        return self._apart.fullmatch(text, noun.end, start) is not None

    def _is_told(self, code: re.Match[str], n_digits: int) -> bool:
        """The noun stands behind: "4821 is your code"."""
        return n_digits >= _FEWEST_DIGITS and self._told.match(code.string, code.end()) is not None


def bare_codes(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Letters and digits together, "AB12345", and what stands behind "#" or "№": "#A-1029B"; short numbers are none."""
    hash_word: str = words["hash"]
    word = letter_or_digit(words)

    def mixed(match: re.Match[str]) -> str | None:
        text = match[0]
        is_code = text.isupper() and _ALTERNATING.search(text) and not _MEASURES.fullmatch(text)
        return characters(text, numbers) if is_code else None

    def behind_hash(match: re.Match[str]) -> str | None:
        text = match["code"]
        is_short = text.isdecimal() and len(text) < _FEWEST_DIGITS
        return None if is_short else f"{hash_word} {characters(text, numbers)}"

    return [
        Rule(_IBAN, lambda match: characters(match[0], numbers), needs=(DIGIT, " ")),
        Rule(_BEHIND_HASH, behind_hash, needs=(DIGIT, "#№")),
        Rule(_PLATE, lambda match: characters(match[0], numbers), needs=(DIGIT, "·")),
        Rule(_bare_code(word), lambda match: characters(match["code"], numbers), needs=(DIGIT,)),
        Rule(_mixed_code(letter(words), word), mixed, needs=(DIGIT,)),
    ]


@cache
def _mixed_code(letter: str, word: str) -> re.Pattern[str]:
    """A run of letters and digits that may be a code: "QX7T9P", a licence plate of any alphabet, a VIN."""
    return re.compile(rf"(?<!{word})(?<!-)(?={letter}*\d)(?:{letter}|\d){{5,17}}+(?!{word}|-)")


_ALTERNATING = re.compile(r"\d[^\W\d_]+\d|[^\W\d_]\d+[^\W\d_]")
_MEASURES = re.compile(r"\d+X\d+(?:X\d+)*")


@cache
def _bare_code(word: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<!{word})(?<![#$£-])(?<![€₫])(?P<code>[A-Z]{{1,4}}-?\d{{3,}}[A-Z]?|[A-Z]{{1,4}}\d+(?:-\d{{3,}})+|\d{{2,}}[A-Z]{{2,3}}\d+)(?![\w-])"
    )


_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d\d(?: [A-Z\d]{4}){2,7}(?: [A-Z\d]{1,4})?(?![\w-])")
"""An international bank account number (ISO 13616) in groups of four."""
_BEHIND_HASH = re.compile(r"[#№]\s?(?P<code>(?=[A-Z-]*+\d)[A-Z\d]+(?:-[A-Z\d]+)*+)(?![\w.]\w|\w)")


_PLATE = re.compile(r"(?<=[A-Z]·)(?=[A-Z]{0,2}\d)[A-Z\d]{4,6}(?![A-Za-z\d])")
"""The part behind the dot of a Chinese number plate."""


def dialled(words: Mapping[str, Any], numbers: Numbers) -> Rule:
    """Rule for codes that are dialled on a telephone with its keys: "*101#"."""
    keys: Mapping[str, str] = words["keys"]
    gap: str = words.get("gap", " ")

    def say(match: re.Match[str]) -> str:
        said = (keys[key] if key in keys else numbers.digits(key) for key in match[0])
        return gap.join(said)

    return Rule(_DIALLED, say, needs=(DIGIT, "*#"))


_DIALLED = re.compile(r"(?<![\w*#])(?:\*\d[\d*]*#?|#\d[\d*]*#)(?!\w)")


def with_extension(word: str, numbers: Numbers) -> Rule:
    """The extension behind a telephone number: "555-0199 x204"."""
    return Rule(
        re.compile(r"(?<=\d[-. ]\d{4})\s?x\s?(?P<code>\d{2,5})(?!\w)"),
        lambda match: f", {word} {characters(match['code'], numbers)}",
        needs=(DIGIT, "x"),
    )
