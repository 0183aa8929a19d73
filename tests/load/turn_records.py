"""The gateway's own record of every turn, from WatchCalls: a second opinion beside the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2


@dataclass(slots=True)
class TurnRecords:
    """Times of the turns that answered something a caller had said, in seconds."""

    latency_s: list[float] = field(default_factory=list)
    unexplained_s: list[float] = field(default_factory=list)
    from_draft: int = 0
    drafts_made: int = 0
    drafts_dropped: int = 0

    def take(self, turn: record_pb2.TurnRecord) -> None:
        """Take one more record."""
        self.drafts_made += turn.drafts_made
        self.drafts_dropped += turn.drafts_dropped
        if turn.latency_us:
            self.latency_s.append(turn.latency_us / 1e6)
            self.unexplained_s.append(turn.unexplained_us / 1e6)
            self.from_draft += turn.is_answered_from_draft


@asynccontextmanager
async def watch_turns(target: str) -> AsyncIterator[TurnRecords]:
    """Collect the records of every call of one gateway while the context is open."""
    records = TurnRecords()
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = call_pb2_grpc.CallGatewayServiceStub(channel)

        async def watch() -> None:
            with suppress(grpc.aio.AioRpcError):  # the gateway has stopped
                async for response in stub.WatchCalls(call_pb2.WatchCallsRequest(), wait_for_ready=True):
                    if response.event.HasField("turn"):
                        records.take(response.event.turn)

        watching = asyncio.create_task(watch())
        try:
            yield records
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
