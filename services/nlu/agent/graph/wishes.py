"""Bookings of an agent without tools: it notes the caller's wish and says that nothing is fixed. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.language.capture_words import has_capture
from services.nlu.agent.capture.capturing import Capture
from services.nlu.agent.capture.names import NameFinder
from services.nlu.agent.capture.phone import grouped
from services.nlu.agent.facts import names_in
from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import is_only_a_name
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import SlotFinder, unexplained
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.unanswered import reason_for, waits
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.wish_times import WishTimes
from services.nlu.agent.profile import AgentProfile

WISHES = frozenset({"book", "change", "cancel"})
CALLBACK = "callback"
WHAT_TO_CHANGE = "what_to_change"  # asked in place of a read-back that was objected to
PUT_OFF = "put_off"  # a turn that drops what is open, or leaves it for later
_OTHER_KINDS = frozenset(  # that are answered first, whatever was asked
    {"hours", "price", "duration", "address", "who", "offered", "free", "private", "tampering", "advice", "robot"}
    | {"about", "repeat", "today", "language", "handover", "callback", "complaint", "check"}
)
SLOT_KEY = "slot:"  # and the name of a slot of the agent's file: what was asked
_CLEAR_SCORE = 0.6  # of a kind: what scores more is no name
_QUESTION_MARKS = ("?", "？")

Taken = tuple[str, str, Dialogue]  # what is said, what is asked, and the dialogue behind it


class Wishes(WishTimes):
    """Wishes of one agent's callers in one language."""

    def __init__(self, profile: AgentProfile, language_code: str, finder: SlotFinder, templates: Templates) -> None:
        super().__init__(profile, language_code, finder, templates)
        self._names = NameFinder(language_code, finder.words)
        self._region, self._slots = profile.region, profile.slots
        self._kinds = WISHES | {CALLBACK} if profile.callbacks else WISHES

    @property
    def sees_appointments(self) -> bool:
        """Tell if appointments that stand can be looked up."""
        return False

    def call_back(self, dialogue: Dialogue) -> Taken | None:
        """A request to be called back, in place of a wish that could not be taken down; None: the agent takes none."""
        wish = dialogue.wish
        if CALLBACK not in self._kinds or wish.kind == CALLBACK:
            return None
        instead = Wish(CALLBACK, name=wish.name, phone=wish.phone)
        return self._next([self._words.say("wish_time", when=self._words.kinds[CALLBACK])], instead, dialogue)

    def is_open(self, dialogue: Dialogue) -> bool:
        """Tell if a wish is being taken down."""
        return bool(dialogue.wish.kind) and not dialogue.wish.is_noted

    def question(self, dialogue: Dialogue) -> str:
        """The question that must still be asked; empty where no wish is open."""
        return self._question(dialogue.wish)[0] if self.is_open(dialogue) else ""

    def beside(self, said: str, dialogue: Dialogue, now: datetime) -> str:
        """A sentence that a turn must be told before the question that follows; empty: none."""
        return ""

    def asked(self, dialogue: Dialogue) -> str:
        """The key of that question."""
        return self._question(dialogue.wish)[1] if self.is_open(dialogue) else ""

    def take(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """A turn that begins a wish or answers what was asked for it; None: it is about something else."""
        if part.kind == "yes" and dialogue.asked == "appointment":
            return self._begin(Wish("book", service=dialogue.service), dialogue, now)
        if self.is_open(dialogue) and (
            taken := self._with_reason(part, dialogue) or self._gone_on(part, dialogue, now)
        ):
            return taken
        is_name = self.asked(dialogue) == "name" and self._is_answer(part, "name")
        if part.kind in self._kinds and not is_name and not (self.is_open(dialogue) and part.slots.when):
            return self._begin(self._filled(Wish(part.kind, service=dialogue.service), part, now), dialogue, now, part)
        if not self.is_open(dialogue):
            return None
        is_other = part.kind in _OTHER_KINDS and not part.is_follow_up and not part.doubts
        if is_other and not self._is_answer(part, self.asked(dialogue)):
            return None
        return self._answered(part, dialogue, now)

    def waits(self, text: str, parts: Sequence[Part]) -> bool:
        """Return whether a turn only asks for a moment."""
        return waits(text, parts, self._finder.words, self.take_backs)

    def asks_why(self, parts: Sequence[Part], asked: str) -> bool:
        """Return whether a turn asks why something is asked for, or would rather not give it."""
        return any(reason_for(part, asked, self._finder.words) for part in parts)

    def _with_reason(self, part: Part, dialogue: Dialogue) -> Taken | None:
        """The reason for the open question, and the question again; None: no reason is asked for."""
        question, asked = self._question(dialogue.wish) if self.is_open(dialogue) else ("", "")
        key = reason_for(part, asked, self._finder.words)
        after = replace(dialogue, n_reasons=dialogue.n_reasons + 1)
        return (f"{self._words.say(key)} {question}", asked, after) if key else None

    def _is_answer(self, part: Part, asked: str) -> bool:
        """Return whether a sentence gives just what was asked for, whatever it sounds like."""
        if asked in ("name", "phone") and part.slots.digits:
            return True
        is_name = part.score < _CLEAR_SCORE or is_only_a_name(part.text, part.slots, self._finder.words)
        return asked == "name" and is_name and bool(self.name_in(part.text, is_asked=True))

    def _gone_on(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """Return what a sentence adds to an open wish unasked: that it is dropped, another time, what it is for."""
        asked = self.asked(dialogue)
        if self.is_taken_back(part):
            return self._drop(dialogue)
        is_put_right = part.kind in ("no", "change") and bool(part.slots.when)  # "no, make it Friday"
        if asked in ("name", "phone") and (self._is_time(part) or is_put_right):
            return self._other_time(part, dialogue, now)
        is_name = (asked == "phone" or part.kind == "name") and asked != "name" and not part.slots.digits
        if is_name and (name := self.name_in(part.text, is_asked=False)):  # too early, or it was taken down wrong
            said = self._words.say("noted_name", name=name)
            return self._next([said], replace(dialogue.wish, name=name), dialogue)
        is_answer = asked == "name" and self._is_answer(part, asked)  # "Amy Book"
        if part.kind == dialogue.wish.kind and not part.slots.when and not is_answer:
            return self._next([self._words.say("fine")], self._filled(dialogue.wish, part, now), dialogue)
        return None

    def bare_name(self, part: Part, wish: Wish, now: datetime) -> str:
        """A name without any word that announces one, where another thing was asked for; empty: none is taken so."""
        return ""

    def _refuses(self, part: Part) -> bool:
        """Return whether a sentence says no in so many words: what only sounds like it may be a name."""
        lists = self._finder.words
        return not part.doubts or has_any(part.slots.words, (*lists.reserves, *lists.take_backs))

    def name_beside_number(self, text: str) -> str:
        """A name that answers the question for it in a sentence that gives the number too; empty: there is none."""
        return ""

    def is_taken_back(self, part: Part) -> bool:
        """Return whether a sentence drops the wish that is open."""
        slots = part.slots
        return has_any(slots.words, self.take_backs) and not (slots.when or slots.digits)

    @property
    def take_backs(self) -> tuple[Words, ...]:
        """Words with which an open wish is dropped, or put off until the caller rings again."""
        lists = self._finder.words
        return (*lists.take_backs, *lists.refusing["puts_off"])

    def _is_time(self, part: Part) -> bool:
        """Return whether a sentence says a day or a time and nothing else. "Mai" alone, tomorrow, is a name too."""
        slots, lists = part.slots, self._finder.words
        small = lists.common | {word for phrase in (*lists.name_trails, *lists.follow_ups) for word in phrase}
        is_sure = bool(slots.when.times or slots.when.weekdays) or len(slots.value_words) > 1
        return bool(slots.when) and is_sure and not unexplained(slots, (), small)

    def _other_time(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """A day or a time that comes when another thing was asked for."""
        wish, when = dialogue.wish, part.slots.when
        before = self._finder.find(wish.when, now).when
        if not when.has_day and not when.trouble:
            when = replace(when, date=before.date, weekdays=before.weekdays)
        if wish.kind != "book" and not when.trouble:
            said = self._said(when, now)
            return self._next([self._words.say("wish_time", when=said)], replace(wish, when=said), dialogue)
        return self._answered_when(replace(part, slots=replace(part.slots, when=when)), dialogue, now)

    def _begin(self, wish: Wish, dialogue: Dialogue, now: datetime, part: Part | None = None) -> Taken:
        texts = [self._words.say("fine" if wish.kind == CALLBACK else "wish_start")]
        if part and (refused := self._refused(part.slots.when, now)):
            texts.append(refused)
        elif wish.when:
            when = part.slots.when if part else When()
            is_said = bool(when.times) or wish.when not in self.fitting(when, now)
            texts.append(self._taken_down(wish.when, is_said=is_said))
        return self._next(texts, wish, dialogue)

    def _answered(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """An answer to the question that is open."""
        wish, asked = dialogue.wish, self.asked(dialogue)
        if part.kind == "no" and asked != "confirm" and self._refuses(part):
            return self._drop(dialogue)
        match asked:
            case "when" | "when_free":
                return self._answered_when(part, dialogue, now)
            case "name" | "phone" if part.slots.digits:
                name = self.name_in(part.text, is_asked=False)
                if not name and asked == "name":
                    name = self.name_beside_number(part.text)
                return self._next([], replace(wish, phone=part.slots.digits, name=name or wish.name), dialogue)
            case "name":
                return self._answered_name(part, dialogue)
            case "confirm":
                return self._confirmed(part, dialogue, now)
        return None

    def _answered_name(self, part: Part, dialogue: Dialogue) -> Taken | None:
        name = self.name_in(part.text, is_asked=True)
        if not name:
            return None
        return self._next([self._words.say("noted_name", name=name)], replace(dialogue.wish, name=name), dialogue)

    def _answered_when(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        when, wish = part.slots.when, dialogue.wish
        if refused := self._refused(when, now):
            return self._next([refused], wish, dialogue)
        if not when:
            return None
        free = self.fitting(when, now)
        if when.last_date:  # "next week" is no day yet
            times_of_it = self._words.ask("when_free", times=self._words.one_of(free)) if free else ""
            asked = "when_free" if free else "when"
            return times_of_it or self._words.ask("when"), asked, dialogue
        times = self.free_times(now)
        if times and not free and dialogue.asked == "when_free" and dialogue.kind == "book":
            said = self._said(when, now)
        elif times and not free:
            text = self._words.say("free_no", times=self._words.all_of(text for text, _ in times))
            return text + " " + self._words.ask("when"), "when_free", dialogue.with_wish(when="")
        else:
            said = free[0] if free else self._said(when, now)
        text = self._taken_down(said, is_said=bool(when.times) or not free)
        return self._next([text], replace(wish, when=said), dialogue)

    def _taken_down(self, when: str, *, is_said: bool) -> str:
        """The time that is noted: what the caller said, or else what is free on the day that they named."""
        return self._words.say("wish_time", when=when) if is_said else self._words.say("free_offer", times=when)

    def _confirmed(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        if part.kind == "yes":
            text = f"{self._words.say('wish_done')} {self._words.ask('more')}"
            return text, "more", dialogue.with_wish(is_noted=True)
        changed = self._filled(dialogue.wish, part, now)
        if changed != dialogue.wish:
            return self._next([], changed, dialogue)
        if part.kind == "no":
            wish = Wish(dialogue.wish.kind, service=dialogue.wish.service, person=dialogue.wish.person)
            return self._next([self._words.say("fine")], wish, dialogue)
        return None

    def _drop(self, dialogue: Dialogue) -> Taken:
        text = f"{self._words.say('wish_dropped')} {self._words.ask('more')}"
        return text, "more", replace(dialogue, wish=Wish())

    def _next(self, texts: list[str], wish: Wish, dialogue: Dialogue) -> Taken:
        question, asked = self._question(wish)
        return " ".join([*texts, question]), asked, replace(dialogue, wish=wish)

    def _question(self, wish: Wish) -> tuple[str, str]:
        """The first thing that is missing, as a question and its key."""
        words = self._words
        if wish.kind == "book" and not wish.when:
            times = [self._free_text(free) for free in self._facts.free_times]
            return (
                (words.ask("when_free", times=words.one_of(times)), "when_free")
                if times
                else (words.ask("when"), "when")
            )
        if not wish.name:
            return words.ask("name"), "name"
        if not wish.phone:
            return words.ask("phone"), "phone"
        if missing := self._missing_slot(wish):
            return missing
        return words.ask("confirm", wish=self._said_of(wish)), "confirm"

    def _missing_slot(self, wish: Wish) -> tuple[str, str] | None:
        """The question for the first slot of the agent's file that is missing."""
        if not has_capture(self._language):
            return None
        missing = next((slot for slot in self._slots if not filled_in(wish, slot.name)), None)
        if missing is None:
            return None
        return Capture(missing, self._language, region=self._region).open().text, f"{SLOT_KEY}{missing.name}"

    def _said_of(self, wish: Wish) -> str:
        """All of a wish, as it is read back."""
        kind = self._words.kinds[CALLBACK] if wish.kind == CALLBACK else ""
        things = [kind, self._name(wish.service), self._name(wish.person), wish.when, wish.name]
        things.append(self.spoken(wish.phone))
        given = [(slot, wish.slots[slot.name]) for slot in self._slots if slot.name in wish.slots]
        things += [Capture(slot, self._language, region=self._region).said(value) for slot, value in given]
        return ", ".join(thing for thing in things if thing)

    def _filled(self, wish: Wish, part: Part, now: datetime) -> Wish:
        """The wish with what a sentence says for it."""
        slots = part.slots
        when = wish.when
        if slots.when and not slots.when.last_date and not self._refused(slots.when, now):
            fitting = self.fitting(slots.when, now) if wish.kind == "book" else []
            if len(fitting) == 1 or (slots.when.has_day and (wish.kind != "book" or not self._facts.free_times)):
                when = fitting[0] if fitting else self._said(slots.when, now)
        return replace(
            wish,
            service=slots.services[-1].id if slots.services else wish.service,
            person=slots.people[-1].id if slots.people else wish.person,
            when=when,
            name=self.name_in(part.text, is_asked=False) or wish.name,
            phone=slots.digits or wish.phone,
        )

    def name_in(self, text: str, *, is_asked: bool) -> str:
        """A caller's name: behind words that announce one, or where it was asked for what a short answer has left."""
        return self._names.name_in(text, is_asked=is_asked)

    def spoken(self, digits: str) -> str:
        """A number in groups, as it is read aloud."""
        return grouped(digits, self._region)

    def go_on(self, wish: Wish, dialogue: Dialogue, now: datetime) -> Taken:
        """The next question for a wish that has come further."""
        return self._next([], wish, dialogue)

    def says_more(self, text: str, now: datetime) -> bool:
        """Return whether a text says a day, a time, a service or a person."""
        slots = self._finder.find(text, now)
        return bool(slots.when or slots.services or slots.people)

    def put_right(self, text: str, dialogue: Dialogue, now: datetime) -> Taken:
        """Return what is said and asked next where a text, beside a sign that was put right, says another time or
        service.
        """
        part = Part(text, "change", self._finder.find(text, now))
        changed = replace(dialogue, wish=self._filled(dialogue.wish, part, now))
        when = part.slots.when
        if when and changed.wish.when == dialogue.wish.when and changed.wish.when not in self.fitting(when, now):
            return self._answered_when(part, changed, now) or self._next([], changed.wish, changed)
        return self._next([], changed.wish, changed)

    def _name(self, thing_id: str) -> str:
        thing = self._facts.find(thing_id) if thing_id else None
        names = names_in(getattr(thing, "names", {}), self._language)
        return names[0] if names else ""


def filled_in(wish: Wish, slot: str) -> str:
    """The value of a slot of the agent's file, which may be one that every wish has."""
    return {"name": wish.name, "phone": wish.phone}.get(slot) or wish.slots.get(slot, "")
