"""Unsettled sound, which a fresh STT stream must hear again."""

from services.call_gateway.conversation.commands import DiscardUtterance
from services.call_gateway.stages.unsettled import MOST_KEPT, Unsettled


def test_settled_words_need_not_be_heard_again():
    heard = Unsettled()
    heard.on_speech(8000)
    heard.on_settled(16000)
    assert heard.settled_sample == 16000
    assert not heard.owes_words


def test_a_cough_behind_words_that_are_owed_settles_none_of_them():
    heard = Unsettled()
    heard.on_speech(8000)
    heard.on_speech(24000)
    cough = DiscardUtterance(24000, 26000)
    heard.on_discard(cough)
    assert heard.settled_sample == 0
    assert heard.owes_words
    assert heard.discards == [cough]  # which a fresh stream must not take for words
    heard.on_settled(16000)
    assert heard.settled_sample == 16000
    assert not heard.owes_words
    assert heard.discards == [cough]
    heard.on_settled(32000)
    assert heard.discards == []


def test_a_sound_before_which_nothing_is_owed_is_settled_with_its_discard():
    heard = Unsettled()
    heard.on_speech(8000)
    heard.on_discard(DiscardUtterance(8000, 9600))
    assert heard.settled_sample == 9600
    assert not heard.owes_words


def test_speech_that_began_before_older_words_were_settled_is_owed_still():
    heard = Unsettled()
    heard.on_speech(8000)
    heard.on_speech(20000)
    heard.on_settled(16000)
    assert heard.owes_words


def test_what_is_kept_is_bounded():
    heard = Unsettled()
    heard.on_speech(1)
    for at in range(100, 100_000, 100):
        heard.on_speech(at)
        heard.on_discard(DiscardUtterance(at, at + 50))
    assert len(heard.discards) == MOST_KEPT
    assert heard.settled_sample == 0
