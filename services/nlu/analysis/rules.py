"""Outcome, sentiment, deeds and summary of a call by rules alone. Sans-IO.

A deed is a tool that writes, or a transfer: what only looks something up is none. The words of a language for sentiment
and summary stand in its analysis.toml; a language without one has no sentiment, and its summary is the caller's words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from services.language import data
from services.language.words import normalise
from services.nlu.analysis.analysis import (
    CallAnalysis,
    CallDeed,
    CallOutcome,
    DeedStanding,
    Known,
    Past,
    Sentiment,
)
from services.nlu.history import Entry, ToolCall

FILE = "analysis"
LONGEST_SUMMARY = 1000  # characters
_LONGEST_WORDS = 200  # characters of what a caller said last
_TRANSFER = "transfer"
_NO_DEEDS = frozenset({"hang_up", "switch_language", "send_dtmf", "expect", "current_time"})
_READS = ("_find", "_free_times", "_search", "_list", "_get", "_slots", "_availability")  # ends of names that look up
_FAILED = frozenset({"failed", "cancelled", "error"})


def analysis_of(past: Past, known: Known, *, reads: Iterable[str] = ()) -> CallAnalysis:
    """Return the analysis of a conversation; `reads` names tools that only look something up."""
    deeds = (*deeds_of(past.history, reads=frozenset(reads)), *known.deeds)
    sentiment = sentiment_of(past.history, past.language_code)
    said = [entry.user_text for entry in past.history if entry.user_text]
    return CallAnalysis(
        intents=known.intents,
        outcome=CallOutcome.TRANSFERRED if past.is_transferred else _outcome(said, deeds, known),
        sentiment=sentiment,
        language_code=past.language_code,
        summary=_summary(said, deeds, known, sentiment, past.language_code),
        deeds=deeds,
    )


def deeds_of(history: Sequence[Entry], *, reads: frozenset[str] = frozenset()) -> tuple[CallDeed, ...]:
    """Return the deeds of a conversation in their order; for a deed that was tried again, its last status."""
    found: dict[tuple[str, str], CallDeed] = {}
    for call in (call for entry in history for call in entry.tool_calls):
        if call.name in _NO_DEEDS or call.name in reads or call.name.endswith(_READS):
            continue
        found[(call.name, call.arguments_json)] = CallDeed(call.name, _standing(call))
    return tuple(found.values())


def sentiment_of(history: Sequence[Entry], language_code: str) -> Sentiment:
    """Return the sentiment by the caller's words; the later half of the call counts twice."""
    language = data.primary(language_code)
    if not _has_words(language):
        return Sentiment.UNKNOWN
    said = [normalise(entry.user_text) for entry in history if entry.user_text]
    if not said:
        return Sentiment.UNKNOWN
    lists = [[normalise(text) for text in data.words(language, FILE, key)] for key in ("positive", "negative")]
    scores = [0, 0]
    for at, words in enumerate(said):
        weight = 2 if 2 * at >= len(said) - 1 else 1
        for which, phrases in enumerate(lists):
            scores[which] += weight * sum(_holds(words, phrase) for phrase in phrases)
    if scores[0] == scores[1]:
        return Sentiment.NEUTRAL
    return Sentiment.POSITIVE if scores[0] > scores[1] else Sentiment.NEGATIVE


def _outcome(said: Sequence[str], deeds: Sequence[CallDeed], known: Known) -> CallOutcome:
    if any(deed.name == _TRANSFER and deed.standing is not DeedStanding.FAILED for deed in deeds):
        return CallOutcome.TRANSFERRED
    standings = {deed.standing for deed in deeds}
    if DeedStanding.PENDING in standings or known.is_pending:
        return CallOutcome.FOLLOW_UP
    if DeedStanding.DONE in standings:
        return CallOutcome.DEED_DONE
    if not said:
        return CallOutcome.NO_WORDS
    is_unresolved = DeedStanding.FAILED in standings or known.n_unanswered >= max(1, len(known.intents))
    return CallOutcome.UNRESOLVED if is_unresolved else CallOutcome.ANSWERED


def _summary(
    said: Sequence[str], deeds: Sequence[CallDeed], known: Known, sentiment: Sentiment, language_code: str
) -> str:
    language = data.primary(language_code)
    last = said[-1][:_LONGEST_WORDS] if said else ""
    if not _has_words(language):
        return " / ".join(text[:_LONGEST_WORDS] for text in said)[:LONGEST_SUMMARY]
    words = data.texts(language, FILE, "summary")
    parts = [words["wanted"].format(intents=", ".join(known.intents)) if known.intents else words["nothing"]]
    if known.values:
        parts.append(words["given"].format(values=", ".join(known.values)))
    by_standing = {one: [deed.name for deed in deeds if deed.standing is one] for one in DeedStanding}
    parts += [words[one.name.lower()].format(deeds=", ".join(names)) for one, names in by_standing.items() if names]
    if sentiment is Sentiment.NEGATIVE:
        parts.append(words["annoyed"])
    if last:
        parts.append(words["said_last"].format(words=last))
    return " ".join(parts)[:LONGEST_SUMMARY]


def _standing(call: ToolCall) -> DeedStanding:
    """Return the status of a deed by its result; a deed without a result is under way."""
    if not call.result_json:
        return DeedStanding.PENDING
    try:
        result = json.loads(call.result_json)
    except ValueError:
        return DeedStanding.DONE
    if not isinstance(result, dict):
        return DeedStanding.DONE
    said = {str(result.get(key, "")).lower() for key in ("status", "outcome", "state")}
    if "error" in result or said & _FAILED:
        return DeedStanding.FAILED
    return DeedStanding.PENDING if "pending" in said else DeedStanding.DONE


def _has_words(language: str) -> bool:
    return (data.folder_of(language) / f"{FILE}.toml").exists()


def _holds(words: Sequence[str], phrase: Sequence[str]) -> bool:
    return any(tuple(words[at : at + len(phrase)]) == tuple(phrase) for at in range(len(words)))
