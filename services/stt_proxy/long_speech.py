"""Pieces of long speech, each decoded once: the beginning is not decoded again at each pause and at the end."""

import math
from dataclasses import dataclass, replace
from threading import Lock

from services.language.script import script_of
from services.stt_proxy.engine import Segment, Speech
from services.stt_proxy.recording import Clip


@dataclass(frozen=True, slots=True)
class Decoded:
    """The words of one Speech."""

    text: str
    language: str  # Whisper's code
    confidence: float | None  # 0 to 1: the tokens' geometric mean; None when there are none
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class DecodedPiece:
    """The words of a stretch of an utterance that is followed by more sound of it."""

    utterance_id: int
    start_sample: int  # on the call's clock
    end_sample: int
    language: str
    text: str
    score: float  # mean log probability of the tokens
    n_tokens: int
    segments: tuple[Segment, ...]


class DecodedPieces:
    """Pieces of one call's open utterance. Workers add to them, the event loop takes from them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pieces: list[DecodedPiece] = []  # of one utterance, each beginning where the one before ended

    def add(self, piece: DecodedPiece) -> None:
        """Keep a piece that continues the known ones of its utterance; a later utterance replaces an earlier one."""
        with self._lock:
            if self._pieces and piece.utterance_id > self._pieces[-1].utterance_id:
                self._pieces.clear()
            if not self._pieces or (
                piece.utterance_id == self._pieces[-1].utterance_id
                and piece.start_sample == self._pieces[-1].end_sample
            ):
                self._pieces.append(piece)

    def within(self, speech: Speech) -> tuple[DecodedPiece, ...]:
        """Return the pieces that this speech begins with."""
        with self._lock:
            return tuple(
                piece
                for piece in self._pieces
                if piece.utterance_id == speech.utterance_id and piece.end_sample <= speech.end_sample
            )

    def forget(self, from_sample: int, to_sample: int) -> None:
        """The stretch was no speech: the sound from there on is decoded again."""
        with self._lock:
            self._pieces = self._pieces[: self._n_before(from_sample, to_sample)]

    def clear(self) -> None:
        """The languages changed: decode everything again."""
        with self._lock:
            self._pieces.clear()

    def _n_before(self, from_sample: int, to_sample: int) -> int:
        for number, piece in enumerate(self._pieces):
            if piece.start_sample < to_sample and from_sample < piece.end_sample:
                return number
        return len(self._pieces)


def behind(speech: Speech, sample: int) -> Speech:
    """Return the speech with only the sound from `sample` on."""
    clips: list[Clip] = []
    for clip in speech.clips:
        skipped = max(0, sample - clip.start_sample)
        if skipped < len(clip.samples):
            clips.append(Clip(clip.start_sample + skipped, clip.samples[skipped:]))
    return replace(speech, clips=tuple(clips))


def joined(parts: list[DecodedPiece], languages: tuple[str, ...]) -> Decoded:
    """The words of all the pieces."""
    said = [part for part in parts if part.text]
    language = languages[0] if len(languages) == 1 else next((part.language for part in parts if part.language), "")
    n_tokens = sum(part.n_tokens for part in said)
    mean = sum(part.score * part.n_tokens for part in said) / n_tokens if n_tokens else None
    text = (" " if script_of(language).is_spaced else "").join(part.text for part in said)
    segments = tuple(segment for part in said for segment in part.segments)
    return Decoded(text, language, None if mean is None else math.exp(min(0.0, mean)), segments)
