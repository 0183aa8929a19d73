"""The agent `prompt`: a persona with examples, continued by a model that may call tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.language.claims import honest_sentence
from services.nlu.agent.act_tools import act_tools
from services.nlu.agent.acts import ACT_NAMES, WantedAct, read_act
from services.nlu.agent.confirmation import Confirmation
from services.nlu.agent.courtesies import courtesy, user_text
from services.nlu.agent.ending import agent_ends
from services.nlu.agent.interface import Act, AgentState, AgentTurn, Call, CallTool, CallTools, Expect, Say, Step
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_history import within
from services.nlu.agent.read_back import unconfirmed
from services.nlu.agent.tools import TOOLS, Tool
from services.nlu.engine import Began, Message, NluEngine, ReplyRequest, Role, Sampling, TextMade, ToolSpec, ToolWanted
from services.nlu.history import Entry, ToolCall
from services.nlu.outputs import HangUp
from services.nlu.plain_speech import PlainSpeech, after_thought
from services.nlu.settings import NluSettings
from services.nlu.tools.clinic.package import ClinicPackage
from services.nlu.tools.outcome import is_unclear
from services.nlu.tools.packages import AgentPackages
from services.runtime.logs import get_logger

log = get_logger(__name__)

KIND = "prompt"
MAX_TOOL_ROUNDS = 4
MAX_CALLS_A_ROUND = 8
_NO_MORE = "No more tools can be called in this turn. Answer the caller now, in words to be spoken, with what is known."
_ASK_FIRST = "Call it only when the caller has said yes to a question in which you read every argument back."
_UNCLEAR = (
    "Whether it was done is not known: tell the caller that you have asked for it and cannot see yet that it is done."
)
_WHOLE = CallTools(())
"""The mark that the text so far is complete: a block of code that was never closed swallows nothing of what follows."""


@dataclass(slots=True)
class _Round:
    """The model's output up to a wait for results."""

    said: str = ""
    calls: list[CallTool] = field(default_factory=list)
    is_enough: bool = False  # it may say no more in this turn
    has_acted: bool = False
    is_kept_up: bool = False  # it called hang_up without a goodbye: a caller is not hung up on in doubt

    @property
    def is_unspeakable(self) -> bool:
        """Return whether the model wrote only what no caller may hear: markup, JSON, a call in a form of its own."""
        speech = PlainSpeech()
        heard = after_thought(speech.push(self.said) + speech.finish())
        return bool(self.said.strip() or self.is_kept_up) and not (
            heard.strip() or speech.wants_hang_up or self.has_acted
        )


class PromptAgent:
    """Answers with the model's own words. The model's history of tools is the results it asked for in this turn, and
    what stands in the conversation's.
    """

    def __init__(self, profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> None:
        self._profile, self._engine = profile, engine
        self._max_prompt_chars = settings.max_prompt_chars
        self._packages = AgentPackages(profile, settings)
        self._clinic = self._opened_clinic(settings)

    async def load(self) -> None:
        """Open the packages of tools; the engine reads the openings when it is loaded."""
        await self._packages.load()
        if self._clinic:
            self._clinic.start()

    def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
        """Return the tools of the packages that the agent's file names."""
        clinic = self._clinic.tools(tenant_id) if self._clinic else {}
        return {**self._packages.tools(tenant_id), **clinic}

    def asks_first(self, call: Call) -> bool:
        """Return True: a model answers every call."""
        del call
        return True

    def unconfirmed(self, spec: ToolSpec, arguments: Mapping[str, object], given: Confirmation) -> str:
        """Return why a tool that writes may not be run: the caller has to agree to what the model wants."""
        return unconfirmed(spec.name, arguments, spec.parameters_json, given, self._profile)

    async def close(self) -> None:
        await self._packages.close()
        if self._clinic:
            await self._clinic.outbox.stop()

    async def prepare(self, call: Call, history: Sequence[Entry], *, language_code: str, state: AgentState) -> None:
        del state
        messages = self._prompt(call, history, language_code)
        await self._engine.prepare(call.conversation, messages, language_code=language_code)

    async def respond(
        self, turn: AgentTurn, history: Sequence[Entry], *, committed: asyncio.Event
    ) -> AsyncGenerator[Step, None]:
        if reply := courtesy(self._profile, turn.input, history, language_code=turn.language_code):
            yield Began()
            yield Say(reply.text)
            if reply.ends_call:
                yield Act(HangUp())
            return
        messages = self._prompt(turn.call, history, turn.language_code)
        messages += (Message(Role.CALLER, user_text(turn.input)),)
        deeds = frozenset(spec.name for spec in self.tools(turn.call.tenant_id) if spec.writes)
        if turn.objection:
            messages += _results_told(turn.results, deeds)
            messages += (Message(Role.TOOL, f"objection: {turn.objection}"),)
        has_said, must_answer = False, False
        made = {(call.name, call.arguments_json) for call in turn.results}
        for n_rounds in range(MAX_TOOL_ROUNDS + 1):
            wrote = _Round()
            async with aclosing(self._round(turn, messages, wrote, is_draft=not committed.is_set())) as steps:
                async for step in steps:
                    yield step
            has_said = has_said or bool(wrote.said.strip() and not wrote.is_unspeakable)
            if not wrote.calls and (has_said or not wrote.is_unspeakable):
                return
            if must_answer:
                log.warning("tool_rounds_exceeded", turn_id=turn.turn_id, agent_id=self._profile.agent_id)
                break
            if not wrote.calls:
                yield _WHOLE
                messages, must_answer = _to_be_answered(messages), True
                continue
            messages += (Message(Role.AGENT, wrote.said.strip()),) if wrote.said.strip() else ()
            wanted = {(call.name, call.arguments_json) for call in wrote.calls}
            if wanted <= made:  # a small model asks again for what it was given
                messages, must_answer = _to_be_answered(messages), True
                continue
            made |= wanted
            yield CallTools(tuple(wrote.calls))
            if wrote.is_enough:
                return
            messages += _results_told([call.result for call in wrote.calls if call.result is not None], deeds)
            if n_rounds == MAX_TOOL_ROUNDS - 1:
                messages, must_answer = _to_be_answered(messages), True
        if not has_said:  # the model went round in circles: the caller is told the truth of it
            persona = self._profile.personas[turn.language_code]
            yield _WHOLE
            yield Say(persona.unknown or honest_sentence(turn.language_code))

    async def _round(
        self, turn: AgentTurn, messages: tuple[Message, ...], wrote: _Round, *, is_draft: bool
    ) -> AsyncGenerator[Step, None]:
        """One request to the engine: what it says and does. The tools it calls are left in `wrote`."""
        request = ReplyRequest(
            conversation=turn.call.conversation,
            turn_id=turn.turn_id,
            messages=messages,
            language_code=turn.language_code,
            is_draft=is_draft,
            sampling=Sampling(temperature=self._profile.temperature),
        )
        async with aclosing(self._engine.reply(request)) as parts:
            async for part in parts:
                match part:
                    case TextMade(text):
                        wrote.said += text
                        say = Say(text, is_written_by_model=True, may_claim_anything=self._engine.name != "script")
                        yield say
                        if say.is_enough:
                            wrote.is_enough = True
                            return
                    case ToolWanted("hang_up") if not agent_ends(wrote.said, language_code=turn.language_code):
                        log.info("hang_up_not_done", turn_id=turn.turn_id, agent_id=self._profile.agent_id)
                        wrote.is_kept_up = True
                    case ToolWanted(name) if name in ACT_NAMES:
                        wrote.has_acted = True
                        yield act_of(part)
                    case ToolWanted(name, arguments_json):
                        if len(wrote.calls) < MAX_CALLS_A_ROUND:
                            wrote.calls.append(CallTool(name, arguments_json))
                    case _:
                        yield part

    def tools(self, tenant_id: str) -> tuple[ToolSpec, ...]:
        """The tools that the model is told of, for one tenant's calls."""
        own = tuple(TOOLS[name].spec for name in self._profile.tools if name in TOOLS)
        brought = (tool.spec for tool in self.tools_of(tenant_id).values())
        return (*(_asking_first(spec) for spec in (*own, *brought)), *self.act_tools)

    @property
    def act_tools(self) -> tuple[ToolSpec, ...]:
        """The acts that the file allows, which the model may ask for like tools."""
        return act_tools(self._profile)

    def messages(
        self, history: Iterable[Entry], *, language_code: str, instructions: str = "", tenant_id: str = ""
    ) -> tuple[Message, ...]:
        """The prompt up to the present turn: the persona with the tools, its examples, the conversation.

        `instructions` stand in place of the profile's, with its examples.
        """
        system, *examples = opening(self._profile, language_code, instructions=instructions)
        kept = within(list(history), max_chars=self._max_prompt_chars)
        said = [message for entry in kept for message in _messages_of(entry)]
        return (Message(system.role, system.text, tools=self.tools(tenant_id)), *examples, *said)

    def openings(self) -> list[tuple[Message, ...]]:
        """The beginnings of prompts in each language, greeting heard."""
        tenant_id = next(iter(self._profile.tenants), "")
        return [
            (*self.messages((), language_code=code, tenant_id=tenant_id), Message(Role.AGENT, persona.greeting))
            for code, persona in self._profile.personas.items()
        ]

    def _prompt(self, call: Call, history: Iterable[Entry], language_code: str) -> tuple[Message, ...]:
        return self.messages(
            history, language_code=language_code, instructions=call.instructions, tenant_id=call.tenant_id
        )

    def _opened_clinic(self, settings: NluSettings) -> ClinicPackage | None:
        """Of an agent of kind `graph` the graph opens it."""
        profile = self._profile
        if (settings.agent_kind or profile.kind) != KIND or "clinic" not in profile.tools or settings.data_dir is None:
            return None
        return ClinicPackage(
            profile.facts,
            profile.agent_id,
            settings.data_dir,
            clock=lambda: datetime.now(profile.zone),
            region=profile.region,
            kept_s=settings.deeds_kept_s,
        )


def opening(profile: AgentProfile, language_code: str, *, instructions: str = "") -> tuple[Message, ...]:
    """The persona's messages; `instructions` stand in place of the profile's, with its examples."""
    if instructions:
        return (Message(Role.SYSTEM, instructions),)
    persona = profile.personas[language_code]
    examples = [
        message
        for example in persona.examples
        for message in (Message(Role.CALLER, example.caller), Message(Role.AGENT, example.agent))
    ]
    return (Message(Role.SYSTEM, persona.instructions.strip()), *examples)


def act_of(wanted: ToolWanted) -> Step:
    """An act that a model asked for, as a step of the reply. Raises TurnFailed when it makes no sense."""
    act = read_act(wanted.name, wanted.arguments_json)
    return Act(act.act, act.is_now) if isinstance(act, WantedAct) else Expect(act.kind, act.length, act.phrases)


def _asking_first(spec: ToolSpec) -> ToolSpec:
    return replace(spec, description=f"{spec.description} {_ASK_FIRST}") if spec.writes else spec


def _to_be_answered(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The prompt without tools: the results stay, and there is nothing left to do but answer."""
    return (replace(messages[0], tools=()), *messages[1:], Message(Role.TOOL, _NO_MORE))


def _results_told(calls: Iterable[ToolCall], deeds: Collection[str]) -> tuple[Message, ...]:
    """Results for the model, and what to say of an unclear one. `deeds`: the tools that write."""
    calls = tuple(calls)
    told = tuple(Message(Role.TOOL, f"{call.name}: {call.result_json}", called=call) for call in calls)
    is_open = any(call.name in deeds and is_unclear(call.result_json, tool=call.name) for call in calls)
    return (*told, Message(Role.TOOL, _UNCLEAR)) if is_open else told


def _messages_of(entry: Entry) -> Iterable[Message]:
    if entry.user_text:
        yield Message(Role.CALLER, entry.user_text)
    for call in entry.tool_calls:
        if call.name not in ACT_NAMES or '"failed"' in call.result_json:
            text = f"{call.name}({call.arguments_json}): {call.result_json or 'is still running'}"
            yield Message(Role.TOOL, text, called=call)
    for text in (entry.heard_text, entry.gateway_text):
        if text.strip():
            yield Message(Role.AGENT, text.strip())
