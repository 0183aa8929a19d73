"""The values of a sentence: its day and time, a number to be dialled, an amount of money. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time

from services.language.dates import moment_in
from services.language.moment import Moment
from services.language.phrases import PhraseSet
from services.language.value import Kind, Reading, Value
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.facts import Money
from services.nlu.agent.graph.asking import Asking, Words
from services.nlu.agent.graph.counting import Counting
from services.nlu.agent.graph.mentions import may_be_hour
from services.nlu.agent.graph.sentences import phrase_pattern
from services.nlu.agent.graph.when import When

_LONGEST_HOUR = 12
_LONGEST_RELATION = 3  # words of "no later than"
_LEAST_AMOUNT = 5  # a bare number below it is no amount of money
_NIGHT = "night"  # a part of the day, and what a price is for
_STAND_IN = "it"  # in place of a word that looks like a number and is none: a word without a value
_MOST_BEFORE_STAND_IN = 4  # words: "the ten o'clock one"
_MASK = "\u00b7"  # in place of a word that is a name
_FEWEST_DICTATED, _MOST_DICTATED = 9, 15  # digits of a number that is said in groups (ITU-T E.164)
_FEWEST_DIALLED = 7  # digits of a number in figures that is one to be dialled


class SaidValues:
    """Reads the values of sentences in one language."""

    def __init__(
        self, words: Asking, language_code: str, counting: Counting, person_names: PhraseSet, *, lets_rooms: bool
    ) -> None:
        """`person_names`: of the agent's people; `lets_rooms`: so that a number is of nights rather than an hour."""
        self._words, self._language, self._counting = words, language_code, counting
        self._person_names, self._lets_rooms = person_names, lets_rooms
        self._greetings = phrase_pattern(words.greetings, language_code)
        self._corrections = phrase_pattern(words.corrections, language_code)

    def read(self, text: str, now: datetime) -> tuple[When, str, frozenset[int]]:
        """The day and the time, the number to be dialled, and the places of all values. `now` in the tenant's zone."""
        when, digits, places = self._values(self._without_stand_ins(text), now)
        when = self._corrected(when, text, now)
        if when.part and not when.times and not self._part_without_greeting(text, now):
            when = replace(when, part="")
        return when, digits, places

    def amount(self, text: str) -> Money | None:
        """The money that a sentence speaks of; None: none."""
        values = read_values(text, self._language).values
        found = next((value for value in values if value.kind is Kind.MONEY), None)
        found = found or next((v for v in values if v.kind is Kind.NUMBER and v.number >= _LEAST_AMOUNT), None)
        return Money(found.number, found.currency) if found else None

    def _values(self, text: str, now: datetime) -> tuple[When, str, frozenset[int]]:
        reading = self._without_periods(self._without_people(read_values(text, self._language)))
        days: list[int] = []
        times: list[time] = []
        part, digits = "", ""
        places: set[int] = set()
        moment = moment_in(reading, self._language, now=now) or Moment()
        for value in reading.values:
            places.update(range(value.start, value.end))
            match value.kind:
                case Kind.WEEKDAYS:
                    days += sorted(value.days - set(days))
                case Kind.TIME:
                    times += [_time(minute) for minute in _by_likelihood(value.minutes)]
                    part = value.part or part
                case Kind.PART | Kind.DAY:
                    part = value.part or part
                case Kind.DIGITS:
                    digits = value.digits
                case Kind.NUMBER if len(value.digits) >= _FEWEST_DIALLED:
                    digits = value.digits
                case Kind.NUMBER if (days or moment.day or moment.part) and may_be_hour(
                    value, reading, self._words, self._language, lets_rooms=self._lets_rooms
                ):
                    minute = int(value.number * 60)  # "tám rưỡi" is half past eight
                    if 60 <= minute < (_LONGEST_HOUR + 1) * 60 and minute % 30 == 0 and not times:
                        times += [_time(minute) for minute in _by_likelihood({minute, (minute + 720) % 1440})]
        digits = digits or _dictated(reading)
        if moment.at is not None and (moment.part or not times):
            times = [moment.at]
        when = When(
            times=tuple(times),
            part=moment.part or ("" if part == _NIGHT and (moment.day or moment.at) else part),
            trouble=moment.trouble,
            relation=self._relation(reading) if times else "",
        )
        is_weekly = bool(days) and (moment.day is None or moment.is_any_week)
        if is_weekly:
            when = replace(when, weekdays=tuple(days))
        elif moment.day:
            when = replace(when, date=moment.day, last_date=moment.last_day)
        if when.has_day:
            when = replace(when, day_relation=self._day_relation(reading), since=now.date())
        return when, digits, frozenset(places)

    def _corrected(self, when: When, text: str, now: datetime) -> When:
        """The day that was said instead of another: "Wednesday at ten, no sorry, I meant Thursday"."""
        found = list(self._corrections.finditer(text)) if when else []
        if not found:
            return when
        before = self._values(self._without_stand_ins(text[: found[0].start()]), now)[0]
        after = self._values(self._without_stand_ins(text[found[-1].end() :]), now)[0]
        if not (before.has_day and after.has_day):
            return when
        return replace(after, times=after.times or before.times, part=after.part or before.part)

    def _part_without_greeting(self, text: str, now: datetime) -> str:
        """Return the part of day that a text says beside a greeting: "good morning" is no time."""
        plain = self._greetings.sub(" ", text)
        return self._values(self._without_stand_ins(plain), now)[0].part if plain != text else "said"

    def _without_stand_ins(self, text: str) -> str:
        """The text with a mark for each word that is no number where it stands: "one" of "the Friday one"."""
        words, lists = text.split(), self._words
        plain = [" ".join(normalise(word)) for word in words]
        for at in range(2, len(words)):
            before = plain[max(0, at - _MOST_BEFORE_STAND_IN) : at - 1]
            is_last = words[at][-1:] in ".,;:!?" or at + 1 == len(words) or plain[at + 1] in lists.common
            if plain[at] in lists.stand_ins and is_last and lists.determiners.intersection(before):
                words[at] = words[at].lower().replace(plain[at], _STAND_IN)
        return " ".join(words)

    def _relation(self, reading: Reading) -> str:
        """Return what stands right before a time: "before nine", "after six"."""
        phrases = {"before": self._words.before, "after": self._words.after}
        return _related(reading, (Kind.TIME, Kind.NUMBER), phrases)

    def _day_relation(self, reading: Reading) -> str:
        """The same of a day: "sooner than Tuesday"."""
        phrases = {"sooner": self._words.sooner, "later": self._words.later}
        return _related(reading, (Kind.WEEKDAYS, Kind.DATE), phrases)

    def _without_periods(self, reading: Reading) -> Reading:
        """The reading without times that are counts of what prices are for: "tomorrow, one night" is tomorrow."""
        at = [place for place, token in enumerate(reading.tokens) if token.kind != "stop"]
        taken = {at[n] for n in self._counting.places(tuple(reading.texts[place] for place in at))}
        times = (Kind.TIME, Kind.PART, Kind.NUMBER)  # a bare number beside a day may be an hour
        kept = [v for v in reading.values if v.kind not in times or not taken & set(range(v.start, v.end))]
        return replace(reading, values=tuple(kept)) if len(kept) < len(reading.values) else reading

    def _without_people(self, reading: Reading) -> Reading:
        """The reading without names of people: "Mai" is tomorrow too, in Vietnamese."""
        names = self._person_names.find(reading.texts)
        if not names:
            return reading
        taken = {at for start, end, _ in names for at in range(start, end)}
        texts = tuple(_MASK if at in taken else text for at, text in enumerate(reading.texts))
        values = tuple(value for value in reading.values if not taken & set(range(value.start, value.end)))
        return replace(reading, texts=texts, values=values)


def _related(reading: Reading, kinds: Sequence[Kind], relations: Mapping[str, Sequence[Words]]) -> str:
    """The relation whose phrase stands right before a value of one of the kinds; empty: none."""
    for value in (value for value in reading.values if value.kind in kinds):
        lead = tuple(reading.texts[max(0, value.start - _LONGEST_RELATION) : value.start])
        for relation, phrases in relations.items():
            if any(lead[-len(phrase) :] == phrase for phrase in phrases):
                return relation
    return ""


def _dictated(reading: Reading) -> str:
    """A telephone number whose groups are said as numbers, with nothing but stops between: "девятьсот три, двести"."""
    runs: list[list[Value]] = [[]]
    for value in (value for value in reading.values if value.kind is Kind.NUMBER and value.number == int(value.number)):
        if runs[-1] and value.start - runs[-1][-1].end > 1:
            runs.append([])
        runs[-1].append(value)
    numbers = ("".join(str(int(value.number)) for value in run) for run in runs)
    return next((number for number in numbers if _FEWEST_DICTATED <= len(number) <= _MOST_DICTATED), "")


def _by_likelihood(minutes: frozenset[int] | set[int]) -> list[int]:
    """Of two halves of the day the one a business is more likely open in first."""
    return sorted({minute % 1440 for minute in minutes}, key=lambda minute: (not 420 <= minute < 1140, minute))


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)
