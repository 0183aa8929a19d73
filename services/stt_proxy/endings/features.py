"""What is looked at in a text: how it ends, how it begins, what is in it, and how long it is."""

from collections.abc import Sequence
from itertools import pairwise

START = "^"
LEADS_ON = "leads on"
LONGEST_ENDING = 4  # words
LONGEST_OPENING = 3
LENGTH_LIMIT = 12  # longer texts differ no more


def features_of(words: Sequence[str], *, leads_on: bool) -> set[str]:
    """The features of a text's words, numerals written `#`: each is there or is not.

    `leads_on`: the language's lists say that hardly a sentence ends so.
    `end a new` is an ending, `open could you` an opening, `has but` and `has but when` lie before the last word,
    `could..new` joins the first word, or two, with the last.
    """
    n_words = len(words)
    found = {f"length {min(n_words, LENGTH_LIMIT)}"}
    if leads_on:
        found.add(LEADS_ON)
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
