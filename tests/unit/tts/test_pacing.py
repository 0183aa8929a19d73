import pytest

from services.tts.speaker import Pacer


def test_the_first_chunk_never_waits() -> None:
    assert Pacer(100).wait_s(0.06, now=5.0) == 0.0


def test_a_chunk_waits_until_the_lead_allows_it() -> None:
    pacer = Pacer(100)
    pacer.sent(0.1, now=5.0)
    assert pacer.wait_s(0.05, now=5.0) == pytest.approx(0.05)
    assert pacer.wait_s(0.05, now=5.06) == 0.0


def test_without_a_limit_nothing_waits() -> None:
    pacer = Pacer(0)
    pacer.sent(60.0, now=5.0)
    assert pacer.wait_s(60.0, now=5.0) == 0.0


def test_time_in_which_nothing_came_is_not_owed() -> None:
    pacer = Pacer(100)
    pacer.sent(0.1, now=5.0)
    pacer.sent(0.1, now=9.0)
    assert pacer.wait_s(0.1, now=9.0) == pytest.approx(0.1)


def test_the_first_sound_is_due_when_it_is_asked_for() -> None:
    assert Pacer(100).due_s(asked_s=5.0) == 5.0


def test_the_next_sound_is_due_when_what_was_sent_has_been_heard() -> None:
    pacer = Pacer(0)
    pacer.sent(2.0, now=5.0)
    pacer.sent(1.0, now=5.1)
    assert pacer.due_s(asked_s=5.1) == pytest.approx(8.0)


def test_text_that_comes_after_the_sound_ran_out_is_due_when_it_came() -> None:
    pacer = Pacer(0)
    pacer.sent(2.0, now=5.0)
    assert pacer.due_s(asked_s=20.0) == 20.0
