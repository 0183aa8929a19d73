"""Search for the values of a tool's arguments in what a caller heard, however they were said. Sans-IO.

"2026-12-01T10:00" stands in "Tuesday the first of December at ten", "+84912345678" in "0 9 1 2, 3 4 5, 6 7 8",
"anna@mail.com" in "anna at mail dot com", an id of the agent's facts in the name of its thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal

from services.language.capture_words import has_capture
from services.language.data import LanguageDataError
from services.language.dates import read_moment
from services.language.dictation import Dictation
from services.language.dictation import Kind as Sign
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.language.words import normalise, without_marks
from services.nlu.agent.capture.email import EmailForm
from services.nlu.agent.facts import names_in
from services.nlu.agent.profile import AgentProfile
from services.nlu.tools.clinic.whose import forms_of

_DAYS = (Kind.DATE, Kind.DAY, Kind.WEEKDAYS)
_NEAR = 4  # tokens between a weekday and its date
_PHONE = re.compile(r"\+?[\d\s().-]{6,24}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_FEWEST_DIGITS = 6
_STOPS = re.compile(r"[,.;:!?…。，、！？]+\s*")


@dataclass(frozen=True, slots=True)
class Said:
    """A day, a time, or both, as one was said. `minutes` of the day: each that it may be; empty: no time."""

    day: date | None
    minutes: frozenset[int]

    def is_at(self, moment: datetime) -> bool:
        return self.is_on(moment.date()) and moment.hour * 60 + moment.minute in self.minutes

    def is_on(self, day: date) -> bool:
        return self.day == day


class HeardText:
    """The heard text, in one language."""

    def __init__(self, text: str, language_code: str, *, now: datetime, profile: AgentProfile) -> None:
        """`now` is aware of the agent's zone."""
        self.language_code, self.text, self.now = language_code, text, now
        self._profile = profile
        self._reading = read_values(text, language_code)
        self._words = normalise(text)
        self._plain = tuple(without_marks(word) for word in self._words)
        self._dictation = Dictation(language_code) if has_capture(language_code) else None
        self.moments = tuple(_with_days(_moments(self._reading, language_code, now)))

    @property
    def clauses(self) -> list[str]:
        return [clause for clause in _STOPS.split(self.text) if clause.strip()]

    @property
    def words(self) -> tuple[str, ...]:
        return self._words

    def has_when(self, when: datetime | date | time, *, beside: Sequence[datetime] = ()) -> bool:
        """Return whether a time of a day was said, a day, or a time of day. The end of something is said by how long it
        lasts as well: `beside` are the other times of the call.
        """
        if isinstance(when, time):
            return any(when.hour * 60 + when.minute in said.minutes for said in self.moments)
        if not isinstance(when, datetime):
            return any(said.is_on(when) for said in self.moments)
        if any(said.is_at(when) for said in self.moments):
            return True
        lasts = {value.number for value in self._reading.values if value.kind is Kind.DURATION}
        return any(Decimal((when - begins).total_seconds()) / 60 in lasts for begins in beside if begins < when)

    def has_number(self, number: Decimal) -> bool:
        """In whatever it was said: a number, an amount, hours or minutes."""
        for value in self._reading.values:
            is_hours = value.kind is Kind.DURATION and value.number == number * 60
            if value.number == number or is_hours or value.digits.replace(",", "") == str(number):
                return value.kind not in _DAYS and value.kind is not Kind.TIME
        return False

    def has_phone(self, phone: str) -> bool:
        wanted = {form.lstrip("+") for form in forms_of(phone, self._profile.region)}
        return any(run in wanted for run in self._digit_runs())

    def has_email(self, address: str) -> bool:
        if address.casefold() in self.text.casefold():
            return True
        if self._dictation is None:
            return False
        said = EmailForm(self._dictation).said(address.casefold(), is_spelled=False).partition(":")[0]
        return _stands(normalise(said), self._words)

    def has_words(self, text: str) -> bool:
        """Return whether words stand there in their order, or each of them somewhere; letters may have lost their
        marks.
        """
        wanted = tuple(without_marks(word) for word in normalise(text.replace("_", " ")))
        if not wanted:
            return not text.strip()
        return _stands(wanted, self._plain) or set(wanted) <= set(self._plain) or self._is_spelled("".join(wanted))

    def names_thing(self, thing_id: str) -> bool:
        """Return whether it is the id of a thing in the agent's facts, and a name of that was said."""
        facts = self._profile.facts
        things = [(one.id, one.names) for one in facts.services]
        things += [(one.id, one.names) for one in facts.topics]
        things += [(one.id, one.names) for one in facts.people]
        names = (name for known, called in things if known == thing_id for name in names_in(called, self.language_code))
        return any(_stands(normalise(name), self._words) for name in names)

    def _is_spelled(self, wanted: str) -> bool:
        """Letters and digits one by one: "B as in Bravo, four two"."""
        if self._dictation is None:
            return False
        signs = [sign for sign in self._dictation.signs(self.text) if sign.kind in (Sign.DIGIT, Sign.LETTER)]
        return _stands((wanted,), tuple(sign.text.casefold() for sign in signs))

    def _digit_runs(self) -> Iterator[str]:
        """Digits that follow each other, with stops between groups at most."""
        groups: list[str] = []
        for clause in (*_STOPS.split(self.text), ""):
            runs = self._runs_of(clause)
            opens_clause, is_all = bool(runs) and runs[0][1], len(runs) == 1 and runs[0][1] and runs[0][2]
            if not opens_clause and groups:
                yield from _joined(groups)
                groups = []
            if is_all:
                groups.append(runs[0][0])
                continue
            if opens_clause:
                yield from _joined([*groups, runs[0][0]])
            yield from (run for run, _, _ in runs)
            groups = [runs[-1][0]] if runs and runs[-1][2] else []
        yield from _joined(groups)
        yield from (value.digits for value in self._reading.values if value.kind is Kind.DIGITS)

    def _runs_of(self, clause: str) -> list[tuple[str, bool, bool]]:
        """Each run of digits in a clause; whether the clause begins, and whether it ends with it."""
        if self._dictation is None:
            signs = [(word, word.isdecimal()) for word in normalise(clause)]
        else:
            found = self._dictation.signs(clause, with_letters=False)
            signs = [(sign.text, sign.kind is Sign.DIGIT) for sign in found if sign.kind is not Sign.MARK]
        runs: list[tuple[str, bool, bool]] = []
        for at, (text, is_digit) in enumerate(signs):
            if not is_digit:
                continue
            if at and signs[at - 1][1]:
                runs[-1] = (runs[-1][0] + text, runs[-1][1], at == len(signs) - 1)
            else:
                runs.append((text, at == 0, at == len(signs) - 1))
        return runs


def as_moment(text: str, profile: AgentProfile) -> datetime | date | time | None:
    """A value that is a time, a day or a time of day in ISO 8601, by the agent's clock; None: it is something else."""
    if "-" not in text and not _CLOCK.fullmatch(text):
        return None
    if _CLOCK.fullmatch(text):
        try:
            return time.fromisoformat(text.zfill(5))
        except ValueError:
            return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= len("2026-12-01"):
        return moment.date()
    return moment.astimezone(profile.zone).replace(tzinfo=None) if moment.tzinfo else moment


def is_phone(text: str) -> bool:
    return bool(_PHONE.fullmatch(text)) and sum(sign.isdecimal() for sign in text) >= _FEWEST_DIGITS


def is_email(text: str) -> bool:
    return bool(_EMAIL.fullmatch(text))


def heard_in(text: str, language_codes: Sequence[str], *, now: datetime, profile: AgentProfile) -> list[HeardText]:
    """A text as each of the languages reads it."""
    found = []
    for code in language_codes:
        try:
            found.append(HeardText(text, code, now=now, profile=profile))
        except LanguageDataError:
            continue
    return found


def _stands(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Return whether words stand among others in their order, cut into words in whatever way: "AB12" is "A B 1 2"."""
    whole = "".join(wanted)
    for start in range(len(words)):
        found, at = "", start
        while at < len(words) and len(found) < len(whole):
            found, at = found + words[at], at + 1
        if found == whole:
            return bool(whole)
    return False


def _joined(groups: Sequence[str]) -> Iterator[str]:
    for start in range(len(groups)):
        for end in range(start + 1, len(groups) + 1):
            yield "".join(groups[start:end])


def _moments(reading: Reading, language_code: str, now: datetime) -> Iterator[Said]:
    """Each day and time that a text names, a time with the day it was said with."""
    groups = _groups(reading)
    end = 0
    for at, group in enumerate(groups):
        last = group[-1].end
        if at == len(groups) - 1:
            last = len(reading.texts)
        text = " ".join(reading.texts[end:last])
        end = last
        times = [value for value in group if value.kind is Kind.TIME]
        is_day = any(value.kind in _DAYS for value in group)
        moment = read_moment(text, language_code, now=now)
        day = moment.day if moment is not None and is_day and moment.last_day is None else None
        if day is not None or times:
            yield Said(day, times[0].minutes if times else frozenset())


def _groups(reading: Reading) -> list[list[Value]]:
    groups: list[list[Value]] = []
    for value in (one for one in reading.values if one.kind in (*_DAYS, Kind.TIME)):
        group = groups[-1] if groups else []
        is_day = value.kind in _DAYS
        has_same = any((one.kind in _DAYS) is is_day for one in group)
        is_beside = bool(group) and is_day and group[-1].kind in _DAYS and value.start - group[-1].end <= _NEAR
        is_other_kind = is_beside and all(one.kind is not value.kind for one in group)
        if not group or (has_same and not is_other_kind):
            groups.append([value])
        else:
            group.append(value)
    return groups


def _with_days(found: Iterator[Said]) -> Iterator[Said]:
    """A time without a day of its own is on the day said before it."""
    day: date | None = None
    for said in found:
        day = said.day or day
        yield said if said.day else replace(said, day=day)
