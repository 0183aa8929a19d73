"""Patterns of word classes, as the files in `grammars/` write them, and whether a sentence ends as one says.

A pattern is matched at the end of a sentence, word by word: `{determiner} {attribute}+` is "a new", "my old little".

    word          that word
    {class}       one phrase of that class; in a class `-ing` is every word that ends so, `#` every numeral
    x?  x+        once or not at all; once or more
    ...           any words, or none
    {~class}      one word that is none of the class
    {~class}...   any words that are none of the class, or no word
    ^             first in a pattern: nothing stands before, courtesies and the like aside
    &             first in a pattern: a clause begins here, after nothing or after a word of the class `clause`
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LONGEST_TEXT_WORDS = 40  # of a longer one the end is looked at: the time a pattern takes stays bounded


class PatternError(ValueError):
    """A pattern that names no class or does not compile."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Some patterns of one language."""

    expressions: tuple[re.Pattern[str], ...]
    gap: str  # between words: nothing in Chinese

    def match(self, words: tuple[str, ...], *, is_whole: bool = True) -> bool:
        """Whether a sentence of these words ends as a pattern says. `is_whole`: nothing stands before them."""
        if not words or not self.expressions:
            return False
        longest = LONGEST_TEXT_WORDS if self.gap else LONGEST_TEXT_WORDS * 2
        said = words if self.gap else tuple("".join(words))
        start = "^" if is_whole and len(said) <= longest else ""
        text = start + self.gap + "".join(word + self.gap for word in said[-longest:])
        return any(expression.search(text) for expression in self.expressions)


def compile_patterns(written: Iterable[str], classes: Mapping[str, tuple[str, ...]], *, gap: str) -> Patterns:
    """Read patterns. Raises PatternError for one with a class that is not listed, or that does not compile."""
    return Patterns(tuple(_compiled(pattern, classes, gap) for pattern in written), gap)


def _compiled(pattern: str, classes: Mapping[str, tuple[str, ...]], gap: str) -> re.Pattern[str]:
    try:
        return re.compile(_expression(pattern, classes, gap))
    except KeyError as error:
        raise PatternError(f"{pattern!r}: there is no class {error}") from error
    except (re.error, ValueError) as error:
        raise PatternError(f"{pattern!r} does not compile: {error}") from error


def _expression(pattern: str, classes: Mapping[str, tuple[str, ...]], gap: str) -> str:
    parts: list[str] = []
    for symbol in pattern.split():
        if symbol == "^":
            parts.append(re.escape("^" + gap))
        elif symbol == "&":
            parts.append(rf"(?:{re.escape('^' + gap)}|{_boundary(gap)}{_one_of(classes['clause'], gap)})")
        else:
            parts += ["" if parts else _boundary(gap), _symbol(symbol, classes, gap)]
    return "".join(parts) + "$"


def _boundary(gap: str) -> str:
    return f"(?<={gap})" if gap else ""


def _symbol(symbol: str, classes: Mapping[str, tuple[str, ...]], gap: str) -> str:
    any_word = rf"[^{gap}^]+{gap}" if gap else r"[^^]"
    if symbol == "...":
        return f"(?:{any_word})*"
    if symbol.startswith("{~"):
        avoided = _one_of(classes[symbol[2 : symbol.index("}")]], gap)
        return f"(?:(?!{avoided}){any_word})" + ("*" if symbol.endswith("...") else "")
    times = symbol[-1] if symbol[-1] in "?+" else ""
    name = symbol.removesuffix(times)
    phrases = classes[name[1:-1]] if name.startswith("{") else (name,)
    return _one_of(phrases, gap) + times


def _one_of(phrases: Iterable[str], gap: str) -> str:
    longest_first = sorted(phrases, key=len, reverse=True)
    return "(?:" + "|".join(_phrase(phrase, gap) for phrase in longest_first) + ")"


def _phrase(phrase: str, gap: str) -> str:
    if phrase == "#":
        return rf"\d+{gap}"
    if phrase.startswith("-"):
        return rf"[^{gap}^]+{re.escape(phrase[1:])}{gap}"
    return re.escape(phrase) + gap
