"""Profiles of the agents, which the gateway asks for at the start and learns from every call."""

import asyncio
from dataclasses import replace

import grpc
from voice.nlu.v1 import nlu_pb2
from voice.nlu.v1.nlu_pb2_grpc import NluServiceStub

from services.audio.pcm import AudioFormat
from services.call_gateway.profile import AgentProfile
from services.call_gateway.prompts.book import PromptBook
from services.call_gateway.prompts.library import PromptLibrary
from services.call_gateway.stages.agent_profile import profile_of
from services.runtime.logs import get_logger

MAX_AGENTS = 1024
"""Profiles kept; beyond it the oldest is forgotten until it is seen again."""
ASK_LIMIT_S = 2.0
ASK_AGAIN_S = 2.0

log = get_logger(__name__)

AgentKey = tuple[str, str]
"""Tenant and agent as a call asks for them; either may be empty."""


class AgentBook:
    """Keeps what a call uses of its agent before the agent's own stream is open: voices, languages, names, prompts."""

    def __init__(self, nlu: grpc.aio.Channel, prompts: PromptLibrary) -> None:
        self._stub = NluServiceStub(nlu)
        self._prompts = prompts
        self._profiles: dict[AgentKey, AgentProfile] = {}

    def profile(self, key: AgentKey) -> AgentProfile:
        """Return the agent's last profile; an empty profile when none has come."""
        return self._profiles.get(self._known(key), AgentProfile())

    def prompts(self, key: AgentKey, audio_format: AudioFormat) -> PromptBook:
        """Return the prompts that the gateway says in this agent's name."""
        return self._prompts.book(self._known(key), audio_format)

    def learn(self, key: AgentKey, profile: AgentProfile) -> None:
        """Keep a profile that the agent's stream has sent."""
        self._profiles.pop(key, None)
        self._profiles[key] = profile
        if len(self._profiles) > MAX_AGENTS:
            del self._profiles[next(iter(self._profiles))]
        self._prompts.learn(key, replace(profile, tenants=(key[0],)) if key[0] else profile)

    def _known(self, key: AgentKey) -> AgentKey:
        """Return the agent's key; where a tenant's own has not been seen, the key of one that any tenant may have."""
        any_tenants = ("", key[1])
        return any_tenants if key not in self._profiles and any_tenants in self._profiles else key

    async def run(self) -> None:
        """Ask the NLU stage for its agents until it answers, then have their prompts spoken. Runs until cancelled."""
        agents = await self._ask()
        for agent in agents:
            for tenant_id in agent.tenants or ("",):  # an agent of some tenants is not shown to others
                self.learn((tenant_id, agent.agent_id), agent)
        if len(agents) == 1 and not agents[0].tenants:  # this agent answers when no agent is named
            self.learn(("", ""), agents[0])
        log.info("agents_known", agents=[agent.agent_id for agent in agents])
        await self._prompts.run()

    async def _ask(self) -> list[AgentProfile]:
        while True:
            try:
                answer = await self._stub.DescribeEngine(nlu_pb2.DescribeEngineRequest(), timeout=ASK_LIMIT_S)
            except grpc.aio.AioRpcError as error:
                log.debug("agents_unknown", code=error.code().name)
                await asyncio.sleep(ASK_AGAIN_S)
            else:
                return [profile_of(agent) for agent in answer.agents]
