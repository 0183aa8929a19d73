"""A value that was said: an amount, a time, a date, a weekday. Sans-IO."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from services.language.phrases import Token


class Kind(Enum):
    """The kind of a value."""

    NUMBER = "number"
    MONEY = "money"
    TIME = "time"
    PART = "part of the day"
    WEEKDAYS = "weekdays"
    DAY = "relative day"
    DATE = "date"
    MONTH = "month"
    ORDINAL = "ordinal"
    PERCENT = "percent"
    DURATION = "duration"
    DIGITS = "digits"
    NONE = "a phrase with a number that names none"


@dataclass(frozen=True, slots=True)
class Value:
    """One value, and the tokens it was said in (`end` is behind the last)."""

    kind: Kind
    start: int
    end: int
    number: Decimal = Decimal(0)  # NUMBER, MONEY, PERCENT, MONTH, ORDINAL; DURATION: minutes; DAY: from today
    currency: str = ""  # MONEY: ISO 4217; empty: not said
    minutes: frozenset[int] = frozenset()  # TIME: of the day, each that it may be; 1440 is midnight at its end
    days: frozenset[int] = frozenset()  # WEEKDAYS, as date.weekday() counts
    part: str = ""  # PART, and that of a TIME: a key of calendar_words.PARTS
    date: tuple[int | None, int | None, int | None] = (None, None, None)  # DATE: year, month, day
    digits: str = ""  # DIGITS, and a number in figures as written


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with its tokens and the values in it, in order."""

    tokens: tuple[Token, ...]
    texts: tuple[str, ...]
    values: tuple[Value, ...]

    def words(self, value: Value) -> str:
        """The value as it was said."""
        return " ".join(self.texts[value.start : value.end])
