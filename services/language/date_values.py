"""Dates in a text: days of a month, with the month and the year where they are said. Sans-IO."""

from dataclasses import dataclass, replace
from decimal import Decimal

from services.language.value import Kind, Value
from services.language.value_parts import HALF_DAY, PartedText

_LONGEST_MONTH = 31
_NO_DAY = 40  # from here on a number beside a month is none that was meant as a day
_HOUR = 60  # minutes


@dataclass(frozen=True, slots=True)
class DateReader:
    """Reads the date that begins with a token."""

    text: PartedText

    def date(self, at: int) -> Value | None:  # noqa: PLR0911 - one return a way to say it
        """The date; its month and year are None where they are not said."""
        written = self.text.parts.get(at)
        if written and written.kind is Kind.DATE and written.digits:
            return replace(written, date=self._date_in_figures(written.digits))
        opening = self.text.length("day_openings", at)
        day = self.day(at + opening) if opening else self.day(at)
        if day is None and (beyond := self._beyond_days(at + opening)) is not None:
            return self._with_year(replace(beyond, start=at))
        if day is not None:
            if (behind := self._month_behind(day)) is not None:
                return self._with_year(replace(behind, start=at))
            if (joined := self.short_tens(day)) and (
                joined.date[1] or self._is_of_month(joined.end) or (opening and self._opens_days(at, opening))
            ):
                return self._with_year(replace(joined, start=at))
            ends = self.text.ends_time(day.end) or self._is_of_month(day.end)
            is_ordinal = day.kind is Kind.ORDINAL and ends  # "the first visit" is no day
            is_day = opening and (self._opens_days(at, opening) or is_ordinal or self._is_ordinal(day))
            if is_day or self.text.length("day_behind", day.end) or (ends and self._is_bare_day(day)):
                end = day.end + (self.text.length("day_behind", day.end) or self._ordinal_end(day))
                return Value(Kind.DATE, at, end, date=(None, None, int(day.number)))
        month = self.text.part(at, Kind.MONTH)
        if month is None:
            return None
        skipped = self.text.length("day_openings", month.end)
        day = self.day(month.end + skipped)
        if day is None or self.text.is_time_unit(day):
            return None
        end = day.end + (self.text.length("day_behind", day.end) or self._ordinal_end(day))
        return self._with_year(Value(Kind.DATE, at, end, date=(None, int(month.number), int(day.number))))

    def day(self, at: int) -> Value | None:
        """The number or ordinal here that a day of a month may have."""
        day = self.text.part(at) or self.text.part(at, Kind.ORDINAL)
        return day if day is not None and 1 <= day.number <= 31 and day.number % 1 == 0 else None

    def short_tens(self, day: Value) -> Value | None:
        """A day whose tens and ones are said as two digits, with its month where that follows: "ngày hai ba" is the
        23rd, "hai sáu tháng mười hai" the 26th of December.
        """
        ones = self.text.part(day.end)
        if ones is None or day.digits or ones.digits or not (1 <= day.number <= 3 and 1 <= ones.number <= 9):
            return None
        number = int(day.number * 10 + ones.number)
        if number > _LONGEST_MONTH:
            return None
        joined = Value(Kind.DATE, day.start, ones.end, number=Decimal(number), date=(None, None, number))
        if (dated := self._month_behind(joined)) is not None:
            return dated
        is_unit = self.text.is_time_unit(ones) and not self._is_of_month(ones.end)  # "hai sáu tháng này"
        return None if is_unit or self.text.length("hour_words", ones.end) else joined

    def _is_bare_day(self, day: Value) -> bool:
        """Return whether an ordinal that stands alone is a day of the month, or a number behind a part of the day:
        "двадцать первого", "по двенадцатое", "đêm mười tám".
        """
        if self.text.stands_before("dated_parts", day.start):
            # "đêm mười tám": no hour has such a number without its word
            is_hour = self.text.length("hour_words", day.end) or self.text.is_time_unit(day)
            return day.number > HALF_DAY // _HOUR and not is_hour
        if self.text.length("month_words", day.end) and day.number > HALF_DAY // _HOUR:  # "mười lăm tháng này"
            return self._is_of_month(day.end)
        if day.kind is not Kind.ORDINAL or not self.text.words.day_endings:
            return False
        return self.text.stands_before("bare_day_openings", day.start) or self.text.texts[day.end - 1].endswith(
            self.text.words.day_endings
        )

    def _beyond_days(self, at: int) -> Value | None:
        """A day that no month has, before or behind its month: "the 32nd of December"."""
        number = self.text.part(at)
        if number is not None and _LONGEST_MONTH < number.number < _NO_DAY:
            return self._month_behind(number)
        month = self.text.part(at, Kind.MONTH)
        number = self.text.part(month.end) if month else None
        if month is None or number is None or not _LONGEST_MONTH < number.number < _NO_DAY:
            return None
        length = self.text.length("day_behind", number.end)
        date = (None, int(month.number), int(number.number))
        return Value(Kind.DATE, at, number.end + length, date=date) if length else None

    def _opens_days(self, at: int, length: int) -> bool:
        """Return whether the opening makes a day of any number: "ngày 5", where "on 5" is none."""
        needs_ordinal = self.text.words.has_ordinals and length > 0
        return not self.text.length("time_openings", at) and not needs_ordinal

    def _is_ordinal(self, day: Value) -> bool:
        return self._ordinal_end(day) > 0

    def _ordinal_end(self, day: Value) -> int:
        length = self.text.length("ordinals_end", day.end) if day.digits else 0
        if not length and day.digits and day.end < len(self.text.texts) and self.text.texts[day.end] == "-":
            length = 1 + self.text.length("ordinals_end", day.end + 1)
            length = length if length > 1 else 0
        return length

    def _is_of_month(self, at: int) -> bool:
        """Return whether a month follows that is named by its place: "of this month", "tháng này"."""
        names = ("next", "this", "last")
        month = self.text.length("month_words", at)
        if month and any(self.text.length(f"{name}_behind", at + month) for name in names):
            return True
        at += self.text.length("month_openings", at)
        named = max(self.text.length(f"{name}_words", at) for name in names)
        return named > 0 and self.text.length("month_words", at + named) > 0

    def _month_behind(self, day: Value) -> Value | None:
        end = day.end + self._ordinal_end(day)
        skipped = self.text.length("month_openings", end)
        month = self.text.part(end, Kind.MONTH) or (self.text.part(end + skipped, Kind.MONTH) if skipped else None)
        return (
            Value(Kind.DATE, day.start, month.end, date=(None, int(month.number), int(day.number))) if month else None
        )

    def _with_year(self, date: Value) -> Value:
        at = date.end
        at += 1 if at < len(self.text.texts) and self.text.tokens[at].kind == "stop" else 0
        at += self.text.length("year_words", at)
        year = self.text.part(at)
        if year is None or not self.text.is_year(year):
            return date
        return replace(
            date, end=year.end + self.text.length("year_words", year.end), date=(int(year.number), *date.date[1:])
        )

    def _date_in_figures(self, written: str) -> tuple[int | None, int | None, int | None]:
        if "-" in written:
            year, month, day = (int(part) for part in written.split("-"))
            return year, month, day
        first, second, *rest = (int(part) for part in written.split("/"))
        is_day_first = self.text.words.is_day_first or first > 12
        years = [year if year > 99 else 2000 + year for year in rest]
        return (years[0] if years else None), (second if is_day_first else first), (first if is_day_first else second)
