"""A caller of a dialogue who speaks: says its turns in order, and answers what is asked beside them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from voice.call.v1 import record_pb2

from services.language import data
from services.language.dictation import Dictation
from services.language.words import normalise, without_marks
from services.nlu.agent.clause_form import sentences_of
from services.nlu.agent.graph.asking import asking
from tests.load.deed_dialogues import Deed
from tests.load.dialogue_files import Script

MOST_TURNS = 16
LIKE_NAMES = 0.75  # difflib's ratio of two names without spaces
FEWEST_DIGITS = 6
MOST_NAME_WORDS = 6
MOST_AGAIN = 2  # times that one thing is said again
_LIKE = 0.8  # share of words that two questions share, of which the second asks again


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """The words that are said, and the seconds of the answer that are listened to; 1 and more: all of it."""

    text: str
    hears: float = 1.0


@dataclass(slots=True)
class SpokenCaller:
    """Keeps the turns that are left, and what was said."""

    script: Script
    lines: list[str] = field(default_factory=list)
    _left: list[SpokenTurn] = field(default_factory=list)
    _extra: str = ""
    _n_turns: int = 0
    _n_again: int = 0
    _question: str = ""

    def __post_init__(self) -> None:
        self._left = [SpokenTurn(turn.caller, turn.hears) for turn in self.script.turns]

    def next_turn(self) -> SpokenTurn | None:
        """The caller's next words; None: they hang up."""
        self._n_turns += 1
        if self._n_turns > MOST_TURNS or not (self._extra or self._left):
            return None
        turn = SpokenTurn(self._extra) if self._extra else self._left.pop(0)
        self._extra = ""
        self.lines.append(f"caller: {turn.text or '(silence)'}")
        return turn

    def on_answer(self, said: str, *, heard: str, told: str) -> None:
        """The agent's answer to `told`, which the stage took for `heard`: does it ask for what does not come next?"""
        self.lines += [f"        heard as: {heard}", f"agent:  {said}"]
        language = self.script.language
        question = sentences_of(said, language)[-1] if said.strip() else ""
        is_asked_again = any(text in said for text in _again(language)) or _is_like(question, self._question)
        self._question = question
        if piece := self._read_back(said):
            self._extra = self._answer_to(piece)
        elif wanted := self._asked_for(question):
            self._give(wanted)
        elif told and (is_asked_again or not said.strip()) and self._n_again < MOST_AGAIN:
            self._n_again += 1
            self._extra = told
        else:
            self._n_again = 0

    def _give(self, wanted: str) -> None:
        """Say the turn that has it, where one is left; else the thing itself."""
        language = self.script.language
        if self._left and _is_of_the_kind(self._left[0].text, wanted, language):
            return
        holding = [turn for turn in self._left if _has(turn.text, wanted, language)]
        if holding and holding[0].hears >= 1.0:
            self._left.remove(holding[0])
            self._extra = holding[0].text
        elif not holding:
            self._extra = wanted

    def _read_back(self, said: str) -> str:
        """A piece that is read back alone, with the captures' own question; empty: none is."""
        ask = data.text(self.script.language, "capture", "ask.confirm")
        pattern = re.escape(ask).replace(re.escape("{value}"), "([^.!?]+)")
        found = re.search(r"(?:^|[.!?] )" + pattern + r"\s*$", said.strip())
        return found.group(1) if found else ""

    def _answer_to(self, piece: str) -> str:
        """Yes to what is the caller's, else no and the thing itself."""
        yes, no = {"en": ("Yes, that's right.", "No."), "vi": ("Đúng rồi ạ.", "Không phải.")}[self.script.language]
        plain = piece.partition(":")[0]  # a spelling stands behind it
        digits = Dictation(self.script.language).digits(plain)
        numbers, names = self._values("phone"), self._values("name")
        if len(digits) >= FEWEST_DIGITS:
            return yes if digits in numbers or not numbers else f"{no} {numbers[0]}"
        is_right = any(sounds_alike(name, plain) for name in names) or not names
        return yes if is_right else f"{no} {names[0]}"

    def _values(self, argument: str) -> list[str]:
        """Values of the deeds' arguments, those of the last deed first."""
        deeds = reversed(self.script.deeds or ())
        return [deed.arguments[argument] for deed in deeds if argument in deed.arguments]

    def _asked_for(self, question: str) -> str:
        """Return what a question asks for by itself: a number, a name, a yes behind the last turn; empty: what comes
        next.
        """
        plain, language = question.lower(), self.script.language
        marks = {"en": ("telephone number", "your name", "shall i"), "vi": ("số điện thoại", "tên", "có muốn")}[
            language
        ]
        if marks[0] in plain:
            return next(iter(self._values("phone")), "")
        if marks[1] in plain:
            return next(iter(self._values("name")), "")
        is_at_end = marks[2] in plain and not self._left and bool(self.script.deeds)
        return {"en": "Yes, please.", "vi": "Vâng, đúng rồi."}[language] if is_at_end else ""


def sounds_alike(one: str, other: str) -> bool:
    """Return whether two names are nearly the same letters: a recogniser writes "Annabelle" for Anna Bell."""
    first, second = ("".join(normalise(without_marks(name))) for name in (one, other))
    return SequenceMatcher(None, first, second).ratio() >= LIKE_NAMES


def _is_of_the_kind(text: str, wanted: str, language: str) -> bool:
    """Return whether a turn gives such a thing, whatever its value: a number, or a few words that may be a name."""
    if wanted.isdecimal():
        return len(Dictation(language).digits(text)) >= FEWEST_DIGITS
    agreements = {word for phrase in asking(language).agreements for word in phrase}
    words = normalise(text)
    return len(words) <= MOST_NAME_WORDS and not set(words[:1]) & agreements


def _has(text: str, wanted: str, language: str) -> bool:
    digits = Dictation(language).digits(text)
    return wanted in digits if wanted.isdecimal() else " ".join(normalise(wanted)) in " ".join(normalise(text))


def _again(language: str) -> tuple[str, ...]:
    """Return how an agent asks to have something said again."""
    asks = [data.text(language, "answering", f"ask.{key}") for key in ("again", "misheard")]
    return (*asks, data.text(language, "capture", "say.not_understood"))


def said_since(events: Sequence[record_pb2.CallEvent], start: int) -> str:
    """The words that the agent was heard to say in the records since then."""
    turns = (event.turn for event in events[start:] if event.HasField("turn"))
    return " ".join(turn.heard_text for turn in turns if turn.heard_text).strip()


def taken_since(events: Sequence[record_pb2.CallEvent], start: int) -> str:
    """The words that the caller was taken to have said in the records since then."""
    turns = (event.turn for event in events[start:] if event.HasField("turn"))
    return " | ".join(turn.user_text for turn in turns if turn.user_text)


def deeds_of(outbox: Path, tenant_id: str) -> list[Deed]:
    """The deeds of one tenant that were done, in the order they were decided."""
    if not outbox.is_file():
        return []
    with sqlite3.connect(outbox) as connection:
        rows = connection.execute(
            "SELECT tool, arguments_json FROM deeds WHERE tenant_id = ? AND state = 'done' ORDER BY rowid", (tenant_id,)
        ).fetchall()
    return [Deed(tool, json.loads(arguments)) for tool, arguments in rows]


def _is_like(question: str, before: str) -> bool:
    """Return whether a question asks for the same once more."""
    words, known = set(normalise(question)), set(normalise(before))
    return bool(words) and len(words & known) >= _LIKE * len(words | known)
