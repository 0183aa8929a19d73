"""The breaker opens on failures and slow answers, rests, probes, and closes again."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.breaker import Breaker, BreakerPolicy, BreakerState, ErrorClass, Permit

POLICY = BreakerPolicy(rest_s=5.0, longest_rest_s=60.0, probes_to_close=2)


def permit(breaker: Breaker, now: float) -> Permit:
    given_permit = breaker.admit(now)
    assert given_permit is not None
    return given_permit


def fail(breaker: Breaker, now: float, error_class: ErrorClass = ErrorClass.TRANSIENT, **more: float) -> None:
    breaker.on_failure(permit(breaker, now), error_class, now=now, **more)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    fail(breaker, now)
    fail(breaker, now)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_one_failure_among_good_answers_opens_nothing() -> None:
    breaker = Breaker(POLICY)
    for _ in range(5):
        breaker.on_success(permit(breaker, 0.0), now=0.0)
    fail(breaker, 1.0)
    fail(breaker, 1.0)
    assert breaker.state is BreakerState.CLOSED


def test_two_failures_open_it_and_it_is_not_asked_while_it_rests() -> None:
    breaker = opened()
    assert breaker.admit(4.9) is None
    assert breaker.is_open(4.9)
    assert breaker.rests_for_s(4.0) == pytest.approx(1.0)


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 0.0)
    fail(breaker, POLICY.window_s + 1)
    assert breaker.state is BreakerState.CLOSED


def test_one_probe_at_a_time_and_two_that_pass_close_it() -> None:
    breaker = opened()
    probe = permit(breaker, 5.0)
    assert probe.is_probe
    assert breaker.admit(5.0) is None
    breaker.on_success(probe, now=5.1)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.on_success(permit(breaker, 5.2), now=5.3)
    assert breaker.state is BreakerState.CLOSED


def test_a_failed_probe_doubles_the_rest_up_to_the_longest() -> None:
    breaker, now = opened(), 0.0
    rests = []
    for _ in range(6):
        now += breaker.rests_for_s(now)
        fail(breaker, now)
        rests.append(breaker.rests_for_s(now))
    assert rests == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_a_slow_probe_is_a_failed_one() -> None:
    breaker = opened()
    breaker.on_success(permit(breaker, 5.0), now=9.0, took_s=POLICY.slow_s + 1)
    assert breaker.state is BreakerState.OPEN


def test_a_probe_given_up_makes_room_for_another() -> None:
    breaker = opened()
    breaker.release(permit(breaker, 5.0))
    assert permit(breaker, 5.0).is_probe


def test_slow_answers_open_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.least_slow):
        breaker.on_success(permit(breaker, 0.0), now=0.0, took_s=3.0)
    assert breaker.state is BreakerState.OPEN
    assert "4 of 4" in breaker.cause


def test_retry_after_opens_it_at_once_for_so_long() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 0.0, ErrorClass.OVERLOADED, retry_after_s=17.0)
    assert breaker.rests_for_s(0.0) == 17.0


def test_a_pause_asked_for_is_bounded() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 0.0, ErrorClass.OVERLOADED, retry_after_s=1e9)
    assert breaker.rests_for_s(0.0) == POLICY.longest_asked_rest_s


def test_a_key_that_is_refused_opens_it_at_once() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 0.0, ErrorClass.FATAL)
    assert breaker.rests_for_s(0.0) == POLICY.longest_rest_s


def test_a_bad_request_says_nothing_of_the_provider() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        fail(breaker, 0.0, ErrorClass.REQUEST)
    assert breaker.state is BreakerState.CLOSED


def test_late_news_of_an_earlier_state_has_no_effect() -> None:
    breaker = Breaker(POLICY)
    late = permit(breaker, 0.0)
    fail(breaker, 0.0)
    fail(breaker, 0.0)
    probe = permit(breaker, 5.0)
    breaker.on_failure(late, ErrorClass.TRANSIENT, now=5.0)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.on_success(probe, now=5.0)
    breaker.on_success(late, now=5.0)
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_drill_opens_it_and_ends_by_itself() -> None:
    moves: list[tuple[BreakerState, BreakerState, str]] = []
    breaker = Breaker(POLICY, on_move=lambda *move: moves.append(move))
    breaker.trip(now=0.0, seconds=30.0, cause="drill")
    assert breaker.admit(29.0) is None
    assert permit(breaker, 30.0).is_probe
    assert moves == [
        (BreakerState.CLOSED, BreakerState.OPEN, "drill"),
        (BreakerState.OPEN, BreakerState.HALF_OPEN, "the rest is over"),
    ]


@given(st.lists(st.tuples(st.sampled_from(["ok", "slow", "release", *ErrorClass]), st.floats(0, 30)), max_size=60))
def test_in_any_order_probes_are_bounded_and_it_can_always_come_back(story: list[tuple[object, float]]) -> None:
    breaker, now, out = Breaker(POLICY), 0.0, []
    for what, wait_s in story:
        now += wait_s
        if (one := breaker.admit(now)) is not None:
            out.append(one)
        probing = [one for one in out if one.is_probe and one.epoch == breaker._epoch]
        assert len(probing) <= POLICY.probes_at_once
        if out and wait_s > 5:
            back = out.pop(0)
            if what == "release":
                breaker.release(back)
            elif isinstance(what, ErrorClass):
                breaker.on_failure(back, what, now=now, retry_after_s=wait_s)
            else:
                breaker.on_success(back, now=now, took_s=9.0 if what == "slow" else 0.1)
    for one in out:
        breaker.release(one)
    for _ in range(POLICY.probes_to_close):
        now += POLICY.longest_asked_rest_s
        breaker.on_success(permit(breaker, now), now=now)
    assert breaker.state is BreakerState.CLOSED


def test_a_call_costs_less_than_50_microseconds() -> None:
    breaker, n = Breaker(POLICY), 2000
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for i in range(n):
            breaker.on_success(permit(breaker, i * 0.01), now=i * 0.01, took_s=0.2)
        best = min(best, (time.perf_counter() - began) / n)
    assert best < 50e-6
