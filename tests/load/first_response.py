"""The time to the first response of a stream, which ghz cannot see.

The clock runs from the message that completes the first unit of work (the caller's last sound, the user's turn, the
first clause) to the first response that answers it.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from services.runtime.channels import open_channel

_STREAM_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Script:
    """The requests of one stream, and the response that is timed."""

    path: str  # "/voice.tts.v1.TtsService/StreamingSynthesize"
    requests: Sequence[Message]
    response_type: type[Message]
    interval_s: float  # between two requests
    trigger: int  # index of the request the clock starts at
    is_first: Callable[[Any], bool]  # whether a response is the one the clock stops at


async def measure(script: Script, target: str, *, streams: int, rounds: int) -> list[float]:
    """Seconds to the first response of `streams` callers at once, `rounds` streams each, one after another.

    A stream that fails or never answers counts as infinite. Callers begin spread over one second.
    """
    found: list[float] = []

    async def call(ordinal: int) -> None:
        await asyncio.sleep(ordinal / streams)
        async with open_channel(target) as channel:
            found.extend([await _one_stream(script, channel) for _ in range(rounds)])

    async with asyncio.TaskGroup() as callers:
        for ordinal in range(streams):
            callers.create_task(call(ordinal))
    return found


async def _one_stream(script: Script, channel: grpc.aio.Channel) -> float:
    triggered_s = answered_s = math.inf

    async def send() -> AsyncIterator[Message]:
        nonlocal triggered_s
        began_s = time.monotonic()
        for index, request in enumerate(script.requests):
            await asyncio.sleep(max(0.0, began_s + index * script.interval_s - time.monotonic()))
            if index == script.trigger:
                triggered_s = time.monotonic()
            yield request

    method: grpc.aio.StreamStreamMultiCallable[Any, Any] = channel.stream_stream(
        script.path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=script.response_type.FromString,
    )
    try:
        async for response in method(send(), timeout=_STREAM_LIMIT_S):
            if answered_s == math.inf and time.monotonic() >= triggered_s and script.is_first(response):
                answered_s = time.monotonic()
    except grpc.aio.AioRpcError:
        return math.inf
    return math.inf if answered_s == math.inf else answered_s - triggered_s
