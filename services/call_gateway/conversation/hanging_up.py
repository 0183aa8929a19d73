"""Hang-up policy: a caller who speaks between the last words and the hang-up is not hung up on.

A goodbye is heard to its end like any other words. Then the line stays open for the tail. A caller who begins to speak
meanwhile, or spoke over a goodbye of the gateway, is listened to and answered, and the call goes on. A sound without
words only delays the hang-up.

Two goodbyes make an exception. At MAX_DURATION a caller who goes on talking would pass the limit; after a FAILURE no
stage could hear or answer. Both end within `closing_limit_ms` and the tail.
"""

from collections.abc import Iterator

from services.call_gateway.conversation.call import Call, PendingHangUp
from services.call_gateway.conversation.commands import HangUp, ReportAction
from services.call_gateway.conversation.events import ActionAsked
from services.call_gateway.conversation.floor import Decision, Floor, Move
from services.call_gateway.conversation.keys import Keypad
from services.call_gateway.conversation.user_turn import TurnPhase
from services.call_gateway.line import EndCause

CALLER_SPOKE = "CALLER_SPOKE"


def hang_up_soon(call: Call, cause: EndCause, asked: ActionAsked | None = None, *, message: str = "") -> None:
    """End the call once the last words were heard and the tail has passed. `asked`: by the agent."""
    until = call.clock.now + call.settings.closing_limit_ms / 1000
    call.hang_up = PendingHangUp(cause, call.turn_id, until, asked, unheard=call.user_turn.unheard, message=message)


class HangUpWatch:
    """The policy of a pending hang-up."""

    def __init__(self, call: Call, keypad: Keypad) -> None:
        self._call = call
        self._keypad = keypad

    @property
    def deadline(self) -> float | None:
        """Return when `on_timer` has something to do, by the wall."""
        pending = self._call.hang_up
        if pending is None:
            return None
        return self._call.clock.wall_of(pending.until if pending.at is None else pending.at)

    def review(self) -> None:
        """Look, after every event, for a caller who goes on, or for the silence that starts the tail."""
        call, pending = self._call, self._call.hang_up
        if pending is None:
            return
        if self._goes_on(pending):
            self._forget(pending)
        elif not self._is_silent:
            pending.at = None
        elif pending.at is None:
            pending.at = call.clock.now + call.settings.tail_ms / 1000

    def on_timer(self) -> Iterator[Decision]:
        """The tail may have passed, or a sound without words may have lasted too long to be waited for."""
        call, pending = self._call, self._call.hang_up
        if pending is None:
            return
        now = call.clock.now
        is_due = pending.at is not None and now >= pending.at
        is_long = now >= pending.until and not call.user_turn.has_words and not call.is_gateway_speaking
        if now >= pending.until:
            pending.until = now + call.settings.closing_limit_ms / 1000
        if is_due or is_long:
            call.hang_up = None
            if pending.asked is not None:
                self._report(pending.asked, is_done=True)
            yield Decision(Move.CLOSED, pending.closing(HangUp(pending.cause, pending.message)))

    @property
    def _is_silent(self) -> bool:
        call = self._call
        is_quiet = call.floor is Floor.LISTENING and call.user_turn.phase is TurnPhase.SILENT
        return is_quiet and not (call.is_gateway_speaking or self._keypad.is_waiting)

    def _goes_on(self, pending: PendingHangUp) -> bool:
        """Return whether, since then, the caller said something that is answered, or that they were asked to repeat."""
        call = self._call
        is_answered = call.reply is not None and call.reply.turn_id > pending.turn_id
        return is_answered or call.user_turn.unheard not in (None, pending.unheard)

    def _forget(self, pending: PendingHangUp) -> None:
        self._call.hang_up = None
        self._call.counters["hang_ups_forgotten"] += 1
        if pending.asked is not None:
            self._report(pending.asked, is_done=False, reason=CALLER_SPOKE)

    def _report(self, asked: ActionAsked, *, is_done: bool, reason: str = "") -> None:
        self._call.actions.pop(asked.action_id, None)
        self._call.command(ReportAction(asked.action_id, is_done, reason))
