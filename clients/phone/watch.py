"""What the gateway says about the call, from WatchCalls."""

import asyncio
from types import TracebackType
from typing import Final, Self

import grpc
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

_CONNECT_LIMIT_S: Final = 3.0
_LAST_NEWS_LIMIT_S: Final = 5.0
_RECONNECT_PAUSE_S: Final = 0.3
_MAX_EVENTS: Final = 10_000


class GatewayAway(Exception):
    """No gateway answers there."""


class CallWatch:
    """Collects the events of the first call that begins after it was opened, or of the one it is told."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.events: list[record_pb2.CallEvent] = []
        self._stub = call_pb2_grpc.CallGatewayServiceStub(channel)
        self._call_id = ""
        self._ended = asyncio.Event()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Raises GatewayAway."""
        try:
            await self._stub.ListCalls(call_pb2.ListCallsRequest(), timeout=_CONNECT_LIMIT_S)
        except grpc.aio.AioRpcError as error:
            raise GatewayAway(error.code().name) from error
        await self._tasks.__aenter__()
        self._watching = self._tasks.create_task(self._watch())
        await asyncio.sleep(0.2)  # a stream that has no news yet says nothing, not even that it is open
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    async def wait_ended(self) -> bool:
        """Whether the call's last event came, five seconds at most from now."""
        try:
            await asyncio.wait_for(self._ended.wait(), _LAST_NEWS_LIMIT_S)
        except TimeoutError:
            return False
        return True

    async def _watch(self) -> None:
        """Until cancelled: a gateway that was started again goes on telling."""
        while True:
            try:
                async for response in self._stub.WatchCalls(call_pb2.WatchCallsRequest(), wait_for_ready=True):
                    self._take(response)
            except grpc.aio.AioRpcError as error:
                print(f"* the gateway's news broke off: {error.code().name} {error.details()}")
            await asyncio.sleep(_RECONNECT_PAUSE_S)

    def _take(self, response: call_pb2.WatchCallsResponse) -> None:
        event = response.event
        if event.HasField("began") and not self._call_id:
            self._call_id = event.call_id
        if event.call_id != self._call_id or len(self.events) >= _MAX_EVENTS:
            return
        self.events.append(event)
        if event.HasField("end"):
            self._ended.set()
