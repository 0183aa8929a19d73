"""Guard rules for names and things in a clause: people with their work, proper names, things. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from services.language.phrases import words_of
from services.language.value import Kind, Reading
from services.language.words import is_sign
from services.nlu.agent.claim_rules import (
    beside_figures,
    called_places,
    caller_name_places,
    harmless_places,
    has_checked_figure,
    held_superlatives,
)
from services.nlu.agent.clause_form import ClauseForm
from services.nlu.agent.comparison_rules import ComparisonRules
from services.nlu.agent.denied_things import allowed_though_denied
from services.nlu.agent.evidence import Evidence, Verdict
from services.nlu.agent.facts import Person, Service, Topic
from services.nlu.agent.grounds import Grounds, read
from services.nlu.agent.talk import asks_or_wants, is_generality, strange_words, talk_places

_SMALL_VALUES = (Kind.NUMBER,)
_NEGATION_REACH = 4  # tokens before what is denied
_INSIDE_SENTENCES = ",，、"


class WordRules:
    """One clause's names and things against the facts and the call."""

    def __init__(self, grounds: Grounds, evidence: Evidence) -> None:
        self._grounds, self._evidence = grounds, evidence

    def check(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """The first name or thing that is not known, or denied; None: there is none."""
        if (verdict := allowed_though_denied(reading, form, self._grounds, self._evidence)) is not None:
            return verdict
        for rule in (
            self._check_human,
            ComparisonRules(self._grounds, self._evidence).check,
            self._check_assurances,
            self._check_denials,
            self._check_names,
            self._check_people,
            self._check_things,
            self._check_asked_thing,
        ):
            if (verdict := rule(reading, form)) is not None:
                return verdict
        return None

    def _check_human(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        lists, texts = self._grounds.words.lists, reading.texts
        if form.is_question:
            return None
        for at in range(len(texts)):
            length = lists["human"].length(texts, at)
            denies = any(lists["negations"].length(texts, before) for before in range(max(0, at - 3), at))
            if length and not (denies and not lists["negations"].length(texts, at)):
                return Verdict(False, "human", " ".join(texts[at : at + length]))
        return None

    def _check_assurances(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """Return what no fact bears out: "guaranteed", "always", "it never hurts"."""
        lists, texts = self._grounds.words.lists, reading.texts
        if form.is_ignorance or (form.is_question and not form.is_claim_of_caller):
            return None
        for at in range(len(texts)):
            start, end = at, at + lists["assured"].length(texts, at)
            if end == at and (length := lists["denied"].length(texts, at)):
                start, end = self._negated_from(reading, at), at + length
                if start == at and not form.is_claim_of_caller:
                    continue
            is_superlative = any(lists[name].length(texts, at) for name in ("cheapest", "dearest"))
            if is_superlative and self._grounds.services.find(texts):
                continue  # held against the prices by a rule of its own
            if end == at or self._is_in_a_text(texts[start:end]):
                continue
            is_general = lists["always"].length(texts, at) == end - at
            if not (is_general and is_generality(reading, self._grounds, self._evidence)):
                return Verdict(False, "assurance", " ".join(texts[start:end]))
        yours = lists["yours"].find(texts)
        if yours and self._evidence.is_written_by_model and not self._evidence.tools and not form.is_question:
            return Verdict(False, "appointment", " ".join(texts[yours[0][0] : yours[0][1]]))
        return None

    def _check_denials(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """A service, a topic or a text of the facts that is said not to be there."""
        texts = reading.texts
        if form.is_ignorance or form.is_question or form.is_claim_of_caller or form.is_echo or not form.ends_sentence:
            return None
        if not self._grounds.words.lists["negations"].are_in(texts):
            return None
        if self._grounds.people.find(texts) or any(value.kind not in _SMALL_VALUES for value in reading.values):
            return None
        done = [start for start, _, _ in self._grounds.doable.find(texts)]
        spoken_of = [at for at, text in enumerate(texts) if self._grounds.is_key(text)]
        for at in sorted((*done, *spoken_of)):
            start = self._negated_from(reading, at)
            if start < at and not self._grounds.words.lists["negations"].length(texts, at):
                return Verdict(False, "denial", " ".join(texts[start : at + 1]))
        return None

    def _negated_from(self, reading: Reading, at: int) -> int:
        """Return the place of a negation before the word here in its clause; the word's own place: there is none."""
        negations = self._grounds.words.lists["negations"]
        for before in range(at - 1, max(-1, at - _NEGATION_REACH - 1), -1):
            if reading.tokens[before].kind == "stop":
                break
            if negations.length(reading.texts, before):
                return before
        return at

    def _is_in_a_text(self, run: tuple[str, ...]) -> bool:
        """Return whether a text that was written to be said has these words together."""
        return any(
            text[at : at + len(run)] == run
            for text in self._grounds.fragments
            for at in range(len(text) - len(run) + 1)
        )

    def _check_names(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """A name in capitals, or behind a title, that neither the facts nor the caller gave."""
        lists = self._grounds.words.lists
        said, called = self._said(), called_places(reading, self._grounds, self._evidence)
        begins = True
        for at, token in enumerate(reading.tokens):
            if token.kind == "stop":
                begins = token.text[-1] not in _INSIDE_SENTENCES
                continue
            title = any(lists["persons"].length(reading.texts, at - n) == n for n in (1, 2) if at >= n)
            is_name = token.is_capital and (not begins or title)
            begins = False
            word = token.text.removesuffix("'s")
            is_known = self._grounds.knows(word) or word in said or lists["capitals"].length((word,), 0)
            is_strange = title and self._is_staff_unknown(reading, at) and not (form.is_question or form.is_ignorance)
            if is_strange and token.is_capital and at not in called:
                return Verdict(False, "name", token.text)
            if is_name and not form.is_ignorance and not self._is_value(reading, at):
                if not is_known:
                    return Verdict(False, "name", token.text)
                if at not in called and self._is_mixed(reading, at):
                    return Verdict(False, "name", " ".join(reading.texts[at - 1 : at + 1]))
        return None

    def _is_mixed(self, reading: Reading, at: int) -> bool:
        """Return whether a word in a capital and the one before it, each known, stand together nowhere: a first name of
        one thing with the last name of another.
        """
        words, both = self._grounds.words, reading.tokens[max(0, at - 1) : at + 1]
        small = (each.text in words.common or words.lists["capitals"].length((each.text,), 0) for each in both)
        is_pair = len(both) == 2 and all(each.is_capital and each.kind == "word" for each in both)
        if not is_pair or any(small) or self._is_value(reading, at - 1):
            return False
        pair = (both[0].text, both[1].text.removesuffix("'s"))
        titles = any(words.lists[name].length(reading.texts, at - 1) for name in ("persons", "titles", "name_is_asked"))
        said = (one for text in self._evidence.caller for one in pairwise(words_of(text)))
        return not titles and pair not in self._grounds.pairs and pair not in said

    def _is_staff_unknown(self, reading: Reading, at: int) -> bool:
        """Return whether a name behind a title of staff is that of no person in the facts."""
        staff = self._grounds.words.lists["staff"]
        is_staff = any(staff.length(reading.texts, at - n) == n for n in (1, 2) if at >= n)
        people = self._grounds.people.find(reading.texts)
        return is_staff and not any(start <= at < end for start, end, _ in people)

    def _is_value(self, reading: Reading, at: int) -> bool:
        kinds = (Kind.WEEKDAYS, Kind.DATE, Kind.MONTH, Kind.MONEY, Kind.PART, Kind.TIME, Kind.DAY)
        return any(value.start <= at < value.end and value.kind in kinds for value in reading.values)

    def _check_people(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """Check a person beside what they do not do, and a person named for what no person in the facts does."""
        texts = reading.texts
        people = self._grounds.staff_in(texts, self._evidence.names)
        if not people or form.is_question or form.is_ignorance:
            return None
        if self._is_negated(texts) and not form.is_claim_of_caller:
            return self._check_denied_person(reading, people)
        done = [hit for hit in self._grounds.doable.find(texts) if not _is_inside(hit, people)]
        if not done:
            return self._check_asked_for(people)
        if len({person.id for _, _, person in people}) == 1:
            does = people[0][2].does
            is_so = all(each[2].id in does for each in done)
            return None if is_so else Verdict(False, "person", " ".join(texts[people[0][0] : people[0][1]]))
        forward = _pairs(people, done, people_first=True)
        backward = _pairs(people, done, people_first=False)
        for pairs in (forward, backward):
            if pairs and all(thing in person.does for person, thing in pairs) and len(pairs) >= len(done):
                return None
        return Verdict(False, "person", " ".join(texts[people[0][0] : people[0][1]]))

    def _is_negated(self, texts: tuple[str, ...]) -> bool:
        """Return whether there is a negation that is none of a courtesy: "No problem, Doctor Mai sees children"."""
        lists = self._grounds.words.lists
        polite = {
            at
            for name in ("assents", "courtesies")
            for start, end, _ in lists[name].find(texts)
            for at in range(start, end)
        }
        return any(lists["negations"].length(texts, at) for at in range(len(texts)) if at not in polite)

    def _check_denied_person(self, reading: Reading, people: list[tuple[int, int, Person]]) -> Verdict | None:
        done = [hit for hit in self._grounds.doable.find(reading.texts) if not _is_inside(hit, people)]
        denied = [(person, each[2].id) for _, _, person in people for each in done]
        if done and len(people) == 1 and not any(thing in person.does for person, thing in denied):
            return None
        return Verdict(False, "person", " ".join(reading.texts[people[0][0] : people[0][1]])) if done else None

    def _check_asked_for(self, people: list[tuple[int, int, Person]]) -> Verdict | None:
        """A name alone answers what the caller asked: that must be something the person does."""
        said = words_of(self._evidence.reply)
        has_answered = self._grounds.doable.find(said) or self._grounds.words.lists["ignorance"].are_in(said)
        if not self._evidence.caller or has_answered or len({person.id for _, _, person in people}) > 1:
            return None
        asked = words_of(self._evidence.caller[-1])
        if self._grounds.people.find(asked):
            return None
        wanted = self._grounds.doable.find(asked)
        if not wanted:
            reading = read(self._evidence.caller[-1], self._grounds.language_code)  # "my boy is seven"
            inside = {word for value in reading.values for word in reading.texts[value.start : value.end]}
            unknown = [word for word in asked if word.isalpha() and not (word in inside or self._grounds.knows(word))]
            is_strange = self._grounds.words.is_closed_world and unknown
            return Verdict(False, "person", " ".join(unknown)) if is_strange else None
        names = {each[2].id for each in wanted}
        if any(names & set(person.does) for _, _, person in people):
            return None
        return Verdict(False, "person", " ".join(asked[wanted[0][0] : wanted[0][1]]))

    def _check_things(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """A thing that no fact covers, of which something is claimed."""
        words = self._grounds.words
        if form.is_ignorance or (form.is_question and not form.is_claim_of_caller):
            return None
        stops = [-1, *(at for at, token in enumerate(reading.tokens) if token.kind == "stop"), len(reading.tokens)]
        pieces = [reading.texts[one + 1 : other] for one, other in pairwise(stops)]
        allowing, negations = words.lists["allowing"], words.lists["negations"]
        pieces = [piece[words.lists["but"].length(piece, 0) :] for piece in pieces]
        allows = any(allowing.are_in(piece) and not negations.are_in(piece) for piece in pieces)
        allows = allows and self._evidence.is_written_by_model and not form.is_claim_of_caller
        claims = allows or words.lists["having"].are_in(reading.texts)
        if words.is_closed_world:
            claims = words.lists["claiming"].are_in(reading.texts) or form.is_claim_of_caller
        if not claims or (form.is_echo and not form.is_claim_of_caller):
            return None
        beside = beside_figures(reading, self._grounds) if has_checked_figure(reading) else frozenset[int]()
        if not form.is_claim_of_caller and len(beside) == len(reading.texts):
            return None
        polite = frozenset[int]() if form.is_claim_of_caller else beside
        polite |= harmless_places(reading, self._grounds) | held_superlatives(reading, self._grounds)
        if self._evidence.is_written_by_model:
            polite |= talk_places(reading, self._grounds, self._evidence)
        if not form.is_claim_of_caller:
            polite |= called_places(reading, self._grounds, self._evidence)
            polite |= caller_name_places(reading, self._grounds, self._evidence)
        for at, token in enumerate(reading.tokens):
            is_letter = len(token.text) == 1 and not is_sign(token.text)
            if token.kind != "word" or is_letter or self._grounds.knows(token.text.removesuffix("'s")):
                continue
            if at in polite or any(value.start <= at < value.end for value in reading.values):
                continue
            return Verdict(False, "thing", token.text)
        return None

    def _check_asked_thing(self, reading: Reading, form: ClauseForm) -> Verdict | None:
        """A word that no fact has in what a model answers to a question about what no fact has ("есть спортзал?",
        "окна на улицу?"), where the language's world is open.
        """
        words = self._grounds.words
        if words.is_closed_world or not self._evidence.is_written_by_model or not self._evidence.caller:
            return None
        if form.is_ignorance or form.is_question or form.is_echo or form.is_claim_of_caller:
            return None
        last = self._evidence.caller[-1]
        strange = strange_words(last, self._grounds) if asks_or_wants(last, self._grounds) else frozenset()
        denies = words.lists["negations"].are_in(reading.texts) and any(map(self._grounds.is_denied, reading.texts))
        if denies or not asks_or_wants(last, self._grounds):
            return None  # what it denies was looked at by a rule of its own
        free = called_places(reading, self._grounds, self._evidence) | harmless_places(reading, self._grounds)
        free |= talk_places(reading, self._grounds, self._evidence)
        free |= {at for value in reading.values for at in range(value.start, value.end)}
        has_figure = has_checked_figure(reading)
        is_held = not has_figure or words.lists["having"].are_in(
            words_of(last)
        )  # else the figures were held to the facts
        for at, token in enumerate(reading.tokens):
            if token.kind != "word" or at in free:
                continue
            is_asked = token.text in strange or strange.intersection(words.cases_of(token.text))
            if (is_held and is_asked) or not (has_figure or self._grounds.knows(token.text)):
                return Verdict(False, "thing", token.text)
        return None

    def _said(self) -> frozenset[str]:
        return frozenset(word for text in self._evidence.caller for word in words_of(text))


def _is_inside(hit: tuple[int, int, object], others: Iterable[tuple[int, int, object]]) -> bool:
    return any(start <= hit[0] and hit[1] <= end for start, end, _ in others)


def _pairs(
    people: Sequence[tuple[int, int, Person]], done: Sequence[tuple[int, int, Service | Topic]], *, people_first: bool
) -> list[tuple[Person, str]]:
    """Each thing with the person before it, or with the one behind it."""
    pairs: list[tuple[Person, str]] = []
    for start, _, thing in done:
        before = [person for at, _, person in people if at < start]
        behind = [person for at, _, person in people if at > start]
        person = (before[-1] if before else None) if people_first else (behind[0] if behind else None)
        if person is not None:
            pairs.append((person, thing.id))
    return pairs
