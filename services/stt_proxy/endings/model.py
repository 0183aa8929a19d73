"""A language's model: logistic regression over the features of a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from services.language import data
from services.stt_proxy.endings.features import features_of

BIAS = "bias"
LONGEST_TEXT_WORDS = 60  # of a longer one the end is looked at: the time it takes stays bounded
FILE = "ending_weights.tsv"


@dataclass(frozen=True, slots=True)
class EndingModel:
    """Weights by feature; a feature that is not listed weighs nothing."""

    weights: Mapping[str, float]

    def probability(self, words: Sequence[str], *, leads_on: bool) -> float:
        """How likely a caller who pauses behind these words is through, 0 to 1. See `features_of`."""
        weights = self.weights
        found = features_of(words[-LONGEST_TEXT_WORDS:], leads_on=leads_on)
        logit = weights.get(BIAS, 0.0) + sum(weights.get(feature, 0.0) for feature in found)
        return 1.0 / (1.0 + exp(-max(-30.0, min(30.0, logit))))


def load_ending_models() -> None:
    """Read every language, so that no call waits for it."""
    for language in data.languages():
        ending_model_of(language)


@data.cached
def ending_model_of(language: str) -> EndingModel | None:
    """The model of a phrasebook's language; None where nothing was learnt. Raises LanguageDataError."""
    file = data.folder_of(language) / FILE
    if not file.is_file():
        return None
    lines = data.read_text(language, FILE).splitlines()
    try:
        return EndingModel({feature: float(weight) for feature, weight in (line.split("\t") for line in lines)})
    except ValueError:
        number = next(number for number, line in enumerate(lines, 1) if not _has_weight(line))
        raise data.LanguageDataError(f"{file.parent.name}/{FILE}: line {number} has no weight") from None


def _has_weight(line: str) -> bool:
    feature, *weights = line.split("\t")
    try:
        return bool(feature) and len([float(weight) for weight in weights]) == 1
    except ValueError:
        return False
