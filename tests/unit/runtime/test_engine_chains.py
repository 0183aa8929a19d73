import pytest

from services.runtime.engine_chains import chain_for, engine_names, parse_chains, show_chains


def test_commas_part_languages_and_arrows_fallbacks() -> None:
    chains = parse_chains(" en = nemo > piper , VI=nemo>espeak,*=espeak")
    assert chains == {"en": ("nemo", "piper"), "vi": ("nemo", "espeak"), "*": ("espeak",)}
    assert parse_chains(show_chains(chains)) == chains
    assert engine_names(chains) == ("nemo", "piper", "espeak")


@pytest.mark.parametrize(
    "value", ["", ",", "openai", "=openai", "*=", "*=openai>", "*=>openai", "*=a>a", "en=a,EN=b", "en=a>>b"]
)
def test_what_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"write|itself|twice"):
        parse_chains(value)


@pytest.mark.parametrize(
    ("code", "chain"), [("en-US", ("a",)), ("en-GB", ("b",)), ("EN-gb-x", ("b",)), ("vi", ("c",)), ("", ("c",))]
)
def test_the_longest_tag_that_is_named_wins(code: str, chain: tuple[str, ...]) -> None:
    assert chain_for(code, parse_chains("en=a,en-GB=b,*=c")) == chain


def test_a_language_without_a_chain_has_none() -> None:
    assert chain_for("ru", parse_chains("en=a")) == ()
