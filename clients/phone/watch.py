"""The gateway's events of the call, from WatchCalls."""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

import grpc
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

_CONNECT_LIMIT_S: Final = 3.0
_LAST_NEWS_LIMIT_S: Final = 5.0
_RECONNECT_PAUSE_S: Final = 0.3
_MAX_EVENTS: Final = 10_000
_AGENT_FLOORS: Final = (record_pb2.FLOOR_THINKING, record_pb2.FLOOR_SPEAKING, record_pb2.FLOOR_PAUSED)


class GatewayAway(Exception):
    """No gateway answers there."""


class CallWatch:
    """Collects the events of the first call that begins after it was opened, at whichever gateway process.

    When a gateway's news break off in mid-call, the call that is told of next is taken for the same one, under the name
    that the gateway which took it on has given it.
    """

    def __init__(self, *channels: grpc.aio.Channel) -> None:
        self.events: list[record_pb2.CallEvent] = []
        self._stubs = [call_pb2_grpc.CallGatewayServiceStub(channel) for channel in channels]
        self._call_id = ""
        self._is_broken_off = False
        self._ended = asyncio.Event()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Raises GatewayAway when none of them answers."""
        refusals = [await _refusal(stub) for stub in self._stubs]
        if all(refusals):
            raise GatewayAway(refusals[0])
        await self._tasks.__aenter__()
        self._watching = [self._tasks.create_task(self._watch(stub)) for stub in self._stubs]
        await asyncio.sleep(0.2)  # a stream that has no news yet says nothing, not even that it is open
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watching in self._watching:
            watching.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    def has_agent_floor(self) -> bool:
        """Return whether the agent is thinking, speaking, or in doubt, by the last that was told."""
        floors = (event.floor_change.to for event in reversed(self.events) if event.HasField("floor_change"))
        return next(floors, record_pb2.FLOOR_UNSPECIFIED) in _AGENT_FLOORS

    def last_heard(self) -> str:
        """The part that was heard of the agent's last turn that is over."""
        turns = (event.turn for event in reversed(self.events) if event.HasField("turn"))
        return next((turn.heard_text for turn in turns if not turn.is_gateway_prompt), "")

    async def wait_ended(self) -> bool:
        """Return whether the call's last event came, five seconds at most from now."""
        try:
            await asyncio.wait_for(self._ended.wait(), _LAST_NEWS_LIMIT_S)
        except TimeoutError:
            return False
        return True

    async def _watch(self, stub: Any) -> None:
        """Watch until cancelled: a gateway that was started again goes on telling."""
        while True:
            try:
                async for response in stub.WatchCalls(call_pb2.WatchCallsRequest(), wait_for_ready=True):
                    self.take(response)
            except grpc.aio.AioRpcError as error:
                print(f"* the gateway's news broke off: {error.code().name} {error.details()}")
                self.break_off()
            await asyncio.sleep(_RECONNECT_PAUSE_S)

    def break_off(self) -> None:
        """The news have ended in mid-call: another gateway process may tell of it under another name."""
        self._is_broken_off = bool(self._call_id)

    def take(self, response: call_pb2.WatchCallsResponse) -> None:
        """Keep what is told of the call that is watched."""
        event = response.event
        if event.HasField("began") and not self._call_id:
            self._call_id = event.call_id
        if self._is_broken_off and event.call_id:
            self._call_id, self._is_broken_off = event.call_id, False
        if event.call_id != self._call_id or len(self.events) >= _MAX_EVENTS:
            return
        self.events.append(event)
        if event.HasField("end"):
            self._ended.set()


async def _refusal(stub: Any) -> str:
    """Return how a gateway does not answer; empty: it does."""
    try:
        await stub.ListCalls(call_pb2.ListCallsRequest(), timeout=_CONNECT_LIMIT_S)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return ""
