"""What a text's end is known by, and the model that weighs it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stt_proxy.endings import features
from services.stt_proxy.endings.features import features_of
from services.stt_proxy.endings.model import EndingModel, ending_model_of
from services.stt_proxy.phrasebook import phrasebook_of

LANGUAGES = ["en", "vi", "ru", "zh"]
TALK = Path(features.__file__).parent / "talk"


def test_a_text_is_known_by_its_end_its_beginning_and_its_length():
    found = features_of(("do", "you", "open"), leads_on=False)
    assert {"end open", "end you open", "end do you open", "end ^ do you open"} <= found
    assert {"open do", "open do you", "open do you open", "do..open", "do you..open"} <= found
    assert {"has do", "has you", "has do you", "before you", "length 3"} <= found


def test_the_last_word_is_no_word_within():
    assert "has open" not in features_of(("do", "you", "open"), leads_on=False)


def test_that_a_word_leads_on_is_a_feature():
    assert "leads on" in features_of(("and",), leads_on=True)


def test_no_words_have_a_length_alone():
    assert features_of((), leads_on=False) == {"length 0"}


def test_features_that_are_not_listed_weigh_nothing():
    assert EndingModel({}).probability(("anything",), leads_on=False) == 0.5


def test_weights_add_up():
    model = EndingModel({"bias": -1.0, "end bye": 3.0})
    assert model.probability(("okay", "bye"), leads_on=False) == pytest.approx(0.8808, abs=1e-4)


@given(st.lists(st.text(max_size=8), max_size=120), st.booleans())
def test_a_probability_is_one_whatever_the_words(words: list[str], leads_on: bool):
    model = ending_model_of("en")
    assert model is not None
    assert 0 <= model.probability(words, leads_on=leads_on) <= 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_learnt_from_its_talk(language: str):
    """Most turns it learnt from end where it thinks so, and fewer of them where they pause."""
    talk = (TALK / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    model, phrasebook = ending_model_of(language), phrasebook_of(language)
    assert model is not None

    def probability(text: str) -> float:
        words = phrasebook.tokens(text)
        return model.probability(words, leads_on=phrasebook.leads_on(words))

    whole = [line for line in talk if "|" not in line]
    begun = [line.split("|")[0] for line in talk if "|" in line]
    taken = [sum(probability(text) > 0.6 for text in texts) / len(texts) for texts in (whole, begun)]
    assert taken[0] > 0.55
    assert taken[1] < taken[0] / 1.5


def test_a_language_nothing_was_learnt_of_has_no_model():
    assert ending_model_of("other") is None


@pytest.mark.parametrize(
    ("language", "text", "tokens"),
    [
        ("en", "At 9:30, room twelve", ("at", "#", "#", "room", "#")),
        ("en", "One moment, oh no", ("one", "moment", "oh", "no")),
        ("vi", "Có đau không", ("có", "đau", "không")),
        ("zh", "明天九点", ("明", "天", "#", "点")),
    ],
)
def test_numerals_are_all_the_same(language: str, text: str, tokens: tuple[str, ...]):
    assert phrasebook_of(language).tokens(text) == tokens
