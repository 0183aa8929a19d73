import pytest

from services.stt_proxy.grammar import grammar_of
from services.stt_proxy.patterns import PatternError, Patterns, compile_patterns

CLASSES = {"colour": ("red", "dark blue"), "ing": ("-ing",), "numeral": ("#",), "clause": ("and",)}


def patterns(*written: str) -> Patterns:
    return compile_patterns(written, CLASSES, gap=" ")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("cat", "a cat"),
        ("{colour} cat", "my dark blue cat"),
        ("{colour}+", "red red"),
        ("{colour}? cat", "a cat"),
        ("^ ... cat", "a very big cat"),
        ("^ {~colour}... cat", "a big cat"),
        ("^ {~colour} cat", "big cat"),
        ("& cat", "cat"),
        ("& cat", "a dog and cat"),
        ("{ing}", "they are going"),
        ("{numeral}", "room 415"),
    ],
)
def test_a_pattern_matches_at_the_end(pattern, text):
    assert patterns(pattern).match(tuple(text.split()))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("cat", "the cat sleeps"),
        ("cat", "tomcat"),
        ("^ cat", "a cat"),
        ("& cat", "a cat"),
        ("^ {~colour}... cat", "a red cat"),
        ("{ing}", "ing"),
        ("{numeral}", "room four"),
        ("{colour}", "dark"),
        ("{~colour} cat", "cat"),
        ("{~colour} blue", "dark blue"),
    ],
)
def test_and_nowhere_else(pattern, text):
    assert not patterns(pattern).match(tuple(text.split()))


def test_words_stand_together_where_a_language_writes_them_so():
    assert compile_patterns(["{of} 猫"], {"of": ("我的",), "clause": ()}, gap="").match(("这是我的猫",))


def test_a_class_that_is_not_listed_is_a_mistake_in_the_file():
    with pytest.raises(PatternError):
        patterns("{unknown}")


@pytest.mark.parametrize("written", ["{colour cat", "{~colour}+ cat", "{colour}... cat", "cat ^", "a {} b", "&cat"])
def test_a_symbol_that_is_none_is_a_mistake_in_the_file(written):
    with pytest.raises(PatternError, match="does not compile"):
        patterns(written)


def test_a_very_long_text_is_judged_by_its_end():
    assert patterns("cat").match(("word",) * 5000 + ("cat",))
    assert not patterns("^ ... cat").match(("word",) * 5000 + ("cat",))


@pytest.mark.parametrize("language", ["en", "vi", "ru", "zh"])
def test_every_language_has_a_grammar(language):
    assert grammar_of(language).open.patterns
