import pytest

from services.stt_proxy.favouring import LONGEST_PHRASE, MOST_PHRASES, counts, is_worth_favouring, nearest


def test_a_name_is_taken_where_the_text_sounds_like_it():
    assert counts("Is this summer's dental clinic?", -0.5, "Is this Sunrise Dental Clinic?", -0.3)


@pytest.mark.parametrize(
    ("plain", "favoured"),
    [
        ("I am calling because my son is in pain.", "I am calling because Mai Tha Linh Linh Paine"),
        ("Địa chỉ ở đâu?", "lấy cao răng"),
    ],
)
def test_a_phrase_that_was_not_said_is_not_taken(plain, favoured):
    assert not counts(plain, -0.5, favoured, -0.55 if "Linh" not in favoured else -0.9)


def test_a_text_that_is_less_likely_is_not_taken():
    assert not counts("Is whitening safe?", -0.3, "Is widening safe?", -0.6)


CLINIC = ("Sunrise Dental Clinic", "Doctor Tran Mai", "whitening", "nha khoa Bình Minh")


@pytest.mark.parametrize("plain", ["Is this summer's dental clinic?", "Could I see Dr. Trammai?", "nhà khoa bình mình"])
def test_text_that_resembles_a_phrase_is_decoded_again(plain):
    assert is_worth_favouring(plain, CLINIC)


@pytest.mark.parametrize("plain", ["", "Where are you?", "Is this Sunrise Dental Clinic?", "Địa chỉ ở đâu?"])
def test_text_that_is_a_phrase_or_is_far_from_all_is_not(plain):
    assert not is_worth_favouring(plain, CLINIC)


def test_the_phrases_nearest_to_a_text_are_found_in_a_directory_and_are_few():
    directory = tuple(f"Doctor Number{number}" for number in range(5000))
    found = nearest("Could I see Dr. Trammai?", (*directory, "Doctor Tran Mai", "x" * (LONGEST_PHRASE + 1)))
    assert found[0] == "Doctor Tran Mai"
    assert len(found) == MOST_PHRASES
