"""Deeds on an appointment that stands, of an agent with a diary: the agent finds the caller's own, reads back what is
wanted of it, and does that on a yes to the whole question. Sans-IO.

Nothing is told of other people's, not even that there is one; whose it is, see held.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.nlu.agent.graph.agreement import behind_agreements, opens_with_agreement
from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.bookings import LATER
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.done_deeds import DoneDeeds
from services.nlu.agent.graph.held import of_appointment
from services.nlu.agent.graph.kind_rules import SAID_BY
from services.nlu.agent.graph.moved_times import is_at
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.seen import Seen, covers
from services.nlu.agent.graph.timed_wishes import LONGEST_SAID
from services.nlu.agent.graph.wishes import Taken
from services.nlu.tools.clinic.diary import Appointment

_KINDS = {"change": "change", "cancel": "cancel", "check": "find"}  # of a sentence: the kind of wish that it begins
STANDING = frozenset(_KINDS.values())
_CONFIRMS = frozenset({"confirm_move", "confirm_cancel"})
_OF_TIMES = frozenset({"free", "change", "check", "private", "book", UNKNOWN})
_WHICH = frozenset({"which_appointment", "confirm_cancel"})
_MOST_MISSED = 2  # names and numbers without an appointment, before staff have to look


class StandingBookings(DoneDeeds):
    """Bookings that stand: they are looked up, moved and cancelled."""

    wanted_phone = ""
    """A number whose appointments were not looked up when none was found for it: look, and take the turn again."""

    def see(self, seen: Seen) -> None:
        super().see(seen)
        self.wanted_phone = ""

    @property
    def sees_appointments(self) -> bool:
        return self._seen.own is not None

    def take(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        is_open = self.is_open(dialogue)
        if self._seen.own is not None and is_open and dialogue.wish.kind in STANDING:
            if self._asks_a_fact(part) or (dialogue.wish.kind == "cancel" and self._asks_beside(part)):
                return None
            return self._with_reason(part, dialogue) or self._go_on(part, dialogue, now)
        may_check = is_open and self._seen.own is not None and part.kind == "check"
        if self._seen.own is not None:
            part = self._surely(part, is_open=is_open)
        if not is_open and (taken := self._of_done(part, dialogue, now)):
            return taken
        is_sooner = self._seen.own is not None and not is_open and self._wants_sooner(part)
        if is_sooner:
            part = replace(part, kind="change", doubts=())
        is_sure = not part.doubts or (is_open and part.kind == "change")  # an open wish would be lost by it
        if self._seen.own is not None and part.kind in _KINDS and is_sure:
            taken = (
                self._look(part, dialogue, now, is_sooner=is_sooner)
                if not is_open
                else self._beside(part, dialogue, now)
            )
            if taken:
                return taken
        taken = super().take(part, dialogue, now)
        return self._next([], dialogue.wish, dialogue, now) if taken is None and may_check else taken

    def _surely(self, part: Part, *, is_open: bool) -> Part:
        """A sentence that seems to be of a standing appointment. An open booking is left only by words that say so;
        where none is open, one that may ask after an appointment does.
        """
        evidence = self._finder.words.evidence
        names_value = part.slots.when or part.slots.services or part.slots.digits
        says_so = part.kind in SAID_BY and has_any(part.slots.words, evidence[SAID_BY[part.kind]])
        if is_open and part.kind in _KINDS and not names_value and (bool(part.doubts) or not says_so):
            return replace(part, kind=UNKNOWN, doubts=())
        return replace(part, doubts=()) if part.kind == "check" and not is_open else part

    def _beside(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """A sentence about a standing appointment while a booking is open."""
        if part.kind == "cancel" and not part.slots.when:
            return self._drop(dialogue)
        if part.kind == "change" and not part.slots.when:
            return self._other_wish(part, dialogue, now)
        if part.kind != "check":
            return None
        question, asked = self._question(dialogue.wish)
        return f"{self._words.say('check_wish')} {question}", asked, dialogue

    def told(self, state: str, dialogue: Dialogue) -> tuple[str, str, Dialogue]:
        wish, words = replace(dialogue.wish, is_confirmed=False), self._words
        if wish.kind not in STANDING:
            return super().told(state, dialogue)
        if state == "taken":
            wish = replace(wish, at="", when="")
            question, asked = self._question(wish)
            return words.say("booking_taken"), question, replace(dialogue, wish=wish, asked=asked)
        when = self._spoken(wish.at) or self._spoken_of(wish)
        keys = {"done": "moved" if wish.kind == "change" else "cancelled", "failed": "deed_failed", **LATER}
        text = words.say(keys.get(state, "wish_done"), when=when)
        if state == "done" and (following := self._next_of_each(wish)):
            question, asked = self._question(following)
            return text, question, replace(dialogue, wish=following, asked=asked, kind="book")
        noted = replace(wish, is_noted=True) if state != "failed" else Wish()
        return text, words.ask("more"), replace(dialogue, wish=noted, asked="more", kind="book")

    def go_on(self, wish: Wish, dialogue: Dialogue, now: datetime) -> Taken:
        return self._next([], wish, dialogue, now)

    def _wants_sooner(self, part: Part) -> bool:
        """Return whether a time before the caller's own appointment is asked for: "sooner than mine"."""
        lists, slots = self._finder.words, part.slots
        if not has_any(slots.words, lists.sooner_than_own) or slots.when.day_relation or slots.when.trouble:
            return False
        has_one = bool(self._seen.own) and (part.kind in _OF_TIMES or bool(part.doubts))
        return has_one or has_any(slots.words, lists.own)

    def _look(self, part: Part, dialogue: Dialogue, now: datetime, *, is_sooner: bool = False) -> Taken:
        """A sentence that begins such a wish; `is_sooner`: to a time before that of the appointment."""
        kind, before = _KINDS[part.kind], dialogue.wish
        is_known = bool(before.name and before.phone)  # given in this call, for a wish that is done with
        wish = Wish(
            kind,
            name=before.name if is_known else "",
            phone=before.phone if is_known else "",
            said=part.text[:LONGEST_SAID] if self._names_time(part) else "",
            is_sooner=is_sooner,
            is_each=kind == "cancel" and has_any(part.slots.words, self._finder.words.every),
        )
        wish = self._of_whom(self._with_whose(wish, part, asked=""), self._seen.said, now)
        if not self._seen.own and not wish.is_of_other:
            wish = self._with_introduction(wish, now)
        begins = [] if kind == "find" or self._mine(wish) else [self._words.say("change_start")]
        return self._next(begins, wish, dialogue, now)

    def _begin(self, wish: Wish, dialogue: Dialogue, now: datetime, part: Part | None = None) -> Taken:
        if wish.kind in STANDING and part and self._seen.own is not None:  # its kind is in doubt: what is asked tells
            return self._look(part, dialogue, now)
        if wish.kind == "book" and part and (mine := self._stands_then(wish, part, dialogue)):
            return self._told_standing(mine, dialogue)
        return super()._begin(wish, dialogue, now, part)

    def _stands_then(self, wish: Wish, part: Part, dialogue: Dialogue) -> list[Appointment]:
        """The caller's appointment at the time that they want one for: that is told, and none is looked for a week
        later. None where one more is wanted, or one for somebody else.
        """
        lists, slots = self._finder.words, part.slots
        if not (slots.when.has_day and slots.when.times) or has_any(
            slots.words, (*lists.adds, *lists.adds_behind, *lists.people["one"])
        ):
            return []
        before = dialogue.wish if dialogue.wish.phone else wish
        theirs = [one for one in self._mine(replace(before, kind="find", starts="")) if is_at(one.starts, slots.when)]
        return [one for one in theirs if one.is_booked and wish.service in ("", one.service)]

    def _other_wish(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken:
        """A sentence that changes something while a booking is open: what it names for this one. Where it names
        nothing, it is the appointment that the caller has which is to be moved, to the time they chose.
        """
        wish = dialogue.wish
        changed = self._filled(wish, part, now)
        if changed == wish and wish.kind == "book" and (self._seen.own or not (wish.name or wish.phone)):
            begun = self._look(replace(part, text=wish.when) if wish.when else part, dialogue, now)
            return begun if not wish.when else self._moved_to(wish.when, begun, now)
        return self._next([self._words.say("fine")], changed, dialogue)

    def _moved_to(self, when: str, begun: Taken, now: datetime) -> Taken:
        """A wish to move that has begun, with the time that was chosen before."""
        dialogue = begun[2]
        wish = replace(dialogue.wish, said=when)
        return self._next([], wish, dialogue, now) if wish.kind == "change" else begun

    def _turned(self, part: Part, wish: Wish, now: datetime) -> Wish:
        """The wish as a sentence turns it: to cancel what was to be moved, to move what was to be cancelled ("or could
        I come on Friday instead?"), or to another appointment of the caller's.
        """
        when, kind = part.slots.when, _KINDS.get(part.kind, "")
        if wish.starts and not wish.is_of_other and (of_other := self._of_whom(wish, part.text, now)) != wish:
            return replace(of_other, starts="", at="", when="")
        if kind in ("change", "cancel") and kind != wish.kind and wish.kind in ("change", "cancel"):
            wish = replace(wish, kind=kind, at="", when="", said="" if wish.starts else wish.said)
        if wish.kind != "cancel" or not wish.starts or not when or is_at(datetime.fromisoformat(wish.starts), when):
            return wish
        others = [one for one in self._mine(wish) if is_at(one.starts, when)]
        if len(others) == 1:
            return of_appointment(wish, others[0])
        return wish if kind == "cancel" else replace(wish, kind="change", at="", when="")

    def _go_on(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """A sentence while such a wish is open; None: it is about something else."""
        before = dialogue.wish
        wish = self._turned(part, before, now)
        is_turned = wish != before
        dialogue = replace(dialogue, wish=wish)
        asked = self._question(wish)[1]
        if asked == "confirm_cancel" and self._is_yes_to_drop(part):
            return self._agreed(dialogue, now)
        if self.is_taken_back(part):
            return self._drop(dialogue)
        if asked in _CONFIRMS and self._agrees(part, wish) and not part.slots.when and not is_turned:
            return self._agreed(dialogue, now)
        if chosen := self._chosen_in_order(wish, part, asked, now):
            return self._next([], chosen, dialogue, now)
        changed = self._with_whose(wish, part, asked)
        if asked == "phone" and changed == wish:
            changed = replace(wish, name=self.bare_name(part, wish, now) or wish.name)
        if self._names_time(part) and (wish.kind == "change" or not wish.starts):
            changed = replace(changed, said=self._with_day_said(part, wish, now), at="", when="")
        if part.kind == "no" and changed == wish and not is_turned:
            following = self._next_of_each(wish)  # "no, not that one"
            return (
                self._next([self._words.say("fine")], following, dialogue, now) if following else self._drop(dialogue)
            )
        is_of_it = is_turned or changed != wish or part.kind == "yes" or _KINDS.get(part.kind) == wish.kind
        return self._next([], changed, dialogue, now) if is_of_it else None

    def _put_off(self, text: str, parts: tuple[Part, ...], dialogue: Dialogue, now: datetime) -> tuple[Part, ...]:
        if dialogue.wish.kind == "find" or any(self._is_yes_to_drop(part) for part in parts):
            return ()
        if dialogue.wish.kind == "cancel" and (yes := self._said_to(dialogue.wish)) != self._seen.said:
            return (Part(yes, "yes", self._finder.find(yes, now)),)
        return super()._put_off(text, parts, dialogue, now)

    def _said_to(self, wish: Wish) -> str:
        """To a cancellation: its yes, without what the caller does behind it ("yes, I'll book again on Monday")."""
        said = super()._said_to(wish)
        if wish.kind != "cancel":
            return said
        kept, aside = self._turn.set_aside(said, self._finder.words.refusing["afterwards"])
        return kept if aside and opens_with_agreement(kept, self._finder.words) else said

    def _is_yes_to_drop(self, part: Part) -> bool:
        """Return whether a yes has words behind it that say once more what is to be done: "yes, drop it"."""
        lists, words = self._finder.words, part.slots.words
        rest = behind_agreements(words, lists)
        drop = next((one for one in lists.drops if rest[: len(one)] == one), ())
        trails = {word for phrase in lists.name_trails if len(phrase) == 1 for word in phrase}
        return bool(drop) and len(rest) < len(words) and all(word in trails for word in rest[len(drop) :])

    def _chosen_in_order(self, wish: Wish, part: Part, asked: str, now: datetime) -> Wish | None:
        """The wish with the time or the appointment that its place among those asked about names: "the first one"."""
        if part.slots.when or part.slots.digits:
            is_hour = bool(part.slots.when.times) and not part.slots.when.has_day
            return self._told_at(wish, part.slots.when) if asked == "when_free" and wish.starts and is_hour else None
        if asked == "confirm_move" and (hour := self._hour_instead(wish.at)):
            return replace(wish, said=self._free_at(hour) or self._likeliest(hour), at="", when="")
        if asked in _WHICH and wish.kind == "cancel" and has_any(part.slots.words, self._finder.words.every):
            return replace(wish, is_each=True, said="")
        if asked == "which_appointment":
            return self._pointed_at(wish, part)
        return self._told_in_order(wish, part) if asked == "when_free" and wish.starts else None

    def _told_in_order(self, wish: Wish, part: Part) -> Wish | None:
        """The wish with the one of the told times that its place or its bare hour names; None: none is."""
        is_soonest = has_any(part.slots.words, self._finder.words.soonest)
        moments = {self._text_of(at): at for at in self._free_for(wish)}
        texts = list(moments)
        chosen = texts[0] if is_soonest and texts else self._picked(part, list(moments.values()))
        return replace(wish, at=f"{moments[chosen]:%Y-%m-%dT%H:%M}", when=chosen, said="") if chosen else None

    def _agreed(self, dialogue: Dialogue, now: datetime) -> Taken:
        """A yes to what was read back: it counts where that was heard to its end and nothing takes it back."""
        wish = dialogue.wish
        if self._is_undone(wish, now) or not covers(self._seen.heard, self._question(wish)[0]):
            return self._next([], wish, dialogue, now)
        return "", "more", dialogue.with_wish(is_confirmed=True)

    def _with_whose(self, wish: Wish, part: Part, asked: str) -> Wish:
        """The wish with the number and the name that a sentence gives. Another number's name is yet to be given."""
        digits = part.slots.digits
        is_asked = asked == "name" or (asked == "phone" and part.kind == "name")
        name = self.name_in(part.text, is_asked=is_asked and not digits and not part.slots.when)
        if digits and digits != wish.phone:
            wish = replace(wish, phone=digits, name="" if wish.starts else wish.name, starts="", at="", when="")
        if name and name != wish.name:
            wish = replace(wish, name=name, starts="", at="", when="")
        return wish

    def _next(self, texts: list[str], wish: Wish, dialogue: Dialogue, now: datetime | None = None) -> Taken:
        if wish.kind not in STANDING or now is None:
            return super()._next(texts, wish, dialogue)
        mine = self._mine(wish)
        if not wish.starts and not mine and (gone := self._mine(replace(wish, kind="find"))):
            return self._told_standing(gone, dialogue)  # its cancellation is noted
        if not wish.starts and not mine and wish.phone and wish.name:
            self.wanted_phone = wish.phone if wish.phone != self._seen.phone else ""
            return self._missed(wish, dialogue)
        if not wish.starts and mine:
            said, wish = wish, self._chosen(wish, mine, now)
            texts = [*texts, self._not_on_day_said(said, mine, now)] if wish.starts else texts
        if wish.kind == "find" and mine:
            return self._told_standing(mine, dialogue)
        if wish.kind == "change" and wish.starts and wish.said:
            text, wish = self._new_time(wish, now)
            if text:  # it tells which times there are
                return " ".join([*texts, text, self._words.ask("when")]), "when_free", replace(dialogue, wish=wish)
        if wish.kind == "change" and wish.starts and wish.is_sooner and not wish.at and not self._free_for(wish):
            wish = replace(wish, is_sooner=False)
            times = self._words.all_of(text for text, _ in self.free_times(now))
            texts = [*texts, *([self._words.say("free_no", times=times)] if times else [])]
        question, asked = self._question(wish)
        return " ".join(text for text in (*texts, question) if text), asked, replace(dialogue, wish=wish)

    def _missed(self, wish: Wish, dialogue: Dialogue) -> Taken:
        """No appointment for a name and number: once more, then staff have to look."""
        said = self._words.say("appointment_none")
        if wish.n_missed + 1 >= _MOST_MISSED:
            text = f"{said} {self._words.say('appointment_staff')} {self._words.ask('more')}"
            return text, "more", replace(dialogue, wish=Wish())
        again = replace(wish, name="", phone="", n_missed=wish.n_missed + 1)
        return f"{said} {self._words.ask('phone')}", "phone", replace(dialogue, wish=again)

    # Which one, and when

    def _question(self, wish: Wish) -> tuple[str, str]:
        words = self._words
        if wish.kind not in STANDING:
            return super()._question(wish)
        if not wish.starts:
            return self._question_which(wish)
        if wish.kind == "cancel":
            when, key = self._spoken_of(wish), "confirm_cancel_of" if wish.is_of_other else "confirm_cancel"
            return words.ask(key, when=when, name=wish.name), "confirm_cancel"
        if not wish.at:
            free = [self._text_of(at) for at in self._free_for(wish)]
            return (
                (words.ask("when_free", times=words.one_of(free)), "when_free") if free else (words.ask("when"), "when")
            )
        old, new = self._spoken(wish.starts), self._spoken(wish.at)
        key = "confirm_move_of" if wish.is_of_other else "confirm_move"
        return words.ask(key, old=old, when=new, name=wish.name), "confirm_move"

    def _is_undone(self, wish: Wish, now: datetime) -> bool:
        if wish.kind not in STANDING:
            return super()._is_undone(wish, now)
        kinds = {part.kind for part in self._seen.parts if not self._agrees(part, wish)}
        drops = wish.kind == "cancel" and any(self._is_yes_to_drop(part) for part in self._seen.parts)
        is_taken_back = self._takes_back(self._said_to(wish), now) and not drops
        return is_taken_back or bool(kinds & {"no", "book", *(_KINDS.keys() - {"check"})})

    def _takes_back(self, said: str, now: datetime) -> bool:
        slots = self._finder.find(said, now)
        return bool(slots.when) or has_any(slots.words, self.take_backs)
