"""What an agent with a diary does about a booking: it offers what is free, reads the wish back with its date, and books
what the caller says yes to once they have heard that question to its end. Sans-IO.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.facts import FreeTime
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import When, has_any
from services.nlu.agent.graph.wishes import Taken, Wishes, fits
from services.nlu.history import Entry

BOOK = "clinic_book"
_UNDOING = frozenset({"no", "change", "cancel", "book"})  # kinds that take a yes back in the same breath


@dataclass(frozen=True, slots=True)
class Seen:
    """What one turn sees beside its words."""

    free: tuple[datetime, ...] = ()  # times that can be had; empty: none, or the diary cannot be read
    heard: str = ""  # what the agent said last, as far as it was heard
    said: str = ""  # the whole turn, and the parts of it that matter
    parts: tuple[Part, ...] = ()


class Bookings(Wishes):
    """Wishes that can be fulfilled. Without a free time it takes them down as the others do."""

    _seen = Seen()

    def see(self, seen: Seen) -> None:
        """What holds for the calls that follow; set anew for every turn, just before them."""
        self._seen = seen

    def is_open(self, dialogue: Dialogue) -> bool:
        return super().is_open(dialogue) and not dialogue.wish.is_confirmed

    def told(self, state: str, dialogue: Dialogue) -> tuple[str, str, Dialogue]:
        """How the deed stands, what is asked behind that, and the dialogue then. `state`: done, taken, failed, else it
        is pending.
        """
        wish, words = replace(dialogue.wish, is_confirmed=False), self._words
        if state == "taken":
            wish = replace(wish, when="", at="")
            question, asked = self._question(wish)
            return words.say("booking_taken"), question, replace(dialogue, wish=wish, asked=asked)
        keys = {"done": "booked", "failed": "booking_failed"}
        text = words.say(keys.get(state, "wish_done"), when=wish.when)
        noted = replace(wish, is_noted=True) if state != "failed" else Wish()
        return text, words.ask("more"), replace(dialogue, wish=noted, asked="more", kind="book")

    def free_times(self, now: datetime) -> list[tuple[str, FreeTime]]:
        """The next free one of each weekday and time of day."""
        return [(self._free_text(free), free) for free in _first_of_each(_as_free(self._seen.free))]

    def fitting(self, when: When, now: datetime) -> list[str]:
        fitting = [free for free in _as_free(self._seen.free) if fits(free, when)]
        return [self._free_text(free) for free in _first_of_each(fitting)]

    def _begin(self, wish: Wish, dialogue: Dialogue, now: datetime, part: Part | None = None) -> Taken:
        if wish.kind != "book" or not self._seen.free:
            return super()._begin(wish, dialogue, now, part)
        texts = [self._words.say("booking_start")]
        if part and (refused := self._refused(part.slots.when, now)):
            texts.append(refused)
        return self._next(texts, wish, dialogue)

    def _answered_when(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        when = part.slots.when
        is_plain = bool(when) and not when.last_date and not self._refused(when, now)
        if dialogue.wish.kind != "book" or not self._seen.free or not is_plain:
            return super()._answered_when(part, dialogue, now)
        if fitting := self.fitting(when, now):
            return self._next([], replace(dialogue.wish, when=fitting[0]), dialogue)
        times = self._words.all_of(text for text, _ in self.free_times(now))
        text = f"{self._words.say('free_no', times=times)} {self._words.ask('when')}"
        return text, "when", dialogue.with_wish(when="", at="")

    def _next(self, texts: list[str], wish: Wish, dialogue: Dialogue) -> Taken:
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
            free = [self._free_text(one) for one in _first_of_each(_as_free(self._seen.free))]
            return words.ask("when_free", times=words.one_of(free)), "when_free"
        if wish.at and wish.name and wish.phone and not self._missing_slot(wish):
            return words.ask("confirm_booking", wish=self._said_of(wish)), "confirm"
        return super()._question(wish)

    def _confirmed(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        wish = dialogue.wish
        if not wish.at:
            return super()._confirmed(part, dialogue, now)
        changed = self._filled(wish, part, now)
        if changed != wish:
            return self._next([], changed, dialogue)
        if part.slots.when and wish.when not in self.fitting(part.slots.when, now):
            return self._answered_when(part, dialogue, now)  # "yes, but on Sunday"
        if part.kind != "yes" or part.doubts:
            return super()._confirmed(part, dialogue, now) if part.kind == "no" else None
        if self._is_undone(wish, now) or not covers(self._seen.heard, self._question(wish)[0]):
            return self._next([], wish, dialogue)  # it was not heard, so it cannot have been meant
        return "", "more", dialogue.with_wish(is_confirmed=True)

    def _is_undone(self, wish: Wish, now: datetime) -> bool:
        """Whether something in the turn takes its yes back, or names another time."""
        slots = self._finder.find(self._seen.said, now)
        is_other_time = bool(slots.when) and wish.when not in self.fitting(slots.when, now)
        is_taken_back = has_any(slots.words, self._finder.words.take_backs)
        return is_other_time or is_taken_back or any(part.kind in _UNDOING for part in self._seen.parts)

    def _text_of(self, moment: datetime) -> str:
        return self._free_text(FreeTime(moment.time(), date=moment.date()))


def seen_by(
    free: Sequence[datetime] | None, history: Sequence[Entry], said: str = "", parts: Sequence[Part] = ()
) -> Seen:
    """What a turn sees: `history` is what came before it, as it was heard."""
    return Seen(tuple(free or ()), heard_last(history), said, tuple(parts))


def heard_last(history: Sequence[Entry]) -> str:
    """What the agent said last, as far as it was heard; empty where the gateway said something behind it, which a
    caller's yes may be meant for.
    """
    if not history or history[-1].gateway_text:
        return ""
    return history[-1].heard_text


def covers(heard: str, question: str) -> bool:
    """Whether a question was heard to its end."""
    asked = normalise(question)
    return bool(asked) and normalise(heard)[-len(asked) :] == asked


def arguments_of(wish: Wish) -> str:
    """The arguments of BOOK, always written the same way."""
    arguments = {"starts": wish.at, "name": wish.name, "phone": wish.phone, "service": wish.service}
    return json.dumps(arguments, ensure_ascii=False)


def is_owed(wish: Wish, history: Sequence[Entry]) -> bool:
    """Whether the deed of a wish was asked for in an earlier turn, and how it went has not been heard."""
    if not wish.at:
        return False
    if wish.is_noted:  # it was told: nobody may have heard it
        return bool(history) and _has_asked(wish, history[-1]) and not history[-1].heard_text.strip()
    return wish.is_confirmed or any(_has_asked(wish, entry) for entry in history)


def _has_asked(wish: Wish, entry: Entry) -> bool:
    arguments = arguments_of(wish)
    return any(call.name == BOOK and call.arguments_json == arguments for call in entry.tool_calls)


def _as_free(moments: Sequence[datetime]) -> list[FreeTime]:
    return [FreeTime(moment.time(), date=moment.date()) for moment in moments]


def _first_of_each(free_times: Sequence[FreeTime]) -> list[FreeTime]:
    """Of times on the same weekday the earliest date; they come in order."""
    first: dict[tuple[int, object], FreeTime] = {}
    for free in free_times:
        first.setdefault((free.date.weekday() if free.date else -1, free.time), free)
    return list(first.values())
