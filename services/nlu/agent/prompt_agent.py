"""The agent `prompt`: a persona with examples, continued by a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing

from services.nlu.agent.acts import ACT_NAMES, WantedAct, read_act
from services.nlu.agent.courtesies import courtesy, user_text
from services.nlu.agent.interface import Act, AgentState, AgentTurn, Call, CallTool, Expect, Say, Step
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_history import within
from services.nlu.agent.tools import TOOLS, Tool
from services.nlu.engine import Began, Message, NluEngine, ReplyRequest, Role, TextMade, ToolSpec, ToolWanted
from services.nlu.history import Entry, ToolCall
from services.nlu.outputs import HangUp
from services.nlu.settings import NluSettings
from services.nlu.tools.packages import AgentPackages

_MAX_TOOL_ROUNDS = 4


class PromptAgent:
    """Answers with the model's own words. The model's history of tools is the results it asked for in this turn, and
    what stands in the conversation's.
    """

    def __init__(self, profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> None:
        self._profile, self._engine = profile, engine
        self._max_prompt_chars = settings.max_prompt_chars
        self._packages = AgentPackages(profile, settings)

    async def load(self) -> None:
        """Open the packages of tools; the engine reads the openings when it is loaded."""
        await self._packages.load()

    def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
        """Those of the packages that the agent's file names."""
        return self._packages.tools(tenant_id)

    async def close(self) -> None:
        await self._packages.close()

    async def prepare(self, call: Call, history: Sequence[Entry], *, language_code: str, state: AgentState) -> None:
        del state
        messages = self.messages(history, language_code=language_code, instructions=call.instructions)
        await self._engine.prepare(call.conversation, messages)

    async def respond(
        self, turn: AgentTurn, history: Sequence[Entry], *, committed: asyncio.Event
    ) -> AsyncGenerator[Step, None]:
        if reply := courtesy(self._profile, turn.input, history, language_code=turn.language_code):
            yield Began()
            yield Say(reply.text)
            if reply.ends_call:
                yield Act(HangUp())
            return
        messages = self.messages(history, language_code=turn.language_code, instructions=turn.call.instructions)
        messages += (Message(Role.CALLER, user_text(turn.input)),)
        if turn.objection:
            messages += (Message(Role.TOOL, f"objection: {turn.objection}"),)
        for _ in range(_MAX_TOOL_ROUNDS):
            said, results = "", list[ToolCall]()
            request = ReplyRequest(
                conversation=turn.call.conversation,
                turn_id=turn.turn_id,
                messages=messages,
                language_code=turn.language_code,
                is_draft=not committed.is_set(),
                tools=self.tools(turn.call.tenant_id),
            )
            async with aclosing(self._engine.reply(request)) as parts:
                async for part in parts:
                    match part:
                        case TextMade(text):
                            said += text
                            say = Say(text, is_written_by_model=True)
                            yield say
                            if say.is_enough:
                                return
                        case ToolWanted() as wanted:
                            step = step_of(wanted)
                            yield step
                            if isinstance(step, CallTool) and step.result is not None:
                                results.append(step.result)
                        case _:
                            yield part
            if not results:
                return
            messages += (Message(Role.AGENT, said.strip()),) if said.strip() else ()
            messages += tuple(Message(Role.TOOL, f"{call.name}: {call.result_json}") for call in results)

    def tools(self, tenant_id: str) -> tuple[ToolSpec, ...]:
        own = tuple(TOOLS[name].spec for name in self._profile.tools if name in TOOLS)
        return (*own, *self._packages.specs(tenant_id))

    def messages(self, history: Iterable[Entry], *, language_code: str, instructions: str = "") -> tuple[Message, ...]:
        """The prompt up to the present turn; `instructions` stand in place of the profile's, with its examples."""
        kept = within(list(history), max_chars=self._max_prompt_chars)
        said = [message for entry in kept for message in _messages_of(entry)]
        return (*opening(self._profile, language_code, instructions=instructions), *said)


def opening(profile: AgentProfile, language_code: str, *, instructions: str = "") -> tuple[Message, ...]:
    """How every prompt in a language begins."""
    if instructions:
        return (Message(Role.SYSTEM, instructions),)
    persona = profile.personas[language_code]
    examples = [
        message
        for example in persona.examples
        for message in (Message(Role.CALLER, example.caller), Message(Role.AGENT, example.agent))
    ]
    return (Message(Role.SYSTEM, persona.instructions.strip()), *examples)


def step_of(wanted: ToolWanted) -> Step:
    """What a model asked for, as a step of the reply. Raises TurnFailed when it makes no sense."""
    if wanted.name not in ACT_NAMES:
        return CallTool(wanted.name, wanted.arguments_json)
    act = read_act(wanted.name, wanted.arguments_json)
    return Act(act.act, act.is_now) if isinstance(act, WantedAct) else Expect(act.kind, act.length, act.phrases)


def _messages_of(entry: Entry) -> Iterable[Message]:
    if entry.user_text:
        yield Message(Role.CALLER, entry.user_text)
    for call in entry.tool_calls:
        if call.name not in ACT_NAMES or '"failed"' in call.result_json:
            yield Message(Role.TOOL, f"{call.name}({call.arguments_json}): {call.result_json or 'is still running'}")
    for text in (entry.heard_text, entry.gateway_text):
        if text.strip():
            yield Message(Role.AGENT, text.strip())
