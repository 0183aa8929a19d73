"""Appointments that are held already: whose a caller means, and which. Sans-IO.

The caller's own are those of the number that calls, or of a name and number that they give. One of somebody else's
("my wife's appointment", "that of Ann Bell") is found by the name alone that the caller gives for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.graph.counting import has_any, spans_of
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import pieces_of
from services.nlu.agent.graph.moved_times import MovedTimes, is_at
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.wishes import Taken
from services.nlu.tools.clinic.diary import Appointment
from services.nlu.tools.clinic.whose import is_same_name

_POSSESSIVES = ("'s", "’s")


class HeldBookings(MovedTimes):
    """Finds the appointments that a wish may be about."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The appointments that a reply may name, as JSON for the guard."""
        held = (*(self._seen.own or ()), *self._seen.found)
        return (json.dumps({"appointments": [f"{one.starts:%Y-%m-%dT%H:%M}" for one in held]}),) if held else ()

    def _mine(self, wish: Wish) -> list[Appointment]:
        """The appointments that the caller may hear of."""
        is_asked = wish.kind == "find"  # one whose cancellation is noted is told, and neither moved nor cancelled
        own, found = (
            [one for one in held if one.is_booked or is_asked] for held in (self._seen.own or (), self._seen.found)
        )
        if wish.is_of_other:
            held = [*own, *(one for one in found if one not in own)]
            if not wish.name and not wish.starts:
                return self._on_days_said(wish, own)
            given = set(normalise(wish.name))
            return [
                one
                for one in held
                if given and (is_same_name(wish.name, one.name) or (one in own and given <= set(normalise(one.name))))
            ]
        if not wish.phone or any(one.phone == wish.phone for one in own):
            return own
        return [one for one in found if wish.name and is_same_name(wish.name, one.name)]

    def _on_days_said(self, wish: Wish, own: Sequence[Appointment]) -> list[Appointment]:
        """Those of the number that calls which are on the day that the caller said."""
        when = self._old_and_new(wish, self._seen.now)[0]
        return [one for one in own if when.has_day and is_at(one.starts, when)]

    def shown_of(self, wish: Wish) -> tuple[str, ...]:
        """The name of somebody else's appointment, which is read back, as JSON for the guard."""
        return (json.dumps({"name": wish.name}, ensure_ascii=False),) if wish.is_of_other and wish.starts else ()

    def _of_whom(self, wish: Wish, said: str, now: datetime) -> Wish:
        """The wish with whose appointment a turn speaks of, where it is not the caller's own."""
        lists, words = self._finder.words, normalise(said)
        if name := self._owner_named(said, now) or self._stranger_named(said, now):
            return replace(wish, is_of_other=True, name=name, phone="")
        theirs = {at for start, end in spans_of(words, lists.belongings) for at in range(start, end)}
        says_own = any(theirs.isdisjoint(range(start, end)) for start, end in spans_of(words, lists.own))
        if self._of_third_person(said, now) or (theirs and not says_own):  # "моей" of "моей жены" is not their own
            return replace(wish, is_of_other=True, name="", phone="")
        return wish

    def _stranger_named(self, said: str, now: datetime) -> str:
        """A whole name in capitals that is neither the caller's, as they tell it, nor that of an appointment of theirs;
        empty: the turn has none, or speaks of the caller's own.
        """
        lists = self._finder.words
        if has_any(normalise(said), lists.own) or not self._seen.own:
            return ""
        told = self._given.introduced(said, now) or self.name_in(said, is_asked=False)
        for piece in pieces_of(said):
            words = piece.split()
            start = next((at for at, word in enumerate(words) if at and word[:1].isupper()), 0)
            name = self._capitals(words[start:], now) if start else ""
            is_own = any(is_same_name(name, one.name) for one in self._seen.own) or (told and is_same_name(name, told))
            if len(name.split()) > 1 and not is_own:
                return name
        return ""

    def _of_third_person(self, said: str, now: datetime) -> bool:
        """Return whether a turn speaks of an appointment by a pronoun: "her Thursday appointment", "lịch chị ấy"."""
        slots = self._finder.find(said, now)
        words = tuple(word for at, word in enumerate(slots.words) if at not in slots.value_words)
        lists = self._finder.words
        is_third = has_any(words, (*lists.people["theirs"], *lists.person_pronouns)) and not slots.people
        return is_third and not has_any(words, lists.own)

    def _owner_named(self, said: str, now: datetime) -> str:
        """The name of the one whose appointment a turn speaks of: "Ann Bell's", "the appointment of Ann Bell"; in
        capitals, where the script has them. Empty: it names none.
        """
        words = said.split()
        plain = [" ".join(normalise(word)) for word in words]
        for at, word in enumerate(words):
            bare = word.rstrip(".,;:!?")
            if bare.endswith(_POSSESSIVES):
                start = at
                while start and words[start - 1][:1].isupper() and words[start - 1][-1:].isalpha():
                    start -= 1
                named = [*words[start:at], bare[:-2]]
            else:
                lead = next((one for one in self._finder.words.owners if tuple(plain[at : at + len(one)]) == one), ())
                named = list(self._untitled(words[at + len(lead) :])) if lead else []
            starts = range(len(named)) if bare.endswith(_POSSESSIVES) else range(1)  # "Cancel Ann Bell's"
            if name := next((name for start in starts if (name := self._capitals(named[start:], now))), ""):
                return name
        return ""

    def _untitled(self, words: Sequence[str]) -> Sequence[str]:
        """Words without a title, or a relative, that they begin with: "chị Trần Thị Hà"."""
        lists = self._finder.words
        leads = (*lists.titles, *lists.people["one"])
        return words[1:] if words and any((normalise(words[0])) == lead for lead in leads) else words

    def _capitals(self, words: Sequence[str], now: datetime) -> str:
        """The words in capitals that a text begins with, as a name; empty: it begins with something else."""
        kept: list[str] = []
        for word in words:
            if not word[:1].isupper():
                break
            kept.append(word.strip(".,;:!?"))
            if not word[-1:].isalpha():
                break
        name = " ".join(kept)
        return self._given.bare(name, now) if name else ""

    def _chosen(self, wish: Wish, mine: Sequence[Appointment], now: datetime) -> Wish:
        """The wish with the appointment that is meant, where that is clear."""
        when, new = self._old_and_new(wish, now)
        meant = [one for one in mine if when and is_at(one.starts, when)] if len(mine) > 1 else list(mine)
        if wish.is_each:
            meant = sorted(meant or mine, key=_place)[:1]
        one = _only(meant)
        if one is None:
            return wish
        is_its_own = wish.kind != "change" or (len(mine) > 1 and when == new and len(when.weekdays) < 2)
        said = "" if is_its_own and not wish.is_each else wish.said  # its day limits "all"
        return of_appointment(replace(wish, said=said), one)

    def _old_and_new(self, wish: Wish, now: datetime) -> tuple[When, When]:
        """Texts about the time of an appointment, and about a new one; of a wish that moves none both are one."""
        if not wish.said:
            return When(), When()
        if wish.kind == "change":
            return self._moments_said(wish.said, now)
        slots = self._turn.read(wish.said, now).slots
        when = slots.when or next(iter(slots.refused), When())  # "cancel it, I can't come on Friday"
        return when, when

    def _not_on_day_said(self, wish: Wish, mine: Sequence[Appointment], now: datetime) -> str:
        """A sentence where the caller speaks of an appointment on a day on which they have none; empty: they do not."""
        old, new = self._old_and_new(wish, now)
        if not old.has_day or old.trouble or (wish.kind == "change" and old == new):
            return ""
        day = replace(old, times=(), part="", day_relation="")
        if any(is_at(one.starts, day) for one in mine):
            return ""
        return self._words.say("appointment_not_then", when=self._words.on(self._said(day, now)))

    def _told_standing(self, mine: Sequence[Appointment], dialogue: Dialogue) -> Taken:
        """The appointments of a caller; of a deed that is noted and not done, that it is so."""
        words, fixed = self._words, [self._text_of(one.starts) for one in mine if not one.is_noted]
        texts = [words.say("appointment_is", when=fixed[0])] if len(fixed) == 1 else []
        if len(fixed) > 1:
            texts.append(words.say("appointments_are", times=words.all_of(fixed)))
        for key, is_booked in (("appointment_noted", True), ("cancellation_noted", False)):
            noted = [self._text_of(one.starts) for one in mine if one.is_noted and one.is_booked is is_booked]
            texts += [words.say(key, times=words.all_of(noted))] if noted else []
        is_one = len({one.name for one in mine}) == 1
        known = Wish(name=mine[0].name if is_one else "", phone=mine[0].phone, is_of_other=dialogue.wish.is_of_other)
        return " ".join([*texts, words.ask("more")]), "more", replace(dialogue, wish=known)

    def _next_of_each(self, wish: Wish) -> Wish | None:
        """The wish for the next appointment, where all are to be cancelled, or all of a day; None: it was the last."""
        left = [one for one in self._mine(wish) if wish.is_each and _place(one) > (wish.starts, wish.service)]
        left = [one for one in left if is_at(one.starts, self._old_and_new(wish, self._seen.now)[0])]
        return of_appointment(wish, min(left, key=_place)) if left else None

    def _spoken(self, starts: str) -> str:
        """A time of the diary in words; empty: none."""
        return self._text_of(datetime.fromisoformat(starts)) if starts else ""

    def _spoken_of(self, wish: Wish) -> str:
        """The appointment of a wish in words, apart from the caller's others."""
        return self._spoken(wish.starts)

    def _told_apart(self, wish: Wish) -> dict[str, Appointment]:
        """The appointments that a wish may be about, by the words that tell them apart."""
        return {self._spoken_of(of_appointment(wish, one)): one for one in self._mine(wish)}

    def _question_which(self, wish: Wish) -> tuple[str, str]:
        """The question which appointment is meant, or by what it is found."""
        words = self._words
        if mine := self._told_apart(wish):
            times = words.one_of(mine)
            return words.ask("which_appointment", times=times), "which_appointment"
        if wish.is_of_other and not wish.name:
            return words.ask("whose"), "name"
        return (words.ask("name"), "name") if wish.phone else (words.ask("phone"), "phone")

    def _pointed_at(self, wish: Wish, part: Part) -> Wish | None:
        """The wish with the appointment that an answer names by its person, service or place: "the first one"."""
        one = self._of_person(wish, part) or self._of_service(wish, part)
        if one is None:
            mine = self._told_apart(wish)
            one = mine.get(self._in_order(part.text, list(mine)))
        return of_appointment(wish, one) if one else None

    def _of_service(self, wish: Wish, part: Part) -> Appointment | None:
        """The appointment for what an answer names: "the cleaning"; None: it names nothing, or several are for it."""
        named = {found.id for found in part.slots.services}
        return _only([one for one in self._mine(wish) if one.service in named])

    def _of_person(self, wish: Wish, part: Part) -> Appointment | None:
        """The appointment of the person that an answer names: "Amy's one"; None: it names none, or several have it."""
        said = {word.removesuffix("'s") for word in part.slots.words}
        named = [(len(said.intersection(normalise(one.name))), one) for one in self._mine(wish)]
        most = max((n for n, _ in named), default=0)
        found = [one for n, one in named if n == most]
        return found[0] if most and len(found) == 1 else None


def of_appointment(wish: Wish, one: Appointment) -> Wish:
    """The wish, as one for an appointment."""
    starts = f"{one.starts:%Y-%m-%dT%H:%M}"
    return replace(wish, starts=starts, name=one.name, phone=one.phone, service=one.service)


def _place(one: Appointment) -> tuple[str, str]:
    """Where an appointment comes among those of a caller."""
    return f"{one.starts:%Y-%m-%dT%H:%M}", one.service


def _only(found: Sequence[Appointment]) -> Appointment | None:
    """The one that is found, or the first of several that nothing tells apart; None: there is none, or a choice."""
    alike = {(_place(one), one.name) for one in found}
    return found[0] if len(alike) == 1 else None
