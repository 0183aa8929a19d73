"""One caller's line through Asterisk, as a session knows it."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from services.call_gateway.edges.ari.line import Line, retry
from services.call_gateway.edges.ari.listening import HoldDoubt, KeyHoles
from services.call_gateway.edges.ari.recovery import KnownVisit
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.edges.edge import IncomingCall, LegFailed, LegListener, TransferFailed
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.edges.rtp_media import RtpMedia
from services.call_gateway.line import EndCause, HoldChanged, KeyPressed, LegEnded, LegEvent
from services.call_gateway.rtp.codecs import PayloadCodec
from services.runtime.logs import get_logger

_SET_UP_LIMIT_S: Final = 8.0
_DIGITS: Final = re.compile(r"[0-9A-D*#]{1,64}")
_DESTINATION: Final = re.compile(r"(?:(?:sips?|tel):)?(?P<extension>[+*#\w-]{1,40})(?:@[\w.:-]{1,120})?", re.ASCII)
_LISTED_SIP: Final = re.compile(r"sips?:[\w.!~*'()%+-]{1,64}@[\w.:\[\]-]{1,120}", re.ASCII | re.IGNORECASE)
_CALLER_LEFT: Final = "CALLER_LEFT"
FALLBACK_EXTENSION: Final = "fallback"
SIP_EXTENSION: Final = "sip-address"
"""The extension of the transfer context that calls the address in TONG_DAI_DESTINATION."""

log = get_logger(__name__)


class AriLeg:
    """Answers, hears, speaks, transfers and ends one call; the edge tells it what Asterisk says about it."""

    def __init__(
        self,
        call: IncomingCall,
        line: Line,
        codec: PayloadCodec,
        *,
        settings: AriSettings,
        pacer: Pacer,
        ask_hold: Callable[["AriLeg"], None],
    ) -> None:
        """`ask_hold` has `check_hold` run: what is believed of the hold may be wrong."""
        self.call = call
        self.line = line
        self.is_hanging_up = False
        """The far side asked to end the call."""
        self._codec, self._settings, self._pacer = codec, settings, pacer
        self._ask_hold = ask_hold
        self._key_holes = KeyHoles(codec.audio_format)
        self._hold = HoldDoubt(codec.audio_format)
        self._media: RtpMedia | None = None
        self._listener: LegListener | None = None
        self._wanted_end: LegEnded | None = None  # we asked for it, so the channel's going is no surprise
        self._is_over = False
        self._is_caller_there = True
        self._away: asyncio.Future[str] | None = None  # the caller is being transferred; "" once that was answered
        self._is_abandoned = False

    @property
    def is_over(self) -> bool:
        """Return whether the leg has ended."""
        return self._is_over

    @property
    def is_away(self) -> bool:
        """The caller is being transferred, and comes back when the transfer is not answered."""
        return self._away is not None and not self._away.done()

    @property
    def visit(self) -> KnownVisit:
        """Return what Asterisk should hold of the call."""
        line = self.line
        return KnownVisit(
            self.call.call_id,
            line.caller_id if self._is_caller_there or self.is_away else "",
            line.media_id,
            line.bridge_id,
            line.is_set_up and not self._is_over,
            self.is_away,
        )

    # -- the session's side --------------------------------------------------------------------------------------------

    async def answer(self, listener: LegListener) -> None:
        """Bridge and media stand before the caller is answered. Raises LegFailed, also when the caller hung up."""
        self._check_alive()
        self._media = media = RtpMedia(
            self._codec,
            self._pacer,
            host=self._settings.media_host,
            first_port=self._settings.rtp_first_port,
            last_port=self._settings.rtp_last_port,
        )
        address = (self._settings.media_address, media.local_address[1])
        try:
            async with asyncio.timeout(_SET_UP_LIMIT_S):
                source = await self.line.open_media(address, codec=self._codec.name)
                self._check_alive()
                await self.line.answer()
                self._check_alive()
        except TimeoutError as error:
            raise LegFailed(f"the line was not set up within {_SET_UP_LIMIT_S:.0f} s") from error
        self._listener = listener
        await media.open(source, self, on_failure=self._fail, advertised=address)
        if self.call.is_recovered:
            self._ask_hold(self)

    def discard_sent(self) -> None:
        """Do nothing: a frame leaves when it is due, so what was sent was played."""

    async def send_dtmf(self, digits: str) -> None:
        """Let Asterisk send the digits, for key packets of our own never reach the phone. Raises LegFailed."""
        self._check_alive()
        if not _DIGITS.fullmatch(digits):
            raise LegFailed(f"digits: {digits!r} are not 1-64 of 0-9, A-D, * and #")
        await self.line.press(digits)

    async def transfer(self, destination: str, *, is_listed: bool = False) -> None:
        """Transfer the caller to the dialplan's transfer context; `destination` is an extension, a tel: or sip:
        address. A sip: address that `is_listed` goes as a whole to the extension SIP_EXTENSION. The call is held here
        until the destination answers, or the dialplan brings the caller back. Raises LegFailed, and then the call goes
        on here.
        """
        self._check_alive()
        extension = _extension_of(destination, is_listed=is_listed)
        self._away = away = asyncio.get_running_loop().create_future()
        try:
            await self.line.keep_events()
            await self.line.set_variable("TONG_DAI_DESTINATION", destination)
            await self.line.set_variable("TONG_DAI_HOME", self._settings.app)
            await self.line.send_on(self._settings.transfer_context, extension)
        except LegFailed:
            self._away = None
            raise
        self._is_caller_there = False
        self.on_event(HoldChanged(is_held=True))
        try:
            async with asyncio.timeout(self._settings.transfer_limit_s):
                reason = await away
        except TimeoutError:
            reason = ""  # the dialplan gave the caller to something other than its Dial()
        if reason:
            raise TransferFailed(reason, f"the transfer was not answered: {reason}")
        self._finish(LegEnded(EndCause.TRANSFER, destination))
        await self.line.drop_events()

    @property
    def has_fallback(self) -> bool:
        """The dialplan has a context for callers who cannot be served here."""
        return bool(self._settings.fallback_context)

    async def fall_back(self, message: str) -> None:
        """The caller goes on in the dialplan's fallback context. Raises LegFailed, and then is still here."""
        self._check_alive()
        self._wanted_end = LegEnded(EndCause.FAILURE, message)
        try:
            await self.send_on()
        except LegFailed:
            self._wanted_end = None
            raise
        self._finish(LegEnded(EndCause.FAILURE, message))

    async def hang_up(self, cause: EndCause, *, message: str = "") -> None:
        """After a tail in which comfort silence goes on. Does nothing when the call is over. Raises LegFailed.

        A caller who was never answered, for a failure of ours, is not hung up but goes on in the dialplan.
        """
        if self._is_over:
            return
        if self._listener is None and cause is EndCause.FAILURE:
            self._finish(LegEnded(cause, message))
            return
        self._wanted_end = LegEnded(cause, message)
        await asyncio.sleep(self._settings.hang_up_tail_ms / 1000)
        try:
            if self._is_caller_there or self.is_away:  # otherwise another visit of the caller would end
                await self.line.hang_up()
                self._is_caller_there = False
        finally:
            self._finish(LegEnded(cause, message))

    # -- the media's side: as its listener -----------------------------------------------------------------------------

    def on_leg_event(self, event: LegEvent) -> None:
        """Sound, a hole, or a key came by RTP. What the listener raises ends the call by way of the media."""
        if self._hold.observe(event):
            self._ask_hold(self)
        if self._listener is not None:
            for told in self._key_holes.on_event(event):
                self._listener.on_leg_event(told)

    def next_frame(self) -> bytes | None:
        """The session's next frame."""
        return None if self._listener is None else self._listener.next_frame()

    # -- the edge's side -----------------------------------------------------------------------------------------------

    def on_event(self, event: KeyPressed | HoldChanged) -> None:
        """The caller pressed a key, or put the call on hold. A hold that is known already is no news."""
        if isinstance(event, HoldChanged):
            if not self._hold.believe(is_held=event.is_held):
                return
            if self._media is not None:
                self._media.set_held(event.is_held)
        if not self._is_over:
            for told in self._key_holes.on_event(event):
                self._tell(told)

    def transfer_taken(self) -> None:
        """The destination of the transfer has answered."""
        self._end_transfer("")

    async def come_back(self, reason: str) -> None:
        """The transfer was not answered, and the dialplan has sent the caller back. Does not raise LegFailed."""
        if not self.is_away:
            return
        self._is_caller_there = True
        try:
            await self.line.rejoin()
        except LegFailed as error:
            self._fail(error)
            return
        self.on_event(HoldChanged(is_held=False))
        self._end_transfer(reason)

    def _end_transfer(self, reason: str) -> None:
        if self._away is not None and not self._away.done():
            self._away.set_result(reason)

    def replace_caller(self, channel_id: str) -> None:
        """Another channel came in the caller's place (attended transfer): the hold of the one before is not its own."""
        self.line.caller_id = channel_id
        self.is_hanging_up = False
        self.on_event(HoldChanged(is_held=False))
        self._ask_hold(self)

    async def check_hold(self) -> None:
        """Ask Asterisk whether the call is on hold. Does not raise LegFailed."""
        caller_id = self.line.caller_id
        if self._is_over or self.is_away:
            return
        try:
            is_held = await self.line.is_held()
        except LegFailed as error:
            log.info("hold_unknown", error=str(error))
            return
        if is_held is not None and caller_id == self.line.caller_id:
            if is_held != self._hold.is_held:
                log.warning("hold_event_missed", is_held=is_held)
            self.on_event(HoldChanged(is_held, was_missed=True))

    def caller_left(self, cause: EndCause, message: str) -> None:
        """The caller's channel is not ours any more."""
        self._is_caller_there = False
        self._finish(self._wanted_end or LegEnded(cause, message))

    def media_left(self) -> None:
        """Our own channel ended while the caller's did not."""
        self._fail(LegFailed("Asterisk ended the media channel"))

    def abandon(self, message: str) -> None:
        """Another process has our channels now: let go, and touch nothing of Asterisk's."""
        self._is_abandoned = True
        self._finish(LegEnded(EndCause.FAILURE, message))

    async def send_on(self) -> None:
        """The gateway does not take the call: the caller goes on in the dialplan. Raises LegFailed."""
        if self._is_caller_there:  # otherwise another visit of the caller would end
            await self.line.send_on(self._settings.fallback_context, FALLBACK_EXTENSION)
            self._is_caller_there = False

    async def close(self) -> None:
        """Leave nothing behind. A caller who is still there and was not to be hung up goes on in the dialplan."""
        self._finish(LegEnded(EndCause.FAILURE, "the gateway did not take the call"))
        if self._media is not None:
            self._media.close()
        if self._is_abandoned:
            return
        if self._is_caller_there:
            log.warning("caller_left_over", is_to_hang_up=self._wanted_end is not None)
            await retry(self.send_on if self._wanted_end is None else self._hang_up_caller)
        await self.line.remove()

    async def _hang_up_caller(self) -> None:
        if self._is_caller_there:
            await self.line.hang_up()
            self._is_caller_there = False

    def _fail(self, error: Exception) -> None:
        self._finish(LegEnded(EndCause.FAILURE, str(error)))

    def _finish(self, end: LegEnded) -> None:
        """The one end of the call; later ones are not heard."""
        if self._is_over:
            return
        self._is_over = True
        self._end_transfer(_CALLER_LEFT)
        if self._media is not None:
            self._media.close()
        self.line.give_up(LegFailed("the call ended while it was set up"))
        self._tell(end)

    def _tell(self, event: LegEvent) -> None:
        """A listener that fails must not take the edge with it, which serves every call."""
        if self._listener is None:
            return
        try:
            self._listener.on_leg_event(event)
        except Exception as error:
            log.exception("listener_failed")
            self._fail(error)

    def _check_alive(self) -> None:
        if self._is_over:
            raise LegFailed("the call is over")


def _extension_of(destination: str, *, is_listed: bool) -> str:
    """Return where in the transfer context a destination is called. Raises TransferFailed."""
    if is_listed and _LISTED_SIP.fullmatch(destination):
        return SIP_EXTENSION
    found = _DESTINATION.fullmatch(destination)
    if found is None:
        raise TransferFailed("UNKNOWN_DESTINATION", f"{destination!r} is no extension, tel: or sip: address")
    return found["extension"]
