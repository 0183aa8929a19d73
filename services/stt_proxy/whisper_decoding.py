"""Whisper on a short context: padded to the length of the speech instead of 30 s, with the decoder held to it.

Whisper (https://arxiv.org/abs/2212.04356) pads every input to 30 s, which costs ten times what a telephone utterance
needs. Given only max(8 s, length + 2 s) it recognises as well, but runs on past the end now and then: so the tokens are
capped by the length of the speech, and repeats are cut.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Lock

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from services.language.script import script_of
from services.runtime.cpu import has_busy_cores, usable_cpus
from services.stt_proxy.decoding import Stopped
from services.stt_proxy.engine import Segment, Speech, Word
from services.stt_proxy.favouring import MOST_PHRASES, counts, is_worth_favouring, nearest
from services.stt_proxy.inventions import is_invented
from services.stt_proxy.language_choice import choose_language
from services.stt_proxy.long_speech import Decoded, DecodedPiece, DecodedPieces, behind, joined
from services.stt_proxy.repeats import cut_repeats
from services.stt_proxy.whisper_model import WhisperOptions, load_whisper
from services.stt_proxy.whisper_pieces import (
    RATE_HERTZ,
    TOKEN_SAMPLES,
    Piece,
    Sound,
    call_sample,
    cut_pieces,
    spans_within,
)
from services.stt_proxy.whisper_words import placed_words, segments_of, word_groups

FRAME_SAMPLES = 160
SHORTEST_CONTEXT_S = 8.0
PADDING_S = 2.0
TOKENS_AT_LEAST = 8
MOST_PHRASE_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Written:
    """Whisper's text for a stretch of sound, before it is judged."""

    ids: list[int]
    text: str
    score: float  # mean log probability of a token
    no_speech: float  # probability of no speech, by Whisper itself

    @property
    def confidence(self) -> float:
        """The tokens' geometric mean, 0 to 1."""
        return math.exp(min(0.0, self.score))


@dataclass(frozen=True, slots=True)
class _Order:
    """One decode: the sound, and how it is decoded."""

    model: WhisperModel
    speech: Speech
    languages: tuple[str, ...]
    phrases: tuple[str, ...]
    pieces: DecodedPieces
    stop: Event
    current: str = ""  # the language the call is in, Whisper's code; empty: not known


class ShortContextWhisper:
    """A loaded model. `decode` may run in several threads at once, each costing one core."""

    def __init__(self, folder: Path, *, n_workers: int, options: WhisperOptions | None = None) -> None:
        """Raises StartupError when the folder holds no Whisper model, or the device cannot run it."""
        self._options = options = options or WhisperOptions()
        self._model = load_whisper(folder, options, n_workers=n_workers, n_threads=1)
        self._lone: WhisperModel | None = None
        if options.device == "cpu" and options.lone_threads > 1 and usable_cpus() > 1:
            n_threads = min(options.lone_threads, usable_cpus())
            self._lone = load_whisper(folder, options, n_workers=1, n_threads=n_threads)
        self._lone_is_free = Lock()
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
        """Decode a Speech, in one of `languages` (Whisper's codes; empty: any). Blocks for about 0.2 s.

        What `pieces` hold of it is not decoded again, and the pieces that are complete are added. Raises Stopped soon
        after `stop` is set.
        """
        with self._chosen() as model:
            order = _Order(model, speech, languages, phrases, pieces or DecodedPieces(), stop or Event(), current)
            parts, last = self._decode_complete(order)
            if last is not None:
                parts.append(self._decode_piece(last, order, parts))
        return joined(parts, languages)

    def decode_together(self, asked: Sequence[tuple[Speech, tuple[str, ...], tuple[str, ...], str]]) -> list[Decoded]:
        """Decode several Speeches of one piece in one batch. Of each: the Speech, its languages, its phrases, and the
        language that its call is in. Blocks for longer than `decode`, and for less than one `decode` each.
        """
        orders = [
            _Order(self._model, speech, languages, phrases, DecodedPieces(), Event(), current)
            for speech, languages, phrases, current in asked
        ]
        pieces = []
        for order in orders:
            [piece] = cut_pieces(order.speech)  # with more the batch fails, and each is decoded alone
            pieces.append(piece)
        encoded = self._encode(self._model, *(piece.sound for piece in pieces))
        sounds = []
        asked_for = [order.languages for order in orders]
        is_told = all(len(languages) == 1 for languages in asked_for)
        probabilities = [{}] * len(orders) if is_told else self._probabilities(self._model, encoded, asked_for)
        for order, piece, known in zip(orders, pieces, probabilities, strict=True):
            spoken_s = (
                sum(one.end_sample - one.start_sample for one in order.speech.spans) / order.speech.sample_rate_hertz
            )
            is_known = len(order.languages) == 1
            language = order.languages[0] if is_known else choose_language(order.current, known, spoken_s)
            sounds.append((language, len(piece.sound) / RATE_HERTZ))
        written = self._generate(self._model, encoded, sounds)
        decoded = []
        for order, piece, (language, _), text in zip(orders, pieces, sounds, written, strict=True):
            part = self._judged(piece, order, language, text, partial(self._encode, self._model, piece.sound))
            decoded.append(joined([part], order.languages))
        return decoded

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
        """Decode the complete pieces of a Speech, and add them to `pieces`. Raises Stopped."""
        self._decode_complete(_Order(self._model, speech, languages, phrases, pieces, stop, current))

    def detect(self, speech: Speech, languages: tuple[str, ...]) -> dict[str, float]:
        """Return the probability of each of `languages` by the first piece of the speech. Blocks for about 0.15 s."""
        pieces = cut_pieces(speech)
        return (
            self._probabilities(self._model, self._encode(self._model, pieces[0].sound), [languages])[0]
            if pieces
            else {}
        )

    def write(self, speech: Speech, language: str, phrases: tuple[str, ...] = ()) -> Written:
        """Return Whisper's text for speech of one piece, unjudged: for measurements."""
        [piece] = cut_pieces(speech)
        encoded = self._encode(self._model, piece.sound)
        return self._generate(self._model, encoded, [(language, len(piece.sound) / RATE_HERTZ)], phrases)[0]

    def encode_only(self, speech: Speech) -> None:
        """The part of `write` that does not depend on phrases: for measurements."""
        [piece] = cut_pieces(speech)
        self._encode(self._model, piece.sound)

    @contextmanager
    def _chosen(self) -> Iterator[WhisperModel]:
        """Return the model with several threads, where it is unused and a core idles; else the model with one
        thread.
        """
        if self._lone is None or has_busy_cores() or not self._lone_is_free.acquire(blocking=False):
            yield self._model
            return
        try:
            yield self._lone
        finally:
            self._lone_is_free.release()

    def _decode_complete(self, order: _Order) -> tuple[list[DecodedPiece], Piece | None]:
        """The words of every piece but the last, and the last, which may yet grow."""
        parts = list(order.pieces.within(order.speech))
        pieces = cut_pieces(behind(order.speech, parts[-1].end_sample) if parts else order.speech)
        for piece in pieces[:-1]:
            parts.append(self._decode_piece(piece, order, parts))
            order.pieces.add(parts[-1])
        return parts, pieces[-1] if pieces else None

    def _decode_piece(self, piece: Piece, order: _Order, before: list[DecodedPiece]) -> DecodedPiece:
        speech, languages = order.speech, order.languages
        rate_hertz = speech.sample_rate_hertz
        _check(order.stop)
        model = order.model
        encoded = self._encode(model, piece.sound)
        _check(order.stop)
        language = languages[0] if len(languages) == 1 else next((one.language for one in before if one.language), "")
        if not language:
            spoken_s = sum(span.end_sample - span.start_sample for span in speech.spans) / rate_hertz
            language = choose_language(order.current, self._probabilities(model, encoded, [languages])[0], spoken_s)
        [written] = self._generate(model, encoded, [(language, len(piece.sound) / RATE_HERTZ)])
        return self._judged(piece, order, language, written, lambda: encoded)

    def _judged(
        self,
        piece: Piece,
        order: _Order,
        language: str,
        written: Written,
        encode: Callable[[], ctranslate2.StorageView],
    ) -> DecodedPiece:
        """The piece with its text: its phrases put right, nothing where it is invented, each part in its place."""
        model, speech, rate_hertz = order.model, order.speech, order.speech.sample_rate_hertz
        _check(order.stop)
        phrases = self._fitting(written.text, order.phrases)
        if is_worth_favouring(written.text, phrases):
            seconds = len(piece.sound) / RATE_HERTZ
            [favoured] = self._generate(model, encode(), [(language, seconds)], phrases)
            _check(order.stop)
            if counts(written.text, written.score, favoured.text, favoured.score):
                written = favoured
        ids, whole, score = written.ids, written.text, written.score
        is_nothing = is_invented(whole, language, written.confidence, written.no_speech)
        text = "" if is_nothing else cut_repeats(whole, language)
        spans = spans_within(speech.spans, piece, rate_hertz)
        segments: list[Segment] = []
        if text and spans and text == whole and (len(spans) > 1 or self._options.says_words):
            words = self._place(model, encode(), ids, language, piece=piece, rate_hertz=rate_hertz)
            segments = segments_of(words, spans, language, with_words=self._options.says_words)
        elif text and spans:
            segments = [Segment(text, spans[0].start_sample, spans[-1].end_sample, written.confidence)]
        start, end = call_sample(piece, 0, rate_hertz), call_sample(piece, len(piece.sound), rate_hertz)
        return DecodedPiece(
            speech.utterance_id, start, end, language, text, score, len(ids) if text else 0, tuple(segments)
        )

    def _encode(self, model: WhisperModel, *sounds: Sound) -> ctranslate2.StorageView:
        padded_s = max(SHORTEST_CONTEXT_S, max(map(len, sounds)) / RATE_HERTZ + PADDING_S)
        n_samples = math.ceil(padded_s * RATE_HERTZ / TOKEN_SAMPLES) * TOKEN_SAMPLES
        features = []
        for sound in sounds:
            padded = np.zeros(n_samples, dtype=np.float32)
            padded[: len(sound)] = sound
            features.append(model.feature_extractor(padded, padding=0)[:, : n_samples // FRAME_SAMPLES])
        return model.encode(np.ascontiguousarray(np.stack(features)))

    def _probabilities(
        self, model: WhisperModel, encoded: ctranslate2.StorageView, languages: Sequence[tuple[str, ...]]
    ) -> list[dict[str, float]]:
        """Return for each sound the probability of each of its `languages`, or of each that Whisper knows."""
        if not self._is_multilingual:
            return [{"en": 1.0} for _ in languages]
        probabilities = []
        for ranked, wanted in zip(model.model.detect_language(encoded), languages, strict=True):
            found = {token.strip("<|>"): float(probability) for token, probability in ranked}  # "<|en|>", 0.9
            probabilities.append({code: found[code] for code in found if code in wanted} or found)
        return probabilities

    def _prompt(self, language: str) -> list[int]:
        if not self._is_multilingual:
            return [self._start]
        return [self._start, self._tokenizer.token_to_id(f"<|{language}|>"), self._transcribe]

    def _fitting(self, plain: str, phrases: tuple[str, ...]) -> tuple[str, ...]:
        """Return the phrases to favour: as many as fit before a text, the nearest to the plain one if not all do."""
        if len(phrases) <= MOST_PHRASES and len(self._phrase_ids(phrases)) <= MOST_PHRASE_TOKENS:
            return phrases
        fitting = nearest(plain, phrases)
        while len(fitting) > 1 and len(self._phrase_ids(fitting)) > MOST_PHRASE_TOKENS:
            fitting = fitting[: len(fitting) * 3 // 4]
        return fitting

    def _phrase_ids(self, phrases: tuple[str, ...]) -> list[int]:
        ids: list[int] = self._tokenizer.encode(" " + ", ".join(phrases), add_special_tokens=False).ids
        return ids

    def _favour(self, phrases: tuple[str, ...]) -> list[int]:
        """Return the phrases as Whisper takes them: as the text before this one."""
        if not phrases:
            return []
        return [self._previous, *self._phrase_ids(phrases)[:MOST_PHRASE_TOKENS]]

    def _generate(
        self,
        model: WhisperModel,
        encoded: ctranslate2.StorageView,
        sounds: Sequence[tuple[str, float]],
        phrases: tuple[str, ...] = (),
    ) -> list[Written]:
        """The text of each sound, of which the language and the seconds are given. CTranslate2 wants prompts of one
        length, which all are with the same phrases.
        """
        prompts = [[*self._favour(phrases), *self._prompt(language), self._no_times] for language, _ in sounds]
        most = [int(TOKENS_AT_LEAST + script_of(language).tokens_per_s * seconds) for language, seconds in sounds]
        results = model.model.generate(
            encoded, prompts, beam_size=self._options.beam_size, max_length=len(prompts[0]) + max(most),
            suppress_blank=True, suppress_tokens=[-1], return_scores=True, return_no_speech_prob=True,
        )  # fmt: skip
        written = []
        for result, n_tokens in zip(results, most, strict=True):
            ids = [token for token in result.sequences_ids[0][:n_tokens] if token < self._first_time]
            text = self._tokenizer.decode(ids).strip()
            written.append(Written(ids, text, float(result.scores[0]), float(result.no_speech_prob)))
        return written

    def _place(
        self,
        model: WhisperModel,
        encoded: ctranslate2.StorageView,
        ids: list[int],
        language: str,
        *,
        piece: Piece,
        rate_hertz: int,
    ) -> list[Word]:
        """Return the words with the places at which the decoder's attention lay."""
        n_frames = len(piece.sound) // FRAME_SAMPLES
        aligned = model.model.align(encoded, self._prompt(language), [ids], [n_frames], median_filter_width=7)[0]
        steps = [(int(token), int(step)) for token, step in aligned.alignments]
        tokens = [self._tokenizer.decode([token]) for token in ids]
        groups = word_groups(ids, tokens, is_spaced=script_of(language).is_spaced)
        texts = [self._tokenizer.decode([ids[index] for index in group]) for group in groups]

        def place(step: int) -> int:
            return call_sample(piece, min(step * TOKEN_SAMPLES, len(piece.sound)), rate_hertz)

        return placed_words(texts, groups, steps, list(aligned.text_token_probs), place=place)


def _check(stop: Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped
