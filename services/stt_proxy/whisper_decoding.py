"""Whisper on a short context: pad to what the speech needs instead of 30 s, and hold the decoder to it.

Whisper (https://arxiv.org/abs/2212.04356) pads every input to 30 s, which costs ten times what a telephone utterance
needs. Given only max(8 s, length + 2 s) it hears as well, but runs on past the end now and then: so the tokens are
capped by the length of the speech, and repeats are cut.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import ctranslate2
import numpy as np
import soxr
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from services.language.script import script_of
from services.runtime.errors import StartupError
from services.stt_proxy.decoding import Stopped
from services.stt_proxy.engine import Segment, Span, Speech
from services.stt_proxy.favouring import counts, is_worth_favouring
from services.stt_proxy.inventions import is_invented
from services.stt_proxy.language_choice import choose_language
from services.stt_proxy.long_speech import DecodedPiece, DecodedPieces, behind
from services.stt_proxy.repeats import cut_repeats

RATE_HERTZ = 16000
FRAME_SAMPLES = 160
TOKEN_SAMPLES = 320  # the alignment's step: 20 ms
SHORTEST_CONTEXT_S = 8.0
PADDING_S = 2.0
LONGEST_PIECE_S = 15.0  # decoded in one go; of longer speech the beginning is decoded once, while the caller speaks on
CUT_SEARCH_S = 6.0  # a piece ends at the quietest place of its last seconds
CUT_QUIET_S = 0.2  # what must be quiet: longer than the closure of a stop consonant
GAP_S = 0.3  # silence put between stretches that lay far apart
TOKENS_AT_LEAST = 8
MOST_PHRASE_TOKENS = 96

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The words of one Speech."""

    text: str
    language: str  # Whisper's code
    confidence: float | None  # 0 to 1: the tokens' geometric mean; None when there are none
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What Whisper writes for a stretch of sound, before it is judged."""

    ids: list[int]
    text: str
    score: float  # mean log probability of a token
    no_speech: float  # how likely nobody spoke, by Whisper itself

    @property
    def confidence(self) -> float:
        """The tokens' geometric mean, 0 to 1."""
        return math.exp(min(0.0, self.score))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Sound that is decoded in one go, and where it lies."""

    sound: Sound
    places: tuple[tuple[int, int], ...]  # pairs: first index in `sound`, the sample of the call it came from


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be decoded, and how."""

    speech: Speech
    languages: tuple[str, ...]
    phrases: tuple[str, ...]
    pieces: DecodedPieces
    stop: Event
    current: str = ""  # the language the call is in, Whisper's code; empty: not known


class ShortContextWhisper:
    """A loaded model. `decode` may run in several threads at once, each costing one core."""

    def __init__(self, folder: Path, *, n_workers: int) -> None:
        """Raises StartupError when the folder holds no Whisper model."""
        try:
            self._model = WhisperModel(
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=1,
                num_workers=n_workers,
                local_files_only=True,
            )
        except Exception as error:  # the library raises RuntimeError and ValueError without a common base
            raise StartupError(f"the Whisper model in {folder} cannot be loaded: {error}") from error
        tokenizer = self._model.hf_tokenizer
        self._tokenizer = tokenizer
        self._start = tokenizer.token_to_id("<|startoftranscript|>")
        self._previous = tokenizer.token_to_id("<|startofprev|>")
        self._transcribe = tokenizer.token_to_id("<|transcribe|>")
        self._no_times = tokenizer.token_to_id("<|notimestamps|>")
        self._first_time = self._no_times + 1
        self._is_multilingual = bool(self._model.model.is_multilingual)
        self.languages: tuple[str, ...] = tuple(sorted(self._model.supported_languages))

    def decode(
        self,
        speech: Speech,
        languages: tuple[str, ...],
        *,
        phrases: tuple[str, ...] = (),
        pieces: DecodedPieces | None = None,
        stop: Event | None = None,
        current: str = "",
    ) -> Decoded:
        """Put it into words, in one of `languages` (Whisper's codes; empty: any). Blocks for about 0.2 s.

        What `pieces` hold of it is not decoded again, and the pieces that are complete are added. Raises Stopped soon
        after `stop` is set.
        """
        order = _Order(speech, languages, phrases, pieces or DecodedPieces(), stop or Event(), current)
        parts, last = self._decode_complete(order)
        if last is not None:
            parts.append(self._decode_piece(last, order, parts))
        return _joined(parts, languages)

    def decode_ahead(
        self,
        speech: Speech,
        languages: tuple[str, ...],
        *,
        phrases: tuple[str, ...],
        pieces: DecodedPieces,
        stop: Event,
        current: str = "",
    ) -> None:
        """Decode the pieces of it that are complete, and add them to `pieces`. Raises Stopped."""
        self._decode_complete(_Order(speech, languages, phrases, pieces, stop, current))

    def detect(self, speech: Speech, languages: tuple[str, ...]) -> dict[str, float]:
        """How likely each of `languages` is by the first piece of the speech. Blocks for about 0.15 s."""
        pieces = _pieces(speech)
        return self._probabilities(self._encode(pieces[0].sound), languages) if pieces else {}

    def write(self, speech: Speech, language: str, phrases: tuple[str, ...] = ()) -> Written:
        """What Whisper writes for speech of one piece, judged by nobody: for measurements."""
        [piece] = _pieces(speech)
        return self._generate(self._encode(piece.sound), language, len(piece.sound) / RATE_HERTZ, phrases)

    def encode_only(self, speech: Speech) -> None:
        """The part of `write` that does not depend on phrases: for measurements."""
        [piece] = _pieces(speech)
        self._encode(piece.sound)

    def _decode_complete(self, order: _Order) -> tuple[list[DecodedPiece], _Piece | None]:
        """The words of every piece but the last, and the last, which may yet grow."""
        parts = list(order.pieces.within(order.speech))
        pieces = _pieces(behind(order.speech, parts[-1].end_sample) if parts else order.speech)
        for piece in pieces[:-1]:
            parts.append(self._decode_piece(piece, order, parts))
            order.pieces.add(parts[-1])
        return parts, pieces[-1] if pieces else None

    def _decode_piece(self, piece: _Piece, order: _Order, before: list[DecodedPiece]) -> DecodedPiece:
        speech, languages = order.speech, order.languages
        rate_hertz = speech.sample_rate_hertz
        _check(order.stop)
        encoded = self._encode(piece.sound)
        _check(order.stop)
        language = languages[0] if len(languages) == 1 else next((one.language for one in before if one.language), "")
        if not language:
            spoken_s = sum(span.end_sample - span.start_sample for span in speech.spans) / rate_hertz
            language = choose_language(order.current, self._probabilities(encoded, languages), spoken_s)
        seconds = len(piece.sound) / RATE_HERTZ
        written = self._generate(encoded, language, seconds, ())
        _check(order.stop)
        if is_worth_favouring(written.text, order.phrases):
            favoured = self._generate(encoded, language, seconds, order.phrases)
            _check(order.stop)
            if counts(written.text, written.score, favoured.text, favoured.score):
                written = favoured
        ids, whole, score = written.ids, written.text, written.score
        is_nothing = is_invented(whole, language, written.confidence, written.no_speech)
        text = "" if is_nothing else cut_repeats(whole, language)
        spans = _spans_within(speech.spans, piece, rate_hertz)
        segments: list[Segment] = []
        if text and len(spans) > 1 and text == whole:
            segments = self._place(encoded, ids, language, piece=piece, spans=spans, rate_hertz=rate_hertz)
        elif text and spans:
            segments = [Segment(text, spans[0].start_sample, spans[-1].end_sample, written.confidence)]
        start, end = _call_sample(piece, 0, rate_hertz), _call_sample(piece, len(piece.sound), rate_hertz)
        return DecodedPiece(
            speech.utterance_id, start, end, language, text, score, len(ids) if text else 0, tuple(segments)
        )

    def _encode(self, sound: Sound) -> ctranslate2.StorageView:
        padded_s = max(SHORTEST_CONTEXT_S, len(sound) / RATE_HERTZ + PADDING_S)
        n_samples = math.ceil(padded_s * RATE_HERTZ / TOKEN_SAMPLES) * TOKEN_SAMPLES
        padded = np.zeros(n_samples, dtype=np.float32)
        padded[: len(sound)] = sound
        features = self._model.feature_extractor(padded, padding=0)[:, : n_samples // FRAME_SAMPLES]
        return self._model.encode(np.ascontiguousarray(features))

    def _probabilities(self, encoded: ctranslate2.StorageView, languages: tuple[str, ...]) -> dict[str, float]:
        """How likely each of `languages` is, or each that Whisper knows."""
        if not self._is_multilingual:
            return {"en": 1.0}
        ranked = self._model.model.detect_language(encoded)[0]  # pairs as "<|en|>", 0.9
        found = {token.strip("<|>"): float(probability) for token, probability in ranked}
        return {code: found[code] for code in found if code in languages} or found

    def _prompt(self, language: str) -> list[int]:
        if not self._is_multilingual:
            return [self._start]
        return [self._start, self._tokenizer.token_to_id(f"<|{language}|>"), self._transcribe]

    def _favour(self, phrases: tuple[str, ...]) -> list[int]:
        """Words to favour, as Whisper takes them: as the text before this one."""
        if not phrases:
            return []
        ids: list[int] = self._tokenizer.encode(" " + ", ".join(phrases), add_special_tokens=False).ids
        return [self._previous, *ids[:MOST_PHRASE_TOKENS]]

    def _generate(
        self, encoded: ctranslate2.StorageView, language: str, seconds: float, phrases: tuple[str, ...]
    ) -> Written:
        prompt = [*self._favour(phrases), *self._prompt(language), self._no_times]
        n_tokens = int(TOKENS_AT_LEAST + script_of(language).tokens_per_s * seconds)
        result = self._model.model.generate(
            encoded, [prompt], beam_size=1, max_length=len(prompt) + n_tokens, suppress_blank=True,
            suppress_tokens=[-1], return_scores=True, return_no_speech_prob=True,
        )[0]  # fmt: skip
        ids = [token for token in result.sequences_ids[0] if token < self._first_time]
        return Written(ids, self._tokenizer.decode(ids).strip(), float(result.scores[0]), float(result.no_speech_prob))

    def _place(
        self,
        encoded: ctranslate2.StorageView,
        ids: list[int],
        language: str,
        *,
        piece: _Piece,
        spans: tuple[Span, ...],
        rate_hertz: int,
    ) -> list[Segment]:
        """Which words belong to which span, by where the decoder looked while it wrote them."""
        n_frames = len(piece.sound) // FRAME_SAMPLES
        aligned = self._model.model.align(encoded, self._prompt(language), [ids], [n_frames], median_filter_width=7)[0]
        last_step: dict[int, int] = {}  # not the first: the silence before a word is laid to the word
        for token, step in aligned.alignments:
            last_step[int(token)] = int(step)
        groups: list[list[int]] = [[] for _ in spans]
        current = 0
        for index, token in enumerate(ids):
            begins_word = not script_of(language).is_spaced or self._tokenizer.decode([token]).startswith(" ")
            if begins_word and index in last_step:
                sample = _call_sample(piece, last_step[index] * TOKEN_SAMPLES, rate_hertz)
                current = max(current, _nearest(spans, sample))
            groups[current].append(token)
        placed = zip(spans, (self._tokenizer.decode(group).strip() for group in groups), strict=True)
        return [Segment(text, span.start_sample, span.end_sample) for span, text in placed if text]


def _check(stop: Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped


def _joined(parts: list[DecodedPiece], languages: tuple[str, ...]) -> Decoded:
    """The words of all the pieces."""
    said = [part for part in parts if part.text]
    language = languages[0] if len(languages) == 1 else next((part.language for part in parts if part.language), "")
    n_tokens = sum(part.n_tokens for part in said)
    mean = sum(part.score * part.n_tokens for part in said) / n_tokens if n_tokens else None
    text = (" " if script_of(language).is_spaced else "").join(part.text for part in said)
    segments = tuple(segment for part in said for segment in part.segments)
    return Decoded(text, language, None if mean is None else math.exp(min(0.0, mean)), segments)


def _pieces(speech: Speech) -> list[_Piece]:
    """The clips at Whisper's rate, joined, and cut again where they are too long for one go."""
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
    pieces: list[_Piece] = []
    start = 0
    while len(whole) - start > LONGEST_PIECE_S * RATE_HERTZ:
        cut = _quietest(
            whole, start + int((LONGEST_PIECE_S - CUT_SEARCH_S) * RATE_HERTZ), int(CUT_SEARCH_S * RATE_HERTZ)
        )
        pieces.append(_Piece(whole[start:cut], _shifted(places, start, speech.sample_rate_hertz)))
        start = cut
    pieces.append(_Piece(whole[start:], _shifted(places, start, speech.sample_rate_hertz)))
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


def _call_sample(piece: _Piece, index: int, rate_hertz: int) -> int:
    """Where on the call's clock an index of the piece's sound lies."""
    first, sample = next(place for place in reversed(piece.places) if place[0] <= index or place is piece.places[0])
    return sample + (index - first) * rate_hertz // RATE_HERTZ


def _spans_within(spans: tuple[Span, ...], piece: _Piece, rate_hertz: int) -> tuple[Span, ...]:
    """The spans that begin or end in the piece, cut to it."""
    first = _call_sample(piece, 0, rate_hertz)
    last = _call_sample(piece, len(piece.sound), rate_hertz)
    within = [Span(max(span.start_sample, first), min(span.end_sample, last)) for span in spans]
    return tuple(span for span in within if span.start_sample < span.end_sample)


def _nearest(spans: tuple[Span, ...], sample: int) -> int:
    """The number of the span the sample lies in or nearest to."""
    distances = [max(span.start_sample - sample, sample - span.end_sample, 0) for span in spans]
    return distances.index(min(distances))
