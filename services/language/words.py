"""Words in any script: what counts as one, where it ends, and when two texts say the same. The one normaliser."""

import re
import unicodedata

_HAN_OR_KANA = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # written without spaces: each sign is a word
_WRITTEN = re.compile(rf"[{_HAN_OR_KANA}]|[^\W_{_HAN_OR_KANA}]+(?:['’\-.,][^\W_]+)*")  # don't, 9-1-1, 3.50
_SAID = re.compile(rf"[{_HAN_OR_KANA}]|[^\W_{_HAN_OR_KANA}]+(?:'[^\W_{_HAN_OR_KANA}]+)*")


def word_ends(text: str) -> list[int]:
    """The offset after the last letter of each word as written, in code points, rising: "3.50" is one word."""
    return [match.end() for match in _WRITTEN.finditer(text)]


def has_words(text: str) -> bool:
    """Tell if there is any."""
    return _WRITTEN.search(text) is not None


def normalise(text: str) -> tuple[str, ...]:
    """The words as said: one form of each letter (NFKC), folded case, no punctuation. "It's 5:30." is it's, 5, 30.

    Two texts with the same words say the same. A number in figures falls into its runs of digits.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).replace("’", "'")
    return tuple(_SAID.findall(folded))


def joined(*texts: str) -> str:
    """Texts one after the other, with a space where neither side has one."""
    return " ".join(stripped for text in texts if (stripped := text.strip()))
