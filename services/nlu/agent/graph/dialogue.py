"""Dialogue state: what the agent remembers from turn to turn (topics, open question, wish). Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

MAX_REMEMBERED_CHARS = 600
MOST_LATER = 4  # requests that wait


@dataclass(frozen=True, slots=True)
class Wish:
    """The caller's wish, with the slots filled so far."""

    kind: str = ""  # book, change, cancel, find; empty: none
    service: str = ""  # an id
    person: str = ""  # an id
    when: str = ""  # in words
    name: str = ""
    phone: str = ""
    slots: dict[str, str] = field(default_factory=dict)  # what the agent's file asks for besides, by name
    is_noted: bool = False  # all of it was confirmed
    at: str = ""  # when, as the diary has it: 2026-12-01T10:00; empty: it cannot be booked
    is_confirmed: bool = False  # to be done; the caller has not been told how that went
    starts: str = ""  # of the appointment to be moved or cancelled, as the diary has it
    nights: int = 0  # of a room; 0: not said
    said: str = ""  # of times: before that appointment was found, or a day that has no hour yet
    n_missed: int = 0  # how often none was found for a name and number
    is_of_other: bool = False  # the appointment is somebody else's than the caller's
    is_each: bool = False  # all appointments are to be cancelled, one after the other
    is_sooner: bool = False  # a time before that appointment is wanted
    is_for_other: bool = False  # booked for somebody else: its name is not the caller's


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The state of one call."""

    kind: str = ""  # of the last question
    service: str = ""  # that was spoken of last
    person: str = ""
    topic: str = ""
    day: str = ""  # that was spoken of last, in ISO 8601
    asked: str = ""  # what the agent asked last: a key of answering.toml's [ask]
    reply: str = ""  # the last one
    n_unknown: int = 0  # questions in a row that no fact covers
    wish: Wish = field(default_factory=Wish)
    capture: dict[str, object] = field(default_factory=dict)  # of a slot that is asked for; empty: none is under way
    later: str = ""  # further requests, which come behind the open one: a line each
    n_reprompts: int = 0  # how often the open question was asked again without effect
    n_hums: int = 0  # turns without meaning in a row
    n_reasons: int = 0  # how often it was told why the open question is asked
    is_caller_refused: bool = False  # the number they call from is not the one they leave

    def with_later(self, *requests: str) -> Dialogue:
        """The dialogue with requests before those that wait already."""
        waiting = self.later.split("\n") if self.later else []
        return replace(self, later="\n".join([*filter(None, requests), *waiting][:MOST_LATER]))

    def next_later(self) -> tuple[str, Dialogue]:
        """The next request that waits, and the dialogue without it."""
        following, _, rest = self.later.partition("\n")
        return following, replace(self, later=rest)

    def with_wish(self, **changes: object) -> Dialogue:
        return replace(self, wish=replace(self.wish, **changes))  # type: ignore[arg-type] # the fields' own types


_FIELDS, _WISH_FIELDS = (tuple(each.name for each in fields(kind)) for kind in (Dialogue, Wish))


def as_state(dialogue: Dialogue) -> dict[str, object]:
    """The dialogue's part of the conversation's state."""
    state = {name: getattr(dialogue, name) for name in _FIELDS}
    wish = {name: getattr(dialogue.wish, name) for name in _WISH_FIELDS}
    return state | {"reply": dialogue.reply[:MAX_REMEMBERED_CHARS], "wish": wish}


def read_dialogue(state: Mapping[str, object]) -> Dialogue:
    """The dialogue of a state; what it does not have, or has otherwise, is as at the beginning."""
    wish = state.get("wish")
    return replace(_read(Dialogue(), state), wish=_read(Wish(), wish if isinstance(wish, Mapping) else {}))


T = TypeVar("T", Dialogue, Wish)


def _read(default: T, state: Mapping[str, object]) -> T:
    known = {each.name: getattr(default, each.name) for each in fields(default)}
    same: dict[str, Any] = {name: state[name] for name, value in known.items() if type(state.get(name)) is type(value)}
    return replace(default, **same)
