"""Repetition loops of a decoder that ran on past the end of the speech are cut."""

from collections.abc import Iterable
from itertools import accumulate

from services.language.number_words import NumberWords, number_words
from services.language.words import normalise
from services.stt_proxy.phrasebook import Phrasebook, phrasebook_of

MOST_REPEATS = 3  # of the same words after their first time; callers do repeat themselves
MOST_SINGLE_REPEATS = 8  # of one word alone: "no, no, no, no, no"


def cut_repeats(text: str, language: str) -> str:
    """The text without the loop at its end: "Call me." five times over is "Call me.".

    Words with a number or a spelled letter among them are never cut, since numbers and names do repeat. The last
    repeat may be incomplete. Text in a script without spaces comes back as it is.
    """
    words = text.split()
    bare = ["".join(normalise(word)) for word in words]
    phrasebook, numbers = phrasebook_of(language), number_words(language)
    fewest_words = MOST_REPEATS + 2
    loops_from = [_loops_from(bare, length) for length in range(1, len(words) // (MOST_REPEATS + 1) + 1)]
    n_numbers = _counted(_is_number_or_letter(word, phrasebook, numbers) for word in bare)
    n_longer = _counted(len(word) != 1 for word in bare)
    n_changes = _counted(word != bare[at - 1] for at, word in enumerate(bare))
    for start in range(max(0, len(words) - fewest_words + 1)):
        for length in range(1, (len(words) - start) // (MOST_REPEATS + 1) + 1):
            if start < loops_from[length - 1]:
                continue
            end = start + length
            is_single = n_changes[end] == n_changes[start + 1]
            fewest = MOST_SINGLE_REPEATS + 2 if is_single else fewest_words * length
            says_number = n_numbers[end] > n_numbers[start] or n_longer[end] == n_longer[start]
            if len(words) - start >= fewest and not says_number:
                return " ".join(words[:end])
    return text


def _loops_from(bare: list[str], length: int) -> int:
    """The first word from which on the words are the same `length` of them over and over."""
    at = len(bare) - length
    while at > 0 and bare[at - 1] == bare[at - 1 + length]:
        at -= 1
    return at


def _counted(found: Iterable[bool]) -> list[int]:
    """Return the running counts before each word, and before the end."""
    return [0, *accumulate(found)]


def _is_number_or_letter(word: str, phrasebook: Phrasebook, numbers: NumberWords) -> bool:
    return (
        any(sign.isdecimal() for sign in word)
        or word in phrasebook.digit_words
        or word in phrasebook.tens_words
        or word in phrasebook.repeat_words
        or word in phrasebook.letter_words
        or word in numbers.units
        or word in numbers.multipliers
        or word in numbers.after_tens
        or word in numbers.halves
        or word in numbers.ordinals
    )
