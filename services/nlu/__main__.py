"""`python -m services.nlu`: the NLU stage as a process; with `plan`, the memory plan of a model instead."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import grpc
from voice.nlu.v1.nlu_pb2_grpc import add_NluServiceServicer_to_server

from services.language.data import LanguageDataError
from services.nlu.agent.farewell_lists import load_farewells
from services.nlu.agent.kinds import open_agent
from services.nlu.agent.outcomes import load_outcomes
from services.nlu.agent.phrases import load_languages
from services.nlu.agent.profile import read_agents
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.agent.tools import HoldsOpen
from services.nlu.agent.waiting_words import load_waiting_words
from services.nlu.engine import Message, open_engine
from services.nlu.service import FULL_NAME, SCOPES, NluService
from services.nlu.settings import NluSettings
from services.runtime.errors import StartupError
from services.runtime.lifecycle import Lifecycle
from services.runtime.server import ServiceDefinition, run_services
from services.runtime.settings import read_settings


def define(settings: NluSettings) -> ServiceDefinition:
    """Build the NLU stage, ready to run. Raises StartupError where an agent or an engine is not as it should be."""
    profiles = read_agents(settings.agents_dir)
    if settings.default_agent not in profiles:
        raise StartupError(f"NLU_DEFAULT_AGENT={settings.default_agent}: there are {', '.join(sorted(profiles))}")
    engine = open_engine(settings)
    agents = {agent_id: open_agent(profile, engine, settings) for agent_id, profile in profiles.items()}
    lifecycle = Lifecycle()
    service = NluService(settings, engine, profiles, agents, lifecycle)

    def add(server: grpc.aio.Server) -> None:
        add_NluServiceServicer_to_server(service, server)

    async def load() -> None:
        await asyncio.to_thread(load_knowledge)
        for agent in agents.values():
            await agent.load()
        await engine.load(openings([agent for agent in agents.values() if isinstance(agent, PromptAgent)]))

    async def close() -> None:
        for agent in agents.values():
            if isinstance(agent, HoldsOpen):
                await agent.close()
        await engine.close()

    return ServiceDefinition(
        settings, full_name=FULL_NAME, add=add, load=load, close=close, lifecycle=lifecycle, scopes=SCOPES
    )


def load_knowledge() -> None:
    """Read what this stage knows of every language, so that no call waits for it. Raises LanguageDataError."""
    load_languages()
    load_farewells()
    load_outcomes()
    load_waiting_words()


def main() -> None:
    """Read the settings and serve until told to stop; with `plan`, plan instead."""
    if sys.argv[1:2] == ["plan"]:
        from services.nlu.plan.command import main as plan  # noqa: PLC0415 - needs a package that not every engine has

        raise SystemExit(plan(sys.argv[2:]))
    settings = read_settings(NluSettings)
    try:
        definition = define(settings)
    except (StartupError, LanguageDataError) as error:
        raise SystemExit(f"nlu: {error}") from None
    run_services(definition)


def openings(agents: Sequence[PromptAgent]) -> tuple[tuple[Message, ...], ...]:
    """Return the openings of conversations, up to the greeting: engines read them before the first call."""
    return tuple(messages for agent in agents for messages in agent.openings())


if __name__ == "__main__":
    main()
