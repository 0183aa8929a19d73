"""Values in a text, spoken or written: amounts, times, dates, weekdays, lengths of time, numbers dialled. Sans-IO.

"thirty-five dollars" and "$35" are the same value, and so are "3 giờ chiều" and "15:00". values.toml and dates.toml of
each language have the words; numerals.py reads numbers, value_parts.py what values are made of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from services.language.amount_values import AmountReader
from services.language.date_values import DateReader
from services.language.time_values import TimeReader
from services.language.value import Kind, Reading, Value
from services.language.value_parts import PartedText, clock, parted


def read_values(text: str, language_code: str) -> Reading:
    """The values of a text, in order."""
    read = parted(text, language_code)
    found = _Ranges(read, DateReader(read)).with_ranges(_joined(read))
    return Reading(read.tokens, read.texts, tuple(value for value in found if _says_something(value, read)))


def _joined(text: PartedText) -> list[Value]:
    """The values that numbers make with the words beside them, from left to right."""
    amounts, dates, times = AmountReader(text), DateReader(text), TimeReader(text)
    found: list[Value] = []
    at = 0
    openings = text.words.value_openings
    while at < len(text.texts):
        if at not in text.parts and text.texts[at] not in openings and not amounts.opens(at):
            at += 1
            continue
        value = (
            amounts.grouped_sum(at)
            or amounts.dialled(at)
            or amounts.amount(at)
            or dates.date(at)
            or times.time(at)
            or amounts.length_of_time(at)
            or text.parts.get(at)
        )
        if value is None or value.end <= at:
            at += 1
            continue
        found.append(value)
        at = value.end
    return found


def _says_something(value: Value, text: PartedText) -> bool:
    if value.kind is Kind.MONTH:
        return not text.length("doubtful_months", value.start)
    return value.kind not in (Kind.NONE, Kind.ORDINAL)


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Joins the values at the two ends of a range."""

    text: PartedText
    dates: DateReader

    def with_ranges(self, found: Sequence[Value]) -> Iterator[Value]:
        """A number at one end of a range of times is a time; weekdays from one to another are all those between."""
        values = self._with_ranges_of_days(list(found))
        for at in range(len(values) - 1):
            first, second = values[at], values[at + 1]
            if not self._is_range(first, second):
                continue
            if first.kind is Kind.TIME and (time := self._as_time(second)):
                values[at + 1] = time
            elif second.kind is Kind.TIME and (time := self._as_time(first)):
                values[at] = time
            elif (
                self.text.ends_time(second.end)
                and (opens := self._as_time(first))
                and (closes := self._as_time(second))
            ):
                values[at], values[at + 1] = opens, closes
        at = 0
        while at < len(values):
            value, behind = values[at], values[at + 1] if at + 1 < len(values) else None
            if behind and value.kind is behind.kind is Kind.WEEKDAYS and self._is_range(value, behind, strict=True):
                days = _between(min(value.days), min(behind.days))
                value, at = replace(value, end=behind.end, days=days), at + 1
            yield value
            at += 1

    def _with_ranges_of_days(self, values: list[Value]) -> list[Value]:
        """A number or an ordinal at the end of a range that begins with a date is a date too."""
        for at in range(len(values) - 2, -1, -1):
            if begun := self._first_of_dates(values[at], values[at + 1]):
                start = at - (at > 0 and values[at - 1].end > begun.start)
                values[start : at + 1] = [begun]
        for at in range(len(values) - 1):
            first, second = values[at], values[at + 1]
            day = self.dates.day(second.start + self.text.length("day_openings", second.start))
            if first.kind is not Kind.DATE or first.date[2] is None or not self._is_range(first, second, strict=True):
                continue
            if second.kind is not Kind.DATE and day is not None and day.end == second.end and not second.part:
                second = values[at + 1] = replace(
                    second, kind=Kind.DATE, date=(first.date[0], None, int(day.number)), minutes=frozenset()
                )
            last = second.date[2] if second.kind is Kind.DATE and second.date[1] is not None else None
            if last is not None and first.date[1] is None and first.date[2] <= last:
                values[at] = replace(first, date=(second.date[0], second.date[1], first.date[2]))
        return values

    def _first_of_dates(self, first: Value, second: Value) -> Value | None:
        """The first day of a range that ends with a day of a month, where it is a number alone: "from 23 to 26
        December"; None: it is none.
        """
        year, month, last = second.date if second.kind is Kind.DATE else (None, None, None)
        if month is None or last is None or second.part or first.part:
            return None
        if not self._is_range(first, second, strict=True) or first.kind not in (Kind.NUMBER, Kind.TIME):
            return None
        tens = self.dates.day(first.end - 2)  # "hai" of "từ hai ba đến hai sáu tháng mười hai"
        day = (self.dates.short_tens(tens) if tens and tens.end == first.end - 1 else None) or self.dates.day(
            first.start
        )
        if day is None or day.end != first.end or day.number >= last:
            return None
        return Value(Kind.DATE, day.start, day.end, date=(year, month, int(day.number)))

    def _is_range(self, first: Value, second: Value, *, strict: bool = False) -> bool:
        length = self.text.length("range_words", first.end)
        joins = length and first.end + length == second.start
        is_between = self.text.stands_before("range_openings", first.start)  # "between the tenth and the twelfth"
        return bool(joins) and (is_between or not (strict and self.text.words.joins_only(self.text.texts, first.end)))

    def _as_time(self, value: Value) -> Value | None:
        is_hour = value.kind is Kind.NUMBER and 0 <= value.number <= 24 and value.number % 1 == 0
        return clock(int(value.number), 0, value.start, value.end) if is_hour else None


def _between(first: int, last: int) -> frozenset[int]:
    """The weekdays from one to another, both in it; they may go over the end of the week."""
    return frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
