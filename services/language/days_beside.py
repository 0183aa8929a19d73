"""Days told by another day beside them: "two days after Friday", "Christmas Eve", "the Tuesday before". Sans-IO.

The words stand in `days_before`, `days_after`, `shifts_before`, `shifts_behind` and `counted_from` of each language's
dates.toml.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from services.language.calendar_words import CalendarWords
from services.language.value import Kind, Reading, Value
from services.language.value_parts import numbers_in, phrases_in
from services.language.value_words import value_words

_DAYS_IN_WEEK = 7
_MINUTES_IN_DAY = 24 * 60
_LONGEST_PHRASE = 3  # tokens
_BEFORE_A_DAY = ("articles", "this_words", "next_words", "last_words")  # lists of words: "this" of "this Friday"
_BETWEEN = (  # lists of words that stand between a weekday and its date: "Friday this week, the third"
    *("time_openings", "day_openings", "articles", "this_words", "next_words", "this_behind", "next_behind"),
    *("week_words", "month_openings"),
)


@dataclass(frozen=True, slots=True)
class DaysBeside:
    """Counts the days from the days that a text names."""

    reading: Reading
    words: CalendarWords
    language_code: str

    def days_from(self, value: Value) -> int:
        """Return how many days from a day that is named the meant one lies: "two days before Christmas" is -2.

        The days may be told before the word ("the day after"), behind the day ("sau Giáng sinh hai ngày"), or behind
        the word behind the day ("圣诞节后两天"). 0: none are told.
        """
        texts, start = self.reading.texts, self._start_of(value)
        for n in range(1, _LONGEST_PHRASE + 1):
            hit = self.words.shifts_before.at(texts, start - n) if start >= n else None
            if hit is not None and hit[0] == n:
                return hit[1]
        if behind := self.words.shifts_behind.at(texts, value.end):
            return behind[1]
        for name, sign in (("days_before", -1), ("days_after", 1)):
            for n in range(1, _LONGEST_PHRASE + 1):
                if start >= n and self.words.length(name, texts, start - n) == n:
                    return sign * (self.days_ending(start - n) or self._days_beginning(value.end))
            if length := self.words.length(name, texts, value.end):
                return sign * self._days_beginning(value.end + length)
        return 0

    def weekday_beside(self, day: date, dated: Value, weekdays: list[Value]) -> date | None:
        """The weekday before or behind a date: "the Tuesday before Christmas"; None: none is told so."""
        texts = self.reading.texts
        for name, sign in (("days_before", -1), ("days_after", 1)):
            is_told = any(self.words.length(name, texts, dated.start - n) == n for n in (1, 2) if dated.start >= n)
            named = [value.days for value in weekdays if value.end <= dated.start and len(value.days) == 1]
            if is_told and named:
                weekday = next(iter(named[0]))
                n_days = (sign * (weekday - day.weekday()) - 1) % _DAYS_IN_WEEK + 1
                return day + timedelta(days=sign * n_days)
        return None

    def counted_from(self, start: int) -> int:
        """The days counted up to a day that is named by its distance: "two weeks from tomorrow"; 0: none."""
        for n in (1, 2):
            if start >= n and self.words.length("counted_from", self.reading.texts, start - n) == n:
                return self.days_ending(start - n)
        return 0

    def days_ending(self, end: int) -> int:
        """The days counted right before a place: "two days", "the day", "a week"; 0: none, as before "sau" of "tuần
        sau thứ sáu", which is Friday of next week.
        """
        texts = self.reading.texts
        phrases = phrases_in(texts, self.words, value_words(self.language_code))
        numbers = numbers_in(self.reading.tokens, phrases, self.language_code).values()
        for unit, days in (("day_words", 1), ("week_words", _DAYS_IN_WEEK)):
            at = next((end - n for n in (1, 2, 3) if end >= n and self.words.length(unit, texts, end - n) == n), None)
            if at is None:
                continue
            few = self.count_ending(at)
            number = next((int(n.number) for n in (*([few] if few else []), *numbers) if n.end == at), 0)
            names_a_week = unit == "week_words" and any(
                self.words.length(name, texts, end) for name in ("next_behind", "last_behind")
            )
            return days * (number or int(not names_a_week))
        return 0

    def count_ending(self, end: int) -> Value | None:
        """A small number that ends right before a place and is no numeral: "a couple of"."""
        for n in range(_LONGEST_PHRASE, 0, -1):
            hit = self.words.few.at(self.reading.texts, end - n) if end >= n else None
            if hit is not None and hit[0] == n:
                return Value(Kind.NUMBER, end - n, end, number=Decimal(hit[1]))
        return None

    def are_beside(self, weekday: Value, start: int, end: int) -> bool:
        """Return whether only stops, other values and words of days stand between a weekday and another day."""
        first, behind = (weekday.end, start) if weekday.end <= start else (end, weekday.start)
        texts, at = self.reading.texts, first
        values = {place for value in self.reading.values for place in range(value.start, value.end)}
        while at < behind:
            if at not in values and self.reading.tokens[at].kind != "stop":
                length = max(self.words.length(name, texts, at) for name in _BETWEEN)
                if not length:
                    return False
                at += length - 1
            at += 1
        return True

    def _days_beginning(self, start: int) -> int:
        """The days counted right behind a place; 0: none."""
        lengths = [value for value in self.reading.values if value.kind is Kind.DURATION and value.start == start]
        return int(lengths[0].number) // _MINUTES_IN_DAY if lengths else 0

    def _start_of(self, value: Value) -> int:
        """The place of a day with the words before it that belong to it: "this" of "the day after this Friday"."""
        texts, start = self.reading.texts, value.start
        while any(
            self.words.length(name, texts, start - n) == n for name in _BEFORE_A_DAY for n in (1, 2) if start >= n
        ):
            start -= 1
        return start
