"""Wishes stated by a whole turn: for a booking that it begins, and for one that is open. Sans-IO."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import islice

from services.language.words import normalise
from services.nlu.agent.graph.agreement import opens_with_agreement
from services.nlu.agent.graph.asking import UNKNOWN, is_text
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import WHOLE_NUMBER
from services.nlu.agent.graph.named_wishes import NamedWishes
from services.nlu.agent.graph.reading import STATED, Part
from services.nlu.agent.graph.requests import DEEDS, MOST_CUTS
from services.nlu.agent.graph.sentences import sentences_of, splits
from services.nlu.agent.graph.terms import asks_for_terms
from services.nlu.agent.graph.unanswered import HUM
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.whole_turn import clauses_of
from services.nlu.agent.graph.wishes import PUT_OFF, Taken

_OTHERS = frozenset({"change", "cancel", "check", "private", "tampering", "handover", "callback"})
_OF_THINGS = frozenset({"price", "offered", "duration", "hours", "free", UNKNOWN})  # kinds that a bare thing may seem
_FACTS = frozenset({"price", "duration", "address", "who", "offered", "today", "language", "about", "robot", "advice"})

_OTHER_DEED = {"cancel": ("change",), "change": ("cancel",)}  # that may be done with the same appointment


class StatedWishes(NamedWishes):
    """Wishes that take what a whole turn says, and requests that it makes."""

    def in_turn(self, parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], tuple[str, ...]]:
        """The parts of a turn with the first of several requests, and the texts of those that come behind it."""
        return self._requests.in_order(parts, self._seen.said, self._seen.now)

    def as_requested(self, part: Part) -> Part:
        """A request that waited: it wants what it orders, whatever it sounds like by itself."""
        ordered = self._requests.ordered(part.slots)
        if not ordered or (part.kind in DEEDS and not part.doubts):
            return part
        return replace(part, kind=ordered, doubts=(), is_follow_up=False)

    def as_one(self, text: str, parts: tuple[Part, ...], dialogue: Dialogue, now: datetime) -> tuple[Part, ...]:
        """The parts of a turn; one that wants a booking, where the turn says a time, a name and a number, and nothing
        else is begun or asked in it. In an open booking the sentences that say what is wanted of it are one.
        """
        if self.is_open(dialogue) and self.waits(text, parts):
            return (Part("", HUM, self._finder.find("", now)),)
        if self.is_open(dialogue) and self.added(dialogue.wish):
            kept = self._turn.without_added(text)[0]
            return (Part(kept, "yes" if kept else STATED, self._finder.find(kept, now)),)
        if self.is_open(dialogue) and self.names_wrong(dialogue):
            return (Part(text, "no", self._finder.find(text, now)),)
        if self.is_open(dialogue) and (put_off := self._put_off(text, parts, dialogue, now)):
            return put_off
        if self.is_open(dialogue) and dialogue.wish.kind == "book":
            return self._with_stated(text, self._with_one_name(parts, dialogue), dialogue, now)
        parts = self._requests.each_once(tuple(self._as_cancelling(self._as_request(part)) for part in parts))
        return parts if self.is_open(dialogue) else self._begun(text, parts, now)

    def _begun(self, text: str, parts: tuple[Part, ...], now: datetime) -> tuple[Part, ...]:
        """The parts of a turn that may begin wishes."""
        if self._seen.own and self._wants_instead(text, now):
            return (Part(text, "change", self._finder.find(text, now)),)
        apart = tuple(one for part in parts for one in self._requests.apart(part, now))
        if len(apart) > len(parts):
            return apart
        slots = self._finder.find(text, now)
        says_all = bool(slots.when and slots.digits) and bool(self.name_in(text.rstrip(" ?？"), is_asked=False))
        kinds = {part.kind for part in parts if not part.doubts}
        held = None if self._seen.own is None else [one.starts for one in self._seen.own]
        if not kinds & _OTHERS and self._requests.moves_told(text, held, now):
            return (Part(text, "change", slots),)
        if kinds & DEEDS:  # a number said beside a request is no request
            parts = tuple(part for part in parts if part.kind not in ("number", "name"))
        if kinds & _OTHERS:
            return parts
        if says_all:
            return (
                replace(parts[0], text=text.rstrip(" ?？"), kind="book", slots=slots, doubts=(), is_follow_up=False),
            )
        return self._begun_at_length(text, parts, now)

    def _put_off(self, text: str, parts: tuple[Part, ...], dialogue: Dialogue, now: datetime) -> tuple[Part, ...]:
        """The parts of a turn that refuses what is open, or tells what the caller does first; empty: it does neither.
        Nothing that such a clause names is wanted: "don't book it, I'll ring you on Monday". Where the turn wants
        something beside it, that counts.
        """
        remarks = self._finder.words.refusing["remarks"]
        phrases = (*self.take_backs, *remarks)
        kept, aside = self._turn.set_aside(text, phrases)
        refused = self._finder.find(aside, now)
        if not aside or len(refused.digits) >= WHOLE_NUMBER:
            return ()
        rest = self._turn.read(kept, now).slots
        wants = bool(rest.when or rest.services or rest.people or rest.digits)
        agrees = bool(kept) and opens_with_agreement(kept, self._finder.words)
        is_refusal = has_any(refused.words, self.take_backs)
        if not is_refusal and not (refused.when or refused.services or refused.people):
            return ()
        questions = tuple(part for part in parts if self._asks_a_fact(part) and not has_any(part.slots.words, phrases))
        for question in questions:
            kept = kept.replace(question.text, " ")
        ordered = self._requests.ordered(self._finder.find(kept, now))
        if is_refusal and ordered in _OTHER_DEED.get(dialogue.wish.kind, ()):  # "don't cancel it, move it"
            return (*questions, Part(kept, ordered, self._finder.find(kept, now)))
        if is_refusal and not (wants and kept.strip()) and not agrees:
            bare = replace(refused, when=When(), services=(), people=(), digits="", refused=())
            return (*questions, Part(aside, PUT_OFF, bare))
        return (*questions, self._beside_refusal(kept, dialogue, now, wants=wants))

    def _beside_refusal(self, kept: str, dialogue: Dialogue, now: datetime, *, wants: bool) -> Part:
        """Text of a turn beside a clause that refuses or remarks."""
        if dialogue.wish.kind == "book":
            stated = self._turn.read(kept, now)
            return Part(stated.text, STATED, stated.slots)
        return Part(kept, "change" if wants else "yes", self._finder.find(kept, now))

    def _as_request(self, part: Part) -> Part:
        """A sentence that names what is booked here and a day, and asks nothing, wants it: "whitening on Friday"."""
        lists, words = self._finder.words, part.slots.words
        asked = (*lists.question_words, *lists.price_words, *lists.evidence["asks_what"])
        asks = part.text.rstrip().endswith(("?", "？")) or has_any(words, asked)
        if (part.kind not in _OF_THINGS and not part.doubts) or asks or not self._names_booking(part):
            return part
        return replace(part, kind="book", doubts=(), is_follow_up=False)

    def _as_cancelling(self, part: Part) -> Part:
        """A sentence that orders a cancellation and asks nothing else wants it, whatever else it names."""
        lists, words = self._finder.words, part.slots.words
        if part.kind in DEEDS - {"book"} and not part.doubts:
            return part
        is_order = has_any(words, lists.orders["cancelled"]) and not has_any(words, lists.take_backs)
        asks = has_any(words, (*lists.question_words, *lists.price_words))
        asks = asks or asks_for_terms("cancel", part.slots, self._finder, part.text)  # "is there a fee to cancel"
        return replace(part, kind="cancel", doubts=(), is_follow_up=False) if is_order and not asks else part

    def _wants_instead(self, text: str, now: datetime) -> bool:
        """Return whether a turn cancels one time and wants another in its place: "cancel Tuesday, give me Thursday
        instead".
        """
        lists = self._finder.words
        sentences = sentences_of(text)
        cuts = [(". ".join(sentences[:at]), ". ".join(sentences[at:])) for at in range(1, len(sentences))]
        for left, right in islice((*splits(text, lists, self._language), *cuts), MOST_CUTS):
            behind = self._finder.find(right, now)
            is_wanted = bool(behind.when) and not behind.services and has_any(behind.words, lists.instead)
            if is_wanted and has_any(normalise(left), lists.orders["cancelled"]):
                return True
        return False

    def _names_booking(self, part: Part) -> bool:
        """Return whether a sentence names what can be booked, and when."""
        return bool(self._seen.free) and bool(part.slots.services) and part.slots.when.has_day

    def _begun_at_length(self, text: str, parts: tuple[Part, ...], now: datetime) -> tuple[Part, ...]:
        """The parts of a turn; one that wants a booking, where several of its sentences say for what and when and one
        wants it: "A check-up, I think... Tuesday? No, Wednesday."
        """
        if all(part.doubts for part in parts):
            stated = self._turn.read(text, now)
            request = self._as_request(Part(stated.text, UNKNOWN, stated.slots))
            if request.kind == "book":
                return (request,)
        wanting = next((part for part in parts if part.kind == "book"), None)
        if wanting is None or any(self._asks_a_fact(part) for part in parts):
            return parts
        stated = self._turn.read(text, now)
        is_same = stated.slots.when == wanting.slots.when and stated.slots.services == wanting.slots.services
        if is_same or not (stated.slots.when or stated.slots.services):
            return parts
        return (replace(wanting, text=stated.text, slots=stated.slots, doubts=(), is_follow_up=False),)

    def _with_one_name(self, parts: tuple[Part, ...], dialogue: Dialogue) -> tuple[Part, ...]:
        """The parts of an answer to the question for the name; of one that is begun and said again whole ("Peter.
        Peter Novak") the whole.
        """
        if self.asked(dialogue) != "name":
            return parts
        names = [set(normalise(self.name_in(part.text, is_asked=True))) for part in parts]
        name = self.name_in(self._seen.said, is_asked=True)
        if not any(names):  # taken for a remark
            said = (self._seen.said, *sentences_of(self._seen.said))
            text = next((text for text in said if self.name_in(text, is_asked=True)), "")
            found = self.name_in(text, is_asked=True) if text else ""
            if found and all(found not in part.text for part in parts):
                return (*parts, Part(text, "name", self._finder.find(text, self._seen.now)))
        whole = set(normalise(name))
        if whole not in names and any(one and one < whole for one in names):  # the rest of it was read as nothing
            others = tuple(part for part, one in zip(parts, names, strict=True) if not one < whole)
            return (*others, Part(self._seen.said, "name", self._finder.find(self._seen.said, self._seen.now)))
        return tuple(
            part
            for at, part in enumerate(parts)
            if not names[at] or not any(names[at] < other for other in names[at + 1 :])
        )

    def _with_stated(self, text: str, parts: tuple[Part, ...], dialogue: Dialogue, now: datetime) -> tuple[Part, ...]:
        """The parts of a turn in an open booking. Questions after facts stay; the other sentences, courtesies and all,
        are one where they say another day, time or service than the booking has.
        """
        if any(part.kind in _OTHERS and not part.doubts and part.kind != "change" for part in parts):
            return parts
        slots = self._finder.find(text, now)
        is_put = self._is_read_back(dialogue) and self._puts_hour(slots)  # another digit may be refused likewise
        if is_put and (hour := self._hour_instead(dialogue.wish.at)):
            return (Part(text, STATED, replace(slots, when=hour)),)
        questions = [part for part in parts if self._asks_a_fact(part) and not self._puts_service(part, dialogue)]
        for question in questions:
            text = text.replace(question.text, " ")
        if self.asked(dialogue) == "name" and (name := self.name_in(text, is_asked=True)):
            text = text.replace(name, " ") if name in text else ""  # "Mai" is tomorrow too
        stated = self._turn.read(text, now)
        part = Part(stated.text, STATED, stated.slots)
        if self.asked(dialogue) == "phone" and not part.slots.when.has_day:  # "forty four, one three" is no hour
            part = replace(part, slots=replace(part.slots, when=When()))
        if has_any(stated.slots.words, self._finder.words.soonest) or self._is_as_wished(part, dialogue, now):
            return parts
        return (*questions, part)

    def _is_read_back(self, dialogue: Dialogue) -> bool:
        """Return whether a booking with a time of the diary's was read back."""
        return bool(dialogue.wish.at) and bool(self._seen.free) and self.asked(dialogue) == "confirm"

    def _puts_service(self, part: Part, dialogue: Dialogue) -> bool:
        """Return whether a question puts another service in place of a booking's: "can you make it a filling?"."""
        lists, slots, service = self._finder.words, part.slots, dialogue.wish.service
        is_other = bool(service) and any(one.id != service for one in slots.services)
        puts = has_any(slots.words, (*lists.evidence["changes"], *lists.instead))
        return part.kind == "offered" and is_other and puts

    def _asks_a_fact(self, part: Part) -> bool:
        """Return whether a sentence asks for a fact: a day with a question mark only proposes it."""
        if not part.text.rstrip().endswith(("?", "？")) or part.doubts:
            return False
        lists = self._finder.words
        is_of_hours = part.kind == "hours" and has_any(
            part.slots.words, (*lists.compares["opening"], *lists.compares["closing"])
        )
        return part.kind in _FACTS or is_of_hours or is_text(part.kind)

    def _is_as_wished(self, part: Part, dialogue: Dialogue, now: datetime) -> bool:
        """Return whether a turn says no day, time or service but those of the wish."""
        wish, slots = dialogue.wish, part.slots
        is_other_thing = any(one.id != wish.service for one in slots.services) or wish.service in slots.refused_things
        is_refused = bool(wish.at) and any(when.is_on(datetime.fromisoformat(wish.at)) for when in slots.refused)
        is_other_time = bool(slots.when) and not (wish.at and slots.when.is_on(datetime.fromisoformat(wish.at)))
        return not (is_other_thing or is_refused or is_other_time)

    def _take_stated(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken:
        """Put each slot that a turn names into the open booking."""
        wish, slots, asked = dialogue.wish, part.slots, self.asked(dialogue)
        name = self._stated_name(part, wish, asked, now)
        service = "" if wish.service in slots.refused_things else wish.service
        changed = replace(
            wish,
            service=slots.services[-1].id if slots.services else service,
            person=slots.people[-1].id if slots.people else wish.person,
            name=name or wish.name,
            phone=slots.digits if len(slots.digits) >= WHOLE_NUMBER else wish.phone,
        )
        after = replace(dialogue, wish=changed)
        if slots.when and (taken := self._answered_when(part, after, now)):
            return taken
        if wish.at and any(when.is_on(datetime.fromisoformat(wish.at)) for when in slots.refused):
            changed = replace(changed, when="", at="")
        return self._next([], changed, after)

    def put_right(self, text: str, dialogue: Dialogue, now: datetime) -> Taken:
        if dialogue.wish.kind != "book" or not self._seen.free:
            return super().put_right(text, dialogue, now)
        stated = self._turn.read(text, now)
        return self._take_stated(Part(stated.text, STATED, stated.slots), dialogue, now)

    def _stated_name(self, part: Part, wish: Wish, asked: str, now: datetime) -> str:
        if wish.name and (name := self._given.corrected(self._seen.said or part.text, wish.name, now)):
            return name
        is_alone = asked == "name" and not part.slots.when and not part.slots.services and not part.slots.digits
        name = self.name_in(part.text, is_asked=is_alone) or self._given.introduced(self._seen.said, now)
        if name or asked != "name":
            return name
        clauses = clauses_of(self._seen.said)  # "Ann Bell, but could it be Friday?"
        return next((name for clause in clauses if (name := self._given.in_clause(clause, now))), "")
