"""Requests that are none, come late, or never come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import pytest
from voice.tts.v1.tts_pb2 import StreamingSynthesizeRequest

from services.runtime.errors import CapacityError
from services.runtime.interceptor import ProbeStreams
from services.runtime.requests import (
    ConfigTimeout,
    FirstMessages,
    StreamIdle,
    StreamRequests,
    UndecodableMessage,
    checked,
    ended_when_idle,
    tolerant,
)


async def never() -> AsyncIterator[Any]:
    await asyncio.Event().wait()
    yield None


async def these(*requests: Any) -> AsyncIterator[Any]:
    for request in requests:
        yield request


def test_bytes_that_are_no_message_are_told_when_looked_at() -> None:
    read = tolerant(StreamingSynthesizeRequest.FromString)
    assert checked(read(b"")) == StreamingSynthesizeRequest()
    with pytest.raises(UndecodableMessage):
        checked(read(b"\xff\xff\xff"))


async def test_a_first_message_has_a_limit() -> None:
    with pytest.raises(ConfigTimeout):
        await FirstMessages(0.01).receive(never())


async def test_a_stream_that_ends_without_one_is_no_error_here() -> None:
    assert await FirstMessages(1).receive(these()) is None


async def test_silent_streams_beyond_the_bound_end_the_one_that_waited_longest() -> None:
    messages = FirstMessages(60, waiting_limit=2)
    silent = [asyncio.create_task(messages.receive(never())) for _ in range(3)]
    done, waiting = await asyncio.wait(silent, timeout=0.2)
    assert (done, len(waiting)) == ({silent[0]}, 2)
    assert isinstance(silent[0].exception(), ConfigTimeout)
    assert await messages.receive(these("config")) == "config"
    for task in silent[1:]:
        task.cancel()


async def test_a_newcomer_is_not_hurt_by_a_limit_that_expires_as_it_comes() -> None:
    messages = FirstMessages(60, waiting_limit=1)
    silent = asyncio.create_task(messages.receive(never()))
    await asyncio.sleep(0)
    [limit] = messages._waiting
    limit.reschedule(asyncio.get_running_loop().time())
    come = asyncio.create_task(messages.receive(these("config")))
    await asyncio.sleep(0)
    with pytest.raises(ConfigTimeout):
        await silent
    assert await come == "config"


async def test_the_first_message_comes_first() -> None:
    assert [one async for one in StreamRequests("a", these("b", "c"), idle_s=1)] == ["a", "b", "c"]


async def test_a_stream_on_which_nothing_passes_is_ended() -> None:
    requests = StreamRequests(None, never(), idle_s=0.02)
    with requests.watched(), pytest.raises(StreamIdle):
        await anext(requests)


async def test_responses_keep_a_stream() -> None:
    requests = StreamRequests(None, never(), idle_s=0.1)
    with requests.watched():
        reading = asyncio.create_task(anext(requests))  # type: ignore[arg-type]  # an iterator's anext is awaitable
        for _ in range(20):
            await asyncio.sleep(0.02)
            requests.passed()
        assert not reading.done()
        reading.cancel()


async def test_a_cancelled_stream_is_not_taken_for_an_idle_one() -> None:
    requests = StreamRequests(None, never(), idle_s=60)
    with requests.watched():
        reading = asyncio.create_task(anext(requests))  # type: ignore[arg-type]  # an iterator's anext is awaitable
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_responses_that_no_longer_come_end_their_stream() -> None:
    async def talking() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0.02)
        yield 2
        await asyncio.Event().wait()

    responses = ended_when_idle(talking(), 0.1)
    assert [await anext(responses), await anext(responses)] == [1, 2]
    with pytest.raises(StreamIdle):
        await anext(responses)
    assert [response async for response in ended_when_idle(these(1, 2), 0.1)] == [1, 2]


async def test_a_time_limit_of_the_method_is_not_taken_for_idleness() -> None:
    async def slow() -> AsyncIterator[int]:
        raise TimeoutError("its own")
        yield 1

    with pytest.raises(TimeoutError, match="its own"):
        await anext(ended_when_idle(slow(), 5.0))


@pytest.mark.parametrize(
    "peers",
    [
        [f"ipv6:%5B2001:db8::{n:x}%5D:1" for n in range(1, 4)],
        [f"ipv6:[2001:db8:0:0:{n:x}::1]:1" for n in range(1, 4)],
        [f"ipv6:[fe80::{n:x}%25eth0]:1" for n in range(1, 4)],
        ["ipv4:10.0.0.1:1", "ipv6:[::ffff:10.0.0.1]:2", "ipv6:%5B::ffff:a00:1%5D:3"],
    ],
)
def test_one_hosts_addresses_count_as_one(peers: list[str]) -> None:
    probes = ProbeStreams(of_a_connection=2, of_a_host=2, in_all=9)
    with ExitStack() as held:
        for peer in peers[:2]:
            held.enter_context(probes.place("Watch", peer))
        with pytest.raises(CapacityError), probes.place("Watch", peers[2]):
            pass
        for other in ("ipv6:[2001:db8:0:1::1]:1", "ipv6:[::ffff:10.0.0.2]:1", "unix:/tmp/socket", "ipv6:[fe80::1]:1"):
            held.enter_context(probes.place("Watch", other))


def test_no_host_takes_the_places_of_all_probes() -> None:
    probes = ProbeStreams(of_a_connection=2, of_a_host=3, in_all=5)
    with ExitStack() as held:
        for peer in ("ipv4:10.0.0.1:1", "ipv4:10.0.0.1:1", "ipv4:10.0.0.1:2"):
            held.enter_context(probes.place("Watch", peer))
        for peer in ("ipv4:10.0.0.1:2", "ipv4:10.0.0.1:3"):
            with pytest.raises(CapacityError), probes.place("Watch", peer):
                pass
        held.enter_context(probes.place("Watch", "ipv6:%5Bfd00::1%5D:1"))
        held.enter_context(probes.place("Watch", "ipv6:%5Bfd00::1%5D:1"))
        with pytest.raises(CapacityError), probes.place("Watch", "ipv4:10.0.0.2:1"):
            pass
        with probes.place("Reflection", "ipv4:10.0.0.1:1"):
            pass
    assert not probes._open, "a host that holds no probe is not remembered"
