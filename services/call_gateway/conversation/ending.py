"""The end of a call: the last words are heard, then the tail passes, then the line is hung up, each within its limit.

A caller who speaks between the last words and the hang-up is not hung up on. A goodbye is heard to its end like any
other words. Then the line stays open for the tail. A caller who begins to speak meanwhile, or spoke over a goodbye of
the gateway, is listened to and answered, and the call goes on. A sound without words only delays the hang-up.

Two goodbyes make an exception. At MAX_DURATION a caller who goes on talking would pass the limit; after a FAILURE no
stage could hear or answer. Both end within `closing_limit_ms` and the tail.
"""

from services.call_gateway.conversation.call import Call, Closing, PendingHangUp
from services.call_gateway.conversation.commands import HangUp, ReportAction, SendOn
from services.call_gateway.conversation.events import ActionAsked
from services.call_gateway.conversation.floor import Decision, Decisions, Floor, Move
from services.call_gateway.conversation.keys import Keypad
from services.call_gateway.conversation.record import StopReason, TurnOutcome
from services.call_gateway.conversation.replying import abandon_user_turn, give_up_reply
from services.call_gateway.conversation.user_turn import TurnPhase
from services.call_gateway.line import EndCause
from services.call_gateway.prompts.book import PromptKind

CALLER_SPOKE = "CALLER_SPOKE"


# -- the call closes ---------------------------------------------------------------------------------------------------


def close(cause: EndCause, prompt: PromptKind | None, message: str = "") -> Decision:
    """Break off what is being said; the prompt is the last word."""
    return Decision(Move.CLOSED, Closing(cause, HangUp(cause, message), prompt))


def close_after_word(call: Call, cause: EndCause, message: str) -> Decision:
    """End the call politely: the word being spoken is the last."""
    is_speaking = call.playout.current is not None and call.floor is Floor.SPEAKING
    return Decision(Move.CLOSED, Closing(cause, HangUp(cause, message), is_after_word=is_speaking))


def close_for_failure(call: Call) -> Decision:
    """End a call that the stages cannot hold: it goes to the fallback; without one, goodbye is said."""
    if not call.has_fallback:
        return close(EndCause.FAILURE, PromptKind.GOODBYE)
    return Decision(Move.CLOSED, Closing(EndCause.FAILURE, SendOn("a stage stays away")))


def watch_closing(call: Call) -> None:
    """Time has passed, or a frame went out, while the call closes."""
    closing = call.closing
    if closing is None or call.is_over:
        return
    if not closing.is_all_heard and call.playout.current is None:
        closing.is_all_heard = True
        closing.deadline = call.clock.wall + call.settings.tail_ms / 1000
    elif call.clock.wall >= closing.deadline:
        call.command(closing.last_command)
        end_call(call)


def end_call(call: Call) -> None:
    """The line is gone, or given up: make the last reports. No command follows them."""
    if call.is_over:
        return
    abandon_user_turn(call)
    give_up_reply(call, TurnOutcome.INTERRUPTED, StopReason.CALL_ENDED)
    call.is_over = True


# -- a hang-up that waits ----------------------------------------------------------------------------------------------


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

    def on_timer(self) -> Decisions:
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
