"""The responses of a gateway's stream: events, turns, the end of a call."""

from typing import Any

from clients.conformance.streams import Stream, kind_of

CALL_LIMIT_S = 60.0


def is_event(kind: str) -> Any:
    """A test for an event of one kind."""
    return lambda one: kind_of(one) == "event" and one.event.WhichOneof("event") == kind


def is_turn(one: Any) -> bool:
    """Return whether a response tells of a turn of the agent that is over."""
    return bool(is_event("turn")(one) and not one.event.turn.is_gateway_prompt)


async def greeted(stream: Stream) -> Any:
    """Wait until the agent has greeted; returns the greeting's record."""
    return (await stream.until(is_turn, CALL_LIMIT_S)).event.turn


async def hung_up(stream: Stream) -> Any:
    """Hang up; returns the call's end, which must be the last message."""
    await stream.send(hangup={})
    return (await stream.rest(CALL_LIMIT_S))[-1].end
