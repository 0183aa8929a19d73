"""How English is read aloud: rules in the order in which they are asked."""

import re
from collections.abc import Sequence

from services.language.reading.addresses import address_rules
from services.language.reading.numbers_english import cardinal, decimal, digits, ordinal, year
from services.language.reading.rule import Rule, any_of, apart, key_rules, words_of
from services.language.reading.telephone import telephone_rules

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
_DATE_WORD = any_of(_WORDS["date_words"])


def rules(language_code: str) -> Sequence[Rule]:
    """The rules for a tag of English, in lower case. Dates in figures are month first in the United States only."""
    is_month_first = language_code in ("en", "en-us")
    return (
        *address_rules(_WORDS["address_signs"], digits),
        *_codes(),
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
        Rule(re.compile(rf"(?<![\w/.-]){figures.replace('[/.-]', '/')}/(?P<year>\d\d)(?![\w/-])"), _date),
        Rule(
            re.compile(rf"\b(?P<before>(?:{_DATE_WORD})\s+){figures.replace('[/.-]', '/')}(?![\w/])", re.IGNORECASE),
            lambda match: (words := _date(match)) and match["before"] + words,
        ),
        Rule(re.compile(r"(?<![\w.,])(?P<year>[12]\d\d0)'?s\b"), lambda match: _decade(year(int(match["year"])))),
        Rule(re.compile(r"(?<!\w)['’](?P<tens>[2-9]0)s\b"), lambda match: _decade(cardinal(int(match["tens"])))),
        Rule(
            re.compile(r"\bQ(?P<quarter>[1-4])(?:\s+(?P<year>(?:19|20)\d\d))?\b"),
            lambda match: (
                f"{ordinal(int(match['quarter']))} quarter"
                + (f" of {year(int(match['year']))}" if match["year"] else "")
            ),
        ),
        Rule(
            re.compile(r"\b(?P<before>mid|early|late|pre|post)-(?P<year>(?:19|20)\d\d)\b", re.IGNORECASE),
            lambda match: f"{match['before']} {year(int(match['year']))}",
        ),
        Rule(
            re.compile(
                r"\b(?P<before>(?:in|since|of|by|until|year|from|before|after|early|mid|late|summer|winter|spring|autumn|fall)\s+)(?P<year>(?:19|20)\d\d)\b",
                re.IGNORECASE,
            ),
            lambda match: match["before"] + year(int(match["year"])),
        ),
    ]


def _decade(words: str) -> str:
    """The plural of a year or of tens: "nineteen nineties", "two thousands"."""
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _date(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    month = _MONTH_NUMBERS.get(parts["month"]) or int(parts["month"])
    day = int(parts["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = f"{_MONTHS[month - 1]} {ordinal(day)}"
    if " of " in match[0]:
        words = f"{ordinal(day)} of {_MONTHS[month - 1]}"
    if not parts.get("year"):
        return words
    written = int(parts["year"])
    return f"{words}, {year(written if written >= 100 else 2000 + written)}"


def _codes() -> list[Rule]:
    """Numbers that name a thing are said digit by digit, letters beside them by their names."""
    nouns = any_of(_WORDS["code_words"])
    return [
        Rule(re.compile(r"(?<![\w-])(?<![.,]\d)(?:\+?1[- .])?[2-9]\d\d[-.][A-Z]{3,7}(?:[- ]?\d{1,4})?(?!\w)"), _vanity),
        Rule(
            re.compile(
                rf"\b(?P<before>(?:{nouns})\.?(?:\s+(?:number|no\.|is|was|#))?[\s:#]+)"
                r"(?P<code>\d{3,}(?:-\d{2,})*|(?=[\w-]*\d)[A-Z\d]+(?:-[A-Z\d]+)*)(?![\w/%]|[.,:]\d)",
                re.IGNORECASE,
            ),
            lambda match: match["before"].replace("#", "number ") + _characters(match["code"]),
        ),
        Rule(re.compile(r"#\s?(?P<code>(?=[A-Z-]*\d)[A-Z]*-?\d+[A-Z\d-]*[A-Z\d]|#\d)(?![\w.])"), _hash_code),
        Rule(re.compile(r"(?<![\w#$€£-])(?P<code>[A-Z]{1,4}-?\d{3,}[A-Z]?|\d{2,}[A-Z]{2,3}\d+)(?![\w-])"), _bare_code),
    ]


def _characters(code: str) -> str:
    """Digits by themselves, letters by their names, groups parted by commas: "A B, one two"."""
    parts = re.findall(r"\d+|[^\W\d_]+", code)
    return ", ".join(digits(part) if part[0].isdecimal() else " ".join(part.upper()) for part in parts)


def _vanity(match: re.Match[str]) -> str:
    return ("plus " if match[0].startswith("+") else "") + _characters(match[0])


def _hash_code(match: re.Match[str]) -> str | None:
    return None if match["code"].isdecimal() and len(match["code"]) < 3 else f"number {_characters(match['code'])}"


def _bare_code(match: re.Match[str]) -> str:
    return _characters(match["code"])


def _times() -> list[Rule]:
    clock = r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
    return [
        Rule(
            re.compile(
                r"\b(?P<before>(?:score|scored|won|lost|beat|ratio|odds)\s+(?:of\s+)?)(\d{1,2}):(\d{1,2})(?![\w:])"
            ),
            lambda match: f"{match['before']}{cardinal(int(match[2]))} to {cardinal(int(match[3]))}",
        ),
        Rule(re.compile(rf"{clock}(?:\s?{_HALF_DAY})?"), _time),
        Rule(
            re.compile(r"(?<![\w:.,])(\d{1,2}):(\d{1,2})(?![\w:])"),
            lambda match: f"{cardinal(int(match[1]))} to {cardinal(int(match[2]))}",
        ),
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
    if parts.get("second"):
        words += f" and {cardinal(int(parts['second']))} {'second' if int(parts['second']) == 1 else 'seconds'}"
    return _with_lost_dot(match, words + half)


def _money() -> list[Rule]:
    dotted = r"(?P<whole>\d{1,3}(?:\.\d{3})+)(?P<fraction>)(?P<scale>)"
    continental = r"(?P<whole>\d{1,3}(?:\.\d{3})+|\d+),(?P<fraction>\d\d)(?P<scale>)(?!\d|[.,]\d)"
    return [
        Rule(re.compile(rf"(?P<currency>{_CURRENCY})\s?{continental}"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){continental}\s?(?P<currency>{_CURRENCY})(?!\w)"), _sum),
        Rule(
            re.compile(
                rf"(?P<currency>{_CURRENCY})\s?(?P<low>\d[\d,]*(?:\.\d\d?)?)\s?[-–—]\s?(?P=currency)?"
                rf"(?P<high>\d[\d,]*(?:\.\d\d?)?)(?![\d.]\d){_SCALE}(?!\w)"
            ),
            _range_of_sums,
        ),
        Rule(re.compile(rf"(?P<currency>{_CURRENCY})\s?{_NUMBER}{_SCALE}"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){dotted}\s?(?P<currency>VND|₫|đ)(?!\w)"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}{_SCALE}\s?(?P<currency>{_CURRENCY})(?!\w)"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}(?P<scale>[kK])(?!\w)"), _thousands),
    ]


def _range_of_sums(match: re.Match[str]) -> str:
    _, many, cent, cents = _WORDS["currencies"][match["currency"]]
    scale = f" {_WORDS['scales'][match['scale']]}" if match["scale"] else ""

    def side(text: str) -> str:
        whole, _, fraction = text.partition(".")
        if len(fraction) == 2 and int(fraction):
            return f"{decimal(whole)} {many} and {cardinal(int(fraction))} {cent if int(fraction) == 1 else cents}"
        return decimal(whole, fraction.rstrip("0"))

    return f"{side(match['low'])} to {side(match['high'])}{scale}" + (
        "" if "." in match["high"].replace(".00", "") else f" {many}"
    )


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
    things = any_of(_WORDS["measured_things"])
    return [
        Rule(
            re.compile(rf"(?<![\w.,]){_NUMBER}[\s-]?(?P<unit>{_UNIT})\.?[\s-](?={things}\b)"),
            lambda m: f"{decimal(m['whole'], m['fraction'] or '')} {_WORDS['units'][m['unit']][0]} ",
        ),
        Rule(
            re.compile(r"(?<![\w.,])(?P<feet>[1-9])['’′]\s?(?P<inches>\d|1[01])(?:\"|”|″|'')?(?!\w)"),
            lambda match: f"{cardinal(int(match['feet']))} foot {cardinal(int(match['inches']))}",
        ),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}(?P<gap>\s?)(?P<unit>{_UNIT})(?!\w)"), _quantity),
        Rule(re.compile(r"\b24/7\b"), lambda _: "twenty-four seven"),
        Rule(
            re.compile(
                rf"(?<![\w/])(?P<before>\d+ |\d+(?=[½¼¾]))?(?P<fraction>{any_of(_WORDS['fractions'])})(?![\w/])"
            ),
            _fraction,
        ),
        Rule(
            re.compile(r"(?<=\d)\s?[-–—]\s?(?=[$€£]?\d)|(?<=[ap]m)\s?[-–—]\s?(?=\d)|(?<=\.m\.)\s?[-–—]\s?(?=\d)"),
            lambda _: " to ",
        ),
        Rule(re.compile(r"(?<![\w)])[-−](?=\d)"), lambda _: "minus "),
        *key_rules(_WORDS["keys"]),
        Rule(re.compile(r"(?:#|\bNo\.\s?|\bno\.\s?)(?=\d)"), lambda _: "number "),
    ]


def _quantity(match: re.Match[str]) -> str | None:
    unit = match["unit"]
    if len(unit) == 1 and unit.isalpha() and match["gap"] and not match["fraction"]:
        return None  # "5 m" may be anything
    one, many = _WORDS["units"][unit]
    is_one = match["whole"] == "1" and not match["fraction"]
    return f"{decimal(match['whole'], match['fraction'] or '')} {one if is_one else many}"


def _fraction(match: re.Match[str]) -> str:
    words: str = _WORDS["fractions"][match["fraction"]]
    if not match["before"]:
        return words
    return f"{cardinal(int(match['before']))} and {words.replace('one ', 'a ')}"


_ROMAN = {"II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10, "XI": 11, "XII": 12}


def _abbreviations() -> list[Rule]:
    known: dict[str, str] = _WORDS["abbreviations"]
    spelled = any_of(_WORDS["spelled"])
    weekday = any_of(_WORDS["short_weekdays"])
    numbered, named = (any_of(_WORDS[key]) for key in ("numbered_by_roman", "named_by_roman"))
    return [
        Rule(
            re.compile(rf"\b({weekday})\.?\s?[-–—]\s?({weekday})\b\.?"),
            lambda match: _with_lost_dot(match, f"{known[match[1] + '.']} to {known[match[2] + '.']}"),
        ),
        Rule(
            re.compile(rf"\b(?P<before>(?:{numbered})\s+)(?P<roman>{any_of(_ROMAN)}|I)\b"),
            lambda match: match["before"] + cardinal(_ROMAN.get(match["roman"], 1)).capitalize(),
        ),
        Rule(
            re.compile(rf"\b(?P<before>(?:{named})\s+)(?P<roman>{any_of(_ROMAN)})\b"),
            lambda match: f"{match['before']}the {ordinal(_ROMAN[match['roman']]).capitalize()}",
        ),
        Rule(
            re.compile(rf"(?<![\w/])(?P<letters>{spelled})(?P<many>s?)(?![\w/])"),
            lambda match: (
                " ".join("and" if sign == "&" else sign for sign in match["letters"] if sign.isalnum() or sign == "&")
                + ("'s" if match["many"] else "")
            ),
        ),
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
        Rule(re.compile(r"(?<![\d.,/])(\d+)/(\d+)(?![\d/])"), lambda m: f"{decimal(m[1])} slash {decimal(m[2])}"),
        Rule(re.compile(_NUMBER), _number),
        Rule(re.compile("|".join(re.escape(sign) for sign in signs)), lambda match: signs[match[0]]),
    ]


def _version(match: re.Match[str]) -> str:
    return apart(match, " point ".join(decimal(part) for part in match[0].split(".")))


def _number(match: re.Match[str]) -> str:
    text = match[0]
    is_code = len(text) > 1 and text.startswith("0") and text.isdecimal()
    return apart(match, digits(text) if is_code else decimal(match["whole"], match["fraction"] or ""))
