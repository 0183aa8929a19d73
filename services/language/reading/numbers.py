"""Numbers in words by Unicode's rule-based number formats (RBNF, CLDR), and what reading.toml says of them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import lru_cache
from html import unescape
from importlib.resources import files
from typing import Any

from unicode_rbnf import RbnfEngine
from unicode_rbnf.engine import NoRuleForNumberError, RbnfRule, RbnfRulePart, RbnfRuleSet, TextRulePart

_DIGITS = re.compile(r"\d+")
_RULESET = re.compile(r"%+([\w-]+)")
_RULE_XML = re.compile(r'<rbnfrule value="(\d+)"(?: radix="([^"]*)")?>(\w*)([^<]+)</rbnfrule>')
"""Value, radix, the word that a rule begins with, and the rest of it."""

CARDINAL, ORDINAL, YEAR = "spellout-cardinal", "spellout-ordinal", "spellout-numbering-year"
NUMBERING = "spellout-numbering"
"""The rulesets that every language of CLDR has."""


class Numbers:
    """Numbers of one language. `words` is its reading.toml."""

    most_digits = 15
    """The largest length of a number that is not said digit by digit."""

    def __init__(self, language: str, words: Mapping[str, Any]) -> None:
        self._engine = _engine(language, {CARDINAL, ORDINAL, YEAR, NUMBERING, *_named_rulesets(words)})
        self._digits: list[str] = words["digits"]
        self._point: str = words["point"]
        self._gap: str = words.get("gap", " ")
        self._cardinal: str = words.get("cardinal", CARDINAL)
        self._feminine: str = words.get("feminine", CARDINAL)
        self._respelled = [(re.compile(old), new) for old, new in words.get("number_spelling", {}).items()]
        self._decimals: Mapping[str, Any] = words.get("decimals", {})
        self.spelled = lru_cache(1024)(self._spelled)

    def with_digits(self, digits: Sequence[str]) -> "Numbers":
        """The same numbers with other words for digits said one by one."""
        other = copy(self)
        other._digits = list(digits)
        return other

    def digits(self, text: str) -> str:
        """Each digit by itself; other characters are passed over."""
        return self._gap.join(self._digits[int(character)] for character in text if character.isdecimal())

    def cardinal(self, number: int) -> str:
        """Return the cardinal number, as in "one hundred five"."""
        return self.spelled(number, self._cardinal)

    def ordinal(self, number: int) -> str:
        """Return the ordinal number, as in "twenty-first"."""
        return self.spelled(number, ORDINAL)

    def year(self, number: int) -> str:
        """Return the year in words, as in "nineteen oh five"."""
        return self.spelled(number, YEAR)

    def _spelled(self, number: int, ruleset: str) -> str:
        """A number by a ruleset of CLDR, or by the more general one where a language lacks it."""
        if self._engine is None:
            return self.digits(str(number))
        while ruleset not in self._engine.rulesets:  # "spellout-cardinal-feminine" is "spellout-cardinal" in Esperanto
            ruleset = ruleset.rpartition("-")[0] if ruleset.count("-") > 1 else NUMBERING
        try:
            words = self._engine.format_number(number, ruleset_names=[ruleset]).text
        except NoRuleForNumberError:  # Russian has no ordinals from 110,000 on
            words = self._engine.format_number(number, ruleset_names=[NUMBERING]).text
        for written, spoken in self._respelled:
            words = written.sub(spoken, words)
        return words

    def whole(self, written: str, ruleset: str = "") -> str:
        """A whole number as written, its thousands parted by anything; digit by digit where it is too long."""
        plain = "".join(_DIGITS.findall(written))
        return (
            self.digits(plain) if len(plain) > self.most_digits else self.spelled(int(plain), ruleset or self._cardinal)
        )

    def part(self, written: str) -> str:
        """A part of a number with strokes: as a number, but digit by digit where it begins with zeros: "0012/2025"."""
        return self.digits(written) if written.startswith("0") and len(written) > 2 else self.whole(written)

    def decimal(self, whole: str, fraction: str = "") -> str:
        """A number as written, with what is behind its point: "twelve point zero five"."""
        if not fraction:
            return self.whole(whole)
        if not whole:  # ".5"
            return f"{self._point}{self._gap}{self.fraction(fraction)}"
        if self._decimals and len(fraction) <= len(self._decimals["parts"]):
            return self._in_parts(whole, fraction)
        return f"{self.whole(whole)}{self._gap}{self._point}{self._gap}{self.fraction(fraction)}"

    def fraction(self, fraction: str) -> str:
        """The spoken form of the digits behind the point."""
        return self.digits(fraction)

    def counted(
        self, whole: str, fraction: str, forms: Sequence[str], *, genitive: Mapping[str, str] | None = None
    ) -> str:
        """A number with its noun: `forms` is one form; one and many; or one, few, many and the gender m or f (Slavic).

        `genitive`: the rulesets by gender for a number behind a word that takes it, "до пяти минут".
        """
        if len(forms) == 1:
            return f"{self.decimal(whole, fraction)}{self._gap}{forms[0]}"
        if len(forms) == 2:
            one, many = forms
            return f"{self.decimal(whole, fraction)} {one if not fraction and whole == '1' else many}"
        one, few, many, gender = forms
        if fraction:
            return f"{self.decimal(whole, fraction)} {few}"
        ruleset = self._feminine if gender == "f" else self._cardinal
        last = int("".join(_DIGITS.findall(whole))[-2:])
        is_one = last % 10 == 1 and last != 11
        if genitive:
            return f"{self.whole(whole, genitive[gender])} {few if is_one else many}"
        is_few = 2 <= last % 10 <= 4 and not 12 <= last <= 14
        return f"{self.whole(whole, ruleset)} {one if is_one else few if is_few else many}"

    def _in_parts(self, whole: str, fraction: str) -> str:
        """Tenths, hundredths, thousandths: "две целых пять десятых"."""

        def part(number: str, forms: Sequence[str]) -> str:
            last = int(number[-2:])
            form = forms[0] if last % 10 == 1 and last != 11 else forms[1]
            return f"{self.whole(number, self._feminine)} {form}"

        wholes, parts = self._decimals["whole"], self._decimals["parts"]
        return f"{part(whole, wholes)} {part(fraction, parts[len(fraction) - 1])}"


def in_threes(text: str) -> list[str]:
    """Digits cut into groups of three, the last of four where one would be left alone."""
    return in_groups(text, [3] * max(1, (len(text) + 1) // 3))


def in_groups(text: str, lengths: Iterable[int]) -> list[str]:
    """Digits cut into groups of these lengths; what is over stays with the last."""
    cuts, at = [], 0
    for length in lengths:
        cuts.append(text[at : at + length])
        at += length
    cuts[-1:] = [cuts[-1] + text[at:]] if cuts else [text]
    return [cut for cut in cuts if cut]


def _engine(language: str, wanted: Iterable[str]) -> RbnfEngine | None:
    """A language's rules for whole numbers: of the rulesets that are wanted, and of those that these name.

    Everything CLDR has for Russian takes 50 ms to read; fractions, negative numbers and other rulesets are left out.
    """
    path = files("unicode_rbnf") / "rbnf" / f"{language}.xml"
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    engine = RbnfEngine(language)
    parts_of = lru_cache(None)(_parts)
    waiting = set(wanted)
    while waiting:
        name = waiting.pop()
        start = text.find(f'<ruleset type="{name}"')
        if start < 0 or name in engine.rulesets:
            continue
        ruleset = text[start : text.index("</ruleset>", start)]
        rules = RbnfRuleSet(name, is_private='access="private"' in ruleset.partition(">")[0])
        engine.rulesets[name] = rules
        for value, radix, word, rest in _RULE_XML.findall(ruleset):
            parts, named = parts_of(rest)
            rules.numeric_rules[int(value)] = RbnfRule(int(value), _beginning_with(word, parts), _radix(radix))
            waiting.update(named)
    return engine


def _radix(written: str) -> int:
    return int("".join(_DIGITS.findall(written))) if written else 10


def _parts(rest: str) -> tuple[list[RbnfRulePart], list[str]]:
    """Return what a rule says behind its word, and the rulesets it names: few texts, each read by the engine sign by
    sign.
    """
    plain = unescape(rest)
    rule = RbnfRule.parse("0", f"x{plain}")
    return (rule.parts if rule is not None else []), _RULESET.findall(plain)


def _beginning_with(word: str, parts: list[RbnfRulePart]) -> list[RbnfRulePart]:
    """The parts of "x" and what follows it, with the word in the place of the "x"."""
    match parts:
        case [TextRulePart(text), *others]:
            return [TextRulePart(word + text[1:]), *others] if word + text[1:] else others
    return parts


def _named_rulesets(words: object) -> Iterator[str]:
    """Every ruleset that a reading.toml names."""
    match words:
        case str() if words.startswith("spellout-"):
            yield words
        case list():
            for each in words:
                yield from _named_rulesets(each)
        case Mapping():
            for each in words.values():
                yield from _named_rulesets(each)
