"""Text as spoken, which knows where each of its words stands in the text as sent."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from unicodedata import east_asian_width


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A stretch of the source that is said in other words."""

    start: int  # code points of the source
    end: int
    spoken: str
    ipa: str = ""  # how it sounds, in the International Phonetic Alphabet; empty: as its words are read
    language_code: str = ""  # whose words they are; empty: the text's own


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a spoken text that is not read as the rest of it is."""

    start: int  # code points of the spoken text
    end: int
    ipa: str = ""  # its sound; empty: as the language reads its words
    language_code: str = ""  # BCP-47; empty: the text's own


@dataclass(frozen=True, slots=True)
class _Span:
    spoken_end: int
    source_start: int
    source_end: int
    is_copied: bool


class Spoken:
    """The spoken form of a source text; all offsets are code points."""

    def __init__(self, source: str, rewrites: Iterable[Rewrite]) -> None:
        """`rewrites` are in order and do not overlap."""
        self.source = source
        stretches: list[Stretch] = []
        parts: list[str] = []
        self._spans: list[_Span] = []
        length = at = 0
        for rewrite in (*rewrites, Rewrite(len(source), len(source), "")):
            if rewrite.start > at:
                parts.append(source[at : rewrite.start])
                length += rewrite.start - at
                self._spans.append(_Span(length, at, rewrite.start, is_copied=True))
            if rewrite.end > rewrite.start:
                parts.append(rewrite.spoken)
                if rewrite.spoken and (rewrite.ipa or rewrite.language_code):
                    begin, end = length, length + len(rewrite.spoken)
                    stretches.append(Stretch(begin, end, rewrite.ipa, rewrite.language_code))
                length += len(rewrite.spoken)
                self._spans.append(_Span(length, rewrite.start, rewrite.end, is_copied=False))
            at = rewrite.end
        self.text = "".join(parts)
        self.stretches = _joined(self.text, stretches)
        """Parts in another language, or given by their sounds; in order, and apart from each other."""
        self._ends = [span.spoken_end for span in self._spans]

    def source_end(self, spoken_end: int) -> int:
        """Return how much of the source has been said once the first `spoken_end` code points of `text` have.

        What was said in other words counts only when all of them are said.
        """
        if spoken_end <= 0:
            return 0
        index = bisect_left(self._ends, spoken_end)
        if index >= len(self._spans):
            return len(self.source)
        span = self._spans[index]
        if span.is_copied:
            return span.source_end - (span.spoken_end - spoken_end)
        return span.source_end if spoken_end == span.spoken_end else span.source_start


def _joined(text: str, stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Neighbours in one language are one stretch: "Google Meet" is said in one breath."""
    joined: list[Stretch] = []
    for stretch in stretches:
        last = joined[-1] if joined else None
        if last and not (last.ipa or stretch.ipa) and last.language_code == stretch.language_code:
            between = text[last.end : stretch.start]
            if not between.strip(" -"):
                joined[-1] = Stretch(last.start, stretch.end, "", last.language_code)
                continue
        joined.append(stretch)
    return tuple(joined)


def first_come(source: str, rewrites: Iterable[Rewrite]) -> Spoken:
    """Apply rewrites in their order of preference: one that overlaps an earlier one is left out."""
    taken: list[Rewrite] = []  # in the order of the source
    for rewrite in rewrites:
        at = bisect_left(taken, rewrite.start, key=lambda other: other.start)
        is_free_before = at == 0 or taken[at - 1].end <= rewrite.start
        is_free_behind = at == len(taken) or rewrite.end <= taken[at].start
        if is_free_before and is_free_behind:
            taken.insert(at, rewrite)
    return Spoken(source, taken)


def needs_space(neighbour: str) -> bool:
    """Return whether a character is a letter of a script that parts words by spaces; empty: there is none."""
    return neighbour.isalpha() and east_asian_width(neighbour) not in {"W", "F"}
