"""The end of a call: the last words are heard, then a short tail passes, then the line is hung up, each within its
limit.
"""

from services.call_gateway.conversation.call import Call, Closing
from services.call_gateway.conversation.commands import HangUp, SendOn
from services.call_gateway.conversation.events import PromptKind
from services.call_gateway.conversation.floor import Decision, Floor, Move
from services.call_gateway.conversation.news import StopReason, TurnOutcome
from services.call_gateway.conversation.replying import drop_speculation, give_up_reply
from services.call_gateway.line import EndCause


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


def abandon_user_turn(call: Call) -> None:
    """Discard the utterance under way, since something else became the turn."""
    call.overlap = call.user_turn.ended = None
    drop_speculation(call)
    begin_next_turn(call)


def begin_next_turn(call: Call) -> None:
    """Begin the caller's next turn, which has its own words and speculative replies."""
    call.user_turn.begin_next()
    call.speculation.begin_turn()
