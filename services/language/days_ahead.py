"""Days told by how far they lie ahead: "in three days", "hai tuần nữa", "через неделю", "三天后". Sans-IO."""

from dataclasses import dataclass
from datetime import date, timedelta

from services.language.calendar_words import CalendarWords
from services.language.days_beside import DaysBeside
from services.language.moment import Found, Trouble
from services.language.value import Kind, Reading
from services.language.value_parts import numbers_in, phrases_in
from services.language.value_words import value_words
from services.language.weeks_and_months import DAYS_IN_WEEK, end_of_month, months_on

_SPAN = "span"  # a unit that is a number of days: a fortnight
_UNITS = ("day_words", "week_words", "month_words", _SPAN)


@dataclass(frozen=True, slots=True)
class _Counted:
    count: int
    unit: str
    tokens: range
    is_past: bool = False


@dataclass(frozen=True, slots=True)
class Ahead:
    """The day that is so far ahead."""

    day: Found
    counts_days: bool  # not weeks or months
    used: range  # the tokens that say it; empty: it lies behind


@dataclass(frozen=True, slots=True)
class DaysAhead:
    """Counts the days, weeks and months ahead that a text tells."""

    reading: Reading
    words: CalendarWords
    language_code: str
    today: date
    beside: DaysBeside

    def day(self) -> Ahead | None:
        """The first day that is told so; None: none is."""
        counted = self._counted()
        if not counted:
            return None
        used = next((one.tokens for one in reversed(counted) if not one.is_past), range(0))
        first = counted[0]
        if first.is_past:
            return Ahead((None, None, Trouble.PAST), counts_days=False, used=used)
        return Ahead((self._from_today(first), None, None), counts_days=first.unit == "day_words", used=used)

    def _from_today(self, counted: _Counted) -> date:
        if counted.unit in ("day_words", _SPAN):
            return self.today + timedelta(days=counted.count)
        if counted.unit == "week_words":
            return self._in_week(self.today + timedelta(days=counted.count * DAYS_IN_WEEK))
        first = months_on(self.today.replace(day=1), counted.count)
        return first.replace(day=min(self.today.day, end_of_month(first).day))

    def _in_week(self, day: date) -> date:
        """The weekday that is named in the week of a day, or the day: "in two weeks on Friday"."""
        named = [v.days for v in self.reading.values if v.kind is Kind.WEEKDAYS and len(v.days) == 1]
        return day + timedelta(days=next(iter(named[0])) - day.weekday()) if named else day

    def _counted(self) -> list[_Counted]:
        """Numbers of days, weeks or months that are said to lie ahead, or behind; of a span's days, as _SPAN."""
        texts = self.reading.texts
        phrases = phrases_in(texts, self.words, value_words(self.language_code))
        numbers = numbers_in(self.reading.tokens, phrases, self.language_code)
        found: list[_Counted] = []
        for at in range(len(texts)):
            span = self.words.day_spans.at(texts, at)
            for unit in _UNITS:
                length = (span[0] if span else 0) if unit == _SPAN else self.words.length(unit, texts, at)
                if not length or (span and unit != _SPAN):
                    continue
                number = self.beside.count_ending(at) or next((n for n in numbers.values() if n.end == at), None)
                start, count = (number.start, int(number.number)) if number else (at, 1)
                count *= span[1] if span else 1
                if number is None and any(self.words.length("articles", texts, at - n) == n for n in (1, 2) if at >= n):
                    start = at - 1
                is_bare_one = number is None and start == at and unit != _SPAN
                if self.is_ahead(start, at + length) and not (is_bare_one and not self._opens_ahead(start)):
                    found.append(_Counted(count, unit, range(start, at + length)))
                elif (number is not None or start < at) and self.words.length("ago_behind", texts, at + length):
                    found.append(_Counted(count, unit, range(start, at + length), is_past=True))
        return found

    def _opens_ahead(self, start: int) -> bool:
        texts = self.reading.texts
        return any(self.words.length("in_before", texts, start - n) == n for n in (1, 2) if start >= n)

    def is_ahead(self, start: int, end: int) -> bool:
        """Return whether the words beside a length of time say that it lies ahead."""
        return self._opens_ahead(start) or self.words.length("in_behind", self.reading.texts, end) > 0
