"""Names that a caller gave, and where a clause says them again. Sans-IO.

"This is Dr Paul Reed" gives a name that holds a title, "I'm Rob Sunday" one that holds a weekday. Said back, neither
claims anything: "Thank you, Dr. Reed.", "So that's Rob Sunday?".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from services.language.claims import ClaimWords, claim_words
from services.language.phrases import Token, fold
from services.language.value import Reading
from services.language.values import read_values
from services.language.words import is_sign

_LONGEST_NAME = 4  # words
_LONGEST_SIGNS = 3  # Han characters of a name
_PLAIN_NAME = 2  # words taken behind an introduction that is written without capitals
_WHOLE_INTRODUCTION = 3  # words of one behind which a value is a name too
_KEPT_TEXTS = 128

Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameSpan:
    """A name of the caller's in a clause."""

    start: int
    end: int
    is_called: bool  # the caller is called by it: it stands between stops, or behind "thank you"

    @property
    def places(self) -> range:
        return range(self.start, self.end)


@lru_cache(maxsize=_KEPT_TEXTS)
def names_in_text(text: str, language_code: str) -> tuple[Name, ...]:
    """The names that a caller's text gives: behind words that introduce one, or standing alone in capitals."""
    words, reading = claim_words(language_code), read_values(text, language_code)
    inside = frozenset(at for value in reading.values for at in range(value.start, value.end))
    found = list(_introduced(reading, inside, words))
    if not text.rstrip().endswith(("?", "？")):
        found += _standing_alone(reading, inside, words)
    return tuple(dict.fromkeys(found))


def _introduced(reading: Reading, inside: frozenset[int], words: ClaimWords) -> Iterator[Name]:
    """`inside`: places of values. "This is Friday" gives no name, "My name is April" does."""
    texts = reading.texts
    is_plain = not any(token.is_capital for token in reading.tokens)
    at = 0
    while at < len(texts):
        length = words.lists["introductions"].length(texts, at)
        at += length or 1
        if not length:
            continue
        start = _behind_title(texts, at, words)
        end = start + _run(reading.tokens, start, is_plain=is_plain)
        is_told = start > at or length >= _WHOLE_INTRODUCTION
        has_value = not inside.isdisjoint(range(start, end))
        if is_plain and length < _WHOLE_INTRODUCTION and has_value and not is_sign(texts[start][0]):
            continue  # "i'm free sunday": without capitals a day is a day
        if end > start and (is_told or not inside.issuperset(range(start, end))):
            yield texts[start:end]


def _behind_title(texts: tuple[str, ...], at: int, words: ClaimWords) -> int:
    length = words.lists["titles"].length(texts, at)
    end = at + length
    return end + 1 if length and end < len(texts) and texts[end] == "." else end


def _run(tokens: tuple[Token, ...], start: int, *, is_plain: bool) -> int:
    """Return how many tokens from here on are a name: words in capitals, else the first two, or Han characters."""
    n = 0
    while start + n < len(tokens) and tokens[start + n].kind == "word":
        token = tokens[start + n]
        if is_sign(token.text[0]):
            if n == _LONGEST_SIGNS:
                break
        elif n == _LONGEST_NAME or not (token.is_capital or (is_plain and n < _PLAIN_NAME)):
            break
        n += 1
    return n


def _standing_alone(reading: Reading, inside: frozenset[int], words: ClaimWords) -> Iterator[Name]:
    """Pieces between stops that are two to four words in capitals, none a small word and one of them no value; a turn
    without any capitals may be one as a whole.
    """
    start, texts = 0, reading.texts
    is_plain = not any(token.is_capital or is_sign(token.text[0]) for token in reading.tokens)
    is_whole = is_plain and all(token.kind == "word" for token in reading.tokens[:-1])
    for end in range(len(texts) + 1):
        if end < len(texts) and reading.tokens[end].kind != "stop":
            continue
        piece = range(start, end)
        is_capital = is_whole or all(reading.tokens[at].is_capital for at in piece)
        is_capital = is_capital and 1 < len(piece) <= _LONGEST_NAME
        others = [texts[at] for at in piece if at not in inside]
        if is_capital and others and not any(text in words.common or text in words.listed for text in others):
            yield texts[start:end]
        start = end + 1


def name_spans(reading: Reading, texts: Iterable[str], language_code: str) -> list[NameSpan]:
    """Spans of a clause with names that texts of the caller give: two words of one together, one beside a title, or
    one by which the caller is called.
    """
    names = {name for text in texts for name in names_in_text(text, language_code)}
    if not names:
        return []
    words, said, found, at = claim_words(language_code), _plain(reading), list[NameSpan](), 0
    while at < len(said):
        end = at + _length_of(reading, said, at, names)
        if end > at:
            begins, has_title = _title_before(said, at, words)
            is_called = _ends_before(reading, said, begins, words) and _is_stop(reading, end)
            is_called = is_called or _is_addressed(said, begins, at, end, words)
            has_title = has_title or words.lists["titles"].length(said, end) > 0
            if end - at > 1 or has_title or is_called:
                found.append(NameSpan(at, end, is_called))
        at = max(end, at + 1)
    return found


def without_names(reading: Reading, spans: Iterable[NameSpan]) -> Reading:
    """The reading without values inside the names."""
    places = {at for span in spans for at in span.places}
    kept = [value for value in reading.values if not places.issuperset(range(value.start, value.end))]
    return reading if len(kept) == len(reading.values) else replace(reading, values=tuple(kept))


def text_without_names(text: str, language_code: str) -> str:
    """Text of a caller, without the names that it gives."""
    for name in names_in_text(text, language_code):
        words = r"\W*".join(map(re.escape, name))
        text = re.sub(words if is_sign(name[0][0]) else rf"\b{words}\b", "", fold(text), flags=re.IGNORECASE)
    return text


def _plain(reading: Reading) -> tuple[str, ...]:
    return tuple(text.removesuffix("'s") for text in reading.texts)


def _length_of(reading: Reading, said: tuple[str, ...], at: int, names: set[Name]) -> int:
    """Return how many words from here on are a part of a name, each in a capital where the script has them."""
    longest = 0
    for name in names:
        for start in range(len(name)):
            n = 0
            while start + n < len(name) and at + n < len(said) and said[at + n] == name[start + n]:
                if not (reading.tokens[at + n].is_capital or is_sign(said[at + n][0])):
                    break
                n += 1
            longest = max(longest, n)
    return longest


def _title_before(said: tuple[str, ...], at: int, words: ClaimWords) -> tuple[int, bool]:
    """Return where a name begins with the title before it ("Dr. Reed"), and whether it has one."""
    behind = at - 1 if at and said[at - 1] == "." else at
    for n in (1, 2):
        if behind >= n and words.lists["titles"].length(said, behind - n) == n:
            return behind - n, True
    return at, False


def _ends_before(reading: Reading, said: tuple[str, ...], at: int, words: ClaimWords) -> bool:
    """Return whether a clause, a courtesy or a word of address ends here."""
    if not at or reading.tokens[at - 1].kind == "stop":
        return True
    polite = (words.lists[name] for name in ("name_is_asked", "courtesies", "assents", "yes"))
    return any(phrases.length(said, at - n) == n for phrases in polite for n in range(1, 5) if at >= n)


def _is_addressed(said: tuple[str, ...], begins: int, at: int, end: int, words: ClaimWords) -> bool:
    """Return whether a word of address stands before a name of which nothing is said to be: "chị Hoa cho em xin số"."""
    lists = words.lists
    return (
        lists["name_is_asked"].length(said, begins) in (at - begins, at - begins - 1)
        and begins < at
        and not (lists["same_day"].length(said, end))
    )


def _is_stop(reading: Reading, at: int) -> bool:
    return at >= len(reading.tokens) or reading.tokens[at].kind == "stop"
