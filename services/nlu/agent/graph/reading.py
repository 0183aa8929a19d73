"""A turn of the caller's as its questions: each with its kind and what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.language.spelling import Spelling
from services.language.words import normalise
from services.nlu.agent.graph.asking import UNKNOWN, Words, is_text, refers
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.follow_ups import (
    FOLLOWS,
    SHORT,
    follow_up_kind,
    kind_of_another,
    lead_of,
    names_another,
)
from services.nlu.agent.graph.kind_rules import (
    SAID_BY,
    SURE_MARGIN,
    SURE_SCORE,
    beside_time_clause,
    by_evidence,
    decide,
    in_open_wish,
    of_deeds,
    of_what_is_named,
    weigh,
)
from services.nlu.agent.graph.naming import Found
from services.nlu.agent.graph.sentences import (
    bare_splits,
    phrase_pattern,
    sentences_of,
    splits,
    tells_only_when,
    without_oaths,
    without_preamble,
    without_time_clause,
)
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.graph.strangers import asks_whether_there_is, names_a_stranger, names_anything
from services.nlu.agent.graph.terms import speaks_of_terms
from services.nlu.agent.understanding import Guess, Understanding

MISHEARD = "misheard"  # said so unclearly that no kind can be trusted
STATED = "stated"  # the sentences of a turn that say what is wanted of an open booking, taken together
COURTESIES = frozenset({"hello", "thanks", "unclear", "chat", "bye"})
_GIVEN = frozenset({"name", "number"})  # of the caller
_ANSWERS = frozenset({"yes", "no"}) | _GIVEN  # to questions of the agent's
_CLEAR_SCORE = 0.6  # a short sentence means what it says, whatever was spoken of before
_SURE_PART = 0.4  # of each of two questions in one sentence
_SURE_BARE_PART = 0.5  # where no word joins them
_FACT_KINDS = frozenset({"hours", "price", "duration", "address", "who", "offered", "free"})
_OF_A_THING = frozenset({"price", "duration"})
_HELD_AGAINST = ("cheaper", "dearer", "longer", "shorter", "difference")  # words that compare two things
_DEEDS = frozenset({"book", "change", "cancel", "check"})  # kinds of requests
_REQUESTS = frozenset({"callback", "handover", "language"})  # of something else
_NEEDS = frozenset({"book", "price", "offered", UNKNOWN})  # kinds that a service alone may seem
_OF_MOMENTS = frozenset({"hours", "free", "repeat", "today", UNKNOWN})
_MAX_PARTS = 4
_OWN_SCORE = 0.3  # of a text of the file's, rather than the hours of a part of the house that is not named
_CLEAR_CONFIDENCE = 0.6  # of the recogniser: below it a kind must be surer, the more so the lower it is
_DOUBT_OF_HEARING = 0.6  # by how much surer for each point below
_LEAST_SHARED = 0.4  # of its words, to be read in that language too
_LEAST_FOREIGN = 2  # words of another of the agent's languages that make a sentence one of both


@dataclass(frozen=True, slots=True)
class Part:
    """One question or remark."""

    text: str
    kind: str
    slots: Slots
    score: float = 1.0  # of its kind
    doubts: tuple[str, ...] = ()  # kinds it may be as well, where that is not clear
    is_follow_up: bool = False  # its kind is that of the question before
    is_asked: bool = False  # one of two questions of a sentence, and no remark


class Reader:
    """Reads turns of one agent's callers."""

    def __init__(
        self,
        understanding: Understanding,
        finders: Mapping[str, SlotFinder],
        spellings: Mapping[str, Spelling],
    ) -> None:
        """`finders` and `spellings` by language tag."""
        self._understanding, self._finders = understanding, finders
        self._spellings = spellings

    async def read(
        self, text: str, language_code: str, dialogue: Dialogue, now: datetime, *, confidence: float | None = None
    ) -> tuple[Part, ...]:
        """The parts of a turn in their order, courtesies left out where there is more; at least one. `confidence`: the
        recogniser's, 0 to 1; None: it gives none.
        """
        parts: list[Part] = []
        context = dialogue
        text = self._spellings[language_code].restored(text)
        for sentence in sentences_of(text):
            if corrected := self._corrected(sentence, language_code, now):
                taken_back, sentence = corrected  # noqa: PLW2901 - what counts is what they said instead
                context = replace(context, kind=(await self._part(taken_back, language_code, context, now)).kind)
            sentence = without_oaths(sentence, self._finders[language_code].words.oaths, language_code)  # noqa: PLW2901 - the same, calmer
            pieces = await self._pieces(sentence, language_code, now)
            for piece in pieces:
                part = await self._part(piece, language_code, context, now)
                if parts and self._goes_on_with(part, parts[-1], language_code):
                    continue
                part = replace(part, is_asked=len(pieces) > 1)
                is_of_need = bool(parts) and (bool(parts[-1].doubts) or parts[-1].kind == UNKNOWN)
                if part.kind in _OF_A_THING and not names_anything(part.slots) and is_of_need:
                    part = replace(part, slots=replace(part.slots, services=parts[-1].slots.services))
                services = part.slots.services
                context = replace(context, kind=part.kind, service=services[-1].id if services else context.service)
                parts.append(part)
        parts = self._with_introduction(parts, context, language_code, now)
        parts = self._with_moment(parts, dialogue, language_code, now)
        parts = [part for part in parts if not self._tells_of_own(part, parts, language_code)]
        parts = [part for part in parts if not self._only_explains(part, parts, language_code)]
        matters = [part for part in parts if _matters(part, parts, is_open=bool(dialogue.wish.kind))] or parts[:1]
        if not (dialogue.asked or dialogue.wish.kind):  # "what floor is my room on? The name is Harris"
            matters = [part for part in matters if part.kind not in _GIVEN] or matters[:1]
        if refused := [part for part in matters if part.kind == "tampering"]:
            return tuple(refused[:1])  # nothing beside an attempt to turn the agent is answered
        sure = [part for part in matters if not part.doubts]
        chosen = tuple((sure or matters[:1])[:_MAX_PARTS])
        if confidence is None or dialogue.wish.kind or any(_is_trusted(part, confidence) for part in chosen):
            return chosen
        return (replace(chosen[0], text=text, kind=MISHEARD, doubts=()),)

    async def _pieces(self, sentence: str, language_code: str, now: datetime) -> tuple[str, ...]:
        """A sentence in two where both halves ask something, and not the same. What asks for a sum is one."""
        finder = self._finders[language_code]
        compares = finder.words.compares
        of_several = (*finder.words.sums, *(words for name in _HELD_AGAINST for words in compares[name]))
        if has_any(normalise(sentence), of_several) and len(finder.find(sentence, now).services) > 1:
            return (sentence,)
        if speaks_of_terms(sentence, finder, now):
            return (sentence,)  # "if I book today and have to cancel, do I pay": one question
        joined, bare = (
            splits(sentence, finder.words, language_code),
            bare_splits(sentence, finder.words.cues, language_code),
        )
        named = finder.find(sentence, now).services if joined or bare else ()
        if (joined or bare) and (await self._understanding.understand(sentence, language_code))[0].kind == "change":
            return (sentence,)  # "cancel Tuesday and book me for Friday instead" is one move
        for left, right in (*joined, *bare):
            if any(one.start < len(normalise(left)) < one.end for one in named):
                continue  # the joint is a name's own: "bed and breakfast"
            if self._asks_of_both(left, right, language_code, now):
                continue
            if tells_only_when(left, sentence, finder.words, language_code):
                continue  # "trả phòng rồi gửi vali lại được không" asks nothing of leaving
            kinds: list[str] = []
            for half in (left, right):
                kind = await self._kind_of_half(half, kinds, language_code, now, is_bare=(left, right) in bare)
                if not kind:
                    break
                kinds.append(kind)
            if len(set(kinds)) == 2:
                return left, *await self._pieces(right, language_code, now)
        return (sentence,)

    def _asks_of_both(self, left: str, right: str, language_code: str, now: datetime) -> bool:
        """Return whether the end of a sentence asks what all comes to that it names: "two crowns and a cleaning, what
        would that set me back".
        """
        finder = self._finders[language_code]
        before, behind = finder.find(left, now), finder.find(right, now)
        lists = finder.words
        asks_before = has_any(before.words, (*lists.question_words, *lists.price_words, *lists.evidence["asks_what"]))
        asks_behind = has_any(behind.words, (*lists.price_words, *lists.evidence["asks_what"]))
        return (
            bool(before.services and behind.services)
            and not asks_before
            and asks_behind
            and refers(behind.words, lists)
        )

    async def _kind_of_half(
        self, half: str, before: Sequence[str], language_code: str, now: datetime, *, is_bare: bool
    ) -> str:
        """Return what half a sentence asks for; empty: nothing by itself. `before`: the kind of the half before it."""
        finder = self._finders[language_code]
        slots = finder.find(half, now)
        if len(slots.value_words) == len(slots.words) or _names_people_only(slots, finder):
            return ""  # "next Wednesday" and "my husband" ask nothing by themselves
        first = (await self._understanding.understand(half, language_code))[0]
        if first.score < _SURE_PART or first.kind in COURTESIES | _ANSWERS:
            return ""
        named = (*slots.services, *slots.people, *slots.topics)
        asks = has_any(slots.words, finder.words.question_words) or not named
        if not asks and first.kind not in _DEEDS and (first.kind == UNKNOWN or first.score < _CLEAR_SCORE):
            return ""  # "and a check-up": one more thing of the same question
        is_moment = slots.when and first.kind == "book" and not unexplained(slots, (), finder.words.common)
        if is_moment or (is_bare and not self._asks_for_a_fact(first)):
            return ""  # "and Friday at four" only says for when to book
        if before and is_text(before[0]) and first.kind in _OF_A_THING and not (named or slots.when):
            return ""  # "and do I pay for it?" is of what was asked before
        return first.kind

    def _goes_on_with(self, part: Part, before: Part, language_code: str) -> bool:
        """Return whether a part is answered with the one before it: it asks the same text, or is of what is not known
        ("is there a pool and when is it open"; without "it" too, where the hours known are those of a part of the
        house).
        """
        slots, finder = part.slots, self._finders[language_code]
        if part.kind in _DEEDS | _REQUESTS:
            return False
        if is_text(part.kind):
            return part.kind == before.kind
        if slots.services or slots.people or slots.topics or not _is_of_unknown(before, finder):
            return False
        prices = finder.words.evidence["price_lists"]
        if part.kind in _OF_A_THING and asks_whether_there_is(before.slots, finder):
            return not has_any(slots.words, prices)  # "is there a car park? how much?"
        is_of_its_hours = part.kind == "hours" and finder.has_hours_of_a_part and not slots.is_of_hours
        return is_of_its_hours or refers(_beside_values(slots), finder.words)

    def _with_introduction(
        self, parts: list[Part], dialogue: Dialogue, language_code: str, now: datetime
    ) -> list[Part]:
        """The parts with a name or number not asked for joined to the request behind it: "my number is 0909 888
        111. When is my appointment?".
        """
        at = next((at for at, part in enumerate(parts) if part.kind in _DEEDS), 0)
        given = [part for part in parts[:at] if part.kind in _GIVEN]
        if not given or dialogue.asked or dialogue.wish.kind:
            return parts
        request = parts[at]
        text = " ".join(part.text for part in (*given, request))
        slots = replace(self._finders[language_code].find(text, now), when=request.slots.when)
        joined = replace(request, text=text, slots=slots)
        return [part for part in (*parts[:at], joined, *parts[at + 1 :]) if part not in given]

    def _with_moment(self, parts: list[Part], dialogue: Dialogue, language_code: str, now: datetime) -> list[Part]:
        """The parts with a service that is needed joined to the day and time behind it, which is no question after
        hours: "I need a filling. Wednesday around two?".
        """
        finder = self._finders[language_code]
        if len(parts) != 2 or dialogue.wish.kind or finder.lets_rooms:
            return parts
        need, moment = parts
        asked = (*finder.words.price_words, *finder.words.evidence["asks_what"], *finder.words.question_words)
        needs = bool(need.slots.services) and need.kind in _NEEDS and not has_any(need.slots.words, asked)
        when, known = moment.slots.when, finder.words.common
        is_moment = bool(when.times) and when.has_day and not unexplained(moment.slots, (), known)
        if not (needs and is_moment) or need.text.rstrip().endswith(("?", "？")):
            return parts
        text = f"{need.text} {moment.text}"
        return [replace(need, text=text, kind="book", doubts=(), slots=finder.find(text, now), is_follow_up=False)]

    def _tells_of_own(self, part: Part, parts: Sequence[Part], language_code: str) -> bool:
        """Return whether a part only tells of the caller's appointment, beside what they want: "I've got an appointment
        tomorrow. Can I come on Friday instead?".
        """
        lists, words = self._finders[language_code].words, part.slots.words
        asks = part.text.rstrip().endswith(("?", "？")) or has_any(words, lists.question_words)
        wants = any(other.kind in _DEEDS for other in parts)
        return wants and part.kind in _FACT_KINDS and not asks and has_any(words, lists.own)

    def _only_explains(self, part: Part, parts: Sequence[Part], language_code: str) -> bool:
        """Return whether a remark that sounds a little like a text only says what another part is asked for: "I've got
        a cavity, how much is a filling", where both are one service.
        """
        if not is_text(part.kind) or part.score >= _CLEAR_SCORE or not part.slots.services:
            return False
        asked = {one.id for other in parts if other.kind in _FACT_KINDS for one in other.slots.services}
        asks = part.text.rstrip().endswith(("?", "？")) or has_any(
            part.slots.words, self._finders[language_code].words.question_words
        )
        return not asks and asked.issuperset(one.id for one in part.slots.services)

    def _asks_for_a_fact(self, guess: Guess) -> bool:
        return guess.score >= _SURE_BARE_PART and (guess.kind in _FACT_KINDS or is_text(guess.kind))

    async def _part(self, text: str, language_code: str, dialogue: Dialogue, now: datetime) -> Part:
        finder = self._finders[language_code]
        slots = finder.beside(finder.find(text, now), dialogue.day, now)
        if kind := follow_up_kind(slots, finder, dialogue):
            return Part(text, kind, slots, is_follow_up=True)
        asked = without_preamble(text, finder.words.preambles, language_code)
        guesses = weigh(await self._understood(asked, language_code), slots, finder)
        kind, doubts = decide(guesses)
        if doubts and dialogue.kind in doubts and is_text(dialogue.kind) and not names_anything(slots):
            kind, doubts = dialogue.kind, ()  # "could I stay until three?", of the check-out
        if kind == "private" and lead_of(slots.words, finder.words.name_leads) and _is_near("name", guesses):
            kind, doubts = "name", ()  # "anh tên Hùng" is the caller's own
        if "price" in doubts and slots.services and slots.periods and not slots.when.has_day:
            kind, doubts = "price", ()  # "what do you want for a single for seven nights"
        meant = _meant(slots, dialogue, finder)
        kind, doubts = of_what_is_named((kind, doubts), guesses[0], meant, finder, asked)
        rest = without_time_clause(asked, finder.words, language_code) if is_text(kind) else ""
        of_rest = await self._understood(rest, language_code) if rest else ()
        kind, doubts = beside_time_clause((kind, doubts), of_rest)
        kind, doubts = by_evidence((kind, doubts), guesses, slots, finder, asked)
        kind, doubts = of_deeds((kind, doubts), guesses, slots, finder, asked)
        wish = "" if dialogue.wish.is_noted else dialogue.wish.kind
        kind, doubts = in_open_wish((kind, doubts), guesses, wish, slots, finder)
        openings = (*finder.words.compares["opening"], *finder.words.compares["closing"])
        is_of_a_part = finder.has_hours_of_a_part and not (slots.is_of_hours or has_any(slots.words, openings))
        if kind == "hours" and is_of_a_part and not meant.services:
            least = SURE_SCORE if slots.when.times else _OWN_SCORE
            kind = next((one.kind for one in guesses if is_text(one.kind) and one.score >= least), kind)
        is_meant = bool(meant.services) and not slots.services
        asks_price = is_meant and has_any(slots.words, finder.words.price_words)
        if kind == UNKNOWN and ((slots.services and slots.amount) or asks_price):
            kind = "price"  # "your website says a cleaning is 25", "what does it cost for four of us"
        if kind in _GIVEN and (slots.when.has_day or slots.services) and not (dialogue.asked or dialogue.wish.kind):
            deed = next((one.kind for one in guesses if one.kind in _DEEDS), "book")  # "I'm Tom, I need a filling"
            said_by = finder.words.evidence.get(SAID_BY.get(deed, ""), ())
            kind = deed if has_any(slots.words, said_by) else "book"  # "put me down for Tuesday"
        if kind in _OF_MOMENTS and dialogue.wish.is_noted and self._asks_when_mine_is(slots, finder):
            kind, doubts = "check", ()  # "when is it again?", behind a booking
        if is_text(kind) and names_a_stranger(asked, slots, finder.words.titles, language_code):
            return Part(text, "private", slots, guesses[0].score)  # "has Mr Brown checked out?"
        if kind in COURTESIES and (same := kind_of_another(text, slots, finder, dialogue)):
            return Part(text, same, slots, is_follow_up=True)  # "great, and a cleaning on top of that"
        if guesses[0].score < _CLEAR_SCORE and names_another(slots, finder, dialogue):
            return Part(text, dialogue.kind, slots, is_follow_up=True)
        return Part(text, kind, slots, guesses[0].score, doubts)

    def _asks_when_mine_is(self, slots: Slots, finder: SlotFinder) -> bool:
        """Return whether no more than a time is asked for, and of nothing that is named."""
        lists = finder.words
        openings = (*lists.compares["opening"], *lists.compares["closing"], *lists.evidence["house"])
        is_of_another = names_anything(slots) or bool(slots.when) or slots.is_of_hours or has_any(slots.words, openings)
        return len(slots.words) <= SHORT + 1 and has_any(slots.words, lists.clock_questions) and not is_of_another

    async def _understood(self, text: str, language_code: str) -> tuple[Guess, ...]:
        """The kinds of a sentence; in words of another of the agent's languages too, where that is clearly better."""
        guesses = await self._understanding.understand(text, language_code)
        own = self._finders[language_code].words.common
        for other, finder in self._finders.items():
            if guesses[0].score >= SURE_SCORE or other == language_code:
                continue
            restored = self._spellings[other].restored(text, least=_LEAST_SHARED)
            known = finder.words.common | {word for phrase in finder.words.cues for word in phrase}
            strange = [word for word in normalise(restored) if word in known and word not in own]
            if len(strange) >= _LEAST_FOREIGN:
                foreign = await self._understanding.understand(restored, other)
                guesses = foreign if foreign[0].score >= guesses[0].score + SURE_MARGIN else guesses
        return guesses

    def _corrected(self, sentence: str, language_code: str, now: datetime) -> tuple[str, str] | None:
        """Return what was said and what was said instead: "a filling, no sorry, I mean a crown". None: nothing was."""
        finder = self._finders[language_code]
        found = list(phrase_pattern(finder.words.corrections, language_code).finditer(sentence))
        if not found:
            return None
        said, instead = sentence[: found[0].start()], sentence[found[-1].end() :]
        before, after = finder.find(said, now), finder.find(instead, now)
        is_of_one = any(getattr(before, slot) and getattr(after, slot) for slot in FOLLOWS)
        return (said, instead) if is_of_one else None


def _matters(part: Part, parts: Sequence[Part], *, is_open: bool) -> bool:
    """Return whether a part is to be answered: no courtesy, and no remark beside a question. Where a wish is open, what
    is unknown may be a name.
    """
    if part.kind in COURTESIES:
        return False
    others = [other for other in parts if other.kind not in COURTESIES]
    answers_alone = all(other.kind == UNKNOWN if is_open else _is_remark(other) for other in others)
    return not _is_remark(part) or answers_alone


def _is_remark(part: Part) -> bool:
    return part.kind == UNKNOWN and not part.is_asked and not part.text.rstrip().endswith(("?", "？"))


def _is_trusted(part: Part, confidence: float) -> bool:
    """Return whether a kind is sure enough for how well the turn was heard."""
    if confidence >= _CLEAR_CONFIDENCE or part.is_follow_up:
        return True
    return part.score >= SURE_SCORE + _DOUBT_OF_HEARING * (_CLEAR_CONFIDENCE - confidence)


def _is_of_unknown(part: Part, finder: SlotFinder) -> bool:
    """Return whether a part asks about a thing that is not known: as such, or whether there is one."""
    if part.kind == UNKNOWN:
        return not names_anything(part.slots)  # "I suppose I need a check-up. How much is that?"
    return part.kind == "offered" and not names_anything(part.slots) and asks_whether_there_is(part.slots, finder)


def _is_near(kind: str, guesses: Sequence[Guess]) -> bool:
    """Return whether a kind is about as likely as the likeliest."""
    return any(one.kind == kind and one.score >= guesses[0].score - SURE_MARGIN for one in guesses)


def _meant(slots: Slots, dialogue: Dialogue, finder: SlotFinder) -> Slots:
    """The slots with the service that a pronoun stands for: "until when can I have it?"."""
    if names_anything(slots) or not dialogue.service or not refers(slots.words, finder.words):
        return slots
    return replace(slots, services=(Found(dialogue.service, 0, 0),))


def _beside_values(slots: Slots) -> Words:
    """The words that are no day or time and stand before none: "this" of "this Thursday" points at nothing."""
    places = slots.value_words
    return tuple(word for at, word in enumerate(slots.words) if not places & {at, at + 1})


def _names_people_only(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether words only say for whom else: "and my two kids"."""
    lists = finder.words.people
    people = (*lists["one"], *lists["many"], *lists["self"])
    is_short = len(slots.words) <= SHORT and not slots.services and not slots.topics
    return is_short and has_any(slots.words, people) and not has_any(slots.words, finder.words.question_words)
