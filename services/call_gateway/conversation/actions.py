"""Actions on the call (hang up, transfer, keys, language) that the agent asks for, and the end of the call.

An action is done at once, or when the words of its turn have been heard to their end. An action that waits for words is
dropped with their turn, and a speculative reply has no side effects. The agent is told every outcome. An action that
failed, or whose turn had no words, would leave the caller waiting: its outcome becomes a turn of the agent as soon as
the line is silent, unless the caller takes a turn first.

At the end of a call the last words are heard, then the tail passes, then the line is hung up, each within its limit. A
caller who speaks between the last words and the hang-up is not hung up on. A goodbye is heard to its end like any other
words. Then the line stays open for the tail. A caller who begins to speak meanwhile, or spoke over a goodbye of the
gateway, is listened to and answered, and the call goes on. A sound without words only delays the hang-up.

Two goodbyes make an exception. At MAX_DURATION a caller who goes on talking would pass the limit; after a FAILURE no
stage could hear or answer. Both end within `closing_limit_ms` and the tail.
"""

from services.call_gateway.conversation.call import Call, Closing, PendingHangUp
from services.call_gateway.conversation.commands import DoAction, HangUp, ReportAction, SendOn, UpdateStt
from services.call_gateway.conversation.events import ActionAsked, ActionEnded, HangUpCall, SwitchLanguage
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
            yield Decision(
                Move.CLOSED, Closing(pending.cause, HangUp(pending.cause, pending.message), is_all_heard=True)
            )

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


# -- actions that the agent asks for -----------------------------------------------------------------------------------


def on_action_asked(call: Call, asked: ActionAsked) -> Decisions:
    """The agent asks for an action."""
    reply = call.find_reply(asked.turn_id)
    if reply is None:
        call.refuse(asked)
        call.command(ReportAction(asked.action_id, is_done=False))
    elif asked.is_after_playout or reply.is_speculative:
        reply.actions.append(asked)
    else:
        yield from do_action(call, asked)


def do_action(call: Call, asked: ActionAsked) -> Decisions:
    """Do the action now, if the agent's file allows it."""
    call.actions[asked.action_id] = asked
    if not call.allows(asked.action):
        call.counters["acts_refused"] += 1
        _end(call, asked, reason="NOT_ALLOWED")
        return
    match asked.action:
        case HangUpCall() if asked.is_after_playout:
            hang_up_soon(call, EndCause.AGENT, asked)
        case HangUpCall():
            _end(call, asked)
            yield close(EndCause.AGENT, None)
        case SwitchLanguage(language_code) if call.speaks(language_code):
            call.language_code = language_code
            call.command(UpdateStt(call.clock.sample, language_codes=(language_code,)))
            _end(call, asked)
        case SwitchLanguage():
            _end(call, asked, reason="LANGUAGE_NOT_SPOKEN")
        case action:
            call.command(DoAction(asked.action_id, action))


def _end(call: Call, asked: ActionAsked, *, reason: str = "") -> None:
    on_action_ended(call, ActionEnded(asked.action_id, asked.action, is_done=not reason, reason=reason))


def on_action_ended(call: Call, event: ActionEnded) -> None:
    """The action was done, or could not be done."""
    call.command(ReportAction(event.action_id, event.is_done, event.reason))
    asked = call.actions.pop(event.action_id, None)
    if asked is not None:
        call.outcomes.append((asked, event))


def outcome_due(call: Call) -> ActionEnded | None:
    """Return the oldest outcome that the agent should speak of now. Outcomes that need not be told are forgotten."""
    reply = call.reply
    is_silent = reply is None and call.floor is Floor.LISTENING and call.user_turn.phase is TurnPhase.SILENT
    for told in tuple(call.outcomes):
        asked, event = told
        if reply is not None and reply.turn_id > asked.turn_id and reply.is_to_speech:
            call.outcomes.remove(told)  # the caller has gone on; the agent knows how it went
        elif is_silent:
            call.outcomes.remove(told)
            if not event.is_done or not call.history.heard_of(asked.turn_id):
                return event
    return None
