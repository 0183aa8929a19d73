"""Times, dates, sums and addresses that are known to be such, whatever stands around them. Sans-IO.

What is found is written as the language writes it where nothing else can be meant, which its `say_as.toml` says, and is
read by the rules of the language. A text that has no figures of the kind is left to the rules.
"""

import re
from collections.abc import Iterator
from typing import Any

from services.language.data import folder_of, languages, primary, read
from services.language.reading.normalizer import Normalizer
from services.language.reading.numbers import Numbers
from services.language.reading.numbers_vietnamese import VietnameseNumbers
from services.language.reading.reading_words import words_of
from services.language.reading.spoken import Rewrite, needs_space

FILE = "say_as"
_CLASSES: dict[str, type[VietnameseNumbers]] = {"vi": VietnameseNumbers}

_CLOCK = re.compile(
    r"(?<![0-9A-Za-z:.,])(?P<hour>[01]?\d|2[0-4])(?:[:.h](?P<minute>[0-5]\d)(?:[:.](?P<second>[0-5]\d))?|(?P<close>[0-5]\d))"
    r"(?![\d:]|[.,]\d)"
)
_HALF = re.compile(r"\s?[ap]\.?m\b\.?", re.IGNORECASE)  # of the day, behind the figures: 7.30pm
_ISO_DATE = re.compile(r"(?<!\d)(?P<year>[12]\d{3})(?P<mark>[-/.]?)(?P<month>\d{2})(?P=mark)(?P<day>\d{2})(?!\d)")
_DATE = re.compile(
    r"(?<![\d/.-])(?P<first>\d{1,2})\s?(?P<mark>[/.-])\s?(?P<second>\d{1,2})(?:\s?(?P=mark)\s?(?P<year>\d{4}|\d{2}))?(?![\d/-])"
)
_SUM = re.compile(r"(?<![0-9A-Za-z.,])\d+(?:[.,\u00a0\u202f' ]\d{3})*(?:[.,]\d{1,2})?(?![0-9A-Za-z]|[.,]\d)")
_HOUSE = re.compile(
    r"(?<![0-9A-Za-z/,-])(?<!\d\.)\d{1,5}[A-Za-z]?(?:\s?[/\u2044]\s?\d{1,5}[A-Za-z]?)+(?![0-9A-Za-z/\u2044])"
)
_HOUSE_NUMBER = re.compile(r"(?<![0-9A-Za-z/.,#-])(?P<first>\d{1,2})(?P<last>\d{2})(?P<part>[A-Za-z]?)(?=\s|,|$)")
_POSTCODE = re.compile(r"(?<![0-9A-Za-z/.,-])\d{5,6}(?:-\d{4})?(?![0-9A-Za-z/]|[.,]\d)")
_PAIR = re.compile(r"(?P<first>[1-9]\d?)(?P<last>(?!00)\d{2})")
_PART = re.compile(r"(\d+)([A-Za-z]?)")
_CENTURY = 100
_PIVOT = 70  # two figures from here on are years of the last century


def time_rewrites(text: str, language_code: str, normalizer: Normalizer) -> Iterator[Rewrite]:
    """Times of day in figures: "1030", "10.30", "7h05"."""
    for match in _CLOCK.finditer(text):
        minute = match["minute"] or match["close"]
        if match["close"] and len(match[0]) < 3:
            continue
        written = f"{int(match['hour'])}:{minute}" + (f":{match['second']}" if match["second"] else "")
        half = _HALF.match(text, match.end())
        end = half.end() if half else match.end()
        said = normalizer.speak(written + text[match.end() : end], language_code).text.strip()
        if text[end:].strip():
            said = said.rstrip(".")  # of p.m.: it ends no sentence here
        if said and not said[-1].isascii() and text.startswith(said[-1], end) and not needs_space(said[-1]):
            end += 1  # the sign for minutes that the reading ends with stands there already
        yield Rewrite(match.start(), end, said + (" " if needs_space(text[end : end + 1]) else ""))


def date_rewrites(text: str, language_code: str, normalizer: Normalizer) -> Iterator[Rewrite]:
    """Dates in figures, with a year or without. What cannot be a date is left alone."""
    for match in (*_ISO_DATE.finditer(text), *_DATE.finditer(text)):
        parts = match.groupdict()
        if "first" in parts:
            day, month = int(parts["first"]), int(parts["second"])
            if _is_month_first(language_code):
                day, month = month, day
            if month > 12 >= day:
                day, month = month, day  # written as elsewhere
        else:
            day, month = int(parts["day"]), int(parts["month"])
        if not (1 <= day <= 31 and 1 <= month <= 12):
            continue
        written = _written(day, month, _year(parts["year"]), language_code)
        if written:
            yield _read(match, written, language_code, normalizer)


def sum_rewrites(text: str, language_code: str, normalizer: Normalizer) -> Iterator[Rewrite]:
    """Sums without a currency, which are one number however long they are. Those with one are the rules' own."""
    language = primary(language_code)
    words = words_of(language)
    signs = [sign for sign in words["currencies"] if sign.strip()]
    numbers = _CLASSES[language](words) if language in _CLASSES else Numbers(language, words)
    for match in _SUM.finditer(text):
        before, behind = text[: match.start()].rstrip(), text[match.end() :].lstrip()
        if any(before.endswith(sign) or behind.startswith(sign) for sign in signs):
            continue
        whole, fraction = _parts(match[0])
        if len(whole) <= numbers.most_digits:
            yield Rewrite(match.start(), match.end(), numbers.decimal(whole, fraction))


def address_rewrites(text: str, language_code: str, normalizer: Normalizer) -> Iterator[Rewrite]:
    """House numbers with a slash, which are no fractions; house numbers in twos, with a slash too; postcodes digit
    by digit.
    """
    language = primary(language_code)
    words = words_of(language)
    about = _table(language)
    numbers = _CLASSES[language](words) if language in _CLASSES else Numbers(language, words)

    def in_twos(first: str, last: str) -> str:
        said = numbers.whole(last) if last[0] != "0" else _zero(last, about, numbers)
        return f"{numbers.whole(first)} {said}"

    def part(written: re.Match[str]) -> str:
        pair = _PAIR.fullmatch(written[1]) if about.get("house_pairs") else None
        said = in_twos(pair["first"], pair["last"]) if pair else numbers.whole(written[1])
        return f"{said} {written[2].upper()}".strip()

    slash = about.get("house_slash", words["address_signs"].get("/", ""))
    for match in _HOUSE.finditer(text):
        yield Rewrite(match.start(), match.end(), f" {slash} ".join(part(one) for one in _PART.finditer(match[0])))
    for match in _POSTCODE.finditer(text):
        yield Rewrite(match.start(), match.end(), ", ".join(map(numbers.digits, match[0].split("-"))))
    if about.get("house_pairs"):
        for match in _HOUSE_NUMBER.finditer(text):
            if not match["first"].startswith("0") and match["last"] != "00":
                said = f"{in_twos(match['first'], match['last'])} {match['part'].upper()}".rstrip()
                yield Rewrite(match.start(), match.end(), said)


def _zero(digits: str, about: dict[str, Any], numbers: Numbers) -> str:
    return f"{about.get('house_zero', numbers.digits('0'))} {numbers.digits(digits[1])}"


def _read(match: re.Match[str], written: str, language_code: str, normalizer: Normalizer) -> Rewrite:
    return Rewrite(match.start(), match.end(), normalizer.speak(written, language_code).text.strip())


def _written(day: int, month: int, year: int, language_code: str) -> str:
    """A date as the language's rules know it; empty where they know none without a year."""
    if year:
        return f"{year:04}-{month:02}-{day:02}"
    language = primary(language_code)
    template = str(_table(language).get("day_and_month", ""))
    months = words_of(language).get("months", ())
    name = months[month - 1] if isinstance(months, list) and len(months) >= month else ""
    return template.format(day=day, month=month, name=name) if template else ""


def _year(written: str | None) -> int:
    """0: none."""
    if not written:
        return 0
    year = int(written)
    if len(written) > 2:
        return year
    return year + (19 if year >= _PIVOT else 20) * _CENTURY


def _is_month_first(language_code: str) -> bool:
    said = _table(primary(language_code)).get("month_first", False)
    return language_code.lower() in said if isinstance(said, list) else bool(said)


def _parts(written: str) -> tuple[str, str]:
    """The whole and the fraction: one or two figures behind the last sign are a fraction, three are thousands."""
    found = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", written)
    whole, fraction = (found[1], found[2] or "") if found else (written, "")
    return "".join(filter(str.isdigit, whole)), fraction


def _table(language: str) -> dict[str, Any]:
    if language in languages() and (folder_of(language) / f"{FILE}.toml").is_file():
        return dict(read(language, FILE))
    return {}
