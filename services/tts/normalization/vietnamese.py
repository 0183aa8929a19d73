"""How Vietnamese is read aloud: rules in the order in which they are asked."""

import re
from collections.abc import Sequence

from services.tts.normalization.addresses import address_rules
from services.tts.normalization.numbers_vietnamese import cardinal, decimal, digits, ordinal
from services.tts.normalization.rule import Rule, any_of, apart, words_of
from services.tts.normalization.telephone import telephone_rules

_WORDS = words_of("vi")
_NUMBER = r"(?P<whole>\d{1,3}(?:\.\d{3})+|\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:[.,](?P<fraction>\d+))?"
_SCALE = rf"(?:\s?(?P<scale>{any_of(_WORDS['scales'])})\b)?"
_CURRENCY = any_of(_WORDS["currencies"])
_UNIT = any_of(_WORDS["units"])
_DATE_WORD = re.compile(rf"(?:{'|'.join(_WORDS['date_words'])})[\s,]*(?:ngày\s+)?(?:mùng\s+)?$", re.IGNORECASE)


def rules(_language_code: str) -> Sequence[Rule]:
    """The rules, the same for every tag of Vietnamese."""
    return (
        *address_rules(_WORDS["address_signs"], digits),
        *_dates(),
        *telephone_rules(digits, plus="cộng"),
        *_times(),
        *_money(),
        *_quantities(),
        *_abbreviations(),
        *_plain_numbers(),
    )


def _dates() -> list[Rule]:
    figures = r"(?<![\d/.-])(?P<day>[0-3]?\d)(?P<mark>[/-])(?P<month>[01]?\d)"
    return [
        Rule(re.compile(rf"{figures}(?P=mark)(?P<year>[12]\d{{3}})\b(?![/-])"), _date),
        Rule(re.compile(r"(?<!\d)(?P<year>[12]\d{3})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)"), _date),
        Rule(re.compile(rf"{figures.replace('[/-]', '/')}(?![\d/])"), _date_if_announced),
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
        Rule(re.compile(rf"(?P<currency>[$€₫])\s?{_NUMBER}{_SCALE}"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}{_SCALE}\s?(?P<currency>{_CURRENCY})(?!\w)"), _sum),
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}\s?(?P<scale>{any_of(_WORDS['scales'])})(?!\w)"), _scaled),
    ]


def _scaled(match: re.Match[str]) -> str:
    words = decimal(match["whole"], match["fraction"] or "")
    return f"{words} {_WORDS['scales'][match['scale']]}" if match["scale"] else words


def _sum(match: re.Match[str]) -> str:
    return f"{_scaled(match)} {_WORDS['currencies'][match['currency']]}"


def _quantities() -> list[Rule]:
    numbered: dict[str, str] = _WORDS["numbered"]
    return [
        Rule(re.compile(rf"(?<![\w.,]){_NUMBER}(?P<gap>\s?)(?P<unit>{_UNIT})(?!\w)"), _quantity),
        Rule(re.compile(rf"(?<!\w)(?P<word>{any_of(numbered)})\s?(?=\d)"), lambda m: f"{numbered[m['word']]} "),
        Rule(re.compile(r"(?<=[\dhg])\s?[-–—]\s?(?=\d)"), lambda _: " đến "),
        Rule(re.compile(r"(?<![\w)])[-−](?=\d)"), lambda _: "âm "),
    ]


def _quantity(match: re.Match[str]) -> str | None:
    unit = match["unit"]
    if len(unit) == 1 and unit.isalpha() and match["gap"]:
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
        Rule(re.compile(r"(?<![\d.,/])(\d+)/(\d+)(?![\d/])"), lambda m: f"{decimal(m[1])} phần {decimal(m[2])}"),
        Rule(re.compile(_NUMBER), _number),
        Rule(re.compile("|".join(re.escape(sign) for sign in signs)), lambda match: signs[match[0]]),
    ]


def _number(match: re.Match[str]) -> str:
    text = match[0]
    is_code = len(text) > 1 and text.startswith("0") and text.isdecimal()
    return apart(match, digits(text) if is_code else decimal(match["whole"], match["fraction"] or ""))
