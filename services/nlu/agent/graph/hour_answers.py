"""Answers about opening hours, from the typed hours alone. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from services.language import data
from services.language.calendar_words import PARTS
from services.language.data import primary
from services.language.moment import Trouble
from services.language.words import normalise
from services.nlu.agent.facts import names_in
from services.nlu.agent.graph.asking import FILE, UNKNOWN, Words, refers
from services.nlu.agent.graph.counting import has_any, spans_of
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding, Findings
from services.nlu.agent.graph.naming import Found
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.several_days import days_apart
from services.nlu.agent.graph.slots import SlotFinder, unexplained
from services.nlu.agent.graph.strangers import asks_whether_there_is
from services.nlu.agent.graph.when import When
from services.nlu.agent.opening_hours import DAYS_IN_WEEK, Interval, OpeningHours

_OF_THINGS = frozenset({"price", "duration", "offered"})  # kinds of questions about a service
_DAYS_BY_WEEKDAY = 2  # more of them are answered with the whole week
_SAID_BY_WEEKDAY = timedelta(days=DAYS_IN_WEEK)  # a date within these is called by its weekday
_MINUTES_IN_HOUR = 60
_LEAST_OPEN_MIN = 120  # of an afternoon, for a yes to "are you open in the afternoon?"
_SHIFTS = {"before": -1, "after": 1}  # minutes: open "before nine" is open just before it


class HourAnswers:
    """Answers about one agent's opening hours, in one language."""

    def __init__(self, findings: Findings, finder: SlotFinder, known: frozenset[str], trades: Sequence[Words]) -> None:
        """`known`: the words of questions after hours; `trades`: businesses that the house is none of."""
        self._known, self._trades = known, trades
        self._findings, self._finder = findings, finder
        self._facts, self._language, self._words = findings.facts, findings.language, findings.words

    def answer(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """The hours that a part asks for; `now` in the tenant's zone."""
        hours, when = self._facts.hours, part.slots.when
        if people := part.slots.people or self._meant(part, dialogue):
            return self.schedule(people, dialogue)
        if self.is_of_somebody(part):
            return self._findings.unknown(dialogue)
        if hours is not None and when.trouble is Trouble.PAST and when.weekdays:
            when = replace(when, trouble=None)  # "this Saturday", on a Sunday: as on every Saturday
            part = replace(part, slots=replace(part.slots, when=when))
        if hours is None or when.trouble is Trouble.PAST:
            return self._findings.unknown(dialogue)
        of = names_in(hours.of, self._language)
        if of and self._is_of_thing(part, dialogue):
            return self._findings.not_known(self._words.say("hours_of_that_unknown", of=of[0]), dialogue, dialogue.kind)
        is_of_another = self._is_of_another(part, has_part=bool(of))
        if is_of_another and of:
            text = self._words.say("hours_of_that_unknown", of=of[0])
        elif is_of_another:
            text = f"{self._words.say('only_know')} {self._hours_text(hours, part, now)}"
        elif part.slots.is_other_holiday:
            text = self._words.say("hours_unsure", week=self._words.week(hours))
        else:
            text = self._hours_text(hours, part, now)
            if self._asks_more(part):
                text = self._words.plain(text)
            if of and when.trouble is None:
                text = f"{self._words.say('hours_of', of=of[0])} {text}"
            return self._findings.said(text, dialogue, "hours")
        return self._findings.not_known(text, dialogue, "hours")

    def _is_of_another(self, part: Part, *, has_part: bool) -> bool:
        """Return whether the times of something are asked for that the hours are not of: the pool's, or those of
        breakfast where they are of a part of the house only.
        """
        slots = part.slots
        if slots.is_of_hours or slots.when.holiday:
            return False
        if has_part and (slots.services or slots.topics or slots.people):
            return True
        compares = self._finder.words.compares
        someone = self._finder.words.evidence["speakers"]  # "will anyone be there at one"
        is_open = has_any(slots.words, (*compares["opening"], *compares["closing"], *someone))
        if has_part and not (part.is_follow_up or is_open or self._asks_now(part)):
            return True  # "what's the latest I can leave on Sunday" need not be of the desk
        if has_any(slots.words, self._trades) or (has_part and asks_whether_there_is(slots, self._finder, self._known)):
            return True
        strange = unexplained(slots, (*slots.services, *slots.topics, *slots.people), self._known)
        opens = spans_of(slots.words, (*compares["opening"], *compares["closing"]))
        return any(start - 1 in strange for start, _ in opens)

    def _is_of_thing(self, part: Part, dialogue: Dialogue) -> bool:
        """Return whether the times of the thing spoken of before are asked for: "is breakfast included, and what time
        does it finish".
        """
        slots, lists = part.slots, self._finder.words
        if slots.is_of_hours:
            return False
        is_unknown = dialogue.kind == UNKNOWN and dialogue.n_unknown > 0  # "a restaurant? when does it close?"
        points = part.is_follow_up or refers(slots.words, lists)
        is_bare = not slots.when and not has_any(slots.words, (*lists.evidence["house"], *lists.places))
        if is_unknown:
            return points or is_bare
        return bool(dialogue.service) and dialogue.kind in _OF_THINGS and points

    def _asks_more(self, part: Part) -> bool:
        """Return whether more is asked than when the house is open, so that an open hour is no yes to it: "will I be
        done before you close", "can two of us come at the same time".
        """
        slots = part.slots
        lists = self._finder.words
        if has_any(slots.words, (*lists.compares["staff"], *lists.choices)):
            return True  # "is the doctor in on Friday", "the whole day or just the morning"
        return bool(slots.services or slots.topics or slots.n_people > 1 or unexplained(slots, (), self._known))

    def _meant(self, part: Part, dialogue: Dialogue) -> tuple[Found, ...]:
        """Return who is meant by "is she there on Saturday?": the person spoken of, not the house that is open."""
        words, compares = part.slots.words, self._finder.words.compares
        is_of_house = has_any(words, (*compares["opening"], *compares["closing"]))
        if is_of_house or not dialogue.person or not has_any(words, self._finder.words.person_pronouns):
            return ()
        return (Found(dialogue.person, 0, 0),)

    def is_of_somebody(self, part: Part) -> bool:
        """Return whether somebody is asked after of whom nothing was said, or which of the staff it is: "is she there",
        "is it the man or the lady doctor".
        """
        words, lists = part.slots.words, self._finder.words
        is_of_house = has_any(words, (*lists.compares["opening"], *lists.compares["closing"]))
        asks_which = has_any(words, lists.compares["staff"]) and has_any(words, lists.choices)
        return not (is_of_house or part.slots.people) and (asks_which or has_any(words, lists.evidence["somebody"]))

    def _hours_text(self, hours: OpeningHours, part: Part, now: datetime) -> str:
        if days := days_apart(part.text, part.slots, self._finder, now):
            return " ".join(
                self._hours_of(hours, replace(part, slots=replace(part.slots, when=day)), now) for day in days
            )
        return self._hours_of(hours, part, now)

    def _hours_of(self, hours: OpeningHours, part: Part, now: datetime) -> str:
        when, words = part.slots.when, self._words
        if when.trouble is not None:
            return words.say(when.trouble.value)
        if when.date and when.last_date:
            return self._hours_between(hours, when.date, when.last_date)
        if when.date:
            return self._hours_on(hours, when, now)
        if when.weekdays and len(when.weekdays) <= _DAYS_BY_WEEKDAY:  # as they are in most weeks
            return " ".join(self._worded(hours.weekdays[day], words.weekday(day), when) for day in when.weekdays)
        if not self._asks_now(part):
            return self._in_a_week(hours, part)
        compares, text = self._finder.words.compares, self._open_now(hours, now)
        asks_closed = has_any(part.slots.words, (*compares["closed"], *compares["closing"]))
        return words.plain(text) if asks_closed else text  # no yes to "are you closed now?"

    def _in_a_week(self, hours: OpeningHours, part: Part) -> str:
        """The hours of every week, and what was asked of all its days: a time, or the days without any."""
        words, when = self._words, part.slots.when
        text = words.say("hours_week", week=words.week(hours))
        if when.times and not any(self._holds(hours.weekdays[day], when) for day in range(DAYS_IN_WEEK)):
            return f"{words.say('closed_then')} {text}"
        closed = [day for day in range(DAYS_IN_WEEK) if not hours.weekdays[day]]
        if closed and has_any(part.slots.words, self._finder.words.compares["closed"]):
            text += " " + words.say("closed_on", on_day=words.on(words.days(closed)))
        return text

    def _hours_between(self, hours: OpeningHours, first: date, last: date) -> str:
        """The week, and the dates of the stretch that are otherwise."""
        texts = [self._words.say("hours_week", week=self._words.week(hours))]
        for day, exception in sorted(hours.exceptions.items()):
            names = names_in(exception.names, self._language)
            if first <= day <= last and names:
                key = "hours_holiday" if exception.intervals else "closed_holiday"
                texts.append(self._words.say(key, holiday=names[0], spans=self._words.spans(exception.intervals)))
        return " ".join(texts)

    def _hours_on(self, hours: OpeningHours, when: When, now: datetime) -> str:
        words, day = self._words, when.date or now.date()
        exception = hours.exceptions.get(day)
        names = names_in(exception.names, self._language) if exception else ()
        if exception and names:
            if not exception.intervals:
                return words.say("closed_holiday", holiday=names[0])
            return words.say("hours_holiday", holiday=names[0], spans=words.spans(exception.intervals))
        text = self._worded(hours.on(day), self._day(day, now), when)
        following = hours.open_dates(day + timedelta(days=1), count=1)
        if not hours.on(day) and following:
            spans = words.spans(hours.on(following[0]))
            text += " " + words.say("next_open", day=self._day(following[0], now), spans=spans)
        return text

    def _worded(self, intervals: Sequence[Interval], day: str, when: When) -> str:
        words = self._words
        if not intervals:
            return words.say("closed_on", on_day=words.on(day))
        key = "hours_on"
        if when.times:
            key = "open_yes" if self._holds(intervals, when) else "open_no"
        elif when.part in PARTS:
            first, last = (hour * _MINUTES_IN_HOUR for hour in PARTS[when.part])
            open_min = sum(max(min(one.closes_min, last) - max(one.opens_min, first), 0) for one in intervals)
            key = "open_yes" if open_min >= _LEAST_OPEN_MIN else "hours_on" if open_min else "open_no"
        on_day = words.on(day)
        return words.say(
            key, on_day=on_day[:1].upper() + on_day[1:] if key == "open_no" else on_day, spans=words.spans(intervals)
        )

    def _holds(self, intervals: Sequence[Interval], when: When) -> bool:
        """Return whether any of the times that may be meant is an open one."""
        shift = _SHIFTS.get(when.relation, 0)
        minutes = [at.hour * _MINUTES_IN_HOUR + at.minute + shift for at in when.times]
        return any(one.holds(at) for at in minutes for one in intervals)

    def _open_now(self, hours: OpeningHours, now: datetime) -> str:
        words = self._words
        minute = now.hour * _MINUTES_IN_HOUR + now.minute
        interval = next((one for one in hours.on(now.date()) if one.holds(minute)), None)
        if interval:
            return words.say("open_now", time=words.time(interval.closes))
        text, opens = words.say("closed_now"), hours.next_open(now)
        if opens:
            day = self._day(opens.date(), now)
            text += " " + words.say("next_open", day=day, spans=words.spans(hours.on(opens.date())))
        return text

    def _asks_now(self, part: Part) -> bool:
        now_words = [normalise(text) for text in data.words(primary(self._language), FILE, "now.words")]
        return has_any(part.slots.words, now_words)

    def _day(self, day: date, now: datetime) -> str:
        is_near = timedelta(0) <= day - now.date() < _SAID_BY_WEEKDAY
        return self._words.weekday(day.weekday()) if is_near else self._words.date(day)

    def schedule(self, people: Sequence[Found], dialogue: Dialogue) -> Finding:
        """Answer when a person is here, which no fact holds."""
        person = self._findings.name(people[0].id)
        return self._findings.not_known(self._words.say("schedule_unknown", person=person), dialogue, UNKNOWN)
