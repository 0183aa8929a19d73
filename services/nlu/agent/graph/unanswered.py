"""Turns that leave a question open: the caller hums, asks for a moment, asks why, or would rather not say. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence

from services.language.words import normalise
from services.nlu.agent.graph.asking import UNKNOWN, Asking, Words
from services.nlu.agent.graph.counting import has_any, spans_of
from services.nlu.agent.graph.reading import Part

HUM = "unclear"  # the kind of a turn without meaning
MOST_HUMS = 2  # in a row that are no failed tries
_REASONS = {"name": "why_name", "phone": "why_phone"}  # by the key of the question
_ASK_NOTHING = frozenset({UNKNOWN, HUM, "number", "name", "chat", "yes", "no", "hello"})


def waits(text: str, parts: Sequence[Part], lists: Asking, take_backs: Sequence[Words]) -> bool:
    """Return whether a turn asks for a moment and says nothing else that matters: "hold on, I'm driving". A name in
    capitals behind words that announce one does.
    """
    words = normalise(text)
    is_plain = all(part.kind in _ASK_NOTHING or part.doubts for part in parts)
    if not has_any(words, lists.waits) or not is_plain or has_any(words, (*take_backs, *lists.objections)):
        return False
    slots = [part.slots for part in parts]
    return not any(one.when or one.services or one.people or one.digits for one in slots) and not _names(text, lists)


def reason_for(part: Part, asked: str, lists: Asking) -> str:
    """The key of the reason for a question, where a sentence asks for it or would rather not answer; empty: it does
    neither.
    """
    slots = part.slots
    is_answer = slots.when or slots.services or slots.digits
    asks = has_any(slots.words, (*lists.whys, *lists.withholds))
    return _REASONS.get(asked, "") if asks and not is_answer else ""


def is_hum(parts: Sequence[Part]) -> bool:
    """Return whether a turn is without meaning: "hmm"."""
    return bool(parts) and all(part.kind == HUM and not part.doubts for part in parts)


def _names(text: str, lists: Asking) -> bool:
    """Return whether a word in capitals stands behind words that announce a name."""
    written = text.split()
    plain = tuple(" ".join(normalise(word)) for word in written)
    ends = [end for _, end in spans_of(plain, lists.name_leads)]
    return any(end < len(written) and written[end][:1].isupper() for end in ends)
