"""What the words before say of the end of a turn: a question of the agent's, which a few words answer in full.

The language's model of endings knows the caller's words alone, and to it "Tuesday" looks like the beginning of a
sentence. What is known of the conversation is added to the log odds of an end, so that it is one probability that
decides. The amounts are set, not learnt: no recorded dialogues are at hand. They take the shortest whole answers for
whole, and leave words that lead on where they are.
"""

from services.language.words import normalise
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.phrasebook import Phrasebook

ANSWER = 2.8  # log odds, of a short answer to a question
ANSWER_WORDS = 4  # "the second one", a day, a name
ASKING_BACK = 3.5  # log odds, of a short question: "Hello?", "Sorry?", "What was that?"
ASKING_BACK_WORDS = 3
CHARACTERS_A_WORD = 2  # in scripts without spaces
ANSWERED = frozenset((ExpectedKind.ANSWER, ExpectedKind.YES_NO))


def log_odds_of_context(text: str, phrasebook: Phrasebook, hints: Hints, *, is_left_open: bool) -> float:
    """What to add to the log odds of an end. Words that lead on, or that the engine left open, say the same behind a
    question as elsewhere, and a greeting answers none; whoever asks back with a question mark needs no question before.
    """
    words = phrasebook.tokens(text)
    n_words = len(words) if phrasebook.is_spaced else -(-len(words) // CHARACTERS_A_WORD)
    if words and phrasebook.is_question(text) and n_words <= ASKING_BACK_WORDS:
        return ASKING_BACK
    if not words or is_left_open or phrasebook.leads_on(words) or phrasebook.is_courtesy(normalise(text)):
        return 0.0
    return ANSWER if hints.expected_kind in ANSWERED and n_words <= ANSWER_WORDS else 0.0
