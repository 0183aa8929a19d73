"""The new time of an appointment that is moved: named, shifted, or the same hour on another day. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta

from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.facts import FreeTime
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.bookings import Bookings
from services.nlu.agent.graph.counting import ends_in_weekday, has_any, spans_of
from services.nlu.agent.graph.dialogue import Wish
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.timed_wishes import LONGEST_SAID, of_one_day
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.whole_turn import clauses_of
from services.nlu.agent.graph.wish_times import fits

_UNITS = {"hours": timedelta(hours=1), "days": timedelta(days=1), "weeks": timedelta(weeks=1)}
_MOST = 8  # units
_WEEK = 7  # days


class MovedTimes(Bookings):
    """Bookings whose time may be put in place of another."""

    def _with_day_said(self, part: Part, wish: Wish, now: datetime) -> str:
        """The words about a new time; an hour alone is given the day that was said before it."""
        day = self._turn.read(wish.said, now).slots.when if wish.said and wish.starts else When()
        if wish.at and not day.has_day:
            day = When(date=datetime.fromisoformat(wish.at).date())
        said = "" if part.slots.when.has_day or not day.has_day else self._said(replace(day, times=(), part=""), now)
        return f"{said}, {part.text}".strip(", ")[:LONGEST_SAID]

    def _free_for(self, wish: Wish) -> list[datetime]:
        """The free times that are told for a move, in their order: where a sooner one is wanted, those before it."""
        starts = datetime.fromisoformat(wish.starts)
        open_times = self._open_times(wish, self._seen.now)
        told = self._told(open_times)
        moments = [at for at in open_times if self._text_of(at) in told]
        return [at for at in moments if not wish.is_sooner or at < starts]

    def _new_time(self, wish: Wish, now: datetime) -> tuple[str, Wish]:
        """The new time that was said, as the diary has it; a text where there is none. Where several are free on the
        day that was said, what was said is kept, and they are asked which.
        """
        when, old = self._moments_said(wish.said, now)[1], datetime.fromisoformat(wish.starts)
        if len(when.weekdays) > 1:  # "from Tuesday to Friday"
            when = self._other_day(wish.said, old, now) or when
        said, wish = wish.said, replace(wish, said="")
        if beside := self._weekday_beside(said, old, when) or self._day_beside(said, old, when):
            when = beside
        elif moved := shift_in(said, self._finder.words.shifts, self._language):
            when = When(date=(old + moved).date(), times=((old + moved).time(),))
        if when.part and not when.times and old.date() == when.first_day(old.date()):
            when, said = self._other_part(said, when, old)
        elif not when or (when.has_day and is_at(old, replace(when, part=""))):
            return "", wish  # the day, or the time, that it is on now
        if when.has_day and is_at(old, when):
            return "", wish
        if not when.has_day and not when.trouble:
            when = replace(when, date=old.date())
        if refused := self._refused(when, now):
            return refused, wish
        fitting = [moment for moment in self._seen.free if is_at(moment, when)]
        if wish.is_sooner:
            fitting = [moment for moment in fitting if moment < old] or fitting
        if not fitting:
            on_day = of_one_day(self._seen.free, replace(when, times=(), part=""))
            times = self._words.all_of(self._told(on_day or self._seen.free, near=when.times[:1]))
            day = self._said(replace(when, times=(), part=""), now) if on_day else ""
            text = self._words.say("free_no", times=times) if times else self._words.say("free_unknown")
            return text, replace(wish, said=day)
        same_hour = [] if when.times or when.part else [moment for moment in fitting if moment.time() == old.time()]
        fitting = same_hour or fitting
        if len({(moment.weekday(), moment.time()) for moment in fitting}) > 1 and not wish.is_sooner:
            return "", replace(wish, said=said)
        return "", replace(wish, at=f"{fitting[0]:%Y-%m-%dT%H:%M}", when=self._text_of(fitting[0]))

    def _moments_said(self, said: str, now: datetime) -> tuple[When, When]:
        """The old and the new moment of a move: "tomorrow's to Friday at three"; what is refused is the old one."""
        words = said.split()
        plain = [" ".join(normalise(word)) for word in words]
        for at in range(len(words) - 1, 0, -1):
            lead = next((one for one in self._finder.words.moves_to if tuple(plain[at : at + len(one)]) == one), ())
            if not lead:
                continue
            if self._is_verb(plain[at + len(lead) :]):
                continue  # "I need to move my Friday appointment"
            new = self._turn.read(" ".join(words[at + len(lead) :]), now).slots.when
            if new.has_day or new.times:
                return self._finder.find(" ".join(words[:at]), now).when, new
        slots = self._turn.read(said, now).slots
        return (slots.refused[0] if slots.refused else slots.when), slots.when

    def _names_time(self, part: Part) -> bool:
        """Return whether a sentence says a time, or one by the appointment's own: "the day after", "an hour later"."""
        lists, words = self._finder.words, part.slots.words
        is_beside = has_any(words, (*lists.day_after, *lists.day_before))
        return bool(part.slots.when) or is_beside or shift_in(part.text, lists.shifts, self._language) is not None

    def _weekday_beside(self, said: str, old: datetime, when: When) -> When | None:
        """The weekday behind or before that of an appointment: "the Monday after"; None: none is wanted."""
        reading, lists = read_values(said, self._language), self._finder.words
        starts = {value.start for value in reading.values}
        for value in (one for one in reading.values if one.kind is Kind.WEEKDAYS and len(one.days) == 1):
            (day,) = value.days
            later, sooner = (day - old.weekday()) % _WEEK or _WEEK, (old.weekday() - day) % _WEEK or _WEEK
            for phrases, n_days in ((lists.after, later), (lists.before, -sooner)):
                lengths = (len(one) for one in phrases if reading.texts[value.end : value.end + len(one)] == one)
                if (length := max(lengths, default=0)) and value.end + length not in starts:  # not "Monday after three"
                    return When(date=(old + timedelta(days=n_days)).date(), times=when.times or (old.time(),))
        return None

    def _day_beside(self, said: str, old: datetime, when: When) -> When | None:
        """The day beside that of an appointment, at its hour or the one that is said; None: it is not wanted."""
        lists, slots = self._finder.words, self._finder.find(said, self._seen.now)
        words = tuple("" if at in slots.value_words else word for at, word in enumerate(slots.words))
        step = has_any(words, lists.day_after) - has_any(words, lists.day_before)
        if not step or (when.has_day and not is_at(old, replace(when, times=(), part=""))):
            return None
        hours = when.times if when.times and not when.has_day else (old.time(),)  # those of a day are the old ones
        return When(date=(old + timedelta(days=step)).date(), times=hours)

    def _is_verb(self, words: Sequence[str]) -> bool:
        evidence = self._finder.words.evidence
        return has_any(tuple(words[:1]), (*evidence["changes"], *evidence["cancels"]))

    def _told_at(self, wish: Wish, when: When) -> Wish | None:
        """The wish with the one of the told times at an hour, whatever its day; None: none is, or several."""
        told = [at for at in self._free_for(wish) if at.time() in when.times]
        if len(told) != 1:
            return None
        return replace(wish, at=f"{told[0]:%Y-%m-%dT%H:%M}", when=self._text_of(told[0]), said="")

    def _free_at(self, when: When) -> str:
        """The one free time at a moment, in words; empty: none, or several."""
        free = [moment for moment in self._seen.free if when and is_at(moment, when)]
        return self._text_of(free[0]) if len(free) == 1 else ""

    def _likeliest(self, when: When) -> str:
        """A day and its hour in words; of two halves of the day the one that is nearer to noon."""
        noon = time(12).hour
        hour = min(when.times, key=lambda one: abs(one.hour - noon))
        return self._said(replace(when, times=(hour,)), self._seen.now)

    def _other_part(self, said: str, when: When, old: datetime) -> tuple[When, str]:
        """The day of an appointment with the part of it that is named beside the one which it is in, and the words for
        that: "Wednesday morning, the afternoon instead".
        """
        day = self._words.date(old.date())
        for clause in clauses_of(said):
            part = next((value.part for value in read_values(clause, self._language).values if value.part), "")
            if part and not is_at(old, When(part=part)):
                return When(date=old.date(), part=part), f"{day}, {clause}"[:LONGEST_SAID]
        return When(date=old.date(), part=when.part), said

    def _other_day(self, said: str, old: datetime, now: datetime) -> When | None:
        """Of two days that are named, the one that an appointment is not on."""
        words = said.split()
        ends = [" ".join(words[at:]) for at in range(len(words) - 1, -1, -1)]
        begins = [" ".join(words[:at]) for at in range(1, len(words))]
        found = (self._finder.find(text, now).when for text in (*ends, *begins))
        return next((one for one in found if len(one.weekdays) == 1 and one.weekdays[0] != old.weekday()), None)


def is_at(moment: datetime, when: When) -> bool:
    return fits(FreeTime(moment.time(), date=moment.date()), when)


def shift_in(text: str, lists: Mapping[str, Sequence[Words]], language_code: str) -> timedelta | None:
    """The shift of a time that a text asks for, later being positive; None: it asks for none."""
    words = normalise(text)
    is_later, is_earlier = has_any(words, lists["later"]), has_any(words, lists["earlier"])
    if is_later == is_earlier:
        return None
    for unit, length in _UNITS.items():
        for start, _ in spans_of(words, lists[unit]):
            if count := _count(words[:start], lists["one"], language_code):
                return length * (count if is_later else -count)
    return None


def _count(before: Words, ones: Sequence[Words], language_code: str) -> int:
    """The number of units that the words give at their end; 0: they do not end in a number."""
    if any(before[-len(one) :] == one for one in ones):
        return 1
    if ends_in_weekday(before, language_code):
        return 0  # "lùi sang thứ hai tuần sau"
    values = read_values(" ".join(before[-1:]), language_code).values if before else ()
    numbers = [int(value.number) for value in values if value.kind is Kind.NUMBER]
    return numbers[0] if len(numbers) == 1 and numbers[0] <= _MOST else 0
