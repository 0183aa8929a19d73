"""Values in a text, spoken or written: amounts, times, dates, weekdays, lengths of time, numbers dialled. Sans-IO.

"thirty-five dollars" and "$35" are the same value, and so are "3 giờ chiều" and "15:00". A time whose half of the day
is not said has both. values.toml and dates.toml of each language have the words; numerals.py reads numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from services.language.calendar_words import PARTS, WIDER_PARTS, CalendarWords, calendar_words
from services.language.phrases import Token, tokens_of
from services.language.value import Kind, Reading, Value
from services.language.value_parts import DAY, HALF_DAY, clock, numbers_in, phrases_in
from services.language.value_words import ValueWords, value_words

FEWEST_DIALLED = 6  # digits
_IN_GROUPS = range(9, 13)  # digits of a telephone number that is said in groups
_FEWEST_GROUPS = 3
_LONGEST_MONTH = 31
_NO_DAY = 40  # from here on a number beside a month is none that was meant as a day
_YEARS = range(1900, 2101)
_QUARTER = 15
_HOUR = 60  # minutes


def read_values(text: str, language_code: str) -> Reading:
    """The values of a text, in order."""
    tokens = tuple(tokens_of(text))
    texts = tuple(token.text for token in tokens)
    words, amounts = calendar_words(language_code), value_words(language_code)
    phrases = phrases_in(texts, words, amounts)
    parts = phrases | numbers_in(tokens, phrases, language_code)
    values = _Combining(tokens, texts, parts, words, amounts).values()
    return Reading(tokens, texts, tuple(values))


@dataclass(frozen=True, slots=True)
class _Combining:
    """Numbers are joined with the words beside them, from left to right."""

    tokens: Sequence[Token]
    texts: tuple[str, ...]
    parts: Mapping[int, Value]  # by first token
    words: CalendarWords
    amounts: ValueWords

    def values(self) -> list[Value]:
        found: list[Value] = []
        at = 0
        openings = self.words.value_openings
        while at < len(self.texts):
            if at not in self.parts and self.texts[at] not in openings and not self._opens_amount(at):
                at += 1
                continue
            value = (
                self._grouped_sum(at)
                or self._dialled(at)
                or self._amount(at)
                or self._date(at)
                or self._time(at, found)
                or self._length(at)
            )
            value = value or self.parts.get(at)
            if value is None or value.end <= at:
                at += 1
                continue
            found.append(value)
            at = value.end
        return [value for value in self._with_ranges(found) if self._says_something(value)]

    def _says_something(self, value: Value) -> bool:
        if value.kind is Kind.MONTH:
            return not self._is("doubtful_months", value.start)
        return value.kind not in (Kind.NONE, Kind.ORDINAL)

    # Phrases and values at a place

    def _is(self, name: str, at: int) -> int:
        return self.words.length(name, self.texts, at)

    def _part(self, at: int, kind: Kind = Kind.NUMBER) -> Value | None:
        part = self.parts.get(at)
        return part if part is not None and part.kind is kind else None

    def _before(self, name: str, at: int) -> bool:
        """Return whether a phrase of a list ends right before a token."""
        return any(self._is(name, at - n) == n for n in range(1, 4) if at >= n)

    def _opens_amount(self, at: int) -> bool:
        text = self.texts[at]
        return text in self.amounts.percent_before.openings or text in self.amounts.currencies.openings

    def _grouped_sum(self, at: int) -> Value | None:
        """Thousands parted by spaces, before a currency: "1 500 руб.", "10 000 000đ"."""
        first = self._part(at)
        if first is None or not first.digits.isdecimal() or len(first.digits) > len("000") or first.digits[0] == "0":
            return None
        digits, end = first.digits, first.end
        while (part := self._part(end)) is not None and part.digits.isdecimal() and len(part.digits) == len("000"):
            digits, end = digits + part.digits, part.end
        hit = self.amounts.currencies.at(self.texts, end)
        if hit is None or digits == first.digits:
            return None
        return Value(Kind.MONEY, at, end + hit[0], number=Decimal(digits), currency=hit[1], digits=digits)

    # Numbers dialled

    def _dialled(self, start: int) -> Value | None:
        digits, at = "", start
        while (part := self._part(at)) is not None and (spelled := self._digits(part)):
            digits, at = digits + spelled, part.end
            if at < len(self.texts) and self.texts[at] in ("-", "–") and self._part(at + 1):
                at += 1
        n_parts = sum(1 for each in range(start, at) if each in self.parts)
        is_one_number = n_parts == 1 and not digits.startswith("0")
        if len(digits) >= FEWEST_DIALLED and not is_one_number:
            return Value(Kind.DIGITS, start, at, digits=digits)
        return self._dialled_in_groups(start)

    def _dialled_in_groups(self, start: int) -> Value | None:
        """A telephone number said in tens and hundreds: "ноль девять ноль два сто двести" is 0902100200. Between its
        groups there may be commas where it begins with a nought.
        """
        groups: list[str] = []
        at = end = start
        while (part := self._part(at)) is not None and part.number < 1000 and not part.number % 1:
            groups.append(part.digits if part.digits.isdecimal() else str(part.number))
            at = end = part.end
            if groups[0].startswith("0") and at < len(self.texts) and self.texts[at] == ",":
                at += 1
        digits = "".join(groups)
        is_dialled = digits.startswith("0") or not all(text.isdecimal() for text in self.texts[start:end])
        is_number = len(groups) >= _FEWEST_GROUPS and len(digits) in _IN_GROUPS and is_dialled
        return Value(Kind.DIGITS, start, end, digits=digits) if is_number else None

    def _digits(self, part: Value) -> str:
        if part.digits.isdecimal():
            return part.digits
        is_digit = not part.digits and part.end - part.start <= 2 and 0 <= part.number <= 9
        return str(part.number) if is_digit else ""

    # Amounts

    def _amount(self, at: int) -> Value | None:  # noqa: PLR0911 - one return a way to write it
        if length := self.amounts.percent_before.length(self.texts, at):
            number = self._part(at + length)
            return replace(number, kind=Kind.PERCENT, start=at) if number else None
        if (hit := self.amounts.currencies.at(self.texts, at)) and (number := self._part(at + hit[0])):
            if length := self.amounts.money_multipliers.length(self.texts, number.end):  # "$5k"
                number = replace(number, number=number.number * 1000, end=number.end + length)
            return replace(number, kind=Kind.MONEY, start=at, currency=hit[1])
        number = self._part(at)
        if number is None:
            return None
        end = number.end
        if length := self.amounts.percent.length(self.texts, end):
            return replace(number, kind=Kind.PERCENT, end=end + length)
        if length := self.amounts.money_multipliers.length(self.texts, end):
            number, end = replace(number, number=number.number * 1000), end + length
            return self._with_currency(replace(number, kind=Kind.MONEY, end=end)) or replace(
                number, kind=Kind.MONEY, end=end
            )
        if money := self._with_currency(number):
            return money
        is_large = self.amounts.is_large_money and number.number >= 1000 and not self._is_year(number)
        return replace(number, kind=Kind.MONEY) if is_large and not self._is("year_words", number.start - 1) else None

    def _with_currency(self, number: Value) -> Value | None:
        hit = self.amounts.currencies.at(self.texts, number.end)
        if hit is None:
            return None
        money = replace(number, kind=Kind.MONEY, end=number.end + hit[0], currency=hit[1])
        at = money.end + (1 if money.end < len(self.texts) and money.end + 1 in self.parts else 0)  # "and fifty cents"
        small = self._part(at) or self._part(money.end)
        if small and (cents := self.amounts.small_currencies.at(self.texts, small.end)) and cents[1] == hit[1]:
            return replace(money, end=small.end + cents[0], number=money.number + small.number / 100)
        return money

    def _is_year(self, number: Value) -> bool:
        return number.digits.isdecimal() and len(number.digits) == 4 and int(number.digits) in _YEARS

    # Dates

    def _date(self, at: int) -> Value | None:  # noqa: PLR0911 - one return a way to say it
        written = self.parts.get(at)
        if written and written.kind is Kind.DATE and written.digits:
            return replace(written, date=self._date_in_figures(written.digits))
        opening = self._is("day_openings", at)
        day = self._day(at + opening) if opening else self._day(at)
        if day is None and (beyond := self._beyond_days(at + opening)) is not None:
            return self._with_year(replace(beyond, start=at))
        if day is not None:
            if (behind := self._month_behind(day)) is not None:
                return self._with_year(replace(behind, start=at))
            if (joined := self._short_tens(day)) and (
                joined.date[1] or self._is_of_month(joined.end) or (opening and self._opens_days(at, opening))
            ):
                return self._with_year(replace(joined, start=at))
            ends = self._ends_time(day.end) or self._is_of_month(day.end)
            is_ordinal = day.kind is Kind.ORDINAL and ends  # "the first visit" is no day
            is_day = opening and (self._opens_days(at, opening) or is_ordinal or self._is_ordinal(day))
            if is_day or self._has_day_word(day) or (ends and self._is_bare_day(day)):
                end = day.end + (self._is("day_behind", day.end) or self._ordinal_end(day))
                return Value(Kind.DATE, at, end, date=(None, None, int(day.number)))
        month = self._part(at, Kind.MONTH)
        if month is None:
            return None
        skipped = self._is("day_openings", month.end)
        day = self._day(month.end + skipped)
        if day is None or self._is_time_unit(day):
            return None
        end = day.end + (self._is("day_behind", day.end) or self._ordinal_end(day))
        return self._with_year(Value(Kind.DATE, at, end, date=(None, int(month.number), int(day.number))))

    def _day(self, at: int) -> Value | None:
        day = self._part(at) or self._part(at, Kind.ORDINAL)
        return day if day is not None and 1 <= day.number <= 31 and day.number % 1 == 0 else None

    def _short_tens(self, day: Value) -> Value | None:
        """A day whose tens and ones are said as two digits, with its month where that follows: "ngày hai ba" is the
        23rd, "hai sáu tháng mười hai" the 26th of December.
        """
        ones = self._part(day.end)
        if ones is None or day.digits or ones.digits or not (1 <= day.number <= 3 and 1 <= ones.number <= 9):
            return None
        number = int(day.number * 10 + ones.number)
        if number > _LONGEST_MONTH:
            return None
        joined = Value(Kind.DATE, day.start, ones.end, number=Decimal(number), date=(None, None, number))
        if (dated := self._month_behind(joined)) is not None:
            return dated
        is_unit = self._is_time_unit(ones) and not self._is_of_month(ones.end)  # "hai sáu tháng này"
        return None if is_unit or self._is("hour_words", ones.end) else joined

    def _is_bare_day(self, day: Value) -> bool:
        """Return whether an ordinal that stands alone is a day of the month, or a number behind a part of the day:
        "двадцать первого", "по двенадцатое", "đêm mười tám".
        """
        if self._before("dated_parts", day.start):  # "đêm mười tám": no hour has such a number without its word
            is_hour = self._is("hour_words", day.end) or self._is_time_unit(day)
            return day.number > HALF_DAY // _HOUR and not is_hour
        if self._is("month_words", day.end) and day.number > HALF_DAY // _HOUR:  # "mười lăm tháng này"
            return self._is_of_month(day.end)
        if day.kind is not Kind.ORDINAL or not self.words.day_endings:
            return False
        return self._before("bare_day_openings", day.start) or self.texts[day.end - 1].endswith(self.words.day_endings)

    def _beyond_days(self, at: int) -> Value | None:
        """A day that no month has, before or behind its month: "the 32nd of December"."""
        number = self._part(at)
        if number is not None and _LONGEST_MONTH < number.number < _NO_DAY:
            return self._month_behind(number)
        month = self._part(at, Kind.MONTH)
        number = self._part(month.end) if month else None
        if month is None or number is None or not _LONGEST_MONTH < number.number < _NO_DAY:
            return None
        length = self._is("day_behind", number.end)
        date = (None, int(month.number), int(number.number))
        return Value(Kind.DATE, at, number.end + length, date=date) if length else None

    def _opens_days(self, at: int, length: int) -> bool:
        """Return whether the opening makes a day of any number: "ngày 5", where "on 5" is none."""
        return not self.words.lists["time_openings"].length(self.texts, at) and not self._ordinals_needed(at, length)

    def _ordinals_needed(self, at: int, length: int) -> bool:
        return bool(self._ends_in_ordinals) and length > 0

    @property
    def _ends_in_ordinals(self) -> bool:
        """Return whether days of the month are ordinals in the language: "the 5th"."""
        return self.words.has_ordinals

    def _is_ordinal(self, day: Value) -> bool:
        return self._ordinal_end(day) > 0

    def _ordinal_end(self, day: Value) -> int:
        length = self._is("ordinals_end", day.end) if day.digits else 0
        if not length and day.digits and day.end < len(self.texts) and self.texts[day.end] == "-":
            length = 1 + self._is("ordinals_end", day.end + 1)
            length = length if length > 1 else 0
        return length

    def _has_day_word(self, day: Value) -> bool:
        return bool(self._is("day_behind", day.end))

    def _is_of_month(self, at: int) -> bool:
        """Return whether a month follows that is named by its place: "of this month", "tháng này"."""
        names = ("next", "this", "last")
        month = self._is("month_words", at)
        if month and any(self._is(f"{name}_behind", at + month) for name in names):
            return True
        at += self._is("month_openings", at)
        named = max(self._is(f"{name}_words", at) for name in names)
        return named > 0 and self._is("month_words", at + named) > 0

    def _month_behind(self, day: Value) -> Value | None:
        end = day.end + self._ordinal_end(day)
        skipped = self._is("month_openings", end)
        month = self._part(end, Kind.MONTH) or (self._part(end + skipped, Kind.MONTH) if skipped else None)
        return (
            Value(Kind.DATE, day.start, month.end, date=(None, int(month.number), int(day.number))) if month else None
        )

    def _with_year(self, date: Value) -> Value:
        at = date.end
        at += 1 if at < len(self.texts) and self.tokens[at].kind == "stop" else 0
        at += self._is("year_words", at)
        year = self._part(at)
        if year is None or not self._is_year(year):
            return date
        return replace(date, end=year.end + self._is("year_words", year.end), date=(int(year.number), *date.date[1:]))

    def _date_in_figures(self, written: str) -> tuple[int | None, int | None, int | None]:
        if "-" in written:
            year, month, day = (int(part) for part in written.split("-"))
            return year, month, day
        first, second, *rest = (int(part) for part in written.split("/"))
        is_day_first = self.words.is_day_first or first > 12
        years = [year if year > 99 else 2000 + year for year in rest]
        return (years[0] if years else None), (second if is_day_first else first), (first if is_day_first else second)

    # Times of day

    def _time(self, at: int, before: Sequence[Value]) -> Value | None:
        prefix = self._part(at, Kind.PART)
        start, part = at, ""
        if prefix is not None and (self._plain_time(prefix.end) is not None):
            at, part = prefix.end, prefix.part
        found = self._plain_time(at) or self._opened_time(at, before)
        if found is None:
            return None
        behind = self._part(found.end, Kind.PART)
        if behind is not None and not part:
            return self._in_part(replace(found, end=behind.end), behind.part)
        return self._in_part(replace(found, start=start), part)

    def _in_part(self, time: Value, part: str) -> Value:
        if not part:
            return time
        fitting = _within(time.minutes, part) or _within(time.minutes, WIDER_PARTS.get(part, part))
        return replace(time, minutes=frozenset(fitting) or time.minutes, part=part)

    def _plain_time(self, at: int) -> Value | None:
        """A time that shows itself to be one."""
        if clocked := self._part(at, Kind.TIME):
            return clocked
        return self._half_or_quarter(at) or self._counted(at) or self._with_hour_word(at) or self._with_part(at)

    def _half_or_quarter(self, at: int) -> Value | None:
        for name, shift in (
            ("half_before", 30),
            ("half_towards", -30),
            ("quarter_past", _QUARTER),
            ("quarter_to", -_QUARTER),
            ("quarter_towards", _QUARTER - _HOUR),
        ):
            length = self._is(name, at)
            hour = self._hour(at + length, ordinals=name.endswith("_towards")) if length else None
            if hour is not None:
                return self._shifted(hour, shift, start=at)
        return None

    def _counted(self, at: int) -> Value | None:
        """Minutes before or behind the hour: "ten to three", "без десяти три"."""
        if length := self._is("minutes_to", at):
            minutes = self._part(at + length)
            quarter = self._is("quarters", minutes.end) if minutes else 0
            skipped = (quarter or self._is("minute_words", minutes.end)) if minutes else 0
            hour = self._hour(minutes.end + skipped) if minutes else None
            if minutes and quarter:
                minutes = replace(minutes, number=minutes.number * _QUARTER)
            is_before = not self.words.lists[
                "minutes_past"
            ].openings  # "to" of "ten to three" stands behind the minutes
            if (
                is_before and minutes and hour is None and minutes.number > 20 and minutes.number % 10
            ):  # "без двадцати девять"
                hour = replace(minutes, number=minutes.number % 10)
                minutes = replace(minutes, number=minutes.number - hour.number)
            return self._shifted(hour, -int(minutes.number), start=at) if hour and minutes else None
        minutes = self._part(at)
        if minutes and (begun := self._of_begun_hour(minutes)):
            return begun
        is_range = self._before("range_openings", at)
        if minutes is None or minutes.number not in (5, 10, 20, 25) or minutes.digits or is_range:
            return None
        skipped = self._is("minute_units", minutes.end)
        for name, sign in (("minutes_past", 1), ("minutes_to", -1)):
            length = self._is(name, minutes.end + skipped)
            hour = self._hour(minutes.end + skipped + length) if length else None
            if hour is not None:
                return self._shifted(hour, sign * int(minutes.number), start=at)
        return None

    def _of_begun_hour(self, minutes: Value) -> Value | None:
        """Minutes of the hour that has begun, by its ordinal: "пять минут двенадцатого" is 11:05."""
        skipped = self._is("minute_units", minutes.end)
        if not (skipped and self.words.lists["half_towards"].openings) or not 0 < minutes.number < _HOUR:
            return None
        hour = self._hour(minutes.end + skipped, ordinals=True)
        return self._shifted(hour, int(minutes.number) - _HOUR, start=minutes.start) if hour else None

    def _shifted(self, hour: Value, minutes: int, *, start: int) -> Value:
        at = int(hour.number) * 60 + minutes
        end = hour.end + self._is("hour_words", hour.end)
        return Value(Kind.TIME, start, end, minutes=frozenset({at % DAY, (at + HALF_DAY) % DAY}))

    def _hour(self, at: int, *, ordinals: bool = False) -> Value | None:
        hour = self._part(at, Kind.ORDINAL) if ordinals else self._part(at)
        return hour if hour is not None and 1 <= hour.number <= 12 and hour.number % 1 == 0 else None

    def _with_hour_word(self, at: int) -> Value | None:
        hour = self._hour_of_day(at)
        length = self._is("hour_words", hour.end) if hour else 0
        if hour is None or not length or self._is("hour_units", hour.end) > length:
            return None
        end = hour.end + length
        if self._is("hour_units", hour.end) == length and not self._is_told_as_time(at, end):
            return None  # "2 часа" is a length unless something says otherwise
        minute = 0
        if half := self._is("half_hours", end):
            minute, end = 30, end + half
        elif (to := self._is("minutes_to", end)) and (less := self._part(end + to)):
            minute, end = -int(less.number), less.end + self._is("minute_words", less.end)
        elif (more := self._minutes_at(end)) and 0 < more.number < 60:
            quarter = self._is("quarters", more.end)
            minute = int(more.number) * (_QUARTER if quarter else 1)
            end = more.end + (quarter or self._is("minute_words", more.end))
        total = int(hour.number) * 60 + minute
        is_plain = hour.number > 12 or hour.number == 0
        minutes = frozenset({total % (DAY + 1)} if is_plain else {total % DAY, (total + HALF_DAY) % DAY})
        return Value(Kind.TIME, at, end, minutes=minutes)

    def _minutes_at(self, at: int) -> Value | None:
        """A number of minutes, its nought left out: "oh five", "零五"."""
        more = self._part(at)
        ones = self._part(more.end) if more is not None and more.number == 0 and not more.digits else None
        return replace(ones, start=at) if ones is not None and 0 < ones.number < 10 else more

    def _hour_of_day(self, at: int) -> Value | None:
        hour = self._part(at)
        return hour if hour is not None and 0 <= hour.number <= 24 and hour.number % 1 == 0 else None

    def _is_told_as_time(self, at: int, end: int) -> bool:
        return self._part(end, Kind.PART) is not None or self._before("time_openings", at)

    def _with_part(self, at: int) -> Value | None:
        """A part of the day stands behind it: "10 a.m.", "ten thirty in the morning"."""
        hour = self._hour(at) or self._decimal_hour(at)
        if hour is None:
            return None
        half = self._is("half_hours", hour.end) if hour.number % 1 == 0 else 0
        time = clock(int(hour.number), 30, at, hour.end + half) if half else self._with_minutes(hour)
        if self._counts_nights(hour):
            return None
        part = self._part(time.end, Kind.PART)
        if (
            part is not None
            and self.words.relative_days.at(self.texts, time.end)
            and not _within(time.minutes, part.part)
        ):
            return None  # "a room for two tonight"
        return time if part or (half and self._part(time.end, Kind.DAY)) else None

    def _counts_nights(self, number: Value) -> bool:
        """Return whether a number counts nights, though a night is a part of the day too: "на три ночи", "ba đêm"."""
        if not self._is("night_units", number.end):
            return False
        return not self.words.lists["night_openings"].openings or self._before("night_openings", number.start)

    def _decimal_hour(self, at: int) -> Value | None:
        """10.30, where a part of the day behind it tells that it is a time."""
        number = self._part(at)
        is_time = number and "." in number.digits and number.number < 25 and len(number.digits.partition(".")[2]) == 2
        return number if is_time else None

    def _with_minutes(self, hour: Value) -> Value:
        if hour.number % 1:
            whole, _, minute = hour.digits.partition(".")
            return clock(int(whole), int(minute), hour.start, hour.end) if int(minute) < 60 else hour
        more = self._minutes_at(hour.end)
        has_nought = more is not None and more.end - more.start > 1 and self._part(hour.end) is not None
        is_minute = more is not None and 0 < more.number < 60 and (more.number >= 10 or has_nought)
        if more is None or not is_minute or self._is_time_unit(more):
            return clock(int(hour.number), 0, hour.start, hour.end)
        return clock(int(hour.number), int(more.number), hour.start, more.end)

    def _opened_time(self, at: int, before: Sequence[Value]) -> Value | None:
        """A bare number behind "at": a time, unless what follows makes it something else."""
        hour = self._hour_of_day(at)
        if hour is not None and (self._stands_with_minutes(hour) or self._stands_with_half(hour)):
            return self._with_half(hour) or self._with_minutes(hour)
        if hour is None or not self._before("time_openings", at) or self._counts_nights(hour):
            return None
        half = self._is("half_hours", hour.end)
        time = clock(int(hour.number), 30, at, hour.end + half) if half else self._with_minutes(hour)
        is_sure = self._before("sure_openings", at) and 0 < hour.number <= 12
        is_named = time.end < len(self.tokens) and self.tokens[time.end].is_capital
        is_time = self._ends_time(time.end) or (is_sure and not is_named and not self._is_counted_thing(time))
        return time if is_time else None

    def _stands_with_minutes(self, hour: Value) -> bool:
        """Return whether hour and minutes stand alone beside a day, or make the text: "twelve thirty on Friday"."""
        time = self._with_minutes(hour) if self.words.has_bare_minutes and not hour.number % 1 else hour
        if time.kind is not Kind.TIME or time.end == hour.end or not 1 <= hour.number <= 12 or hour.digits:
            return False
        before, calendar = hour.start - 1, (Kind.WEEKDAYS, Kind.DAY, Kind.PART)
        begins = before < 0 or self.tokens[before].kind == "stop" or self._ends_in(before, calendar)
        end = time.end + self._is("day_openings", time.end)
        named = self.parts.get(end)
        is_beside = (named is not None and named.kind in calendar) or (begins and time.end >= len(self.texts))
        return begins and (is_beside or self._ends_in(before, calendar))

    def _with_half(self, hour: Value) -> Value | None:
        half = self._is("half_hours", hour.end)
        return clock(int(hour.number), 30, hour.start, hour.end + half) if half else None

    def _stands_with_half(self, hour: Value) -> bool:
        """Return whether hour and half stand alone behind a day: "sáng mốt tám rưỡi"."""
        is_behind = self._ends_in(hour.start - 1, (Kind.WEEKDAYS, Kind.DAY, Kind.PART))
        return is_behind and 1 <= hour.number <= 12 and not hour.number % 1 and self._is("half_hours", hour.end) > 0

    def _ends_in(self, at: int, kinds: Sequence[Kind]) -> bool:
        """Return whether a part of one of the kinds ends with a token."""
        found = (self.parts.get(at - n) for n in range(3))
        return any(part is not None and part.end == at + 1 and part.kind in kinds for part in found)

    def _ends_time(self, at: int) -> bool:
        if at >= len(self.texts) or self.tokens[at].kind == "stop" or at in self.parts:
            return at not in self.parts or self.parts[at].kind is not Kind.NUMBER
        return bool(self._is("after_times", at) or self._is("range_words", at) or self._is("hour_words", at))

    def _is_counted_thing(self, time: Value) -> bool:
        return self._is_time_unit(time) or self.amounts.percent.length(self.texts, time.end) > 0

    def _is_time_unit(self, number: Value) -> bool:
        names = ("minute_units", "hour_units", "day_words", "week_words", "month_words", "year_words")
        has_currency = self.amounts.currencies.at(self.texts, number.end) is not None
        return has_currency or any(self._is(name, number.end) for name in names)

    # Lengths of time

    def _length(self, at: int) -> Value | None:
        number = self._part(at)
        end, count = (number.end, number.number) if number else (at + self._is("articles", at), Decimal(1))
        if end == at:
            end, count = at + self._is("one_and_half_before", at), Decimal("1.5")
        if end == at:
            return None
        if half := self._is("half_between", end):
            end, count = end + half, count + Decimal("0.5")
        units = (("hour_units", 60), ("minute_units", 1), ("day_words", DAY), ("week_words", 7 * DAY))
        for name, minutes in units:
            if (length := self._is(name, end)) and not any(n in self.parts for n in range(end + 1, end + length)):
                total, end = count * minutes, end + length
                if half := self._is("half_behind_units", end):
                    total, end = total + Decimal(minutes) / 2, end + half
                return Value(Kind.DURATION, at, end, number=total) if number or minutes in (60, 1) else None
        for name, days in (("month_words", 30), ("year_words", 365)):
            if number and (length := self._is(name, end)):
                return Value(Kind.DURATION, at, end + length, number=count * days * DAY)
        return None

    # Ranges

    def _with_ranges(self, found: Sequence[Value]) -> Iterator[Value]:
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
            elif self._ends_time(second.end) and (opens := self._as_time(first)) and (closes := self._as_time(second)):
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
            day = self._day(second.start + self._is("day_openings", second.start))
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
        tens = self._day(first.end - 2)  # "hai" of "từ hai ba đến hai sáu tháng mười hai"
        day = (self._short_tens(tens) if tens and tens.end == first.end - 1 else None) or self._day(first.start)
        if day is None or day.end != first.end or day.number >= last:
            return None
        return Value(Kind.DATE, day.start, day.end, date=(year, month, int(day.number)))

    def _is_range(self, first: Value, second: Value, *, strict: bool = False) -> bool:
        length = self._is("range_words", first.end)
        joins = length and first.end + length == second.start
        is_between = self._before("range_openings", first.start)  # "between the tenth and the twelfth"
        return bool(joins) and (is_between or not (strict and self.words.joins_only(self.texts, first.end)))

    def _as_time(self, value: Value) -> Value | None:
        is_hour = value.kind is Kind.NUMBER and 0 <= value.number <= 24 and value.number % 1 == 0
        return clock(int(value.number), 0, value.start, value.end) if is_hour else None


def _between(first: int, last: int) -> frozenset[int]:
    """The weekdays from one to another, both in it; they may go over the end of the week."""
    return frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))


def _within(minutes: frozenset[int], part: str) -> set[int]:
    """Return those of the minutes of a day that lie in a part of it, which may go on past midnight."""
    begin, end = PARTS[part][0] * 60, PARTS[part][1] * 60
    return {m for m in minutes if begin <= m < end or begin <= m + DAY < end}
