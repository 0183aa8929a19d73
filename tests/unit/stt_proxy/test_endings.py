"""Signs of a text's end, and the model that weighs them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.stt_proxy.end_of_turn.ending_model import EndingModel, ending_model_of
from services.stt_proxy.end_of_turn.evidence import Evidence
from services.stt_proxy.end_of_turn.features import LEADS_ON, features_of, marks_of
from services.stt_proxy.end_of_turn.predictor import DEFAULT
from services.stt_proxy.end_of_turn.train import read_talk
from services.stt_proxy.phrasebook import phrasebook_of

LANGUAGES = ["en", "vi", "ru", "zh"]


def test_a_text_is_known_by_its_end_its_beginning_and_its_length():
    found = features_of(("do", "you", "open"))
    assert {"end open", "end you open", "end do you open", "end ^ do you open"} <= found
    assert {"open do", "open do you", "open do you open", "do..open", "do you..open"} <= found
    assert {"has do", "has you", "has do you", "before you", "length 3"} <= found


def test_the_last_word_is_no_word_within():
    assert "has open" not in features_of(("do", "you", "open"))


@pytest.mark.parametrize(
    ("text", "mark"),
    [("and", "leads on"), ("thank you", "courtesy"), ("no", "answer")],
)
def test_what_the_lists_say_are_features(text: str, mark: str):
    marks = marks_of(text, phrasebook_of("en"))
    assert mark in marks
    assert marks <= features_of(("x",), marks=marks)


def test_no_words_have_a_length_alone():
    assert features_of(()) == {"length 0"}


def test_features_that_are_not_listed_weigh_nothing():
    assert EndingModel({}).log_odds({"end anything", LEADS_ON}) == 0.0


def test_weights_add_up():
    model = EndingModel({"bias": -1.0, "end bye": 3.0})
    assert model.log_odds(features_of(("okay", "bye"))) == pytest.approx(2.0)


@given(st.lists(st.text(max_size=8), max_size=120))
def test_a_probability_is_one_whatever_the_words(words: list[str]):
    assert 0 <= DEFAULT.probability(Evidence(" ".join(words), phrasebook_of("en"))) <= 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_learnt_from_its_talk(language: str):
    """Most turns it learnt from end where it thinks so, and fewer of them where they pause."""
    talk, phrasebook = read_talk(language), phrasebook_of(language)
    assert ending_model_of(language) is not None
    whole = [line for line in talk if "|" not in line]
    begun = [line.split("|")[0] for line in talk if "|" in line]
    taken = [
        sum(DEFAULT.probability(Evidence(text, phrasebook)) > 0.6 for text in texts) / len(texts)
        for texts in (whole, begun)
    ]
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
