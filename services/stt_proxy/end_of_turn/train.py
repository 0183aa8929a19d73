"""Training of the ending models from each language's talk.

    python -m services.stt_proxy.end_of_turn.train ru zh

`talk/` holds what callers say, a turn a line, `|` where the caller pauses. Every pause and every end is an example;
the words between, where hardly a caller pauses, count for little. What is printed was found with each turn left out of
the learning in its time; so was the calibration, after which a probability is that of a pause being an end.

The weights of Russian and Chinese are what this command learns. Those of English and Vietnamese are older: they were
learnt, with the same penalty, before the lines that share five words in a row with a measured sentence were taken out
of the talk, and are kept because they cut off fewer turns (docs/ENDPOINTING.md has both figures). So the
languages must be named: nothing is written over that was not asked for.
"""

import argparse
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.language import data
from services.language.words import normalise
from services.stt_proxy.end_of_turn.ending_model import BIAS, FILE
from services.stt_proxy.end_of_turn.features import text_features
from services.stt_proxy.end_of_turn.regression import Design, fit
from services.stt_proxy.phrasebook import Phrasebook, phrasebook_of

TALK = Path(__file__).parent / "talk"
PAUSE = "|"
MID_WORDS_WEIGHT = 0.1  # of a place where no pause is marked, beside one where it is
L2 = 2.5  # the penalty; 5 and 10 tell ends from pauses better on the talk, but "Goodbye" then waits
PARTS = 5
LEAST_TURNS = 3  # in which a feature must occur
LEAST_WEIGHT = 0.02  # what weighs less is not written
SHOWN_PERCENT = (1, 2, 5, 10)  # of pauses taken for ends


@dataclass(frozen=True, slots=True)
class Example:
    """A text up to some word of a turn."""

    features: frozenset[str]
    is_end: bool
    is_pause: bool  # the caller stops here, at the end of the turn or inside it
    turn: int


def read_talk(language: str) -> list[str]:
    """The turns of a language's talk."""
    return (TALK / f"{language}.txt").read_text(encoding="utf-8").splitlines()


def examples(lines: Sequence[str], phrasebook: Phrasebook) -> Iterator[Example]:
    """Every prefix of every turn."""
    gap = " " if phrasebook.is_spaced else ""
    for turn, line in enumerate(lines):
        stops = []
        words: tuple[str, ...] = ()
        for part in line.split(PAUSE):
            said = normalise(part)
            words += said if phrasebook.is_spaced else tuple("".join(said))
            stops.append(len(words))
        for n_words in range(1, len(words) + 1):
            found = frozenset(text_features(gap.join(words[:n_words]), phrasebook))
            yield Example(found, n_words == len(words), n_words in stops, turn)


def train(language: str) -> dict[str, float]:
    """Weights by feature, calibrated; prints what cross-validation says of them."""
    lines = read_talk(language)
    found = list(examples(lines, phrasebook_of(language)))
    ends = np.array([example.is_end for example in found])
    pauses = np.array([example.is_pause for example in found])
    turns = np.array([example.turn for example in found])
    weights = np.where(pauses, 1.0, MID_WORDS_WEIGHT)
    names = _names(found)
    design = Design.of([example.features for example in found], names)
    logits = np.zeros(len(found))
    for part in range(PARTS):
        is_outside = turns % PARTS == part
        learnt = fit(design, ends, np.where(is_outside, 0.0, weights), l2=L2)
        logits[is_outside] = design.dot(learnt)[is_outside]
    slope, shift = _calibration(logits[pauses], ends[pauses])
    _show(language, len(lines), logits[pauses] * slope + shift, ends[pauses])
    learnt = fit(design, ends, weights, l2=L2)
    scaled = {name: float(weight) * slope for name, weight in zip(names, learnt[:-1], strict=True)}
    bias = float(learnt[-1]) * slope + shift
    return {BIAS: bias} | {name: weight for name, weight in scaled.items() if abs(weight) >= LEAST_WEIGHT}


def _names(found: Collection[Example]) -> list[str]:
    turns = defaultdict[str, set[int]](set)
    for example in found:
        for feature in example.features:
            turns[feature].add(example.turn)
    return sorted(feature for feature, its_turns in turns.items() if len(its_turns) >= LEAST_TURNS)


def _calibration(logits: NDArray[np.float64], ends: NDArray[np.bool_]) -> tuple[float, float]:
    """Platt's: the slope and shift after which the logits are those of probabilities; by Newton's method."""
    slope, shift = 1.0, 0.0
    for _ in range(25):
        p = 1 / (1 + np.exp(-(slope * logits + shift)))
        wrong, certain = p - ends, p * (1 - p)
        gradient = np.array([(wrong * logits).sum(), wrong.sum()])
        cross = (certain * logits).sum()
        step = np.linalg.solve(np.array([[(certain * logits**2).sum(), cross], [cross, certain.sum()]]), gradient)
        slope, shift = slope - step[0], shift - step[1]
    return float(slope), float(shift)


def _show(language: str, n_turns: int, logits: NDArray[np.float64], ends: NDArray[np.bool_]) -> None:
    inner, final = np.sort(logits[~ends])[::-1], logits[ends]
    area = float((np.searchsorted(inner[::-1], final)).mean() / len(inner))
    print(f"{language}: {n_turns} turns, {len(inner)} pauses within; area under the curve {area:.3f}")
    for percent in SHOWN_PERCENT:
        threshold = inner[int(len(inner) * percent / 100)]
        share, probability = 100 * float((final > threshold).mean()), 1 / (1 + np.exp(-threshold))
        print(
            f"    {percent:3d} % of pauses taken for ends: {share:.0f} % of ends (from {probability:.2f} on)",
            flush=True,
        )


def written(weights: dict[str, float]) -> str:
    """The file of the weights: in the order of the features, so that a change shows what it changed."""
    ordered = sorted(weights.items(), key=lambda item: (item[0] != BIAS, item[0]))
    return "".join(f"{feature}\t{weight:.2f}\n" for feature, weight in ordered)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the languages named."""
    parser = argparse.ArgumentParser(prog="python -m services.stt_proxy.end_of_turn.train", description=__doc__)
    parser.add_argument("languages", nargs="+", choices=sorted(file.stem for file in TALK.glob("*.txt")))
    for language in parser.parse_args(arguments).languages:
        (data.folder_of(language) / FILE).write_text(written(train(language)), encoding="utf-8")


if __name__ == "__main__":
    main()
