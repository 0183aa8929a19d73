"""The rules by which English is read aloud, in the order in which they are asked. Every word of it stands in
reading.toml.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.language.reading.addresses import address_rules
from services.language.reading.codes import AnnouncedCodes, bare_codes, characters, dialled, with_extension
from services.language.reading.english_dates import EnglishDates
from services.language.reading.english_money import NUMBER, EnglishMoney
from services.language.reading.english_places import drive_rule, house_number_rules, weekday_rules
from services.language.reading.english_quantities import EnglishQuantities
from services.language.reading.numbers import Numbers
from services.language.reading.patterns import (
    ROMAN,
    any_of,
    full_year,
    roman,
    shape_of,
)
from services.language.reading.reading_words import words_of
from services.language.reading.rule import DIGIT, AnyCase, Rewriter, Rule, apart, with_lost_dot
from services.language.reading.shared_rules import (
    idiom_rule,
    short_word_rules,
    sign_rule,
)
from services.language.reading.telephone import telephone_rules

_HALF_DAY = r"(?P<half>[aApP])\.?\s?[mM]\b\.?"

_DOTTED_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3}){2,}")
"""A dotted number as in 1.000.000, which no version is likely to be."""


_FISCAL_YEAR = re.compile(r"\bFY\s?['’]?(?P<year>(?:19|20)\d\d|\d\d)(?![\w-]|[.,]\d)")
_BRITISH_POSTCODE = re.compile(r"(?<![\w-])[A-Z]{1,2}\d[A-Z\d]? \d(?![AP]M|[KMGT]B)[A-Z]{2}(?!\w)")
_TOLL_FREE = re.compile(r"(?<![\w-])1-8\d\d(?![\w-]|[.,]\d)")
_ZIP_CODE = re.compile(r"(?:(?<=,\s[A-Z]{2}\s)|(?<=[a-z]\s[A-Z]{2}\s))\d{5}(?:-\d{4})?(?![\w-]|[.,]\d)")
_CLOCK_WITH_DOT = re.compile(rf"(?<![\d:.])(?P<hour>1[0-2]|0?[1-9])\.(?P<minute>[0-5]\d)\s?{_HALF_DAY}")
_LASTING = re.compile(r"(?<![\w:.,])(?P<whole>\d{1,2})h\s?(?P<minutes>[0-5]?\d)(?:m|min)?(?!\w)")
_END_OF_DAY = re.compile(r"(?<![\d:.])24:00(?![\d:])")
_WHOLE_HOUR = re.compile(rf"(?<![\d:.])(?P<hour>1[0-2]|[1-9])\s?{_HALF_DAY}")
_INITIALS = re.compile(r"(?<![\w.])(?:[A-Z]\.){2,9}+(?!\w)")
_STREET = re.compile(r"(?<=[A-Z]\w )St\.|(?<=[a-z] )St\.(?!\s[A-Z])|(?<=\w\w )St\.(?=\s?[,;]|\s*$)")
_SAINT = re.compile(r"(?<!\w)St\.(?=\s[A-Z])")
_ORDINAL = re.compile(r"(?<![\w.])(\d{1,15})(?:st|nd|rd|th)\b")
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}+(?!\d)")
_STROKE = re.compile(r"(?<![\d.,/])(\d+)/(\d+)(?![\d/])")
_SLASH = re.compile(r"(?<=\d)/(?=\d)")
_PLAIN_NUMBER = re.compile(NUMBER)


def rules(language_code: str) -> Sequence[Rewriter]:
    """The rules for a tag of English, in lower case. Dates in figures are month first in the United States only."""
    return _English(words_of("en"), is_month_first=language_code in ("en", "en-us")).rules()


class _English:
    def __init__(self, words: Mapping[str, Any], *, is_month_first: bool) -> None:
        self._words = words
        self._numbers = Numbers("en", words)
        self._dates = EnglishDates(words, self._numbers, is_month_first=is_month_first)
        self._announced = AnnouncedCodes(words, self._numbers)
        self._to: str = words["range"]
        self._and: str = words["and"]
        self._units: Mapping[str, list[str]] = words["units"]

    def rules(self) -> Sequence[Rewriter]:
        return (
            *address_rules(self._words, self._numbers),
            dialled(self._words, self._numbers),
            with_extension(self._words["extension"], self._numbers),
            *self._codes(),
            *house_number_rules(self._words, self._numbers),
            *self._dates.rules(),
            *telephone_rules(self._words, self._numbers),
            *self._times(),
            idiom_rule(self._words["idioms"]),
            *EnglishMoney(self._words, self._numbers).rules(),
            *EnglishQuantities(self._words, self._numbers).rules(),
            self._announced.far(),
            *weekday_rules(self._words),
            *self._abbreviations(),
            *self._plain_numbers(),
        )

    def _codes(self) -> list[Rewriter]:
        vanity = (
            r"(?<![\w-])(?<![.,]\d)(?:\+?1[- .])?(?:[2-9]\d\d[-.]|\([2-9]\d\d\)\s?)(?:[A-Z]{2}-[A-Z]{4,5}|[A-Z]{3,7})"
            r"(?:[- ]?\d{1,4}(?:-[A-Z]{3,7})?|-[A-Z]{2,7})?(?![\w])"
        )
        plus = f"{self._words['plus']} "
        return [
            Rule(
                _FISCAL_YEAR,
                lambda match: f"{self._words['fiscal_year']} {self._numbers.year(full_year(int(match['year'])))}",
                needs=(DIGIT, "F"),
            ),
            Rule(_BRITISH_POSTCODE, lambda match: characters(match[0], self._numbers), needs=(DIGIT, " ")),
            Rule(
                re.compile(vanity),
                lambda match: (plus if match[0].startswith("+") else "") + characters(match[0], self._numbers),
                needs=(DIGIT, "-.("),
            ),
            Rule(
                _TOLL_FREE,
                lambda match: characters(match[0], self._numbers),
                needs=("1", "8", "-"),
            ),
            Rule(
                _ZIP_CODE,
                lambda match: characters(match[0], self._numbers),
                needs=(DIGIT,),
            ),
            self._announced,
            *bare_codes(self._words, self._numbers),
        ]

    def _times(self) -> list[Rule]:
        clock = r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
        score = r"(?P<one>\d{1,2}):(?P<other>\d{1,2})(?![\w:])"
        before = rf"\b(?P<before>(?:{any_of(self._words['score_words'])})\s+(?:{self._words['of']}\s+)?)"
        return [
            Rule(re.compile(before + score), self._score, needs=(DIGIT, ":")),
            Rule(re.compile(rf"{clock}(?:\s?{_HALF_DAY})?"), self._time, needs=(DIGIT, ":")),
            Rule(
                _CLOCK_WITH_DOT,
                self._time,
                needs=(DIGIT, ".", "aApP", "mM"),
            ),
            Rule(
                _LASTING,
                self._lasting,
                needs=(DIGIT, "h"),
            ),
            Rule(_END_OF_DAY, lambda _: str(self._words["midnight"]), needs=(":",)),
            Rule(re.compile(rf"(?<![\w:.,])(?P<before>){score}"), self._score, needs=(DIGIT, ":")),
            Rule(_WHOLE_HOUR, self._time, needs=(DIGIT, "aApP", "mM")),
            self._noons(),
        ]

    def _noons(self) -> Rule:
        """A dash beside noon or midnight: "noon-2pm", "9-noon"."""
        points = self._words["noons"]
        behind = "|".join(rf"(?<=\b{point})" for point in points)
        time = rf"(?:\d|(?:{any_of(points)})\b)"
        return Rule(
            re.compile(
                rf"(?:{behind})\s?[-–—]\s?(?={time})|(?:(?<=\d)|(?<=[aApP][mM])|(?<=\.[mM]\.))\s?[-–—]\s?"
                rf"(?=(?:{any_of(points)})\b)",
            ),
            lambda _: f" {self._to} ",
            needs=("-–—",),
        )

    def _lasting(self, match: re.Match[str]) -> str:
        """Hours and minutes: "1h30m"."""
        hours, minutes = (
            self._numbers.counted(match[key].lstrip("0") or "0", "", self._units[unit])
            for key, unit in (("whole", "hr"), ("minutes", "min"))
        )
        return f"{hours} {minutes}"

    def _score(self, match: re.Match[str]) -> str:
        return f"{match['before']}{self._numbers.whole(match['one'])} {self._to} {self._numbers.whole(match['other'])}"

    def _time(self, match: re.Match[str]) -> str:
        parts, cardinal = match.groupdict(), self._numbers.cardinal
        hour, minute = int(parts["hour"]), int(parts.get("minute") or 0)
        half = f" {parts['half'].upper()}M" if parts["half"] else ""
        if not half and (hour > 12 or hour == 0):
            half = " PM" if hour > 12 else " AM"
        words = cardinal(hour % 12 or 12)
        if minute:
            words += f" {self._words['low_minute']} {cardinal(minute)}" if minute < 10 else f" {cardinal(minute)}"
        elif not half:
            words += f" {self._words['sharp']}"
        if parts.get("second"):
            words += f" {self._and} {self._numbers.counted(str(int(parts['second'])), '', self._units['s'])}"
        return with_lost_dot(match, words + half)

    def _decimal(self, match: re.Match[str]) -> str:
        return self._numbers.decimal(match["whole"], match["fraction"] or "")

    def _abbreviations(self) -> list[Rule]:
        words = self._words
        numbered, named = words["numbered_by_roman"], words["named_by_roman"]
        spelled = frozenset(words["spelled"])
        listed = any_of(word for word in spelled if not word.isalpha())
        letters = rf"(?P<letters>(?:{listed})s?|[^\W\d_]{{1,{max(map(len, spelled)) + 1}}}+)"

        def spell(match: re.Match[str]) -> str:
            written, ending = match["letters"], ""
            if written not in spelled:
                written, ending = written[:-1], "'s"
            letters = (self._and if sign == "&" else sign.upper() for sign in written if sign.isalnum() or sign == "&")
            return f"{' '.join(letters)}{ending}"

        return [
            Rule(
                re.compile(
                    rf"\b(?P<before>(?P<word>{shape_of([word.lower() for word in numbered])})\s+)(?P<roman>{ROMAN})\b"
                ),
                self._numbered_by_roman,
                {"word": AnyCase(numbered)},
                ("XVI",),
            ),
            Rule(
                re.compile(rf"\b(?P<before>(?P<word>{shape_of(named)})\s+)(?!I\b)(?P<roman>{ROMAN})\b"),
                lambda match: (
                    f"{match['before']}{words['the']} {self._numbers.ordinal(roman(match['roman'])).capitalize()}"
                ),
                {"word": frozenset(named)},
                ("XVI",),
            ),
            Rule(
                re.compile(rf"(?<![\w/]){letters}(?![\w/])"),
                spell,
                {"letters": spelled | {f"{word}s" for word in spelled}},
            ),
            Rule(
                _INITIALS,
                lambda match: with_lost_dot(match, " ".join(match[0].replace(".", ""))),
                needs=(".",),
            ),
            Rule(
                _STREET,
                lambda match: with_lost_dot(match, words["street"]),
                needs=("S", "."),
            ),
            drive_rule(words),
            Rule(_SAINT, lambda _: str(words["saint"]), needs=("S", ".")),
            *short_word_rules(words),
        ]

    def _numbered_by_roman(self, match: re.Match[str]) -> str | None:
        if match["roman"] == "I" and not match["before"][0].isupper():
            return None  # "for my part I think"
        return match["before"] + self._numbers.cardinal(roman(match["roman"])).capitalize()

    def _plain_numbers(self) -> list[Rule]:
        numbers, point = self._numbers, f" {self._words['point']} "
        return [
            Rule(
                _ORDINAL,
                lambda match: numbers.ordinal(int(match[1])),
                needs=(DIGIT, "snrt"),
            ),
            Rule(
                _VERSION,
                lambda match: apart(
                    match,
                    numbers.whole(match[0])
                    if _DOTTED_THOUSANDS.fullmatch(match[0])
                    else point.join(map(numbers.whole, match[0].split("."))),
                ),
                needs=(DIGIT, "."),
            ),
            Rule(
                _STROKE,
                lambda match: f"{numbers.part(match[1])} {self._words['stroke']} {numbers.part(match[2])}",
                needs=(DIGIT, "/"),
            ),
            Rule(_SLASH, lambda _: f" {self._words['stroke']} ", needs=(DIGIT, "/")),
            Rule(_PLAIN_NUMBER, self._number, needs=(DIGIT,)),
            sign_rule(self._words["signs"]),
        ]

    def _number(self, match: re.Match[str]) -> str:
        text = match[0]
        is_code = len(text) > 1 and text.startswith("0") and text.isdecimal()
        return apart(match, self._numbers.digits(text) if is_code else self._decimal(match))
