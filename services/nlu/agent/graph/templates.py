"""Words for what an agent knows, by the answering.toml of each language. Sans-IO, save for reading it once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from datetime import time as ClockTime  # noqa: N812 - the methods here are named for what they word
from decimal import Decimal
from itertools import groupby
from string import Formatter

from services.language import data
from services.language.data import primary
from services.nlu.agent.facts import Money
from services.nlu.agent.opening_hours import DAYS_IN_WEEK, Interval, OpeningHours

FILE = "answering"
REFERENCE = "en"  # the language whose sentences every other has too
_FILLED = frozenset(("say", "ask", "kinds"))  # tables of sentences
_FILLED_PARTS = frozenset(("of_rooms", "each"))  # and of what stands in them
_MONTHS_IN_YEAR = 12
_N_ARTICLES = 2
_LAST_AFTERNOON_HOUR = 18
_TWO_STOPS = re.compile(r"\.\.(?!\.)")  # an abbreviation at the end of a sentence


def _check(language: str) -> None:
    """Refuse words that a sentence would miss in a call: each key of the reference is there, and fills with its parts.

    Raises LanguageDataError.
    """
    for key in _texts_of(REFERENCE):
        text = data.text(language, FILE, key)
        try:
            parts = _parts_of(text)
        except ValueError as error:
            raise data.LanguageDataError(f"{data.where(language, FILE)}: {key!r}: {error}") from error
        if unknown := parts - _parts_of(data.text(REFERENCE, FILE, key)):
            raise data.LanguageDataError(f"{data.where(language, FILE)}: {key!r} has no part {{{min(unknown)}}}")
    for key, n_words in (("weekdays", DAYS_IN_WEEK), ("months", _MONTHS_IN_YEAR)):
        if len(data.words(language, FILE, key)) != n_words:
            raise data.LanguageDataError(f"{data.where(language, FILE)}: {key!r} has {n_words} words")
    data.texts(language, FILE, "languages")
    for currency in data.table(language, FILE, "currencies"):
        data.first(language, FILE, f"currencies.{currency}")
    articles = data.value(language, FILE, "articles")
    if articles and len(data.words(language, FILE, "articles")) != _N_ARTICLES:
        raise data.LanguageDataError(f"{data.where(language, FILE)}: 'articles' has two words, or none")
    if data.text(language, FILE, "clock") == "12":
        data.first(language, FILE, "halves")


def _texts_of(language: str) -> Iterator[str]:
    """The keys under which a text stands, "say.price" in a table."""
    for key, value in data.read(language, FILE).items():
        if isinstance(value, str):
            yield key
        elif isinstance(value, Mapping) and key in _FILLED | _FILLED_PARTS:
            yield from (f"{key}.{name}" for name in value)


def _parts_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


class Templates:
    """One language."""

    def __init__(self, language_code: str) -> None:
        """Raises LanguageDataError where the language has no answering.toml, or a key of it is missing."""
        self.language = primary(language_code)
        _check(self.language)
        self._currencies: Mapping[str, list[str]] = data.table(self.language, FILE, "currencies")
        self._weekdays = data.words(self.language, FILE, "weekdays")
        self._months = data.words(self.language, FILE, "months")
        self._say: Mapping[str, str] = data.table(self.language, FILE, "say")
        self._ask: Mapping[str, str] = data.table(self.language, FILE, "ask")
        self._each: Mapping[str, str] = data.table(self.language, FILE, "each")
        self.kinds: Mapping[str, str] = data.table(self.language, FILE, "kinds")
        self.languages: Mapping[str, str] = data.table(self.language, FILE, "languages")

    def say(self, key: str, **parts: str) -> str:
        """A sentence."""
        return self._filled(self._say[key], parts)

    def ask(self, key: str, **parts: str) -> str:
        """A question."""
        return self._filled(self._ask[key], parts)

    def plain(self, text: str) -> str:
        """A sentence without the "yes" that it opens with."""
        opening = self._text("yes")
        if not text.startswith(opening):
            return text
        rest = self._text("plain") + text.removeprefix(opening)
        return rest[:1].upper() + rest[1:]

    def _filled(self, template: str, parts: Mapping[str, str]) -> str:
        text = _TWO_STOPS.sub(".", template.format_map(parts))
        return text[:1].upper() + text[1:]

    def _text(self, key: str) -> str:
        return str(data.value(self.language, FILE, key))

    def all_of(self, things: Iterable[str]) -> str:
        return self._listed(list(things), self._text("list_joint"))

    def one_of(self, things: Iterable[str]) -> str:
        return self._listed(list(things), self._text("choice_joint"))

    def _listed(self, things: Sequence[str], joint: str) -> str:
        comma = self._text("comma") if "comma" in data.read(self.language, FILE) else ", "
        return joint.join([comma.join(things[:-1]), things[-1]]) if len(things) > 1 else "".join(things)

    def thing(self, name: str) -> str:
        """A thing with its article, where the language has one."""
        articles = data.value(self.language, FILE, "articles")
        if not articles or not name or name.split(maxsplit=1)[0].lower() in articles:
            return name
        return f"{articles[name[0].lower() in self._text('vowels')]} {name}"

    def rate(self, price: Money, per: str) -> str:
        """A price with what it is for one of, a key of [each]: "40 dollars a night". Empty: for the thing itself."""
        if not per:
            return self.money(price)
        return self._text("rate").format(price=self.money(price), each=self._each[per])

    def money(self, money: Money) -> str:
        """An amount as it is said: "1.500.000 đồng", "50 dollars"."""
        whole = money.amount == money.amount.to_integral_value()
        digits = f"{money.amount:,.0f}" if whole else f"{money.amount:,.2f}"
        mark = self._text("group_mark")
        decimal = "." if mark == "," else ","
        digits = digits.translate({ord(","): mark, ord("."): decimal})
        forms = self._currencies.get(money.currency, [money.currency])
        return self._text("money").format(amount=digits, currency=forms[self._form(money.amount, len(forms))])

    def _form(self, amount: Decimal, n_forms: int) -> int:
        """Return which form of a noun stands behind a number: of one, two, or three as in Russian (CLDR's one, few,
        many).
        """
        if n_forms == 1 or amount != amount.to_integral_value():
            return n_forms - 1 if n_forms < 3 else 1
        number = int(amount)
        if n_forms == 2:
            return int(number != 1)
        tens, ones = number % 100, number % 10
        if ones == 1 and tens != 11:
            return 0
        return 1 if 2 <= ones <= 4 and not 12 <= tens <= 14 else 2

    def time(self, at: ClockTime) -> str:
        if not at.hour and not at.minute:
            return self._text("midnight")
        if at.hour == 12 and not at.minute:
            return self._text("noon")
        halves = data.words(self.language, FILE, "halves") if self._text("clock") == "12" else ("",)
        part = 0 if at.hour < 12 else 1 if at.hour <= _LAST_AFTERNOON_HOUR else 2
        half = halves[min(part, len(halves) - 1)]
        hour = (at.hour % 12 or 12) if self._text("clock") == "12" else at.hour
        key = "time_with_minutes" if at.minute else "time"
        return self._text(key).format(hour=hour, minute=f"{at.minute:02}", half=half).strip()

    def weekday(self, day: int) -> str:
        return self._weekdays[day]

    def date(self, day: date) -> str:
        """A date with its weekday."""
        return self._text("date").format(
            weekday=self._weekdays[day.weekday()], month=self._months[day.month - 1], day=day.day, year=day.year
        )

    def on(self, day: str) -> str:
        """At a day: "on Friday"."""
        return self._text("on_day").format(day=day)

    def at(self, day: str, at: ClockTime) -> str:
        """A day and a time: "Tuesday at 10 a.m."."""
        return self._text("at_time").format(day=day, time=self.time(at))

    def spans(self, intervals: Iterable[Interval]) -> str:
        span = self._text("span")
        return self.all_of(span.format(opens=self.time(one.opens), closes=self.time(one.closes)) for one in intervals)

    def week(self, hours: OpeningHours) -> str:
        """The open days with their hours, days of the same hours together."""
        groups = [
            (intervals, [day for day, _ in days])
            for intervals, days in groupby(sorted(hours.weekdays.items()), key=lambda item: item[1])
        ]
        parts = [f"{self._days(days)} {self.spans(intervals)}" for intervals, days in groups if intervals]
        return self.all_of(parts)

    def days(self, days: Sequence[int]) -> str:
        """Weekdays (0 is Monday, rising), those in a row together: "Monday to Friday and Sunday"."""
        runs: list[list[int]] = []
        for day in days:
            if runs and day == runs[-1][-1] + 1:
                runs[-1].append(day)
            else:
                runs.append([day])
        return self.all_of(self._days(run) for run in runs)

    def _days(self, days: Sequence[int]) -> str:
        if len(days) > 2:
            return self._text("day_range").format(first=self._weekdays[days[0]], last=self._weekdays[days[-1]])
        return self.all_of(self._weekdays[day] for day in days)


class StayTemplates(Templates):
    """Words of an agent that lets rooms: those of [of_rooms] in place of [say] and [ask]."""

    def __init__(self, language_code: str) -> None:
        super().__init__(language_code)
        stay = data.table(self.language, FILE, "of_rooms")
        self._say, self._ask = {**self._say, **stay}, {**self._ask, **stay}

    def phrase(self, key: str, **parts: str) -> str:
        """A part of a sentence: as `say`, without a capital."""
        return self._say[key].format_map(parts)
