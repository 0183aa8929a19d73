"""Times of day in a text. A time whose half of the day is not said has both. Sans-IO."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.language.calendar_words import PARTS, WIDER_PARTS
from services.language.value import Kind, Value
from services.language.value_parts import DAY, HALF_DAY, PartedText, clock

_QUARTER = 15
_HOUR = 60  # minutes


@dataclass(frozen=True, slots=True)
class TimeReader:
    """Reads the time that begins with a token."""

    text: PartedText

    def time(self, at: int) -> Value | None:
        """The time, with the part of the day beside it."""
        prefix = self.text.part(at, Kind.PART)
        start, part = at, ""
        if prefix is not None and (self._plain_time(prefix.end) is not None):
            at, part = prefix.end, prefix.part
        found = self._plain_time(at) or self._opened_time(at)
        if found is None:
            return None
        behind = self.text.part(found.end, Kind.PART)
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
        if clocked := self.text.part(at, Kind.TIME):
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
            length = self.text.length(name, at)
            hour = self._hour(at + length, ordinals=name.endswith("_towards")) if length else None
            if hour is not None:
                return self._shifted(hour, shift, start=at)
        return None

    def _counted(self, at: int) -> Value | None:
        """Minutes before or behind the hour: "ten to three", "без десяти три"."""
        if length := self.text.length("minutes_to", at):
            minutes = self.text.part(at + length)
            quarter = self.text.length("quarters", minutes.end) if minutes else 0
            skipped = (quarter or self.text.length("minute_words", minutes.end)) if minutes else 0
            hour = self._hour(minutes.end + skipped) if minutes else None
            if minutes and quarter:
                minutes = replace(minutes, number=minutes.number * _QUARTER)
            # "to" of "ten to three" stands behind the minutes
            is_before = not self.text.words.lists["minutes_past"].openings
            if is_before and minutes and hour is None and minutes.number > 20 and minutes.number % 10:
                # "без двадцати девять"
                hour = replace(minutes, number=minutes.number % 10)
                minutes = replace(minutes, number=minutes.number - hour.number)
            return self._shifted(hour, -int(minutes.number), start=at) if hour and minutes else None
        minutes = self.text.part(at)
        if minutes and (begun := self._of_begun_hour(minutes)):
            return begun
        is_range = self.text.stands_before("range_openings", at)
        if minutes is None or minutes.number not in (5, 10, 20, 25) or minutes.digits or is_range:
            return None
        skipped = self.text.length("minute_units", minutes.end)
        for name, sign in (("minutes_past", 1), ("minutes_to", -1)):
            length = self.text.length(name, minutes.end + skipped)
            hour = self._hour(minutes.end + skipped + length) if length else None
            if hour is not None:
                return self._shifted(hour, sign * int(minutes.number), start=at)
        return None

    def _of_begun_hour(self, minutes: Value) -> Value | None:
        """Minutes of the hour that has begun, by its ordinal: "пять минут двенадцатого" is 11:05."""
        skipped = self.text.length("minute_units", minutes.end)
        if not (skipped and self.text.words.lists["half_towards"].openings) or not 0 < minutes.number < _HOUR:
            return None
        hour = self._hour(minutes.end + skipped, ordinals=True)
        return self._shifted(hour, int(minutes.number) - _HOUR, start=minutes.start) if hour else None

    def _shifted(self, hour: Value, minutes: int, *, start: int) -> Value:
        at = int(hour.number) * 60 + minutes
        end = hour.end + self.text.length("hour_words", hour.end)
        return Value(Kind.TIME, start, end, minutes=frozenset({at % DAY, (at + HALF_DAY) % DAY}))

    def _hour(self, at: int, *, ordinals: bool = False) -> Value | None:
        hour = self.text.part(at, Kind.ORDINAL) if ordinals else self.text.part(at)
        return hour if hour is not None and 1 <= hour.number <= 12 and hour.number % 1 == 0 else None

    def _with_hour_word(self, at: int) -> Value | None:
        hour = self._hour_of_day(at)
        length = self.text.length("hour_words", hour.end) if hour else 0
        if hour is None or not length or self.text.length("hour_units", hour.end) > length:
            return None
        end = hour.end + length
        if self.text.length("hour_units", hour.end) == length and not self._is_told_as_time(at, end):
            return None  # "2 часа" is a length unless something says otherwise
        minute = 0
        if half := self.text.length("half_hours", end):
            minute, end = 30, end + half
        elif (to := self.text.length("minutes_to", end)) and (less := self.text.part(end + to)):
            minute, end = -int(less.number), less.end + self.text.length("minute_words", less.end)
        elif (more := self._minutes_at(end)) and 0 < more.number < 60:
            quarter = self.text.length("quarters", more.end)
            minute = int(more.number) * (_QUARTER if quarter else 1)
            end = more.end + (quarter or self.text.length("minute_words", more.end))
        total = int(hour.number) * 60 + minute
        is_plain = hour.number > 12 or hour.number == 0
        minutes = frozenset({total % (DAY + 1)} if is_plain else {total % DAY, (total + HALF_DAY) % DAY})
        return Value(Kind.TIME, at, end, minutes=minutes)

    def _minutes_at(self, at: int) -> Value | None:
        """A number of minutes, its nought left out: "oh five", "零五"."""
        more = self.text.part(at)
        ones = self.text.part(more.end) if more is not None and more.number == 0 and not more.digits else None
        return replace(ones, start=at) if ones is not None and 0 < ones.number < 10 else more

    def _hour_of_day(self, at: int) -> Value | None:
        hour = self.text.part(at)
        return hour if hour is not None and 0 <= hour.number <= 24 and hour.number % 1 == 0 else None

    def _is_told_as_time(self, at: int, end: int) -> bool:
        return self.text.part(end, Kind.PART) is not None or self.text.stands_before("time_openings", at)

    def _with_part(self, at: int) -> Value | None:
        """A part of the day stands behind it: "10 a.m.", "ten thirty in the morning"."""
        hour = self._hour(at) or self._decimal_hour(at)
        if hour is None:
            return None
        half = self.text.length("half_hours", hour.end) if hour.number % 1 == 0 else 0
        time = clock(int(hour.number), 30, at, hour.end + half) if half else self._with_minutes(hour)
        if self._counts_nights(hour):
            return None
        part = self.text.part(time.end, Kind.PART)
        if (
            part is not None
            and self.text.words.relative_days.at(self.text.texts, time.end)
            and not _within(time.minutes, part.part)
        ):
            return None  # "a room for two tonight"
        return time if part or (half and self.text.part(time.end, Kind.DAY)) else None

    def _counts_nights(self, number: Value) -> bool:
        """Return whether a number counts nights, though a night is a part of the day too: "на три ночи", "ba đêm"."""
        if not self.text.length("night_units", number.end):
            return False
        has_openings = bool(self.text.words.lists["night_openings"].openings)
        return not has_openings or self.text.stands_before("night_openings", number.start)

    def _decimal_hour(self, at: int) -> Value | None:
        """10.30, where a part of the day behind it tells that it is a time."""
        number = self.text.part(at)
        is_time = number and "." in number.digits and number.number < 25 and len(number.digits.partition(".")[2]) == 2
        return number if is_time else None

    def _with_minutes(self, hour: Value) -> Value:
        if hour.number % 1:
            whole, _, minute = hour.digits.partition(".")
            return clock(int(whole), int(minute), hour.start, hour.end) if int(minute) < 60 else hour
        more = self._minutes_at(hour.end)
        has_nought = more is not None and more.end - more.start > 1 and self.text.part(hour.end) is not None
        is_minute = more is not None and 0 < more.number < 60 and (more.number >= 10 or has_nought)
        if more is None or not is_minute or self.text.is_time_unit(more):
            return clock(int(hour.number), 0, hour.start, hour.end)
        return clock(int(hour.number), int(more.number), hour.start, more.end)

    def _opened_time(self, at: int) -> Value | None:
        """A bare number behind "at": a time, unless what follows makes it something else."""
        hour = self._hour_of_day(at)
        if hour is not None and (self._stands_with_minutes(hour) or self._stands_with_half(hour)):
            return self._with_half(hour) or self._with_minutes(hour)
        if hour is None or not self.text.stands_before("time_openings", at) or self._counts_nights(hour):
            return None
        half = self.text.length("half_hours", hour.end)
        time = clock(int(hour.number), 30, at, hour.end + half) if half else self._with_minutes(hour)
        is_sure = self.text.stands_before("sure_openings", at) and 0 < hour.number <= 12
        is_named = time.end < len(self.text.tokens) and self.text.tokens[time.end].is_capital
        is_time = self.text.ends_time(time.end) or (is_sure and not is_named and not self._is_counted_thing(time))
        return time if is_time else None

    def _stands_with_minutes(self, hour: Value) -> bool:
        """Return whether hour and minutes stand alone beside a day, or make the text: "twelve thirty on Friday"."""
        time = self._with_minutes(hour) if self.text.words.has_bare_minutes and not hour.number % 1 else hour
        if time.kind is not Kind.TIME or time.end == hour.end or not 1 <= hour.number <= 12 or hour.digits:
            return False
        before, calendar = hour.start - 1, (Kind.WEEKDAYS, Kind.DAY, Kind.PART)
        begins = before < 0 or self.text.tokens[before].kind == "stop" or self._ends_in(before, calendar)
        end = time.end + self.text.length("day_openings", time.end)
        named = self.text.parts.get(end)
        is_beside = (named is not None and named.kind in calendar) or (begins and time.end >= len(self.text.texts))
        return begins and (is_beside or self._ends_in(before, calendar))

    def _with_half(self, hour: Value) -> Value | None:
        half = self.text.length("half_hours", hour.end)
        return clock(int(hour.number), 30, hour.start, hour.end + half) if half else None

    def _stands_with_half(self, hour: Value) -> bool:
        """Return whether hour and half stand alone behind a day: "sáng mốt tám rưỡi"."""
        is_behind = self._ends_in(hour.start - 1, (Kind.WEEKDAYS, Kind.DAY, Kind.PART))
        is_hour = 1 <= hour.number <= 12 and not hour.number % 1
        return is_behind and is_hour and self.text.length("half_hours", hour.end) > 0

    def _ends_in(self, at: int, kinds: Sequence[Kind]) -> bool:
        """Return whether a part of one of the kinds ends with a token."""
        found = (self.text.parts.get(at - n) for n in range(3))
        return any(part is not None and part.end == at + 1 and part.kind in kinds for part in found)

    def _is_counted_thing(self, time: Value) -> bool:
        return self.text.is_time_unit(time) or self.text.amounts.percent.length(self.text.texts, time.end) > 0


def _within(minutes: frozenset[int], part: str) -> set[int]:
    """Return those of the minutes of a day that lie in a part of it, which may go on past midnight."""
    begin, end = PARTS[part][0] * 60, PARTS[part][1] * 60
    return {m for m in minutes if begin <= m < end or begin <= m + DAY < end}
