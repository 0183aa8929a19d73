"""Words in any script: what counts as one, where it ends, and when two texts say the same. The one normaliser."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u00b4\u0060\uff07", "'"))
_SILENT = str.maketrans(dict.fromkeys("\u00ad\u200c\u200d\u2060\ufeff"))  # soft hyphen, joiners: inside words, unsaid
_STRESS = re.compile("[\u0300-\u036f]+")  # marks that no letter takes in: the stress of "за́мок"


def _marks() -> Iterator[str]:
    """Ranges of the marks that belong to the letter before them, for a class of characters. None is of a picture."""
    found = (code for code in range(0x300, 0xFE00) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    for _, group in groupby(
        enumerate(code for code in found if not 0x20D0 <= code <= 0x20FF), lambda at: at[1] - at[0]
    ):
        codes = [code for _, code in group]
        yield f"{chr(codes[0])}-{chr(codes[-1])}"


HAN_OR_KANA = "\u3040-\u3098\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # without spaces: each sign is a word
_MARK = f"[{''.join(_marks())}]"
_SIGN = rf"[{HAN_OR_KANA}]{_MARK}*+"
_LETTERS = rf"(?:[^\W_{HAN_OR_KANA}]++{_MARK}*+)++"
HIDDEN = "\ufffc"
"""A mark that is no word."""

_IS_SIGN = re.compile(f"[{HAN_OR_KANA}]")
_WRITTEN = re.compile(rf"{_SIGN}|{_LETTERS}(?:['’\-.,]{_LETTERS})*")  # don't, 9-1-1, 3.50
_SAID = re.compile(rf"{_SIGN}|{_LETTERS}(?:'{_LETTERS})*")


_VOWELS = frozenset(
    "AEIOUY\u0410\u0415\u0418\u041e\u0423\u042b\u042d\u042e\u042f\u0406\u0391\u0395\u0397\u0399\u039f\u03a5\u03a9"
)
"""Capitals of Latin, Cyrillic and Greek, without the marks above them."""


def has_vowel(capitals: str) -> bool:
    """Tell if a word in capitals has a vowel, so that it may be said as a word."""
    return not _VOWELS.isdisjoint(unicodedata.normalize("NFD", capitals))


def is_sign(character: str) -> bool:
    """Tell if it is a word by itself: a Han character or kana, written without spaces."""
    return _IS_SIGN.match(character) is not None


def with_signs_hidden(text: str) -> str:
    """The text with `HIDDEN` in place of each such sign."""
    return text if text.isascii() else _IS_SIGN.sub(HIDDEN, text)


def word_ends(text: str) -> list[int]:
    """The offset after the last letter of each word as written, in code points, rising: "3.50" is one word."""
    return [match.end() for match in _WRITTEN.finditer(text)]


def has_words(text: str) -> bool:
    """Tell if there is any."""
    return _WRITTEN.search(text) is not None


def normalise(text: str) -> tuple[str, ...]:
    """The words as said: one form of each letter (NFKC), folded case, no punctuation. "It's 5:30." is it's, 5, 30.

    Two texts with the same words say the same. A number in figures falls into its runs of digits.
    """
    plain = text.translate(_APOSTROPHES).translate(_SILENT)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
    return tuple(_SAID.findall(_STRESS.sub("", folded)))


def without_marks(text: str) -> str:
    """The letters without accents, hooks and strokes: "đ" and "ạ" are "d" and "a", where a recogniser hears one."""
    return "".join(map(_base, unicodedata.normalize("NFKD", text)))


def lowered(text: str) -> str:
    """In lower case, code point by code point, so that places stay: the small form of "İ" is two."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def is_of_a_word(character: str) -> bool:
    """A letter, a digit or an underscore, as in a pattern; false for no character at all."""
    return character.isalnum() or character == "_"


def joined(*texts: str) -> str:
    """Texts one after the other, with a space where neither side has one."""
    return " ".join(stripped for text in texts if (stripped := text.strip()))


def _base(character: str) -> str:
    """A letter without its stroke, which Unicode takes apart by name alone; a mark is nothing."""
    if character.isascii():
        return character
    if unicodedata.combining(character):
        return ""
    plain, is_marked, _ = unicodedata.name(character, "").partition(" WITH ")
    if not is_marked or not character.isalpha():
        return character
    try:
        return unicodedata.lookup(plain)
    except KeyError:
        return character
