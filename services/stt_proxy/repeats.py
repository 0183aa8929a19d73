"""Cuts what a decoder says again because it ran on past the end of the speech."""

from services.stt_proxy.words import normalise

SHORTEST_REPEAT = 2  # words; a caller does say "no, no"


def cut_repeats(text: str) -> str:
    """The text up to where it begins to repeat itself from its start: "Call me. Call me." is "Call me.".

    A last repeat may be incomplete, but of at least two words. Text in a script without spaces comes back as it is.
    """
    words = text.split()
    bare = ["".join(normalise(word)) for word in words]
    for length in range(SHORTEST_REPEAT, len(words)):
        tail = bare[length:]
        if len(tail) >= SHORTEST_REPEAT and all(word == bare[index % length] for index, word in enumerate(tail)):
            return " ".join(words[:length])
    return text
