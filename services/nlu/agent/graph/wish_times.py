"""The times of an agent's wishes: free ones, those that fit what was said, and why a time cannot be had. Sans-IO."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from services.language.calendar_words import PARTS
from services.language.moment import Moment
from services.nlu.agent.appointments import Refusal, weigh
from services.nlu.agent.facts import FreeTime
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.when import When
from services.nlu.agent.opening_hours import DAYS_IN_WEEK
from services.nlu.agent.profile import AgentProfile


class WishTimes:
    """Times of one agent in one language."""

    def __init__(self, profile: AgentProfile, language_code: str, finder: SlotFinder, templates: Templates) -> None:
        self._facts, self._language, self._finder, self._words = profile.facts, language_code, finder, templates

    def free_times(self, now: datetime) -> list[tuple[str, FreeTime]]:
        """The free times that are not past, in words."""
        return [
            (self._free_text(free), free) for free in self._facts.free_times if not free.date or free.date >= now.date()
        ]

    def fitting(self, when: When, now: datetime) -> list[str]:
        """The free times that fit what was said."""
        is_past = when.date == now.date() and when.last_date is None
        day = when.date if when.last_date is None else None
        return [
            self._free_text(free, self._day(day, now) if day else "")
            for _, free in self.free_times(now)
            if fits(free, when) and not (is_past and free.time <= now.time())
        ]

    def _refused(self, when: When, now: datetime) -> str:
        """The reason why a time lies outside the opening hours, and the nearest times within; empty: it lies within
        them, or they are not known.
        """
        words, hours = self._words, self._facts.hours
        if when.trouble is not None:
            return words.say(when.trouble.value)
        if hours is None or not when.has_day or len(when.weekdays) > 1 or when.day_relation:
            return ""
        day = when.date or now.date() + timedelta(days=(when.weekdays[0] - now.weekday()) % DAYS_IN_WEEK)
        weighed = [
            weigh(Moment(day, when.last_date, at, when.part), hours, now=now, language_code=self._language)
            for at in when.times or (None,)
        ]
        if any(one.refusal is None for one in weighed):
            return ""
        first, said = weighed[0], self._day(day, now)
        if first.refusal is Refusal.HOLIDAY and first.holiday_names:
            text = words.say("closed_holiday", holiday=first.holiday_names[0])
        elif first.refusal is Refusal.CLOSED_HOUR:
            on_day = words.on(said)
            spans = words.spans(hours.on(day))
            text = words.say("open_no", on_day=on_day[:1].upper() + on_day[1:], spans=spans)
        else:
            text = words.say("closed_on", on_day=words.on(said))
        nearest = [words.at(self._day(one.date(), now), one.time()) for one in first.nearest]
        if first.refusal is Refusal.CLOSED_HOUR or not nearest:
            return text
        return f"{text} {words.say('nearest_open', times=words.all_of(nearest))}"

    def _free_text(self, free: FreeTime, day: str = "") -> str:
        day = day or (self._words.date(free.date) if free.date else self._words.weekday(free.weekday or 0))
        return self._words.at(day, free.time)

    def _said(self, when: When, now: datetime) -> str:
        """A day and a time as the caller said them."""
        if when.date:
            day = self._day(when.date, now)
        else:
            day = self._words.all_of(self._words.weekday(one) for one in when.weekdays)
        if not when.times:
            return day
        return self._words.at(day, when.times[0]) if day else self._words.time(when.times[0])

    def _day(self, day: date, now: datetime) -> str:
        is_near = timedelta(0) <= day - now.date() < timedelta(days=DAYS_IN_WEEK)
        return self._words.weekday(day.weekday()) if is_near else self._words.date(day)


def fits(free: FreeTime, when: When) -> bool:
    """Return whether a free time is one that was asked for."""
    if when.day_relation and when.since and (bound := when.first_day(when.since)):
        day = free.date or When(weekdays=(_weekday(free),)).first_day(when.since) or bound
        return (day < bound if when.day_relation == "sooner" else day > bound) and _part_fits(free.time, when)
    if when.date and when.last_date:
        days = (when.date + timedelta(days=n) for n in range((when.last_date - when.date).days + 1))
        is_on_day = any(day == free.date or day.weekday() == free.weekday for day in days)
        return is_on_day and (not when.times or free.time in when.times) and _part_fits(free.time, when)
    day_fits = (
        when.date.weekday() == free.weekday
        if when.date and free.date is None and free.weekday is not None
        else when.date == free.date
        if when.date
        else not when.weekdays or (_weekday(free) in when.weekdays)
    )
    return day_fits and (not when.times or free.time in when.times) and _part_fits(free.time, when)


def _part_fits(at: time, when: When) -> bool:
    if when.times or when.part not in PARTS:
        return True
    first, last = PARTS[when.part]
    return first <= at.hour < last


def _weekday(free: FreeTime) -> int:
    return free.date.weekday() if isinstance(free.date, date) else free.weekday or 0
