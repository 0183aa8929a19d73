"""Actions on the call that the agent asks for (hang up, transfer, keys, language), and their outcomes.

An action is done at once, or when the words of its turn have been heard to their end. An action that waits for words is
dropped with their turn, and a speculative reply has no side effects. The agent is told every outcome. An action that
failed, or whose turn had no words, would leave the caller waiting: its outcome becomes a turn of the agent as soon as
the line is silent, unless the caller takes a turn first.
"""

from services.call_gateway.conversation.call import Call
from services.call_gateway.conversation.commands import DoAction, ReportAction, UpdateStt
from services.call_gateway.conversation.ending import close, hang_up_soon
from services.call_gateway.conversation.events import ActionAsked, ActionEnded, HangUpCall, SwitchLanguage
from services.call_gateway.conversation.floor import Decisions, Floor
from services.call_gateway.conversation.user_turn import TurnPhase
from services.call_gateway.line import EndCause


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
