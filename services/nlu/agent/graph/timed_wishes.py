"""The time of a booking: the free ones that fit what was said, which are told, and which an answer picks. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal

from services.language.calendar_words import calendar_words
from services.language.capture_words import capture_words, has_capture
from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.facts import FreeTime
from services.nlu.agent.graph.agreement import is_all_agreement
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import GivenNames
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.requests import Requests
from services.nlu.agent.graph.seen import Seen
from services.nlu.agent.graph.sentences import phrase_pattern
from services.nlu.agent.graph.several import SeveralWanted
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.whole_turn import WholeTurn, clauses_of
from services.nlu.agent.graph.wish_times import fits
from services.nlu.agent.graph.wished_deeds import deed_of
from services.nlu.agent.graph.wishes import Taken, Wishes
from services.nlu.agent.profile import AgentProfile

_MOST_TOLD = 4  # free times in one sentence
LONGEST_SAID = 200  # characters kept of what was said of times
_HOURS_IN_DAY = 24
_HALF_DAY = 720  # minutes
_HOUR_AND_MINUTES = 2  # numbers
_MINUTES = frozenset({15, 30, 45})
_SHORTEST_HOUR = 2  # words of a turn that is an hour and nothing else
_LONGEST_PLACE = 6  # words of "I would take the first one"


class TimedWishes(Wishes):
    """Wishes whose time is one that the diary has free."""

    _seen = Seen()

    def __init__(self, profile: AgentProfile, language_code: str, finder: SlotFinder, templates: Templates) -> None:
        super().__init__(profile, language_code, finder, templates)
        self._given = GivenNames(language_code, finder, self._names)
        self._turn = WholeTurn(finder, language_code)
        self._choices = phrase_pattern(finder.words.choices, language_code)
        self._several = SeveralWanted(finder, language_code)
        self._requests = Requests(finder, self._said)

    def see(self, seen: Seen) -> None:
        """Set the context of a turn, for the calls that follow; every turn sets its own before them."""
        self._seen = seen

    def names_wrong(self, dialogue: Dialogue) -> bool:
        """Return whether a turn says that something of what was read back is wrong."""
        return False

    def added(self, wish: Wish) -> str:
        """Wish of a turn beside the one that is open; empty: none."""
        return ""

    def beside(self, said: str, dialogue: Dialogue, now: datetime) -> str:
        wants = dialogue.wish.kind == "book" and self.is_open(dialogue) and self._several.is_in(said, now)
        return self._words.say("one_at_a_time") if wants else ""

    def is_open(self, dialogue: Dialogue) -> bool:
        return super().is_open(dialogue) and not dialogue.wish.is_confirmed

    def deed_of(self, wish: Wish) -> tuple[str, str]:
        """The tool that does a wish and its arguments, always written the same way; empty: there is nothing to do."""
        return deed_of(wish)

    def free_times(self, now: datetime) -> list[tuple[str, FreeTime]]:
        """The next free one of each weekday and time of day."""
        told = self._told(self._seen.free)
        times = ((self._free_text(free), free) for free in _first_of_each(_as_free(self._seen.free)))
        return [(text, free) for text, free in times if text in told]

    def fitting(self, when: When, now: datetime) -> list[str]:
        fitting = [free for free in _as_free(self._seen.free) if fits(free, when)]
        return [self._free_text(free) for free in _first_of_each(fitting)]

    def _is_fitting(self, moment: datetime, when: When) -> bool:
        return fits(FreeTime(moment.time(), date=moment.date()), when)

    def _answered_when(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        wish, when = dialogue.wish, part.slots.when
        if wish.kind != "book" or not self._seen.free or not when or self._refused(when, now):
            return super()._answered_when(part, dialogue, now)
        return self._timed([], wish, part, dialogue, now)

    def _timed(self, texts: list[str], wish: Wish, part: Part, dialogue: Dialogue, now: datetime) -> Taken:
        """A booking with the time that was said, where one free time is meant. Of several the caller is asked which;
        where none is free, they hear of those on the same day, else of all.
        """
        when = self._on_day_said(part.slots.when, wish, now)
        whens = self._each_of(part.text, when, now)
        free = [moment for moment in self._seen.free if any(fits(as_free_time(moment), one) for one in whens)]
        free = [moment for moment in free if not any(one.is_on(moment) for one in part.slots.refused)]
        if when.has_day and not (when.times or when.part):  # another day keeps the hour
            free = [moment for moment in free if self._is_at_hour_said(moment, wish, now)] or free
        if wish.said and not wish.at:  # one of those that were told
            told = self._open_times(wish, now)
            free = [moment for moment in free if moment in told] or free
        if len(_first_of_each(_as_free(free))) == 1:
            return self._next(texts, replace(wish, when=self._text_of(free[0]), at="", said=""), dialogue)
        if free:
            said = part.text if when == part.slots.when else f"{wish.said}, {part.text}"
            if when.has_day and not (when.times or when.part) and (kept := self._part_said(wish, free)):
                said = f"{part.text}, {kept}"
            return self._next(texts, replace(wish, when="", at="", said=said[-LONGEST_SAID:]), dialogue)
        day = replace(when, times=(), part="")
        on_day = of_one_day(self._seen.free, day) if when.has_day else []
        times = self._words.all_of(self._told(on_day or self._seen.free, near=when.times[:1]))
        text = " ".join([*texts, self._words.say("free_no", times=times), self._words.ask("when")])
        said = self._said(day, now) if on_day else ""
        return text, "when_free", replace(dialogue, wish=replace(wish, when="", at="", said=said))

    def _is_at_hour_said(self, moment: datetime, wish: Wish, now: datetime) -> bool:
        """Return whether a time is at the hour, or in the part of the day, that was chosen or said before."""
        if wish.at:
            return moment.time() == datetime.fromisoformat(wish.at).time()
        said = self._turn.read(wish.said, now).slots.when if wish.said else When()
        return fits(as_free_time(moment), When(times=said.times, part=said.part))

    def _part_said(self, wish: Wish, free: Sequence[datetime]) -> str:
        """The words for a part of the day that was said before, where all of the times are in it; empty: none."""
        reading = read_values(wish.said, self._language)
        for value in reading.values:
            if value.part and all(fits(as_free_time(moment), When(part=value.part)) for moment in free):
                return reading.words(value)
        return ""

    def _on_day_said(self, when: When, wish: Wish, now: datetime) -> When:
        """A time of day on the day that was said before, where the caller is still choosing its hour."""
        if when.has_day or when.trouble:
            return when
        day = self._turn.read(wish.said or wish.when, now).slots.when
        return replace(when, date=day.date, last_date=day.last_date, weekdays=day.weekdays, since=now.date())

    def _open_times(self, wish: Wish, now: datetime) -> list[datetime]:
        """The free times that a caller chooses from: those of the day that they said."""
        when = self._turn.read(wish.said, now).slots.when if wish.said else When()
        whens = self._each_of(wish.said, when, now) if when else ()
        open_times = of_one_day(self._seen.free, *whens)
        return open_times or list(self._seen.free)

    def _each_of(self, text: str, when: When, now: datetime) -> tuple[When, ...]:
        """The times that a text chooses between, each day with its own hour: "Wednesday at three or Thursday at ten";
        where it does not, `when` alone, which is the whole text's.
        """
        pieces = self._choices.split(text)
        whens = [self._finder.find(piece, now).when for piece in pieces] if len(pieces) > 1 else []
        return tuple(whens) if whens and all(one.has_day and one.times for one in whens) else (when,)

    def _told(self, moments: Sequence[datetime], *, near: Sequence[time] = ()) -> list[str]:
        """Free times in words, no more than can be listened to: of many the first of each day, or of one day those
        nearest to the times that were asked for.
        """
        free = _first_of_each(_as_free(moments))
        days = {one.date for one in free}
        if len(free) > _MOST_TOLD and len(days) > 1:
            first: dict[object, FreeTime] = {}
            for one in free:
                first.setdefault(one.date, one)
            free = list(first.values())
        elif near:
            nearest = sorted(free, key=lambda one: min(abs(_minutes(one.time) - _minutes(each)) for each in near))
            free = [one for one in free if one in nearest[:_MOST_TOLD]]
        return [self._free_text(one) for one in free[:_MOST_TOLD]]

    def _picked(self, part: Part, moments: Sequence[datetime]) -> str:
        """The one of the offered times that an answer names by its place or by its bare hour: "the later one",
        "eleven would do"; empty: none, or several.
        """
        told = self._told(moments)
        if part.slots.when or not told:
            return ""
        lists = self._finder.words
        if len(told) == 1 and is_all_agreement(part.text, lists, asked=normalise(told[0]), deeds=()):
            return told[0]  # a yes to the only one
        if chosen := self._in_order(part.text, told):
            return chosen
        hours = bare_hours(part.text, self._language)
        fitting = _first_of_each(_as_free([one for one in moments if one.time() in hours]))
        return self._free_text(fitting[0]) if len(fitting) == 1 else ""

    def _hour_instead(self, at: str) -> When:
        """The time on the day of a chosen one that a turn names by its bare hour in place of it: "no, nine", "could we
        make it five?"; empty: none.
        """
        lists = self._finder.words
        slots = self._finder.find(self._seen.said, self._seen.now)
        refuses = has_any(slots.words, (*lists.objections, *lists.reserves)) or len(slots.words) <= _SHORTEST_HOUR
        clauses = [one for one in reversed(clauses_of(self._seen.said)) if bare_hours(one, self._language)]
        if slots.when or slots.digits or not clauses or not (refuses or self._puts_hour(slots)):
            return When()
        words = normalise(clauses[0])
        is_hour = len(words) <= _LONGEST_PLACE and words[-1] not in lists.stand_ins  # "not that one"
        hours = bare_hours(clauses[0], self._language)
        return When(date=datetime.fromisoformat(at).date(), times=hours) if is_hour else When()

    def _puts_hour(self, slots: Slots) -> bool:
        """Return whether a sentence with a number asks for another time, or whether one is free, and speaks of nothing
        else: its number is an hour.
        """
        lists, changes = self._finder.words, self._finder.words.evidence
        phrases = (*changes["changes"], *changes["left"], *lists.instead, *lists.preambles, *lists.adds_behind)
        small = lists.common | {word for phrase in phrases for word in phrase}
        is_of_time = has_any(slots.words, (*changes["changes"], *changes["left"], *lists.instead))
        names_more = slots.services or slots.people or slots.n_people or slots.periods
        names_more = names_more or bool(lists.stand_ins.intersection(slots.words))  # "is there one left?"
        return is_of_time and not names_more and not unexplained(slots, (), small)

    def _in_order(self, text: str, offered: Sequence[str]) -> str:
        """The one of several that its place names: "the first one", "the last"; empty: none."""
        lists, words = self._finder.words, normalise(text)
        place = place_in(text, self._language)
        if not place and has_any(words, lists.later_one):
            place = -1
        if not place and has_any(words, lists.earlier_one):
            place = 1
        return offered[place - (place > 0)] if place and -len(offered) <= place <= len(offered) else ""

    def _text_of(self, moment: datetime) -> str:
        return self._free_text(FreeTime(moment.time(), date=moment.date()))


def of_one_day(moments: Sequence[datetime], *whens: When) -> list[datetime]:
    """The moments that one of several times may mean; where that is one weekday without an hour, those of the first."""
    fitting = [one for one in moments if any(fits(as_free_time(one), when) for when in whens)]
    is_weekday = len(whens) == 1 and len(whens[0].weekdays) == 1 and not (whens[0].times or whens[0].day_relation)
    return [one for one in fitting if one.date() == fitting[0].date()] if is_weekday and fitting else fitting


def _minutes(one: time) -> int:
    return 60 * one.hour + one.minute


def as_free_time(moment: datetime) -> FreeTime:
    return FreeTime(moment.time(), date=moment.date())


def _as_free(moments: Sequence[datetime]) -> list[FreeTime]:
    return [as_free_time(moment) for moment in moments]


def _first_of_each(free_times: Sequence[FreeTime]) -> list[FreeTime]:
    """Of times on the same weekday the earliest date; they come in order."""
    first: dict[tuple[int, object], FreeTime] = {}
    for free in free_times:
        first.setdefault((free.date.weekday() if free.date else -1, free.time), free)
    return list(first.values())


def place_in(text: str, language_code: str) -> int:
    """The place that a few words name, from 1, or from the end, -1 being the last; 0: none, or more than a place."""
    words = normalise(text)
    if len(words) > _LONGEST_PLACE:
        return 0
    ordinals = calendar_words(language_code).ordinals
    found = {int(hit[1]) for at in range(len(words)) if (hit := ordinals.at(words, at))}
    if has_capture(language_code):
        positions = capture_words(language_code).positions
        found |= {position for phrase, position in positions if phrase and has_any(words, (tuple(phrase),))}
    return found.pop() if len(found) == 1 else 0


def bare_hours(text: str, language_code: str) -> tuple[time, ...]:
    """The times of day that a number without any word for hours may be, as an answer to a question for a time."""
    reading, calendar = read_values(text, language_code), calendar_words(language_code)
    found = [value for value in reading.values if value.kind is Kind.NUMBER]
    numbers = [
        value.number + Decimal("0.5") * bool(calendar.length("half_hours", reading.texts, value.end)) for value in found
    ]  # "chín rưỡi"
    if len(numbers) == _HOUR_AND_MINUTES and numbers[1] in _MINUTES:  # "three thirty"
        numbers = [numbers[0] + numbers[1] / 60]
    if len(numbers) != 1 or not 1 <= numbers[0] < _HOURS_IN_DAY or (numbers[0] * 4) % 1:
        return ()
    minutes = int(numbers[0] * 60)
    every = {minutes, minutes + _HALF_DAY} if minutes < _HALF_DAY + 60 else {minutes}
    return tuple(time(one // 60 % _HOURS_IN_DAY, one % 60) for one in sorted(every))
