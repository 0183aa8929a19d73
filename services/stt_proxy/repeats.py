"""Cuts a decoder's loop: the same words over and over, where the decoder ran on past the end of the speech."""

from services.language.numerals import NumberWords, number_words
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
    for start in range(max(0, len(words) - fewest_words + 1)):
        for length in range(1, (len(words) - start) // (MOST_REPEATS + 1) + 1):
            if _is_loop(bare[start:], length) and not _says_number_or_letter(
                bare[start : start + length], phrasebook, numbers
            ):
                return " ".join(words[: start + length])
    return text


def _is_loop(bare: list[str], length: int) -> bool:
    """Whether the words are their first `length` over and over, more often than anybody says them."""
    most_repeats = MOST_SINGLE_REPEATS if len(set(bare[:length])) == 1 else MOST_REPEATS
    n_said = 1 if most_repeats == MOST_SINGLE_REPEATS else length
    if len(bare) < (most_repeats + 2) * n_said:
        return False
    return all(word == bare[index % length] for index, word in enumerate(bare))


def _says_number_or_letter(bare: list[str], phrasebook: Phrasebook, numbers: NumberWords) -> bool:
    if all(len(word) == 1 for word in bare):
        return True
    return any(
        any(sign.isdecimal() for sign in word)
        or word in phrasebook.digit_words
        or word in phrasebook.tens_words
        or word in phrasebook.repeat_words
        or word in phrasebook.letter_words
        or word in numbers.units
        or word in numbers.multipliers
        or word in numbers.after_tens
        or word in numbers.halves
        for word in bare
    )
