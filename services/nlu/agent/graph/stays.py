"""Bookings of an agent that lets rooms: the agent asks for room, day and nights, looks whether one is free, and books
or cancels what the caller says yes to once they have heard that question to its end. Sans-IO.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.language.calendar_words import calendar_words
from services.language.value import Kind
from services.language.values import read_values
from services.language.words import normalise
from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.bookings import LATER
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.held import of_appointment
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.standing import STANDING, StandingBookings
from services.nlu.agent.graph.templates import StayTemplates
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.wishes import Taken
from services.nlu.agent.opening_hours import DAYS_IN_WEEK
from services.nlu.agent.profile import AgentProfile
from services.nlu.tools.clinic.diary import Appointment
from services.nlu.tools.clinic.whose import dialled, is_same_name
from services.nlu.tools.hotel.register import LONGEST_NIGHTS, Stay, free_rooms

_OWN_QUESTIONS = frozenset({"which_room", "arrival", "nights"})
_MAY_WANT = frozenset({"free", "hours", "offered", "book", UNKNOWN})
_NIGHT = "night"  # a period of asking.toml
_MOST_ENDS = 4  # words for "until" of a turn that are looked around
_SHORTEST_SPAN = 3  # tokens of "Friday till Sunday"; fewer are a word for two days, "weekend"


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that can be booked: the number of each kind, by ids of the facts, and the tools that do it."""

    counts: Mapping[str, int]
    prefix: str  # of the tools' names


class Stays(StandingBookings):
    """Bookings of rooms in one language."""

    stays: tuple[Stay, ...] | None = None
    """The stays that are booked; None: not known. Set for every turn, as what `see` shows."""

    def __init__(self, profile: AgentProfile, language_code: str, finder: SlotFinder, rooms: Rooms) -> None:
        self._phrases = StayTemplates(language_code)
        super().__init__(profile, language_code, finder, self._phrases)
        self._rooms = rooms

    def deed_of(self, wish: Wish) -> tuple[str, str]:
        arguments: dict[str, object] = {"name": wish.name, "phone": wish.phone}
        if wish.kind == "book" and wish.at and wish.nights:
            arguments = {"room": wish.service, "arrives": wish.at, "nights": wish.nights, **arguments}
            return f"{self._rooms.prefix}_book", json.dumps(arguments, ensure_ascii=False)
        if wish.kind == "cancel" and wish.starts:
            arguments = {"arrives": wish.starts[:10], "room": wish.service, **arguments}
            return f"{self._rooms.prefix}_cancel", json.dumps(arguments, ensure_ascii=False)
        return "", ""

    def take(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        is_change = (part.kind == "change" and not part.doubts) or self._puts_right(part, dialogue)
        if is_change and not self.is_open(dialogue):
            return f"{self._words.say('change')} {self._words.ask('more')}", "more", dialogue
        names_stay = bool(self._room(part)) and (part.slots.when.has_day or bool(part.slots.periods.get(_NIGHT)))
        slots, lists = part.slots, self._finder.words
        asks = part.text.rstrip().endswith(("?", "？")) or has_any(
            slots.words, (*lists.question_words, *lists.price_words, *lists.evidence["asks_what"])
        )
        may_want = part.kind in _MAY_WANT or part.is_follow_up or bool(part.doubts)
        if part.kind == "price":  # one that is sure, or asks, wants no room, whatever its words are
            may_want = has_any(slots.words, lists.evidence["left"]) or (bool(part.doubts) and not asks)
        is_of_another = (slots.services and not self._room(part)) or slots.people or slots.topics
        asks_for_one = part.kind == "free" and not is_of_another  # "have you a room free?"
        if ((names_stay and may_want) or asks_for_one) and not self.is_open(dialogue):  # "is a double free on Friday?"
            part = replace(part, kind="book", doubts=(), is_follow_up=False)
        return super().take(part, dialogue, now)

    def _undoing(self, done: Wish) -> Wish:
        wish = super()._undoing(done)
        return replace(wish, at=wish.at[:10]) if wish.kind == "book" else wish

    def _puts_right(self, part: Part, dialogue: Dialogue) -> bool:
        wish, slots, lists = dialogue.wish, part.slots, self._finder.words
        names_stay = bool(slots.when or slots.periods.get(_NIGHT) or self._room(part))
        puts = has_any(slots.words, lists.evidence["changes"]) and not has_any(slots.words, lists.adds)
        return wish.kind == "book" and wish.is_noted and bool(wish.at) and puts and names_stay

    def told(self, state: str, dialogue: Dialogue) -> tuple[str, str, Dialogue]:
        wish = replace(dialogue.wish, is_confirmed=False)
        if wish.kind in STANDING or state == "taken":
            return super().told(state, replace(dialogue, wish=replace(dialogue.wish, nights=0)))
        keys = {"done": "booked", "failed": "booking_failed", **LATER}
        text = self._words.say(keys.get(state, "wish_done"), when=self._stay_of(wish))
        noted = replace(wish, is_noted=True) if state != "failed" else Wish()
        return text, self._words.ask("more"), replace(dialogue, wish=noted, asked="more", kind="book")

    @property
    def shown(self) -> tuple[str, ...]:
        held = (*(self._seen.own or ()), *self._seen.found)
        return (json.dumps({"bookings": [f"{one.starts:%Y-%m-%d}" for one in held]}),) if held else ()

    def shown_of(self, wish: Wish) -> tuple[str, ...]:
        """Day and nights of a wish, as JSON for the guard: the caller may have said "on Friday"."""
        if wish.kind != "book" or not wish.at:
            return super().shown_of(wish)
        return (json.dumps({"arrives": wish.at, "nights": wish.nights}),)

    # Taking it down

    def _begin(self, wish: Wish, dialogue: Dialogue, now: datetime, part: Part | None = None) -> Taken:
        if wish.kind != "book":
            return super()._begin(wish, dialogue, now, part)
        wish = self._with_known(self._with_introduction(wish, now), dialogue.wish, part)
        is_question = part is not None and part.text.rstrip().endswith(("?", "？"))
        # A question is not agreed to before the guard: what is asked next tells that a room is there.
        texts = [] if is_question else [self._words.say("fine")]
        if part and part.slots.when.trouble is not None:
            texts.append(self._words.say(part.slots.when.trouble.value))
        return self._next(texts, wish if wish.service in self._rooms.counts else replace(wish, service=""), dialogue)

    def _gone_on(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """Correct the read-back wish by a part that names another room, day or nights, and asks nothing."""
        asks = part.text.rstrip().endswith(("?", "？")) or has_any(part.slots.words, self._finder.words.question_words)
        if dialogue.wish.kind == "book" and self._names_stay(part) and not asks and part.slots.when.trouble is None:
            changed = self._filled(dialogue.wish, part, now)
            if changed != dialogue.wish and not self.is_taken_back(part):
                return self._next([], changed, dialogue)
        return super()._gone_on(part, dialogue, now)

    def _is_as_wished(self, part: Part, dialogue: Dialogue, now: datetime) -> bool:
        changed = self._filled(dialogue.wish, part, now)
        asks = has_any(part.slots.words, self._finder.words.question_words) and part.text.rstrip().endswith(("?", "？"))
        return asks or replace(changed, name=dialogue.wish.name, phone=dialogue.wish.phone) == dialogue.wish

    def _take_stated(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken:
        if part.slots.when.trouble is not None:
            return self._next([self._words.say(part.slots.when.trouble.value)], dialogue.wish, dialogue)
        changed = self._filled(dialogue.wish, part, now)
        name = self._stated_name(part, dialogue.wish, self.asked(dialogue), now)
        return self._next([], replace(changed, name=name or changed.name), dialogue)

    def _names_booking(self, part: Part) -> bool:
        return self._names_stay(part)

    def _names_stay(self, part: Part) -> bool:
        """Return whether a sentence names a room together with a day or nights."""
        slots = part.slots
        nights = bool(slots.periods.get(_NIGHT)) or self._finder.is_one(slots, _NIGHT)
        return bool(self._room(part)) and (slots.when.has_day or nights)

    def _answered(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        wish, asked = dialogue.wish, self.asked(dialogue)
        if wish.kind != "book" or asked not in _OWN_QUESTIONS:
            return super()._answered(part, dialogue, now)
        if part.slots.when.trouble is not None:
            return self._next([self._words.say(part.slots.when.trouble.value)], wish, dialogue)
        changed = self._filled(wish, part, now)
        if asked == "nights" and changed.nights == wish.nights:
            changed = replace(changed, nights=self._number_in(part.text))
        if changed != wish:
            return self._next([], changed, dialogue)
        return self._drop(dialogue) if part.kind == "no" else None

    def _is_answer(self, part: Part, asked: str) -> bool:
        if part.text.rstrip().endswith(("?", "？")):
            return False
        is_own = {
            "which_room": bool(self._room(part)),
            "arrival": part.slots.when.has_day,
            "nights": bool(part.slots.periods.get(_NIGHT) or self._number_in(part.text)),
        }
        return is_own.get(asked, False) or super()._is_answer(part, asked)

    def _other_time(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        return self._answered_when(part, dialogue, now)

    def _answered_when(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        if part.slots.when.trouble is not None:
            return self._next([self._words.say(part.slots.when.trouble.value)], dialogue.wish, dialogue)
        return self._next([], self._filled(dialogue.wish, part, now), dialogue)

    def _filled(self, wish: Wish, part: Part, now: datetime) -> Wish:
        if wish.kind != "book":
            return super()._filled(wish, part, now)
        slots = part.slots
        day = self._arrival(self._from_day(part.text, now) or slots.when, now)
        first, last = slots.when.date, slots.when.last_date
        weekday, span = self._weekday_span(part.text)
        if span and first:  # "next weekend, from Friday to Sunday"
            day = first + timedelta(days=weekday - first.weekday())
        elif span:
            day = now.date() + timedelta(days=(weekday - now.weekday()) % DAYS_IN_WEEK)
        span = span or ((last - first).days if first and last else 0)
        if not span:
            day, span = self._until(part.text, now) or (day, 0)
        nights = slots.periods.get(_NIGHT) or int(self._finder.is_one(slots, _NIGHT)) or span
        if (leaves := self._leaving_day(part.text, wish, now)) and wish.at:
            day, nights = None, nights or (leaves - date.fromisoformat(wish.at)).days
        return replace(
            wish,
            service=self._room(part) or (wish.service if wish.service in self._rooms.counts else ""),
            at=day.isoformat() if day else wish.at,
            when=self._words.date(day) if day else wish.when,
            nights=nights if 1 <= nights <= LONGEST_NIGHTS else wish.nights,
            name=self.name_in(part.text, is_asked=False) or wish.name,
            phone=slots.digits or wish.phone,
        )

    def _look(self, part: Part, dialogue: Dialogue, now: datetime, *, is_sooner: bool = False) -> Taken:
        if part.kind == "change":  # no tool moves a stay
            return f"{self._words.say('change')} {self._words.ask('more')}", "more", dialogue
        return super()._look(part, dialogue, now, is_sooner=is_sooner)

    def _with_whose(self, wish: Wish, part: Part, asked: str) -> Wish:
        """A cancellation keeps the kind of room that is said before its stay is found."""
        wish, room = super()._with_whose(wish, part, asked), self._room(part)
        return replace(wish, service=room) if room and wish.kind == "cancel" and not wish.starts else wish

    def _chosen(self, wish: Wish, mine: Sequence[Appointment], now: datetime) -> Wish:
        of_room = [one for one in mine if one.service == wish.service]
        return super()._chosen(wish, of_room or mine, now)

    def _turned(self, part: Part, wish: Wish, now: datetime) -> Wish:
        wish, room = super()._turned(part, wish, now), self._room(part)
        if wish.kind != "cancel" or not wish.starts or not room:
            return wish
        beside = [one for one in self._beside_it(wish) if one.service == room]  # "no, the double"
        return of_appointment(wish, beside[0]) if beside and room != wish.service else wish

    def _spoken_of(self, wish: Wish) -> str:
        when, rooms = self._spoken(wish.starts), {one.service for one in self._beside_it(wish)}
        if len({*rooms, wish.service}) < 2:
            return when
        return self._phrases.phrase("stay_in_room", when=when, room=self._name(wish.service))

    def _beside_it(self, wish: Wish) -> list[Appointment]:
        """The caller's stays from the day on from which that of a wish is."""
        return [one for one in self._mine(wish) if wish.starts and f"{one.starts:%Y-%m-%d}" == wish.starts[:10]]

    def _room(self, part: Part) -> str:
        return next((one.id for one in reversed(part.slots.services) if one.id in self._rooms.counts), "")

    def _arrival(self, when: When, now: datetime) -> date | None:
        day = when.first_day(now.date()) if when.trouble is None and not when.day_relation else None
        return day if day is not None and day >= now.date() and len(when.weekdays) < 2 else None

    def _leaving_day(self, text: str, wish: Wish, now: datetime) -> date | None:
        """The day until which a stay lasts whose first day is known: "till Sunday instead"; None: no such is said."""
        for before, behind in self._around_until(text) if wish.at else ():
            when = self._finder.find(behind, now).when
            if not when.has_day or self._finder.find(before, now).when.has_day:
                continue
            arrives = date.fromisoformat(wish.at)
            if when.date:
                return when.date if when.date > arrives else None
            return arrives + timedelta(days=(when.weekdays[0] - arrives.weekday()) % DAYS_IN_WEEK or DAYS_IN_WEEK)
        return None

    def _until(self, text: str, now: datetime) -> tuple[date, int] | None:
        """The first day and the nights where the last day is said apart: "coming on Friday, a single until Monday"."""
        for before, behind in self._around_until(text):
            last = self._finder.find(behind, now).when
            first = self._arrival(self._finder.find(before, now).when, now) if before and last.has_day else None
            if first and not last.trouble:
                n_days = (last.weekdays[0] - first.weekday()) % DAYS_IN_WEEK or DAYS_IN_WEEK if last.weekdays else 0
                nights = (last.date - first).days if last.date else n_days
                return (first, nights) if nights > 0 else None
        return None

    def _around_until(self, text: str) -> Iterator[tuple[str, str]]:
        """Text before and behind each word for "until", of the first few: both sides are read."""
        words = text.split()
        plain = [" ".join(normalise(word)) for word in words]
        found = 0
        for at in range(len(words)):
            until = next((one for one in self._finder.words.stays_until if tuple(plain[at : at + len(one)]) == one), ())
            if until and found < _MOST_ENDS:
                found += 1
                yield " ".join(words[:at]), " ".join(words[at + len(until) :])

    def _from_day(self, text: str, now: datetime) -> When | None:
        """The day that is said to be the first: "this weekend, from Friday"; None: none is."""
        words, openings = text.split(), calendar_words(self._language).lists["range_openings"]
        for at in range(len(words) - 1, 0, -1):
            if openings.length(normalise(words[at]), 0):
                when = self._finder.find(" ".join(words[at + 1 :]), now).when
                return when if when.has_day and not when.last_date and len(when.weekdays) == 1 else None
        return None

    def _weekday_span(self, text: str) -> tuple[int, int]:
        """The first weekday and the nights of "from Friday till Sunday"; (0, 0): no such stretch is said."""
        for value in read_values(text, self._language).values:
            days = value.days if value.kind is Kind.WEEKDAYS and value.end - value.start >= _SHORTEST_SPAN else ()
            firsts = [day for day in days if (day - 1) % DAYS_IN_WEEK not in days]
            if len(days) > 1 and len(firsts) == 1:
                return firsts[0], len(days) - 1
        each = {
            day
            for value in read_values(text, self._language).values
            if value.kind is Kind.WEEKDAYS and len(value.days) == 1
            for day in value.days
        }
        firsts = [day for day in each if (day - 1) % DAYS_IN_WEEK not in each]
        are_nights = has_any(normalise(text), self._finder.words.periods[_NIGHT])  # "Saturday and Sunday night"
        return (firsts[0], len(each)) if are_nights and len(each) > 1 and len(firsts) == 1 else (0, 0)

    def _number_in(self, text: str) -> int:
        values = [value for value in read_values(text, self._language).values if value.kind is Kind.NUMBER]
        number = values[0].number if len(values) == 1 else 0
        return int(number) if number == int(number) and 1 <= number <= LONGEST_NIGHTS else 0

    # Asking

    def _next(self, texts: list[str], wish: Wish, dialogue: Dialogue, now: datetime | None = None) -> Taken:
        if wish.kind != "book":
            return super()._next(texts, wish, dialogue, now)
        wish = self._with_whom(wish)
        if not self._is_free(replace(wish, nights=wish.nights or 1)):
            texts, wish = [*texts, self._words.say("booking_taken")], replace(wish, at="", when="", nights=0)
        if self._stands(wish):  # one more of the same cannot be told from it
            told = self._words.say("appointment_is", when=self._stay_of(wish))
            after = replace(dialogue, wish=Wish(name=wish.name, phone=wish.phone))
            return f"{told} {self._words.ask('more')}", "more", after
        question, asked = self._question(wish)
        return " ".join([*texts, question]), asked, replace(dialogue, wish=wish)

    def _stands(self, wish: Wish) -> bool:
        """Return whether the caller has that very stay already."""
        if wish.is_noted or not (wish.service and wish.at and wish.nights and wish.name and wish.phone):
            return False
        stay = (wish.service, date.fromisoformat(wish.at), wish.nights, dialled(wish.phone))
        mine = (one for one in self.stays or () if (one.room, one.arrives, one.nights, one.phone) == stay)
        return any(is_same_name(wish.name, one.name) for one in mine)

    def _cleared(self, wish: Wish, slot: str) -> Wish:
        if slot in ("day", "time"):
            return replace(wish, when="", at="")
        return replace(wish, nights=0) if slot == "nights" else super()._cleared(wish, slot)

    def _is_free(self, wish: Wish) -> bool:
        """Return whether a room can be had; True where that is not known yet."""
        if self.stays is None or not (wish.service and wish.at and wish.nights):
            return True
        free = free_rooms(self._rooms.counts, self.stays, date.fromisoformat(wish.at), wish.nights)
        return free.get(wish.service, 0) > 0

    def _question(self, wish: Wish) -> tuple[str, str]:
        words = self._words
        if wish.kind != "book":
            return super()._question(wish)
        if not wish.service:
            return words.ask(
                "which_room", rooms=words.one_of(self._name(room) for room in self._rooms.counts)
            ), "which_room"
        if not wish.at:
            return words.ask("arrival"), "arrival"
        if not wish.nights:
            return words.ask("nights"), "nights"
        return super()._question(wish)

    def _said_of(self, wish: Wish) -> str:
        return super()._said_of(replace(wish, when=self._stay_of(wish)))

    def _stay_of(self, wish: Wish) -> str:
        """Day and nights in words."""
        key = "one_night" if wish.nights == 1 else "n_nights"
        nights = self._phrases.phrase(key, n=str(wish.nights))
        return self._phrases.phrase("stay", when=wish.when, nights=nights)

    def _text_of(self, moment: datetime) -> str:
        return self._words.date(moment.date())
