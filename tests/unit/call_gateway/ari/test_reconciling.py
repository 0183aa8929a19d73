"""Reconciliation with an Asterisk that is played: each caller has one visit, and one channel's refusal is its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import pytest

from services.call_gateway.edges.ari.calls import AriCalls
from services.call_gateway.edges.ari.client import AriClient, AriRefused
from services.call_gateway.edges.ari.edge import AriEdge
from services.call_gateway.edges.ari.leg import AriLeg
from services.call_gateway.edges.ari.ownership import Ownership
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.rtp.codecs import CODECS

APP = "tong-dai"


class Asterisk:
    """Fake Asterisk: the channels and bridges that it holds, the requests that it refuses and that it was sent."""

    def __init__(self) -> None:
        self.channels: list[dict[str, Any]] = []
        self.bridges: list[dict[str, Any]] = []
        self.refused: dict[str, int] = {}  # status by a part of the request
        self.asked: list[str] = []

    async def open_events(self) -> Any:
        self.asked.append("events")
        raise asyncio.CancelledError

    async def get(self, *path: str, **query: str) -> Any:
        return {"channels": self.channels, "bridges": self.bridges}.get("/".join(path), {"value": ""})

    async def post(self, *path: str, **query: str) -> Any:
        return self._do("POST", path, query)

    async def delete(self, *path: str, **query: str) -> Any:
        return self._do("DELETE", path, query)

    async def variable(self, channel_id: str, name: str) -> str:
        return ""

    def _do(self, verb: str, path: tuple[str, ...], query: dict[str, str]) -> Any:
        asked = " ".join([verb, *path, *query.values()])
        self.asked.append(asked)
        for part, status in self.refused.items():
            if part in asked:
                raise AriRefused(asked, status, part)
        return {}

    def enters(self, channel_id: str) -> None:
        self.channels.append(
            {
                "id": channel_id,
                "state": "Up",
                "caller": {"number": "100"},
                "dialplan": {"app_name": "Stasis", "app_data": APP},
                "channelvars": {"TONG_DAI_AGENT": "", "TONG_DAI_LANGUAGES": "", "TONG_DAI_TENANT": ""},
            }
        )


class Edge:
    """The edge's calls, whose sessions wait for the end of their leg."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.asterisk = Asterisk()
        self.settings = AriSettings(app=APP, adopt_calls=True)
        self.taken: list[AriLeg] = []
        pacer = Pacer()
        self._edge = AriEdge(self.settings, pacer)
        self.calls = AriCalls(
            cast("AriClient", self.asterisk),
            self.settings,
            pacer=pacer,
            make_codec=CODECS["ulaw"],
            take_call=cast("Any", self._take),
            tasks=tasks,
        )
        self._edge._ari = cast("AriClient", self.asterisk)
        self._edge._ownership = Ownership(self._edge._ari, APP)

    async def _take(self, leg: AriLeg) -> None:
        self.taken.append(leg)
        leg.line.is_set_up = True
        while not leg.is_over:
            await asyncio.sleep(0)

    async def reconcile(self) -> None:
        await self._edge._reconcile(self.calls)
        for _ in range(50):
            await asyncio.sleep(0)

    async def connect_once(self) -> None:
        with suppress(asyncio.CancelledError):
            await self._edge._stay_connected(self.calls)

    @property
    def sent_on(self) -> list[str]:
        return [asked for asked in self.asterisk.asked if " continue " in asked]


def run(scenario: Callable[[Edge], Awaitable[None]]) -> None:
    async def call() -> None:
        async with asyncio.TaskGroup() as tasks:
            edge = Edge(tasks)
            await scenario(edge)
            assert edge.calls.visits
            edge.calls.abandon_all("the test is over")

    asyncio.run(call())


def test_a_caller_whose_media_was_lost_goes_on_in_one_visit_and_is_not_sent_away_by_the_other() -> None:
    async def scenario(edge: Edge) -> None:
        edge.asterisk.enters("1.0")
        await edge.reconcile()
        (before,) = edge.taken
        await edge.reconcile()  # neither bridge nor media channel are there
        assert before.is_over
        assert [leg.is_over for leg in edge.taken] == [True, False]
        assert edge.taken[1].line.caller_id == "1.0"
        assert edge.sent_on == []

    run(scenario)


@pytest.mark.parametrize("status", [404, 422, 409, 500])
def test_a_channel_that_is_refused_leaves_the_others_alone(status: int) -> None:
    async def scenario(edge: Edge) -> None:
        edge.asterisk.enters("1.0")
        edge.asterisk.enters("2.0")
        edge.asterisk.refused["channel:1.0"] = status
        await edge.reconcile()
        assert [leg.line.caller_id for leg in edge.taken] == ["2.0"]

    run(scenario)


def test_a_heartbeat_stands_in_asterisk_before_the_name_is_taken() -> None:
    """Else the owner cannot tell a process that ends as soon as it has the name from a stranger that lives."""

    async def call() -> None:
        async with asyncio.TaskGroup() as tasks:
            edge = Edge(tasks)
            await edge.connect_once()
            assert [asked.split()[:4] for asked in edge.asterisk.asked] == [
                ["POST", "asterisk", "variable", f"TONG_DAI_ALIVE_{APP}"],
                ["events"],
            ]

    asyncio.run(call())
