"""Dates and times as callers say them, made into ISO dates by code: "next Tuesday afternoon", "mồng ba", "下周二".

Sans-IO: the clock comes in as `now`, with the tenant's zone. Words stand in each language's dates.toml. Of a day
without a month or a year the next one is meant, today included. Weeks begin on Monday: "next Tuesday" and "thứ ba tuần
sau" are those of the next week, "this Friday" is that of this one or, where that is past, the one to come, as is a bare
weekday.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import Enum

from services.language.calendar_words import PARTS, CalendarWords, calendar_words
from services.language.days_beside import DaysBeside
from services.language.nth_days import nth_weekday
from services.language.phrases import PhraseSet
from services.language.stretches import ends_of
from services.language.value import Kind, Reading, Value
from services.language.value_parts import numbers_in, phrases_in
from services.language.value_words import value_words
from services.language.values import read_values

DAYS_IN_WEEK = 7
MONTHS_IN_YEAR = 12
MINUTES_IN_DAY = 24 * 60
_OFFICE_BEGINS_MIN, _OFFICE_ENDS_MIN = 7 * 60, 19 * 60  # of a time whose half of the day is not said
_SPAN = "span"  # a unit that is a number of days: a fortnight
_MOST_WEEKDAYS = 8  # that are counted ahead: "two Fridays from now"
_WEEKEND = 5  # the first weekday of it
_BETWEEN = (  # lists of words that stand between a weekday and its date: "Friday this week, the third"
    *("time_openings", "day_openings", "articles", "this_words", "next_words", "this_behind", "next_behind"),
    *("week_words", "month_openings"),
)
_NIGHT = "night"  # a part of the day, and the first half of many a word
_LONGEST_DAYS = 2 * 366  # ahead; what lies further was misheard


class Trouble(Enum):
    """The reason why an expression names no possible moment."""

    NO_SUCH_DATE = "no_such_date"  # 30 February
    PAST = "past"
    LUNAR = "lunar"  # a date of the lunar calendar, which is not reckoned here
    CONTRADICTION = "contradiction"  # "Tuesday the 5th", and the 5th is a Saturday
    TOO_FAR = "too_far"


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or time that was said, resolved. `day` None: a time alone; `at` None: a day alone."""

    day: date | None = None
    last_day: date | None = None  # of a stretch of days: "next week"
    at: time | None = None
    part: str = ""  # of the day, a key of calendar_words.PARTS
    trouble: Trouble | None = None
    is_any_week: bool = False  # a weekday, or some of them, and no week: `day` is the next

    @property
    def iso(self) -> str:
        """ISO 8601: a date, a date with a time, a time alone, or two dates with a stroke between; "": nothing."""
        if self.day is None:
            return self.at.strftime("%H:%M") if self.at else ""
        if self.at is not None:
            return f"{self.day.isoformat()}T{self.at:%H:%M}"
        return f"{self.day.isoformat()}/{self.last_day.isoformat()}" if self.last_day else self.day.isoformat()


def read_moment(text: str, language_code: str, *, now: datetime) -> Moment | None:
    """The day and the time that a text names; None: none. `now` is aware of the tenant's zone."""
    return moment_in(read_values(text, language_code), language_code, now=now)


def moment_in(reading: Reading, language_code: str, *, now: datetime) -> Moment | None:
    """Do as `read_moment`, for a text that has been read."""
    finder = _Finder(reading, calendar_words(language_code), language_code, now)
    return finder.moment()


_Found = tuple[date | None, date | None, Trouble | None]  # the day, the last day of a stretch, what is wrong


@dataclass(slots=True)
class _Finder:
    """State of the reading of one text."""

    reading: Reading
    words: CalendarWords
    language_code: str
    now: datetime
    is_any_week: bool = False
    counts_days: bool = False
    used: range = range(0)  # tokens of days that were counted: "через три дня" names no afternoon

    def _is_used(self, value: Value) -> bool:
        return value.start in self.used or value.end - 1 in self.used

    @property
    def _beside(self) -> DaysBeside:
        return DaysBeside(self.reading, self.words, self.language_code)

    def moment(self) -> Moment | None:
        day, last, trouble = self._day()
        times = [value for value in self.reading.values if value.kind is Kind.TIME and not self._is_used(value)]
        time_value = times[0] if times else None
        part = self._part()
        after = self._after()
        if after is not None:
            return Moment(day=after.date(), at=after.time().replace(second=0, microsecond=0, tzinfo=None))
        if day is None and trouble is None and time_value is None and not part:
            return None
        if trouble is not None:
            return Moment(trouble=trouble)
        minute = self._minute(time_value, part) if time_value else None
        if day is None and (minute is not None or part in ("evening", "noon", "afternoon", "morning")):
            return self._time_alone(minute, part)
        at = None if minute is None else _clock(minute)
        return self._checked(Moment(day, last, at, part, is_any_week=self.is_any_week), minute)

    def _time_alone(self, minute: int | None, part: str) -> Moment:
        return Moment(at=None if minute is None else _clock(minute), part=part)

    def _checked(self, moment: Moment, minute: int | None) -> Moment:
        """Refuse what lies behind, and what lies too far ahead."""
        if moment.day is None:
            return moment
        if minute is not None and minute >= MINUTES_IN_DAY:
            moment = replace(moment, day=moment.day + timedelta(days=1))
        today = self.now.date()
        last = moment.last_day or moment.day or today
        if last < today:
            return Moment(trouble=Trouble.PAST)
        if moment.day == today and moment.at is not None and moment.at <= self.now.time().replace(tzinfo=None):
            if moment.is_any_week:
                return replace(moment, day=today + timedelta(days=DAYS_IN_WEEK))
            return Moment(trouble=Trouble.PAST)
        if moment.day is not None and (moment.day - today).days > _LONGEST_DAYS:
            return Moment(trouble=Trouble.TOO_FAR)
        return moment

    # Days

    def _day(self) -> _Found:  # noqa: PLR0911 - one return a way to say it
        """The day, the last day of a stretch, what is wrong."""
        texts, values = self.reading.texts, self.reading.values
        if self.words.lists["lunar_words"].are_in(texts):
            return None, None, Trouble.LUNAR
        today = self.now.date()
        relative = self._relative_days()
        weekdays = self._weekdays()
        dated = next((v for v in values if self._is_dated(v)), None)
        ahead = self._days_ahead()
        nth = nth_weekday(self.reading, self.words, today=today, month_offset=self._offset("month_words"))
        if (
            nth is None
            and (ends := ends_of(self.reading, self.words)) is not None
            and self._offset("week_words") is None
        ):
            return self._stretch(*ends)
        if nth is not None:
            return (*nth, None) if nth else (None, None, Trouble.NO_SUCH_DATE)
        if dated is not None:
            day, last, trouble = self._dated(dated)
            shift = self._beside.days_from(dated)
            shifted = day + timedelta(days=shift) if day and shift else day
            if day and not shift and (beside := self._beside.weekday_beside(day, dated, weekdays)):
                return beside, None, None
            return self._beside_weekday((shifted, last, trouble), dated.start, dated.end, weekdays)
        if weekdays and (shift := self._beside.days_from(weekdays[0])):  # "the day after Thursday"
            day, last, trouble = self._weekday(weekdays[0])
            return (day + timedelta(days=shift), None, trouble) if day and not last else (day, last, trouble)
        if ahead is not None:
            used = self.used
            return self._beside_weekday(ahead, used.start, used.stop, weekdays) if self.counts_days else ahead
        if relative:
            start, end, days = relative[0]
            days += self._beside.counted_from(start) + self._is_day_later(start, end)
            return self._beside_weekday((today + timedelta(days=days), None, None), start, end, weekdays)
        if self.words.lists["end_of_month"].are_in(texts) and not any(v.kind is Kind.MONTH for v in values):
            return _end_of_month(_months_on(today.replace(day=1), self._offset("month_words") or 0)), None, None
        if self.words.lists["end_of_year"].are_in(texts):
            return today.replace(month=MONTHS_IN_YEAR, day=31), None, None
        return self._weekday(weekdays[0]) if weekdays else self._week_or_month()

    def _is_dated(self, value: Value) -> bool:
        """Return whether a value is a day of a month; not the number of a weekday: "the first Monday"."""
        if value.kind is not Kind.DATE or value.date[2] is None or value.part:
            return False
        if not any(v.kind is Kind.WEEKDAYS and v.start == value.end for v in self.reading.values):
            return True
        hits = [(at, self.words.nth_before.at(self.reading.texts, at)) for at in range(value.start, value.end)]
        return not any(hit and at + hit[0] == value.end for at, hit in hits)

    def _weekdays(self) -> list[Value]:
        """The weekdays that are named, without those that are not meant where another is: "not Friday but Monday"."""
        named = [v for v in self.reading.values if v.kind is Kind.WEEKDAYS and len(v.days) < DAYS_IN_WEEK]
        return [value for value in named if not self._is_denied(value.start)] or named

    def _relative_days(self) -> list[tuple[int, int, int]]:
        """The days named by their distance; not those that are not meant: "not tomorrow but Friday"."""
        named = self.words.relative_days.find(self.reading.texts)
        if later := [hit for hit in named if self._is_day_later(hit[0], hit[1])]:
            return later
        meant = [hit for hit in named if not self._is_denied(hit[0])]
        others = any(v.kind in (Kind.WEEKDAYS, Kind.DATE) for v in self.reading.values)
        return meant if meant or others else named

    def _is_denied(self, start: int) -> bool:
        texts, denies = self.reading.texts, self.words.lists["not_words"]
        return any(denies.length(texts, start - n) == n for n in (1, 2, 3) if start >= n)

    def _is_day_later(self, start: int, end: int) -> bool:
        """Return whether a day is meant that stands behind one that is not: "not tomorrow, the day after"."""
        texts, later = self.reading.texts, self.words.lists["day_later"]
        return self._is_denied(start) and any(later.length(texts, at) for at in range(end, len(texts)))

    def _stretch(self, first: Value, second: Value) -> _Found:
        """The days from one to another; the second is the next such behind the first."""
        begins, _, trouble = self._end_of_stretch(first)
        if begins is None or trouble is not None:
            return None, None, trouble
        if second.kind is Kind.WEEKDAYS:
            return begins, begins + timedelta(days=(next(iter(second.days)) - begins.weekday()) % DAYS_IN_WEEK), None
        if second.kind is Kind.DATE and second.date[1] is None and second.date[2] is not None:
            month = begins.replace(day=1) if second.date[2] > begins.day else _months_on(begins.replace(day=1), 1)
            ends = _date(month.year, month.month, second.date[2])
            return (begins, ends, None) if ends else (None, None, Trouble.NO_SUCH_DATE)
        ends, _, trouble = self._end_of_stretch(second)
        if ends is None or trouble is not None:
            return None, None, trouble
        return (begins, ends, None) if ends > begins else (begins, None, None)

    def _end_of_stretch(self, value: Value) -> _Found:
        if value.kind is Kind.DATE:
            return self._dated(value)
        if value.kind is Kind.DAY:
            return self.now.date() + timedelta(days=int(value.number)), None, None
        return self._weekday(value)

    def _beside_weekday(self, found: _Found, start: int, end: int, weekdays: Sequence[Value]) -> _Found:
        """The day that is named from `start` to `end`, among the weekdays of the text. Only a weekday beside it can
        contradict it ("Tuesday the third"); one that stands apart is another day, and the later of two days counts:
        "I've an appointment tomorrow, can I come on Friday?".
        """
        day = found[0]
        if day is None or not weekdays:
            return found
        if beside := [value for value in weekdays if self._are_beside(value, start, end)]:
            agrees = any(day.weekday() in value.days for value in beside)
            return found if agrees else (None, None, Trouble.CONTRADICTION)
        last = weekdays[-1]
        return self._weekday(last) if last.start >= end and day.weekday() not in last.days else found

    def _are_beside(self, weekday: Value, start: int, end: int) -> bool:
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

    def _dated(self, value: Value) -> _Found:
        year, month, day = value.date
        today = self.now.date()
        if day is None:
            return None, None, None
        if year is None and self._is_beside("year_words", "next", value):
            year = today.year + 1
        if month is None and (offset := self._offset("month_words")) is not None:
            first = _months_on(today.replace(day=1), offset)
            year, month = first.year, first.month
        if month is None:
            return self._day_of_month(day)
        if year is not None:
            found = _date(year, month, day)
            trouble = None if found else Trouble.NO_SUCH_DATE
            return found, None, trouble or (Trouble.PAST if found and found < today else None)
        for candidate in (today.year, today.year + 1):
            found = _date(candidate, month, day)
            if found is not None and found >= today:
                return found, None, None
        leap = next((d for n in range(2, 9) if (d := _date(today.year + n, month, day))), None)
        return None, None, Trouble.TOO_FAR if leap else Trouble.NO_SUCH_DATE

    def _day_of_month(self, day: int) -> _Found:
        today = self.now.date()
        first = today.replace(day=1)
        for n in range(MONTHS_IN_YEAR):
            month = _months_on(first, n)
            found = _date(month.year, month.month, day)
            if found is not None and found >= today:
                return found, None, None
        return None, None, Trouble.NO_SUCH_DATE

    def _weekday(self, value: Value) -> _Found:
        today = self.now.date()
        monday = today - timedelta(days=today.weekday())
        offset = self._weekday_offset(value)
        self.is_any_week = offset is None
        if len(value.days) > 1:  # the weekend, the working days
            first, last = min(value.days), max(value.days)
            week = offset if offset is not None else (1 if last < today.weekday() else 0)
            begins = monday + timedelta(days=week * DAYS_IN_WEEK + first)
            return max(begins, today) if week == 0 else begins, begins + timedelta(days=last - first), None
        day = next(iter(value.days))
        if weeks := self._weeks_behind(value):
            return today + timedelta(days=(day - today.weekday()) % DAYS_IN_WEEK + weeks * DAYS_IN_WEEK), None, None
        if self.words.lists["one_after"].are_in(self.reading.texts):  # "not this Friday but the one after"
            coming = today + timedelta(days=(day - today.weekday()) % DAYS_IN_WEEK)
            return coming + timedelta(days=DAYS_IN_WEEK), None, None
        is_coming = offset == 0 and self._offset("week_words") is None  # "this Wednesday", said on a Sunday
        if self.words.length("coming_behind", self.reading.texts, value.end):  # "thứ bảy tới"; today is not to come
            return today + timedelta(days=(day - today.weekday() - 1) % DAYS_IN_WEEK + 1), None, None
        if offset is None or is_coming:
            return today + timedelta(days=(day - today.weekday()) % DAYS_IN_WEEK), None, None
        return monday + timedelta(days=offset * DAYS_IN_WEEK + day), None, None

    def _weeks_behind(self, value: Value) -> int:
        """Return how many weeks behind the coming weekday are meant: "Thursday week", "a week on Thursday"."""
        texts, before = self.reading.texts, self.words.weeks_before
        hits = [before.at(texts, value.start - n) for n in (2, 3) if value.start >= n]
        hits += [self.words.weeks_behind.at(texts, value.end)]
        n_days = next(
            (v for v in numbers_in(self.reading.tokens, {}, self.language_code).values() if v.end == value.start), None
        )
        if (
            n_days is not None
            and 1 < n_days.number <= _MOST_WEEKDAYS
            and self.words.length("in_behind", texts, value.end)
        ):
            return int(n_days.number) - 1  # "two Fridays from now"
        return next((hit[1] for hit in hits if hit is not None), 0)

    def _weekday_offset(self, value: Value) -> int | None:
        """Weeks from this one, as said right beside a weekday or by the week's own name; None: not said."""
        for name, weeks in (("next", 1), ("this", 0), ("last", -1)):
            before, behind = self.words.lists[f"{name}_words"], self.words.lists[f"{name}_behind"]
            texts = self.reading.texts
            if any(before.length(texts, value.start - n) == n for n in (1, 2, 3) if value.start >= n):
                return weeks * self._times_said(before, value.start)
            if self.words.length("next_but_one", texts, value.end):
                return 2
            if behind.length(texts, value.end):
                return weeks
        return self._offset("week_words")

    def _times_said(self, before: PhraseSet, at: int) -> int:
        """Return how often a word stands before a day: "下下周一" is of the week after next."""
        texts, n = self.reading.texts, 0
        last = next((at - k for k in (1, 2, 3) if at >= k and before.length(texts, at - k) == k), at)
        while last > n and before.length(texts, last - n - 1) and texts[last - n - 1] == texts[last]:
            n += 1
        return n + 1

    def _offset(self, unit: str) -> int | None:
        """Weeks or months from this one: "next week", "tuần sau", "через неделю"; None: none is named."""
        texts = self.reading.texts
        for at in range(len(texts)):
            length = self.words.length(unit, texts, at)
            if not length:
                continue
            for name, offset in (("next", 1), ("this", 0), ("last", -1)):
                before, behind = self.words.lists[f"{name}_words"], self.words.lists[f"{name}_behind"]
                if any(before.length(texts, at - n) == n for n in (1, 2, 3) if at >= n):
                    return offset * self._times_said(before, at)
                if self.words.length("next_but_one", texts, at + length):
                    return 2
                if behind.length(texts, at + length):
                    return offset
        return None

    def _is_beside(self, unit: str, name: str, value: Value) -> bool:
        texts = self.reading.texts
        for at in range(len(texts)):
            length = self.words.length(unit, texts, at)
            if length and (
                self.words.lists[f"{name}_words"].length(texts, at - 1)
                or self.words.lists[f"{name}_behind"].length(texts, at + length)
            ):
                return True
        return False

    def _week_or_month(self) -> _Found:
        today = self.now.date()
        weeks = self._offset("week_words")
        if weeks is not None:
            monday = today - timedelta(days=today.weekday()) + timedelta(days=weeks * DAYS_IN_WEEK)
            return max(monday, today) if weeks == 0 else monday, monday + timedelta(days=6), None
        months = self._offset("month_words")
        if months is not None:
            first = _months_on(today.replace(day=1), months)
            if self._is_end():
                return _end_of_month(first), None, None
            return max(first, today) if months == 0 else first, _end_of_month(first), None
        month = next((value for value in self.reading.values if value.kind is Kind.MONTH), None)
        if month is not None:
            year = today.year + (1 if int(month.number) < today.month else 0)
            first = date(year, int(month.number), 1)
            if self._is_end(month):
                return _end_of_month(first), None, None
            return max(first, today), _end_of_month(first), None
        return None, None, None

    def _is_end(self, month: Value | None = None) -> bool:
        """Return whether the end of a month is meant: "the end of next month", "в конце января", "下个月底"."""
        texts, ends = self.reading.texts, self.words.lists["end_words"]
        if month is None:
            return ends.are_in(texts)
        before = any(ends.length(texts, month.start - n) == n for n in range(1, 5) if month.start >= n)
        return before or ends.length(texts, month.end) > 0

    # So much ahead

    def _days_ahead(self) -> _Found | None:
        """So many days, weeks or months from today: "in three days", "hai tuần nữa", "через неделю", "三天后"."""
        today = self.now.date()
        for count, unit, is_past in self._counted(("day_words", "week_words", "month_words")):
            if is_past:
                return None, None, Trouble.PAST
            self.counts_days = unit == "day_words"
            if unit in ("day_words", _SPAN):
                return today + timedelta(days=count), None, None
            if unit == "week_words":
                return self._in_week(today + timedelta(days=count * DAYS_IN_WEEK)), None, None
            first = _months_on(today.replace(day=1), count)
            day = min(today.day, _end_of_month(first).day)
            return first.replace(day=day), None, None
        return None

    def _in_week(self, day: date) -> date:
        """The weekday that is named in the week of a day, or the day: "in two weeks on Friday"."""
        named = [v.days for v in self.reading.values if v.kind is Kind.WEEKDAYS and len(v.days) == 1]
        return day + timedelta(days=next(iter(named[0])) - day.weekday()) if named else day

    def _after(self) -> datetime | None:
        """So many hours or minutes from now: "in two hours", "30 phút nữa"."""
        for value in self.reading.values:
            if (
                value.kind is Kind.DURATION
                and 0 < value.number < MINUTES_IN_DAY
                and self._is_ahead(value.start, value.end)
            ):
                return self.now + timedelta(minutes=float(value.number))
        return None

    def _counted(self, units: Sequence[str]) -> list[tuple[int, str, bool]]:
        """Numbers of days, weeks or months that are said to lie ahead, or behind; of a span's days, as _SPAN."""
        texts = self.reading.texts
        phrases = phrases_in(texts, self.words, value_words(self.language_code))
        numbers = numbers_in(self.reading.tokens, phrases, self.language_code)
        found = []
        for at in range(len(texts)):
            span = self.words.day_spans.at(texts, at)
            for unit in (*units, _SPAN):
                length = (span[0] if span else 0) if unit == _SPAN else self.words.length(unit, texts, at)
                if not length or (span and unit != _SPAN):
                    continue
                number = self._beside.count_ending(at) or next((n for n in numbers.values() if n.end == at), None)
                start, count = (number.start, int(number.number)) if number else (at, 1)
                count *= span[1] if span else 1
                if number is None and any(self.words.length("articles", texts, at - n) == n for n in (1, 2) if at >= n):
                    start = at - 1
                is_bare_one = number is None and start == at and unit != _SPAN
                if self._is_ahead(start, at + length) and not (is_bare_one and not self._opens_ahead(start)):
                    found.append((count, unit, False))
                    self.used = range(start, at + length)
                elif (number is not None or start < at) and self.words.length("ago_behind", texts, at + length):
                    found.append((count, unit, True))
        return found

    def _opens_ahead(self, start: int) -> bool:
        texts = self.reading.texts
        return any(self.words.length("in_before", texts, start - n) == n for n in (1, 2) if start >= n)

    def _is_ahead(self, start: int, end: int) -> bool:
        return self._opens_ahead(start) or self.words.length("in_behind", self.reading.texts, end) > 0

    # Times

    def _part(self) -> str:
        for value in self.reading.values:
            is_part = value.part and value.kind in (Kind.PART, Kind.TIME) and not self._is_used(value)
            if is_part and not self._names_a_thing(value):
                return value.part
        texts = self.reading.texts
        for at in range(len(texts)):  # "tonight", "sáng nay", "明晚" name a day and a part of it
            day = self.words.relative_days.at(texts, at)
            if day is not None:
                inner = self.words.day_parts.at(texts[: at + day[0]], at)
                last = self.words.day_parts.at(texts[: at + day[0]], at + day[0] - 1)
                if inner or last:
                    return (inner or last or (0, ""))[1]
        return ""

    def _names_a_thing(self, value: Value) -> bool:
        """Return whether a word for the night stands apart from the day and the time that are said: "a night guard on
        Wednesday at three".
        """
        if value.kind is not Kind.PART or value.part != _NIGHT:
            return False
        moments = [v for v in self.reading.values if v.kind in (Kind.TIME, Kind.DATE, Kind.DAY, Kind.WEEKDAYS)]
        return bool(moments) and not any(self._are_beside(one, value.start, value.end) for one in moments)

    def _minute(self, value: Value, part: str) -> int:
        """The minute of the day that is meant: in the part of the day that is said, else in the hours people keep."""
        candidates = sorted(value.minutes)
        if part in PARTS:
            begin, end = PARTS[part][0] * 60, PARTS[part][1] * 60
            fitting = [m for m in candidates if begin <= m < end] or [
                m + MINUTES_IN_DAY for m in candidates if begin <= m + MINUTES_IN_DAY < end
            ]
            if fitting:
                return fitting[0]
        by_day = [minute for minute in candidates if _OFFICE_BEGINS_MIN <= minute < _OFFICE_ENDS_MIN]
        return (by_day or candidates)[0]


def _clock(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _months_on(first: date, months: int) -> date:
    """The first day of the month so many behind another's first day."""
    month = first.month - 1 + months
    return date(first.year + month // MONTHS_IN_YEAR, month % MONTHS_IN_YEAR + 1, 1)


def _end_of_month(day: date) -> date:
    return _months_on(day.replace(day=1), 1) - timedelta(days=1)
