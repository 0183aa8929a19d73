"""A stretch of an utterance: what is known of its words."""

from services.stt_proxy.following.stream import OpenWords, SettledWords
from services.stt_proxy.following.stretch import Stretch

MS = 8  # samples at 8 kHz


def fed(to_ms: int) -> Stretch:
    stretch = Stretch(1, 0)
    stretch.fed_to = to_ms * MS
    return stretch


def test_what_is_forgotten_covers_no_sound():
    stretch = fed(3000)
    stretch.on_settled_words(SettledWords("one", 800 * MS), [], MS)
    stretch.on_open_words(OpenWords("two three", 2800 * MS, stability=0.9, confidence=0.8))
    stretch.forget_from(1000 * MS)
    assert stretch.texts == ["one"]
    assert not stretch.covers(2800 * MS)
    assert (stretch.open_stability, stretch.open_confidence) == (None, None)


def test_words_without_a_place_that_come_twice_are_said_once():
    stretch = fed(2000)
    for _ in range(2):
        stretch.on_settled_words(SettledWords("yes", None), [1600 * MS], MS)
    assert stretch.texts == ["yes"]
