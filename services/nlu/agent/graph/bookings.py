"""Bookings of an agent with a diary: it offers what is free, reads the wish back with its date, and books what the
caller says yes to once they have heard that question to its end. Sans-IO.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.nlu.agent.graph.agreement import (
    opens_with_agreement,
)
from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import WHOLE_NUMBER
from services.nlu.agent.graph.read_back_answers import ReadBackAnswers
from services.nlu.agent.graph.reading import STATED, Part
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.wished_deeds import TOOLS
from services.nlu.agent.graph.wishes import PUT_OFF, Taken

LATER = {"noted": "deed_noted", "promised": "deed_noted_message"}
_OTHERS = frozenset({"change", "cancel", "check", "private", "tampering", "handover", "callback"})
_FREE_OR_BOOK = frozenset({"free", "book"})
_COMING = frozenset({"free", "book", "hours"})  # what a sentence with a time may ask of a visit
_ANOTHER = frozenset({"book", "free", "private", UNKNOWN, "offered", "change"})
_NO_TIMES = frozenset({"price", "duration", "address", "who", "handover", "callback", "language", "complaint", "robot"})
_ECHOES = frozenset({"book", "free", "hours", UNKNOWN, "yes", "thanks", "check"})
_PARTING = frozenset({"bye", "thanks", "hours"})
_TAKING = frozenset({"yes", "name", "number"})  # kinds that answer free times which were told


class Bookings(ReadBackAnswers):
    """Wishes that can be fulfilled. Without a free time it takes them down as the others do."""

    def told(self, state: str, dialogue: Dialogue) -> tuple[str, str, Dialogue]:
        """Return how the deed stands, what is asked behind that, and the dialogue then. `state`: done, taken, failed,
        noted (it will be done later), promised (and the caller gets a message then), else nothing is known of it.
        """
        wish, words = replace(dialogue.wish, is_confirmed=False), self._words
        if state == "taken":
            wish = replace(wish, when="", at="")
            question, asked = self._question(wish)
            return words.say("booking_taken"), question, replace(dialogue, wish=wish, asked=asked)
        keys = {"done": "booked", "failed": "booking_failed", **LATER}
        text = words.say(keys.get(state, "wish_done"), when=wish.when)
        noted = replace(wish, is_noted=True) if state != "failed" else Wish()
        return text, words.ask("more"), replace(dialogue, wish=noted, asked="more", kind="book")

    @property
    def asks_more(self) -> str:
        """The question behind what is done with."""
        return self._words.ask("more")

    def shown_of(self, wish: Wish) -> tuple[str, ...]:
        """Return what of a wish was looked up, as JSON for the guard."""
        return ()

    def ended(self, tool: str, arguments: Mapping[str, object], *, is_done: bool) -> str:
        """A message that tells how a deed ended."""
        at = str(arguments.get("new_starts") or arguments.get("starts", ""))
        if not is_done:
            return self._words.say("booking_failed" if tool == TOOLS["book"] else "deed_failed")
        key = {TOOLS["book"]: "booked", TOOLS["change"]: "moved", TOOLS["cancel"]: "cancelled"}[tool]
        return self._words.say(key, when=self._text_of(datetime.fromisoformat(at)))

    def take(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        if part.kind in (STATED, PUT_OFF):
            return self._take_stated(part, dialogue, now) if part.kind == STATED else self._drop(dialogue)
        part = self._without_doubt(part, dialogue)
        if first := self._soonest(part, dialogue, now) or self._echoed(part, dialogue):
            return first
        if self._seen.free and not self.is_open(dialogue):
            if offered := self._offered(part, dialogue, now):
                return offered
            if another := self._another(part, dialogue, now):
                return another
            is_sure = not part.doubts or opens_with_agreement(part.text, self._finder.words)
            if dialogue.kind == "free" and part.kind in _TAKING and is_sure:  # "I'll take that"
                return self._begin(self._filled(Wish("book", service=dialogue.service), part, now), dialogue, now, part)
        return super().take(part, dialogue, now)

    def _echoed(self, part: Part, dialogue: Dialogue) -> Taken | None:
        """Return the answer to a sentence that only says again when an appointment is: "Thursday at two, then"."""
        slots, lists = part.slots, self._finder.words
        told = [one.starts for one in (*(self._seen.own or ()), *self._seen.found)]
        told += [datetime.fromisoformat(dialogue.wish.at)] if dialogue.wish.is_noted and dialogue.wish.at else []
        asks = part.text.rstrip().endswith(("?", "？")) or has_any(slots.words, lists.question_words)
        orders = any(has_any(slots.words, phrases) for phrases in lists.orders.values())
        names_more = slots.services or slots.digits or has_any(slots.words, lists.people["one"])
        is_told = bool(slots.when) and any(slots.when.is_on(at) for at in told)
        is_kind = part.kind in _ECHOES or bool(part.doubts)
        if dialogue.asked != "more" or not is_told or not is_kind or asks or orders or names_more:
            return None
        return f"{self._words.say('welcome')} {self.asks_more}", "more", dialogue

    def _soonest(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """The first free time, where that is wanted: "the earliest you have", "the soonest afternoon". It is offered
        where it was asked for, and taken where a booking is wanted.
        """
        lists, slots = self._finder.words, part.slots
        is_wanted = has_any(slots.words, lists.soonest) and not slots.when.trouble
        is_of_hours = has_any(slots.words, (*lists.compares["opening"], *lists.compares["closing"]))
        is_open = self.is_open(dialogue)
        is_other_kind = part.kind in _NO_TIMES and not part.doubts  # it surely asks for something else than a time
        if not is_wanted or is_of_hours or is_other_kind or (is_open and dialogue.wish.kind != "book"):
            return None
        first = next((at for at in self._seen.free if not slots.when or self._is_fitting(at, slots.when)), None)
        if first is None:
            return None
        when = self._text_of(first)
        named = self._finder.find(self._seen.said, now).services
        service = named[-1].id if named else dialogue.service
        if is_open:
            return self._next([], self._filled(replace(dialogue.wish, when=when), _without_time(part), now), dialogue)
        if part.kind == "book" and not part.text.rstrip().endswith(("?", "？")):
            wish = self._filled(Wish("book", service=service, when=when), _without_time(part), now)
            return self._begin(wish, dialogue, now, _without_time(part))
        text = f"{self._words.plain(self._words.say('free_yes', times=when))} {self._words.ask('appointment')}"
        return text, "appointment", replace(dialogue, service=service, wish=Wish(when=when))

    def _another(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """One more booking behind one that is done, for somebody who is named or for another service: "and one on
        Friday for my wife". The number is kept, and read back; a question about other people begins none.
        """
        before, slots = dialogue.wish, part.slots
        is_question = part.text.rstrip().endswith(("?", "？"))
        if before.kind != "book" or not before.is_noted or not before.at or not slots.when or is_question:
            return None
        name = self.name_in(part.text, is_asked=False) or self._given.beside_person(part.text, now)
        if part.kind == "change" and not name:
            return None
        lists = self._finder.words
        goes_on = any(slots.words[: len(lead)] == lead for lead in lists.follow_ups) or has_any(slots.words, lists.adds)
        is_for_other = goes_on and has_any(slots.words, lists.people["one"])
        if part.kind not in _ANOTHER or not (name or slots.services or is_for_other):
            return None
        if not slots.when.has_day and not slots.when.trouble:  # "and my wife at four"
            day = datetime.fromisoformat(before.at).date()
            part = replace(part, slots=replace(slots, when=replace(slots.when, date=day)))
        service = "" if slots.services else before.service
        wish = Wish("book", name=name, phone=before.phone, service=service)
        return self._begin(self._filled(wish, part, now), dialogue, now, part)

    def _without_doubt(self, part: Part, dialogue: Dialogue) -> Part:
        """A sentence with a time that asks whether it is free or wants it, not after the hours of the house: behind
        free times that were told, and in an open wish, it wants it. The other is answered with the offer to book.
        """
        likeliest, lists = part.doubts[:2], self._finder.words
        if part.kind == "hours" and part.slots.when.times and self._names_booking(part) and not part.slots.is_of_hours:
            part = replace(part, kind="free", doubts=())  # "half past two on Tuesday, is that possible for whitening?"
        is_of_hours = has_any(part.slots.words, (*lists.compares["opening"], *lists.compares["closing"]))
        is_of_times = _FREE_OR_BOOK.issuperset(likeliest) or (_COMING.issuperset(likeliest) and not is_of_hours)
        is_of_times = is_of_times or (bool(_FREE_OR_BOOK.intersection(part.doubts)) and self._names_booking(part))
        if not part.doubts or not part.slots.when or not is_of_times:
            return part
        wants = dialogue.kind == "free" or self.is_open(dialogue) or part.kind == "book"
        return replace(part, kind="book" if wants else "free", doubts=())

    def _said_of(self, wish: Wish) -> str:
        """The diary holds no person: none is read back with what it will have."""
        return super()._said_of(replace(wish, person="") if wish.at else wish)

    def _offered(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """Return what is said about one time that is free: that it is, and whether they want it; then their answer."""
        wish, when = dialogue.wish, part.slots.when
        if part.kind == "free" and not part.doubts and not when.last_date and len(self.fitting(when, now)) == 1:
            (time,) = self.fitting(when, now) if when else [""]
            text = f"{self._words.say('free_yes', times=time)} {self._words.ask('appointment')}"
            named = self._finder.find(self._seen.said, now).services
            service = named[-1].id if named else dialogue.service
            return text, "appointment", replace(dialogue, service=service, wish=Wish(when=time))
        name = self._named_in(part, now)
        gives = bool(name) or len(part.slots.digits) >= WHOLE_NUMBER
        is_for_it = (part.kind in ("yes", "name", "number", "book") or gives or self._accepts(part)) and not when
        if dialogue.asked != "appointment" or not wish.when or wish.kind or not is_for_it:
            return None
        kept = Wish("book", service=dialogue.service, when=wish.when, name=name)
        return self._next([], self._filled(kept, part, now), dialogue)

    def _accepts(self, part: Part) -> bool:
        """Return whether a sentence agrees to a time that was offered, in any words: "great, I'll have that one"."""
        is_other = part.kind in _OTHERS | _NO_TIMES | _PARTING and not part.doubts
        return opens_with_agreement(part.text, self._finder.words) and not is_other

    def _gone_on(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        wish = dialogue.wish
        is_choosing = self.asked(dialogue) == "when_free" and wish.kind == "book" and bool(self._seen.free)
        if is_choosing and (chosen := self._picked(part, self._open_times(wish, now))):
            return self._next([], replace(wish, when=chosen, said=""), dialogue)
        if self.asked(dialogue) == "confirm" and (taken := self._at_read_back(part, dialogue, now)):
            return taken
        corrected = self._given.corrected(part.text, wish.name, now) if wish.name else ""
        if name := corrected or self._early_name(part, dialogue, now):
            return self._next([self._words.say("noted_name", name=name)], replace(wish, name=name), dialogue)
        is_number = len(part.slots.digits) >= WHOLE_NUMBER and self.asked(dialogue) != "confirm"
        if is_number and not part.slots.when and (changed := self._filled(wish, part, now)) != wish:
            is_unnamed = self.asked(dialogue) == "name" and not changed.name
            name = self.name_beside_number(part.text) if is_unnamed else changed.name
            return self._next([], replace(changed, name=name), dialogue)  # too early, or with the name
        return super()._gone_on(part, dialogue, now)

    def _is_answer(self, part: Part, asked: str) -> bool:
        is_time = asked in ("when", "when_free") and self._is_time(part)  # "could it be Friday morning?"
        return is_time or super()._is_answer(part, asked)

    def _begin(self, wish: Wish, dialogue: Dialogue, now: datetime, part: Part | None = None) -> Taken:
        if wish.kind != "book" or not self._seen.free:
            return super()._begin(wish, dialogue, now, part)
        wish = self._with_known(self._with_introduction(wish, now), dialogue.wish, part)
        texts = [self._words.say("booking_start")]
        when = part.slots.when if part else When()
        if refused := self._refused(when, now):
            texts.append(refused)
        elif part and when and not wish.when:
            return self._timed(texts, wish, part, dialogue, now)
        return self._next(texts, wish, dialogue)

    def _next(self, texts: list[str], wish: Wish, dialogue: Dialogue) -> Taken:
        wish = self._with_whom(wish)
        if wish.kind == "book" and wish.when:
            at = next((one for one in self._seen.free if self._text_of(one) == wish.when), None)
            if at is None and wish.at:
                texts, wish = [*texts, self._words.say("booking_taken")], replace(wish, when="", at="")
            else:
                wish = replace(wish, at=f"{at:%Y-%m-%dT%H:%M}" if at else "")
        return super()._next(texts, wish, dialogue)

    def _question(self, wish: Wish) -> tuple[str, str]:
        words = self._words
        if wish.kind == "book" and not wish.when and self._seen.free:
            told = self._told(self._open_times(wish, self._seen.now))
            return words.ask("when_free", times=words.one_of(told)), "when_free"
        if wish.at and wish.name and wish.phone and not self._missing_slot(wish):
            return words.ask("confirm_booking", wish=self._said_of(wish)), "confirm"
        return super()._question(wish)


def _without_time(part: Part) -> Part:
    """A sentence whose time was found another way."""
    return replace(part, slots=replace(part.slots, when=When()))
