"""What an agent with a diary does about a booking: it offers what is free, reads the wish back with its date, and books
what the caller says yes to once they have heard that question to its end. Sans-IO.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.facts import FreeTime
from services.nlu.agent.graph.agreement import (
    behind_agreements,
    deed_words,
    is_all_agreement,
    opens_with_agreement,
)
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import WHOLE_NUMBER, GivenNames
from services.nlu.agent.graph.places import bare_hours, place_in
from services.nlu.agent.graph.reading import STATED, UNKNOWN, Part, is_text
from services.nlu.agent.graph.seen import Seen, covers
from services.nlu.agent.graph.slots import SlotFinder, When
from services.nlu.agent.graph.whole_turn import WholeTurn
from services.nlu.agent.graph.wished_deeds import TOOLS, deed_of
from services.nlu.agent.graph.wishes import Taken, Wishes, fits
from services.nlu.agent.graph.wording import Wording
from services.nlu.agent.profile import AgentProfile

LATER = {"noted": "deed_noted", "promised": "deed_noted_message"}
_OTHERS = frozenset({"change", "cancel", "check", "private", "tampering", "handover", "callback"})
_DEEDS = frozenset({"book", "change", "cancel", "check"})
_OF_THINGS = frozenset({"price", "offered", "duration", "hours", "free", UNKNOWN})  # kinds that a bare thing may seem
_FACTS = frozenset({"price", "duration", "address", "who", "offered", "today", "language", "about", "robot", "advice"})
_UNDOING = frozenset({"no", "change", "cancel", "book"})  # kinds that take a yes back in the same breath
_FREE_OR_BOOK = frozenset({"free", "book"})
_COMING = frozenset({"free", "book", "hours"})  # what a sentence with a time may ask of a visit
_BARE_NAMES = frozenset({UNKNOWN, "name", "private", "who"})  # what a name alone sounds like
_ANOTHER = frozenset({"book", "free", "private", UNKNOWN, "offered", "change"})
_NO_TIMES = frozenset({"price", "duration", "address", "who", "handover", "callback", "language", "complaint", "robot"})
_PARTING = frozenset({"bye", "thanks", "hours"})
_MOST_TOLD = 4  # free times in one sentence
LONGEST_SAID = 200  # characters kept of what was said of times
_TAKING = frozenset({"yes", "name", "number"})  # kinds that answer free times which were told


class Bookings(Wishes):
    """Wishes that can be fulfilled. Without a free time it takes them down as the others do."""

    _seen = Seen()

    def __init__(self, profile: AgentProfile, language_code: str, finder: SlotFinder, wording: Wording) -> None:
        super().__init__(profile, language_code, finder, wording)
        self._given = GivenNames(language_code, finder, self._names)
        self._turn = WholeTurn(finder, language_code)

    def see(self, seen: Seen) -> None:
        """What holds for the calls that follow; set anew for every turn, just before them."""
        self._seen = seen

    def is_open(self, dialogue: Dialogue) -> bool:
        return super().is_open(dialogue) and not dialogue.wish.is_confirmed

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

    def deed_of(self, wish: Wish) -> tuple[str, str]:
        """The tool that does a wish and its arguments, always written the same way; empty: there is nothing to do."""
        return deed_of(wish)

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

    def free_times(self, now: datetime) -> list[tuple[str, FreeTime]]:
        """The next free one of each weekday and time of day."""
        told = self._told(self._seen.free)
        times = ((self._free_text(free), free) for free in _first_of_each(_as_free(self._seen.free)))
        return [(text, free) for text, free in times if text in told]

    def fitting(self, when: When, now: datetime) -> list[str]:
        fitting = [free for free in _as_free(self._seen.free) if fits(free, when)]
        return [self._free_text(free) for free in _first_of_each(fitting)]

    def take(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        if part.kind == STATED:
            return self._take_stated(part, dialogue, now)
        part = self._without_doubt(part, dialogue)
        if first := self._soonest(part, dialogue, now):
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

    def _soonest(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """The first free time, where that is wanted: "the earliest you have", "the soonest afternoon". It is offered
        where it was asked for, and taken where a booking is wanted.
        """
        lists, slots = self._finder.words, part.slots
        is_wanted = has_any(slots.words, lists.soonest) and not slots.when.trouble
        is_of_hours = has_any(slots.words, (*lists.compares["opening"], *lists.compares["closing"]))
        is_open = self.is_open(dialogue)
        if not is_wanted or is_of_hours or (is_open and dialogue.wish.kind != "book") or self._is_other_kind(part):
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

    def _is_other_kind(self, part: Part) -> bool:
        """Return whether a sentence surely asks for something else than a time."""
        return part.kind in _NO_TIMES and not part.doubts

    def _is_fitting(self, moment: datetime, when: When) -> bool:
        return fits(FreeTime(moment.time(), date=moment.date()), when)

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
        if part.kind not in _ANOTHER or not (name or slots.services):
            return None
        return self._begin(self._filled(Wish("book", name=name, phone=before.phone), part, now), dialogue, now, part)

    def _without_doubt(self, part: Part, dialogue: Dialogue) -> Part:
        """A sentence with a time that asks whether it is free or wants it, not after the hours of the house: behind
        free times that were told, and in an open wish, it wants it. The other is answered with the offer to book.
        """
        likeliest, lists = part.doubts[:2], self._finder.words
        is_of_hours = has_any(part.slots.words, (*lists.compares["opening"], *lists.compares["closing"]))
        is_of_times = _FREE_OR_BOOK.issuperset(likeliest) or (_COMING.issuperset(likeliest) and not is_of_hours)
        if not part.doubts or not part.slots.when or not is_of_times:
            return part
        wants = dialogue.kind == "free" or self.is_open(dialogue) or part.kind == "book"
        return replace(part, kind="book" if wants else "free", doubts=())

    def as_one(self, text: str, parts: tuple[Part, ...], dialogue: Dialogue, now: datetime) -> tuple[Part, ...]:
        """The parts of a turn; one that wants a booking, where the turn says a time, a name and a number, and nothing
        else is begun or asked in it. In an open booking the sentences that say what is wanted of it are one.
        """
        if self.is_open(dialogue) and dialogue.wish.kind == "book":
            return self._with_stated(text, self._with_one_name(parts, dialogue), dialogue, now)
        parts = self._each_deed_once(tuple(self._as_request(part) for part in parts))
        slots = self._finder.find(text, now)
        says_all = bool(slots.when and slots.digits) and bool(self.name_in(text.rstrip(" ?？"), is_asked=False))
        kinds = {part.kind for part in parts if not part.doubts}
        if self.is_open(dialogue) or kinds & _OTHERS:
            return parts
        if says_all:
            return (
                replace(parts[0], text=text.rstrip(" ?？"), kind="book", slots=slots, doubts=(), is_follow_up=False),
            )
        return self._begun_at_length(text, parts, now)

    def _as_request(self, part: Part) -> Part:
        """A sentence that names what is booked here and a day, and asks nothing, wants it: "whitening on Friday"."""
        lists, words = self._finder.words, part.slots.words
        asks = part.text.rstrip().endswith(("?", "？")) or has_any(words, (*lists.question_words, *lists.price_words))
        if part.kind not in _OF_THINGS or asks or not self._names_booking(part):
            return part
        return replace(part, kind="book", doubts=(), is_follow_up=False)

    def _names_booking(self, part: Part) -> bool:
        """Return whether a sentence names what can be booked, and when."""
        return bool(self._seen.free) and bool(part.slots.services) and part.slots.when.has_day

    def _said_of(self, wish: Wish) -> str:
        """The diary holds no person: none is read back with what it will have."""
        return super()._said_of(replace(wish, person="") if wish.at else wish)

    def in_turn(self, parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], str]:
        """The parts of a turn with the first of several requests, and the text of those that come behind it. What only
        asks after an appointment comes last: "book one for my mother, and when is mine?"
        """
        requests = [part for part in parts if part.kind in _DEEDS and not part.doubts]
        if len({part.kind for part in requests}) < 2:
            return parts, ""
        first = next((part for part in requests if part.kind != "check"), requests[0])
        later = [part for part in requests if part.kind != first.kind]
        kept = tuple(part for part in parts if part not in later)
        return kept, ". ".join(part.text for part in later)[:LONGEST_SAID]

    def _each_deed_once(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The parts without those that want again what one before them wants, and name nothing for it."""
        kept: list[Part] = []
        for part in parts:
            is_again = part.kind in _DEEDS and any(part.kind == one.kind for one in kept)
            if not is_again or part.slots.when or part.slots.services or part.slots.digits:
                kept.append(part)
        return tuple(kept)

    def _begun_at_length(self, text: str, parts: tuple[Part, ...], now: datetime) -> tuple[Part, ...]:
        """The parts of a turn; one that wants a booking, where several of its sentences say for what and when and one
        wants it: "A check-up, I think... Tuesday? No, Wednesday."
        """
        if all(part.doubts for part in parts):
            stated = self._turn.read(text, now)
            request = self._as_request(Part(stated.text, UNKNOWN, stated.slots))
            if request.kind == "book":
                return (request,)
        wants = any(part.kind == "book" for part in parts)
        asks = any(self._asks_a_fact(part) for part in parts)
        stated = self._turn.read(text, now)
        is_refusing = bool(stated.slots.refused or stated.slots.refused_things)
        is_long = len(parts) > 1 and all(part.slots.when or part.slots.services for part in parts)
        if not wants or asks or not (is_long or is_refusing):
            return parts
        part = next(part for part in parts if part.kind == "book")
        return (replace(part, text=stated.text, slots=stated.slots, doubts=(), is_follow_up=False),)

    def _with_one_name(self, parts: tuple[Part, ...], dialogue: Dialogue) -> tuple[Part, ...]:
        """The parts of an answer to the question for the name; of one that is begun and said again whole ("Peter.
        Peter Novak") the whole.
        """
        if self.asked(dialogue) != "name":
            return parts
        names = [set(normalise(self.name_in(part.text, is_asked=True))) for part in parts]
        name = self.name_in(self._seen.said, is_asked=True)
        if name and not any(names) and all(name not in part.text for part in parts):  # taken for a remark
            return (*parts, Part(self._seen.said, "name", self._finder.find(self._seen.said, self._seen.now)))
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
        questions = [part for part in parts if self._asks_a_fact(part)]
        for question in questions:
            text = text.replace(question.text, " ")
        stated = self._turn.read(text, now)
        part = Part(stated.text, STATED, stated.slots)
        if self.asked(dialogue) == "phone" and not part.slots.when.has_day:  # "forty four, one three" is no hour
            part = replace(part, slots=replace(part.slots, when=When()))
        if has_any(stated.slots.words, self._finder.words.soonest) or self._is_as_wished(part, dialogue, now):
            return parts
        return (*questions, part)

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
        """What a turn says of an open booking: each slot that it names is put into it."""
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

    def _stated_name(self, part: Part, wish: Wish, asked: str, now: datetime) -> str:
        if wish.name and (name := self._given.corrected(part.text, wish.name)):
            return name
        is_alone = asked == "name" and not part.slots.when and not part.slots.services and not part.slots.digits
        return self.name_in(part.text, is_asked=is_alone)

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

    def name_in(self, text: str, *, is_asked: bool) -> str:
        name = super().name_in(text, is_asked=is_asked) or self._given.beside_number(text, self._seen.now)
        words = normalise(name)
        is_none = (
            self._is_agreement(words) or self._is_relation(words) or self._given.is_other_thing(name, self._seen.now)
        )
        return "" if is_none else name

    def bare_name(self, part: Part, wish: Wish, now: datetime) -> str:
        """A name that comes by itself where the number was asked for and the name is missing too; empty: none does."""
        return self._given.bare(part.text, now) if not wish.name and part.kind in _BARE_NAMES else ""

    def name_beside_number(self, text: str) -> str:
        names = (
            self.name_in(piece, is_asked=True) for piece in self._given.pieces_without_digits(text, self._seen.now)
        )
        return next((name for name in names if name), "")

    def _is_relation(self, words: Words) -> bool:
        """Return whether words only say whose relative somebody is: "my wife" is no name."""
        lists = self._finder.words
        return has_any(words, lists.people["one"]) and all(
            word in lists.common or any(word in one for one in lists.people["one"]) for word in words
        )

    def _is_agreement(self, words: Words) -> bool:
        """Return whether words only agree: "all right, yes" is no name."""
        return behind_agreements(words, self._finder.words) == ()

    def _gone_on(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        wish = dialogue.wish
        is_choosing = self.asked(dialogue) == "when_free" and wish.kind == "book" and bool(self._seen.free)
        if is_choosing and (chosen := self._picked(part, self._open_times(wish, now))):
            return self._next([], replace(wish, when=chosen, said=""), dialogue)
        if self.asked(dialogue) == "confirm" and wish.at and self._agrees(part, wish) and not self.is_taken_back(part):
            return self._confirmed(part, dialogue, now)
        if wish.name and (name := self._given.corrected(part.text, wish.name)):
            return self._next([self._words.say("noted_name", name=name)], replace(wish, name=name), dialogue)
        if name := self._early_name(part, dialogue, now):
            return self._next([self._words.say("noted_name", name=name)], replace(wish, name=name), dialogue)
        is_number = len(part.slots.digits) >= WHOLE_NUMBER and self.asked(dialogue) != "confirm"
        if is_number and not part.slots.when and (changed := self._filled(wish, part, now)) != wish:
            is_unnamed = self.asked(dialogue) == "name" and not changed.name
            name = self.name_beside_number(part.text) if is_unnamed else changed.name
            return self._next([], replace(changed, name=name), dialogue)  # too early, or with the name
        return super()._gone_on(part, dialogue, now)

    def _early_name(self, part: Part, dialogue: Dialogue, now: datetime) -> str:
        """A name that comes before it was asked for; empty: none does. It has capitals, where the script has them."""
        if dialogue.wish.name or self.asked(dialogue) in ("name", "phone", "confirm") or part.slots.when:
            return ""
        return self._named_in(part, now)

    def _named_in(self, part: Part, now: datetime) -> str:
        """A name that was not asked for: announced, or a few words in capitals, where the script has them."""
        if name := self.name_in(part.text, is_asked=part.kind == "name" and not part.slots.digits):
            return name
        words = part.text.split()
        is_written_so = len(words) > 1 and all(word[:1].isupper() for word in words)
        return self._given.bare(part.text, now) if is_written_so and part.kind in _BARE_NAMES else ""

    def _is_answer(self, part: Part, asked: str) -> bool:
        is_time = asked in ("when", "when_free") and self._is_time(part)  # "could it be Friday morning?"
        return is_time or super()._is_answer(part, asked)

    def _begin(self, wish: Wish, dialogue: Dialogue, now: datetime, part: Part | None = None) -> Taken:
        if wish.kind != "book" or not self._seen.free:
            return super()._begin(wish, dialogue, now, part)
        wish = self._with_introduction(wish, now)
        texts = [self._words.say("booking_start")]
        when = part.slots.when if part else When()
        if refused := self._refused(when, now):
            texts.append(refused)
        elif part and when and not wish.when:
            return self._timed(texts, wish, part, dialogue, now)
        return self._next(texts, wish, dialogue)

    def _with_introduction(self, wish: Wish, now: datetime) -> Wish:
        """The wish with the name and the number of a caller who begins with them, in another sentence too."""
        digits = self._finder.find(self._seen.said, now).digits
        return replace(
            wish,
            name=wish.name or self._given.introduced(self._seen.said, now),
            phone=wish.phone or (digits if len(digits) >= WHOLE_NUMBER else ""),
        )

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
        free = [moment for moment in self._seen.free if fits(_as_free_time(moment), when)]
        free = [moment for moment in free if not any(one.is_on(moment) for one in part.slots.refused)]
        if len(_first_of_each(_as_free(free))) == 1:
            return self._next(texts, replace(wish, when=self._text_of(free[0]), at="", said=""), dialogue)
        if free:
            said = part.text if when == part.slots.when else f"{wish.said}, {part.text}"
            return self._next(texts, replace(wish, when="", at="", said=said[-LONGEST_SAID:]), dialogue)
        day = replace(when, times=(), part="")
        on_day = [moment for moment in self._seen.free if when.has_day and fits(_as_free_time(moment), day)]
        times = self._words.all_of(self._told(on_day or self._seen.free))
        text = " ".join([*texts, self._words.say("free_no", times=times), self._words.ask("when")])
        said = self._said(day, now) if on_day else ""
        return text, "when_free", replace(dialogue, wish=replace(wish, when="", at="", said=said))

    def _on_day_said(self, when: When, wish: Wish, now: datetime) -> When:
        """A time of day on the day that was said before, where the caller is still choosing its hour."""
        if when.has_day or when.trouble:
            return when
        day = self._turn.read(wish.said or wish.when, now).slots.when
        return replace(when, date=day.date, last_date=day.last_date, weekdays=day.weekdays, since=now.date())

    def _open_times(self, wish: Wish, now: datetime) -> list[datetime]:
        """The free times that a caller chooses from: those of the day that they said."""
        when = self._turn.read(wish.said, now).slots.when if wish.said else When()
        return [one for one in self._seen.free if when and fits(_as_free_time(one), when)] or list(self._seen.free)

    def _told(self, moments: Sequence[datetime]) -> list[str]:
        """Free times in words, no more than can be listened to: of many the first of each day."""
        free = _first_of_each(_as_free(moments))
        days = {one.date for one in free}
        if len(free) > _MOST_TOLD and len(days) > 1:
            first: dict[object, FreeTime] = {}
            for one in free:
                first.setdefault(one.date, one)
            free = list(first.values())
        return [self._free_text(one) for one in free[:_MOST_TOLD]]

    def _picked(self, part: Part, moments: Sequence[datetime]) -> str:
        """The one of the offered times that an answer names by its place or by its bare hour: "the later one",
        "eleven would do"; empty: none, or several.
        """
        told = self._told(moments)
        if part.slots.when or not told:
            return ""
        if chosen := self._in_order(part.text, told):
            return chosen
        hours = bare_hours(part.text, self._language)
        fitting = _first_of_each(_as_free([one for one in moments if one.time() in hours]))
        return self._free_text(fitting[0]) if len(fitting) == 1 else ""

    def _in_order(self, text: str, offered: Sequence[str]) -> str:
        """The one of several that its place names: "the first one", "the last"; empty: none."""
        lists, words = self._finder.words, normalise(text)
        place = place_in(text, self._language)
        if not place and has_any(words, lists.later_one):
            place = -1
        if not place and has_any(words, lists.earlier_one):
            place = 1
        return offered[place - (place > 0)] if place and -len(offered) <= place <= len(offered) else ""

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
            told = self._told(self._open_times(wish, self._seen.now))
            return words.ask("when_free", times=words.one_of(told)), "when_free"
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
        if not self._agrees(part, wish):  # after a no the name and the number stay: they are read back again
            dropped = replace(wish, when="", at="")
            return self._next([self._words.say("fine")], dropped, dialogue) if part.kind == "no" else None
        if self._is_undone(wish, now) or not covers(self._seen.heard, self._question(wish)[0]):
            return self._next([], wish, dialogue)  # it was not heard, so it cannot have been meant
        return "", "more", dialogue.with_wish(is_confirmed=True)

    def _is_undone(self, wish: Wish, now: datetime) -> bool:
        """Return whether something in the turn takes its yes back, or names another time."""
        slots = self._finder.find(self._seen.said, now)
        is_other_time = bool(slots.when) and wish.when not in self.fitting(slots.when, now)
        is_taken_back = has_any(slots.words, self._finder.words.take_backs)
        undoing = (part for part in self._seen.parts if part.kind in _UNDOING and not self._agrees(part, wish))
        return is_other_time or is_taken_back or any(undoing)

    def _agrees(self, part: Part, wish: Wish) -> bool:
        """Return whether an answer to the question that is read back says yes: "yes", or "yes, book it", and nothing
        that holds back.
        """
        if part.kind == "yes" and not part.doubts:
            return True
        if not opens_with_agreement(part.text, self._finder.words):
            return False
        if part.kind == wish.kind or self._only_thanks(normalise(part.text)):
            return True
        known = {*normalise(self._question(wish)[0]), *deed_words(self.deed_of(wish)[0], self._language)}
        return is_all_agreement(part.text, self._finder.words, asked=known)

    def _only_thanks(self, words: Words) -> bool:
        """Return whether behind a yes stand only words of thanks and address: "yes, thank you"."""
        lists = self._finder.words
        rest = behind_agreements(words, lists)
        while rest and (phrase := next((one for one in lists.name_trails if rest[: len(one)] == one), ())):
            rest = behind_agreements(rest[len(phrase) :], lists)
        return not rest

    def _text_of(self, moment: datetime) -> str:
        return self._free_text(FreeTime(moment.time(), date=moment.date()))


def _without_time(part: Part) -> Part:
    """A sentence whose time was found another way."""
    return replace(part, slots=replace(part.slots, when=When()))


def _as_free_time(moment: datetime) -> FreeTime:
    return FreeTime(moment.time(), date=moment.date())


def _as_free(moments: Sequence[datetime]) -> list[FreeTime]:
    return [_as_free_time(moment) for moment in moments]


def _first_of_each(free_times: Sequence[FreeTime]) -> list[FreeTime]:
    """Of times on the same weekday the earliest date; they come in order."""
    first: dict[tuple[int, object], FreeTime] = {}
    for free in free_times:
        first.setdefault((free.date.weekday() if free.date else -1, free.time), free)
    return list(first.values())
