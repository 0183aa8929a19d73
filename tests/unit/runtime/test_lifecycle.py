"""A service goes forward through its states, and tells who waits."""

import asyncio

from services.runtime.lifecycle import Lifecycle, State


async def test_a_service_loads_serves_drains_and_stops() -> None:
    lifecycle = Lifecycle()
    states = [lifecycle.state]
    for step in (lifecycle.serve, lambda: lifecycle.drain(1), lifecycle.stop):
        step()
        states.append(lifecycle.state)
    assert states == [State.LOADING, State.SERVING, State.DRAINING, State.STOPPED]


async def test_a_drained_service_does_not_serve_again() -> None:
    lifecycle = Lifecycle()
    lifecycle.drain(1)
    lifecycle.serve()
    assert lifecycle.state is State.DRAINING


async def test_draining_wakes_every_stream() -> None:
    lifecycle = Lifecycle()
    streams = [asyncio.create_task(lifecycle.draining()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(stream.done() for stream in streams)
    lifecycle.drain(5)
    await asyncio.wait_for(asyncio.gather(*streams), 1)


async def test_the_deadline_is_what_is_left_of_the_drain() -> None:
    lifecycle = Lifecycle()
    assert lifecycle.drain_deadline_ms == 0
    lifecycle.drain(5)
    assert 4000 < lifecycle.drain_deadline_ms <= 5000
