"""A stand-in for Asterisk: the part of its REST interface that one gateway needs, so that a benchmark can be the
telephone network.

A real Asterisk forwards packets between two threads of its own; under a load test on two cores it would be part of
what is measured. This stand-in answers the same requests (https://docs.asterisk.org/ARI) and lets the bench speak RTP
straight to the gateway's socket. The integration tests use the real one.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.load.wire import Wire

Json = dict[str, Any]


@dataclass(slots=True)
class Line:
    """One call: the caller's channel, and the external one that carries its sound to the gateway."""

    channel_id: str
    wire: Wire
    external_id: str = ""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class StandInPbx:
    """The far side of the ARI edge, on one loopback port."""

    def __init__(self, port: int, application: str) -> None:
        self._port = port
        self._application = application
        self._lines: dict[str, Line] = {}
        self._bridges: set[str] = set()
        self._websocket: web.WebSocketResponse | None = None
        self.connected = asyncio.Event()
        routes: list[tuple[str, str, Callable[[web.Request], Any]]] = [
            ("GET", "/ari/events", self._events),
            ("GET", "/ari/asterisk/info", self._info),
            ("GET", "/ari/applications/{app}", self._describe),
            ("PUT", "/ari/applications/{app}/eventFilter", self._done),
            ("POST", "/ari/applications/{app}/subscription", self._done),
            ("GET", "/ari/channels", self._list_channels),
            ("GET", "/ari/bridges", self._list_bridges),
            ("POST", "/ari/bridges", self._create_bridge),
            ("POST", "/ari/bridges/{id}", self._create_bridge),
            ("DELETE", "/ari/bridges/{id}", self._delete_bridge),
            ("POST", "/ari/bridges/{id}/addChannel", self._done),
            ("POST", "/ari/channels/externalMedia", self._external_media),
            ("GET", "/ari/channels/{id}", self._get_channel),
            ("GET", "/ari/channels/{id}/variable", self._variable),
            ("POST", "/ari/channels/{id}/variable", self._done),
            ("POST", "/ari/channels/{id}/answer", self._answer),
            ("DELETE", "/ari/channels/{id}", self._delete_channel),
        ]
        web_application = web.Application()
        for method, path, handler in routes:
            web_application.router.add_route(method, path, handler)
        self._runner = web.AppRunner(web_application, access_log=None)

    async def __aenter__(self) -> "StandInPbx":
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def call(self, name: str, ssrc: int) -> Line:
        """Place a call and wait until the agent answers (10 s at most)."""
        line = Line(channel_id=name, wire=Wire.open(ssrc))
        self._lines[name] = line
        await self._emit({"type": "StasisStart", "args": ["inbound"], "channel": self._channel(name)})
        await asyncio.wait_for(line.answered.wait(), 10)
        return line

    async def hang_up(self, line: Line) -> None:
        """The caller puts the receiver down."""
        if line.ended.is_set():
            return
        self._lines.pop(line.channel_id, None)
        line.ended.set()
        await self._emit({"type": "StasisEnd", "channel": self._channel(line.channel_id)})
        await self._emit({"type": "ChannelDestroyed", "cause": 16, "channel": self._channel(line.channel_id)})

    # -- what the gateway asks ---------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(heartbeat=20)
        await websocket.prepare(request)
        self._websocket = websocket
        self.connected.set()
        async for message in websocket:
            if message.type == WSMsgType.ERROR:
                break
        return websocket

    async def _emit(self, event: Json) -> None:
        if self._websocket is None:
            raise ConnectionError("the gateway's event socket is not connected")
        await self._websocket.send_str(json.dumps({"application": self._application, **event}))

    def _channel(self, channel_id: str, *, is_up: bool = False) -> Json:
        return {
            "id": channel_id,
            "name": f"PJSIP/{channel_id}",
            "state": "Up" if is_up else "Ring",
            "caller": {"name": "", "number": "1001"},
            "connected": {"name": "", "number": ""},
            "dialplan": {
                "context": "from-phones",
                "exten": "1000",
                "priority": 1,
                "app_name": "Stasis",
                "app_data": "",
            },
            "creationtime": "2026-01-01T00:00:00.000+0000",
            "language": "en",
            "channelvars": {},
        }

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response({"system": {"version": "stand-in"}})

    async def _describe(self, _: web.Request) -> web.Response:
        return web.json_response({"name": self._application, "channel_ids": [], "bridge_ids": []})

    async def _list_channels(self, _: web.Request) -> web.Response:
        ids = [line.channel_id for line in self._lines.values()]
        ids += [line.external_id for line in self._lines.values() if line.external_id]
        return web.json_response([self._channel(channel_id) for channel_id in ids])

    async def _list_bridges(self, _: web.Request) -> web.Response:
        return web.json_response([{"id": bridge, "name": bridge, "channels": []} for bridge in self._bridges])

    async def _create_bridge(self, request: web.Request) -> web.Response:
        bridge_id = request.match_info.get("id") or request.query["bridgeId"]
        self._bridges.add(bridge_id)
        return web.json_response({"id": bridge_id, "name": bridge_id, "channels": [], "bridge_type": "mixing"})

    async def _delete_bridge(self, request: web.Request) -> web.Response:
        self._bridges.discard(request.match_info["id"])
        return web.Response(status=204)

    async def _external_media(self, request: web.Request) -> web.Response:
        asked = {**(await request.json() if request.can_read_body else {}), **request.query}
        external_id = asked["channelId"]
        line = max(
            (line for line in self._lines.values() if line.channel_id in external_id and not line.external_id),
            key=lambda line: len(line.channel_id),
        )
        host, _, port = asked["external_host"].rpartition(":")
        line.external_id, line.wire.gateway = external_id, (host, int(port))
        channel = self._channel(external_id)
        variables = {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": str(line.wire.port)}
        channel["channelvars"] = variables
        await self._emit({"type": "StasisStart", "args": [], "channel": channel})
        return web.json_response(channel)

    async def _get_channel(self, request: web.Request) -> web.Response:
        return web.json_response(self._channel(request.match_info["id"]))

    async def _variable(self, request: web.Request) -> web.Response:
        return web.json_response({"message": f"no variable {request.query.get('variable')}"}, status=404)

    async def _answer(self, request: web.Request) -> web.Response:
        self._lines[request.match_info["id"]].answered.set()
        return web.Response(status=204)

    async def _delete_channel(self, request: web.Request) -> web.Response:
        line = self._lines.pop(request.match_info["id"], None)
        if line is not None:
            line.ended.set()
            await self._emit({"type": "StasisEnd", "channel": self._channel(line.channel_id)})
            await self._emit({"type": "ChannelDestroyed", "cause": 16, "channel": self._channel(line.channel_id)})
        return web.Response(status=204)

    async def _done(self, _: web.Request) -> web.Response:
        return web.Response(status=204)
