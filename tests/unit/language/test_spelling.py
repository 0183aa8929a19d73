"""Words spelt in a hurry, and letters without their marks."""

import pytest

from services.language.spelling import Spelling

ENGLISH = Spelling(["What is the price of a cleaning?", "How much is whitening?"], known=["sealing"])
VIETNAMESE = Spelling(["lấy cao răng giá bao nhiêu", "giá bao nhiêu tiền", "mấy giờ đóng cửa", "thứ bảy có làm không"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("the prise of clening", "the price of cleaning"),  # one letter another, one too few
        ("pirce", "price"),  # two changed places
        ("whitenning now", "whitening now"),
        ("sealing", "sealing"),  # a word that is known
        ("What is a root canal?", "What is a root canal?"),  # near nothing
        ("pric", "pric"),  # too short to tell
    ],
)
def test_a_word_that_is_nearly_right_is_put_right(written: str, meant: str) -> None:
    assert ENGLISH.corrected(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lay cao rang gia bao nhieu?", "lấy cao răng giá bao nhiêu?"),
        ("may gio dong cua", "mấy giờ đóng cửa"),
        ("how much is that", "how much is that"),  # another language
        ("giá bao nhieu", "giá bao nhieu"),  # it has marks
    ],
)
def test_marks_are_restored_where_a_text_has_none(written: str, meant: str) -> None:
    assert VIETNAMESE.restored(written) == meant
