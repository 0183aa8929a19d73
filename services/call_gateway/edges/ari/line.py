"""The parts of one call inside Asterisk: the caller's channel, a media channel of ours, and a bridge for the two."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.call_gateway.edges.ari.client import AriClient, AriRefused, AriUnreachable
from services.call_gateway.edges.ari.events import Channel, read_channel
from services.call_gateway.edges.ari.names import Names
from services.call_gateway.edges.edge import LegFailed
from services.call_gateway.edges.rtp_socket import Address, written
from services.runtime.logs import get_logger

_TRIES: Final = 10
_PAUSE_S: Final = 1.0
_CONFLICT: Final = 409

log = get_logger(__name__)


class Line:
    """The requests of one call. All raise LegFailed (AriRefused, AriUnreachable) unless they say otherwise."""

    def __init__(self, ari: AriClient, names: Names, call_id: str, channel: Channel, *, bridge_id: str = "") -> None:
        """`bridge_id`: the bridge an earlier process left the caller in; "" has one made."""
        self.caller_id = channel.channel_id
        self.media_id = names.media(call_id)
        self.is_set_up = False
        """Caller and media channel stand in the bridge."""
        self._media_entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bridge_id = bridge_id or names.bridge(call_id)
        self._is_bridged = bool(bridge_id)
        self._app = names.app
        self._ari = ari
        self._is_up = channel.is_up

    async def open_media(self, address: Address, *, codec: str) -> Address:
        """Make the media channel, which sends to `address`, and bridge it. Returns where it sends from."""
        await self._make_bridge()
        made = await self._ari.post(
            "channels",
            "externalMedia",
            channelId=self.media_id,
            app=self._app,
            external_host=written(address),
            format=codec,
            encapsulation="rtp",
            transport="udp",
            connection_type="client",
            direction="both",
        )
        source = await self._source(read_channel(made))
        await self._media_entered  # a channel that is not in the application yet cannot be bridged (422)
        channels = self.media_id if self._is_bridged else f"{self.caller_id},{self.media_id}"
        await self._ari.post("bridges", self.bridge_id, "addChannel", channel=channels)
        self.is_set_up = True
        return source

    def media_has_entered(self) -> None:
        """Our external channel is in the application."""
        if not self._media_entered.done():
            self._media_entered.set_result(None)

    def give_up(self, failure: LegFailed) -> None:
        """The call is over: release a waiting open_media."""
        if not self._media_entered.done():
            self._media_entered.set_exception(failure)
            self._media_entered.exception()  # without a waiter, asyncio would log an unretrieved exception

    async def answer(self) -> None:
        if not self._is_up:
            await self._ari.post("channels", self.caller_id, "answer")
            self._is_up = True

    async def press(self, digits: str) -> None:
        await self._ari.post("channels", self.caller_id, "dtmf", dtmf=digits)

    async def set_variable(self, name: str, value: str) -> None:
        await self._ari.post("channels", self.caller_id, "variable", variable=name, value=value)

    async def send_on(self, context: str, extension: str) -> None:
        """The caller goes on in the dialplan."""
        await self._ari.post("channels", self.caller_id, "continue", context=context, extension=extension, priority="1")

    async def keep_events(self) -> None:
        """Have the caller's events also while they are not in the application."""
        await self._ari.post("applications", self._app, "subscription", eventSource=f"channel:{self.caller_id}")

    async def drop_events(self) -> None:
        """The caller belongs to another party now: give up the events. Does not raise LegFailed."""
        source = f"channel:{self.caller_id}"
        await retry(lambda: self._ari.delete("applications", self._app, "subscription", eventSource=source))

    async def rejoin(self) -> None:
        """The caller, who was away, stands in the bridge again."""
        await self._ari.post("bridges", self.bridge_id, "addChannel", channel=self.caller_id)

    async def hang_up(self) -> None:
        await self._ari.delete("channels", self.caller_id, reason="normal")

    async def is_held(self) -> bool | None:
        """Return whether the far side has put the call on hold. None: Asterisk cannot say, as of a channel not of
        SIP.
        """
        answer = await self._ari.variable(self.caller_id, "CHANNEL(rtp,hold,audio)")
        return {"0": False, "1": True}.get(answer.strip())

    async def remove(self) -> None:
        """Delete media channel and bridge, however long Asterisk takes to come back. Does not raise."""
        await retry(lambda: self._ari.delete("channels", self.media_id))
        await retry(lambda: self._ari.delete("bridges", self.bridge_id))

    async def _make_bridge(self) -> None:
        try:
            await self._ari.post("bridges", self.bridge_id, type="mixing")
        except AriRefused as refusal:
            if refusal.status != _CONFLICT:  # else an earlier process made it
                raise

    async def _source(self, made: Channel) -> Address:
        async def local(name: str) -> str:
            return made.variables.get(name) or await self._ari.variable(self.media_id, name)

        host, port = await local("UNICASTRTP_LOCAL_ADDRESS"), await local("UNICASTRTP_LOCAL_PORT")
        if not host or not port.isdigit():
            raise LegFailed(f"Asterisk does not say where its RTP comes from (address {host!r}, port {port!r})")
        return host, int(port)


async def retry(request: Callable[[], Awaitable[object]]) -> None:
    """Ask until Asterisk answers, ten seconds at least. A refusal is an answer. Does not raise LegFailed."""
    for attempt in range(1, _TRIES + 1):
        try:
            await request()
        except AriUnreachable as error:
            log.warning("clean_up_put_off", error=str(error), attempt=attempt)
            await asyncio.sleep(_PAUSE_S)
        except AriRefused as refusal:
            log.info("clean_up_refused", error=str(refusal))
            return
        else:
            return
