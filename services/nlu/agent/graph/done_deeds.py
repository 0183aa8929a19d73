"""What is said about a deed of the call once it is done: it is put right, or taken back. Sans-IO.

What is booked is cancelled, what is moved goes back, and what is cancelled is booked again, each read back first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.nlu.agent.graph.agreement import behind_agreements
from services.nlu.agent.graph.asking import UNKNOWN, Asking, refers
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.held import HeldBookings
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import Slots
from services.nlu.agent.graph.timed_wishes import LONGEST_SAID
from services.nlu.agent.graph.wishes import Taken

_LONGEST_STOP = 4  # words of "oh no, wait!"


class DoneDeeds(HeldBookings):
    """Bookings of which something was done in this call."""

    def _asks_beside(self, part: Part) -> bool:
        """Return whether a question beside a cancellation is about the house or its people: its day is no other day for
        the appointment.
        """
        wants = bool({"free", "change", "book"}.intersection((part.kind, *part.doubts[:2])))
        is_question = part.text.rstrip().endswith(("?", "？"))
        return is_question and not wants and (part.kind in ("hours", "who") or bool(part.slots.people))

    def takes_back(self, said: str, dialogue: Dialogue, now: datetime) -> bool:
        """Return whether a sentence right behind a deed says that it was not meant."""
        wish = dialogue.wish
        is_behind = dialogue.asked == "more" and wish.is_noted and bool(self.deed_of(wish)[0])
        return is_behind and _takes_back(wish, self._finder.find(said, now), self._finder.words)

    def _of_done(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """A sentence about what was told or done last; None: it is about something else."""
        wish = dialogue.wish
        if part.kind == "check" and self._seen.own is None and wish.is_noted and self.deed_of(wish)[0]:
            return f"{self._words.say('check_wish')} {self.asks_more}", "more", dialogue  # it cannot be looked up
        if self._is_about_told(part, dialogue):
            return self._told_standing(self._mine(replace(wish, kind="find")), dialogue)
        if self._seen.own is not None and self.takes_back(part.text, dialogue, now):
            return self._undone(wish, dialogue, now)
        if self._puts_right(part, dialogue):
            return self.go_on(self._moving(wish, part), dialogue, now)
        return self._another(part, dialogue, now) if part.kind == "change" else None

    def _undone(self, done: Wish, dialogue: Dialogue, now: datetime) -> Taken:
        """The read-back that undoes a deed of this call. A cancellation is told first: what is booked in its place is
        new, and nothing is where it still waits.
        """
        wish = self._undoing(done)
        when = self._spoken(wish.at or wish.starts)
        if done.kind != "cancel":
            return self.go_on(replace(wish, when=when if wish.at else ""), dialogue, now)
        mine = self._mine(replace(done, kind="find", starts=""))
        if still := [one for one in mine if f"{one.starts:%Y-%m-%dT%H:%M}" == done.starts]:
            return self._told_standing(still, dialogue)
        question, asked, after = self.go_on(replace(wish, when=when), dialogue, now)
        return f"{self._words.say('cancelled', when=when)} {question}", asked, after

    def _undoing(self, done: Wish) -> Wish:
        """The wish that undoes one that is done."""
        return undoing(done)

    def _is_about_told(self, part: Part, dialogue: Dialogue) -> bool:
        """Return whether a question is about the appointment that was told: "is it at three?"."""
        wish, slots, lists = dialogue.wish, part.slots, self._finder.words
        is_told = bool(wish.phone) and not wish.kind and bool(self._mine(replace(wish, kind="find")))
        asks = part.text.rstrip().endswith(("?", "？")) and refers(slots.words, lists)
        return is_told and asks and bool(slots.when) and not slots.services and part.kind not in ("change", "cancel")

    def _puts_right(self, part: Part, dialogue: Dialogue) -> bool:
        """Return whether a sentence puts another time in place of the one just booked: "actually, make that four"."""
        wish, slots, lists = dialogue.wish, part.slots, self._finder.words
        is_booked = wish.kind == "book" and wish.is_noted and bool(wish.at) and self._seen.own is not None
        is_other = is_booked and not slots.when.is_on(datetime.fromisoformat(wish.at))
        puts = has_any(slots.words, lists.evidence["changes"]) or (is_other and has_any(slots.words, lists.objections))
        is_kind = part.kind in ("book", "free", "no", UNKNOWN)
        return (
            is_booked
            and puts
            and bool(slots.when)
            and is_kind
            and not (slots.services or has_any(slots.words, lists.adds))
        )

    def _moving(self, booked: Wish, part: Part) -> Wish:
        """A wish to move what was just booked to the time that a sentence says."""
        said = part.text[:LONGEST_SAID]
        return Wish("change", starts=booked.at, name=booked.name, phone=booked.phone, said=said)


def _takes_back(done: Wish, slots: Slots, lists: Asking) -> bool:
    """Return whether a sentence behind a deed says that it was not meant: "no wait, keep it"; a bare no does not."""
    if slots.when or slots.services or slots.digits or has_any(slots.words, lists.leaves_off):
        return False
    words = behind_agreements(slots.words, lists)
    if has_any(words, lists.keeps):
        return done.kind != "book"
    is_stop = has_any(words, lists.stops) and len(words) <= _LONGEST_STOP
    return is_stop or has_any(words, lists.undoes)


def undoing(done: Wish) -> Wish:
    """The wish that undoes one that is done."""
    whose = Wish(name=done.name, phone=done.phone, service=done.service, is_of_other=done.is_of_other)
    match done.kind:
        case "book":
            return replace(whose, kind="cancel", starts=done.at)
        case "change":
            return replace(whose, kind="change", starts=done.at, at=done.starts)
    return replace(whose, kind="book", at=done.starts, is_of_other=False)
