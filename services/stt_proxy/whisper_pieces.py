"""Pieces of speech that Whisper decodes in one go, and their places on the call's clock."""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from services.stt_proxy.engine import Span, Speech

RATE_HERTZ = 16000
TOKEN_SAMPLES = 320  # the alignment's step: 20 ms
LONGEST_PIECE_S = 15.0  # decoded in one go; of longer speech the beginning is decoded once, while the caller speaks on
CUT_SEARCH_S = 6.0  # a piece ends at the quietest place of its last seconds
CUT_QUIET_S = 0.2  # what must be quiet: longer than the closure of a stop consonant
GAP_S = 0.3  # silence put between stretches that lay far apart

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound that is decoded in one go, and its place on the call's clock."""

    sound: Sound
    places: tuple[tuple[int, int], ...]  # pairs: first index in `sound`, the sample of the call it came from


def cut_pieces(speech: Speech) -> list[Piece]:
    """Return the clips at Whisper's rate, joined, and cut again where they are too long for one go."""
    parts: list[Sound] = []
    places: list[tuple[int, int]] = []
    n_samples = 0
    for clip in speech.clips:
        if parts:
            parts.append(np.zeros(int(GAP_S * RATE_HERTZ), dtype=np.float32))
            n_samples += len(parts[-1])
        places.append((n_samples, clip.start_sample))
        sound = clip.samples.astype(np.float32) / 32768.0
        parts.append(soxr.resample(sound, speech.sample_rate_hertz, RATE_HERTZ, quality="HQ"))
        n_samples += len(parts[-1])
    if not parts:
        return []
    whole = np.concatenate(parts)
    pieces: list[Piece] = []
    start = 0
    while len(whole) - start > LONGEST_PIECE_S * RATE_HERTZ:
        cut = _quietest(
            whole, start + int((LONGEST_PIECE_S - CUT_SEARCH_S) * RATE_HERTZ), int(CUT_SEARCH_S * RATE_HERTZ)
        )
        pieces.append(Piece(whole[start:cut], _shifted(places, start, speech.sample_rate_hertz)))
        start = cut
    pieces.append(Piece(whole[start:], _shifted(places, start, speech.sample_rate_hertz)))
    return pieces


def _shifted(places: list[tuple[int, int]], start: int, rate_hertz: int) -> tuple[tuple[int, int], ...]:
    """The places as seen from `start`."""
    before = [place for place in places if place[0] <= start]
    index, sample = before[-1]
    first = (0, sample + (start - index) * rate_hertz // RATE_HERTZ)
    return (first, *((index - start, sample) for index, sample in places if index > start))


def _quietest(sound: Sound, start: int, length: int) -> int:
    """The middle of the quietest 0.2 s: a pause, where there is one."""
    frames = sound[start : start + length // TOKEN_SAMPLES * TOKEN_SAMPLES].reshape(-1, TOKEN_SAMPLES)
    n_frames = int(CUT_QUIET_S * RATE_HERTZ) // TOKEN_SAMPLES
    energy = np.convolve((frames**2).sum(axis=1), np.ones(n_frames), mode="valid")
    return start + int(np.argmin(energy)) * TOKEN_SAMPLES + n_frames * TOKEN_SAMPLES // 2


def call_sample(piece: Piece, index: int, rate_hertz: int) -> int:
    """Return the sample of the call's clock at an index of the piece's sound."""
    first, sample = next(place for place in reversed(piece.places) if place[0] <= index or place is piece.places[0])
    return sample + (index - first) * rate_hertz // RATE_HERTZ


def spans_within(spans: tuple[Span, ...], piece: Piece, rate_hertz: int) -> tuple[Span, ...]:
    """The spans that begin or end in the piece, cut to it."""
    first = call_sample(piece, 0, rate_hertz)
    last = call_sample(piece, len(piece.sound), rate_hertz)
    within = [Span(max(span.start_sample, first), min(span.end_sample, last)) for span in spans]
    return tuple(span for span in within if span.start_sample < span.end_sample)


def nearest_span(spans: tuple[Span, ...], sample: int) -> int:
    """The number of the span the sample lies in or nearest to."""
    distances = [max(span.start_sample - sample, sample - span.end_sample, 0) for span in spans]
    return distances.index(min(distances))
