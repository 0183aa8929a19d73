"""The rules by which Vietnamese is read aloud, in the order in which they are asked. Every word of it stands in
reading.toml.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.language.reading.addresses import address_rules
from services.language.reading.codes import AnnouncedCodes, bare_codes, characters, dialled
from services.language.reading.numbers_vietnamese import VietnameseNumbers
from services.language.reading.patterns import (
    APOSTROPHE,
    APOSTROPHES,
    DASHES,
    INCHES,
    MIXED,
    QUOTES,
    ROMAN,
    VULGAR,
    VULGAR_SIGNS,
    any_of,
    roman,
    shape_of,
    vulgar_fraction,
)
from services.language.reading.reading_words import words_of
from services.language.reading.rule import DIGIT, Rewriter, Rule, apart
from services.language.reading.shared_rules import (
    gap_of_score,
    idiom_rule,
    key_rules,
    per_rule,
    range_rule,
    short_word_rules,
    sign_rule,
    times_rules,
)
from services.language.reading.telephone import telephone_rules
from services.language.reading.vietnamese_dates import VietnameseDates

_ENGLISH = r"\d{1,3}(?:,\d{3})+(?=\.\d)(?![\d,]*\.\d{3}(?!\d))"  # 1,200.50
_GROUPED = r"[1-9]\d{0,2}(?:\.\d{3})+(?!\d)|[1-9]\d{0,2}(?:[\u00a0\u202f]\d{3})+(?!\d)"
_NUMBER = (
    rf"(?P<whole>{_ENGLISH}|{_GROUPED}|[1-9]\d{{0,2}}(?: \d{{3}})*(?: 000)++(?!\d)"
    r"|[1-9]\d{0,2}(?:,\d{3}){2,}(?!\d)|\d+)(?:[.,](?P<fraction>\d+))?"
)
_AMOUNT = (
    rf"(?P<whole>{_ENGLISH}|{_GROUPED}|[1-9]\d{{0,2}}(?: \d{{3}})+(?![\d.])|[1-9]\d{{0,2}}(?:,\d{{3}})+(?!\d)|\d+)"
    r"(?:[.,](?P<fraction>\d+))?"
)


_NEXT_WORD = re.compile(r"\s?([^\W\d_]+)")
_OPEN_DOUBLE_QUOTE = re.compile(r"(?<!\w)[\"“](?:\S[^\"”]*)?$")


def rules(_language_code: str) -> Sequence[Rewriter]:
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

    def rules(self) -> Sequence[Rewriter]:
        announced = AnnouncedCodes(self._words, self._numbers)
        return (
            *address_rules(self._words, self._numbers),
            dialled(self._words, self._numbers),
            *self._plates(),
            *self._dates.rules(),
            *telephone_rules(self._words, self._numbers),
            announced,
            *bare_codes(self._words, self._numbers),
            *self._times(),
            *self._money(),
            *self._quantities(),
            announced.far(),
            Rule(re.compile(r"#\s?(?=\d)"), lambda _: f"{self._words['hash']} ", needs=(DIGIT, "#")),
            *short_word_rules(self._words),
            *self._plain_numbers(),
        )

    def _plates(self) -> list[Rule]:
        plate = r"(?<![\w-])(?P<plate>\d\d-?[A-Z]\d?[ -]\d{3}\.?\d{1,2})(?![\w/-])"
        rooms = any_of(self._words["room_words"])
        room = rf"(?<!\w)(?i:{rooms})\s(?P<code>(?:[A-Z]{{1,2}}\d?-?)?\d{{1,2}}(?:\.\d{{2}}){{1,2}})(?!\w|[.,]\d)"
        return [
            Rule(
                re.compile(room),
                self._room,
                needs=(DIGIT, "."),
            ),
            Rule(
                re.compile(plate),
                lambda match: characters(match["plate"].replace(".", ""), self._numbers),
                needs=(DIGIT,),
            ),
        ]

    def _room(self, match: re.Match[str]) -> str | None:
        """A room by its floor and its number, "căn hộ 12.05", unless it is an amount: "giá căn 12.05 tỷ"."""
        behind = _NEXT_WORD.match(match.string, match.end())
        if behind and (behind[1] in self._scales or behind[1] in self._units):
            return None
        return f"{match[0][: -len(match['code'])]}{characters(match['code'], self._numbers)}"

    def _times(self) -> list[Rule]:
        hours, minutes = (any_of(self._words[key]) for key in ("hour_signs", "minute_signs"))
        hour = r"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4])"
        minute = rf"(?P<minute>[0-5]\d)(?:\s?(?P<sign>{minutes})(?!\w))?"
        told = any_of(self._words["score_words"])
        told = rf"(?i:{told})\s(?:(?i:{any_of(self._words['copulas'])})\s)?"
        score = rf"(?P<before>(?<!\w){told})(?P<one>\d{{1,2}})[-–:](?P<other>\d{{1,2}})"
        return [
            Rule(re.compile(rf"{score}(?![\d/:-])"), self._score, needs=(DIGIT, ":-–")),
            Rule(
                re.compile(r"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d)(?![\d:])"),
                self._time,
                needs=(DIGIT, ":"),
            ),
            Rule(re.compile(rf"{hour}(?::|\s?(?:{hours})\s?){minute}(?![\d:])"), self._time, needs=(DIGIT,)),
            Rule(
                re.compile(
                    rf"{hour}(?:{any_of(self._words['short_hour_signs'])})(?P<minute>[1-9])(?:{minutes})?(?!\w)"
                ),
                self._time,
                needs=(DIGIT,),
            ),
            Rule(
                re.compile(rf"{hour}\s?(?:{any_of(self._words['short_hour_signs'])})(?!\w)"), self._time, needs=(DIGIT,)
            ),
            Rule(
                re.compile(r"(?<![\w:.,])(?P<before>)(?P<one>\d{1,2}):(?P<other>\d{1,2})(?![\w:])"),
                self._score,
                needs=(DIGIT, ":"),
            ),
        ]

    def _score(self, match: re.Match[str]) -> str:
        one, other = self._numbers.whole(match["one"]), self._numbers.whole(match["other"])
        return f"{match['before']}{one}{gap_of_score(match)}{other}"

    def _time(self, match: re.Match[str]) -> str:
        parts = match.groupdict()
        words = f"{self._numbers.whole(parts['hour'])} {self._words['hour']}"
        minute = int(parts.get("minute") or 0)
        if parts.get("second"):
            second = self._numbers.cardinal(int(parts["second"]))
            return f"{words} {self._numbers.cardinal(minute)} {self._words['minute']} {second} {self._words['second']}"
        if not minute:
            return words
        needs_unit = minute < 10 or parts["sign"]
        return f"{words} {self._numbers.cardinal(minute)}{' ' + self._words['minute'] if needs_unit else ''}"

    def _money(self) -> list[Rule]:
        words = self._words
        scale = rf"(?:\s?(?P<scale>{any_of(self._scales)})\b)?"
        currency = any_of(words["currencies"])
        one = self._numbers.cardinal(1)
        per = {
            **{unit: f"{one} {said}" for unit, said in self._units.items()},
            **{word: f"{one} {said}" for word, said in words["currencies"].items() if word.isalpha()},
            **{word: f"{one} {said}" for word, said in words["per"].items()},
        }
        priced = [*self._units, *words["currencies"], *self._scales, "%"]
        codes_known = [word for word in words["currencies"] if word.isalpha() and word.isupper() and len(word) > 2]
        codes = any_of(codes_known)
        high = _AMOUNT.replace("<whole>", "<high>").replace("<fraction>", "<part>")

        return [
            Rule(
                re.compile(
                    rf"(?<![\w.,])(?P<whole>\d+)(?P<scale>{any_of(words['scales_below'])})(?P<rest>\d{{1,3}})(?:\s?[kK])?(?!\w)"
                ),
                self._short_sum,
                needs=(DIGIT,),
            ),
            per_rule(per, priced, others=one),
            Rule(
                re.compile(
                    rf"(?P<currency>[$€₫])\s?{_AMOUNT}{scale}\s?[-–—]\s?(?P=currency)?{high}"
                    rf"{scale.replace('<scale>', '<high_scale>')}(?!\w|[.,/:]\d|-)"
                ),
                self._range_of_sums,
                needs=(DIGIT, "$€₫", DASHES),
            ),
            Rule(re.compile(rf"(?P<currency>[$€₫])\s?{_AMOUNT}{scale}"), self._sum, needs=(DIGIT, "$€₫")),
            Rule(
                re.compile(rf"(?<!\w)(?P<currency>{codes})\s?{_AMOUNT}{scale}(?!\w)"),
                self._sum,
                needs=(DIGIT, "".join(short[0] for short in codes_known)),
            ),
            Rule(
                re.compile(rf"(?<![\w.,]){_AMOUNT}{scale}\s?(?P<currency>{currency})(?!\w)"), self._sum, needs=(DIGIT,)
            ),
            Rule(
                re.compile(rf"(?<![\w.,]){_NUMBER}\s?(?P<scale>{shape_of(self._scales)})(?!\w)"),
                self._scaled,
                {"scale": self._scales},
                (DIGIT,),
            ),
        ]

    def _decimal(self, match: re.Match[str]) -> str:
        return self._numbers.decimal(match["whole"], match["fraction"] or "")

    def _short_sum(self, match: re.Match[str]) -> str:
        """Spoken shorthand: "1tr5" is 1.5 million, "2tỷ3" 2.3 billion."""
        rest = self._numbers.cardinal(int(match["rest"].ljust(3, "0")))
        scale = match["scale"]
        words = f"{self._numbers.whole(match['whole'])} {self._scales[scale]} {rest}"
        return f"{words} {self._words['scales_below'][scale]}".rstrip()  # nothing is below thousands

    def _scaled(self, match: re.Match[str]) -> str:
        return f"{self._decimal(match)} {self._scales[match['scale']]}" if match["scale"] else self._decimal(match)

    def _sum(self, match: re.Match[str]) -> str:
        return f"{self._scaled(match)} {self._words['currencies'][match['currency']]}"

    def _range_of_sums(self, match: re.Match[str]) -> str:
        high = self._numbers.decimal(match["high"], match["part"] or "")
        scale = f" {self._scales[match['high_scale']]}" if match["high_scale"] else ""
        return f"{self._scaled(match)} {self._to} {high}{scale} {self._words['currencies'][match['currency']]}"

    def _quantities(self) -> list[Rule]:
        words, numbers = self._words, self._numbers
        range_, minus = f" {self._to} ", f"{words['minus']} "
        return [
            Rule(
                re.compile(r"(?<![\w.,])(?P<whole>\d)m(?P<rest>\d{1,2})(?!\w)"),
                lambda match: f"{numbers.whole(match['whole'])} {self._units['m']} {numbers.fraction(match['rest'])}",
                needs=(DIGIT, "m"),
            ),
            Rule(
                re.compile(rf"(?<![\w.,])(\d{{1,3}}){APOSTROPHE}(?:([0-5]?\d){INCHES}|(?!\w))"),
                lambda match: (
                    f"{numbers.whole(match[1])} {words['minute']}"
                    + (f" {numbers.whole(match[2])} {words['second']}" if match[2] else "")
                ),
                needs=(DIGIT, APOSTROPHES),
            ),
            Rule(
                re.compile(rf"(?<![\w.,]){_NUMBER}{INCHES}(?!\w)"),
                lambda match: (
                    None
                    if _OPEN_DOUBLE_QUOTE.search(match.string[: match.start()])
                    else f"{self._decimal(match)} {words['inch']}"
                ),
                needs=(DIGIT, QUOTES),
            ),
            Rule(
                re.compile(rf"(?:(?<![\w.,])|(?<=\dx)){_NUMBER}(?P<gap>\s?)(?P<unit>{shape_of(self._units)})(?!\w)"),
                self._quantity,
                {"unit": self._units},
                (DIGIT,),
            ),
            Rule(re.compile(r"(?<=\d)\s?−\s?(?=[$€]?\d)"), lambda _: f" {words['minus_between']} ", needs=(DIGIT, "−")),
            range_rule(range_, [*self._units, *words["currencies"], *self._scales, *words["hour_signs"]]),
            *key_rules(words["keys"]),
            Rule(re.compile(r"(?:(?<![\w)])[-−]|(?<!\S)–)(?=[$€]?\d)"), lambda _: minus, needs=(DIGIT, "-−–")),
            *times_rules(words["times"]),
            idiom_rule(words["idioms"]),
            Rule(
                re.compile(rf"(?P<before>(?<!\w)(?i:{any_of(words['numbered_by_roman'])})\s)(?P<roman>{ROMAN})(?!\w)"),
                lambda match: match["before"] + numbers.ordinal(roman(match["roman"])),
                needs=("XVI",),
            ),
        ]

    def _quantity(self, match: re.Match[str]) -> str | None:
        unit = match["unit"]
        if len(unit) == 1 and unit.isalpha() and match["gap"] and not match["fraction"]:
            return None  # "5 m" may be anything
        return apart(match, f"{self._decimal(match)} {self._units[unit]}")

    def _plain_numbers(self) -> list[Rule]:
        point = f" {self._words['address_signs']['.']} "
        return [
            Rule(MIXED, self._mixed, needs=(DIGIT, "/⁄")),
            Rule(re.compile(r"(?<![\d.,/])(\d+)[/⁄](\d+)(?![\d]|/\d)"), self._fraction, needs=(DIGIT, "/⁄")),
            Rule(re.compile(rf"(?<=\d){VULGAR}"), self._behind_a_whole, needs=(VULGAR_SIGNS,)),
            Rule(re.compile(VULGAR), self._vulgar, needs=(VULGAR_SIGNS,)),
            Rule(re.compile(r"(?<=\d)/(?=\d)"), lambda _: f" {self._words['over']} ", needs=("/",)),
            Rule(re.compile(r"(?<=\d)/(?=[^\W\d_])"), lambda _: f" {self._words['over']} ", needs=("/",)),
            Rule(re.compile(r"(?<=[^\W\d_]{2})/(?=[^\W\d_]{2})"), _gap_between_words, needs=("/",)),
            Rule(re.compile(r"(?<=[^\W\d_])/(?=\d+ [^\W\d_])"), lambda _: " ", needs=("/",)),
            Rule(
                re.compile(r"(?<![\d.])(?!\d{1,3}(?:\.\d{3})++(?:,|(?!\.?\d)))\d+(?:\.\d+){2,}+(?!\d)"),
                lambda match: point.join(map(self._numbers.whole, match[0].split("."))),
                needs=(DIGIT, "."),
            ),
            Rule(re.compile(_NUMBER), self._number, needs=(DIGIT,)),
            sign_rule(self._words["signs"]),
        ]

    def _fraction(self, match: re.Match[str]) -> str:
        """A small fraction as one, "hai phần ba"; anything else with the sign between."""
        is_fraction = len(match[2]) < 3 and int(match[1]) < int(match[2]) <= 10
        between = self._words["part_of" if is_fraction else "over"]
        return apart(match, f"{self._numbers.part(match[1])} {between} {self._numbers.part(match[2])}")

    def _vulgar(self, match: re.Match[str]) -> str:
        upper, lower = vulgar_fraction(match[0])
        words = f"{self._numbers.cardinal(upper)} {self._words['part_of']} {self._numbers.cardinal(lower)}"
        return apart(match, words)

    def _behind_a_whole(self, match: re.Match[str]) -> str:
        is_beside = match.string[match.end() :][:1].isalpha()
        return f" {self._words['mixed']} {self._vulgar(match).strip()}{' ' if is_beside else ''}"

    def _mixed(self, match: re.Match[str]) -> str | None:
        """A whole and its fraction: "2 1/2" is "hai và một phần hai"."""
        upper, lower = int(match["upper"]), int(match["lower"])
        if not 0 < upper < lower <= 10:
            return None
        part = f"{self._numbers.cardinal(upper)} {self._words['part_of']} {self._numbers.cardinal(lower)}"
        return f"{self._numbers.whole(match['whole'])} {self._words['mixed']} {part}"

    def _number(self, match: re.Match[str]) -> str:
        text = match[0]
        is_code = len(text) > 1 and text.startswith("0") and text.isdecimal()
        return apart(match, self._numbers.digits(text) if is_code else self._decimal(match))


def _gap_between_words(match: re.Match[str]) -> str | None:
    """Two words to choose from, "anh/chị", are said one behind the other; a name in capitals is spelled by engines."""
    before, after = match.string[: match.start()][-2:], match.string[match.end() :][:2]
    return " " if before.islower() and after[1].islower() else None
