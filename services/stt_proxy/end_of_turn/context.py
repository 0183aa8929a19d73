"""Dialogue context as evidence of the end of a turn: a few words answer a question of the agent in full.

The language's model of endings knows the caller's words alone, and to it "Tuesday" looks like the beginning of a
sentence. What is known of the conversation is added to the log odds of an end, so that it is one probability that
decides. The amounts are set, not learnt: no recorded dialogues are at hand. They take the shortest whole answers for
whole, and leave words that lead on where they are.
"""

from services.language.words import normalise
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.phrasebook import Phrasebook

ANSWER = 2.8  # log odds, of a short answer to a question
ASKING_BACK = 3.55
"""Log odds, of a short question ("Hello?", "What was that?") and of words that only ask back ("pardon")."""
GREETING_BACK = 3.35  # log odds, of a greeting that also asks whether the other side is there: "hello", "alo"
ANSWERED = frozenset((ExpectedKind.ANSWER, ExpectedKind.YES_NO))


def log_odds_of_context(text: str, phrasebook: Phrasebook, hints: Hints) -> float:
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
