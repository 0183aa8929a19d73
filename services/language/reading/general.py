"""Rules for a language that has no module of its own: all of it is data, numbers by Unicode's RBNF (CLDR)."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from unicode_rbnf import RbnfEngine

from services.language.data import primary
from services.language.reading.addresses import address_rules
from services.language.reading.rule import Rule, any_of, key_rules, words_of
from services.language.reading.telephone import telephone_rules

LARGEST = 10**12 - 1
"""What is longer is said digit by digit."""

_LETTER = r"[^\W\d\u3400-\u9fff]"  # Han needs no space beside a number
_APART = rf"(?<!{_LETTER})(?<![\d.,:/])"
_DONE = rf"(?!{_LETTER})(?![\d:/]|[.,]\d)"
_WHOLE = r"(?P<whole>\d{1,3}(?:[ \u00a0]\d{3})+|\d{1,3}(?:,\d{3})+|\d+)"


class Numbers:
    """Numbers of one language in words. `data` is its reading.toml."""

    def __init__(self, language: str, data: Mapping[str, Any]) -> None:
        self._data = data
        known = language in RbnfEngine.get_supported_languages()
        self._engine = RbnfEngine.for_language(language) if known else None
        self._digits: list[str] = data["digits"]
        self._gap: str = data.get("gap", " ")
        self.cardinal = lru_cache(1024)(self._cardinal)

    def digits(self, text: str) -> str:
        """Each digit by itself; other characters are passed over."""
        return self._gap.join(self._digits[int(character)] for character in text if character.isdecimal())

    def _cardinal(self, number: int) -> str:
        if self._engine is None or number > LARGEST:
            return self.digits(str(number))
        words = self._engine.format_number(number).text.replace("\u00ad", "")
        for written, spoken in self._data.get("number_spelling", {}).items():
            words = words.replace(written, spoken)
        return words

    def decimal(self, whole: str, fraction: str = "") -> str:
        """A number as written, thousands parted by spaces or commas, with the digits behind its point."""
        words = self.cardinal(int(re.sub(r"\D", "", whole)))
        return f"{words}{self._gap}{self._data['point']}{self._gap}{self.digits(fraction)}" if fraction else words

    def counted(self, whole: str, fraction: str, forms: Sequence[str]) -> str:
        """A number with its noun: `forms` is one form, or one, few, many and the gender m or f (Slavic)."""
        words = self.decimal(whole, fraction)
        if len(forms) == 1:
            return f"{words}{self._gap}{forms[0]}"
        one, few, many, gender = forms
        number = int(re.sub(r"\D", "", whole))
        if fraction:
            return f"{words} {few}"
        if gender == "f":
            for masculine, feminine in self._data["feminine"].items():
                words = re.sub(rf"\b{masculine}$", feminine, words)
        tens, ones = number % 100, number % 10
        if ones == 1 and tens != 11:
            return f"{words} {one}"
        return f"{words} {few if 2 <= ones <= 4 and not 12 <= tens <= 14 else many}"


def rules(language_code: str) -> Sequence[Rule]:
    """The rules of a language by its data alone, in the order in which they are asked."""
    data = words_of(primary(language_code))
    numbers = Numbers(primary(language_code), data)
    fraction = rf"(?:[{re.escape(data['point_signs'])}](?P<fraction>\d+))?"
    number = f"{_WHOLE}{fraction}"
    scale = rf"(?:\s?(?P<scale>{any_of(data['scales'])}){_DONE})?" if data.get("scales") else "(?P<scale>)"
    phone_digits = Numbers(primary(language_code), {**data, "digits": data.get("phone_digits", data["digits"])}).digits
    return (
        *address_rules(data["address_signs"], numbers.digits),
        *_dates(data, numbers),
        *telephone_rules(phone_digits, plus=data["plus"]),
        *_codes(data, phone_digits),
        *_times(data, numbers),
        *_sums(data, numbers, number, scale),
        *_quantities(data, numbers, number),
        *_words(data),
        *key_rules(data["keys"]),
        Rule(re.compile(rf"{_APART}{number}(?!\d)|\d+"), lambda match: _number(match, numbers)),
        *_signs(data),
    )


def _dates(data: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Day, month and year in figures, and a day before a month's name."""
    dates = data.get("dates")
    if not dates:
        return []

    def figures(match: re.Match[str]) -> str | None:
        day, month = int(match["day"]), int(match["month"])
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return None
        parts = match.groupdict()
        year = int(parts["year"]) if parts.get("year") else 0
        template: str = dates["with_year"] if year else dates["without_year"]
        return template.format(
            day=dates["days"][day - 1] if "days" in dates else numbers.cardinal(day),
            month=dates["months"][month - 1] if "months" in dates else numbers.cardinal(month),
            year=numbers.digits(str(year)) if dates.get("year_by_digits") else numbers.cardinal(year),
        )

    found = [
        Rule(
            re.compile(r"(?<![\d./-])(?P<day>\d{1,2})[./](?P<month>\d{1,2})[./](?P<year>[12]\d{3})(?![\d/-])"), figures
        ),
        Rule(re.compile(r"(?<![\d./-])(?P<year>[12]\d{3})-(?P<month>\d{2})-(?P<day>\d{2})(?![\d/-])"), figures),
    ]
    if "days" in dates:
        names = any_of(dates["months"])
        found.append(
            Rule(
                re.compile(rf"{_APART}(?P<day>[0-3]?\d)(?=\s(?:{names})\b)", re.IGNORECASE),
                lambda match: dates["days"][int(match["day"]) - 1] if 1 <= int(match["day"]) <= 31 else None,
            )
        )
    if "year_mark" in dates:
        found.append(
            Rule(re.compile(rf"(?<!\d)(\d{{4}})(?={dates['year_mark']})"), lambda match: numbers.digits(match[1]))
        )
    return found


def _codes(data: Mapping[str, Any], digits: Callable[[str], str]) -> list[Rule]:
    """Numbers that name a thing are said digit by digit."""
    nouns = any_of(dict.fromkeys(data.get("code_words", ())))
    if not nouns:
        return []
    pattern = re.compile(rf"(?P<before>(?:{nouns})\.?[\s:№#是为]*)(?P<code>\d{{3,}}){_DONE}", re.IGNORECASE)
    known: dict[str, str] = data.get("abbreviations", {})

    def code(match: re.Match[str]) -> str:
        noun = match["before"].rstrip()
        return match["before"].replace(noun, known.get(noun, noun), 1) + digits(match["code"])

    return [Rule(pattern, code)]


def _times(data: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    times = data["times"]

    def clock(match: re.Match[str]) -> str:
        hour, minute = int(match["hour"]), int(match["minute"])
        key = "sharp" if minute == 0 else "low" if minute < 10 else "plain"
        said: str = times["hours"].get(str(hour)) if "hours" in times and str(hour) in times["hours"] else ""
        return str(times[key]).format(hour=said or numbers.cardinal(hour), minute=numbers.cardinal(minute))

    pattern = re.compile(r"(?<![\d:.,])(?P<hour>[01]?\d|2[0-3])[:：](?P<minute>[0-5]\d)(?::[0-5]\d)?(?![\d:])")
    return [Rule(pattern, clock)]


def _sums(data: Mapping[str, Any], numbers: Numbers, number: str, scale: str) -> list[Rule]:
    currencies: dict[str, Sequence[str]] = data["currencies"]
    signs = any_of(currencies)

    def total(match: re.Match[str]) -> str:
        forms, fraction = currencies[match["currency"]], match["fraction"] or ""
        if match["scale"]:
            scaled: Sequence[str] = data["scales"][match["scale"]]
            noun = forms[0] if len(forms) == 1 else forms[2]
            return f"{numbers.counted(match['whole'], fraction, scaled)}{data.get('gap', ' ')}{noun}"
        if len(fraction) == 2 and len(forms) > 1 and (cents := data.get("cents", {}).get(match["currency"])):
            words = numbers.counted(match["whole"], "", forms)
            return f"{words} {numbers.counted(fraction, '', cents)}" if int(fraction) else words
        return numbers.counted(match["whole"], fraction, forms)

    return [
        Rule(re.compile(rf"(?P<currency>{signs})\s?{number}{scale}(?!\d)"), total),
        Rule(re.compile(rf"{_APART}{number}{scale}\s?(?P<currency>{signs})(?!{_LETTER})"), total),
    ]


def _quantities(data: Mapping[str, Any], numbers: Numbers, number: str) -> list[Rule]:
    units: dict[str, Sequence[str]] = {**data["units"], **data.get("scales", {})}
    gap: str = data.get("gap", " ")

    def percent(match: re.Match[str]) -> str:
        if "percent_before" in data:
            return f"{data['percent_before']}{gap}{numbers.decimal(match['whole'], match['fraction'] or '')}"
        return numbers.counted(match["whole"], match["fraction"] or "", data["percent"])

    return [
        Rule(re.compile(rf"{_APART}{number}\s?%"), percent),
        Rule(
            re.compile(rf"{_APART}{number}\s?(?P<unit>{any_of(units)})(?!{_LETTER})"),
            lambda match: numbers.counted(match["whole"], match["fraction"] or "", units[match["unit"]]),
        ),
        Rule(re.compile(r"(?<=\d)\s?[-–—]\s?(?=[$€£¥]?\d)"), lambda _: f"{gap}{data['range']}{gap}"),
        Rule(re.compile(r"(?<![\w)])[-−](?=\d)"), lambda _: f"{data['minus']}{gap}"),
    ]


def _words(data: Mapping[str, Any]) -> list[Rule]:
    known: dict[str, str] = data.get("abbreviations", {})
    if not known:
        return []
    return [Rule(re.compile(rf"(?<!\w)(?:{any_of(known)})(?!\w)"), lambda match: known[match[0]])]


def _signs(data: Mapping[str, Any]) -> list[Rule]:
    signs: dict[str, str] = data["signs"]
    return [Rule(re.compile("|".join(re.escape(sign) for sign in signs)), lambda match: signs[match[0]])]


def _number(match: re.Match[str], numbers: Numbers) -> str:
    text = match[0]
    if match["whole"] is None or (len(text) > 1 and text.startswith("0") and text.isdecimal()):
        return numbers.digits(text)
    return numbers.decimal(match["whole"], match["fraction"] or "")
