"""The rules by which English dates and years are read aloud."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers
from services.language.reading.patterns import DASHES, any_of, full_year, shape_of
from services.language.reading.rule import DIGIT, AnyCase, Rule, matches, with_lost_dot

_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?\b"
_YEAR = r"(?P<year>[12]\d{3})\b"
_RECENT = r"(?:19|20)\d\d"
_DASH = r"\s?[-–—]\s?"
_NEXT_WORD = re.compile(r"\s([^\W\d_]++)\b")
_LONGEST_SPAN = 20  # years whose second is written with two digits
_LONGEST_BEFORE = 40  # code points in which a date is announced


_ISO_DATE = re.compile(r"\b(?P<year>[12]\d{3})(?P<mark>[-/])(?P<month>\d{2})(?P=mark)(?P<day>\d{2})\b")
_DECADE = re.compile(r"(?<![\w.,])(?P<year>[12]\d\d0)'?s\b")
_SHORT_DECADE = re.compile(r"(?<!\w)['’](?P<tens>[2-9]0)s\b")
_SHORT_YEAR = re.compile(r"(?<!\w)['’](?P<year>\d\d)(?![\w'’])")
_QUARTERS = re.compile(rf"(?<=\bQ[1-4]){_DASH}(?=Q[1-4]\b)")
_QUARTER_OF_YEAR = re.compile(rf"\bQ(?P<quarter>[1-4])(?:\s+(?P<year>{_RECENT})|\s?['’](?P<short>\d\d))?\b")
_YEARS = re.compile(rf"(?<![\w./$£-])(?<!€)(?P<year>{_RECENT})\s?[-–—]\s?(?P<last>{_RECENT})(?![\w/%-]|[.,]\d)")
_SHORT_YEARS = re.compile(rf"(?<![\w./,$£-])(?<!€)(?P<year>{_RECENT})(?:/|{_DASH})(?P<last>\d\d)(?![\w/%-]|[.,:]\d)")


class EnglishDates:
    """Rules for dates. In figures the month comes first in the United States only."""

    def __init__(self, words: Mapping[str, Any], numbers: Numbers, *, is_month_first: bool) -> None:
        self._numbers = numbers
        self._months: list[str] = words["months"]
        self._month_numbers = {
            name[:length]: number for number, name in enumerate(self._months, 1) for length in (3, len(name))
        } | words["short_months"]
        self._month = rf"(?P<month>{shape_of(self._month_numbers)})\b\.?"
        self._dates_before = (
            re.compile(rf"\b{self._month}\s+{_DAY}(?:,?\s+{_YEAR})?$"),
            re.compile(rf"\b{_DAY}\s+{self._month}(?:,?\s+{_YEAR})?$"),
        )
        self._named_month = {"month": self._month_numbers}
        self._to: str = words["range"]
        self._plural_ending: str = words["plurals"][""]
        self._centuries: Mapping[str, str] = words["plurals"]
        self._quarter: str = words["quarter"]
        self._of: str = words["of"]
        announcing = [*words["date_words"], *words["weekdays"], *words["weekdays"].values()]
        joiners = any_of([*words["list_words"], words["range"]])
        self._joiners = joiners
        self._the: str = words["the"]
        self._announcing = re.compile(
            rf"(?<!\w)(?P<word>{shape_of(announcing)})\.?(?:\s(?:{any_of(words['date_links'])}))*[\s,:]+"
            rf"(?:\d{{1,2}}/\d{{1,2}}\s?(?:[-–,]|\b(?:{joiners})\b)\s?)*$",
            re.IGNORECASE,
        )
        self._announcing_words = {"word": AnyCase(announcing)}
        self._measured = {self._of, *words["halved_things"]}
        self._decade_word = any_of(words["decade_words"])
        self._decade_things: list[str] = words["decade_things"]
        self._old_year_words: list[str] = words["old_year_words"]
        self._counted = frozenset(words["counted_things"])
        self._year_words: list[str] = words["year_words"]
        self._year_prefix = any_of(words["year_prefixes"])
        first, second = ("month", "day") if is_month_first else ("day", "month")
        self._figures = rf"(?P<{first}>\d{{1,2}})(?P<mark>[/.-])(?P<{second}>\d{{1,2}})"

    def rules(self) -> list[Rule]:
        """In the order in which they are asked."""
        plain = self._figures.replace("[/.-]", "/")
        joiners = self._joiners
        return [
            Rule(
                re.compile(
                    rf"\b{self._month}{_DASH}(?P<last>{shape_of(self._month_numbers)})\b(?!\.?\s\d{{1,2}}(?!\d))\.?(?:\s(?P<year>{_RECENT})\b)?"
                ),
                self._months_between,
                {"month": self._month_numbers, "last": self._month_numbers},
                (DASHES,),
            ),
            Rule(
                re.compile(rf"\b{self._month}\s+(?P<first>[0-3]?\d)\s?[-–—]\s?{_DAY}(?:,?\s+{_YEAR})?"),
                self._date,
                self._named_month,
                (DIGIT, DASHES),
            ),
            Rule(re.compile(rf"\b{self._month}\s+{_DAY}(?:,?\s+{_YEAR})?"), self._date, self._named_month, (DIGIT,)),
            Rule(
                re.compile(rf"(?<![\w/.-])(?P<first>[0-3]?\d)\s?[-–—]\s?{_DAY}\s+{self._month}(?:,?\s+{_YEAR})?"),
                self._date,
                self._named_month,
                (DIGIT, DASHES),
            ),
            Rule(
                re.compile(rf"\b{_DAY}\s+(?P<of>{self._of}\s+)?{self._month}(?:,?\s+{_YEAR})?"),
                self._date,
                self._named_month,
                (DIGIT,),
            ),
            Rule(
                re.compile(rf"\b{self._month}\s+(?P<year>{_RECENT})\b(?![-.,:/]\d)"),
                lambda match: (
                    f"{self._months[self._month_numbers[match['month']] - 1]} {self._numbers.year(int(match['year']))}"
                ),
                self._named_month,
                (DIGIT,),
            ),
            Rule(
                _ISO_DATE,
                self._date,
                needs=(DIGIT, "-/"),
            ),
            Rule(re.compile(rf"(?<![\d/.-]){self._figures}(?P=mark){_YEAR}(?![/-])"), self._date, needs=(DIGIT, "/.-")),
            Rule(re.compile(rf"(?<![\w/.-]){plain}/(?P<year>\d\d)(?![\w/-])"), self._date, needs=(DIGIT, "/")),
            Rule(re.compile(rf"(?<![\w/.]){plain}(?![\w/])"), self._if_announced, needs=(DIGIT, "/")),
            Rule(
                re.compile(rf"\b(?P<before>(?i:{self._decade_word})[\s-])(?P<tens>[1-9]0)'?s\b"),
                lambda match: match["before"] + self._in_plural(self._numbers.whole(match["tens"])),
                needs=("0", "s"),
            ),
            Rule(
                re.compile(rf"\b(?P<before>(?i:{self._year_prefix}))-(?P<year>[12]\d\d0)'?s\b"),
                lambda match: f"{match['before']} {self._plural(match['year'])}",
                needs=("0", "-", "s"),
            ),
            Rule(
                re.compile(
                    rf"(?<![\w.,])(?P<tens>[1-9]0)'?s(?P<joint>\s(?:{joiners})\s|{_DASH})(?P<the>{self._the}\s)?['’]?(?P<others>[1-9]0)'?s\b"
                ),
                self._decades,
                needs=("0", "s"),
            ),
            Rule(
                re.compile(
                    rf"(?<![\w.,$£€-])(?P<tens>[2-9]0)'?s(?=\s(?P<thing>{shape_of(self._decade_things)})(?!\w))"
                ),
                lambda match: self._in_plural(self._numbers.whole(match["tens"])),
                {"thing": AnyCase(self._decade_things)},
                ("0", "s"),
            ),
            Rule(
                re.compile(
                    rf"\b(?P<before>(?P<word>{shape_of(self._old_year_words)})\s+)(?P<year>1[5-8]\d\d)\b(?![-.,:/]\d|[%'’])"
                ),
                self._old_year,
                {"word": AnyCase(self._old_year_words)},
                (DIGIT,),
            ),
            Rule(
                _DECADE,
                lambda match: self._plural(match["year"]),
                needs=("0", "s"),
            ),
            Rule(
                _SHORT_DECADE,
                lambda match: self._in_plural(self._numbers.whole(match["tens"])),
                needs=("0", "s", "'’"),
            ),
            Rule(_SHORT_YEAR, self._short_year, needs=(DIGIT, "'’")),
            Rule(_QUARTERS, lambda _: f" {self._to} ", needs=("Q", DASHES)),
            Rule(
                re.compile(
                    rf"(?<=\w)\.?{_DASH}(?=\d{{1,2}}(?:st|nd|rd|th)?\s(?P<month>{shape_of(self._month_numbers)})\b)"
                ),
                self._between_dates,
                self._named_month,
                (DIGIT, DASHES),
            ),
            Rule(
                re.compile(
                    rf"(?:(?<=\d)|(?<=\d[nrst][dht])){_DASH}(?=(?P<month>{shape_of(self._month_numbers)})\b\.?\s\d)"
                ),
                self._between_dates,
                self._named_month,
                (DIGIT, DASHES),
            ),
            Rule(
                _QUARTER_OF_YEAR,
                self._quarter_of_year,
                needs=("Q",),
            ),
            Rule(
                re.compile(rf"\b(?P<before>(?i:{self._year_prefix}))-(?P<year>{_RECENT})\b"),
                lambda match: f"{match['before']} {self._numbers.year(int(match['year']))}",
                needs=(DIGIT, "-"),
            ),
            Rule(
                _YEARS,
                self._years,
                needs=(DIGIT, DASHES),
            ),
            Rule(
                _SHORT_YEARS,
                self._short_years,
                needs=(DIGIT, f"/{DASHES}"),
            ),
            Rule(
                re.compile(
                    rf"\b(?P<before>(?P<word>{shape_of(self._year_words)})\s+)(?P<year>{_RECENT})\b(?![-.,:/]\d|%|\s?(?:€|[£°]{{1}}))"
                ),
                self._year,
                {"word": AnyCase(self._year_words)},
                (DIGIT,),
            ),
        ]

    def _if_announced(self, match: re.Match[str]) -> str | None:
        before = match.string[max(0, match.start() - _LONGEST_BEFORE) : match.start()]
        behind = _NEXT_WORD.match(match.string, match.end())
        if behind and behind[1] in self._measured:
            return None  # "1/2 cup"
        is_announced = any(matches(self._announcing, before, self._announcing_words))
        return self._date(match) if is_announced else None

    def _year(self, match: re.Match[str]) -> str:
        return match["before"] + self._numbers.year(int(match["year"]))

    def _old_year(self, match: re.Match[str]) -> str | None:
        """A year before 1900, unless it counts what stands behind it: "in 1500 homes"."""
        behind = _NEXT_WORD.match(match.string, match.end())
        is_amount = behind is not None and (behind[1] in self._counted or behind[1].endswith(self._plural_ending))
        return None if is_amount else self._year(match)

    def _years(self, match: re.Match[str]) -> str | None:
        first, last = int(match["year"]), int(match["last"])
        return f"{self._numbers.year(first)} {self._to} {self._numbers.year(last)}" if first < last else None

    def _short_years(self, match: re.Match[str]) -> str | None:
        """The second of two years without its century: "1990-95", "2020/21"."""
        first, last = int(match["year"]), int(match["last"])
        if not first % 100 < last <= first % 100 + _LONGEST_SPAN:
            return None
        return f"{self._numbers.year(first)} {self._to} {self._numbers.whole(match['last'])}"

    def _between_dates(self, match: re.Match[str]) -> str | None:
        before = match.string[max(0, match.start() - _LONGEST_BEFORE) : match.start()]
        is_date = any(any(matches(pattern, before, self._named_month)) for pattern in self._dates_before)
        return f" {self._to} " if is_date else None

    def _months_between(self, match: re.Match[str]) -> str:
        first, last = (self._months[self._month_numbers[match[key]] - 1] for key in ("month", "last"))
        year = f" {self._numbers.year(int(match['year']))}" if match["year"] else ""
        return with_lost_dot(match, f"{first} {self._to} {last}{year}")

    def _decades(self, match: re.Match[str]) -> str | None:
        """Two that follow each other are no seconds: "70s and 80s"."""
        if int(match["tens"]) + 10 != int(match["others"]):
            return None
        first, others = (self._in_plural(self._numbers.whole(match[key])) for key in ("tens", "others"))
        joint = match["joint"] if match["joint"].strip("-–— ") else f" {self._to} "
        return f"{first}{joint}{match['the'] or ''}{others}"

    def _short_year(self, match: re.Match[str]) -> str:
        year = int(match["year"])
        return self._numbers.year(1900 + year).split(" ", 1)[1] if year else self._numbers.year(2000)

    def _quarter_of_year(self, match: re.Match[str]) -> str:
        written = match["year"] or match["short"]
        year = f" {self._of} {self._numbers.year(full_year(int(written)))}" if written else ""
        return f"{self._numbers.ordinal(int(match['quarter']))} {self._quarter}{year}"

    def _plural(self, written: str) -> str:
        return self._in_plural(self._numbers.year(int(written)))

    def _in_plural(self, words: str) -> str:
        """The plural of a year or of tens: "nineteen nineties", "two thousands"."""
        ending = next(ending for ending in self._centuries if words.endswith(ending))
        return words[: len(words) - len(ending)] + self._centuries[ending]

    def _date(self, match: re.Match[str]) -> str | None:
        parts = match.groupdict()
        month, day = self._month_numbers.get(parts["month"]) or int(parts["month"]), int(parts["day"])
        if parts.get("year") and month > 12 >= day:
            month, day = day, month  # a date of the other side of the ocean
        first = int(parts.get("first") or 0)
        if not (1 <= month <= 12 and 1 <= day <= 31) or (first and not first < day):
            return None
        words = f"{self._months[month - 1]} {self._numbers.ordinal(first or day)}"
        if first:
            words += f" {self._to} {self._numbers.ordinal(day)}"
        if parts.get("of"):
            words = f"{self._numbers.ordinal(day)} {self._of} {self._months[month - 1]}"
        if parts.get("year"):
            written = int(parts["year"])
            words += f", {self._numbers.year(full_year(written))}"
        return (parts.get("before") or "") + words
