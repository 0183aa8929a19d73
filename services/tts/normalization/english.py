"""How English is read aloud: rules in the order in which they are asked."""

import re
from collections.abc import Sequence

from services.tts.normalization.addresses import address_rules
from services.tts.normalization.numbers_english import cardinal, decimal, digits, ordinal, year
from services.tts.normalization.rule import Rule, any_of, apart, words_of
from services.tts.normalization.telephone import telephone_rules

_WORDS = words_of("en")
_MONTHS: list[str] = _WORDS["months"]
_MONTH_NUMBERS = {name[:length]: number for number, name in enumerate(_MONTHS, 1) for length in (3, len(name))}
_MONTH_NUMBERS["Sept"] = 9
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTH_NUMBERS, key=len, reverse=True))})\b\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?\b"
_YEAR = r"(?P<year>[12]\d{3})\b"
_NUMBER = r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<fraction>\d+))?"
_SCALE = rf"(?:\s?(?P<scale>{any_of(_WORDS['scales'])})\b)?"
_CURRENCY = any_of(_WORDS["currencies"])
_HALF_DAY = r"(?P<half>[aApP])\.?\s?[mM]\b\.?"
_UNIT = any_of(_WORDS["units"])


def rules(language_code: str) -> Sequence[Rule]:
    """The rules for a tag of English, in lower case. Dates in figures are month first in the United States only."""
    is_month_first = language_code in ("en", "en-us")
    return (
        *address_rules(_WORDS["address_signs"], digits),
        *_dates(is_month_first=is_month_first),
        *telephone_rules(digits, plus="plus"),
        *_times(),
        *_money(),
        *_quantities(),
        *_abbreviations(),
        *_plain_numbers(),
    )


def _dates(*, is_month_first: bool) -> list[Rule]:
    first, second = ("month", "day") if is_month_first else ("day", "month")
    figures = rf"(?P<{first}>\d{{1,2}})(?P<mark>[/.-])(?P<{second}>\d{{1,2}})"
    return [
        Rule(re.compile(rf"\b{_MONTH}\s+{_DAY}(?:,?\s+{_YEAR})?"), _date),
        Rule(re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?"), _date),
        Rule(re.compile(r"\b(?P<year>[12]\d{3})-(?P<month>\d{2})-(?P<day>\d{2})\b"), _date),
        Rule(re.compile(rf"(?<![\d/.-]){figures}(?P=mark)(?P<year>[12]\d{{3}})\b(?![/-])"), _date),
        Rule(re.compile(rf"(?<=\b(?:on|by) ){figures.replace('[/.-]', '/')}\b(?!/)"), _date),
        Rule(
            re.compile(
                r"\b(?P<before>(?:in|since|of|by|until|year|from|before|after)\s+)(?P<year>(?:19|20)\d\d)\b",
                re.IGNORECASE,
            ),
            lambda match: match["before"] + year(int(match["year"])),
        ),
    ]


def _date(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    month = _MONTH_NUMBERS.get(parts["month"]) or int(parts["month"])
    day = int(parts["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = f"{_MONTHS[month - 1]} {ordinal(day)}"
    if " of " in match[0]:
        words = f"{ordinal(day)} of {_MONTHS[month - 1]}"
    return f"{words}, {year(int(parts['year']))}" if parts.get("year") else words


def _times() -> list[Rule]:
    clock = r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::[0-5]\d)?(?![\d:])"
    return [
        Rule(re.compile(rf"{clock}(?:\s?{_HALF_DAY})?"), _time),
        Rule(re.compile(rf"(?<![\d:.])(?P<hour>1[0-2]|[1-9])\s?{_HALF_DAY}"), _time),
    ]


def _time(match: re.Match[str]) -> str:
    parts = match.groupdict()
    hour, minute = int(parts["hour"]), int(parts.get("minute") or 0)
    half = f" {parts['half'].upper()}M" if parts["half"] else ""
    if not half and (hour > 12 or hour == 0):
        half = " PM" if hour > 12 else " AM"
    words = cardinal(hour % 12 or 12)
    if minute:
        words += f" oh {cardinal(minute)}" if minute < 10 else f" {cardinal(minute)}"
    elif not half:
        words += " o'clock"
    return _with_lost_dot(match, words + half)


def _money() -> list[Rule]:
    dotted = r"(?P<whole>\d{1,3}(?:\.\d{3})+)(?P<fraction>)(?P<scale>)"
    return [
        Rule(re.compile(rf"(?P<currency>{_CURRENCY})\s?{_NUMBER}{_SCALE}"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){dotted}\s?(?P<currency>VND|₫|đ)(?!\w)"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}{_SCALE}\s?(?P<currency>{_CURRENCY})(?!\w)"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}(?P<scale>[kK])(?!\w)"), _thousands),
    ]


def _sum(match: re.Match[str]) -> str:
    one, many, cent, cents = _WORDS["currencies"][match["currency"]]
    whole, fraction = match["whole"].replace(",", "").replace(".", ""), match["fraction"] or ""
    if match["scale"]:
        return f"{decimal(whole, fraction)} {_WORDS['scales'][match['scale']]} {many}"
    if len(fraction) != 2:
        return f"{decimal(whole, fraction)} {one if whole == '1' and not fraction else many}"
    parts = [f"{decimal(whole)} {one if int(whole) == 1 else many}"] if int(whole) else []
    if int(fraction):
        parts.append(f"{cardinal(int(fraction))} {cent if int(fraction) == 1 else cents}")
    return " and ".join(parts) or f"zero {many}"


def _thousands(match: re.Match[str]) -> str:
    return f"{decimal(match['whole'], match['fraction'] or '')} {_WORDS['scales'][match['scale']]}"


def _quantities() -> list[Rule]:
    return [
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}(?P<gap>\s?)(?P<unit>{_UNIT})(?!\w)"), _quantity),
        Rule(re.compile(r"\b24/7\b"), lambda _: "twenty-four seven"),
        Rule(
            re.compile(rf"(?<![\w/])(?P<before>\d+ )?(?P<fraction>{any_of(_WORDS['fractions'])})(?![\w/])"), _fraction
        ),
        Rule(
            re.compile(r"(?<=\d)\s?[-–—]\s?(?=[$€£]?\d)|(?<=[ap]m)\s?[-–—]\s?(?=\d)|(?<=\.m\.)\s?[-–—]\s?(?=\d)"),
            lambda _: " to ",
        ),
        Rule(re.compile(r"(?<![\w)])[-−](?=\d)"), lambda _: "minus "),
        Rule(re.compile(r"(?:#|\bNo\.\s?|\bno\.\s?)(?=\d)"), lambda _: "number "),
    ]


def _quantity(match: re.Match[str]) -> str | None:
    unit = match["unit"]
    if len(unit) == 1 and unit.isalpha() and match["gap"]:
        return None  # "5 m" may be anything
    one, many = _WORDS["units"][unit]
    is_one = match["whole"] == "1" and not match["fraction"]
    return f"{decimal(match['whole'], match['fraction'] or '')} {one if is_one else many}"


def _fraction(match: re.Match[str]) -> str:
    words: str = _WORDS["fractions"][match["fraction"]]
    if not match["before"]:
        return words
    return f"{cardinal(int(match['before']))} and {words.replace('one ', 'a ')}"


def _abbreviations() -> list[Rule]:
    known: dict[str, str] = _WORDS["abbreviations"]
    return [
        Rule(
            re.compile(r"(?<=[A-Z]\w )St\.|(?<=[a-z] )St\.(?!\s[A-Z])|(?<=\w\w )St\.(?=\s?[,;]|\s*$)"),
            lambda match: _with_lost_dot(match, "Street"),
        ),
        Rule(re.compile(r"(?<!\w)St\.(?=\s[A-Z])"), lambda _: "Saint"),
        Rule(re.compile(rf"(?<!\w)(?:{any_of(known)})(?!\w)"), lambda match: _with_lost_dot(match, known[match[0]])),
    ]


def _with_lost_dot(match: re.Match[str], words: str) -> str:
    """A dot that ended word and sentence at once still ends the sentence."""
    return f"{words}." if match[0].endswith(".") and not match.string[match.end() :].strip() else words


def _plain_numbers() -> list[Rule]:
    signs: dict[str, str] = _WORDS["signs"]
    return [
        Rule(re.compile(r"(?<![\w.])(\d+)(?:st|nd|rd|th)\b"), lambda match: ordinal(int(match[1]))),
        Rule(re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\d.]*\d)"), _version),
        Rule(re.compile(r"(?<![\d.,/])(\d+)/(\d+)(?![\d/])"), lambda m: f"{decimal(m[1])} over {decimal(m[2])}"),
        Rule(re.compile(_NUMBER), _number),
        Rule(re.compile("|".join(re.escape(sign) for sign in signs)), lambda match: signs[match[0]]),
    ]


def _version(match: re.Match[str]) -> str:
    return apart(match, " point ".join(decimal(part) for part in match[0].split(".")))


def _number(match: re.Match[str]) -> str:
    text = match[0]
    is_code = len(text) > 1 and text.startswith("0") and text.isdecimal()
    return apart(match, digits(text) if is_code else decimal(match["whole"], match["fraction"] or ""))
