"""How Vietnamese is read aloud: rules in the order in which they are asked."""

import re
from collections.abc import Sequence

from services.language.reading.addresses import address_rules
from services.language.reading.numbers_vietnamese import cardinal, decimal, digits, ordinal
from services.language.reading.rule import Rule, any_of, apart, key_rules, words_of
from services.language.reading.telephone import telephone_rules

_WORDS = words_of("vi")
_NUMBER = r"(?P<whole>\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3}){2,}(?!\d)|\d+)(?:[.,](?P<fraction>\d+))?"
_AMOUNT = r"(?P<whole>\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:[.,](?P<fraction>\d+))?"
_SCALE = rf"(?:\s?(?P<scale>{any_of(_WORDS['scales'])})\b)?"
_CURRENCY = any_of(_WORDS["currencies"])
_UNIT = any_of(_WORDS["units"])
_STREET = any_of(_WORDS["street_words"])
_HOUSE = any_of(_WORDS["house_words"])
_DATE_WORD = re.compile(rf"(?:{'|'.join(_WORDS['date_words'])})[\s,]*(?:ngày\s+)?(?:mùng\s+)?$", re.IGNORECASE)


def rules(_language_code: str) -> Sequence[Rule]:
    """The rules, the same for every tag of Vietnamese."""
    return (
        *address_rules(_WORDS["address_signs"], digits),
        *_dates(),
        *telephone_rules(digits, plus="cộng"),
        *_codes(),
        *_times(),
        *_money(),
        *_quantities(),
        *_abbreviations(),
        *_plain_numbers(),
    )


def _dates() -> list[Rule]:
    figures = r"(?<![\d/.-])(?P<day>[0-3]?\d)(?P<mark>[/-])(?P<month>[01]?\d)"
    plain = r"(?P<day>[0-3]?\d)/(?P<month>[01]?\d)(?![\d/])"
    return [
        Rule(re.compile(rf"(?P<before>\b(?:{_STREET})\s+){plain}", re.IGNORECASE), _street),
        Rule(re.compile(rf"(?P<before>\b(?:{_HOUSE})\s+)(?P<parts>\d+[A-Z]?(?:/\d+[A-Z]?)+)", re.IGNORECASE), _house),
        Rule(re.compile(rf"(?<![\d/.-])(?P<first>[0-3]?\d)\s?[-–]\s?{plain}"), _days),
        Rule(re.compile(rf"(?<![\d/.-])(?P<first>[0-3]?\d/[01]?\d)\s?[-–]\s?{plain}"), _dates_apart),
        Rule(re.compile(r"(?<![\d/.-])(?P<month>0?[1-9]|1[0-2])/(?P<year>[12]\d{3})(?![\d/])"), _month_of_year),
        Rule(re.compile(rf"{figures}(?P=mark)(?P<year>[12]\d{{3}})\b(?![/-])"), _date),
        Rule(re.compile(r"(?<!\d)(?P<year>[12]\d{3})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)"), _date),
        Rule(re.compile(rf"{figures.replace('[/-]', '/')}(?![\d/])"), _date_if_announced),
        Rule(re.compile(r"(?<![\w/])24/7(?![\w/])"), lambda _: f"{cardinal(24)} trên {cardinal(7)}"),
        Rule(re.compile(r"\bT([2-7])\s?[-–]\s?(?:T([2-7])|CN)\b"), _weekdays),
        Rule(re.compile(r"\bT([2-7])\b(?!\.)"), lambda match: f"thứ {ordinal(int(match[1]))}"),
        Rule(re.compile(r"(?<=\b[Tt]hứ )(\d)(?!\d)|(?<=\b[Tt]háng )(\d{1,2})(?!\d)"), lambda m: ordinal(int(m[0]))),
    ]


def _date(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    day, month = int(parts["day"]), int(parts["month"])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    before = match.string[: match.start()].rstrip().lower()
    words = cardinal(day) if before.endswith(("ngày", "mùng", "mồng")) else f"ngày {cardinal(day)}"
    words += f" tháng {ordinal(month)}"
    return f"{words} năm {cardinal(int(parts['year']))}" if parts.get("year") else words


def _street(match: re.Match[str]) -> str | None:
    """A street named after a day: "đường ba tháng hai"."""
    words = _date(match)
    return words and match["before"] + words.removeprefix("ngày ")


def _house(match: re.Match[str]) -> str:
    parts = (re.fullmatch(r"(\d+)([A-Za-z]?)", part) for part in match["parts"].split("/"))
    words = " trên ".join(f"{decimal(part[1])} {part[2].upper()}".strip() for part in parts if part)
    return match["before"] + words


def _days(match: re.Match[str]) -> str | None:
    last, first = _date(match), int(match["first"])
    if last is None or not 1 <= first < int(match["day"]):
        return None
    is_said = match.string[: match.start()].rstrip().lower().endswith(("ngày", "mùng", "mồng"))
    return f"{'' if is_said else 'ngày '}{cardinal(first)} đến ngày {last.removeprefix('ngày ')}"


def _dates_apart(match: re.Match[str]) -> str | None:
    day, month = map(int, match["first"].split("/"))
    last = _date(match)
    if last is None or not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    is_said = match.string[: match.start()].rstrip().lower().endswith(("ngày", "mùng", "mồng"))
    return f"{'' if is_said else 'ngày '}{cardinal(day)} tháng {ordinal(month)} đến ngày {last.removeprefix('ngày ')}"


def _month_of_year(match: re.Match[str]) -> str:
    is_said = match.string[: match.start()].rstrip().lower().endswith("tháng")
    return f"{'' if is_said else 'tháng '}{ordinal(int(match['month']))} năm {cardinal(int(match['year']))}"


def _weekdays(match: re.Match[str]) -> str:
    last = f"thứ {ordinal(int(match[2]))}" if match[2] else "chủ nhật"
    return f"thứ {ordinal(int(match[1]))} đến {last}"


def _codes() -> list[Rule]:
    """Numbers that name a thing are said digit by digit, letters beside them by their names."""
    nouns = any_of(_WORDS["code_words"])
    return [
        Rule(
            re.compile(
                rf"\b(?P<before>(?:{nouns})(?:\s+(?:số|là|của (?:anh|chị|em|bạn) là))?[\s:#]+)"
                r"(?P<code>\d{3,}|(?=[\w-]*\d)[A-Z\d]+(?:-[A-Z\d]+)*)(?![\w/%]|[.,:]\d)",
                re.IGNORECASE,
            ),
            lambda match: match["before"].replace("#", "số ") + _characters(match["code"]),
        ),
        Rule(re.compile(r"(?<![\w-])(?P<code>[A-Z]{1,4}-?\d{3,}[A-Z]?)(?![\w-])"), lambda m: _characters(m["code"])),
        Rule(re.compile(r"#\s?(?P<code>[A-Z\d-]{2,})(?!\w)"), lambda m: f"số {_characters(m['code'])}"),
    ]


def _characters(code: str) -> str:
    """Digits by themselves, letters by their names, groups parted by commas."""
    parts = re.findall(r"\d+|[^\W\d_]+", code)
    return ", ".join(digits(part) if part[0].isdecimal() else " ".join(part.upper()) for part in parts)


def _date_if_announced(match: re.Match[str]) -> str | None:
    return _date(match) if _DATE_WORD.search(match.string[: match.start()]) else None


def _times() -> list[Rule]:
    hour = r"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4])"
    minute = r"(?P<minute>[0-5]\d)(?:\s?(?:phút|p|ph)\b)?"
    return [
        Rule(re.compile(rf"{hour}(?::|\s?[hg](?:iờ)?\s?){minute}(?![\d:])"), _time),
        Rule(re.compile(rf"{hour}\s?[hg](?!\w)"), _time),
    ]


def _time(match: re.Match[str]) -> str:
    parts = match.groupdict()
    words = f"{cardinal(int(parts['hour']))} giờ"
    minute = int(parts.get("minute") or 0)
    return f"{words} {cardinal(minute)}{' phút' if minute < 10 or 'ph' in match[0] else ''}" if minute else words


def _money() -> list[Rule]:
    return [
        Rule(re.compile(r"(?<![\w.,])(?P<whole>\d+)(?P<scale>tr|triệu|tỷ|tỉ)(?P<rest>\d{1,3})(?!\d)"), _short_sum),
        Rule(
            re.compile(rf"(?<=[đ₫kKg])/(?P<unit>{any_of(_WORDS['sold_by'])})(?!\w)"),
            lambda match: f" một {_WORDS['units'].get(match['unit'], match['unit'])}",
        ),
        Rule(re.compile(rf"(?P<currency>[$€₫])\s?{_AMOUNT}{_SCALE}"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_AMOUNT}{_SCALE}\s?(?P<currency>{_CURRENCY})(?!\w)"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}\s?(?P<scale>{any_of(_WORDS['scales'])})(?!\w)"), _scaled),
    ]


def _short_sum(match: re.Match[str]) -> str:
    """Spoken shorthand: "1tr5" is 1.5 million, "2tỷ3" 2.3 billion."""
    below = "nghìn" if match["scale"] in ("tr", "triệu") else "triệu"
    rest = int(match["rest"].ljust(3, "0"))
    return f"{decimal(match['whole'])} {_WORDS['scales'][match['scale']]} {cardinal(rest)} {below}"


def _scaled(match: re.Match[str]) -> str:
    words = decimal(match["whole"], match["fraction"] or "")
    return f"{words} {_WORDS['scales'][match['scale']]}" if match["scale"] else words


def _sum(match: re.Match[str]) -> str:
    return f"{_scaled(match)} {_WORDS['currencies'][match['currency']]}"


def _quantities() -> list[Rule]:
    numbered: dict[str, str] = _WORDS["numbered"]
    return [
        Rule(
            re.compile(r"(?<![\w.,])(?P<whole>\d)m(?P<rest>\d{1,2})(?!\w)"),
            lambda match: f"{cardinal(int(match['whole']))} mét {cardinal(int(match['rest']))}",
        ),
        Rule(re.compile(r"(?<![\w.,])(\d{1,3})['’′](?!\w)"), lambda match: f"{cardinal(int(match[1]))} phút"),
        *key_rules(_WORDS["keys"]),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}(?P<gap>\s?)(?P<unit>{_UNIT})(?!\w)"), _quantity),
        Rule(re.compile(rf"(?<!\w)(?P<word>{any_of(numbered)})\s?(?=\d)"), lambda m: f"{numbered[m['word']]} "),
        Rule(re.compile(r"(?<=[\dhg])\s?[-–—]\s?(?=\d)"), lambda _: " đến "),
        Rule(re.compile(r"(?<![\w)])[-−](?=\d)"), lambda _: "âm "),
    ]


def _quantity(match: re.Match[str]) -> str | None:
    unit = match["unit"]
    if len(unit) == 1 and unit.isalpha() and match["gap"] and not match["fraction"]:
        return None  # "5 m" may be anything
    return f"{decimal(match['whole'], match['fraction'] or '')} {_WORDS['units'][unit]}"


def _abbreviations() -> list[Rule]:
    known: dict[str, str] = _WORDS["abbreviations"]

    def whole(match: re.Match[str]) -> str:
        is_last = match[0].endswith(".") and not match.string[match.end() :].strip()
        return f"{known[match[0]]}." if is_last else apart(match, known[match[0]])

    return [Rule(re.compile(rf"(?<!\w)(?:{any_of(known)})(?:(?<=\.)|(?!\w))"), whole)]


def _plain_numbers() -> list[Rule]:
    signs: dict[str, str] = _WORDS["signs"]
    return [
        Rule(re.compile(r"(?<![\d.,/])(\d+)/(\d+)(?![\d/])"), lambda m: _fraction(m[1], m[2])),
        Rule(
            re.compile(r"(?<![\d.])(?!\d{1,3}(?:\.\d{3})+(?:,|(?!\.?\d)))\d+(?:\.\d+){2,}(?![\d.]*\d)"),
            lambda match: " chấm ".join(decimal(part) for part in match[0].split(".")),
        ),
        Rule(re.compile(_NUMBER), _number),
        Rule(re.compile("|".join(re.escape(sign) for sign in signs)), lambda match: signs[match[0]]),
    ]


def _fraction(upper: str, lower: str) -> str:
    """A small fraction as one, "hai phần ba"; anything else with the sign between."""
    is_fraction = int(upper) < int(lower) <= 10
    return f"{decimal(upper)} {'phần' if is_fraction else 'trên'} {decimal(lower)}"


def _number(match: re.Match[str]) -> str:
    text = match[0]
    is_code = len(text) > 1 and text.startswith("0") and text.isdecimal()
    return apart(match, digits(text) if is_code else decimal(match["whole"], match["fraction"] or ""))
