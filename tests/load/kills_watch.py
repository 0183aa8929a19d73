"""The events of calls during which a service dies, as the gateways tell them to a watcher."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2


@dataclass(slots=True)
class Told:
    """The events of calls, as the gateways told them."""

    events: list[Any] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # when each came, seconds, monotonic

    def first_phrase_at(self, since: int) -> float | None:
        """Return when the gateway had first said something by itself since that event."""
        told = zip(self.events[since:], self.times[since:], strict=True)
        return next((at for event, at in told if event.WhichOneof("event") == "turn" and _is_phrase(event.turn)), None)

    def ends(self) -> list[int]:
        """The causes of the ended calls."""
        return [event.end.cause for event in self.events if event.WhichOneof("event") == "end"]

    def is_settled(self, since: int, *, restarted: bool) -> bool:
        """Return whether the agent has said since that event what it owed; a gateway that is new owes its apology
        alone.
        """
        return any(
            event.WhichOneof("event") == "turn"
            and (
                restarted
                if event.turn.is_gateway_prompt
                else event.turn.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED
            )
            for event in self.events[since:]
        )

    def floors(self) -> list[int]:
        """The floors of the call, in order."""
        return [event.floor_change.to for event in self.events if event.WhichOneof("event") == "floor_change"]

    def phrases(self, since: int) -> list[str]:
        """The phrases of the gateway itself since that event."""
        return [
            event.turn.heard_text
            for event in self.events[since:]
            if event.WhichOneof("event") == "turn" and event.turn.is_gateway_prompt
        ]


def _is_phrase(turn: Any) -> bool:
    return bool(turn.is_gateway_prompt and turn.heard_text)


async def watch_calls(target: str, told: Told) -> None:
    """Collect events from whichever gateway process serves, until cancelled."""
    while True:
        async with grpc.aio.insecure_channel(target) as channel:
            with contextlib.suppress(grpc.aio.AioRpcError):
                stub = call_pb2_grpc.CallGatewayServiceStub(channel)
                async for response in stub.WatchCalls(call_pb2.WatchCallsRequest()):
                    told.events.append(response.event)
                    told.times.append(time.monotonic())
        await asyncio.sleep(0.05)
