"""Lists of words per language, in TOML files: data, to be mended by whoever speaks the language."""

import tomllib
from functools import cache
from importlib.resources import files

from services.call_gateway.conversation.words import normalised


@cache
def backchannels() -> frozenset[tuple[str, ...]]:
    """What people say to show that they listen, in every language at once, as normalised words.

    One set: a listener who says "mhm" in a Vietnamese call means the same by it.
    """
    found: set[tuple[str, ...]] = set()
    for file in files(__name__).iterdir():
        if file.name.endswith(".toml"):
            found.update(normalised(phrase) for phrase in tomllib.loads(file.read_text("utf-8"))["backchannels"])
    return frozenset(found)
