"""A language's model of how turns end: logistic regression over the features of a text."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.language import data
from services.stt_proxy.end_of_turn.features import LEADS_ON

BIAS = "bias"
FILE = "ending_weights.tsv"


@dataclass(frozen=True, slots=True)
class EndingModel:
    """Weights by feature; a feature that is not listed weighs nothing."""

    weights: Mapping[str, float]

    def log_odds(self, features: Collection[str]) -> float:
        """Return the log odds that a caller who pauses behind a text with these features has finished."""
        weights = self.weights
        return weights.get(BIAS, 0.0) + sum(weights.get(feature, 0.0) for feature in features)


UNLEARNT = EndingModel({BIAS: 1.5, LEADS_ON: -4.0})
"""For a language without talk: its lists alone decide."""


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
