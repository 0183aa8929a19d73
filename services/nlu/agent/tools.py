"""The tools an agent may call, by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.nlu.agent.confirmation import Confirmation
from services.nlu.agent.interface import Call
from services.nlu.engine import ToolSpec


class ToolRefused(Exception):
    """The tool cannot do what was asked; the message is for the model."""


class Tool(Protocol):
    """Something the agent can do outside the call. It is one tenant's: who calls is known when it is made.

    `spec` holds its name, its description, the JSON schema of its arguments, and whether it writes.
    """

    spec: ToolSpec

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        """Do it; returns the result as JSON. Raises ToolRefused, whose message the model is told.

        The arguments have been held against the schema. A tool that only reads (`spec.writes` is False) may run for a
        draft that is never committed; one that writes runs for committed turns alone.

        The same key means the same deed: it may come twice when a turn is
        tried again, and must be done once.
        """


@runtime_checkable
class KnowsItsDeed(Protocol):
    """A tool whose deed is noted before it is tried, so that it stands somewhere when its result is late."""

    async def standing(self, *, idempotency_key: str) -> str:
        """Return how a deed stands, as JSON; empty: it was never noted, and will not be done."""


@runtime_checkable
class HasTools(Protocol):
    """An agent that brings tools of its own, beside those its file names."""

    def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
        """The tools of one tenant's calls, by name."""


@runtime_checkable
class OffersActs(Protocol):
    """An agent whose model may ask for acts on the call."""

    @property
    def act_tools(self) -> tuple[ToolSpec, ...]:
        """Return the acts that the agent's file allows, as a model is told of them."""


@runtime_checkable
class AsksFirst(Protocol):
    """An agent whose model calls tools: one that writes runs only for what the caller has confirmed. Agents that are
    code confirm deeds by themselves, as `graph` does in calls without instructions of the client's.
    """

    def asks_first(self, call: Call) -> bool:
        """Return whether a model answers a call."""

    def unconfirmed(self, spec: ToolSpec, arguments: Mapping[str, object], given: Confirmation) -> str:
        """Return why a call may not be run, for the model; empty: the caller has agreed to it."""


@runtime_checkable
class HoldsOpen(Protocol):
    """An agent with connections of its tools."""

    async def close(self) -> None:
        """Let go of them when the service ends."""


class CurrentTime:
    """Says what time it is, which no model knows."""

    spec = ToolSpec(
        name="current_time",
        description="The date, weekday and time now, in a time zone.",
        parameters_json=json.dumps(
            {
                "type": "object",
                "properties": {
                    "time_zone": {
                        "type": "string",
                        "description": "Its name in the IANA database, as Asia/Ho_Chi_Minh or Europe/London.",
                        "pattern": "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$",
                    }
                },
                "required": ["time_zone"],
            }
        ),
        writes=False,
    )

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        zone = str(arguments.get("time_zone", "UTC"))
        try:
            now = datetime.now(ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ToolRefused(f"time_zone: {zone!r} is none; use one like Asia/Ho_Chi_Minh") from error
        return json.dumps({"time": f"{now:%H:%M}", "date": f"{now:%Y-%m-%d}", "weekday": f"{now:%A}"})


TOOLS: dict[str, Tool] = {tool.spec.name: tool for tool in (CurrentTime(),)}
PACKAGES = frozenset({"clinic"})
"""Names of what `kind: graph` opens itself: several tools on a store of the tenant's."""


def tools_of(agent: object, names: Iterable[str], tenant_id: str) -> dict[str, Tool]:
    """Return what an agent may call in one tenant's calls, by name: those that its file names, and those it brings
    itself.
    """
    own = agent.tools_of(tenant_id) if isinstance(agent, HasTools) else {}
    return {**{name: TOOLS[name] for name in names if name in TOOLS}, **own}
