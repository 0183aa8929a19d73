"""Calls are let in by what the engine was measured to serve, and workers are shared fairly among them."""

import asyncio
import time

import pytest

from services.runtime.errors import CapacityError
from services.runtime.metrics import StageMetrics
from services.stt_proxy.admission import Admission, Stopwatch, calls_by_decode, calls_by_pace
from services.stt_proxy.decoding import DecodingPool, Purpose


def test_a_quicker_engine_serves_more_calls_and_a_slow_one_some():
    assert calls_by_decode(0.25, 2) == 28
    assert calls_by_decode(0.125, 2) == 56
    assert calls_by_decode(100.0, 2) == 4
    assert calls_by_pace(0.2, 2) == 17


def test_beyond_what_is_served_a_call_is_told_when_to_try_again():
    admission = Admission(2)
    admission.enter()
    admission.enter()
    with pytest.raises(CapacityError) as refused:
        admission.enter()
    assert refused.value.retry_delay_ms > 0
    admission.leave()
    admission.enter()


def test_time_in_which_others_ran_is_not_counted():
    with Stopwatch() as watch:
        time.sleep(0.1)
    assert watch.compute_s < 0.05


@pytest.mark.asyncio
async def test_the_call_that_has_had_less_goes_first():
    pool: DecodingPool[str] = DecodingPool(n_workers=1, draft_queue_limit_ms=250, metrics=StageMetrics("stt"))
    order: list[str] = []

    def work(name: str, seconds: float):
        def run(stop: object) -> str:
            time.sleep(seconds)
            order.append(name)
            return name

        return run

    done = asyncio.Event()
    pool.submit("busy", Purpose.SETTLED, work("busy 1", 0.05), lambda _: None, about=1)
    await asyncio.sleep(0.1)
    pool.submit("other", Purpose.SETTLED, work("other 1", 0.05), lambda _: None, about=1)
    pool.submit("busy", Purpose.SETTLED, work("busy 2", 0.0), lambda _: done.set(), about=2)
    pool.submit("new", Purpose.SETTLED, work("new 1", 0.0), lambda _: None, about=1)
    async with asyncio.timeout(20):
        await done.wait()
    pool.close()
    assert order == ["busy 1", "other 1", "new 1", "busy 2"]
