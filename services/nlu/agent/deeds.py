"""Words that claim a deed, and the guard's rule for them: a deed that is claimed needs a result or an act behind it.

The words are deeds.toml's of each language. Sans-IO.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from services.language.claims import ClaimWords
from services.language.phrases import PhraseSet, words_of
from services.language.value import Reading
from services.nlu.agent.acts import ACT_NAMES
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.grounds import Grounds, slots_in
from services.nlu.agent.schedule_claims import DayClaim

_REACH = 4  # tokens between a marker and its verb


class Tense(Enum):
    """The form of a claimed deed."""

    DONE = "deed"
    PROMISED = "promise"
    POSSIBLE = "ability"


@dataclass(frozen=True, slots=True)
class ClaimedDeed:
    """A claim, and where its verb stands."""

    deed: str
    tense: Tense
    start: int
    end: int


def claimed_deeds(texts: tuple[str, ...], words: ClaimWords, *, is_question: bool) -> list[ClaimedDeed]:
    """The deeds that a clause claims; a question claims none."""
    if is_question:
        return []
    found: list[ClaimedDeed] = []
    at = 0
    while at < len(texts):
        done, verb = words.done.at(texts, at), words.verbs.at(texts, at)
        longest = max((hit[0] for hit in (done, verb) if hit), default=0)
        is_other = words.deed_lists["not_behind"].length(texts, at + longest) > 0  # "gửi xe" is to park, not to send
        if longest and not is_other and not _is_unsaid(texts, at, words):
            if done and done[0] == longest:
                found.append(ClaimedDeed(done[1], Tense.DONE, at, at + longest))
            elif verb and (tense := _tense(texts, at, at + verb[0], words)):
                found.append(ClaimedDeed(verb[1], tense, at, at + verb[0]))
        at += longest or 1
    return found


def claims_past(reading: Reading, words: ClaimWords) -> tuple[int, int] | None:
    """Return where a clause says that the agent, or one of its house, has done something, whatever that is; None:
    nowhere.
    """
    texts, lists = reading.texts, words.deed_lists
    for at in range(len(texts)):
        if not (length := lists["past_subjects"].length(texts, at)) or _is_unsaid(texts, at + length, words):
            continue
        verb = at + length + lists["past_marks"].length(texts, at + length)
        if verb >= len(texts) or lists["past_exempt"].length(texts, verb):
            continue
        is_past = verb > at + length or lists["past_verbs"].length(texts, verb) > 0
        if is_past or texts[verb].endswith(words.past_endings) or _is_ended(reading, verb, words):
            return at, verb + 1
    return None


def _is_ended(reading: Reading, verb: int, words: ClaimWords) -> bool:
    """Return whether the piece of the clause that a verb stands in ends with a mark of the past."""
    stops = (at for at in range(verb, len(reading.texts)) if reading.tokens[at].kind == "stop")
    piece = reading.texts[verb : next(stops, len(reading.texts))]
    ends = words.deed_lists["past_ends"]
    return any(0 < ends.length(piece, at) == len(piece) - at for at in range(1, len(piece)))


def _is_unsaid(texts: tuple[str, ...], at: int, words: ClaimWords) -> bool:
    """Return whether something before takes the claim back: "not booked", "once you are booked"."""
    return _is_before(words.deed_lists["not_before"], texts, at, reach=_REACH)


def _tense(texts: tuple[str, ...], start: int, end: int, words: ClaimWords) -> Tense | None:
    lists = words.deed_lists
    has_agent = _is_before(lists["agents"], texts, start, reach=_REACH + 1)
    if _is_before(lists["ability_before"], texts, start, reach=_REACH):
        return Tense.POSSIBLE if has_agent else None
    if _is_before(lists["done_before"], texts, start, reach=_REACH) or _is_behind(lists["done_behind"], texts, end):
        return Tense.DONE
    if has_agent and _is_before(lists["promise_before"], texts, start, reach=_REACH):
        return Tense.PROMISED
    return None


def _is_before(phrases: PhraseSet, texts: tuple[str, ...], at: int, *, reach: int) -> bool:
    return any(_ends_by(phrases.length(texts, start), start, at) for start in range(max(0, at - reach), at))


def _ends_by(length: int, start: int, at: int) -> bool:
    return length > 0 and start + length <= at


def _is_behind(phrases: PhraseSet, texts: tuple[str, ...], end: int) -> bool:
    return any(phrases.length(texts, at) for at in range(end, min(len(texts), end + 2 * _REACH)))


def broken_deed(
    reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence, can: frozenset[str]
) -> Verdict | None:
    """The first deed that nothing speaks for; None: there is none. `can`: tools and acts that the agent has."""
    is_question = form.is_question and not form.is_claim_of_caller
    for claim in claimed_deeds(reading.texts, grounds.words, is_question=is_question):
        acts = grounds.words.acts[claim.deed]
        speaks_for_it = {
            Tense.DONE: evidence.done,
            Tense.PROMISED: evidence.done | evidence.asked,
            Tense.POSSIBLE: evidence.done | evidence.asked | can,
        }[claim.tense]
        if not _is_named(acts, speaks_for_it):
            return Verdict(False, claim.tense.value, " ".join(reading.texts[claim.start : claim.end]))
    has_acted = evidence.done or evidence.tools  # "I have looked it up" is so
    past = claims_past(reading, grounds.words) if not (is_question or form.is_ignorance or has_acted) else None
    if past is not None and not form.is_claim_of_caller:
        return Verdict(False, Tense.DONE.value, " ".join(reading.texts[past[0] : past[1]]))
    return None


def broken_state(reading: Reading, form: ClauseForm, grounds: Grounds, evidence: Evidence) -> Verdict | None:
    """What a model says to be done by now, in whatever words, right after the caller ordered it, with no result and
    nothing asked for: "Sure, you're on Tuesday now", "前台已经知道了".
    """
    is_backed = evidence.done or evidence.asked or evidence.tools
    if not (evidence.is_written_by_model and evidence.caller) or is_backed:
        return None
    if form.is_question or form.is_ignorance or form.is_claim_of_caller:
        return None
    lists, texts, ordered = grounds.words.deed_lists, reading.texts, words_of(evidence.caller[-1])
    is_order, is_booking = lists["orders"].are_in(ordered), lists["orders_to_book"].are_in(ordered)
    if not (is_order or is_booking) or lists["completed_exempt"].are_in(texts):
        return None
    claims = grounds.words.lists
    if any(claims[name].are_in(texts) for name in ("taken", "closed")) or (
        not is_order and claims["negations"].are_in(texts)
    ):
        return None  # that it cannot be had is no deed
    for at, token in enumerate(reading.tokens):
        length = lists["completed"].length(texts, at) or lists["completed_ends"].length(texts, at)
        end = at + length
        ends = end == len(texts) or reading.tokens[min(end, len(texts) - 1)].kind == "stop"
        if length and token.kind != "stop" and (lists["completed"].length(texts, at) or (ends and at > 0)):
            return Verdict(False, Tense.DONE.value, " ".join(texts[at:end]))
    return None


def _is_named(acts: Iterable[str], names: Iterable[str]) -> bool:
    acts = tuple(acts)
    return any(name in acts if name in ACT_NAMES else any(part in name.lower() for part in acts) for name in names)


def tells_deeds_moment(own: DayClaim, reading: Reading, evidence: Evidence, words: ClaimWords) -> bool | None:
    """Return whether a day with its time, of which the clause itself says nothing else, is a moment in the result of a
    deed: "Your appointment is cancelled: Tuesday at 9 a.m.". What the caller said before ("take me off") is not said of
    it. False: the deed's results have others, so that what was looked up besides is no moment of it; None: the clause
    tells of no deed.
    """
    told = slots_in(evidence.deeds)
    if own.has_own_verb or own.days is None or not own.times or not told:
        return None
    there = [slot for slot in told if own.days.holds(slot)]
    if all(any(slot.minute in time.minutes for slot in there) for time in own.times):
        return True
    claims = claimed_deeds(reading.texts, words, is_question=False)
    return False if any(claim.tense is Tense.DONE for claim in claims) else None


def is_read_back(own: DayClaim, evidence: Evidence) -> bool:
    """Return whether a day with its times, of which the clause itself says nothing else, is in a tool's result: what
    the caller said before ("take my appointment off") is not said of it.
    """
    if own.has_own_verb or own.days is None or not own.times:
        return False
    there = [slot for slot in slots_in(evidence.tools) if own.days.holds(slot)]
    return all(any(slot.minute in time.minutes for slot in there) for time in own.times)
