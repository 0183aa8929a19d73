"""The part of a long conversation that the model is shown. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from services.language.words import normalise
from services.nlu.history import Entry

_WHOLE_TURNS = 4  # the newest, which the next answer is about, stay as they are while there is room
_STEPS = 8  # see `within`
_QUESTION_MARKS = "?？؟"
_PARTS = re.compile(r"(?<=[?？؟])|[.!…,;:，、；。！؛،]+(?:\s+|$)|(?<=[，；。！])")  # ends of sentences and clauses
_LEAST_TOLD_WORDS = 4
_LEAST_NUMBER_DIGITS = 6  # of a telephone number or a code
_EACH_CALL_CHARS = 32  # of a tool call's name and marks


def within(entries: list[Entry], *, max_chars: int) -> list[Entry]:
    """The entries with as much left out as `max_chars` asks for, oldest first: the agent's words and tools with what
    the caller asked or remarked, then what they told unasked, last what they answered or gave in figures.

    What is left out grows in steps of an eighth of the limit, so that the beginning of the prompt stays the same for
    several turns: the model reads a changed beginning again, which takes seconds.
    """
    excess = sum(map(size, entries)) - max_chars
    if excess <= 0:
        return entries
    step = max(max_chars // _STEPS, 1)
    to_drop = -(-excess // step) * step
    kept = list(entries)
    for i, without in _in_order_of_loss(entries):
        if to_drop <= 0:
            break
        shorter = without(kept[i])
        to_drop -= size(kept[i]) - size(shorter)
        kept[i] = shorter
    return [entry for entry in kept if not entry.is_empty]


def size(entry: Entry) -> int:
    """Characters that an entry takes in the prompt, about."""
    tools = sum(_EACH_CALL_CHARS + len(call.arguments_json) + len(call.result_json) for call in entry.tool_calls)
    return len(entry.user_text) + len(entry.heard_text) + len(entry.gateway_text) + tools


def _without_agent(entry: Entry) -> Entry:
    return replace(entry, heard_text="", gateway_text="", tool_calls=())


def _without_caller(entry: Entry) -> Entry:
    return replace(entry, user_text="")


def _in_order_of_loss(entries: list[Entry]) -> Iterator[tuple[int, Callable[[Entry], Entry]]]:
    """Yield what is left out first, second and so on, as (index, what of it). The newest entry's text is never left
    out.
    """
    old, last = range(max(len(entries) - _WHOLE_TURNS, 0)), len(entries) - 1
    answers = {i for i in old if _is_answer(entries, i)}
    told = {i for i in old if i not in answers and _tells(entries[i].user_text)}
    for i in old:
        yield i, _without_agent
        if i not in answers and i not in told:
            yield i, _without_caller
    yield from ((i, _without_caller) for i in old if i in told)
    yield from ((i, _without_agent) for i in range(len(old), last))
    yield from ((i, _without_caller) for i in old if i in answers)
    yield from ((i, _without_caller) for i in range(len(old), last))
    if entries:
        yield last, _without_agent


def _tells(said: str) -> bool:
    """Return whether the caller tells something, alone or beside a question: more than a remark such as "All right,
    thanks".
    """
    return len(normalise(_told(said))) >= _LEAST_TOLD_WORDS


def _is_answer(entries: list[Entry], i: int) -> bool:
    """Return whether the caller here answers a question of the agent's, or gives figures: names, numbers and days are
    said so, in every language. A question may stand beside it, and a telephone number inside of one.
    """
    said = entries[i].user_text
    told = _told(said)
    if any(c.isdigit() for c in told) or sum(c.isdigit() for c in said) >= _LEAST_NUMBER_DIGITS:
        return True
    asked = entries[i - 1].heard_text if i else ""
    return bool(normalise(told)) and any(mark in asked for mark in _QUESTION_MARKS)


def _told(said: str) -> str:
    """Return what the caller says outside of questions."""
    return " ".join(part for part in _PARTS.split(said) if not any(mark in part for mark in _QUESTION_MARKS))
