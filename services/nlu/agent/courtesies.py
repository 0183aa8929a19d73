"""The replies that every agent gives by itself: greeting, silence, goodbye. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.nlu.agent.acts import act_name
from services.nlu.agent.ending import Ending, caller_ends, offer, was_offered
from services.nlu.agent.language import find_language
from services.nlu.agent.outcomes import kind_of
from services.nlu.agent.profile import AgentProfile, PromptKind
from services.nlu.history import Entry
from services.nlu.inputs import ActionEnded, Dtmf, Open, Silence, Text, TurnInput

_SILENCES_BEFORE_GOODBYE = 3


@dataclass(frozen=True, slots=True)
class FixedReply:
    """Said as it stands, at once."""

    text: str
    ends_call: bool = False


def courtesy(
    profile: AgentProfile, turn_input: TurnInput, history: Sequence[Entry], *, language_code: str
) -> FixedReply | None:
    """The reply to a call that opens, to silence and to a goodbye; None: the turn wants an answer."""
    persona = profile.personas[language_code]
    match turn_input:
        case Open():
            return FixedReply(persona.greeting)
        case Silence(count=count):
            is_last = count >= _SILENCES_BEFORE_GOODBYE
            kind = PromptKind.SILENCE_GOODBYE if is_last else PromptKind.STILL_THERE
            return FixedReply(profile.prompt(kind, language_code), ends_call=is_last)
        case ActionEnded(act, outcome, reason):
            return FixedReply(profile.outcome(kind_of(act, outcome, reason), language_code))
        case Text(confidence=confidence):
            last_heard = last_heard_in(history)
            ending = caller_ends(
                user_text(turn_input),
                last_heard=last_heard,
                language_code=language_code,
                confidence=confidence,
                has_spoken=any(entry.user_text for entry in history),
            )
            if ending is Ending.FAREWELL:
                return FixedReply(persona.farewell, ends_call=True)
            question = offer(language_code)
            if ending is Ending.IN_DOUBT and question and not was_offered(last_heard, language_code=language_code):
                return FixedReply(question)
    return None


def last_heard_in(history: Sequence[Entry]) -> str:
    """Return what the caller heard of the agent's last reply."""
    return next((entry.heard_text for entry in reversed(history) if entry.heard_text), "")


def speakable_languages(profile: AgentProfile, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The agent's languages among those wanted, in their order, each once."""
    found = [find_language(code, profile.language_codes) for code in wanted]
    return tuple(dict.fromkeys(code for code in found if code))


def user_text(turn_input: TurnInput) -> str:
    """Return what the caller did, in words for the model and the history; empty for a greeting."""
    match turn_input:
        case Text(text=text):
            return text.strip()
        case Dtmf(digits):
            return f"(pressed the keys {' '.join(digits)})"
        case Silence():
            return "(said nothing)"
        case ActionEnded(act, outcome, reason):
            return f"({act_name(act)}: {outcome.value}{f', {reason.lower()}' if reason else ''})"
        case Open():
            return ""
