"""Text as written to text as spoken, by language."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from string import ascii_letters, digits

from services.language.data import LanguageDataError, cached, languages, primary, where
from services.language.reading import english, general, vietnamese
from services.language.reading.foreign import foreign_words
from services.language.reading.reading_words import words_of
from services.language.reading.rule import Rewriter, Rule, may_match, signs_in
from services.language.reading.spoken import Rewrite, Spoken, first_come
from services.language.words import is_of_a_word, lowered, with_signs_hidden

RULES: dict[str, Callable[[str], Sequence[Rewriter]]] = {"en": english.rules, "vi": vietnamese.rules}
"""Language -> its rules for a BCP-47 tag, where data alone does not do; other languages with a folder are `general`."""

_STAMP = re.compile(r"(?<=\d{4}-\d\d-\d\d)T(?=\d\d:\d\d)")
"""Between a date and a time of ISO 8601."""
HYPHENS = Rule(re.compile("[\u2010\u2011]"), lambda _: "-")
_PICTURE = re.compile(r"[\u2600-\u2604\u2606-\u27bf\U0001f000-\U0001faff]")  # but the star of "5★", which is said
UNSAID = Rule(re.compile(r"[*_`#~^|<>\[\]{}\\\u200d\u20e3\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]+"), lambda _: " ")
"""Signs of a written page and pictures, which are not spoken; read last, so that a rule may still make use of them."""

_WIDE = 0xFEE0  # from a sign to its wide form
_PLAIN = str.maketrans({"\u2010": "-", "\u2011": "-", "\ufe63": "-", "\uff0d": "-", "\u2012": "–", "\u2015": "—"}) | {
    ord(sign) + _WIDE: sign for sign in f"{ascii_letters}{digits}#$%&+/"
}
"""Hyphens that no line breaks at, which models write, and wide letters, digits and signs: as the rules know them."""

_LETTER = re.compile(r".[\u0300-\u036f]*", re.DOTALL)
COMPOSED = Rule(re.compile(r"\w[\u0300-\u036f]+"), lambda match: unicodedata.normalize("NFC", match[0]))
"""Letters with their accents in one, as engines know them."""


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """The pronunciation of one word: `written` as a whole word in any case, `spoken` in its place."""

    written: str
    spoken: str  # empty: the word itself, where `ipa` or `spoken_language_code` says how it sounds
    language_code: str = ""  # of the texts it holds for; empty: every one
    ipa: str = ""  # how it sounds, for engines that take sounds; others say `spoken`
    spoken_language_code: str = ""  # whose words `spoken` is; empty: the text's own


class Normalizer:
    """Rewrites clauses. `lexicon` comes before every rule; it is looked up, never compiled, however long it is."""

    def __init__(self, lexicon: Sequence[Pronunciation] = ()) -> None:
        self.lexicon = tuple(lexicon)
        self._lexicon: dict[str, list[Pronunciation]] = {}  # by first letter, in lower case; the longest first
        for word in sorted(lexicon, key=lambda word: len(word.written), reverse=True):
            written = unicodedata.normalize("NFC", word.written)
            if written:
                written = lowered(written)
                self._lexicon.setdefault(written[0], []).append(replace(word, written=written))

    def speak(self, text: str, language_code: str, first: Sequence[Rewrite] = ()) -> Spoken:
        """Return what to say for `text`. `first`: rewrites of `text` that come before every rule."""
        if first:
            return first_come(text, chain(first, self._on_source(text, language_code)))
        return first_come(text, self._on_source(text, language_code))

    def _on_source(self, text: str, language_code: str) -> Iterator[Rewrite]:
        """The rewrites, their places those of the text as sent."""
        composed, starts = _composed(text)
        rewrites = self._rewrites(composed, language_code)
        if starts is None:
            yield from rewrites
            return
        for one in rewrites:
            yield replace(one, start=starts[one.start], end=starts[one.end])
        yield from COMPOSED.apply(text)

    def _rewrites(self, text: str, language_code: str) -> Iterator[Rewrite]:
        yield from self._lexicon_rewrites(text, primary(language_code))
        plain = with_signs_hidden(text) if is_spaced(language_code) else text
        if not plain.isascii():
            plain = _PICTURE.sub(" ", plain.translate(_PLAIN))  # between two numbers it parts them as a space
        stamps = Rule(_STAMP, lambda _: " ").apply(plain) if "T" in plain else ()
        plain = _STAMP.sub(" ", plain) if "T" in plain else plain
        signs = signs_in(plain)
        for rule in _rules_for(language_code):
            if may_match(rule.needs, signs):
                yield from rule.apply(plain)
        yield from stamps
        yield from HYPHENS.apply(text)
        yield from UNSAID.apply(text)
        if (foreign := foreign_words(primary(language_code))) is not None:
            yield from foreign.apply(plain)

    def _lexicon_rewrites(self, text: str, language: str) -> Iterator[Rewrite]:
        """Whole words of the lexicon, in any case."""
        if not self._lexicon:
            return
        small = lowered(text)
        for at, letter in enumerate(small):
            if at and is_of_a_word(small[at - 1]) and is_of_a_word(letter):
                continue
            for word in self._lexicon.get(letter, ()):
                end = at + len(word.written)
                is_whole = not (is_of_a_word(small[at - 1 : at]) or is_of_a_word(small[end : end + 1]))
                is_meant = primary(word.language_code) in ("", language)
                if is_meant and is_whole and small.startswith(word.written, at):
                    spoken = word.spoken
                    if not spoken and (word.ipa or word.spoken_language_code):
                        spoken = text[at:end]
                    yield Rewrite(at, end, spoken, word.ipa, word.spoken_language_code)
                    break


def _composed(text: str) -> tuple[str, list[int] | None]:
    """The text with its accents joined to their letters, as the data has them, and where each code point was before.

    None where nothing had to be joined.
    """
    if unicodedata.is_normalized("NFC", text):
        return text, None
    letters: list[str] = []
    starts: list[int] = []
    for match in _LETTER.finditer(text):
        joined = unicodedata.normalize("NFC", match[0])
        letters.append(joined)
        starts += [match.start()] * len(joined)
    return "".join(letters), [*starts, len(text)]


def is_spaced(language_code: str) -> bool:
    """Words stand apart in the language, so that Han and kana in its texts are others'."""
    language = primary(language_code)
    return language in languages() and bool(words_of(language).get("gap", " "))


def _variant(language_code: str) -> str:
    """The tag that rules are made for: English of the United States reads dates its own way, else one a language."""
    language = primary(language_code)
    return "en-gb" if language == "en" and language_code.lower() not in ("en", "en-us") else language


def _rules_for(language_code: str) -> Sequence[Rewriter]:
    """None for a language without a folder; of tags that callers make up nothing is kept."""
    variant = _variant(language_code)
    return _rules(variant) if primary(variant) in languages() else ()


@cached
def _rules(variant: str) -> Sequence[Rewriter]:
    language = primary(variant)
    try:
        rules = tuple(RULES.get(language, general.rules)(variant))
    except LanguageDataError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise LanguageDataError(
            f"{where(language, 'reading')} has a value of a wrong type, or lacks one: {error!r}"
        ) from error
    except re.error as error:
        raise LanguageDataError(f"{where(language, 'reading')}: {error.pattern!r} does not compile: {error}") from error
    if language in RULES:  # the shape of the others is checked
        _try_out(rules, language)
    return rules


_TRIED = "0:00 9:05 12:30:45 3:2 1/2 5/8 ½ 1.2.3 1,5 -5% 1-2 2,345 #12 No. 5 +1 555 123 4567 5/6/2024 2024-05-06 "
"""One of each kind of number, whose words stand in the data."""
_COUNTED = ("units", "currencies", "scales")


def _try_out(rules: Sequence[Rewriter], language: str) -> None:
    """Read one of each kind that the data names, so that what is wrong in it shows at start and not in a call."""
    words = words_of(language)
    kinds = {  # one of each table by the number of its forms
        (key, "" if isinstance(forms, str) else len(forms)): f"2{word}"
        for key in _COUNTED
        for word, forms in words.get(key, {}).items()
    }
    lines = [*_TRIED.split(), *kinds.values()]
    for rule in rules:
        if _fault(rule, "\n".join(lines)) is None:  # all at once takes a tenth of the time
            continue
        for line in lines:
            if fault := _fault(rule, line):
                raise LanguageDataError(f"{where(language, 'reading')}: {line!r} cannot be read: {fault!r}") from fault


def _fault(rule: Rewriter, text: str) -> Exception | None:
    try:
        "".join(rewrite.spoken for rewrite in rule.apply(text))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return error
    return None


def load() -> None:
    """Compile the rules of every language, so that no call waits for it."""
    for variant in (*languages(), "en-gb"):
        _rules_for(variant)
        foreign_words(primary(variant))
