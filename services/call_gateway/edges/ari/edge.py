"""The edge to Asterisk. Either side may restart alone, so every (re)connect begins by reconciling both."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import aiohttp
from prometheus_client import Counter, Gauge

from services.call_gateway.edges.ari.calls import AriCalls
from services.call_gateway.edges.ari.client import AriClient, AriRefused
from services.call_gateway.edges.ari.events import EVENT_KINDS, AppReplaced, UnreadableEvent, read_channel, read_event
from services.call_gateway.edges.ari.names import Names
from services.call_gateway.edges.ari.ownership import Ownership
from services.call_gateway.edges.ari.recovery import Bridge, KnownVisit, Recovery, plan_recovery
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.edges.edge import LegFailed, TakeCall
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.rtp.codecs import CODECS, CodecMissing, PayloadCodec
from services.runtime.errors import StartupError
from services.runtime.exposure import warn_of_exposures
from services.runtime.logs import get_logger

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 5.0
_UNAUTHORIZED: Final = 401

_CONNECTED = Gauge("voice_ari_connected", "Whether Asterisk's events come in.")
_RECOVERED = Counter(
    "voice_ari_recovered_total", "Objects found by the reconciliation after a (re)connect, by kind.", ["what"]
)

log = get_logger(__name__)

Item = TypeVar("Item")


class AriEdge:
    """One ARI application on one Asterisk. Its name belongs to this process alone."""

    def __init__(self, settings: AriSettings, pacer: Pacer) -> None:
        """Raises StartupError: the codec's library or the TLS certificates are not there."""
        self._settings = settings
        self._pacer = pacer
        self._make_codec: Callable[[], PayloadCodec] = CODECS[settings.codec]
        self._names = Names(settings.app)
        self._calls: AriCalls | None = None
        self._is_taking = True
        self.is_ready = False
        self._complaint = ""
        try:
            self._make_codec()
            self._ari = AriClient(settings)
            self._ownership = Ownership(self._ari, settings.app)
        except (CodecMissing, OSError) as error:
            raise StartupError(f"ARI edge: {error}") from error

    async def serve(self, take_call: TakeCall) -> None:
        """Run until cancelled; callers who are still there then go on in the dialplan."""
        async with self._ari, asyncio.TaskGroup() as tasks:
            self._calls = AriCalls(
                self._ari,
                self._settings,
                pacer=self._pacer,
                make_codec=self._make_codec,
                take_call=take_call,
                tasks=tasks,
            )
            self._calls.is_taking = self._is_taking
            tasks.create_task(warn_of_exposures(self._settings.exposures()))
            tasks.create_task(self._ari.renew_files())
            try:
                await self._stay_connected(self._calls)
            except asyncio.CancelledError:
                self._calls.is_stopping = True
                raise

    def stop_taking_calls(self) -> None:
        """New callers go on in the dialplan; calls that are up go on here."""
        self._is_taking = False
        if self._calls is not None:
            self._calls.is_taking = False

    async def _stay_connected(self, calls: AriCalls) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await self._ownership.announce()
                events = await self._ari.open_events()
                try:
                    await self._filter_events()
                    await self._reconcile(calls)
                    self._say_connected()
                    pause_s = _FIRST_PAUSE_S
                    was_replaced = await self._own(events, calls)
                finally:
                    self._set_ready(is_ready=False)
                    await events.close()
                if was_replaced:
                    await self._wait_for_the_name(calls)
                else:
                    log.warning("ari_disconnected")
            except LegFailed as error:
                self._complain(error)
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _own(self, events: aiohttp.ClientWebSocketResponse, calls: AriCalls) -> bool:
        """Listen, and show meanwhile that the name is ours. Returns whether another process took it."""
        async with asyncio.TaskGroup() as tasks:
            showing = tasks.create_task(self._ownership.show())
            try:
                return await self._listen(events, calls)
            finally:
                showing.cancel()

    async def _wait_for_the_name(self, calls: AriCalls) -> None:
        """Another process has our application and its calls; we have none of either until it is gone."""
        log.error("ari_app_replaced", app=self._settings.app, remedy="give each process its GATEWAY_ARI_APP")
        calls.abandon_all(f"another process took over the application {self._settings.app}")
        await self._ownership.until_free(partial(self._clear_left, calls))
        if not self._is_taking:  # this process drains: its successor may have the name
            await asyncio.Event().wait()
        log.warning("ari_app_taken_back", app=self._settings.app)

    async def _listen(self, events: aiohttp.ClientWebSocketResponse, calls: AriCalls) -> bool:
        """Returns whether another process has our application now; else the connection is lost."""
        async for message in events:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return False
            try:
                event = read_event(message.json())
            except ValueError as error:  # no JSON, or UnreadableEvent
                log.warning("ari_event_unreadable", error=str(error))
                continue
            if isinstance(event, AppReplaced):
                return True
            if event is not None:
                calls.on_event(event)
        return False

    async def _filter_events(self) -> None:
        try:
            await self._ari.filter_events(self._settings.app, EVENT_KINDS)
        except AriRefused as refusal:  # before Asterisk 16.6; it is only a saving
            log.info("ari_events_unfiltered", fault=str(refusal))

    async def _reconcile(self, calls: AriCalls) -> None:
        """Reconcile the visits known here with Asterisk's channels and bridges. A refusal about one channel, which may
        be gone by now, is that channel's affair. Raises LegFailed when there is no list to be had.
        """
        plan = await self._plan(calls.visits)
        self._count(plan)
        for visit, loss in plan.lost:
            calls.lose(visit, loss)
        await self._remove_orphans(plan)
        for visit in plan.alive:
            await calls.refresh(visit)
        for visit in plan.returned:
            calls.bring_back(visit)
        for call in plan.found:
            if not await calls.subscribe(call.channel.channel_id):
                continue
            if call.channel.is_up and not self._settings.adopt_calls:
                calls.send_on(call.channel.channel_id, call.bridge_id)
                continue
            calls.begin(call.channel, bridge_id=call.bridge_id, is_recovered=call.channel.is_up)

    async def _clear_left(self, calls: AriCalls) -> None:
        """Take out of the application what this process left in it and no other took up: its callers go on in the
        dialplan. Callers in no bridge of ours may be the other process's. Raises LegFailed.
        """
        plan = await self._plan(())
        await self._remove_orphans(plan)
        for call in plan.found:
            if call.bridge_id:
                calls.send_on(call.channel.channel_id, call.bridge_id)

    async def _plan(self, known: tuple[KnownVisit, ...]) -> Recovery:
        """Compare `known`, as it was before Asterisk's lists are asked for, with them. What begins meanwhile is not
        missed in them. Raises LegFailed.
        """
        channels = _readable(await self._ari.get("channels"), read_channel)
        bridges = _readable(await self._ari.get("bridges"), _read_bridge)
        return plan_recovery(self._names, channels, bridges, known)

    async def _remove_orphans(self, plan: Recovery) -> None:
        for channel_id in plan.orphan_channels:
            await self._remove("channels", channel_id)
        for bridge_id in plan.orphan_bridges:
            await self._remove("bridges", bridge_id)

    async def _remove(self, kind: str, what: str) -> None:
        try:
            await self._ari.delete(kind, what)
        except AriRefused as refusal:
            log.warning("orphan_kept", kind=kind, what=what, error=str(refusal))

    def _set_ready(self, *, is_ready: bool) -> None:
        self.is_ready = is_ready
        _CONNECTED.set(is_ready)

    def _say_connected(self) -> None:
        self._set_ready(is_ready=True)
        self._complaint = ""
        log.info("ari_connected", url=self._settings.url, app=self._settings.app)

    def _complain(self, error: LegFailed) -> None:
        """Log what is wrong with the connection: once a cause, not once a try."""
        if str(error) == self._complaint:
            return
        self._complaint = str(error)
        is_stranger = isinstance(error, AriRefused) and error.status == _UNAUTHORIZED
        remedy = (
            "check GATEWAY_ARI_USER and GATEWAY_ARI_PASSWORD, or its _FILE"
            if is_stranger
            else "trying again until it answers"
        )
        log.warning("ari_unreachable", url=self._settings.url, fault=str(error), remedy=remedy)

    def _count(self, plan: Recovery) -> None:
        counts = {
            "vanished": len([visit for visit, _ in plan.lost if visit.caller_id]),
            "found": len(plan.found),
            "orphan_channels": len(plan.orphan_channels),
            "orphan_bridges": len(plan.orphan_bridges),
        }
        for what, count in counts.items():
            _RECOVERED.labels(what).inc(count)
        if any(counts.values()):
            log.warning("ari_reconciled", **counts)


def _read_bridge(bridge: Any) -> Bridge:
    try:
        return Bridge(str(bridge["id"]), tuple(map(str, bridge["channels"])))
    except (KeyError, TypeError) as error:
        raise UnreadableEvent(f"bridge: {error!r}") from error


def _readable(listed: Any, read: Callable[[Any], Item]) -> tuple[Item, ...]:
    """Return what can be read of one of Asterisk's lists. Raises LegFailed when it is no list."""
    if not isinstance(listed, list):
        raise LegFailed(f"Asterisk's lists cannot be read: {type(listed).__name__}")
    items = []
    for one in listed:
        try:
            items.append(read(one))
        except UnreadableEvent as error:
            log.warning("listed_item_unreadable", error=str(error))
    return tuple(items)
