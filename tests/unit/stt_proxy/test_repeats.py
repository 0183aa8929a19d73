import pytest

from services.stt_proxy.repeats import cut_repeats


@pytest.mark.parametrize(
    ("said", "language", "kept"),
    [
        ("Call me back. " * 5, "en", "Call me back."),
        ("Call me back. " * 5 + "Call me", "en", "Call me back."),
        ("Just a moment please. Just a moment, please! " * 3, "en", "Just a moment please."),
        ("Tôi muốn đặt lịch. " * 5, "vi", "Tôi muốn đặt lịch."),
        ("I need a dentist. " + "Thank you. " * 6, "en", "I need a dentist. Thank you."),
        ("the " * 30, "en", "the"),
    ],
)
def test_a_loop_is_cut(said, language, kept):
    assert cut_repeats(said, language) == kept


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("5 5 5 5", "en"),
        ("5 5 5 5 5 5 5 5 5 5 5 5", "en"),
        ("zero nine one two zero nine one two", "en"),
        (" ".join(["zero nine one two"] * 6), "en"),
        ("no no no no no", "en"),
        ("chín một hai chín một hai", "vi"),
        (" ".join(["chín một hai"] * 6), "vi"),
        ("A B A B", "en"),
        ("A B A B A B A B A B A B", "en"),
        (" ".join(["alpha bravo"] * 6), "en"),
        (" ".join(["hundred"] * 10), "en"),
        (" ".join(["trăm"] * 10), "vi"),
        (" ".join(["сто"] * 10), "ru"),
        (" ".join(["first second"] * 6), "en"),
        (" ".join(["the twenty third"] * 6), "en"),
        (" ".join(["thứ nhất thứ nhì"] * 6), "vi"),
        (" ".join(["первая вторая"] * 6), "ru"),
        (" ".join(["третьего пятого"] * 6), "ru"),
        ("0912-345 0912-345 0912-345 0912-345 0912-345 0912-345", "vi"),
        ("двадцать три двадцать три двадцать три двадцать три двадцать три двадцать три", "ru"),
    ],
)
def test_numbers_and_letters_are_never_cut(said, language):
    assert cut_repeats(said, language) == said


@pytest.mark.parametrize(
    "said",
    [
        "No, no.",
        "Bye bye",
        "I said that I said it",
        "yes",
        "",
        "我想预约我想预约",
        "Call me back. Call me back.",
        "Call me back. Call me back. Call me back. Call me back.",
        "vâng vâng vâng vâng vâng",
    ],
)
def test_what_people_do_repeat_stays(said):
    assert cut_repeats(said, "en") == said
