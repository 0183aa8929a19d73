import asyncio
import threading

import pytest

from services.tts.workers import Workers


@pytest.fixture
def workers():
    one = Workers(1, "test")
    yield one
    one.close()


async def test_a_step_gives_its_result_and_its_cost(workers: Workers) -> None:
    done = await workers.run(lambda: 42, is_urgent=False)
    assert done.result == 42
    assert done.queue_us >= 0
    assert done.compute_us >= 0


async def test_what_a_step_raises_is_raised_to_its_asker(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda: 1 // 0, is_urgent=False)
    assert (await workers.run(lambda: "alive", is_urgent=False)).result == "alive"


async def test_urgent_steps_go_first(workers: Workers) -> None:
    gate, order = threading.Event(), []
    holding = asyncio.create_task(workers.run(gate.wait, is_urgent=False))
    await asyncio.sleep(0)
    patient = asyncio.create_task(workers.run(lambda: order.append("patient"), is_urgent=False))
    urgent = asyncio.create_task(workers.run(lambda: order.append("urgent"), is_urgent=True))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(holding, patient, urgent)
    assert order == ["urgent", "patient"]


async def test_a_step_nobody_waits_for_is_not_begun(workers: Workers) -> None:
    gate, begun = threading.Event(), []
    holding = asyncio.create_task(workers.run(gate.wait, is_urgent=False))
    await asyncio.sleep(0)
    unwanted = asyncio.create_task(workers.run(lambda: begun.append(1), is_urgent=True))
    await asyncio.sleep(0)
    unwanted.cancel()
    await asyncio.gather(unwanted, return_exceptions=True)
    gate.set()
    await holding
    await workers.run(lambda: None, is_urgent=False)
    assert begun == []


async def test_closed_workers_take_nothing() -> None:
    workers = Workers(1, "test")
    workers.close()
    with pytest.raises(RuntimeError):
        await workers.run(lambda: None, is_urgent=False)
