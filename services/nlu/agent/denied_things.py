"""Guard rule for things that a text of the facts denies: what a model says of one has to deny it too. Sans-IO.

"Pets are not allowed" is a text; "dogs are welcome", "we don't mind dogs" and, where the caller asked for a dog, "that
is fine" are stopped.
"""

from __future__ import annotations

from itertools import pairwise

from services.language.phrases import words_of
from services.language.value import Reading
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.grounds import Grounds

_OBJECTION_REACH = 3  # tokens from a negation to the objection that it denies: "no big problem"


def allowed_though_denied(reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
    """The first denied thing of which a model says something without a negation; None: there is none."""
    if not evidence.is_written_by_model or form.is_ignorance or form.is_question or form.is_echo:
        return None
    words, start = grounds.words, 0
    for end in range(len(reading.texts) + 1):
        length = words.lists["but"].length(reading.texts, end)
        if end < len(reading.texts) and not length:
            continue
        part = reading.texts[start:end]
        named = [text for text in part if any(map(grounds.is_denied, words.forms(text)))]
        if named and not _denies(part, grounds):
            return Verdict(False, "denied", named[0])
        start = end + length
    return _allowed(reading, grounds, evidence)


def _allowed(reading: Reading, grounds: Grounds, evidence: Evidence) -> Verdict | None:
    """Statement that allows a denied thing, in whatever words, where the caller asked about it."""
    found = grounds.words.lists["suits"].find(reading.texts)
    if not found or reading.values or grounds.doable.find(reading.texts):
        return None
    stops = [-1, *(at for at, token in enumerate(reading.tokens) if token.kind == "stop"), len(reading.tokens)]
    pieces = [reading.texts[one + 1 : other] for one, other in pairwise(stops) if one < found[0][0] < other]
    if any(_denies(piece, grounds) for piece in pieces):
        return None
    asked = (word for text in evidence.caller[-1:] for word in words_of(text))
    is_denied = any(grounds.is_denied(form) for word in asked for form in grounds.words.forms(word))
    return Verdict(False, "denied", " ".join(reading.texts[found[0][0] : found[0][1]])) if is_denied else None


def _denies(texts: tuple[str, ...], grounds: Grounds) -> bool:
    """Return whether words deny something: "we don't mind" allows it."""
    lists = grounds.words.lists
    for at in range(len(texts)):
        length = lists["negations"].length(texts, at)
        near = (*range(max(0, at - 1), at), *range(at + length, min(len(texts), at + length + _OBJECTION_REACH)))
        if length and not any(lists["objections"].length(texts, one) for one in near):
            return True
    return False
