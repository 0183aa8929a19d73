"""Text as written to text as spoken, by language."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.language.data import cached, languages, primary
from services.language.reading import english, general, vietnamese
from services.language.reading.rule import Rule
from services.language.reading.spoken import Rewrite, Spoken, first_come

RULES: dict[str, Callable[[str], Sequence[Rule]]] = {"en": english.rules, "vi": vietnamese.rules}
"""Language -> its rules for a BCP-47 tag, where data alone does not do; other languages with a folder are `general`."""

UNSAID = Rule(re.compile(r"[*_`#~^|<>\[\]{}\\\u200d\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]+"), lambda _: " ")
"""Signs of a written page and pictures, which nobody says; read last, so that a rule may still make use of them."""

COMPOSED = Rule(re.compile(r"\w[\u0300-\u036f]+"), lambda match: unicodedata.normalize("NFC", match[0]))
"""Letters with their accents in one, as engines know them."""


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How to say one word: `written` as a whole word in any case, `spoken` in its place."""

    written: str
    spoken: str
    language_code: str = ""  # empty: every one


class Normalizer:
    """Rewrites clauses. `lexicon` comes before every rule."""

    def __init__(self, lexicon: Sequence[Pronunciation] = ()) -> None:
        self._lexicon = [(primary(word.language_code), _lexicon_rule(word)) for word in lexicon]

    def speak(self, text: str, language_code: str) -> Spoken:
        """What to say for `text`."""
        return first_come(text, self._rewrites(text, language_code))

    def _rewrites(self, text: str, language_code: str) -> Iterator[Rewrite]:
        language = primary(language_code)
        for lexicon_language, rule in self._lexicon:
            if lexicon_language in ("", language):
                yield from rule.apply(text)
        for rule in (*_rules(language_code.lower()), UNSAID, COMPOSED):
            yield from rule.apply(text)


@cached
def _rules(language_code: str) -> Sequence[Rule]:
    language = primary(language_code)
    if language not in languages():
        return ()
    return RULES.get(language, general.rules)(language_code)


def load() -> None:
    """Compile the rules of every language, so that no call waits for it (tens of milliseconds each)."""
    for language in languages():
        _rules(language)


def _lexicon_rule(word: Pronunciation) -> Rule:
    pattern = re.compile(rf"(?<!\w){re.escape(word.written)}(?!\w)", re.IGNORECASE)
    return Rule(pattern, lambda _: word.spoken)
