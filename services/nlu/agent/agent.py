"""What the agent makes of a turn: a fixed answer, or a question to the model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.nlu.agent.acts import ACT_NAMES, act_name
from services.nlu.agent.ending import Ending, caller_ends, offer, was_offered
from services.nlu.agent.language import find_language
from services.nlu.agent.outcomes import kind_of
from services.nlu.agent.profile import AgentProfile, PromptKind
from services.nlu.agent.prompt_history import within
from services.nlu.agent.tools import TOOLS
from services.nlu.engine import Message, Role, ToolSpec
from services.nlu.history import Entry
from services.nlu.inputs import ActionEnded, Dtmf, Open, Silence, Text, TurnInput

_SILENCES_BEFORE_GOODBYE = 3


@dataclass(frozen=True, slots=True)
class FixedReply:
    """Said as it stands, at once."""

    text: str
    ends_call: bool = False


@dataclass(frozen=True, slots=True)
class ModelReply:
    """To be written by the model."""

    messages: tuple[Message, ...]


Plan = FixedReply | ModelReply


class Agent:
    """One agent in one conversation's languages."""

    def __init__(
        self,
        profile: AgentProfile,
        *,
        language_codes: tuple[str, ...] = (),
        instructions: str = "",
        max_prompt_chars: int,
    ) -> None:
        """`language_codes`: those of the profile's to speak here, likeliest first; empty: all.

        `instructions` stand in place of the profile's own, with its examples.
        """
        self.profile = profile
        self.language_codes = language_codes or profile.language_codes
        self._instructions = instructions
        self._max_prompt_chars = max_prompt_chars

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return tuple(TOOLS[name].spec for name in self.profile.tools)

    def plan(self, turn_input: TurnInput, history: Iterable[Entry], *, language_code: str) -> Plan:
        """What to do about a turn; `history` is what came before it."""
        persona = self.profile.personas[language_code]
        match turn_input:
            case Open():
                return FixedReply(persona.greeting)
            case Silence(count=count):
                is_last = count >= _SILENCES_BEFORE_GOODBYE
                kind = PromptKind.SILENCE_GOODBYE if is_last else PromptKind.STILL_THERE
                return FixedReply(self.profile.prompt(kind, language_code), ends_call=is_last)
            case ActionEnded(act, outcome, reason):
                return FixedReply(self.profile.outcome(kind_of(act, outcome, reason), language_code))
        entries = list(history)
        text = user_text(turn_input)
        last_heard = next((entry.heard_text for entry in reversed(entries) if entry.heard_text), "")
        if isinstance(turn_input, Text):
            ending = caller_ends(
                text,
                last_heard=last_heard,
                language_code=language_code,
                confidence=turn_input.confidence,
                has_spoken=any(entry.user_text for entry in entries),
            )
            if ending is Ending.FAREWELL:
                return FixedReply(persona.farewell, ends_call=True)
            question = offer(language_code)
            if ending is Ending.IN_DOUBT and question and not was_offered(last_heard, language_code=language_code):
                return FixedReply(question)
        return ModelReply((*self.messages(entries, language_code=language_code), Message(Role.CALLER, text)))

    def opening(self, language_code: str) -> tuple[Message, ...]:
        """How every prompt in a language begins."""
        persona = self.profile.personas[language_code]
        if self._instructions:
            return (Message(Role.SYSTEM, self._instructions),)
        examples = [
            message
            for example in persona.examples
            for message in (Message(Role.CALLER, example.caller), Message(Role.AGENT, example.agent))
        ]
        return (Message(Role.SYSTEM, persona.instructions.strip()), *examples)

    def messages(self, history: Iterable[Entry], *, language_code: str) -> tuple[Message, ...]:
        """The prompt up to the present turn."""
        kept = within(list(history), max_chars=self._max_prompt_chars)
        said = [message for entry in kept for message in _messages_of(entry)]
        return (*self.opening(language_code), *said)


def speakable_languages(profile: AgentProfile, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The agent's languages among those wanted, in their order, each once."""
    found = [find_language(code, profile.language_codes) for code in wanted]
    return tuple(dict.fromkeys(code for code in found if code))


def user_text(turn_input: TurnInput) -> str:
    """What the caller did, in words for the model and the history; empty for a greeting."""
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


def _messages_of(entry: Entry) -> Iterable[Message]:
    if entry.user_text:
        yield Message(Role.CALLER, entry.user_text)
    for call in entry.tool_calls:
        if call.name not in ACT_NAMES or '"failed"' in call.result_json:
            yield Message(Role.TOOL, f"{call.name}({call.arguments_json}): {call.result_json or 'is still running'}")
    for text in (entry.heard_text, entry.gateway_text):
        if text.strip():
            yield Message(Role.AGENT, text.strip())
