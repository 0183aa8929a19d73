import pytest

from services.stt_proxy.repeats import cut_repeats


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Call me back. Call me back.", "Call me back."),
        ("Call me back. Call me back. Call me", "Call me back."),
        ("One moment please. One moment, please! One moment", "One moment please."),
        ("Tôi muốn đặt lịch. Tôi muốn đặt lịch.", "Tôi muốn đặt lịch."),
    ],
)
def test_a_text_that_starts_over_is_cut(said, kept):
    assert cut_repeats(said) == kept


@pytest.mark.parametrize(
    "said", ["No, no.", "Bye bye", "I said that I said it", "yes", "", "five five five", "我想预约我想预约"]
)
def test_what_people_do_say_twice_stays(said):
    assert cut_repeats(said) == said
