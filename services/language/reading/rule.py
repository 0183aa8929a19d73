"""One way of writing and the words for it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.language.data import read
from services.language.reading.spoken import Rewrite


@dataclass(frozen=True, slots=True)
class Rule:
    """What matches `pattern` is said as `say` has it; None leaves it to later rules."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every place in `text` it speaks for."""
        for match in self.pattern.finditer(text):
            spoken = self.say(match)
            if spoken is not None and match.end() > match.start():
                yield Rewrite(match.start(), match.end(), spoken)


def words_of(language: str) -> Mapping[str, Any]:
    """What a language says of reading aloud: its `reading.toml`."""
    return read(language, "reading")


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, longest first; for none it matches nothing."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or "(?!)"


def apart(match: re.Match[str], words: str) -> str:
    """The words, kept apart from a letter or digit written right beside them: "A12" is "A twelve"."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{' ' if before.isalnum() else ''}{words}{' ' if after.isalnum() else ''}"


def key_rules(keys: Mapping[str, str]) -> list[Rule]:
    """The keys # and * and the sign ^ where they are meant: beside a digit, or alone within a sentence."""
    places = {
        "#": r"(?<=\d)#(?![\w#])|(?<=\S\s)#(?=[\s,.;]|$)",
        "*": r"(?<=\d)\*(?=[\d\s,.;#]|$)|(?<=\S\s)\*(?=[\s,.;]|$)|(?<!\S)\*(?=\d+[#*])",
        "^": r"(?<=[\w)])\^(?=\w)",
    }
    return [Rule(re.compile(places[key]), _saying(spoken)) for key, spoken in keys.items()]


def _saying(spoken: str) -> Callable[[re.Match[str]], str]:
    return lambda match: apart(match, spoken)
