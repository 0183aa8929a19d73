import asyncio
import threading
from functools import partial

import pytest

from services.runtime.errors import EngineFailed
from services.runtime.watchdog import LostThread
from services.tts.workers import Workers


@pytest.fixture
def workers():
    one = Workers(1, "test")
    yield one
    one.close()


async def test_a_step_gives_its_result_and_its_cost(workers: Workers) -> None:
    done = await workers.run(lambda: 42, due_s=0.0)
    assert done.result == 42
    assert done.queue_us >= 0
    assert done.compute_us >= 0


async def test_what_a_step_raises_is_raised_to_its_asker(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda: 1 // 0, due_s=0.0)
    assert (await workers.run(lambda: "alive", due_s=0.0)).result == "alive"


async def test_the_step_that_is_due_first_goes_first(workers: Workers) -> None:
    assert await order_of(workers, [4.0, 2.0, 3.0, 1.0]) == [3, 1, 2, 0]


async def test_steps_due_at_the_same_moment_go_in_the_order_of_asking(workers: Workers) -> None:
    assert await order_of(workers, [1.0] * 5) == [0, 1, 2, 3, 4]


async def test_a_call_that_runs_out_of_sound_does_not_wait_behind_72_calls_that_begin(workers: Workers) -> None:
    """72 calls that begin have deadlines 10 ms apart; a call with 300 ms of sound left asks last, and is the 32nd."""
    begin = [0.010 * n for n in range(72)]
    order = await order_of(workers, [*begin, 0.300])
    assert order.index(72) == 31


async def order_of(workers: Workers, dues_s: list[float]) -> list[int]:
    """The order in which steps with these deadlines are run, by their place in the list, when all wait at once."""
    gate, order = threading.Event(), list[int]()
    holding = asyncio.create_task(workers.run(gate.wait, due_s=0.0))
    await asyncio.sleep(0)
    steps = [asyncio.create_task(workers.run(partial(order.append, n), due_s=due_s)) for n, due_s in enumerate(dues_s)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(holding, *steps)
    return order


async def test_a_step_that_is_not_awaited_is_not_begun(workers: Workers) -> None:
    gate, begun = threading.Event(), []
    holding = asyncio.create_task(workers.run(gate.wait, due_s=0.0))
    await asyncio.sleep(0)
    unwanted = asyncio.create_task(workers.run(lambda: begun.append(1), due_s=0.0))
    await asyncio.sleep(0)
    unwanted.cancel()
    await asyncio.gather(unwanted, return_exceptions=True)
    gate.set()
    await holding
    await workers.run(lambda: None, due_s=0.0)
    assert begun == []


async def test_closed_workers_take_nothing() -> None:
    workers = Workers(1, "test")
    workers.close()
    with pytest.raises(RuntimeError):
        await workers.run(lambda: None, due_s=0.0)


async def test_a_lost_thread_fails_what_waits_for_it_where_others_speak_in_its_place() -> None:
    threads, release = Workers(1, "hanging"), threading.Event()
    told: list[str] = []
    threads.on_lost = lambda why: told.append(why) is None
    hanging = asyncio.ensure_future(threads.run(release.wait, due_s=0.0))
    waiting = asyncio.ensure_future(threads.run(lambda: None, due_s=1.0))
    await asyncio.sleep(0.05)
    assert threads._lose(LostThread("hanging", "hanging-0", "hangs for 60 s in one call"))
    for lost in (hanging, waiting):
        with pytest.raises(EngineFailed, match="hangs"):
            await lost
    with pytest.raises(EngineFailed):
        await threads.run(lambda: None, due_s=0.0)
    assert told == ["its thread hangs for 60 s in one call"]
    release.set()
    threads.close()
