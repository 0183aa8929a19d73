"""Learns the weights of each language from its talk.

    python -m services.stt_proxy.endings.train [en vi ...]

`talk/` holds what callers say, a turn a line, `|` where the caller pauses. Every pause and every end is an example;
the words between, where hardly anybody pauses, count for little. What is printed was found with each turn left out of
the learning in its time; so was the calibration, after which a probability is that of a pause being the end.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from services.language import data
from services.stt_proxy.endings.features import features_of
from services.stt_proxy.endings.model import BIAS, FILE
from services.stt_proxy.phrasebook import Phrasebook, phrasebook_of

HERE = Path(__file__).parent
PAUSE = "|"
MID_WORDS_WEIGHT = 0.1  # of a place where no pause is marked, beside one where it is
REGULARISATION = 0.4  # inverse strength, of L2
PARTS = 5
LEAST_TURNS = 3  # in which a feature must occur
LEAST_WEIGHT = 0.02  # what weighs less is not written
SHOWN_PERCENT = (1, 2, 5, 10)  # of pauses taken for ends


@dataclass(frozen=True, slots=True)
class Example:
    """A text up to some word of a turn."""

    words: tuple[str, ...]
    leads_on: bool
    is_end: bool
    is_pause: bool  # the caller stops here, for good or not
    turn: int


def examples(lines: Sequence[str], phrasebook: Phrasebook) -> Iterator[Example]:
    """Every prefix of every turn."""
    for turn, line in enumerate(lines):
        stops = []
        words: tuple[str, ...] = ()
        for part in line.split(PAUSE):
            words += phrasebook.tokens(part)
            stops.append(len(words))
        for n_words in range(1, len(words) + 1):
            so_far = words[:n_words]
            yield Example(so_far, phrasebook.leads_on(so_far), n_words == len(words), n_words in stops, turn)


@dataclass(frozen=True, slots=True)
class _Learnt:
    vectorizer: DictVectorizer
    regression: LogisticRegression

    def logits(self, rows: Sequence[dict[str, float]]) -> NDArray[np.float64]:
        return np.asarray(self.regression.decision_function(_narrow(self.vectorizer.transform(rows))))


def _narrow(matrix: Any) -> Any:
    """The solver takes no wide indices."""
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix


def _learn(rows: Sequence[dict[str, float]], ends: NDArray[np.bool_], weights: NDArray[np.float64]) -> _Learnt:
    vectorizer = DictVectorizer()
    matrix = _narrow(vectorizer.fit_transform(rows))
    regression = LogisticRegression(C=REGULARISATION, solver="liblinear", max_iter=500, random_state=0)
    return _Learnt(vectorizer, regression.fit(matrix, ends, sample_weight=weights))


def train(language: str) -> dict[str, float]:
    """Weights by feature, calibrated; prints what cross-validation says of them."""
    lines = (HERE / "talk" / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    found = list(examples(lines, phrasebook_of(language)))
    rows = _rows(found)
    ends = np.array([example.is_end for example in found])
    pauses = np.array([example.is_pause for example in found])
    turns = np.array([example.turn for example in found])
    weights = np.where(pauses, 1.0, MID_WORDS_WEIGHT)
    logits = np.zeros(len(found))
    for inside, outside in GroupKFold(PARTS).split(rows, ends, turns):
        learnt = _learn([rows[i] for i in inside], ends[inside], weights[inside])
        logits[outside] = learnt.logits([rows[i] for i in outside])
    slope, shift = _calibration(logits[pauses], ends[pauses])
    _show(language, len(lines), logits[pauses] * slope + shift, ends[pauses])
    learnt = _learn(rows, ends, weights)
    by_feature = zip(learnt.vectorizer.get_feature_names_out(), learnt.regression.coef_[0], strict=True)
    scaled = {str(feature): float(weight) * slope for feature, weight in by_feature}
    bias = float(learnt.regression.intercept_[0]) * slope + shift
    return {BIAS: bias} | {feature: weight for feature, weight in scaled.items() if abs(weight) >= LEAST_WEIGHT}


def _rows(found: Sequence[Example]) -> list[dict[str, float]]:
    features = [features_of(example.words, leads_on=example.leads_on) for example in found]
    turns = defaultdict[str, set[int]](set)
    for example, its_features in zip(found, features, strict=True):
        for feature in its_features:
            turns[feature].add(example.turn)
    return [
        {feature: 1.0 for feature in its_features if len(turns[feature]) >= LEAST_TURNS} for its_features in features
    ]


def _calibration(logits: NDArray[np.float64], ends: NDArray[np.bool_]) -> tuple[float, float]:
    """Platt's: the slope and shift after which the logits are those of probabilities."""
    scale = LogisticRegression(C=1e6).fit(logits.reshape(-1, 1), ends)
    return float(scale.coef_[0][0]), float(scale.intercept_[0])


def _show(language: str, n_turns: int, logits: NDArray[np.float64], ends: NDArray[np.bool_]) -> None:
    inner, final = np.sort(logits[~ends])[::-1], logits[ends]
    found = []
    for percent in SHOWN_PERCENT:
        threshold = inner[int(len(inner) * percent / 100)]
        share, probability = 100 * float((final > threshold).mean()), 1 / (1 + np.exp(-threshold))
        found.append(f"{share:.0f} % of ends (from {probability:.2f} on)")
    area = roc_auc_score(ends, logits)
    print(f"{language}: {n_turns} turns, {len(inner)} pauses within; area under the curve {area:.3f}")
    for percent, line in zip(SHOWN_PERCENT, found, strict=True):
        print(f"    {percent:3d} % of pauses taken for ends: {line}", flush=True)


def write(language: str, weights: dict[str, float]) -> None:
    """Keep them where the model reads them, the weightiest first."""
    ordered = sorted(weights.items(), key=lambda item: (item[0] != BIAS, -abs(item[1]), item[0]))
    text = "".join(f"{feature}\t{weight:.2f}\n" for feature, weight in ordered)
    (data.folder_of(language) / FILE).write_text(text, encoding="utf-8")


def main() -> None:
    """Train the languages named, or all."""
    for language in sys.argv[1:] or sorted(file.stem for file in (HERE / "talk").glob("*.txt")):
        write(language, train(language))


if __name__ == "__main__":
    main()
