"""One caller's line through Asterisk, as a session knows it."""

import asyncio
import re
from typing import Final

from services.call_gateway.conversation.line import EndCause, HoldChanged, KeyPressed, LegEnded, LegEvent
from services.call_gateway.edges.ari.line import Line, insist
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.edges.edge import IncomingCall, LegFailed, LegListener
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.edges.rtp_media import RtpMedia
from services.call_gateway.rtp.codecs import PayloadCodec
from services.runtime.logs import get_logger

_SET_UP_LIMIT_S: Final = 8.0
_DIGITS: Final = re.compile(r"[0-9A-D*#]{1,64}")
_DESTINATION: Final = re.compile(r"(?:(?:sips?|tel):)?(?P<extension>[+*#\w-]{1,40})(?:@[\w.:-]{1,120})?", re.ASCII)
FALLBACK_EXTENSION: Final = "fallback"

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
        is_bridged: bool = False,
    ) -> None:
        """`is_bridged`: the caller stands in the call's bridge already, left there by an earlier process."""
        self.call = call
        self.line = line
        self._codec, self._settings, self._pacer = codec, settings, pacer
        self._is_bridged = is_bridged
        self._media: RtpMedia | None = None
        self._listener: LegListener | None = None
        self._wanted_end: LegEnded | None = None  # we asked for it, so the channel's going is no surprise
        self._is_over = False
        self._is_caller_there = True
        self._is_abandoned = False

    @property
    def is_over(self) -> bool:
        """Nothing is heard or said any more."""
        return self._is_over

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
        try:
            async with asyncio.timeout(_SET_UP_LIMIT_S):
                source = await self.line.open_media(
                    media.local_address, codec=self._codec.name, is_bridged=self._is_bridged
                )
                self._check_alive()
                await self.line.answer()
                self._check_alive()
        except TimeoutError as error:
            raise LegFailed(f"the line was not set up within {_SET_UP_LIMIT_S:.0f} s") from error
        self._listener = listener
        await media.open(source, listener, on_failure=self._fail)

    def discard_sent(self) -> None:
        """Nothing to do: a frame leaves when it is due, so what was sent was played."""

    async def send_dtmf(self, digits: str) -> None:
        """By Asterisk, for key packets of our own never reach the phone. Raises LegFailed."""
        self._check_alive()
        if not _DIGITS.fullmatch(digits):
            raise LegFailed(f"digits: {digits!r} are not 1-64 of 0-9, A-D, * and #")
        await self.line.press(digits)

    async def transfer(self, destination: str) -> None:
        """The caller goes on in the dialplan's transfer context; `destination` is an extension, a tel: or sip: address.

        Raises LegFailed, and then the call goes on here.
        """
        self._check_alive()
        found = _DESTINATION.fullmatch(destination)
        if found is None:
            raise LegFailed(f"destination: {destination!r} is no extension, tel: or sip: address")
        self._wanted_end = LegEnded(EndCause.TRANSFER, destination)
        try:
            await self.line.set_variable("TONG_DAI_DESTINATION", destination)
            await self.line.send_on(self._settings.transfer_context, found["extension"])
        except LegFailed:
            self._wanted_end = None
            raise
        self._is_caller_there = False
        self._finish(LegEnded(EndCause.TRANSFER, destination))

    @property
    def has_fallback(self) -> bool:
        """The dialplan has a context for callers nobody can serve."""
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
            await self.line.hang_up()
            self._is_caller_there = False
        finally:
            self._finish(LegEnded(cause, message))

    # -- the edge's side -----------------------------------------------------------------------------------------------

    def hear(self, event: KeyPressed | HoldChanged) -> None:
        """The caller pressed a key, or put the call on hold."""
        if isinstance(event, HoldChanged) and self._media is not None:
            self._media.set_held(event.is_held)
        if not self._is_over:
            self._tell(event)

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
        """Nobody takes the call: the caller goes on in the dialplan. Raises LegFailed."""
        await self.line.send_on(self._settings.fallback_context, FALLBACK_EXTENSION)
        self._is_caller_there = False

    async def close(self) -> None:
        """Leave nothing behind. A caller who is still there and was not to be hung up goes on in the dialplan."""
        self._finish(LegEnded(EndCause.FAILURE, "nobody took the call"))
        if self._media is not None:
            self._media.close()
        if self._is_abandoned:
            return
        if self._is_caller_there:
            log.warning("caller_left_over", is_to_hang_up=self._wanted_end is not None)
            await insist(self.send_on if self._wanted_end is None else self.line.hang_up)
        await self.line.remove()

    def _fail(self, error: Exception) -> None:
        self._finish(LegEnded(EndCause.FAILURE, str(error)))

    def _finish(self, end: LegEnded) -> None:
        """The one end of the call; later ones are not heard."""
        if self._is_over:
            return
        self._is_over = True
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
