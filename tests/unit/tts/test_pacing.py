import pytest

from services.tts.pacing import Pacer


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
