"""Talk about the conversation itself: what the agent and the caller say, hear, feel and wish. Sans-IO.

"I'll speak more slowly", "that must have been a nightmare" and "take all the time you need" state nothing of the house.
A piece of a clause is talk where the agent is its subject and its verb is one of speaking, hearing, knowing or feeling;
where it wishes the caller something; or where it remarks on what the caller told without asking. The rest of its words
are free, save for those of the house, of a thing in the facts, and of what was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from services.language.phrases import PhraseSet, words_of
from services.language.value import Reading
from services.nlu.agent.clause_form import form_of, sentences_of
from services.nlu.agent.evidence import Evidence
from services.nlu.agent.grounds import Grounds, read

_VERB_REACH = 4  # tokens from the subject of a piece to its verb
_FAR_VERB_REACH = 6  # the same of a remark on what the caller told
_LONGEST_REMARK = 4  # words behind a thing that a general remark is of
_SHORT = 3  # letters of a word that names no thing by itself
_KEPT_QUESTIONS = 64  # of what callers said, which a turn's clauses are held against again and again


def talk_places(reading: Reading, grounds: Grounds, evidence: Evidence) -> frozenset[int]:
    """Places of the pieces that are talk."""
    last = evidence.caller[-1] if evidence.caller else ""
    asks, strange, lists = asks_or_wants(last, grounds), strange_words(last, grounds), grounds.words.lists
    told = frozenset() if asks else frozenset(word for word in words_of(last) if len(word) > _SHORT)
    tells_of_itself = lists["machine"].are_in(reading.texts) and lists["talkers"].are_in(reading.texts)
    is_closed, verbs = grounds.words.is_closed_world, _verbs_in(words_of(last), grounds)
    found = set[int]()
    for piece in _pieces(reading):
        texts = reading.texts[piece.start : piece.stop]
        is_of_the_call = tells_of_itself or _begins(lists["call_words"], texts, grounds)
        is_of_what_was_told = _begins(lists["generic"], texts, grounds) and _only_remarks(texts, told, grounds)
        start = _opening_of(texts, grounds, asks=asks)
        if is_of_the_call or is_of_what_was_told:
            is_talk = not _is_of_facts(texts, grounds)
        else:
            is_talk = start is not None and not _is_of_house(texts, start, grounds, strange=strange, asks=asks)
        if is_talk and asks and is_closed and not (is_of_the_call or verbs.intersection(_verbs_in(texts, grounds))):
            found.update(piece.start + at for at in _of_talk_alone(texts, start or 0, grounds))
        elif is_talk:
            found.update(piece)
    return frozenset(found)


def _verbs_in(texts: tuple[str, ...], grounds: Grounds) -> set[tuple[str, ...]]:
    """The verbs of talk among words: with one of the question's own, an answer speaks of the call."""
    return {texts[start:end] for start, end, _ in grounds.words.lists["talk_verbs"].find(texts)}


def _of_talk_alone(texts: tuple[str, ...], start: int, grounds: Grounds) -> set[int]:
    """Places up to the end of the opening, and of the words of talk behind it: the rest of an answer is held to the
    facts ("I'm happy to take cards").
    """
    lists = grounds.words.lists
    spans = [span for name in ("talk", "talk_verbs") for span in lists[name].find(texts)]
    return {*range(start), *(at for one, end, _ in spans for at in range(one, end))}


def _only_remarks(texts: tuple[str, ...], told: frozenset[str], grounds: Grounds) -> bool:
    """Return whether a piece says in a word or two how a thing is that the caller told of, and allows nothing: "a
    cracked molar is no picnic", and not "a penicillin allergy is no problem".
    """
    lists, last = grounds.words.lists, max((at for at, text in enumerate(texts) if text in told), default=None)
    if last is None or any(lists[name].are_in(texts) for name in ("objections", "suits")):
        return False
    behind = texts[last + 1 :]
    is_short = len(behind) <= _LONGEST_REMARK and lists["states"].length(behind, 0) > 0
    return is_short or not grounds.words.is_closed_world


def is_generality(reading: Reading, grounds: Grounds, evidence: Evidence) -> bool:
    """Return whether a sentence is of nothing that the house has or that was asked about: "a long flight always tires
    one".
    """
    last = evidence.caller[-1] if evidence.caller else ""
    return bool(last) and not asks_or_wants(last, grounds) and not _is_of_facts(reading.texts, grounds)


def _begins(phrases: PhraseSet, texts: tuple[str, ...], grounds: Grounds) -> bool:
    """Return whether a piece begins with a phrase, behind small words."""
    lists, at = grounds.words.lists, 0
    while at < len(texts) and not phrases.length(texts, at):
        length = max(lists[name].length(texts, at) for name in ("assents", "but", "so", "name_is_asked"))
        if not length:
            return False
        at += length
    return at < len(texts)


def _pieces(reading: Reading) -> Iterator[range]:
    """The pieces between stops."""
    start = 0
    for at in range(len(reading.tokens) + 1):
        if at == len(reading.tokens) or reading.tokens[at].kind == "stop":
            if at > start:
                yield range(start, at)
            start = at + 1


def _opening_of(texts: tuple[str, ...], grounds: Grounds, *, asks: bool) -> int | None:
    """Return where the words begin that stand behind the opening of a piece of talk; None: it is none."""
    lists, at = grounds.words.lists, 0
    while at < len(texts):
        openings = ("talk",) if asks else ("talk", "remarks")
        if length := max(lists[name].length(texts, at) for name in openings):
            return at + length
        for name in ("talkers",) if asks else ("talkers", "addressees"):
            length = lists[name].length(texts, at)
            reach = _VERB_REACH if asks else _FAR_VERB_REACH
            behind = range(at + length, min(len(texts), at + length + reach))
            verb = next((one for one in behind if lists["talk_verbs"].length(texts, one)), None)
            if length and verb is not None:
                return verb + lists["talk_verbs"].length(texts, verb)
        if not (length := max(lists[name].length(texts, at) for name in ("assents", "but", "so", "name_is_asked"))):
            return None
        at += length
    return None


def _is_of_house(texts: tuple[str, ...], start: int, grounds: Grounds, *, strange: frozenset[str], asks: bool) -> bool:
    """Return whether a piece has a word of the house or the facts, or states something of a thing that the caller spoke
    of and no fact has. `strange`: the words of such things.
    """
    lists = grounds.words.lists
    is_stated, is_repeated = lists["states"].are_in(texts[start:]), not strange.isdisjoint(texts)
    is_of_caller = not asks and any(lists["addressees"].length(texts, at) for at in range(len(texts)))
    if (is_repeated and is_stated and not is_of_caller) or (asks and (is_repeated or is_stated)):
        return True
    return _is_of_facts(texts, grounds)


def _is_of_facts(texts: tuple[str, ...], grounds: Grounds) -> bool:
    """Return whether a piece has a word of the house, of a thing or a person in the facts, or of what they deny."""
    if grounds.words.lists["house_marks"].are_in(texts):
        return True
    return bool(grounds.doable.find(texts) or grounds.people.find(texts)) or any(map(grounds.is_denied, texts))


def asks_or_wants(said: str, grounds: Grounds) -> bool:
    """Return whether the caller asks, or tells of a wish."""
    return _asks_or_wants(said, grounds) if said else False


@lru_cache(maxsize=_KEPT_QUESTIONS)
def strange_words(said: str, grounds: Grounds) -> frozenset[str]:
    """The words of a caller's that neither the language's lists nor the facts have."""
    return frozenset(word for word in words_of(said) if word.isalpha() and not grounds.knows(word))


@lru_cache(maxsize=_KEPT_QUESTIONS)
def _asks_or_wants(said: str, grounds: Grounds) -> bool:
    for sentence in sentences_of(said, grounds.language_code):
        reading = grounds.without_names(read(sentence, grounds.language_code))
        form = form_of(sentence, reading, grounds)
        if form.is_question or form.asks_yes_or_no or grounds.words.lists["wishing"].are_in(reading.texts):
            return True
    return False
