"""The responses of an NLU stream, grouped for assertions."""

import time
from dataclasses import dataclass
from typing import Any

from voice.type.v1.turn_pb2 import TurnEnd

from clients.conformance.streams import Stream, kind_of

ASK = "What are your opening hours?"
ASK_LONG = "Please tell me everything about the clinic."
"""A question both the script and a model answer at length."""
ASK_TIME = "Please say clock: what time is it now in Ho Chi Minh City?"
"""For it the script and most models call the tool `current_time`, where the agent has it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Everything one turn brought, in the order of its arrival."""

    responses: list[Any]

    @property
    def end(self) -> Any:
        """The turn's end; there must be exactly one, with nothing of the turn behind it."""
        ends = [number for number, one in enumerate(self.responses) if kind_of(one) == "turn_end"]
        assert ends == [len(self.responses) - 1]
        return self.responses[-1].turn_end

    @property
    def clauses(self) -> list[Any]:
        return [one.reply_text for one in self.responses if kind_of(one) == "reply_text"]

    @property
    def text(self) -> str:
        return "".join(clause.text for clause in self.clauses)

    @property
    def actions(self) -> list[Any]:
        return [one.call_action for one in self.responses if kind_of(one) == "call_action"]

    @property
    def tools(self) -> dict[str, list[Any]]:
        """News of the turn's tools, by their calls."""
        found: dict[str, list[Any]] = {}
        for one in self.responses:
            if kind_of(one) == "tool_activity":
                found.setdefault(one.tool_activity.tool_call_id, []).append(one.tool_activity)
        return found

    @property
    def outcome(self) -> str:
        """COMPLETED, CANCELLED or FAILED."""
        return str(TurnEnd.Outcome.Name(self.end.outcome)).removeprefix("OUTCOME_")


def turn_of(response: Any) -> int | None:
    """The turn a response belongs to; None for those of the stream."""
    kind = kind_of(response)
    return getattr(response, kind).turn_id if kind not in ("engine", "going_away") else None


async def reply(stream: Stream, turn_id: int, limit_s: float | None = None) -> Reply:
    """Listen up to the end of a turn."""
    await stream.turn_end(turn_id, limit_s)
    return Reply([one for one in stream.heard if turn_of(one) == turn_id])


async def ask(stream: Stream, turn_id: int, text: str = ASK, **fields: Any) -> Reply:
    """Say something to the agent and listen to the end of its reply."""
    await stream.send(user_turn={"turn_id": turn_id, "text": text, **fields})
    return await reply(stream, turn_id)


async def draft(stream: Stream, turn_id: int, text: str = ASK) -> float:
    """Send a draft and wait until its reply has begun. Returns how many seconds that took, so that a check which looks
    for what must not follow looks longer at a slow server.
    """
    began = time.monotonic()
    await stream.send(user_turn={"turn_id": turn_id, "text": text, "is_draft": True})
    await stream.until(lambda one: kind_of(one) == "reply_text" and one.reply_text.turn_id == turn_id)
    return time.monotonic() - began


def ends(stream: Stream) -> list[tuple[int, str]]:
    """The turns that have ended so far, with their outcomes."""
    found = [one.turn_end for one in stream.heard if kind_of(one) == "turn_end"]
    return [(end.turn_id, TurnEnd.Outcome.Name(end.outcome).removeprefix("OUTCOME_")) for end in found]
