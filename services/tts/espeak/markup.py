"""Markup of a text for espeak-ng: SSML for other languages, [[ and ]] for phonemes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

Part = Sequence[str]
"""Text, language (empty: the voice's own), IPA (empty: as it is read)."""


@dataclass(frozen=True, slots=True)
class Markup:
    """A marked-up text, and for each of its code points the place in the plain text that it stands for."""

    text: str
    places: tuple[int, ...]
    whole: dict[int, int]
    """First code point -> length, of what is said as one: parts with IPA, in which espeak-ng knows no words."""

    def words(self, events: Sequence[Sequence[int]]) -> list[list[int]]:
        """Return espeak-ng's words (place, length, sample) as places in the plain text, each once."""
        words: list[list[int]] = []
        for at, length, sample in events:
            place = self.places[at] if 0 <= at < len(self.places) else -1
            if place >= 0 and (not words or place > words[-1][0]):
                words.append([place, self.whole.get(place, length), sample])
        return words


def marked_up(parts: Sequence[Part], phonemes: Callable[[str], str]) -> Markup:
    """Mark up parts that joined are the text. `phonemes` writes IPA by espeak-ng's names."""
    pieces: list[str] = []
    places: list[int] = []
    whole: dict[int, int] = {}
    place = 0

    def add(piece: str, at: int) -> None:
        pieces.append(piece)
        places.extend([at] * len(piece))

    for text, language, ipa in parts:
        written = phonemes(ipa) if ipa else ""
        if written:
            add(f" [[{escape(written)}]] ", place)
            whole[place] = len(text)
        else:
            opening, closing = (f"<voice xml:lang={quoteattr(language)}>", "</voice>") if language else ("", "")
            add(opening, place)
            for at, character in enumerate(text, place):
                add(_plain(character), at)
            add(closing, place + len(text))
        place += len(text)
    return Markup("".join(pieces), tuple(places), whole)


def _plain(character: str) -> str:
    return " " if character in "[]" else escape(character)
