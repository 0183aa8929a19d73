"""One way of writing and the words for it."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.language.data import read
from services.language.reading.spoken import Rewrite

LETTER = r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff]"
"""A letter beside which a number does not stand apart: of a script with spaces between words, unlike Han and kana."""

WORD = rf"[\d_{LETTER[1:]}"
"""Such a letter, or a digit. Written as all word characters but Han it takes four times as long to compile."""


class Rewriter(Protocol):
    """What knows how to say something of a text."""

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every place in `text` it speaks for."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """What matches `pattern` is said as `say` has it; None leaves it to later rules."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every place in `text` it speaks for."""
        for match in self.pattern.finditer(text):
            spoken = self.say(match)
            if spoken is not None and match.end() > match.start():
                yield Rewrite(match.start(), match.end(), spoken)


def words_of(language: str) -> Mapping[str, Any]:
    """What a language says of reading aloud: its `reading.toml`."""
    return read(language, "reading")


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, longest first; for none it matches nothing."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or "(?!)"


ROMAN = r"(?=[XVI])X{0,3}(?:IX|IV|V?I{0,3})"
"""A pattern for 1 to 39 in Roman numerals; L, C, D and M stand alone for other things too: "Type C"."""

_ROMAN_DIGITS = {"X": 10, "V": 5, "I": 1}


def roman(numeral: str) -> int:
    """The value of a numeral that `ROMAN` matches."""
    values = [_ROMAN_DIGITS[letter] for letter in numeral]
    behind = [*values[1:], 0]
    return sum(-value if value < next_value else value for value, next_value in zip(values, behind, strict=True))


VULGAR = r"[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒]"
"""Fractions in one sign."""


def vulgar_fraction(sign: str) -> tuple[int, int]:
    """The two numbers of such a sign: 1 and 2 for "½"."""
    upper, _, lower = unicodedata.normalize("NFKC", sign).partition("\u2044")
    return int(upper), int(lower)


def idiom_rule(idioms: Mapping[str, str]) -> Rule:
    """What is said in a way of its own: "24/7"."""
    return Rule(re.compile(rf"(?<![\w/.$€£-])(?:{any_of(idioms)})(?![\w/%-]|[.,]\d)"), lambda match: idioms[match[0]])


def times_rules(by: str, times: str = "") -> list[Rule]:
    """An x between two measures, "3 x 4", and behind a number where `times` is given: "2x a day"."""

    def say(match: re.Match[str]) -> str:
        before, after = match[0][0].isspace(), match[0][-1].isspace()
        return f"{' ' if before else ''}{by}{' ' if after else ''}"

    return [
        Rule(
            re.compile(r"(?<=\d)\s?x\s?(?=\d)|(?<=\d\w)\sx\s(?=\d)|(?<=\d\w\w)\sx\s(?=\d)|(?<=[^\W\d])\sx\s(?=\d)"), say
        ),
        *([Rule(re.compile(r"(?<=\d)x(?!\w)"), lambda _: times)] if times else []),
    ]


def apart(match: re.Match[str], words: str) -> str:
    """The words, kept apart from a letter or digit written right beside them: "A12" is "A twelve"."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{' ' if _is_word(before) else ''}{words}{' ' if _is_word(after) else ''}"


def _is_word(character: str) -> bool:
    """A letter or a digit; no sign such as "²"."""
    return character.isalpha() or character.isdecimal()


def with_lost_dot(match: re.Match[str], words: str) -> str:
    """A dot that ended word and sentence at once still ends the sentence."""
    return f"{words}." if match[0].endswith(".") and not match.string[match.end() :].strip() else words


def key_rules(keys: Mapping[str, str]) -> list[Rule]:
    """The keys # and * and the sign ^ where they are meant: beside a digit, or alone within a sentence."""
    places = {
        "#": r"(?<=\d)#(?![\w#])|(?<=\S\s)#(?=[\s,.;]|$)",
        "*": r"(?<=\d)\*(?=[\d\s,.;#]|$)|(?<=\S\s)\*(?=[\s,.;]|$)|(?<!\S)\*(?=\d+[#*])",
        "^": r"(?<=[\w)])\^(?=\w)",
    }
    return [Rule(re.compile(places[key]), _saying(spoken)) for key, spoken in keys.items()]


def sign_rule(signs: Mapping[str, str], *, gap: str = " ") -> Rule:
    """Signs said as words, with a gap on each side where none is written and something stands there."""

    def say(match: re.Match[str]) -> str:
        before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        is_open = before and not before.isspace()
        is_followed = after and (
            after.isalnum() or after in signs or after in "$€£(" or (after == "-" and match[0] != "%")
        )
        return f"{gap if is_open else ''}{signs[match[0]]}{gap if is_followed else ''}"

    return Rule(re.compile(any_of(signs)), say)


def short_word_rules(words: Mapping[str, Any]) -> list[Rule]:
    """Words written short: `numbered` where a number follows, `named` where a name does, `abbreviations` anywhere."""
    numbered, named, known = (words.get(key, {}) for key in ("numbered", "named", "abbreviations"))
    return [
        Rule(re.compile(rf"(?<!\w)(?P<word>{any_of(numbered)})\s?(?=\d)"), lambda match: f"{numbered[match['word']]} "),
        Rule(
            re.compile(rf"(?<!\w)(?P<word>{any_of(named)})\s?(?=[^\W\d_][^\W_])"),
            lambda match: f"{named[match['word']]} " if match.string[match.end()].isupper() else None,
        ),
        Rule(
            re.compile(rf"(?<!\w)(?:{any_of(known)})(?:(?<=\.)|(?!\w))"),
            lambda match: with_lost_dot(match, apart(match, known[match[0]])),
        ),
    ]


def _saying(spoken: str) -> Callable[[re.Match[str]], str]:
    return lambda match: apart(match, spoken)
