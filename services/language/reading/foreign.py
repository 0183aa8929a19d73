"""Words of another language inside a text: English ones in Vietnamese, Vietnamese names in English. Sans-IO.

A language says in its `foreign.toml` how such words are told from its own and in which language they are said. Words in
capital letters, and those without a vowel, are left to the other rules: they are read letter by letter.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from services.language.data import LanguageDataError, cached, folder_of, languages, read, text, where, words
from services.language.reading.spoken import Rewrite

FILE = "foreign"
WAYS = ("syllables", "letters", "script")
MOST_BETWEEN = 2  # words that may be either, between two foreign ones

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LATIN_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)*", re.IGNORECASE | re.ASCII)
_VOWEL = re.compile(r"[aeiouy]")
_JOINT = re.compile(r"[\s-]{1,3}|")
_LETTERS_LOST = str.maketrans({"\u0111": "d", "\u0110": "D"})  # they have no decomposition in Unicode


class _Kind(Enum):
    OWN = "own"
    EITHER = "either"
    FOREIGN = "foreign"


class ForeignWords:
    """The foreign words of one language's texts, as rewrites that leave the words and name their language."""

    def __init__(self, language: str) -> None:
        """Raises LanguageDataError."""
        self._said_in = text(language, FILE, "language")
        self._told_by = text(language, FILE, "told_by")
        if self._told_by not in WAYS:
            raise LanguageDataError(f"{where(language, FILE)}: 'told_by' is one of {', '.join(WAYS)}")
        self._own = self._told_by == "syllables"
        self._syllables = None
        if self._own:
            self._syllables = _Syllables(language)
        elif self._told_by == "letters" and _has_file(self._said_in):
            self._syllables = _Syllables(self._said_in)
        self._word = _LATIN_WORD if self._told_by == "script" else _WORD
        self._between = words(language, FILE, "between") if self._own else ()
        self._letters: re.Pattern[str] | None = None
        if self._told_by == "letters":
            try:
                self._letters = re.compile(text(language, FILE, "letters"), re.IGNORECASE)
            except re.error as error:
                raise LanguageDataError(f"{where(language, FILE)}: 'letters' does not compile: {error}") from error

    def apply(self, text: str) -> Iterator[Rewrite]:
        """A rewrite for each foreign word."""
        if self._letters is not None and not self._letters.search(text):
            return  # nothing is foreign but such a word and what stands behind it
        found = list(self._word.finditer(text))
        has_marks = not text.isascii()
        kinds = [self._kind(word[0], has_marks=has_marks) for word in found]
        for at, kind in enumerate(kinds):
            if kind is _Kind.EITHER and self._is_among_foreign(text, found, kinds, at):
                kinds[at] = _Kind.FOREIGN
        for word, kind in zip(found, kinds, strict=True):
            if kind is _Kind.FOREIGN:
                yield Rewrite(word.start(), word.end(), word[0], language_code=self._said_in)

    def _kind(self, word: str, *, has_marks: bool) -> _Kind:
        plain = _plain(word)
        if plain in self._between and word.isascii():
            return _Kind.EITHER
        is_spelled = len(word) < 2 or word.isupper()
        if is_spelled or not plain.isascii() or not _VOWEL.search(plain):
            return _Kind.OWN
        if self._told_by == "letters":
            return self._kind_by_letters(word, plain)
        is_foreign = self._told_by == "script" or (word.isascii() and not self._is_own(plain, has_marks=has_marks))
        return _Kind.FOREIGN if is_foreign else _Kind.OWN

    def _kind_by_letters(self, word: str, plain: str) -> _Kind:
        if self._letters is not None and self._letters.search(word):
            return _Kind.FOREIGN
        may_be = word.istitle() and self._syllables is not None and self._syllables.has(plain)
        return _Kind.EITHER if may_be else _Kind.OWN

    def _is_own(self, plain: str, *, has_marks: bool) -> bool:
        """A plain word is a syllable of the language; in a text with tones only if it needs none."""
        syllables = self._syllables
        return syllables is not None and syllables.has(plain) and not (has_marks and syllables.lacks_tone(plain))

    def _is_among_foreign(self, text: str, found: Sequence[re.Match[str]], kinds: Sequence[_Kind], at: int) -> bool:
        """Behind a foreign word, where a name goes on; between two, where both languages have such a word."""
        if at == 0 or kinds[at - 1] is not _Kind.FOREIGN or not _touch(text, found[at - 1], found[at]):
            return False
        if not self._own:
            return True
        for behind in range(at + 1, min(len(found), at + MOST_BETWEEN + 1)):
            if not _touch(text, found[behind - 1], found[behind]):
                return False
            if kinds[behind] is not _Kind.EITHER:
                return kinds[behind] is _Kind.FOREIGN
        return False


class _Syllables:
    """The spelling of a language of one-syllable words."""

    def __init__(self, language: str) -> None:
        onsets, nuclei, codas = (words(language, FILE, f"syllables.{key}") for key in ("onsets", "nuclei", "codas"))
        self._onsets = frozenset(("", *onsets))
        self._rimes = frozenset(f"{nucleus}{coda}" for nucleus in nuclei for coda in ("", *codas))
        self._longest_onset = max(map(len, self._onsets))
        self._never_ends = words(language, FILE, "syllables.never_ends")
        self._toned = words(language, FILE, "syllables.toned_codas")

    def has(self, plain: str) -> bool:
        """Return whether a word without its marks, in lower case, may be a syllable."""
        if plain.endswith(self._never_ends):
            return False
        cuts = range(min(len(plain), self._longest_onset) + 1)
        return any(plain[:cut] in self._onsets and plain[cut:] in self._rimes for cut in cuts)

    def lacks_tone(self, plain: str) -> bool:
        """Return whether such a syllable would need a tone to be written."""
        return plain.endswith(self._toned)


@cached
def foreign_words(language: str) -> ForeignWords | None:
    """Return a language's rules for telling foreign words; None for one that has no `foreign.toml`. Raises
    LanguageDataError.
    """
    if not _has_file(language):
        return None
    found: Mapping[str, Any] = read(language, FILE)
    return ForeignWords(language) if found else None


def _has_file(language: str) -> bool:
    return language in languages() and (folder_of(language) / f"{FILE}.toml").is_file()


def _plain(word: str) -> str:
    """In lower case, without accents and tones."""
    if word.isascii():
        return word.lower().replace("'", "")
    lowered = unicodedata.normalize("NFD", word.translate(_LETTERS_LOST).lower())
    return "".join(letter for letter in lowered if not unicodedata.combining(letter) and letter not in "'’")


def _touch(text: str, one: re.Match[str], other: re.Match[str]) -> bool:
    return _JOINT.fullmatch(text, one.end(), other.start()) is not None
