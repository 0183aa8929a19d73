"""Phrasebook of a language: its `answers.toml`, and how text is matched against it."""

import re
from dataclasses import dataclass

from services.language import data, script
from services.language.words import normalise

FILE = "answers"
_OPEN_END = re.compile(r"(?:[,;:、，；：…]|\.\.\.|[-–—])\s*$")
_CLOSED_END = re.compile(r"[.?!。？！]['\"”’)]*\s*$")
_ASKED_END = re.compile(r"[?？][?!？！]*['\"”’)]*\s*$")
_NO_LIMIT = 1 << 30
FEWEST_PIECES = 3
GROUP_DIGITS = 3  # the first group of a telephone number
LONG_RUN = 6  # digits that are neither a time nor a year; behind a leading 0 the first group is enough: "0912"


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """One language's lists. Phrases are kept as `normalise` leaves them, joined by single spaces."""

    language: str
    is_spaced: bool  # whether words stand apart, as they do not in Chinese
    yes_no: frozenset[str]  # whole answers
    courtesies: frozenset[str]  # what may stand around an answer and changes nothing: "please"
    asks_back: frozenset[str]  # what a caller says alone who did not understand, or hears no answer: "pardon"
    longest_answer: int  # words of a short answer; syllables or characters where the language writes those apart
    fillers: frozenset[str]  # sounds of someone who is thinking
    unfinished_endings: tuple[str, ...]  # hardly a sentence ends with these
    linking_words: frozenset[str]  # "is", "will": they end a sentence only behind ...
    linked_subjects: frozenset[str]  # ... one of these: "yes, it is", "I don't know where they are"
    number_nouns: tuple[str, ...]  # "number", "code": digits behind them are dictated
    whole_endings: tuple[str, ...]  # what ends so is whole, even where another list or a pattern says not
    digit_words: dict[str, str]  # "two" is "2", "ten" is "10"
    tens_words: dict[str, str]  # "twenty" is "2": a unit may follow
    repeat_words: dict[str, int]  # "double" is 2
    letter_words: frozenset[str]  # "alpha", "bravo"
    whole_number_lengths: frozenset[int]  # digits of a whole telephone number

    def is_yes_or_no(self, words: tuple[str, ...]) -> bool:
        """Return whether the text says yes or no and nothing else."""
        return _is_made_of(self._joined(words), self.yes_no, self.yes_no | self.courtesies, self._gap)

    def is_courtesy(self, words: tuple[str, ...]) -> bool:
        """Return whether the text only greets, thanks or the like, and answers nothing."""
        return _is_made_of(self._joined(words), self.courtesies, self.courtesies, self._gap)

    def is_asking_back(self, words: tuple[str, ...]) -> bool:
        """Return whether the text only says that its speaker did not understand, or hears no answer."""
        allowed = self.asks_back if self.is_courtesy(words) else self.asks_back | self.courtesies
        return _is_made_of(self._joined(words), self.asks_back, allowed, self._gap)

    def trails_off(self, words: tuple[str, ...]) -> bool:
        """Return whether the caller is thinking: nothing was said, or the last of it is such a sound as "um"."""
        said = self._joined(words)
        return not words or any(self._ends_with(said, filler) for filler in self.fillers)

    def has_whole_ending(self, words: tuple[str, ...]) -> bool:
        """Return whether the text ends with words behind which no more need follow."""
        return any(self._ends_with(self._joined(words), ending) for ending in self.whole_endings)

    def is_left_hanging(self, text: str) -> bool:
        """Return whether the text closes with a comma, a dash, or another mark that leads on."""
        return _OPEN_END.search(text) is not None

    def is_question(self, text: str) -> bool:
        """Return whether the text closes with a question mark."""
        return _ASKED_END.search(text) is not None

    def is_left_open(self, text: str) -> bool:
        """Return whether the text closes with no mark at all."""
        return _CLOSED_END.search(text) is None

    def tokens(self, text: str) -> tuple[str, ...]:
        """The words of the text, characters where words do not stand apart, each numeral as `#`."""
        words = normalise(text)
        pieces = words if self.is_spaced else tuple("".join(words))
        return tuple("#" if self._is_numeral(piece) else piece for piece in pieces)

    def leads_on(self, tokens: tuple[str, ...]) -> bool:
        """Return whether hardly a sentence ends with such words: a conjunction, an article, a verb that links
        nothing.
        """
        if self.has_whole_ending(tokens):
            return False
        said = self._joined(tokens)
        return any(self._ends_with(said, one) for one in self.unfinished_endings) or self._lacks_its_object(tokens)

    def digits(self, text: str) -> str:
        """Every digit said in the text, in order, whether written as a numeral or as a word."""
        return "".join(piece for piece in self._digit_pieces(text) if piece is not None)

    def dictated_digits(self, text: str) -> str:
        """The digits the text ends with, if they were said one by one; else nothing.

        Two pieces alone are a time or a year, "nine thirty", "nineteen ninety", unless a number was announced.
        """
        if text.rstrip()[-1:] in ("?", "？"):
            return ""
        run: list[str] = []
        for piece in reversed(self._digit_pieces(text)):
            if piece is None:
                break
            run.append(piece)
        is_announced = self._announces_number(normalise(text))
        if len(run) == 1 and len(run[0]) == GROUP_DIGITS and not is_announced and not run[0].startswith("0"):
            before = normalise(text)[-2:-1]
            return run[0] if self.linking_words.issuperset(before) and before else ""  # "it is 415" goes on
        is_whole_number = len(run) == 1 and len(run[0]) in self.whole_number_lengths
        is_one_by_one = len(run) >= FEWEST_PIECES or is_whole_number or (bool(run) and is_announced)
        digits = "".join(reversed(run))
        is_in_groups = len(digits) >= (GROUP_DIGITS if digits.startswith("0") else LONG_RUN)
        return digits if is_one_by_one or is_in_groups else ""

    def _announces_number(self, words: tuple[str, ...]) -> bool:
        said = f" {self._joined(words)} " if self.is_spaced else self._joined(words)
        return any(f"{self._gap}{noun}{self._gap}" in said for noun in self.number_nouns)

    def n_letters(self, text: str) -> int:
        """Return how many letters were spelled: single letters, "alpha" words, and digits among them."""
        words = normalise(text)
        n_spelled = sum(1 for word in words if (len(word) == 1 and word.isalpha()) or word in self.letter_words)
        return n_spelled + len(self.digits(text)) if n_spelled else 0

    def _is_numeral(self, word: str) -> bool:
        return word.isdecimal() or word in self.tens_words or self.digit_words.get(word, "0") not in ("0", "1")

    @property
    def _gap(self) -> str:
        return " " if self.is_spaced else ""

    def _joined(self, words: tuple[str, ...]) -> str:
        return self._gap.join(words)

    def _ends_with(self, said: str, ending: str) -> bool:
        if not self.is_spaced:
            return said.endswith(ending)
        return said == ending or said.endswith(" " + ending)

    def _lacks_its_object(self, words: tuple[str, ...]) -> bool:
        """Return whether a verb that links stands last and has nothing to link: "the code is"."""
        before = list(words)
        while before and before[-1] in self.linking_words:
            before.pop()
        return 0 < len(before) < len(words) and before[-1] not in self.linked_subjects

    def _digit_pieces(self, text: str) -> list[str | None]:
        """For each word of the text the digits it says, None for a word that says none."""
        words = normalise(text) if self.is_spaced else tuple("".join(normalise(text)))
        pieces: list[str | None] = []
        repeat, tens = 1, ""
        for word in words:
            if word in self.repeat_words:
                repeat = self.repeat_words[word]
                continue
            digits = word if word.isdecimal() else self.digit_words.get(word)
            if tens:
                is_unit = digits is not None and len(digits) == 1 and digits != "0"
                if is_unit and digits is not None:
                    pieces.append(tens + digits)
                    tens = ""
                    continue
                pieces.append(tens + "0")
                tens = ""
            if word in self.tens_words:
                tens = self.tens_words[word]
                continue
            pieces.append(digits * repeat if digits is not None else None)
            repeat = 1
        if tens:
            pieces.append(tens + "0")
        return pieces


def _is_made_of(said: str, wanted: frozenset[str], allowed: frozenset[str], gap: str) -> bool:
    """Return whether `said` consists of phrases of `allowed`, one of `wanted` at least. Longest phrases first."""
    rest, found = said, False
    longest_first = sorted(allowed, key=len, reverse=True)
    while rest:
        phrase = next((one for one in longest_first if rest == one or rest.startswith(one + gap)), None)
        if phrase is None:
            return False
        found = found or phrase in wanted
        rest = rest[len(phrase) :].lstrip()
    return found


def phrasebook_of(language_code: str) -> Phrasebook:
    """The lists of a language by its BCP-47 tag, "vi-VN" being "vi"; almost empty ones where there are none for it."""
    return _read(data.known(language_code))


def load_phrasebooks() -> None:
    """Read every language, so that no call waits for it."""
    for language in (*data.languages(), data.FALLBACK):
        _read(language)
    script.load()


@data.cached
def _read(language: str) -> Phrasebook:
    is_spaced = data.flag(language, FILE, "is_spaced")
    gap = " " if is_spaced else ""

    def phrases(key: str) -> tuple[str, ...]:
        return tuple(gap.join(normalise(phrase)) for phrase in data.phrases(language, FILE, key))

    def digits(key: str) -> dict[str, str]:
        data.numbers(language, FILE, key)
        return {word: str(said) for word, said in data.table(language, FILE, key).items()}

    lengths = data.value(language, FILE, "whole_number_lengths")
    if not isinstance(lengths, list) or not all(isinstance(length, int) for length in lengths):
        raise data.LanguageDataError(f"{data.where(language, FILE)}: 'whole_number_lengths' is a list of whole numbers")
    return Phrasebook(
        language=language,
        is_spaced=is_spaced,
        yes_no=frozenset(phrases("yes_no")),
        courtesies=frozenset(phrases("courtesies")),
        asks_back=frozenset(phrases("asks_back")),
        longest_answer=_positive(language, "longest_answer"),
        fillers=frozenset(phrases("fillers")),
        unfinished_endings=phrases("unfinished_endings"),
        linking_words=frozenset(phrases("linking_words")),
        linked_subjects=frozenset(phrases("linked_subjects")),
        number_nouns=phrases("number_nouns"),
        whole_endings=phrases("whole_endings"),
        digit_words=digits("digit_words"),
        tens_words=digits("tens_words"),
        repeat_words=dict(data.numbers(language, FILE, "repeat_words")),
        letter_words=frozenset(phrases("letter_words")),
        whole_number_lengths=frozenset(lengths),
    )


def _positive(language: str, key: str) -> int:
    found = data.value(language, FILE, key)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise data.LanguageDataError(f"{data.where(language, FILE)}: {key!r} is a whole number above 0")
    return found
