"""The calls of one Asterisk that are up, each in a task of its own. Each event is handed to its call."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from services.call_gateway.edges.ari.client import AriClient, AriRefused
from services.call_gateway.edges.ari.events import (
    AppReplaced,
    AriEvent,
    Channel,
    ChannelEntered,
    ChannelGone,
    ChannelLeft,
    DialAnswered,
    DtmfReceived,
    HangUpAsked,
    HoldSet,
)
from services.call_gateway.edges.ari.leg import FALLBACK_EXTENSION, AriLeg
from services.call_gateway.edges.ari.line import Line, retry
from services.call_gateway.edges.ari.names import Names
from services.call_gateway.edges.ari.recovery import KnownVisit, VisitLoss
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.edges.edge import IncomingCall, LegFailed, TakeCall, new_visit_id
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.line import EndCause, HoldChanged, KeyPressed
from services.call_gateway.rtp.codecs import PayloadCodec
from services.runtime.errors import ServiceError
from services.runtime.logs import bind_call, get_logger

_AGENT, _LANGUAGES, _TENANT = "TONG_DAI_AGENT", "TONG_DAI_LANGUAGES", "TONG_DAI_TENANT"
_CLOSE_LIMIT_S: Final = 60.0
_STOP_LIMIT_S: Final = 3.0
_BACK: Final = "back"  # what the dialplan says with a caller whose transfer failed, and then Dial()'s status
_REASONS: Final = {
    "BUSY": "BUSY",
    "NOANSWER": "NO_ANSWER",
    "CONGESTION": "CONGESTION",
    "CHANUNAVAIL": "UNAVAILABLE",
    "UNKNOWN": "UNKNOWN_DESTINATION",
}
_GOING_S: Final = 0.3  # a channel that ends is gone so long after it left the application

log = get_logger(__name__)


class AriCalls:
    """Takes calls while it may; each ends by itself, by its session, or when the tasks are cancelled."""

    def __init__(
        self,
        ari: AriClient,
        settings: AriSettings,
        *,
        pacer: Pacer,
        make_codec: Callable[[], PayloadCodec],
        take_call: TakeCall,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.is_taking = True
        self.is_stopping = False  # the process ends: an Asterisk that does not answer is not waited for
        self._ari, self._settings, self._pacer = ari, settings, pacer
        self._names = Names(settings.app)
        self._make_codec = make_codec
        self._take_call = take_call
        self._tasks = tasks
        self._legs: dict[str, AriLeg] = {}  # the latest visit of each caller's channel, by its id
        self._media_legs: dict[str, AriLeg] = {}  # by the media channel's id
        self._left: set[str] = set()  # channels of `_legs` that are in the application no more

    @property
    def visits(self) -> tuple[KnownVisit, ...]:
        """The visits that are not over or whose remains are still being removed, as Asterisk should hold them."""
        return tuple(leg.visit for leg in self._media_legs.values())

    def lose(self, visit: KnownVisit, loss: VisitLoss) -> None:
        """Stock was taken, and the visit is not what it was."""
        leg = self._media_legs.get(visit.media_id)
        if leg is None or leg.is_over:
            return
        match loss:
            case VisitLoss.GONE:
                leg.caller_left(EndCause.FAILURE, "Asterisk lost the call")
            case VisitLoss.AWAY:
                leg.caller_left(EndCause.TRANSFER, "taken out of the application")
            case VisitLoss.MEDIA:
                leg.media_left()

    async def refresh(self, visit: KnownVisit) -> None:
        """Have the events of a visit that goes on, and read again what may have changed. Raises AriUnreachable."""
        leg = self._media_legs.get(visit.media_id)
        if leg is None or leg.is_over or not await self.subscribe(visit.caller_id):
            return
        self._check_hold(leg)

    def bring_back(self, visit: KnownVisit) -> None:
        """The event that the caller came back from a transfer was missed, and with it the reason."""
        leg = self._media_legs.get(visit.media_id)
        if leg is not None and leg.is_away:
            self._come_back(leg, "")

    def _come_back(self, leg: AriLeg, dial_status: str) -> None:
        self._left.discard(leg.line.caller_id)
        reason = _REASONS.get(dial_status, "FAILED")
        log.info("caller_back", call_id=leg.call.call_id, reason=reason)
        self._tasks.create_task(leg.come_back(reason))

    async def subscribe(self, channel_id: str) -> bool:
        """Have a channel's events. False when Asterisk refuses: this channel's affair. Raises AriUnreachable."""
        try:
            await self._ari.post(
                "applications", self._settings.app, "subscription", eventSource=f"channel:{channel_id}"
            )
        except AriRefused as refusal:
            log.warning("channel_not_subscribed", channel=channel_id, error=str(refusal))
            return False
        return True

    def begin(self, channel: Channel, *, bridge_id: str = "", is_recovered: bool = False) -> None:
        """A caller came, or was found. Where calls are not taken the caller goes on in the dialplan."""
        self._let_go(channel.channel_id)
        if not self.is_taking:
            self.send_on(channel.channel_id, bridge_id)
            return
        visit_id = new_visit_id()
        call_id = self._names.call_id(channel.channel_id, visit_id)
        line = Line(self._ari, self._names, call_id, channel, bridge_id=bridge_id)
        codec = self._make_codec()
        call = IncomingCall(
            call_id=call_id,
            edge="ari",
            caller=channel.caller,
            audio_format=codec.audio_format,
            is_recovered=is_recovered,
            visit_id=visit_id,
        )
        leg = AriLeg(call, line, codec, settings=self._settings, pacer=self._pacer, ask_hold=self._check_hold)
        self._legs[channel.channel_id] = leg
        self._media_legs[line.media_id] = leg
        self._left.discard(channel.channel_id)
        self._tasks.create_task(self._hold(leg, channel), name=f"call {call_id}")

    def send_on(self, channel_id: str, bridge_id: str) -> None:
        """A caller we do not take goes on in the dialplan; the bridge an earlier process left it in is removed."""
        self._let_go(channel_id)
        log.info("call_sent_on", channel=channel_id)

        async def work() -> None:
            way_on = {"context": self._settings.fallback_context, "extension": FALLBACK_EXTENSION, "priority": "1"}
            await retry(partial(self._ari.post, "channels", channel_id, "continue", **way_on))
            if bridge_id:
                await retry(partial(self._ari.delete, "bridges", bridge_id))

        self._tasks.create_task(work())

    def _let_go(self, channel_id: str) -> None:
        """The caller is another visit's from here on: the one before, which ends, must not send them anywhere."""
        if (before := self._legs.get(channel_id)) is not None:
            before.caller_left(EndCause.TRANSFER, "taken out of the application")

    def abandon_all(self, message: str) -> None:
        """Another process has our application."""
        for leg in list(self._media_legs.values()):
            leg.abandon(message)

    def on_event(self, event: AriEvent) -> None:
        """Hand an event to the call it is about. Events of calls that are over are dropped."""
        if isinstance(event, ChannelEntered):
            self._channel_entered(event)
        elif isinstance(event, ChannelLeft | ChannelGone):
            self._on_going(event)
        elif not isinstance(event, AppReplaced) and event.channel_id in self._legs:
            leg = self._legs[event.channel_id]
            match event:
                case HangUpAsked():
                    leg.is_hanging_up = True
                case DialAnswered():
                    leg.transfer_taken()
                case DtmfReceived(_, digit, duration_ms):
                    leg.on_event(KeyPressed(digit, duration_ms))
                case HoldSet(_, is_held):
                    leg.on_event(HoldChanged(is_held))

    def _on_going(self, event: ChannelLeft | ChannelGone) -> None:
        """A channel left the application, for the dialplan or at its end."""
        leg = self._legs.get(event.channel_id)
        if isinstance(event, ChannelGone):
            if leg is not None:
                leg.is_hanging_up = True
            self._channel_left(event.channel_id, event.cause_text)
        elif leg is not None and leg.is_away:
            self._left.add(event.channel_id)  # as it was asked to
        else:
            self._channel_left(event.channel_id, "")

    def _channel_entered(self, event: ChannelEntered) -> None:
        channel, replaced_channel_id, arguments = event.channel, event.replaced_channel_id, event.arguments
        channel_id = channel.channel_id
        is_back = arguments[:1] == (_BACK,)
        if channel_id in self._media_legs:
            self._media_legs[channel_id].line.media_has_entered()
        elif self._names.call_of_media(channel_id) is not None:
            self._tasks.create_task(retry(partial(self._ari.delete, "channels", channel_id)))
        elif replaced_channel_id in self._legs and not self._legs[replaced_channel_id].is_over:
            leg = self._legs.pop(replaced_channel_id)
            self._legs[channel_id] = leg
            leg.replace_caller(channel_id)
            log.info("caller_replaced", call_id=leg.call.call_id, channel=channel_id)
        elif is_back and channel_id in self._legs and self._legs[channel_id].is_away:
            self._come_back(self._legs[channel_id], "".join(arguments[1:2]))
        elif channel_id in self._legs and channel_id not in self._left:
            return  # the same visit: a reconciliation found it
        else:
            # Each entry is a visit of its own, also while the remains of the last visit are still being removed. A
            # caller who comes back from a transfer to a process that no longer knows the call is not greeted again.
            self.begin(channel, is_recovered=is_back)

    def _channel_left(self, channel_id: str, cause_text: str) -> None:
        if channel_id in self._media_legs:
            self._media_legs[channel_id].media_left()
        elif channel_id in self._legs:
            leg = self._legs[channel_id]
            self._left.add(channel_id)
            if leg.is_hanging_up or leg.is_over:
                leg.caller_left(EndCause.CALLER, cause_text)
            else:
                self._tasks.create_task(self._find_out_why(leg, channel_id))

    async def _find_out_why(self, leg: AriLeg, channel_id: str) -> None:
        """The call ended without a request to hang up: by the dialplan's time limit, or by a transfer elsewhere."""
        await asyncio.sleep(_GOING_S)
        if leg.is_over:
            return
        try:
            await self._ari.get("channels", channel_id)
        except AriRefused:
            leg.caller_left(EndCause.MAX_DURATION, "Asterisk ended the call")
        except LegFailed as error:
            leg.caller_left(EndCause.FAILURE, str(error))
        else:
            leg.caller_left(EndCause.TRANSFER, "taken out of the application")

    async def _hold(self, leg: AriLeg, channel: Channel) -> None:
        """One call from its first ring until nothing of it is left in Asterisk."""
        bind_call(leg.call.call_id)
        try:
            leg.call = await self._describe(leg.call, channel)
            await self._take_call(leg)
        except (LegFailed, ServiceError) as refusal:
            reason = refusal.reason if isinstance(refusal, ServiceError) else "LINE_REFUSED"
            log.warning("call_not_taken", reason=reason, **{"pii.reason": str(refusal)})
        except Exception:
            log.exception("call_failed")  # this call ends, and the others go on
        finally:
            await self._close(leg)

    async def _close(self, leg: AriLeg) -> None:
        try:
            async with asyncio.timeout(_STOP_LIMIT_S if self.is_stopping else _CLOSE_LIMIT_S):
                await leg.close()
        except TimeoutError:
            log.exception("call_left_in_asterisk")
        finally:
            self._media_legs.pop(leg.line.media_id, None)
            if self._legs.get(leg.line.caller_id) is leg:  # else the caller has come again
                del self._legs[leg.line.caller_id]
                self._left.discard(leg.line.caller_id)

    def _check_hold(self, leg: AriLeg) -> None:
        self._tasks.create_task(leg.check_hold())

    async def _describe(self, call: IncomingCall, channel: Channel) -> IncomingCall:
        """Return what the dialplan says about the call. Raises LegFailed."""

        async def read(name: str) -> str:
            told = channel.variables.get(name)  # ari.conf lists it under channelvars
            return await self._ari.variable(channel.channel_id, name) if told is None else told

        languages = await read(_LANGUAGES)
        return replace(
            call,
            agent_id=await read(_AGENT),
            tenant_id=await read(_TENANT) or self._settings.tenant,
            language_codes=tuple(tag.strip() for tag in languages.split(",") if tag.strip()),
        )
