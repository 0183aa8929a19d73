"""What a model writes, made speakable."""

from hypothesis import given
from hypothesis import strategies as st

from services.nlu.plain_speech import PlainSpeech


def plain(*pieces: str) -> str:
    speech = PlainSpeech()
    return "".join(speech.push(piece) for piece in pieces) + speech.finish()


def test_markdown_and_pictures_are_not_spoken() -> None:
    assert plain("**Sure!** 😊\n\n- `Tuesday`\n- Friday") == "Sure! - Tuesday - Friday"


def test_a_letter_of_any_language_is_kept() -> None:
    assert plain("Dạ, được ạ. Хорошо. 好的，再见。") == "Dạ, được ạ. Хорошо. 好的，再见。"


def test_white_space_at_both_ends_is_dropped() -> None:
    assert plain(" ", "Hello", " ", "\n") == "Hello"


def test_the_mark_to_hang_up_is_taken_out_even_in_pieces() -> None:
    speech = PlainSpeech()
    spoken = "".join(speech.push(piece) for piece in ("Goodbye", "! [ha", "ng ", "up]")) + speech.finish()
    assert spoken == "Goodbye!"
    assert speech.wants_hang_up


def test_what_only_begins_like_the_mark_is_spoken() -> None:
    assert plain("See [ha", "lf] now") == "See [half] now"


@given(st.lists(st.text(max_size=8), max_size=8))
def test_how_it_is_cut_into_pieces_changes_nothing(pieces: list[str]) -> None:
    assert plain(*pieces) == plain("".join(pieces))
