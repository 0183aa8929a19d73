"""A turn of the caller's as its questions: each with its kind and what it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from services.language.clauses import is_abbreviated
from services.language.script import script_of
from services.language.spelling import Spelling
from services.language.words import normalise
from services.nlu.agent.graph.asking import TEXT_KIND, Words, refers
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.understanding import Guess, Understanding

UNKNOWN = "unknown"
MISHEARD = "misheard"  # said so unclearly that no kind can be trusted
COURTESIES = frozenset({"hello", "thanks", "unclear", "chat", "bye"})
_ANSWERS = frozenset({"yes", "no", "name", "number"})  # to questions of the agent's
_SURE_SCORE = 0.45
_SURE_MARGIN = 0.1
_CLEAR_SCORE = 0.6  # a short sentence means what it says, whatever was spoken of before
_LEAST_SCORE = 0.16  # below it no example speaks for any kind
_SURE_PART = 0.4  # of each of two questions in one sentence
_SURE_BARE_PART = 0.5  # where no word joins them
_FACT_KINDS = frozenset({"hours", "price", "duration", "address", "who", "offered", "free"})
_OF_A_THING = frozenset({"price", "duration"})
_HELD_AGAINST = ("cheaper", "dearer", "longer", "shorter", "difference")  # words that compare two things
_MAX_BARE_SPLITS = 3
_LEAST_PART_WORDS = 2
_LEAST_ASKED = 3  # words that are left behind a preamble
_LONGEST_PREAMBLE = 8
_MAX_PARTS = 4
_SHORT = 4  # words that may be no more than what was left out of the question before
_N_DOUBTS = 3
_CLEAR_CONFIDENCE = 0.6  # of the recogniser: below it a kind must be surer, the more so the lower it is
_DOUBT_OF_HEARING = 0.6  # by how much surer for each point below
_LEAST_SHARED = 0.4  # of its words, to be read in that language too
_LEAST_FOREIGN = 2  # words of another of the agent's languages that make a sentence one of both
_SENTENCE_END = re.compile(r"[?!…]+\s*|[。？！]+|(?<=(\w))\.+(?:\s+|$)")
_COMMA = re.compile(r",\s+")
_LAST_WORD = re.compile(r"[\w.]*\w$")
_OF_PERSON = 0.15  # for who does what, where a person and a thing are named
_OF_ADDRESS = 0.4  # for the address, where its words are said
_OF_HOURS = 0.25  # for the hours, where what keeps them is named and a time
_FITTING = 0.12  # for a kind that asks about what was named
_FOLLOWS = {  # by what is named: the kinds that go on with it, and the kind where the one before does not
    "services": (("price", "duration", "offered", "who", "book"), "price"),
    "people": (("who", "book"), "who"),
    "topics": (("who",), "who"),
    "when": (("hours", "free", "book"), "hours"),
}
_ABOUT = {
    "services": ("price", "duration", "offered", "book"),
    "people": ("who", "book"),
    "topics": ("who",),
    "when": ("hours", "free", "book"),
}


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
        for sentence in _sentences(text):
            if corrected := self._corrected(sentence, language_code, now):
                taken_back, sentence = corrected  # noqa: PLW2901 - what counts is what they said instead
                context = replace(context, kind=(await self._part(taken_back, language_code, context, now)).kind)
            pieces = await self._pieces(sentence, language_code, now)
            for number, piece in enumerate(pieces):
                part = await self._part(piece, language_code, context, now)
                if number and parts[-1].kind == UNKNOWN and self._refers(part, language_code):
                    continue  # "is there a pool and when is it open": of what is not known
                part = replace(part, is_asked=len(pieces) > 1)
                context = Dialogue(kind=part.kind, service=context.service, asked=context.asked, day=context.day)
                parts.append(part)
        matters = [part for part in parts if self._matters(part, parts)] or parts[:1]
        if refused := [part for part in matters if part.kind == "tampering"]:
            return tuple(refused[:1])  # nothing beside an attempt to turn the agent is answered
        sure = [part for part in matters if not part.doubts]
        chosen = tuple((sure or matters[:1])[:_MAX_PARTS])
        if confidence is None or dialogue.wish.kind or any(_is_trusted(part, confidence) for part in chosen):
            return chosen
        return (replace(chosen[0], text=text, kind=MISHEARD, doubts=()),)

    def _matters(self, part: Part, parts: Sequence[Part]) -> bool:
        if part.kind in COURTESIES:
            return False
        is_remark = part.kind == UNKNOWN and not part.is_asked and not part.text.rstrip().endswith(("?", "？"))
        return not is_remark or all(other.kind == UNKNOWN or other.kind in COURTESIES for other in parts)

    async def _pieces(self, sentence: str, language_code: str, now: datetime) -> tuple[str, ...]:
        """A sentence in two where both halves ask something, and not the same. What asks for a sum is one."""
        finder = self._finders[language_code]
        compares = finder.words.compares
        of_several = (*finder.words.sums, *(words for name in _HELD_AGAINST for words in compares[name]))
        if has_any(normalise(sentence), of_several) and len(finder.find(sentence, now).services) > 1:
            return (sentence,)
        joined, bare = _splits(sentence, finder.words.joints), _bare_splits(sentence, finder.words.cues)
        named = finder.find(sentence, now).services if joined or bare else ()
        for left, right in (*joined, *bare):
            if any(one.start < len(normalise(left)) < one.end for one in named):
                continue  # the joint is a name's own: "bed and breakfast"
            kinds: list[str] = []
            for half in (left, right):
                slots = finder.find(half, now)
                if len(slots.value_words) == len(slots.words) or _names_people_only(slots, finder):
                    break  # "next Wednesday" and "my husband" ask nothing by themselves
                first = (await self._understanding.understand(half, language_code))[0]
                if first.score < _SURE_PART or first.kind in COURTESIES | _ANSWERS:
                    break
                named = (*slots.services, *slots.people, *slots.topics)
                asks = has_any(slots.words, finder.words.question_words) or not named
                if not asks and (first.kind == UNKNOWN or first.score < _CLEAR_SCORE):
                    break  # "and a check-up": one more thing of the same question
                if slots.when and first.kind == "book" and not unexplained(slots, (), finder.words.common):
                    break
                if (left, right) in bare and not self._asks_for_a_fact(first):
                    break
                if kinds and is_text(kinds[0]) and first.kind in _OF_A_THING and not (named or slots.when):
                    break  # "and do I pay for it?" is of what was asked before
                kinds.append(first.kind)
            if len(set(kinds)) == 2:
                return left, *await self._pieces(right, language_code, now)
        return (sentence,)

    def _refers(self, part: Part, language_code: str) -> bool:
        """Whether a part asks about "it", and names nothing itself."""
        slots = part.slots
        names = slots.services or slots.people or slots.topics
        return not names and refers(slots.words, self._finders[language_code].words)

    def _asks_for_a_fact(self, guess: Guess) -> bool:
        return guess.score >= _SURE_BARE_PART and (guess.kind in _FACT_KINDS or is_text(guess.kind))

    async def _part(self, text: str, language_code: str, dialogue: Dialogue, now: datetime) -> Part:
        finder = self._finders[language_code]
        slots = finder.beside(finder.find(text, now), dialogue.day, now)
        if kind := follow_up_kind(slots, finder, dialogue):
            return Part(text, kind, slots, is_follow_up=True)
        asked = _without_preamble(text, finder.words.preambles)
        guesses = _weighed(await self._understood(asked, language_code), slots)
        kind, doubts = _decide(guesses)
        if kind == UNKNOWN and slots.services and slots.amount:
            kind = "price"  # "your website says a cleaning is 25"
        if kind == "name" and slots.when.has_day and not dialogue.asked:
            kind = "book"  # "put me down for Tuesday"
        if guesses[0].score < _CLEAR_SCORE and _names_another(slots, finder, dialogue):
            return Part(text, dialogue.kind, slots, is_follow_up=True)
        return Part(text, kind, slots, guesses[0].score, doubts)

    async def _understood(self, text: str, language_code: str) -> tuple[Guess, ...]:
        """The kinds of a sentence; in words of another of the agent's languages too, by the better."""
        guesses = await self._understanding.understand(text, language_code)
        own = self._finders[language_code].words.common
        for other, finder in self._finders.items():
            if guesses[0].score >= _SURE_SCORE or other == language_code:
                continue
            restored = self._spellings[other].restored(text, least=_LEAST_SHARED)
            known = finder.words.common | {word for phrase in finder.words.cues for word in phrase}
            strange = [word for word in normalise(restored) if word in known and word not in own]
            if len(strange) >= _LEAST_FOREIGN:
                guesses = max(guesses, await self._understanding.understand(restored, other), key=lambda g: g[0].score)
        return guesses

    def _corrected(self, sentence: str, language_code: str, now: datetime) -> tuple[str, str] | None:
        """What was said and what was said instead: "a filling, no sorry, I mean a crown". None: nothing was."""
        finder = self._finders[language_code]
        found = list(_phrase_pattern(finder.words.corrections, language_code).finditer(sentence))
        if not found:
            return None
        said, instead = sentence[: found[0].start()], sentence[found[-1].end() :]
        before, after = finder.find(said, now), finder.find(instead, now)
        is_of_one = any(getattr(before, slot) and getattr(after, slot) for slot in _FOLLOWS)
        return (said, instead) if is_of_one else None


def _is_trusted(part: Part, confidence: float) -> bool:
    """Whether a kind is sure enough for how well the turn was heard."""
    if confidence >= _CLEAR_CONFIDENCE or part.is_follow_up:
        return True
    return part.score >= _SURE_SCORE + _DOUBT_OF_HEARING * (_CLEAR_CONFIDENCE - confidence)


def follow_up_kind(slots: Slots, finder: SlotFinder, dialogue: Dialogue) -> str:
    """The kind of a sentence that only names something else for the question before: "and on Saturday?". Empty: it says
    more than that.
    """
    words, lead = slots.words, _lead(slots.words, finder.words.follow_ups)
    named = (*slots.services, *slots.people, *slots.topics)
    is_long = not lead and len(words) > _SHORT and not slots.is_beside
    if not (named or slots.when) or is_long:
        return ""
    if has_any(words[len(lead) :], finder.words.question_words):
        return ""
    known = finder.words.common | {word for phrase in finder.words.follow_ups for word in phrase}
    if unexplained(slots, named, known):
        return ""
    same, usual = _FOLLOWS[next(slot for slot in _FOLLOWS if getattr(slots, slot))]
    return dialogue.kind if dialogue.kind in same else usual


def _names_people_only(slots: Slots, finder: SlotFinder) -> bool:
    """Whether words only say for whom else: "and my two kids"."""
    lists = finder.words.people
    people = (*lists["one"], *lists["many"], *lists["self"])
    is_short = len(slots.words) <= _SHORT and not slots.services and not slots.topics
    return is_short and has_any(slots.words, people) and not has_any(slots.words, finder.words.question_words)


def _names_another(slots: Slots, finder: SlotFinder, dialogue: Dialogue) -> bool:
    """Whether a sentence only asks the question before of a thing that the agent does not know: "and braces?"."""
    lead = _lead(slots.words, finder.words.follow_ups)
    rest = slots.words[len(lead) :]
    is_short = bool(lead) and 0 < len(rest) <= _SHORT - 1 and not has_any(rest, finder.words.question_words)
    return is_short and dialogue.kind in ("price", "duration", "offered")


def _weighed(guesses: Sequence[Guess], slots: Slots) -> list[Guess]:
    """The guesses with those before that ask about what the sentence names."""
    fitting = {kind for slot, kinds in _ABOUT.items() if getattr(slots, slot) for kind in kinds}
    weighed = [replace(one, score=one.score + _FITTING * (one.kind in fitting)) for one in guesses]
    if slots.people and (slots.topics or slots.services) and not slots.when:
        weighed = [replace(one, score=one.score + _OF_PERSON * (one.kind == "who")) for one in weighed]
    if slots.is_of_hours and slots.when:
        weighed = [replace(one, score=one.score + _OF_HOURS * (one.kind == "hours")) for one in weighed]
    if slots.is_of_address:
        weighed = [replace(one, score=one.score + _OF_ADDRESS * (one.kind == "address")) for one in weighed]
    return sorted(weighed, key=lambda one: -one.score)


def _decide(guesses: Sequence[Guess]) -> tuple[str, tuple[str, ...]]:
    """The kind, and where it is in doubt those it may be."""
    first, second = guesses[0], guesses[1]
    if first.score >= _SURE_SCORE or first.score - second.score >= _SURE_MARGIN:
        return first.kind, ()
    if first.score < _LEAST_SCORE:
        return UNKNOWN, ()
    return first.kind, tuple(guess.kind for guess in guesses[:_N_DOUBTS])


def _without_preamble(text: str, preambles: Sequence[Words]) -> str:
    """What is asked behind "I'd like to know": words by which callers begin anything."""
    words = text.split()
    at = 0
    while True:
        plain = tuple(" ".join(normalise(word)) for word in words[at : at + _LONGEST_PREAMBLE])
        lead = next((phrase for phrase in preambles if plain[: len(phrase)] == phrase), ())
        if not lead:
            break
        at += len(lead)
    return " ".join(words[at:]) if len(words) - at >= _LEAST_ASKED else text


def _lead(words: Words, phrases: Sequence[Words]) -> Words:
    return next((phrase for phrase in phrases if words[: len(phrase)] == phrase), ())


def _sentences(text: str) -> list[str]:
    found, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        word = _LAST_WORD.search(text[: end.start()])
        after = text[end.end() :]
        if end.group().startswith(".") and word and (is_abbreviated(word.group(), after) or len(word.group()) == 1):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if normalise(sentence)] or [text]


def _splits(sentence: str, joints: Sequence[Words]) -> list[tuple[str, str]]:
    """The ways to cut a sentence at a joining word or a comma."""
    pattern = "|".join(re.escape(" ".join(joint)) for joint in joints)
    cuts = re.compile(rf"\s*[,，;；、]?\s*\b(?:{pattern})\s+|[，；、]", re.IGNORECASE)
    halves = [(sentence[: cut.start()], sentence[cut.end() :]) for cut in cuts.finditer(sentence)]
    return [half for half in halves if all(len(normalise(text)) >= _LEAST_PART_WORDS for text in half)]


@lru_cache(maxsize=32)
def _phrase_pattern(phrases: Sequence[Words], language_code: str) -> re.Pattern[str]:
    """Finds any of the phrases as they are written, with the commas around them."""
    border = r"\b" if script_of(language_code).is_spaced else ""
    texts = "|".join(re.escape(" ".join(phrase)).replace(r"\ ", r"\s*,?\s+" if border else "") for phrase in phrases)
    return re.compile(rf"[,，]?\s*{border}(?:{texts}){border}\s*[,，]?\s*" if texts else r"(?!)", re.IGNORECASE)


def _bare_splits(sentence: str, cues: Sequence[Words]) -> list[tuple[str, str]]:
    """The ways to cut a sentence at a comma, or between two words that ask, where none joins them: as a recogniser
    writes it down.
    """
    halves = [(sentence[: cut.start()], sentence[cut.end() :]) for cut in _COMMA.finditer(sentence)]
    words = sentence.split()
    spans: list[tuple[int, int]] = []
    at = 0
    plain = [" ".join(normalise(word)) for word in words]
    while at < len(words):
        cue = next((cue for cue in cues if tuple(plain[at : at + len(cue)]) == cue), ())
        if cue:
            spans.append((at, at + len(cue)))
        at += len(cue) or 1
    for (_, end), (start, _) in pairwise(spans):
        halves += [(" ".join(words[:at]), " ".join(words[at:])) for at in dict.fromkeys((start, end, end + 1))]
    fitting = [half for half in halves if all(len(normalise(text)) >= _LEAST_PART_WORDS for text in half)]
    return list(dict.fromkeys(fitting))[:_MAX_BARE_SPLITS]


def is_text(kind: str) -> bool:
    """Tell if a kind is a text of the agent's file."""
    return kind.startswith(TEXT_KIND)
