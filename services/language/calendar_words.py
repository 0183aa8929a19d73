"""The words of a language for days, months and times of day, by its dates.toml. Sans-IO, save for reading it once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.language import data
from services.language.phrases import PhraseSet, PhraseTable

FILE = "dates"
_LAST_WEEKDAY = 6  # Monday is 0
_LONGEST_MONTH = 31
_MOST_WEEKS = 52
_MOST_FEW = 10
_HOURS = 12
_MOST_IN_MONTH = 5  # days of one weekday
_FURTHEST_DAY = 366  # that a word like "tomorrow" names
LISTS = (
    *("hour_words", "minute_words", "half_hours", "half_before", "half_towards", "quarter_past", "quarter_to"),
    *("minutes_past", "minutes_to", "time_openings", "range_words", "next_words", "this_words", "last_words"),
    *("next_behind", "this_behind", "last_behind", "week_words", "day_words", "month_words", "year_words"),
    *("hour_units", "minute_units", "half_units", "in_before", "in_behind", "ago_behind", "day_openings", "day_behind"),
    *("month_openings", "lunar_words", "articles", "every_day", "end_of_month", "fillers", "ordinals_end", "quarters"),
    *(
        "after_times",
        "doubtful_months",
        "half_behind_units",
        "list_words",
        "sure_openings",
        "any_holiday",
        "next_but_one",
        "end_of_year",
        "one_and_half_before",
        "half_between",
        "days_before",
        "days_after",
        "end_words",
        "the_month",
        "one_after",
        "not_words",
        "leaving_words",
        "night_units",
        "night_openings",
        "quarter_towards",
        "bare_day_openings",
        "range_openings",
        "counted_from",
        "coming_behind",
        "day_later",
        "dated_parts",
    ),
)
_OPENINGS = (
    "half_before",
    "half_towards",
    "quarter_past",
    "quarter_to",
    "minutes_to",
    "day_openings",
    "articles",
    "one_and_half_before",
    "quarter_towards",
)
WIDER_PARTS = {"morning": "am", "afternoon": "pm", "evening": "pm"}
"""The half of the day that a part lies in: "three in the morning" is before any morning begins."""
PARTS = {  # of a day: its first hour, the hour behind it
    "am": (0, 12),
    "pm": (12, 24),
    "morning": (5, 12),
    "noon": (11, 14),
    "afternoon": (12, 18),
    "evening": (17, 24),
    "night": (18, 30),
}


@dataclass(frozen=True, slots=True)
class CalendarWords:
    """Calendar words of one language."""

    lists: Mapping[str, PhraseSet]
    weekdays: PhraseTable[frozenset[int]]  # with groups of them, and "every day"
    months: PhraseTable[int]
    relative_days: PhraseTable[int]
    day_parts: PhraseTable[str]
    times: PhraseTable[int]  # minutes of the day
    ordinals: PhraseTable[int]
    holidays: PhraseTable[tuple[int, int]]  # month and day
    nth_before: PhraseTable[int]  # before a weekday, which of its month it is; -1 is the last
    nth_behind: PhraseTable[int]
    weeks_before: PhraseTable[int]  # before a weekday, how many weeks behind the coming one: "a week on Thursday"
    weeks_behind: PhraseTable[int]  # "Thursday week"
    few: PhraseTable[int]  # "a couple of"
    day_spans: PhraseTable[int]  # the days of "a fortnight"
    shifts_before: PhraseTable[int]  # before a day, how many days from it: "the eve of" is -1
    shifts_behind: PhraseTable[int]
    halves_joined: PhraseTable[int]  # hours in one word with a half of them: minutes of half a day
    day_endings: tuple[str, ...]  # of an ordinal that, alone, is a day of the month
    has_bare_minutes: bool  # "nine thirty on Friday"
    is_day_first: bool
    has_ordinals: bool  # days of the month are ordinals: "the 5th"
    value_openings: frozenset[str]  # the first words of what a value of more than one part may begin with

    def length(self, name: str, texts: tuple[str, ...], at: int) -> int:
        """Return how many tokens the longest phrase of a list has here; 0: none begins here."""
        return self.lists[name].length(texts, at)

    def joins_only(self, texts: tuple[str, ...], at: int) -> bool:
        """Return whether the word here joins single things, though it may stand between the ends of a range: "and"."""
        return self.lists["list_words"].length(texts, at) > 0


def calendar_words(language_code: str) -> CalendarWords:
    """The words of a language; hardly any for one without a folder. Raises LanguageDataError."""
    return _read(data.known(language_code))


def load() -> None:
    """Read every language, so that no call waits for it."""
    for language in (*data.languages(), data.FALLBACK):
        _read(language)


@data.cached
def _read(language: str) -> CalendarWords:
    weekdays = {
        word: frozenset({day}) for word, day in data.numbers(language, FILE, "weekdays", most=_LAST_WEEKDAY).items()
    }
    weekdays |= _weekday_groups(language)
    weekdays |= dict.fromkeys(data.words(language, FILE, "every_day"), frozenset(range(7)))
    lists = {name: PhraseSet(data.words(language, FILE, name)) for name in LISTS}
    return CalendarWords(
        lists=lists,
        value_openings=frozenset().union(*(lists[name].openings for name in _OPENINGS)),
        weekdays=PhraseTable(weekdays),
        months=PhraseTable(data.numbers(language, FILE, "months", least=1, most=12)),
        relative_days=PhraseTable(
            data.numbers(language, FILE, "relative_days", least=-_FURTHEST_DAY, most=_FURTHEST_DAY)
        ),
        day_parts=PhraseTable(_parts(language)),
        times=PhraseTable({word: _minutes(language, time) for word, time in _table(language, "times").items()}),
        ordinals=PhraseTable(data.numbers(language, FILE, "ordinals", least=1, most=_LONGEST_MONTH)),
        holidays=PhraseTable({word: _month_day(language, day) for word, day in _table(language, "holidays").items()}),
        nth_before=PhraseTable(data.numbers(language, FILE, "nth_before", least=-1, most=_MOST_IN_MONTH)),
        nth_behind=PhraseTable(data.numbers(language, FILE, "nth_behind", least=-1, most=_MOST_IN_MONTH)),
        weeks_before=PhraseTable(data.numbers(language, FILE, "weeks_before", least=1, most=_MOST_WEEKS)),
        weeks_behind=PhraseTable(data.numbers(language, FILE, "weeks_behind", least=1, most=_MOST_WEEKS)),
        few=PhraseTable(data.numbers(language, FILE, "few", least=1, most=_MOST_FEW)),
        day_spans=PhraseTable(data.numbers(language, FILE, "day_spans", least=1, most=_FURTHEST_DAY)),
        shifts_before=PhraseTable(data.numbers(language, FILE, "shifts_before", least=-_FURTHEST_DAY)),
        shifts_behind=PhraseTable(data.numbers(language, FILE, "shifts_behind", least=-_FURTHEST_DAY)),
        halves_joined=PhraseTable(_halves_joined(language)),
        day_endings=tuple(data.words(language, FILE, "day_endings")),
        has_bare_minutes=data.flag(language, FILE, "bare_minutes"),
        has_ordinals=bool(data.table(language, FILE, "ordinals")),
        is_day_first=data.flag(language, FILE, "day_first"),
    )


def _table(language: str, key: str) -> Mapping[str, Any]:
    return data.table(language, FILE, key)


def _halves_joined(language: str) -> dict[str, int]:
    """Ordinals of hours written together with the half before them: minutes since noon or midnight."""
    ordinals = data.numbers(language, FILE, "ordinals", least=1, most=_LONGEST_MONTH)
    halves = data.words(language, FILE, "half_joined")
    return {half + word: hour * 60 - 30 for half in halves for word, hour in ordinals.items() if hour <= _HOURS}


def _weekday_groups(language: str) -> dict[str, frozenset[int]]:
    groups = {}
    for word, days in _table(language, "weekday_groups").items():
        if not isinstance(days, list) or not days or not all(type(day) is int and 0 <= day < 7 for day in days):
            raise data.LanguageDataError(
                f"{data.where(language, FILE)}: {word!r} in 'weekday_groups' is no list of weekdays, 0 to 6"
            )
        groups[word] = frozenset(days)
    return groups


def _parts(language: str) -> dict[str, str]:
    found = _table(language, "day_parts")
    if wrong := [word for word, part in found.items() if not isinstance(part, str) or part not in PARTS]:
        raise data.LanguageDataError(
            f"{data.where(language, FILE)}: {wrong[0]!r} in 'day_parts' names none of {', '.join(PARTS)}"
        )
    return dict(found)


def _minutes(language: str, written: object) -> int:
    hour, _, minute = str(written).partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and int(hour) <= 24 and int(minute) < 60):
        raise data.LanguageDataError(f"{data.where(language, FILE)}: {written!r} in 'times' is no time")
    return int(hour) * 60 + int(minute)


def _month_day(language: str, written: object) -> tuple[int, int]:
    month, _, day = str(written).partition("-")
    if not (month.isdecimal() and day.isdecimal() and 1 <= int(month) <= 12 and 1 <= int(day) <= _LONGEST_MONTH):
        raise data.LanguageDataError(f"{data.where(language, FILE)}: {written!r} in 'holidays' is no month and day")
    return int(month), int(day)
