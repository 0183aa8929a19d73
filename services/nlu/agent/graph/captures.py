"""The slots of a wish that are captured to the letter: the caller's number and name, and the slots that the agent's
file adds. Sans-IO.

A turn belongs here where it answers the question for a slot, or puts right what was read back; everything else (another
question, another day, a wish that is dropped) is left to the rest of the graph.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.language.capture_words import has_capture
from services.nlu.agent.capture.capturing import Capture
from services.nlu.agent.capture.questions import Captured, Expected
from services.nlu.agent.capture.slots import CaptureState, Ended, Slot, SlotKind, Step, as_mapping, read_capture
from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.reading import STATED, Part
from services.nlu.agent.graph.unanswered import MOST_HUMS, is_hum
from services.nlu.agent.graph.wishes import PUT_OFF, SLOT_KEY, Wishes
from services.nlu.agent.profile import AgentProfile
from services.nlu.outputs import ExpectedKind

_OWN = (Slot(name="name", kind=SlotKind.NAME), Slot(name="phone", kind=SlotKind.PHONE))  # that every wish needs
_OFFERED = frozenset({"book", "callback"})  # wishes of which the number they call from may be the one they leave
_LEAST_SURE = 0.5  # of a recogniser: below it a name is read back letter by letter
_FEWEST_SPELLED = 3  # letters of a name that is spelled without being asked for
_PIECES = re.compile(r"[,;.!?，；。！？、]")
_WHOLE_NUMBER = 7  # digits beside which a time in the same turn is none
_EMPTY_KINDS = frozenset({UNKNOWN, "unclear", "number", "name", "chat", "yes", "hello"})  # that ask nothing


@dataclass(frozen=True, slots=True)
class Heard:
    """One turn as the captures see it."""

    text: str
    is_keys: bool = False
    confidence: float | None = None
    parts: Sequence[Part] = ()
    now: datetime = datetime.min  # in the tenant's zone


@dataclass(frozen=True, slots=True)
class SlotTaken:
    """The result of a turn that was about a slot."""

    text: str
    dialogue: Dialogue
    asked: str
    is_for_human: bool = False
    read_back: str = ""  # what `text` says again of what the caller gave


_PLACES_ELSEWHERE = frozenset({"phone", "when", "when_free", "which_appointment"})
"""Questions whose answer may name a place that is none in a number that was given before: "the last one"."""


class Captures:
    """The captures of one agent's wishes in one language."""

    def __init__(self, profile: AgentProfile, language_code: str, wishes: Wishes) -> None:
        self._wishes = wishes
        own = [slot for slot in _OWN if slot.name not in {each.name for each in profile.slots}]
        self._captures = {
            slot.name: Capture(slot, language_code, region=profile.region, is_confirmed=False)
            for slot in (*own, *profile.slots)
        }

    def take(self, heard: Heard, dialogue: Dialogue) -> SlotTaken | None:
        """A turn about the slot that is asked for, or one that was read back; None: it is about something else."""
        if not self._wishes.is_open(dialogue) or any(part.kind == PUT_OFF for part in heard.parts):
            return None
        asked = self._wishes.asked(dialogue)
        is_pause = is_hum(heard.parts) and dialogue.n_hums < MOST_HUMS
        if not heard.is_keys and (is_pause or self._wishes.asks_why(heard.parts, asked)):
            return None
        says_more = any(part.kind == STATED for part in heard.parts)  # a day or a service too
        if asked == "confirm":
            gives_number = any(len(part.slots.digits) >= _WHOLE_NUMBER for part in heard.parts)
            return None if says_more and gives_number else self._corrected(heard, dialogue)
        put_right = self._number_put_right(heard, dialogue) if asked not in _PLACES_ELSEWHERE else None
        if put_right or (says_more and not heard.is_keys):
            return put_right
        capture = self._captures.get(asked.removeprefix(SLOT_KEY))
        if capture and (passed := self._passed_over(heard, capture, dialogue)):
            return self.take(heard, passed) or self._gone_on(passed.wish, passed, heard.now)
        return self._answered(heard, capture, dialogue) if capture else None

    def _passed_over(self, heard: Heard, capture: Capture, dialogue: Dialogue) -> Dialogue | None:
        """The dialogue with a name that was spelled back, where the caller goes on with their number; None: they do
        not. The last question holds the name too.
        """
        state = self._state(dialogue, capture.slot.name)
        gives_number = any(len(part.slots.digits) >= _WHOLE_NUMBER for part in heard.parts)
        is_name = capture.slot.kind is SlotKind.NAME and state is not None and state.is_confirming
        if not is_name or state is None or not gives_number or capture.spells(heard.text) > 1:
            return None
        return replace(dialogue, wish=filled(dialogue.wish, state.slot, state.value), capture={})

    def _answered(self, heard: Heard, capture: Capture, dialogue: Dialogue) -> SlotTaken | None:
        """An answer to the question for a slot."""
        begun = self._state(dialogue, capture.slot.name)
        state = begun or CaptureState(capture.slot.name)
        if heard.is_keys and capture.slot.is_numeric:
            return self._settled(capture.take(state, heard.text, is_keys=True), dialogue, heard.now)
        if capture.slot.kind is SlotKind.NAME and dialogue.wish.is_of_other:
            return None
        if self._is_other(heard, capture) or (capture.slot.kind is SlotKind.PHONE and self._is_name(heard, dialogue)):
            return None
        if capture.slot.kind is SlotKind.NAME and begun is None:
            return self._name(heard, capture, state, dialogue)
        if self._is_about(heard, capture, state) or (asks_nothing(heard) and not heard.is_keys):
            return self._settled(capture.take(state, heard.text), dialogue, heard.now)
        return None

    def ask(self, dialogue: Dialogue, *, caller: str) -> Captured | None:
        """The question for the slot that is missing now, where it is another than the graph's own."""
        if not self._wishes.is_open(dialogue):
            return None
        capture = self._captures.get(self._wishes.asked(dialogue).removeprefix(SLOT_KEY))
        if capture is None:
            return None
        if state := self._state(dialogue, capture.slot.name):
            return capture.questions.again(state)
        offers = dialogue.wish.kind in _OFFERED and not dialogue.is_caller_refused
        if capture.slot.kind is SlotKind.PHONE and caller and offers:
            opened = capture.open(known=caller)
            return opened if opened.state.is_known else None
        return None

    def expected(self, dialogue: Dialogue) -> Expected | None:
        """The answer that the slot asked for now expects."""
        if not self._wishes.is_open(dialogue):
            return None
        capture = self._captures.get(self._wishes.asked(dialogue).removeprefix(SLOT_KEY))
        if capture is None:
            return None
        state = self._state(dialogue, capture.slot.name)
        return capture.questions.again(state).expected if state else capture.open().expected

    def read_back(self, dialogue: Dialogue) -> str:
        """Everything that callers gave by the letter, as it may be said again."""
        wish = dialogue.wish
        values = [wish.name, wish.phone, *wish.slots.values(), self._wishes.spoken(wish.phone)]
        said = [capture.said(wish.slots[name]) for name, capture in self._captures.items() if name in wish.slots]
        state = read_capture(dialogue.capture) if dialogue.capture else None
        capture = self._captures.get(state.slot) if state else None
        if state and capture:
            both = (state.value, state.pending)
            said += [
                capture.form.said(value, is_spelled=spelled) for value in both if value for spelled in (True, False)
            ]
        return ". ".join(one for one in (*values, *said) if one)

    def _name(self, heard: Heard, capture: Capture, state: CaptureState, dialogue: Dialogue) -> SlotTaken | None:
        """A name is captured by the letter where it is spelled, badly heard, or not heard at all."""
        found = capture.form.read(heard.text)
        if capture.spells(heard.text) >= _FEWEST_SPELLED and found:
            return self._settled(capture.take(replace(state, is_doubtful=True), heard.text), dialogue, heard.now)
        name = self._wishes.name_in(heard.text, is_asked=True)
        is_doubtful = heard.confidence is not None and heard.confidence < _LEAST_SURE
        if name and is_doubtful and asks_nothing(heard):
            return self._settled(capture.doubt(name), dialogue, heard.now)
        if not name and asks_nothing(heard) and not any(part.slots.digits for part in heard.parts):
            return self._settled(capture.take(state, heard.text), dialogue, heard.now)
        return None

    def _corrected(self, heard: Heard, dialogue: Dialogue) -> SlotTaken | None:
        """A part of what the last question read back is put right."""
        gives_number = any(len(part.slots.digits) >= _WHOLE_NUMBER for part in heard.parts)  # and not a part of one
        if not gives_number and (both := self._corrected_beside(heard, dialogue)):
            return both
        counts = any(part.slots.when or part.slots.periods or part.slots.n_people for part in heard.parts)
        if counts and (gives_number or not self._names_sign(heard)):
            return None  # "three nights, not two" puts no digit right
        wish = dialogue.wish
        values = {"phone": wish.phone, "name": wish.name, **wish.slots}
        for name, capture in reversed(self._captures.items()):  # what was read back last is what they mean
            if not values.get(name):
                continue
            if capture.slot.kind is SlotKind.NAME:  # corrected by its letters: other words may be about something else
                n_spelled = capture.spells(heard.text)
                if n_spelled == 0 or (n_spelled == 1 and not capture.names_sign(heard.text)):
                    continue
            if new := capture.corrected(heard.text, values[name]):
                return self._gone_on(filled(wish, name, new), dialogue, heard.now)
        return None

    def _number_put_right(self, heard: Heard, dialogue: Dialogue) -> SlotTaken | None:
        """A sign of the number, put right before all is read back: "it ends in four, not five"."""
        capture, phone = self._captures.get("phone"), dialogue.wish.phone
        if not phone or capture is None or heard.is_keys or not capture.names_place(heard.text):
            return None
        new = capture.corrected(heard.text, phone)
        return self._gone_on(filled(dialogue.wish, "phone", new), dialogue, heard.now) if new else None

    def _corrected_beside(self, heard: Heard, dialogue: Dialogue) -> SlotTaken | None:
        """A sign that is put right in one piece of a turn, where the others say another day or service: "make that a
        filling on Friday, and the number ends in two".
        """
        pieces = [piece for piece in _PIECES.split(heard.text) if piece.strip()]
        values = {"phone": dialogue.wish.phone, **dialogue.wish.slots}
        for at, piece in enumerate(pieces):
            rest = ", ".join([*pieces[:at], *pieces[at + 1 :]])
            if not rest or not self._wishes.says_more(rest, heard.now) or self._wishes.says_more(piece, heard.now):
                continue
            for name, capture in reversed(self._captures.items()):
                if not values.get(name) or not capture.names_place(piece):
                    continue
                if new := capture.corrected(piece, values[name]):
                    wish = filled(dialogue.wish, name, new)
                    after = replace(dialogue, wish=wish, capture={})
                    text, asked, after = self._wishes.put_right(rest, after, heard.now)
                    return SlotTaken(text, after, asked)
        return None

    def _names_sign(self, heard: Heard) -> bool:
        return any(capture.names_sign(heard.text) for capture in self._captures.values())

    def _settled(self, taken: Captured, dialogue: Dialogue, now: datetime) -> SlotTaken:
        state = taken.state
        key = self._wishes.asked(dialogue)
        match state.ended:
            case Ended.CAPTURED:
                return self._gone_on(filled(dialogue.wish, state.slot, state.value), dialogue, now)
            case Ended.HUMAN:
                dropped = replace(dialogue, wish=Wish(), capture={})
                return SlotTaken(taken.text, dropped, "more", is_for_human=True)
        is_refused = dialogue.is_caller_refused or (not state.is_known and not state.value)
        going_on = replace(dialogue, capture=as_mapping(state), is_caller_refused=is_refused)
        return SlotTaken(taken.text, going_on, key, read_back=taken.read_back)

    def _gone_on(self, wish: Wish, dialogue: Dialogue, now: datetime) -> SlotTaken:
        text, asked, after = self._wishes.go_on(wish, replace(dialogue, capture={}), now)
        return SlotTaken(text, after, asked)

    def _state(self, dialogue: Dialogue, slot: str) -> CaptureState | None:
        state = read_capture(dialogue.capture) if dialogue.capture else None
        return state if state is not None and state.slot == slot else None

    def _is_about(self, heard: Heard, capture: Capture, state: CaptureState) -> bool:
        if heard.text.rstrip().endswith(("?", "？")):
            return False
        is_begun = bool(state.value) or state.is_confirming or state.step is not Step.WHOLE
        if capture.form.expects is ExpectedKind.DIGITS and not is_begun and not capture.names_digits(heard.text):
            return False
        return capture.is_about(heard.text, state)

    def _is_name(self, heard: Heard, dialogue: Dialogue) -> bool:
        """Return whether a turn is a name that is missing as well."""
        parts = heard.parts
        return len(parts) == 1 and bool(self._wishes.bare_name(parts[0], dialogue.wish, heard.now))

    def _is_other(self, heard: Heard, capture: Capture) -> bool:
        """Return whether a turn says another day or time, or drops the wish."""
        if any(self._wishes.is_taken_back(part) for part in heard.parts):
            return True
        has_day = any(part.slots.when.has_day or part.slots.when.part for part in heard.parts)
        if capture.slot.kind is SlotKind.PHONE and capture.form.read(heard.text):
            return False  # "six six six" may be a Saturday
        return has_day and max((len(part.slots.digits) for part in heard.parts), default=0) < _WHOLE_NUMBER


def captures_of(profile: AgentProfile, language_code: str, wishes: Wishes) -> Captures | None:
    """The captures of a language; None where it has no words for them."""
    return Captures(profile, language_code, wishes) if has_capture(language_code) else None


def filled(wish: Wish, slot: str, value: str) -> Wish:
    """The wish with the value of a slot."""
    match slot:
        case "phone":
            return replace(wish, phone=value)
        case "name":
            return replace(wish, name=value)
    return replace(wish, slots={**wish.slots, slot: value})


def asks_nothing(heard: Heard) -> bool:
    """Return whether nothing in the turn asks for an answer of another kind."""
    is_question = heard.text.rstrip().endswith(("?", "？"))
    return not is_question and all(part.kind in _EMPTY_KINDS or part.doubts for part in heard.parts)
