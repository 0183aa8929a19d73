"""The rules by which Vietnamese dates, weekdays and house numbers are read aloud."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers_vietnamese import VietnameseNumbers
from services.language.reading.patterns import any_of, full_year, roman
from services.language.reading.rule import DIGIT, Rule

_WEEKDAY = re.compile("[2-7]")
_DASH = r"\s?[-–]\s?"
_NUMBER = re.compile(r"\d+")
_DAY_AND_MONTH = re.compile(r"(\d+)/(\d+)")
_PART_OF_A_HOUSE_NUMBER = re.compile(r"(\d+)([A-Za-z]?)")


class VietnameseDates:
    """Rules for a day and its month, and for the house numbers that look like them."""

    def __init__(self, words: Mapping[str, Any], numbers: VietnameseNumbers) -> None:
        self._numbers = numbers
        self._streets, self._houses, said = (any_of(words[key]) for key in ("street_words", "house_words", "day_words"))
        self._day, self._weekday, self._month, self._quarter, self._year, self._to, self._over, self._sunday = (
            str(words[key]) for key in ("day", "weekday", "month", "quarter", "year", "range", "over", "sunday")
        )
        self._day_word = said
        self._said = re.compile(rf"(?<!\w)(?:{said})\s*$", re.IGNORECASE)
        announcing, links = any_of(words["date_words"]), any_of(words["date_links"])
        self._joined = any_of(words["list_words"])
        self._announcing = re.compile(
            rf"(?<!\w)(?:{announcing}|{self._weekday}\s?[2-7])(?:\s(?:{links}))*[\s,:]*(?:(?:{said})\s+)?$",
            re.IGNORECASE,
        )
        pair = r"\d{1,2}/\d{1,2}"
        joint = rf"\s?(?:,\s?|&\s?|\b(?:{self._joined}|{self._to})\s)"
        self._told = re.compile(rf"\s(?:{any_of(words['date_words_behind'])})(?!\w)", re.IGNORECASE)
        days = [word for word in words["date_words"] if word == self._sunday or word.startswith(f"{self._weekday} ")]
        self._named_day = any_of(days)
        self._pairs_behind = re.compile(rf"(?:{joint}{pair}(?![\d/])){{1,4}}")
        self._pairs_before = re.compile(rf"(?<![\d/.-])(?:{pair}{joint}){{1,4}}$")
        self._range_before = re.compile(rf"(?<![\d/.-])(?P<upper>\d{{1,2}})/(?P<lower>\d{{1,2}})\s(?:{self._to})\s$")
        self._counted = any_of([*words["counted_things"], *words["hour_signs"]])
        self._longest_before = 2 * max(map(len, words["date_words"]))

    def rules(self) -> list[Rule]:
        """In the order in which they are asked."""
        figures = r"(?<![\d/.-])(?P<day>[0-3]?\d)(?P<mark>[/.-])(?P<month>[01]?\d)"
        plain = r"(?P<day>[0-3]?\d)/(?P<month>[01]?\d)(?![\d/])"
        counted = self._counted
        weekday = rf"(?<!\w)(?P<word>(?i:{self._weekday}))\s?(?P<first>[2-7])"
        return [
            Rule(re.compile(rf"(?P<before>(?<!\w)(?i:{self._streets})\s+){plain}"), self._street, needs=(DIGIT, "/")),
            Rule(
                re.compile(rf"(?P<before>(?<!\w)(?i:{self._houses})\s+)(?P<parts>\d+[A-Z]?(?:/\d+[A-Z]?)+)"),
                self._house,
                needs=(DIGIT, "/"),
            ),
            Rule(re.compile(rf"(?<![\d/.-])(?P<first>[0-3]?\d){_DASH}{plain}"), self._days, needs=(DIGIT, "/", "-–")),
            Rule(
                re.compile(
                    rf"(?P<before>(?<!\w)(?i:{self._day_word})\s(?:[0-3]?\d(?:,\s?|\s(?:{self._joined})\s)){{1,9}})"
                    rf"(?:(?i:{self._day_word})\s)?{plain}"
                ),
                self._list_of_days,
                needs=(DIGIT, "/"),
            ),
            Rule(
                re.compile(rf"(?<![\d/.-])(?P<first>[0-3]?\d/[01]?\d){_DASH}{plain}"),
                self._dates,
                needs=(DIGIT, "/", "-–"),
            ),
            Rule(
                re.compile(
                    rf"(?<!\w)(?:(?i:{self._quarter})|Q)\s?(?P<quarter>[1-4]|I{{1,3}}|IV)(?:/(?P<year>[12]\d{{3}}))?(?![\w/])"
                ),
                self._quarter_of_year,
                needs=(DIGIT,),
            ),
            Rule(
                re.compile(r"(?<![\w/.-])(?P<month>0?[1-9]|1[0-2])/(?P<year>[12]\d{3})(?![\d/])"), self._month_of_year
            ),
            Rule(re.compile(rf"{figures}(?P=mark)(?P<year>[12]\d{{3}})\b(?![/-])"), self._date, needs=(DIGIT, "/.-")),
            Rule(
                re.compile(r"(?<!\d)(?P<year>[12]\d{3})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)"),
                self._date,
                needs=(DIGIT, "/.-"),
            ),
            Rule(
                re.compile(rf"{figures.replace('[/.-]', '/')}/(?P<year>\d\d)(?![\d/])"),
                self._if_announced,
                needs=(DIGIT, "/"),
            ),
            Rule(re.compile(rf"{figures.replace('[/.-]', '/')}(?![\d/])"), self._if_announced, needs=(DIGIT, "/")),
            Rule(
                re.compile(r"(?<![\w/.,-])(?P<day>[0-3]?\d)-(?P<month>0?[1-9]|1[0-2])(?![\w/%°-]|[.,:]\d)"),
                self._dashed,
                needs=(DIGIT, "-"),
            ),
            Rule(
                re.compile(rf"(?<!\w)(?P<first>(?i:{self._named_day})){_DASH}(?=(?i:{self._named_day})(?!\w))"),
                self._days_between,
                needs=("-–",),
            ),
            Rule(
                re.compile(r"(?<![\w/.-])(?P<parts>\d+[A-Z]?(?:/\d+[A-Z]?){2,})(?![\w/])"),
                self._house,
                needs=(DIGIT, "/"),
            ),
            Rule(
                re.compile(r"(?<![\w/.-])T(?P<month>0?[1-9]|1[0-2])/(?P<year>[12]\d{3})(?![\d/])"), self._month_of_year
            ),
            Rule(
                re.compile(rf"(?<!\w)T(?P<first>[2-7]){_DASH}(?:T(?P<last>[2-7])|CN)(?!\w)"),
                self._weekdays,
                needs=(DIGIT, "-–"),
            ),
            Rule(
                re.compile(rf"{weekday}{_DASH}(?:(?i:{self._weekday})\s?)?(?P<last>[2-7])(?!\w)"),
                self._weekdays,
                needs=(DIGIT, "-–"),
            ),
            Rule(re.compile(rf"{weekday}{_DASH}(?i:{self._sunday}|CN)(?!\w)"), self._weekdays, needs=(DIGIT, "-–")),
            Rule(
                re.compile(
                    rf"{weekday}(?P<others>(?:(?:\s?,\s?|\s(?i:{self._joined})\s)[2-7])+)(?!\d|[.,:/]\d|\s?[^\W\d]*[hg'%]|\s(?:{counted})(?!\w))"
                ),
                self._list_of_weekdays,
                needs=(DIGIT,),
            ),
            Rule(
                re.compile(r"(?<!\w)T(?:[2-9]|1[0-2]?)(?:\s?/\s?(?:T(?:[2-9]|1[0-2]?)|CN)){1,6}(?!\w|/)"),
                self._weekdays_apart,
                needs=("T", "/"),
            ),
            Rule(
                re.compile(r"(?<!\w)T(\d)(?![\w]|\.\d)|(?<!\w)T(1[0-2])(?!\w)"),
                self._weekday_or_month,
                needs=(DIGIT, "T"),
            ),
            Rule(
                re.compile(
                    rf"(?P<before>(?<!\w)(?i:{self._weekday}|{self._month}|{self._quarter})\s)(?P<number>\d{{1,2}})(?!\d|[/-]\d)"
                ),
                lambda match: match["before"] + self._numbers.ordinal(int(match["number"])),
                needs=(DIGIT,),
            ),
            Rule(
                re.compile(r"(?<![\w./-])(?P<year>(?:19|20)\d\d)\s?[-–]\s?(?P<last>(?:19|20)\d\d)(?![\w/%-]|[.,]\d)"),
                self._years,
                needs=(DIGIT, "-–"),
            ),
        ]

    def _is_said(self, match: re.Match[str]) -> bool:
        """A word for a day stands before it already."""
        return self._said.search(match.string[max(0, match.start() - self._longest_before) : match.start()]) is not None

    def _day_and_month(self, day: int, month: int) -> str:
        return f"{self._numbers.cardinal(day)} {self._month} {self._numbers.ordinal(month)}"

    def _date(self, match: re.Match[str]) -> str | None:
        parts = match.groupdict()
        day, month = int(parts["day"]), int(parts["month"])
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return None
        words = self._day_and_month(day, month)
        if not self._is_said(match):
            words = f"{self._day} {words}"
        if not parts.get("year"):
            return words
        year = int(parts["year"])
        return f"{words} {self._year} {self._numbers.cardinal(full_year(year))}"

    def _if_announced(self, match: re.Match[str]) -> str | None:
        before = match.string[max(0, match.start() - self._longest_before) : match.start()]
        is_date = (
            self._announcing.search(before)
            or self._told.match(match.string, match.end())
            or self._is_beside_a_date(match)
        )
        is_date = is_date and not self._is_of_fractions(match, before)
        return self._date(match) if is_date or _in_two_digits(match) else None

    def _is_of_fractions(self, match: re.Match[str], before: str) -> bool:
        """The last of two fractions, and nothing but "to" announces it: "1/3 đến 1/2 số ghế"."""
        first = self._range_before.search(before)
        if first is None or match.groupdict().get("year") or self._announcing.search(before[: first.start()]):
            return False
        pairs = ((int(first["upper"]), int(first["lower"])), (int(match["day"]), int(match["month"])))
        return all(0 < upper < lower <= 10 for upper, lower in pairs)

    def _dashed(self, match: re.Match[str]) -> str | None:
        """A day and its month with a dash, where the numbers fall and are no range: "ngày 8-3"."""
        return self._if_announced(match) if int(match["day"]) > int(match["month"]) else None

    def _days_between(self, match: re.Match[str]) -> str:
        return f"{match['first']} {self._to} "

    def _is_beside_a_date(self, match: re.Match[str]) -> bool:
        """Joined with a date that is announced or can be no fraction: "30/4 và 1/5", but not "1/2 và 1/3"."""
        if match.groupdict().get("year"):
            return False
        text = match.string
        before = text[max(0, match.start() - 2 * self._longest_before) : match.start()]
        others = self._pairs_before.search(before)
        if others and self._announcing.search(before[: others.start()]):
            return True
        behind = self._pairs_behind.match(text, match.end())
        joined = f"{others[0] if others else ''}{match[0]}{behind[0] if behind else ''}"
        dates = [(int(day), int(month)) for day, month in _DAY_AND_MONTH.findall(joined)]
        are_dates = all(1 <= day <= 31 and 1 <= month <= 12 for day, month in dates)
        return len(dates) > 1 and are_dates and any(day >= month for day, month in dates)

    def _list_of_days(self, match: re.Match[str]) -> str | None:
        """The days of one month: "ngày 5, 6, 7/9"."""
        last = self._date(match)
        if last is None:
            return None
        before = _NUMBER.sub(lambda number: self._numbers.cardinal(int(number[0])), match["before"])
        return before + (last if last.startswith(f"{self._day} ") else f"{self._day} {last}")

    def _street(self, match: re.Match[str]) -> str | None:
        """A street named after a day: "đường ba tháng hai"."""
        words = self._date(match)
        return words and match["before"] + words.removeprefix(f"{self._day} ")

    def _house(self, match: re.Match[str]) -> str:
        parts = (_PART_OF_A_HOUSE_NUMBER.fullmatch(part) for part in match["parts"].split("/"))
        words = f" {self._over} ".join(
            f"{self._numbers.part(part[1])} {part[2].upper()}".strip() for part in parts if part
        )
        return match.groupdict().get("before", "") + words

    def _days(self, match: re.Match[str]) -> str | None:
        last, first = self._date(match), int(match["first"])
        if last is None or not 1 <= first < int(match["day"]):
            return None
        return self._to_last(match, self._numbers.cardinal(first), last)

    def _dates(self, match: re.Match[str]) -> str | None:
        day, month = map(int, match["first"].split("/"))
        last = self._date(match)
        if last is None or not (1 <= day <= 31 and 1 <= month <= 12):
            return None
        return self._to_last(match, self._day_and_month(day, month), last)

    def _to_last(self, match: re.Match[str], first: str, last: str) -> str:
        before = "" if self._is_said(match) else f"{self._day} "
        return f"{before}{first} {self._to} {self._day} {last.removeprefix(f'{self._day} ')}"

    def _month_of_year(self, match: re.Match[str]) -> str:
        before = match.string[max(0, match.start() - 2 * len(self._month)) : match.start()].rstrip().lower()
        words = (
            f"{self._numbers.ordinal(int(match['month']))} {self._year} {self._numbers.cardinal(int(match['year']))}"
        )
        return words if before.endswith(self._month) else f"{self._month} {words}"

    def _quarter_of_year(self, match: re.Match[str]) -> str | None:
        if not match["year"]:
            return None
        written = match["quarter"]
        quarter = self._numbers.ordinal(int(written) if written.isdecimal() else roman(written))
        return f"{self._quarter} {quarter} {self._year} {self._numbers.cardinal(int(match['year']))}"

    def _weekdays(self, match: re.Match[str]) -> str:
        parts = match.groupdict()
        last = f"{self._weekday} {self._numbers.ordinal(int(parts['last']))}" if parts.get("last") else self._sunday
        return f"{parts.get('word') or self._weekday} {self._numbers.ordinal(int(parts['first']))} {self._to} {last}"

    def _list_of_weekdays(self, match: re.Match[str]) -> str:
        others = _WEEKDAY.sub(lambda day: self._numbers.ordinal(int(day[0])), match["others"])
        return f"{match['word']} {self._numbers.ordinal(int(match['first']))}{others}"

    def _weekdays_apart(self, match: re.Match[str]) -> str:
        """Weekdays or months with strokes between: "T2/T4/CN", "T8/T9"."""
        days = [day.strip() for day in match[0].split("/")]
        are_weekdays = all(day == "CN" or _WEEKDAY.fullmatch(day[1:]) for day in days)
        word = self._weekday if are_weekdays else self._month
        return ", ".join(
            self._sunday if day == "CN" else f"{word} {self._numbers.ordinal(int(day[1:]))}" for day in days
        )

    def _weekday_or_month(self, match: re.Match[str]) -> str | None:
        """Days of the week are "T2" to "T7", months "T1" and from "T8" on."""
        number = int(match[1] or match[2])
        if number == 0:
            return None
        return f"{self._weekday if 2 <= number <= 7 else self._month} {self._numbers.ordinal(number)}"

    def _years(self, match: re.Match[str]) -> str | None:
        first, last = int(match["year"]), int(match["last"])
        return f"{self._numbers.cardinal(first)} {self._to} {self._numbers.cardinal(last)}" if first < last else None


def _in_two_digits(match: re.Match[str]) -> bool:
    """Day, month and year have two digits each and one of the first two a zero, which no house number has: 05/06/26."""
    parts = match.groupdict()
    figures = [parts["day"], parts["month"], parts.get("year") or ""]
    return all(len(figure) == 2 for figure in figures) and any(figure[0] == "0" for figure in figures[:2])
