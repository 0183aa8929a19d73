"""Words in any script: what counts as one, where it ends, and whether two texts mean the same ones."""

import re
import unicodedata

WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"  # Han and kana: no spaces, so each sign counts
    r"|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+(?:['’\-.,][^\W_]+)*"  # don't, 9-1-1, 3.50
)


def word_ends(text: str) -> list[int]:
    """The offset after the last letter of each word, in code points, rising."""
    return [match.end() for match in WORD.finditer(text)]


def has_words(text: str) -> bool:
    """Whether there is any."""
    return WORD.search(text) is not None


def normalised(text: str) -> tuple[str, ...]:
    """The words alone: no case, no punctuation, one form of each letter. Two texts with the same mean the same."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return tuple(match.group().replace("’", "'") for match in WORD.finditer(folded))


def joined(*texts: str) -> str:
    """Texts one after the other, with a space where neither side has one."""
    return " ".join(stripped for text in texts if (stripped := text.strip()))
