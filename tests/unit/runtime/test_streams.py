"""Two tasks a stream: one hears, one speaks."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from voice.tts.v1.tts_pb2 import StreamingSynthesizeRequest as Request
from voice.tts.v1.tts_pb2 import SynthesisConfig, TextEnd

from services.runtime.errors import FirstMessageNotConfig, SecondConfig
from services.runtime.metrics import StageMetrics
from services.runtime.streams import Outbox, exchange, first_config, later_requests

CONFIG = Request(config=SynthesisConfig(call_id="c1"))
END = Request(text_end=TextEnd(turn_id=1))


async def sent(*requests: Request) -> AsyncIterator[Request]:
    for request in requests:
        yield request


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_outbox_keeps_the_order() -> None:
    outbox = Outbox[int](limit=10)
    for number in range(5):
        await outbox.put(number)
    outbox.close()
    assert [number async for number in outbox] == [0, 1, 2, 3, 4]


async def test_a_full_outbox_holds_its_producer() -> None:
    outbox = Outbox[int](limit=2)
    async with asyncio.TaskGroup() as tasks:
        producing = tasks.create_task(put_all(outbox, range(4)))
        await settle()
        assert (len(outbox), producing.done()) == (2, False)
        assert [number async for number in outbox] == [0, 1, 2, 3]


async def put_all(outbox: Outbox[int], numbers: range) -> None:
    for number in numbers:
        await outbox.put(number)
    outbox.close()


async def test_many_producers_all_get_their_turn() -> None:
    outbox = Outbox[int](limit=1)
    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(outbox.put(number))
        await settle()
        reader = aiter(outbox)
        assert [await anext(reader) for _ in range(8)] == list(range(8))


async def test_a_cancelled_producer_hands_its_room_on() -> None:
    outbox = Outbox[str](limit=1)
    await outbox.put("first")
    cancelled, waiting = asyncio.create_task(outbox.put("cancelled")), asyncio.create_task(outbox.put("waiting"))
    await settle()
    reader = aiter(outbox)
    assert await anext(reader) == "first"
    cancelled.cancel()
    await settle()
    assert waiting.done()
    assert await anext(reader) == "waiting"


async def test_a_closed_outbox_lets_a_held_producer_go() -> None:
    outbox = Outbox[int](limit=1)
    await outbox.put(1)
    held = asyncio.create_task(outbox.put(2))
    await settle()
    outbox.close()
    await asyncio.wait_for(held, 1)
    assert [number async for number in outbox] == [1]


async def test_what_is_put_after_the_close_is_discarded() -> None:
    outbox = Outbox[int](limit=1)
    outbox.close()
    await outbox.put(1)
    assert [number async for number in outbox] == []


async def test_an_offer_is_refused_by_a_full_or_closed_outbox() -> None:
    outbox = Outbox[int](limit=1)
    assert [outbox.offer(1), outbox.offer(2)] == [True, False]
    outbox.close()
    assert not outbox.offer(3)
    assert [number async for number in outbox] == [1]


async def test_a_callback_may_post_past_the_bound_and_see_that_it_did() -> None:
    outbox = Outbox[int](limit=1)
    outbox.post(1)
    outbox.post(2)
    assert outbox.is_full
    outbox.close()
    outbox.post(3)
    assert [number async for number in outbox] == [1, 2]


async def test_the_config_comes_first() -> None:
    assert await first_config(sent(CONFIG, END)) == CONFIG


@pytest.mark.parametrize("requests", [[], [END], [Request()]], ids=["nothing", "another kind", "an unknown kind"])
async def test_a_stream_that_does_not_open_with_config_is_refused(requests: list[Request]) -> None:
    with pytest.raises(FirstMessageNotConfig) as raised:
        await first_config(sent(*requests))
    assert raised.value.field == "config"


async def test_a_second_config_is_refused() -> None:
    with pytest.raises(SecondConfig):
        _ = [request async for request in later_requests(sent(END, CONFIG), StageMetrics("test"))]


async def test_an_unknown_kind_is_ignored_and_counted() -> None:
    metrics = StageMetrics("test_unknown")
    assert [request async for request in later_requests(sent(Request(), END, Request()), metrics)] == [END]
    assert metrics.unknown_requests_total._value.get() == 2  # the client library has no public way to read one


async def test_responses_are_yielded_while_requests_are_read() -> None:
    outbox = Outbox[str](limit=4)

    async def handle(requests: AsyncIterator[Request]) -> None:
        async for request in requests:
            await outbox.put(request.WhichOneof("request") or "")

    assert [response async for response in exchange(sent(CONFIG, END), handle, outbox)] == ["config", "text_end"]


async def test_a_failure_is_raised_after_what_was_said_before_it() -> None:
    outbox = Outbox[str](limit=4)

    async def handle(requests: AsyncIterator[Request]) -> None:
        await outbox.put("engine")
        raise SecondConfig("no")

    responses = exchange(sent(), handle, outbox)
    assert await anext(responses) == "engine"
    with pytest.raises(SecondConfig):
        await anext(responses)


async def test_closing_the_responses_stops_the_work() -> None:
    outbox = Outbox[str](limit=4)
    stopped = asyncio.Event()

    async def handle(requests: AsyncIterator[Request]) -> None:
        try:
            await outbox.put("engine")
            await asyncio.Event().wait()
        finally:
            stopped.set()

    responses = exchange(sent(), handle, outbox)
    assert await anext(responses) == "engine"
    await responses.aclose()  # type: ignore[attr-defined]
    assert stopped.is_set()


async def test_cancelling_the_call_stops_the_work() -> None:
    outbox = Outbox[str](limit=4)
    stopped = asyncio.Event()

    async def handle(requests: AsyncIterator[Request]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def call() -> None:
        async for _ in exchange(sent(), handle, outbox):
            pass

    calling = asyncio.create_task(call())
    await settle()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert stopped.is_set()
