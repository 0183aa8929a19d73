"""Hallucinations of Whisper: text without speech, told by its score, by a list for each language, and by repetition.

`python -m tests.load.short_words` measures it: of 186 times that callers' short words came through Whisper as a phrase
that it also invents, 100 had a confidence below 0.6, and noise gave such phrases at 0.02 to 0.25. So confidence alone
tells them not apart; together with Whisper's own probability of no speech it does. The limits below were chosen on one
half of the voices and sounds and hold on the other.
"""

import re
import string
import zlib

from services.language import data
from services.language.script import script_of
from services.language.words import normalise
from services.stt_proxy.phrasebook import phrasebook_of

SURE = 0.6  # confidence; at 0.40 to 0.57 lay what was invented for tones, music and dither
DOUBTED = 0.3  # confidence, and ...
DOUBTED_NO_SPEECH = 0.55  # ... the probability of no speech: both together doubt words that callers say
GUESSED_WORD = 0.05  # confidence below which a word is a guess at noise, and ...
GUESSED_WORDS = 0.15  # ... several words are, "I'm sorry." for any hiss: ...
GUESSED_NO_SPEECH = 0.4  # ... with that probability of no speech; what was spoken and so low was heard wrongly too
SILENT = 0.37  # the same for any words: Whisper's own limits
SILENT_NO_SPEECH = 0.6
LOOP = 3  # times the same listed phrase: a caller's "bye, bye, bye" had at most 0.21 of no speech, and ...
LOOP_SURE = 0.65  # ... what was said three times and had more of it a confidence above this
LOOP_NO_SPEECH = 0.25
DRAWN_OUT_SURE = 0.75  # confidence; barks, howls and hoots were written as "Aaaaaa" and "oo-oo-oo" at 0.13 to 0.70
CUT_OFF_WORDS = 4  # of a phrase of the list whose rest is missing
SENTENCE_WORDS, SENTENCE_SIGNS = 2, 4  # of several words; signs are Chinese
MOST_COMPRESSION = 2.4  # Whisper's own limit: text that zlib makes so much smaller says the same over and over
SHORTEST_COMPRESSED = 40  # bytes; of less the ratio says nothing

_LETTER = r"[^\W\d_\u3040-\u9fff]"  # of an alphabet
_DRAWN_OUT = re.compile(
    rf"{_LETTER}{{0,2}}({_LETTER})\1{{3,}}{_LETTER}{{0,2}}|({_LETTER}{{1,2}})(-\2){{3,}}(-{_LETTER})?"
)


_STRETCHED = re.compile(r"(\w)\1{2,}")


def is_invented(text: str, language: str, confidence: float, no_speech: float) -> bool:
    """Return whether the text is a hallucination. `confidence`: the tokens' geometric mean; `no_speech`: Whisper's
    probability of no speech; both 0 to 1. In doubt the words stay.
    """
    said = " ".join(normalise(text))
    return (
        is_silence(confidence, no_speech)
        or is_guess(said, language, confidence, no_speech)
        or is_listed(said, language, confidence, no_speech)
        or is_repetition(said, confidence)
        or (confidence < DRAWN_OUT_SURE and is_drawn_out(text) and not is_answer(text, language))
    )


def is_silence(confidence: float, no_speech: float) -> bool:
    """Return whether Whisper takes the sound for silence, whatever it wrote."""
    return no_speech > SILENT_NO_SPEECH and confidence < SILENT


def is_guess(said: str, language: str, confidence: float, no_speech: float) -> bool:
    """Return whether hardly one token is likely: no words, or words that were not understood. Phrases that callers say
    and Whisper invents are often as unlikely where they are said.
    """
    if said in _listed(data.known(language), "said_too"):
        return False
    is_sentence = len(said.split()) >= (SENTENCE_WORDS if script_of(language).is_spaced else SENTENCE_SIGNS)
    return no_speech > GUESSED_NO_SPEECH and confidence < (GUESSED_WORDS if is_sentence else GUESSED_WORD)


def is_listed(said: str, language: str, confidence: float, no_speech: float) -> bool:
    """Return whether the text is a phrase of the language's list, a loop of one, or the beginning of one that was cut
    off with the tokens, and the scores speak against it.
    """
    never_said, said_too = (_listed(data.known(language), key) for key in ("never_said", "said_too"))
    words = said.split()
    phrase, times = _loop_of(words)
    if phrase in never_said or (len(words) > CUT_OFF_WORDS and _is_cut_off(words, never_said)):
        return confidence < SURE
    if phrase not in said_too:
        return False
    if times >= LOOP and confidence < LOOP_SURE and no_speech > LOOP_NO_SPEECH:
        return not phrasebook_of(language).is_yes_or_no(tuple(words))
    return confidence < DOUBTED and no_speech > DOUBTED_NO_SPEECH


def is_drawn_out(text: str) -> bool:
    """Return whether the text holds nothing but letters that are drawn out: "Aaaah!", "oo-oo-oo-oo". Signs of Chinese
    are words, which callers do repeat.
    """
    words = [word.strip(string.punctuation) for word in text.casefold().split()]
    return any(words) and all(_DRAWN_OUT.fullmatch(word) for word in words if word)


def is_answer(text: str, language: str) -> bool:
    """Return whether the text, its letters not drawn out, says yes or no, asks back, or consists of digits."""
    book = phrasebook_of(language)
    kept = (r"\1", r"\1\1")  # letters of one that is drawn out: "алло" has two
    said = (tuple(_STRETCHED.sub(letters, word) for word in normalise(text)) for letters in kept)
    return any(book.is_yes_or_no(words) or book.is_asking_back(words) or all(map(book.digits, words)) for words in said)


def is_repetition(said: str, confidence: float) -> bool:
    """Return whether the text repeats itself and the score speaks against it. Digits are left alone: numbers repeat."""
    is_number = any(sign.isdecimal() for sign in said)
    return confidence < SURE and not is_number and compression(said) > MOST_COMPRESSION


def compression(text: str) -> float:
    """Return how many times smaller zlib makes the text; 1 for a short one."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if len(raw) >= SHORTEST_COMPRESSED else 1.0


def load_inventions() -> None:
    """Read the lists of every language, so that no call waits for it. Raises LanguageDataError."""
    for language in (*data.languages(), data.FALLBACK):
        for key in ("never_said", "said_too"):
            _listed(language, key)


def _loop_of(words: list[str]) -> tuple[str, int]:
    """Return the words that the text says over and over, and how many times; the whole text where it does not."""
    for length in range(1, len(words) // 2 + 1):
        if len(words) % length == 0 and words == words[:length] * (len(words) // length):
            return " ".join(words[:length]), len(words) // length
    return " ".join(words), 1


def _is_cut_off(words: list[str], phrases: frozenset[str]) -> bool:
    """Return whether a phrase begins so; the last word may be a part of one."""
    said = " ".join(words)
    return any(phrase.startswith(said) for phrase in phrases)


@data.cached
def _listed(language: str, key: str) -> frozenset[str]:
    return frozenset(" ".join(normalise(phrase)) for phrase in data.phrases(language, "inventions", key))
