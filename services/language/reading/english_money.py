"""The rules by which English sums of money are read aloud."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers
from services.language.reading.patterns import DASHES, any_of, shape_of, signs_of
from services.language.reading.rule import DIGIT, Rule, apart
from services.language.reading.shared_rules import LONGEST_UNIT, PRICE

NUMBER = (
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})*(?: 000)++(?!\d)|\d{1,3}(?:[\u00a0\u202f]\d{3})+|\d+"
    r"|(?<![\w.,)])(?=\.\d))(?:\.(?P<fraction>\d+))?"
)
"""Thousands parted by commas or narrow spaces, and ".5"."""
_DASH = r"\s?[-–—]\s?"


class AdjectivalAmounts:
    """Tells an amount that stands before a noun as its adjective: it is in the singular, "a $20 fee".

    Behind "a" any noun may follow, and so may another amount, "a $5 or $10 fee"; before `priced_things` no "a" is
    needed, "your $50 deposit".
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        articles, joiners = any_of(words["articles"]), any_of([*words["list_words"], words["range"]])
        joint = rf"(?:\s?[-–—/]\s?|,\s|,?\s(?:{joiners})\s(?:(?:{articles})\s)?)"
        self._article = re.compile(rf"(?<!\w)(?:{articles})\s(?:{_ANY_AMOUNT}{joint}){{0,3}}$", re.IGNORECASE)
        self._noun = re.compile(rf"(?:{joint}{_ANY_AMOUNT}){{0,3}}\s([a-z-]{{2,}})(?!\w)")
        self._no_nouns = frozenset((*words["copulas"], *words["list_words"], words["of"], words["range"]))
        self._priced = frozenset(words["priced_things"])

    def __call__(self, match: re.Match[str]) -> bool:
        """Of the match of an amount, its number first."""
        behind = self._noun.match(match.string, match.end())
        if behind is None or behind[1] in self._no_nouns:
            return False
        if behind[1] in self._priced:
            return True
        return self._article.search(match.string, max(0, match.start() - _LONGEST_LIST), match.start()) is not None


_ANY_AMOUNT = r"(?:[$£]|€)?\d[\d.,]{0,9}(?:\s?[A-Za-z]{1,3})??"
_LONGEST_LIST = 40  # code points from the article to the last amount


class EnglishMoney:
    """Rules for sums, and for numbers with a scale."""

    def __init__(self, words: Mapping[str, Any], numbers: Numbers) -> None:
        self._words = words
        self._numbers = numbers
        self._is_of_a_noun = AdjectivalAmounts(words)
        self._to: str = words["range"]
        self._and: str = words["and"]
        self._scales: Mapping[str, str] = words["scales"]
        self._scale = rf"(?:\s?(?P<scale>{any_of(self._scales)})\b)?"
        self._currency = signs_of(words["currencies"])
        self._known = {"currency": words["currencies"]}

    def rules(self) -> list[Rule]:
        """In the order in which they are asked."""
        dotted = r"(?P<whole>[1-9]\d{0,2}(?:\.\d{3})+)(?P<fraction>)(?P<scale>)(?![\d.]\d)"
        continental = r"(?P<whole>\d{1,3}(?:\.\d{3})+|\d+),(?P<fraction>\d\d)(?P<scale>)(?!\d|[.,]\d)"
        side = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d\d?)?"
        low_scale = self._scale.replace("<scale>", "<low_scale>")
        dots = self._words["dotted_currencies"]
        of_dots, known_dots = signs_of(dots), {"currency": frozenset(dots)}
        needs = (DIGIT, "".join({sign[-1] for sign in self._words["currencies"]}))
        return [
            Rule(
                re.compile(rf"(?P<currency>{self._currency})(?P<whole>\d[\d,]*)(?=-[a-z])"),
                lambda match: (
                    f"{self._numbers.whole(match['whole'])} {self._words['currencies'][match['currency']][0]}"
                ),
                self._known,
                (*needs, "-"),
            ),
            Rule(re.compile(rf"(?P<currency>{self._currency})\s?{continental}"), self._sum, self._known, (*needs, ",")),
            Rule(
                re.compile(rf"(?<![\w.,]){continental}\s?(?P<currency>{self._currency})(?!\w)"),
                self._sum,
                self._known,
                (*needs, ","),
            ),
            Rule(
                re.compile(
                    rf"(?P<currency>{self._currency})\s?(?P<low>{side}){low_scale}{_DASH}(?P=currency)?"
                    rf"(?P<high>{side})(?![\d.]\d){self._scale}(?!\w)"
                ),
                self._range_of_sums,
                self._known,
                (*needs, DASHES),
            ),
            Rule(re.compile(rf"(?P<currency>{of_dots})\s?{dotted}"), self._sum, known_dots, (*needs, ".")),
            Rule(re.compile(rf"(?P<currency>{self._currency})\s?{NUMBER}{self._scale}"), self._sum, self._known, needs),
            Rule(
                re.compile(rf"(?<![\w.,]){dotted}\s?(?P<currency>{of_dots})(?!\w)"),
                self._sum,
                known_dots,
                (*needs, "."),
            ),
            Rule(
                re.compile(rf"(?<![\w.,]){NUMBER}{self._scale}\s?(?P<currency>{self._currency})(?!\w)"),
                self._sum,
                self._known,
                needs,
            ),
            Rule(
                re.compile(rf"(?:(?<=\d)|(?<=\d\s))(?P<unit>{shape_of(self._words['priced_by'])})(?!\w)"),
                self._priced_by,
                {"unit": self._words["priced_by"]},
                (DIGIT,),
            ),
            Rule(
                re.compile(rf"(?<![\w.,]){NUMBER}(?P<scale>{any_of(self._words['short_scales'])})(?!\w)"),
                self._scaled,
                needs=(DIGIT, "".join({scale[0] for scale in self._words["short_scales"]})),
            ),
        ]

    def _range_of_sums(self, match: re.Match[str]) -> str:
        forms = self._forms(match)
        scale, low_scale = (f" {self._scales[match[key]]}" if match[key] else "" for key in ("scale", "low_scale"))

        def side(text: str) -> str:
            whole, _, fraction = text.partition(".")
            if len(fraction) == 2 and int(fraction):
                cents = self._numbers.counted(fraction, "", forms[2:])
                return f"{self._numbers.whole(whole)} {forms[1]} {self._and} {cents}"
            return self._numbers.decimal(whole, fraction.rstrip("0"))

        has_cents = "." in match["high"].replace(".00", "")
        return f"{side(match['low'])}{low_scale} {self._to} {side(match['high'])}{scale}" + (
            "" if has_cents else f" {forms[1]}"
        )

    def _priced_by(self, match: re.Match[str]) -> str | None:
        """Return what a price is for, written short behind it: "£12.50pp"."""
        before = match.string[max(0, match.start() - 2 * LONGEST_UNIT) : match.start()].rstrip()
        return self._words["priced_by"][match["unit"]] if PRICE.search(before) else None

    def _sum(self, match: re.Match[str]) -> str:
        return apart(match, self._said(match))

    def _forms(self, match: re.Match[str]) -> list[str]:
        forms: list[str] = self._words["currencies"][match["currency"]]
        return [forms[0], forms[0], forms[2], forms[2]] if self._is_of_a_noun(match) else forms

    def _said(self, match: re.Match[str]) -> str:
        forms = self._forms(match)
        whole, fraction = match["whole"].replace(",", "").replace(".", ""), match["fraction"] or ""
        if match["scale"]:
            return f"{self._numbers.decimal(whole, fraction)} {self._scales[match['scale']]} {forms[1]}"
        if len(fraction) != 2:
            return self._numbers.counted(whole, fraction, forms[:2])
        parts = [self._numbers.counted(whole, "", forms[:2])] if whole.strip("0") else []
        if int(fraction):
            parts.append(self._numbers.counted(str(int(fraction)), "", forms[2:]))
        return f" {self._and} ".join(parts) or self._numbers.counted("0", "", forms[:2])

    def _scaled(self, match: re.Match[str]) -> str:
        return f"{self._numbers.decimal(match['whole'], match['fraction'] or '')} {self._scales[match['scale']]}"
