"""How Vietnamese is read aloud: rules in the order in which they are asked. Every word of it stands in reading.toml."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.language.reading.addresses import address_rules
from services.language.reading.codes import announced_codes, bare_codes, characters
from services.language.reading.numbers_vietnamese import VietnameseNumbers
from services.language.reading.rule import Rule, any_of, apart, key_rules, short_word_rules, sign_rule, words_of
from services.language.reading.telephone import telephone_rules
from services.language.reading.vietnamese_dates import VietnameseDates

_ENGLISH = r"\d{1,3}(?:,\d{3})+(?=\.\d)(?![\d,]*\.\d{3}(?!\d))"  # 1,200.50
_NUMBER = (
    rf"(?P<whole>{_ENGLISH}|\d{{1,3}}(?:\.\d{{3}})+|\d{{1,3}}(?:,\d{{3}}){{2,}}(?!\d)|\d+)(?:[.,](?P<fraction>\d+))?"
)
_AMOUNT = rf"(?P<whole>{_ENGLISH}|\d{{1,3}}(?:\.\d{{3}})+|\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?:[.,](?P<fraction>\d+))?"


def rules(_language_code: str) -> Sequence[Rule]:
    """The rules, the same for every tag of Vietnamese."""
    return _Vietnamese(words_of("vi")).rules()


class _Vietnamese:
    def __init__(self, words: Mapping[str, Any]) -> None:
        self._words = words
        self._numbers = VietnameseNumbers(words)
        self._dates = VietnameseDates(words, self._numbers)
        self._scales: Mapping[str, str] = words["scales"]
        self._units: Mapping[str, str] = words["units"]
        self._to: str = words["range"]

    def rules(self) -> Sequence[Rule]:
        return (
            *address_rules(self._words["address_signs"], self._numbers.digits),
            *self._plates(),
            *self._dates.rules(),
            *telephone_rules(self._words, self._numbers),
            announced_codes(self._words, self._numbers),
            *bare_codes(self._words, self._numbers),
            *self._times(),
            *self._money(),
            *self._quantities(),
            Rule(re.compile(r"#\s?(?=\d)"), lambda _: f"{self._words['hash']} "),
            *short_word_rules(self._words),
            *self._plain_numbers(),
        )

    def _plates(self) -> list[Rule]:
        plate = r"(?<![\w-])(?P<plate>\d\d[A-Z]\d?-\d{3}\.?\d{1,2})(?![\w/-])"
        return [Rule(re.compile(plate), lambda match: characters(match["plate"].replace(".", ""), self._numbers))]

    def _times(self) -> list[Rule]:
        hours, minutes = (any_of(self._words[key]) for key in ("hour_signs", "minute_signs"))
        hour = r"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4])"
        minute = rf"(?P<minute>[0-5]\d)(?:\s?(?P<sign>{minutes})\b)?"
        return [
            Rule(re.compile(rf"{hour}(?::|\s?(?:{hours})\s?){minute}(?![\d:])"), self._time),
            Rule(re.compile(rf"{hour}\s?(?:{any_of(self._words['short_hour_signs'])})(?!\w)"), self._time),
        ]

    def _time(self, match: re.Match[str]) -> str:
        parts = match.groupdict()
        words = f"{self._numbers.whole(parts['hour'])} {self._words['hour']}"
        minute = int(parts.get("minute") or 0)
        if not minute:
            return words
        needs_unit = minute < 10 or parts["sign"]
        return f"{words} {self._numbers.cardinal(minute)}{' ' + self._words['minute'] if needs_unit else ''}"

    def _money(self) -> list[Rule]:
        words = self._words
        scale = rf"(?:\s?(?P<scale>{any_of(self._scales)})\b)?"
        currency = any_of(words["currencies"])
        sold_by: Mapping[str, str] = {word: self._units.get(word, word) for word in words["sold_by"]}
        return [
            Rule(
                re.compile(
                    rf"(?<![\w.,])(?P<whole>\d+)(?P<scale>{any_of(words['scales_below'])})(?P<rest>\d{{1,3}})(?!\d)"
                ),
                self._short_sum,
            ),
            Rule(
                re.compile(rf"(?<=[^\W\d]|[₫$€])/(?P<unit>{any_of(sold_by)})(?!\w)"),
                lambda match: f" {self._numbers.cardinal(1)} {sold_by[match['unit']]}",
            ),
            Rule(re.compile(rf"(?P<currency>[$€₫])\s?{_AMOUNT}{scale}"), self._sum),
            Rule(re.compile(rf"(?<![\w.,]){_AMOUNT}{scale}\s?(?P<currency>{currency})(?!\w)"), self._sum),
            Rule(re.compile(rf"(?<![\w.,]){_NUMBER}\s?(?P<scale>{any_of(self._scales)})(?!\w)"), self._scaled),
        ]

    def _decimal(self, match: re.Match[str]) -> str:
        return self._numbers.decimal(match["whole"], match["fraction"] or "")

    def _short_sum(self, match: re.Match[str]) -> str:
        """Spoken shorthand: "1tr5" is 1.5 million, "2tỷ3" 2.3 billion."""
        rest = self._numbers.cardinal(int(match["rest"].ljust(3, "0")))
        scale = match["scale"]
        return (
            f"{self._numbers.whole(match['whole'])} {self._scales[scale]} {rest} {self._words['scales_below'][scale]}"
        )

    def _scaled(self, match: re.Match[str]) -> str:
        return f"{self._decimal(match)} {self._scales[match['scale']]}" if match["scale"] else self._decimal(match)

    def _sum(self, match: re.Match[str]) -> str:
        return f"{self._scaled(match)} {self._words['currencies'][match['currency']]}"

    def _quantities(self) -> list[Rule]:
        words, numbers = self._words, self._numbers
        range_, minus, times = f" {self._to} ", f"{words['minus']} ", f" {words['times']} "
        return [
            Rule(
                re.compile(r"(?<![\w.,])(?P<whole>\d)m(?P<rest>\d{1,2})(?!\w)"),
                lambda match: f"{numbers.whole(match['whole'])} {self._units['m']} {numbers.fraction(match['rest'])}",
            ),
            Rule(
                re.compile(r"(?<![\w.,])(\d{1,3})['’′](?!\w)"),
                lambda match: f"{numbers.whole(match[1])} {words['minute']}",
            ),
            *key_rules(words["keys"]),
            Rule(
                re.compile(rf"(?<![\w.,]){_NUMBER}(?P<gap>\s?)(?P<unit>{any_of(self._units)})(?!\w)"),
                self._quantity,
            ),
            Rule(re.compile(r"(?:(?<=\d)|(?<=\d[hgkKđ₫$%m]))\s?[-–—]\s?(?=[$€]?\d)"), lambda _: range_),
            Rule(re.compile(r"(?<![\w)])[-−](?=[$€]?\d)"), lambda _: minus),
            Rule(re.compile(r"(?<=\d)\s?x\s?(?=\d)"), lambda _: times),
        ]

    def _quantity(self, match: re.Match[str]) -> str | None:
        unit = match["unit"]
        if len(unit) == 1 and unit.isalpha() and match["gap"] and not match["fraction"]:
            return None  # "5 m" may be anything
        return f"{self._decimal(match)} {self._units[unit]}"

    def _plain_numbers(self) -> list[Rule]:
        point = f" {self._words['address_signs']['.']} "
        return [
            Rule(re.compile(r"(?<![\d.,/])(\d+)/(\d+)(?![\d/])"), self._fraction),
            Rule(
                re.compile(r"(?<![\d.])(?!\d{1,3}(?:\.\d{3})++(?:,|(?!\.?\d)))\d+(?:\.\d+){2,}+(?!\d)"),
                lambda match: point.join(map(self._numbers.whole, match[0].split("."))),
            ),
            Rule(re.compile(_NUMBER), self._number),
            sign_rule(self._words["signs"]),
        ]

    def _fraction(self, match: re.Match[str]) -> str:
        """A small fraction as one, "hai phần ba"; anything else with the sign between."""
        is_fraction = len(match[2]) < 3 and int(match[1]) < int(match[2]) <= 10
        between = self._words["part_of" if is_fraction else "over"]
        return f"{self._numbers.whole(match[1])} {between} {self._numbers.whole(match[2])}"

    def _number(self, match: re.Match[str]) -> str:
        text = match[0]
        is_code = len(text) > 1 and text.startswith("0") and text.isdecimal()
        return apart(match, self._numbers.digits(text) if is_code else self._decimal(match))
