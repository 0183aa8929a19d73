"""Detection of the conversation's end. Sans-IO.

Lists of phrases decide, not the model: a small model hangs up on people who
ask something, or never does. A farewell counts when it is what the turn is
about: the phrases of a farewell cover the turn from one end to the other, or
stand apart at its end behind words that ask for nothing. In doubt the agent
asks and does not hang up. The agent's own goodbye is judged by the same lists.
"""

from __future__ import annotations

import re
from enum import Enum

from services.language import data
from services.language.words import normalise
from services.nlu.agent.farewell_lists import (
    FILE,
    Kind,
    Lists,
    Words,
    begins_with,
    cover,
    ends_with,
    has,
    has_file,
    lists_of,
)

_LEAST_CONFIDENCE = 0.5  # of 0 to 1; Whisper's score of what it makes of noise is mostly lower
_QUESTION_MARKS = "?？"
_SENTENCE_ENDS = re.compile(r"[.;!…。；！]")
_SENTENCES = re.compile(r"[.;!?…。；！？]+")
_BREAKS = re.compile(r"[.,;!:…—。，；！：、]")
_LONGEST_LEAD = 12  # words before a farewell that stands apart; more say something that wants an answer
_LONGEST_TURN = 400  # words or Han signs of a turn that may end a call
_LONGEST_GOODBYE = 60  # words at the end of a sentence of the agent's among which its goodbye stands
_LONGEST_ADDRESS = 3  # words behind the agent's goodbye: "Goodbye, Mr Lee"
_LONGEST_CLAUSE = 4  # of those words, where only a comma sets the farewell apart: a recogniser guesses commas


class Ending(Enum):
    """The meaning of a caller's turn for the end of the call."""

    NONE = "none"
    FAREWELL = "farewell"
    IN_DOUBT = "in_doubt"  # they may want to end it


def caller_ends(
    text: str,
    *,
    last_heard: str,
    language_code: str,
    confidence: float | None = None,
    has_spoken: bool = True,
) -> Ending:
    """Return whether the caller wants to end the call: a goodbye, or a no to "is there anything else?".

    `last_heard` is what the caller heard of the agent's last reply; `confidence` that of the text, 0 to 1, None where
    it is not known; `has_spoken` whether the caller had said something before in this call.
    """
    if _asks(text) or len(normalise(text)) > _LONGEST_TURN:
        return Ending.NONE
    lists = lists_of(language_code)
    offered = _offered(last_heard, lists)
    is_asked = _asks(last_heard) and not offered
    ending = _judge(text, lists, offered=offered, is_asked=is_asked, has_spoken=has_spoken)
    if ending is Ending.FAREWELL and confidence is not None and confidence < _LEAST_CONFIDENCE:
        return Ending.IN_DOUBT
    return ending


def was_offered(last_heard: str, *, language_code: str) -> bool:
    """Return whether the caller was just asked if there is anything else."""
    return _offered(last_heard, lists_of(language_code))


def offer(language_code: str) -> str:
    """The question whether there is anything else; empty where the language has no words of its own."""
    return _offer(data.primary(language_code))


@data.cached
def _offer(language: str) -> str:
    return data.first(language, FILE, "anything_else") if has_file(language) else ""


def agent_ends(reply: str, *, language_code: str) -> bool:
    """Return whether a reply itself says goodbye: the model's wish to hang up counts only then."""
    lists = lists_of(language_code)
    if _asks(reply):
        return False
    sentences = [words for sentence in _SENTENCES.split(reply) if (words := normalise(sentence))]
    return any(_is_goodbye(sentence, lists, language_code) for sentence in sentences[-2:]) and not any(
        lists.goes_on(sentence) for sentence in sentences[-2:]
    )


def _is_goodbye(sentence: Words, lists: Lists, language_code: str) -> bool:
    """Return whether a sentence of the agent ends with a goodbye that is not negated, wished for or reported."""
    kinds = Kind.FAREWELL | Kind.GREETING | Kind.MEETING
    sentence = sentence[-_LONGEST_GOODBYE:]
    for at in range(len(sentence)):
        for n in range(min(lists.longest, len(sentence) - at), 0, -1):
            if not lists.kind_of(sentence[at : at + n]) & kinds:
                continue
            lead, behind = sentence[:at], sentence[at + n :]
            n_left, found = cover(behind, lists, breaks=set())
            is_last = not n_left or (len(behind) <= _LONGEST_ADDRESS and not found & kinds)
            is_meant = not (has(lead, lists.negations) or has(lead, lists.sayings) or has(behind, lists.negations))
            if is_last and is_meant:
                return True
    return False


def _offered(last_heard: str, lists: Lists) -> bool:
    """A question is an offer when it is made of nothing else: "Does anything else hurt?" has "anything else" too."""
    last = _last_sentence(last_heard)
    return has(last, lists.offers) and lists.offer_words.issuperset(last)


def _last_sentence(text: str) -> Words:
    return next((words for part in reversed(_SENTENCES.split(text)) if (words := normalise(part))), ())


def _judge(text: str, lists: Lists, *, offered: bool, is_asked: bool, has_spoken: bool) -> Ending:
    """`offered`: the agent asked whether there is anything else; `is_asked`: it asked something else."""
    words = normalise(text)
    n_lead, kinds = cover(words, lists, breaks=_places(_BREAKS, text))
    is_bye = bool(kinds & (Kind.FAREWELL | Kind.MEETING))
    if not is_bye and lists.goes_on(words):
        return Ending.NONE
    if n_lead and offered and not is_bye and not lists.is_wanted(words):
        n_lead, kinds = cover(words, lists, breaks=set(), is_answer=True)
    if n_lead:
        lead = words[:n_lead]
        is_over = bool(kinds & (Kind.THANKS | Kind.FINISHED | Kind.LEAVING)) or lists.is_leaving(lead)
        if not is_bye and not (Kind.GREETING in kinds and is_over):
            return Ending.NONE
        return _judge_behind_lead(lead, text, lists, kinds, is_asked=is_asked, offered=offered)
    may_answer = is_asked and (Kind.AFFIRMATION in kinds or (Kind.MOMENT in kinds and Kind.FAREWELL not in kinds))
    if may_answer or (Kind.MOMENT in kinds and Kind.MEETING not in kinds):
        return Ending.IN_DOUBT if is_bye else Ending.NONE
    if is_bye:
        return Ending.FAREWELL
    return _judge_without_goodbye(kinds, offered=offered, is_asked=is_asked, has_spoken=has_spoken)


def _judge_without_goodbye(kinds: Kind, *, offered: bool, is_asked: bool, has_spoken: bool) -> Ending:
    """Of a turn that is made up of such phrases and has no goodbye in it."""
    if offered:
        return _judge_answer_to_offer(kinds)
    is_clear = Kind.GREETING in kinds and Kind.THANKS in kinds and bool(kinds & (Kind.FINISHED | Kind.LEAVING))
    if not has_spoken and not is_clear:
        return Ending.NONE  # a call may begin with a greeting, but not with thanks and an end besides
    return _judge_hint(kinds, is_asked=is_asked)


def _judge_answer_to_offer(kinds: Kind) -> Ending:
    """Of such a turn behind "is there anything else?"."""
    if Kind.AFFIRMATION in kinds and Kind.GREETING not in kinds:
        return Ending.NONE
    is_no = bool(kinds & (Kind.GREETING | Kind.FINISHED | Kind.REFUSAL | Kind.THANKS | Kind.LEAVING))
    return Ending.FAREWELL if is_no else Ending.NONE


def _judge_hint(kinds: Kind, *, is_asked: bool) -> Ending:
    """The same where nothing was offered; `is_asked`: the agent had asked something else."""
    if Kind.GREETING in kinds:
        if kinds & (Kind.THANKS | Kind.FINISHED | Kind.LEAVING):
            return Ending.FAREWELL
        return Ending.NONE if is_asked else Ending.IN_DOUBT
    is_hint = Kind.FINISHED in kinds or (Kind.LEAVING in kinds and not is_asked)
    return Ending.IN_DOUBT if is_hint else Ending.NONE


def _judge_behind_lead(lead: Words, text: str, lists: Lists, kinds: Kind, *, is_asked: bool, offered: bool) -> Ending:
    """`lead`: the words before a farewell at the end; `is_asked`: they may answer a question of the agent's."""
    if len(lead) > _LONGEST_LEAD:
        return Ending.NONE
    said = lists.left_to_do(lead)
    if lists.is_wanted(said) or lists.goes_on(said):
        return Ending.NONE
    if len(lead) not in _places(_SENTENCE_ENDS, text) and ends_with(said, lists.negators):
        return Ending.NONE
    is_short = len(lead) <= (_LONGEST_CLAUSE if lists.is_spaced else 2 * _LONGEST_CLAUSE)
    is_refused = offered and begins_with(lead, tuple(lists.noes)) and len(lead) in _places(_BREAKS, text)
    is_apart = is_refused or len(lead) in _places(_BREAKS if is_short else _SENTENCE_ENDS, text)
    is_leaving = lists.is_leaving(lead)
    is_reported = has(said, lists.sayings)
    if not is_apart and (is_reported or has(said, lists.negations) or not (Kind.FAREWELL in kinds or is_leaving)):
        return Ending.NONE
    is_sure = is_apart or is_leaving or Kind.THANKS in kinds
    return Ending.IN_DOUBT if (is_asked and not is_leaving) or is_reported or not is_sure else Ending.FAREWELL


def _places(breaks: re.Pattern[str], text: str) -> set[int]:
    """After how many words of the text there is one of the marks."""
    places, n_words, start = set(), 0, 0
    for found in breaks.finditer(text):  # no word goes on behind a mark, so that each part is counted once
        n_words += len(normalise(text[start : found.start()]))
        start = found.end()
        places.add(n_words)
    return places


def _asks(text: str) -> bool:
    return any(mark in text for mark in _QUESTION_MARKS)
