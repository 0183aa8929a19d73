"""Binary features of a text for the ending model: its last and first words, pairs of words, its length, and the marks
of the language's lists.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise

from services.language.words import normalise
from services.stt_proxy.phrasebook import Phrasebook

START = "^"
LEADS_ON = "leads on"
ANSWER = "answer"
COURTESY = "courtesy"
MARKS = (LEADS_ON, ANSWER, COURTESY)
LONGEST_TEXT_WORDS = 60  # of a longer one the end is looked at: the time it takes stays bounded
LONGEST_ENDING = 4  # words
LONGEST_OPENING = 3
LENGTH_LIMIT = 12  # longer texts differ no more


def features_of(words: Sequence[str], *, marks: Collection[str] = ()) -> set[str]:
    """The features of a text's words, numerals written `#`: each is there or is not.

    `marks`: what the language's lists say, of `MARKS`; each is a feature. `end a new` is an ending, `open
    could you` an opening, `has but` and `has but when` lie before the last word, `could..new` joins the first word, or
    two, with the last.
    """
    n_words = len(words)
    found = {f"length {min(n_words, LENGTH_LIMIT)}", *marks}
    if not n_words:
        return found
    anchored = (START, *words)
    found.update("end " + " ".join(anchored[-n:]) for n in range(1, min(LONGEST_ENDING, n_words + 1) + 1))
    found.update("open " + " ".join(words[:n]) for n in range(1, min(LONGEST_OPENING, n_words) + 1))
    before, last = words[:-1], words[-1]
    found.update("has " + word for word in before)
    found.update(f"has {first} {second}" for first, second in pairwise(before))
    if before:
        found.add("before " + before[-1])
        found.add(f"{before[0]}..{last}")
        if len(before) > 1:
            found.add(f"{before[0]} {before[1]}..{last}")
    return found


def marks_of(text: str, phrasebook: Phrasebook) -> set[str]:
    """Return the marks that the lists of the language give the text."""
    words = normalise(text)
    marks = set[str]()
    if phrasebook.leads_on(phrasebook.tokens(text)):
        marks.add(LEADS_ON)
    if phrasebook.is_yes_or_no(words):
        marks.add(ANSWER)
    if phrasebook.is_courtesy(words):
        marks.add(COURTESY)
    return marks


def text_features(text: str, phrasebook: Phrasebook) -> set[str]:
    """The features of a text in a phrasebook's language."""
    return features_of(phrasebook.tokens(text)[-LONGEST_TEXT_WORDS:], marks=marks_of(text, phrasebook))
