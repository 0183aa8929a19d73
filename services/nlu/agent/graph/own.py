"""A compiled LangGraph graph of one's own as an agent: `kind: graph` with `graph: "package.module:name"`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from importlib import import_module
from typing import Any

from services.nlu.agent.courtesies import courtesy, user_text
from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.graph.running import CallState, steps_of_graph
from services.nlu.agent.interface import Act, Agent, AgentState, AgentTurn, Call, Say, Step
from services.nlu.agent.profile import AgentProfile
from services.nlu.engine import NluEngine
from services.nlu.history import Entry
from services.nlu.outputs import HangUp
from services.nlu.settings import NluSettings
from services.runtime.errors import StartupError


def open_graph_agent(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> Agent:
    """The agent `graph` of a profile: on its own graph where it names one. Raises StartupError."""
    return OwnGraphAgent(profile) if profile.graph else GraphAgent(profile, engine, settings)


class OwnGraphAgent:
    """Gives the graph what the caller said, and speaks what its nodes return; running.CallState has the keys.

    Greeting, silence and goodbye are the profile's. Every clause goes through the guard.
    """

    def __init__(self, profile: AgentProfile) -> None:
        """Raises StartupError where the profile's `graph` is no compiled graph."""
        self._profile = profile
        self._graph = _graph_of(profile)

    async def load(self) -> None:
        """Do nothing: the graph is compiled when its module is imported."""

    async def prepare(self, call: Call, history: Sequence[Entry], *, language_code: str, state: AgentState) -> None:
        """Do nothing: a graph reads what it is given."""

    async def respond(
        self, turn: AgentTurn, history: Sequence[Entry], *, committed: asyncio.Event
    ) -> AsyncGenerator[Step, None]:
        if reply := courtesy(self._profile, turn.input, history, language_code=turn.language_code):
            yield Say(reply.text)
            if reply.ends_call:
                yield Act(HangUp())
            return
        given = CallState(
            said=user_text(turn.input),
            language_code=turn.language_code,
            history=[message for entry in history for message in _messages(entry)],
            memory=dict(turn.state),
        )
        if turn.objection:
            given["objection"] = turn.objection
        thread = f"{turn.call.conversation}/{turn.turn_id}"
        try:
            async for step in steps_of_graph(self._graph, given, thread=thread, committed=committed):
                yield step
        finally:
            if self._graph.checkpointer:
                await self._graph.checkpointer.adelete_thread(thread)


def _graph_of(profile: AgentProfile) -> Any:
    module, _, name = profile.graph.partition(":")
    where = f"agent {profile.agent_id}: graph {profile.graph!r}"
    try:
        graph = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise StartupError(f"{where}: {error}") from error
    if not hasattr(graph, "astream"):
        raise StartupError(f"{where} is no compiled graph: name the result of StateGraph(...).compile(...)")
    return graph


def _messages(entry: Entry) -> list[dict[str, str]]:
    said = [("user", entry.user_text), ("assistant", entry.heard_text)]
    return [{"role": role, "content": text} for role, text in said if text]
