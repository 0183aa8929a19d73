"""The kinds of agents by name, and how the one that a file asks for is made."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from services.nlu.agent.interface import Agent
from services.nlu.agent.profile import AgentProfile
from services.nlu.engine import NluEngine
from services.nlu.settings import NluSettings
from services.runtime.errors import StartupError

KINDS = {
    "graph": "services.nlu.agent.graph.own:open_graph_agent",
    "prompt": "services.nlu.agent.prompt_agent:PromptAgent",
}
EXTRAS = {"graph": "agent-graph"}

Factory = Callable[[AgentProfile, NluEngine, NluSettings], Agent]


def open_agent(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> Agent:
    """The agent of a file, not yet loaded: of the kind in NLU_AGENT_KIND, else in the file. Raises StartupError."""
    kind = settings.agent_kind or profile.kind
    where = f"agent {profile.agent_id}: kind {kind!r}"
    module, separator, attribute = KINDS.get(kind, kind).partition(":")
    if not separator:
        raise StartupError(f"{where} is none of {', '.join(sorted(KINDS))}, nor a factory 'package.module:name'")
    try:
        make: Factory = getattr(import_module(module), attribute)
    except ModuleNotFoundError as missing:
        extra = f": pip install 'tong-dai[{EXTRAS[kind]}]'" if kind in EXTRAS else ""
        raise StartupError(f"{where} needs the package {missing.name}{extra}") from missing
    except AttributeError as missing:
        raise StartupError(f"{where}: {module} has no {attribute}") from missing
    return make(profile, engine, settings)
