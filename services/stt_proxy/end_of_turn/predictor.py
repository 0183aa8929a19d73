"""The predictor of the end of a turn: evidence in, one probability out.

`SumOfLogOdds` adds what each member says, so that every kind of evidence moves the same probability and none has a
threshold of its own. The words are weighed by weights that were learnt; what the other members add is set, since
there are no recorded dialogues to learn it from.

The model of endings knows the caller's words alone, and to it "Tuesday" looks like the beginning of a sentence; so the
dialogue counts too. Its amounts take the shortest whole answers for whole, and leave words that lead on where they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Protocol

from services.language.words import normalise
from services.stt_proxy.end_of_turn.ending_model import UNLEARNT, ending_model_of
from services.stt_proxy.end_of_turn.evidence import Evidence
from services.stt_proxy.end_of_turn.features import text_features
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.grammar import Closure, grammar_of
from services.stt_proxy.phrasebook import Phrasebook

PATTERN_OPEN = -5.0  # a pattern of the language says that the sentence lacks something
PATTERN_CONCLUDED = 1.2  # ... that no more comes: thanks, a question, a closing particle
ONLY_GREETS = -1.0  # a caller who greets says next what the call is about
HESITATION = -5.0  # "um", a comma: hardly a caller has finished
LEFT_OPEN = -1.2  # an engine that writes punctuation closed the sentence with no mark
UNCERTAIN_WORDS = 0.76  # Whisper's score: half of the sentences it hears broken off lie below, a seventh of whole ones
UNCERTAIN = -1.2
SOUNDS_UNFINISHED = 0.3
SOUNDS_OPEN = -1.2
ANSWER = 2.8  # log odds, of a short answer to a question
ASKING_BACK = 3.55
"""Log odds, of a short question ("Hello?", "What was that?") and of words that only ask back ("pardon")."""
GREETING_BACK = 3.35  # log odds, of a greeting that also asks whether the other side is there: "hello", "alo"
ANSWERED = frozenset((ExpectedKind.ANSWER, ExpectedKind.YES_NO))
MOST = 30.0  # of log odds: what is beyond is certain


class Predictor(Protocol):
    """Weighs all evidence on one pause."""

    def probability(self, evidence: Evidence) -> float:
        """Return the probability that the caller has finished, 0 to 1."""


class EvidenceMember(Protocol):
    """One kind of evidence."""

    def log_odds(self, evidence: Evidence) -> float:
        """Return what this evidence adds to the log odds of an end; 0 where it says nothing."""


@dataclass(frozen=True, slots=True)
class SumOfLogOdds:
    """A predictor of several members."""

    members: Sequence[EvidenceMember]

    def probability(self, evidence: Evidence) -> float:
        total = sum(member.log_odds(evidence) for member in self.members)
        return 1.0 / (1.0 + exp(-max(-MOST, min(MOST, total))))


class Words:
    """Evidence of the last words, by weights learnt from callers' talk."""

    def log_odds(self, evidence: Evidence) -> float:
        model = ending_model_of(evidence.phrasebook.language) or UNLEARNT
        return model.log_odds(text_features(evidence.text or "", evidence.phrasebook))


class SentencePatterns:
    """Evidence of the sentence's structure, by the patterns of the language."""

    def log_odds(self, evidence: Evidence) -> float:
        text, phrasebook = evidence.text or "", evidence.phrasebook
        grammar = grammar_of(phrasebook.language)
        match grammar.closure(text):
            case Closure.OPEN if not phrasebook.has_whole_ending(normalise(text)):
                return PATTERN_OPEN
            case Closure.CONCLUDED:
                return PATTERN_CONCLUDED
        return ONLY_GREETS if grammar.only_greets(text) and not phrasebook.is_question(text) else 0.0


class Hesitation:
    """Evidence of hesitation: a filler ("um"), or a mark that leads on."""

    def log_odds(self, evidence: Evidence) -> float:
        text, phrasebook = evidence.text or "", evidence.phrasebook
        is_open = phrasebook.is_left_hanging(text) or phrasebook.trails_off(normalise(text))
        return HESITATION if is_open else 0.0


class Conversation:
    """Evidence of the dialogue: the words answer a question of the agent, or ask back."""

    def log_odds(self, evidence: Evidence) -> float:
        return _log_odds_of_dialogue(evidence.text or "", evidence.phrasebook, evidence.hints)


class Punctuation:
    """Evidence of punctuation: the engine writes it, and closed this sentence with none."""

    def log_odds(self, evidence: Evidence) -> float:
        return LEFT_OPEN if evidence.doubt.is_left_open else 0.0


class Confidence:
    """Evidence of the engine's confidence: a sentence that is broken off is often recognised as a whole one, with a low
    score.
    """

    def log_odds(self, evidence: Evidence) -> float:
        confidence = evidence.doubt.confidence
        return UNCERTAIN if confidence is not None and confidence < UNCERTAIN_WORDS else 0.0


class Voice:
    """Evidence of prosody, by a model of `sound`."""

    def log_odds(self, evidence: Evidence) -> float:
        sounds_over = evidence.doubt.sounds_over
        return SOUNDS_OPEN if sounds_over is not None and sounds_over < SOUNDS_UNFINISHED else 0.0


DEFAULT: Predictor = SumOfLogOdds(
    (Words(), SentencePatterns(), Hesitation(), Conversation(), Punctuation(), Confidence(), Voice())
)


def _log_odds_of_dialogue(text: str, phrasebook: Phrasebook, hints: Hints) -> float:
    """Return what the context adds to the log odds of an end. Words that lead on mean the same behind a question as
    elsewhere, and a greeting answers no question; a caller who asks back has finished, with or without a question
    before.
    """
    words, said = phrasebook.tokens(text), normalise(text)
    if not words:
        return 0.0
    answers = ANSWER if hints.expected_kind in ANSWERED and len(words) <= phrasebook.longest_answer else 0.0
    if phrasebook.is_question(text) and len(words) < phrasebook.longest_answer:
        return ASKING_BACK
    if phrasebook.is_asking_back(said):
        return GREETING_BACK if phrasebook.is_courtesy(said) else ASKING_BACK + answers
    return 0.0 if phrasebook.leads_on(words) or phrasebook.is_courtesy(said) else answers
