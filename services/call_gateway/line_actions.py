"""Actions on one call's line that take time (transfers, keys, hanging up), and the timer of the conversation."""

import asyncio
import time
from collections.abc import Callable

from services.call_gateway.conversation.commands import DoAction
from services.call_gateway.conversation.events import ActionEnded, PressKeys, TransferCall
from services.call_gateway.edges.edge import Leg, LegFailed, TransferFailed
from services.call_gateway.line import EndCause, LegEnded
from services.runtime.logs import get_logger

HANG_UP_LIMIT_S = 10.0
"""Beyond the limits an edge has of its own."""

log = get_logger(__name__)


class LineActions:
    """Carries out the actions of a conversation on its leg. Every method is run as a task of the call."""

    def __init__(
        self,
        leg: Leg,
        ended: asyncio.Event,
        *,
        is_line_gone: Callable[[], bool],
        on_ended: Callable[[LegEnded], None],
        on_action: Callable[[ActionEnded], None],
        find_target: Callable[[str], str],
    ) -> None:
        """`ended` is set once the session is over, with its line or before it. `on_ended` is told when a leg that was
        to hang up says nothing of it, `on_action` how an action ended. `find_target`: the place of a transfer as it may
        be dialled, empty where it may not.
        """
        self._leg = leg
        self._ended = ended
        self._is_line_gone = is_line_gone
        self._on_ended = on_ended
        self._on_action = on_action
        self._find_target = find_target

    async def act(self, command: DoAction) -> None:
        """Transfer the caller or press keys; the conversation is told how it ended."""
        try:
            match command.action:
                case TransferCall(destination):
                    await self._transfer(destination)
                case PressKeys(digits):
                    await self._leg.send_dtmf(digits)
        except LegFailed as failed:
            reason = failed.reason if isinstance(failed, TransferFailed) else "LINE_REFUSED"
            log.warning(
                "action_failed", action=type(command.action).__name__, reason=reason, **{"pii.reason": str(failed)}
            )
            self._on_action(ActionEnded(command.action_id, command.action, is_done=False, reason=reason))
        else:
            self._on_action(ActionEnded(command.action_id, command.action, is_done=True))

    async def _transfer(self, wanted: str) -> None:
        """Raises LegFailed, and then the caller is still here."""
        target = self._find_target(wanted)
        if not target:
            raise TransferFailed("NOT_ALLOWED", "the agent's file does not list the destination")
        await self._leg.transfer(target, is_listed=True)

    async def send_on(self, message: str) -> None:
        """Give the call to the dialplan's fallback; where there is none, or it fails, hang up."""
        if self._leg.has_fallback and not self._is_line_gone():
            try:
                async with asyncio.timeout(HANG_UP_LIMIT_S):
                    await self._leg.fall_back(message)
                    await self._ended.wait()
                    log.warning("call_sent_on", **{"pii.reason": message})
                    return
            except (LegFailed, TimeoutError) as failed:
                log.warning("fallback_failed", **{"pii.reason": str(failed)})
        await self.hang_up(EndCause.FAILURE, message)

    async def hang_up(self, cause: EndCause, message: str = "") -> None:
        """End the line. A leg that does not say within the limit that it has ended is taken for ended."""
        try:
            async with asyncio.timeout(HANG_UP_LIMIT_S):
                await self._leg.hang_up(cause, message=message)
                await self._ended.wait()
        except (LegFailed, TimeoutError) as failed:
            log.warning("hang_up_failed", **{"pii.reason": str(failed)})
            self._on_ended(LegEnded(cause, message))


class CallTimer:
    """Timer of one call, which is set over and over: it costs a timer of the loop only when it is due earlier."""

    def __init__(self, on_due: Callable[[], None]) -> None:
        """`on_due` is called on the event loop, too early at worst, and sets the timer again."""
        self._on_due = on_due
        self._handle: asyncio.TimerHandle | None = None
        self._due_s = 0.0

    def set(self, due_s: float) -> None:
        """Call `on_due` at that moment of the monotonic clock, or before it where an earlier one was set."""
        if self._handle is not None:
            if due_s >= self._due_s:
                return
            self._handle.cancel()
        self._due_s = due_s
        self._handle = asyncio.get_running_loop().call_later(max(0.0, due_s - time.monotonic()) + 0.001, self._expire)

    def cancel(self) -> None:
        """Call nothing any more."""
        if self._handle is not None:
            self._handle.cancel()

    def _expire(self) -> None:
        self._handle = None
        self._on_due()
