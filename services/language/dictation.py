"""Dictation sign by sign: digits, letters and marks among words, as callers say and recognisers write them.

Sans-IO. "double four oh" is 4 4 0, "B as in Bravo" is b, "a còng" is @. A letter for which a word is given is the
word's first letter: letters are misheard more often than words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from services.language.capture_words import CaptureWords, Piece, Words, capture_words, cut
from services.language.number_words import NumberWords, number_words
from services.language.words import is_sign, without_marks

_STOPS = frozenset(".,;:!?…。！？，")
_WRITTEN_MARKS = frozenset("@._-+/")
_TEN, _HUNDRED = 10, 100
_FEWEST_TIMES, _MOST_TIMES = 2, 4  # that one digit is said: "ba số không"


class Kind(Enum):
    """The kind of a sign."""

    DIGIT = "digit"
    LETTER = "letter"
    MARK = "mark"
    TONE = "tone"
    WORD = "word"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was dictated, or a word or a stop between; `start` and `end` count tokens."""

    kind: Kind
    text: str
    start: int
    end: int
    is_soft: bool = False  # it may be a word as well
    is_only_between: bool = False  # a word, unless it stands between two signs of its kind
    is_joined: bool = False
    tokens: Words = ()  # that it was read from


def starts_with(pieces: Sequence[str], at: int, phrases: Sequence[Words]) -> int:
    """Return how many tokens the longest of the phrases that begin here has; 0: none does."""
    return next((len(words) for words in phrases if tuple(pieces[at : at + len(words)]) == words), 0)


class Dictation:
    """Reads what is dictated in one language."""

    def __init__(self, language_code: str) -> None:
        """Raises LanguageDataError where the language has no capture.toml."""
        self.words: CaptureWords = capture_words(language_code)
        self._numbers: NumberWords = number_words(language_code)
        self._has_teens = any(value == _TEN + 1 for value in self._numbers.units.values())

    def signs(self, text: str, *, with_letters: bool = True) -> list[Sign]:
        """The signs of a text in order. Without letters a letter is a word."""
        pieces = cut(text)
        found = list(self._signs(pieces, with_letters=with_letters))
        return self._settled(found, pieces)

    def digits(self, text: str) -> str:
        """The digits of a text, one after the other, with the + before them."""
        found = self.signs(text, with_letters=False)
        return "".join(sign.text for sign in found if sign.kind is Kind.DIGIT)

    def _signs(self, pieces: Sequence[Piece], *, with_letters: bool) -> Iterator[Sign]:
        texts, at = [piece.text for piece in pieces], 0
        while at < len(pieces):
            sign = (
                self._repeated(texts, at, with_letters=with_letters)
                or self._mark(texts, pieces, at)
                or (self._letter(texts, at) if with_letters else None)
                or self._digits(texts, at)
                or self._tone(texts, at, is_wanted=with_letters)
            )
            if sign is None:
                is_stop = texts[at] in _STOPS
                sign = Sign(Kind.STOP if is_stop else Kind.WORD, pieces[at].written, at, at + 1)
            yield replace(sign, is_joined=pieces[at].is_joined, tokens=tuple(texts[at : sign.end]))
            at = sign.end

    # Digits

    def _digits(self, texts: Sequence[str], at: int) -> Sign | None:
        word, words = texts[at], self.words
        if word.isdecimal() or word in words.always_digits:
            return Sign(Kind.DIGIT, words.always_digits.get(word, word), at, at + 1)
        if word in words.zeros:
            return Sign(Kind.DIGIT, "0", at, at + 1, is_soft=True)
        if word in self._numbers.digit_words:
            return Sign(Kind.DIGIT, str(self._numbers.digit_words[word]), at, at + 1, is_soft=True)
        if word in self._numbers.units:
            digits, end = self._number(texts, at)
            return Sign(Kind.DIGIT, digits, at, end, is_soft=word in self._numbers.doubtful and end == at + 1)
        digit = words.digits_beside.get(word)
        return Sign(Kind.DIGIT, digit, at, at + 1, is_soft=True, is_only_between=True) if digit else None

    def _number(self, texts: Sequence[str], at: int) -> tuple[str, int]:
        """The digits of a number in words, and where it ends: "twenty-one" is 21, "five hundred" is 500."""
        value, following = self._numbers.units[texts[at]], at + 1
        match self._multiplier(texts, following):
            case 10 if 0 < value < _TEN:
                return self._with_unit(texts, value * _TEN, following + 1)
            case 100 if value < _TEN:
                rest, end = self._below_hundred(texts, following + 1)
                return f"{value}{rest}", end
            case 1000 if value < _TEN:
                return self._thousands(texts, value, following + 1)
        if value >= _HUNDRED and value % _HUNDRED == 0:  # "двести пятнадцать"
            return self._behind_hundreds(texts, value, following)
        takes_unit = value >= _TEN and value % _TEN == 0 and (value > _TEN or not self._has_teens)
        return self._with_unit(texts, value, following) if takes_unit else (str(value), following)

    def _behind_hundreds(self, texts: Sequence[str], hundreds: int, at: int) -> tuple[str, int]:
        """Hundreds that are a word of their own, with the tens and the unit behind them."""
        following = self._numbers.units.get(texts[at], _HUNDRED) if at < len(texts) else _HUNDRED
        if not 0 < following < _HUNDRED or self._multiplier(texts, at + 1):
            return str(hundreds), at
        digits, end = self._number(texts, at)
        return str(hundreds + int(digits)), end

    def _with_unit(self, texts: Sequence[str], tens: int, at: int) -> tuple[str, int]:
        """Tens with the unit behind them, unless that begins a number of its own."""
        joined = at + (at < len(texts) and texts[at] == "-")  # "thirty-four"
        unit = self._unit(texts, joined)
        if unit and not self._multiplier(texts, joined + 1):
            return str(tens + unit), joined + 1
        return str(tens), at

    def _thousands(self, texts: Sequence[str], value: int, at: int) -> tuple[str, int]:
        if self._unit(texts, at) and self._multiplier(texts, at + 1) == _HUNDRED:
            rest, end = self._number(texts, at)
            return f"{value}{rest}", end
        return f"{value}000", at

    def _below_hundred(self, texts: Sequence[str], at: int) -> tuple[str, int]:
        """The two digits behind a hundred."""
        word = texts[at] if at < len(texts) else ""
        if word in self._numbers.joiners or word in self.words.zeros:
            unit = self._unit(texts, at + 1)
            if unit and not self._multiplier(texts, at + 2):
                return f"0{unit}", at + 2
            if at + 1 < len(texts) and texts[at + 1] in self._numbers.units:
                digits, end = self._number(texts, at + 1)
                if len(digits) == 2:
                    return digits, end
            return "00", at
        if word in self._numbers.units:
            digits, end = self._number(texts, at)
            if len(digits) == 2:
                return digits, end
            if word in self._numbers.tails and len(digits) == 1:
                return f"{digits}0", end
        return "00", at

    def _unit(self, texts: Sequence[str], at: int) -> int:
        """A number from 1 to 9 that stands here; 0: none does."""
        value = self._numbers.units.get(texts[at], 0) if at < len(texts) else 0
        return value if value < _TEN else 0

    def _multiplier(self, texts: Sequence[str], at: int) -> int:
        return self._numbers.multipliers.get(texts[at], 0) if at < len(texts) else 0

    def _repeated(self, texts: Sequence[str], at: int, *, with_letters: bool) -> Sign | None:
        """Return what is said once for several: "double four", "triple L"; in Vietnamese a count stands before it."""
        times, behind = self._numbers.repeats.get(texts[at], 0), at + 1
        if not times:
            times = self._numbers.units.get(texts[at], 0)
            phrases = (*self.words.digit_counters, *(self.words.letter_counters if with_letters else ()))
            length = starts_with(texts, behind, phrases)
            if not length or not _FEWEST_TIMES <= times <= _MOST_TIMES:
                return None
            behind += length
        if behind >= len(texts):
            return None
        if with_letters and (name := self._named(texts, at, self.words.letter_names)) and name[1] > behind:
            return None  # "double u" is a letter
        found = self._digits(texts, behind)
        is_among_letters = (
            with_letters and _is_letter(texts, behind) and (_is_letter(texts, at - 1) or _is_letter(texts, behind + 1))
        )  # "P double O L E"
        if found and len(found.text) == 1 and not is_among_letters:
            return Sign(Kind.DIGIT, found.text * times, at, found.end)
        letter = self._letter(texts, behind) if with_letters else None
        return Sign(Kind.LETTER, letter.text * times, at, letter.end) if letter and len(letter.text) == 1 else None

    # Letters and marks

    def _letter(self, texts: Sequence[str], at: int) -> Sign | None:
        behind = at + starts_with(texts, at, self.words.letter_leads)
        if behind >= len(texts):
            return None
        text, end, is_soft = "", behind, behind == at
        if name := self._named(texts, behind, self.words.letter_names):
            text, end = name
            is_soft = is_soft and self._is_soft_name(texts[behind:end])
        elif len(texts[behind]) == 1 and self._is_letter(texts[behind]):
            text, end = texts[behind], behind + 1
            is_soft = is_soft and text in self.words.soft_letters
        elif name := self._named(texts, behind, self.words.soft_names):
            text, end = name
        if not text:
            return None
        if as_in := starts_with(texts, end, self.words.as_in):
            word = texts[end + as_in] if end + as_in < len(texts) else ""
            if word.isalpha() and (len(word) > 1) and (first := self._first_letter(word, text)):
                return Sign(Kind.LETTER, first, at, end + as_in + 1)
        return Sign(Kind.LETTER, text, at, end, is_soft=is_soft)

    def _first_letter(self, word: str, text: str) -> str:
        """The letter that a word is given for."""
        return text if len(text) > 1 and word.startswith(text) else _without_tone(word[0])

    def _is_soft_name(self, words: Sequence[str]) -> bool:
        return tuple(words) in [phrase for phrase, _ in self.words.soft_names]

    def _is_letter(self, text: str) -> bool:
        return text.isalpha() and _without_tone(text) == text and not is_sign(text)

    def _named(self, texts: Sequence[str], at: int, names: Sequence[tuple[Words, str]]) -> tuple[str, int] | None:
        return next(
            ((meant, at + len(words)) for words, meant in names if tuple(texts[at : at + len(words)]) == words), None
        )

    def _mark(self, texts: Sequence[str], pieces: Sequence[Piece], at: int) -> Sign | None:
        if name := self._named(texts, at, self.words.marks):
            return Sign(Kind.MARK, name[0], at, name[1])
        is_inside = pieces[at].is_joined and at + 1 < len(pieces) and pieces[at + 1].is_joined
        if texts[at] in _WRITTEN_MARKS and (is_inside or texts[at] in "@_+"):
            return Sign(Kind.MARK, texts[at], at, at + 1)
        return None

    def _tone(self, texts: Sequence[str], at: int, *, is_wanted: bool) -> Sign | None:
        name = self._named(texts, at, self.words.tones) if is_wanted else None
        return Sign(Kind.TONE, name[0], at, name[1]) if name else None

    # Settling what may be a word

    def _settled(self, signs: Sequence[Sign], pieces: Sequence[Piece]) -> list[Sign]:
        """Keep what may be a word as a letter or a digit only beside others."""
        settled: list[Sign] = []
        for at, sign in enumerate(signs):
            if not sign.is_soft or self._is_beside(signs, at):
                settled.append(sign)
                continue
            written = " ".join(piece.written for piece in pieces[sign.start : sign.end])
            settled.append(replace(sign, kind=Kind.WORD, text=written))
        return settled

    def _is_beside(self, signs: Sequence[Sign], at: int) -> bool:
        """Return whether a sure sign of its kind stands beside it, with unsure ones between or none. What only sounds
        like a digit stands between two of them.
        """
        sides = (range(at - 1, -1, -1), range(at + 1, len(signs)))
        found = [self._reaches(signs, side, signs[at].kind) for side in sides]
        return all(found) if signs[at].is_only_between else any(found)

    def _reaches(self, signs: Sequence[Sign], side: range, kind: Kind) -> bool:
        for at in side:
            if signs[at].kind is Kind.STOP and signs[at].text in ",.-":
                continue
            if signs[at].kind is not kind and {signs[at].kind, kind} != {Kind.DIGIT, Kind.LETTER}:
                return False
            if not signs[at].is_soft:
                return True
        return False


def _is_letter(texts: Sequence[str], at: int) -> bool:
    return 0 <= at < len(texts) and len(texts[at]) == 1 and texts[at].isalpha()


def _without_tone(letter: str) -> str:
    """A letter with the marks that make another letter of it, without those of a tone: "ệ" is ê."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    kept = "".join(c for c in unicodedata.normalize("NFD", letter) if c not in tones)
    return unicodedata.normalize("NFC", kept)


def with_tone(syllable: str, mark: str) -> str:
    """A syllable with the mark of its tone on the vowel that carries it: "nguyên" and the mark of ngã is "nguyễn"."""
    vowels = [at for at, letter in enumerate(syllable) if without_marks(letter).lower() in "aeiouy"]
    if len(vowels) > 1 and syllable[: vowels[0] + 1].lower() in ("qu", "gi"):
        vowels = vowels[1:]
    if not vowels:
        return syllable
    marked = [at for at in vowels if without_marks(syllable[at]) != syllable[at]]
    ends_open = vowels[-1] == len(syllable) - 1
    at = marked[-1] if marked else vowels[-1] if not ends_open else vowels[max(0, len(vowels) - 2)]
    return unicodedata.normalize("NFC", syllable[: at + 1] + mark + syllable[at + 1 :])


def tone_of(letter: str) -> str:
    """The mark of a letter's tone; empty: it has none."""
    return next((c for c in unicodedata.normalize("NFD", letter) if c in "\u0300\u0301\u0303\u0309\u0323"), "")


def without_tone(text: str) -> str:
    """A text without the marks of its tones."""
    return "".join(map(_without_tone, text))
