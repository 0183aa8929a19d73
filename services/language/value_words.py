"""The words of a language for amounts, by its values.toml. Sans-IO, save for reading it once."""

from dataclasses import dataclass

from services.language import data
from services.language.number_words import NumberWords, number_words
from services.language.phrases import PhraseSet, PhraseTable

FILE = "values"


@dataclass(frozen=True, slots=True)
class ValueWords:
    """One language's words for amounts."""

    currencies: PhraseTable[str]
    small_currencies: PhraseTable[str]
    percent: PhraseSet
    percent_before: PhraseSet
    money_multipliers: PhraseSet
    free_of_charge: PhraseSet
    not_numbers: PhraseSet
    is_large_money: bool
    numbers: NumberWords


def value_words(language_code: str) -> ValueWords:
    """The words of a language. Raises LanguageDataError."""
    return _read(data.known(language_code))


def load() -> None:
    """Read every language, so that no call waits for it."""
    for language in (*data.languages(), data.FALLBACK):
        _read(language)


@data.cached
def _read(language: str) -> ValueWords:
    def listed(key: str) -> PhraseSet:
        return PhraseSet(data.words(language, FILE, key))

    def currencies(key: str) -> PhraseTable[str]:
        return PhraseTable(data.texts(language, FILE, key))

    return ValueWords(
        currencies=currencies("currencies"),
        small_currencies=currencies("small_currencies"),
        percent=listed("percent"),
        percent_before=listed("percent_before"),
        money_multipliers=listed("money_multipliers"),
        free_of_charge=listed("free_of_charge"),
        not_numbers=listed("not_numbers"),
        is_large_money=data.flag(language, FILE, "large_is_money"),
        numbers=number_words(language),
    )
