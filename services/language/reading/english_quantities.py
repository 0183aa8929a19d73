"""The rules for reading English quantities aloud: units, feet and inches, fractions, ranges, numbers behind "#"."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.english_money import NUMBER, AdjectivalAmounts
from services.language.reading.numbers import Numbers
from services.language.reading.patterns import (
    APOSTROPHE,
    APOSTROPHES,
    DASHES,
    INCHES,
    QUOTES,
    VULGAR,
    VULGAR_SIGNS,
    any_of,
    one_of,
    shape_of,
    vulgar_fraction,
)
from services.language.reading.rule import DIGIT, Rule, apart
from services.language.reading.shared_rules import key_rules, range_rule, times_rules

_DASH = r"\s?[-–—]\s?"
_WITHIN = r"(?:\.(?=\s[a-z\d(]))?"
"""The dot of an abbreviation within a sentence."""
_BEFORE_A_DASH = r"(?<![\d.,:-])\d{1,3}"  # 1-1/2
_SIGN = one_of("$€£")
_OPEN_DOUBLE_QUOTE = re.compile(r"(?<!\w)[\"“](?:\S[^\"”]*)?$")
_OPEN_QUOTE = re.compile(r"(?<!\w)['‘]")
_FEET_AND_INCHES = re.compile(rf"(?<![\w.,])(?P<feet>[1-9]){APOSTROPHE}\s?(?P<inches>\d|1[01])(?:{INCHES}|'')?(?!\w)")
_FEET = re.compile(rf"(?<![\w.,])(?P<feet>[1-9]){APOSTROPHE}(?!\w|{APOSTROPHE})")
_WRITTEN_FEET = re.compile(rf"(?<![\w.,])(?P<feet>\d{{1,3}})\s?ft\.?\s(?P<inches>\d|1[01])\s?in\b{_WITHIN}")
_HALF_DAY_RANGE = re.compile(rf"(?:(?<=\.m\.)|(?<=\s[ap]m)){_DASH}(?=\d)")
_MINUS_BETWEEN = re.compile(rf"(?<=\d)\s?−\s?(?={_SIGN}?\d)")
_MINUS_BEFORE = re.compile(rf"(?:(?<![\w)])[-−]|(?<!\S)–)(?={_SIGN}?\d)")
_NUMBER_SIGN = re.compile(r"(?:#\s?|\b[Nn]o\.\s?)(?=\d)|\b[Nn]o\.\s(?=[A-Z]{1,4}-?\d)")


class EnglishQuantities:
    """Rules for numbers with a unit or a sign, and for fractions."""

    def __init__(self, words: Mapping[str, Any], numbers: Numbers) -> None:
        self._words = words
        self._numbers = numbers
        self._to: str = words["range"]
        self._and: str = words["and"]
        self._units: Mapping[str, list[str]] = words["units"]
        self._unit = shape_of(self._units)
        self._thing = rf"(?P<thing>{shape_of(words['measured_things'])})\b"
        self._things = {"thing": frozenset(words["measured_things"])}
        self._thing_behind = re.compile(rf"\s{self._thing}")
        self._is_of_a_noun = AdjectivalAmounts(words)
        self._halved: dict[str, str] = words["halved_things"] | {
            unit: words["halved_things"][forms[0]]
            for unit, forms in self._units.items()
            if forms[0] in words["halved_things"] and unit not in words["units_close_by"]
        }

    def rules(self) -> list[Rule]:
        """In the order in which they are asked."""
        words, numbers = self._words, self._numbers
        foot, feet_inches = words["units"]["ft"][0], words["units"]["in"]
        per: Mapping[str, str] = words["per"]
        strokes = (f"/⁄{VULGAR_SIGNS}",)
        fraction = rf"(?P<fraction>{any_of(words['fractions'])}|{VULGAR}|\d{{1,2}}⁄\d{{1,2}})"
        pressure = any_of(words["pressure_words"])
        return [
            Rule(
                re.compile(
                    rf"(?<![\w/])(?P<before>\d{{1,15}} |{_BEFORE_A_DASH}-){fraction}\s(?P<unit>{self._unit})(?!\w)"
                ),
                lambda match: f"{self._fraction(match)} {self._units[match['unit']][-1]}",
                {"unit": self._units},
                strokes,
            ),
            Rule(
                re.compile(
                    rf"(?<![\w/])(?:{fraction}|(?P<other>\d/\d{{1,2}}))\s(?P<thing>{shape_of(self._halved)})(?![\w/])"
                ),
                self._part_of_a_thing,
                {"thing": self._halved},
                strokes,
            ),
            Rule(
                re.compile(rf"(?<![\w.,]){NUMBER}[\s-]?(?P<unit>{self._unit})\.?[\s-](?={self._thing})"),
                lambda match: f"{self._decimal(match)} {self._units[match['unit']][0]} ",
                {"unit": self._units, **self._things},
                (DIGIT,),
            ),
            Rule(
                _FEET_AND_INCHES,
                lambda match: f"{numbers.whole(match['feet'])} {foot} {numbers.whole(match['inches'])}",
                needs=(DIGIT, APOSTROPHES),
            ),
            Rule(
                _FEET,
                lambda match: (
                    None
                    if _OPEN_QUOTE.search(match.string[: match.start()])
                    else numbers.counted(match["feet"], "", words["units"]["ft"])
                ),
                needs=(DIGIT, APOSTROPHES),
            ),
            Rule(
                re.compile(
                    rf"(?:(?<![\w.,])|(?<={INCHES}x))(?P<whole>\d{{1,3}})(?:\.(?P<fraction>\d{{1,2}}))?{INCHES}(?=x\d|\W|$)"
                ),
                self._inches,
                needs=(DIGIT, QUOTES),
            ),
            Rule(
                _WRITTEN_FEET,
                lambda match: (
                    f"{numbers.counted(match['feet'], '', words['units']['ft'])} "
                    f"{numbers.counted(match['inches'], '', feet_inches)}"
                ),
                needs=(DIGIT, "f", "t", "i"),
            ),
            Rule(
                re.compile(rf"(?:(?<=[\w$£])|(?<=€))/(?P<unit>{shape_of(per)})(?!\w)"),
                lambda match: f" {per[match['unit']]}",
                {"unit": per},
                ("/",),
            ),
            Rule(
                re.compile(
                    rf"(?P<before>(?<!\w)(?i:{pressure})(?:\s(?:{any_of([*words['copulas'], words['of']])}))?\s)?"
                    rf"(?<![\w/.,-])(?P<upper>\d{{2,3}})/(?P<lower>\d{{2,3}})(?!\d)"
                    rf"(?:\s?(?P<unit>{any_of(words['pressure_units'])})(?!\w))?"
                ),
                self._pressure,
                needs=(DIGIT, "/"),
            ),
            Rule(
                re.compile(rf"(?<![\w.,])(?P<whole>\d+),(?P<fraction>\d\d?)(?P<gap>\s?)(?P<unit>{self._unit})(?!\w)"),
                self._quantity,
                {"unit": self._units},
                (DIGIT, ","),
            ),
            Rule(re.compile(rf"\b(?P<tens>10+)s(?=\s{words['of']}\b)"), self._hundreds, needs=("1", "0")),
            Rule(
                re.compile(rf"(?:(?<![\w.,])|(?<=\dx)){NUMBER}(?P<gap>\s?)(?P<unit>{self._unit})(?!\w){_WITHIN}"),
                self._quantity,
                {"unit": self._units},
                (DIGIT,),
            ),
            Rule(
                re.compile(
                    rf"(?<![\w/])(?P<before>\d{{1,15}} |{_BEFORE_A_DASH}-|\d{{1,15}}(?={VULGAR}))?{fraction}(?![\w/])"
                ),
                self._fraction,
                needs=strokes,
            ),
            Rule(
                _HALF_DAY_RANGE,
                lambda _: f" {self._to} ",
                needs=(DIGIT, DASHES, "m"),
            ),
            Rule(_MINUS_BETWEEN, lambda _: f" {words['minus']} ", needs=(DIGIT, "−")),
            range_rule(f" {self._to} ", [*self._units, *words["currencies"], *words["scales"]]),
            Rule(_MINUS_BEFORE, lambda _: f"{words['minus']} ", needs=(DIGIT, "-−–")),
            *times_rules(words["by"], words["times"]),
            *key_rules(words["keys"]),
            Rule(
                re.compile(rf"\b[Nn]o\.(?=:|\s(?:{any_of(words['copulas'])})\b)"),
                lambda _: str(words["hash"]),
                needs=("Nn", "."),
            ),
            Rule(
                _NUMBER_SIGN,
                lambda _: f"{words['hash']} ",
                needs=(DIGIT, "#."),
            ),
        ]

    def _inches(self, match: re.Match[str]) -> str | None:
        """A sign for inches that closes no quotation; a thing behind them is measured: "a 32-inch TV"."""
        before, behind = match.string[: match.start()], match.string[match.end() :]
        opening = _OPEN_DOUBLE_QUOTE.search(before)
        if opening and match[0][-1] in '"”':
            return None
        inches: list[str] = self._units["in"]
        thing = self._thing_behind.match(behind)
        is_measured = (thing is not None and thing["thing"] in self._things["thing"]) or self._is_of_a_noun(match)
        return self._numbers.counted(match["whole"], match["fraction"] or "", inches[:1] if is_measured else inches)

    def _pressure(self, match: re.Match[str]) -> str | None:
        """A blood pressure, which a word before it or its unit tells: "BP 120/80", "120/80 mmHg"."""
        if not match["before"] and not match["unit"]:
            return None
        upper, lower = (self._numbers.whole(match[key]) for key in ("upper", "lower"))
        unit = f" {self._units[match['unit']][-1]}" if match["unit"] else ""
        return f"{match['before'] or ''}{upper} {self._words['over']} {lower}{unit}"

    def _hundreds(self, match: re.Match[str]) -> str:
        """Many of them: "100s of people"."""
        words = self._numbers.whole(match["tens"]).removeprefix(f"{self._words['digits'][1]} ")
        return f"{words}{self._words['plurals']['']}"

    def _quantity(self, match: re.Match[str]) -> str | None:
        unit = match["unit"]
        if unit in self._words["units_close_by"] and match["gap"]:
            is_last = not match.string[match.end() :][:2].strip().isalnum()
            if not match["fraction"] or (len(unit) > 1 and not is_last):
                return None  # "5 m" may be anything, and "1 in 5" is no inch
        forms = self._units[unit][:1] if self._is_of_a_noun(match) else self._units[unit]
        return apart(match, self._numbers.counted(match["whole"], match["fraction"] or "", forms))

    def _fraction_words(self, written: str) -> list[str]:
        """A fraction by itself, behind a number and before a thing."""
        plain = written.replace("⁄", "/")
        if plain in self._words["fractions"]:
            return list(self._words["fractions"][plain])
        upper, lower = vulgar_fraction(written) if len(written) == 1 else map(int, plain.split("/"))
        ending = self._words["plurals"][""] if upper > 1 else ""
        words = f"{self._numbers.cardinal(upper)} {self._numbers.ordinal(lower)}{ending}"
        return [words, words, f"{words} {self._words['of']}"]

    def _fraction(self, match: re.Match[str]) -> str:
        words = self._fraction_words(match["fraction"])
        return f"{self._numbers.whole(match['before'])} {self._and} {words[1]}" if match["before"] else words[0]

    def _part_of_a_thing(self, match: re.Match[str]) -> str:
        words = self._fraction_words(match["fraction"] or match["other"])
        return f"{words[2]} {self._halved[match['thing']]}"

    def _decimal(self, match: re.Match[str]) -> str:
        return self._numbers.decimal(match["whole"], match["fraction"] or "")
