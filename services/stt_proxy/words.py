"""Text as words."""

import re
import unicodedata

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def normalise(text: str) -> tuple[str, ...]:
    """The words alone: lower case, composed (NFC), without punctuation. "It's 5:30." is it's, 5, 30."""
    composed = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    return tuple(_TOKEN.findall(composed))
