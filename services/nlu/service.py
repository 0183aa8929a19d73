"""gRPC service of the NLU stage, `voice.nlu.v1.NluService`: protobuf in, protobuf out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from uuid import uuid4

import grpc
from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.type.v1 import engine_pb2

from services.nlu.agent.courtesies import speakable_languages
from services.nlu.agent.guarding import guarding_of
from services.nlu.agent.interface import Agent, Call
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.tools import OffersActs, tools_of
from services.nlu.analysis.analyst import Analyst
from services.nlu.analysis_wire import read_past, write_analysis
from services.nlu.conversation import Conversation
from services.nlu.engine import NluEngine
from services.nlu.errors import HistoryTooLong, InstructionsTooLong, UnknownAgent, UnknownLanguage
from services.nlu.inputs import Config
from services.nlu.outputs import Output
from services.nlu.settings import NluSettings
from services.nlu.tool_runs import key_of
from services.nlu.wire import read_config, read_request, write_output, write_profile
from services.runtime.identity import Scope, caller_may_act_for, check_every_tenant, check_tenant
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import bind_call, get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.providers import ProviderBoard
from services.runtime.streams import Outbox, exchange, first_config, later_requests

FULL_NAME = "voice.nlu.v1.NluService"
FEATURES = (
    "user_turn",
    "commit",
    "cancellation",
    "playout_report",
    "transcript_correction",
    "call_action_result",
    "action_ended",
    "drafts",
    "continues_turn_id",
    "provisional_playout",
    "history",
    "state",
)

SCOPES = {"AnalyzeCall": Scope.CONNECT}
"""The scopes that methods need, beside the stream's: an analysis uses the model, as a call does."""

_OUTBOX_LIMIT = 64
_MAX_INSTRUCTION_CHARS = 8000

log = get_logger(__name__)


class NluService(nlu_pb2_grpc.NluServiceServicer):
    """Serves conversations of every agent with one engine."""

    def __init__(
        self,
        settings: NluSettings,
        engine: NluEngine,
        profiles: dict[str, AgentProfile],
        agents: dict[str, Agent],
        lifecycle: Lifecycle,
    ) -> None:
        """`profiles` and `agents` by agent_id; these and the engine are loaded before the first stream is let in."""
        self._settings, self._engine, self._lifecycle = settings, engine, lifecycle
        self._profiles, self._agents = profiles, agents
        self._guardings = {agent_id: guarding_of(profile) for agent_id, profile in profiles.items()}
        self._metrics = StageMetrics("nlu")
        self._analyst = Analyst(engine, limit_s=settings.analysis_limit_s)
        self._board: ProviderBoard | None = getattr(engine, "board", None)  # a chain has one

    async def StreamingConverse(  # noqa: N802 - protobuf's name
        self,
        request_iterator: AsyncIterator[nlu_pb2.StreamingConverseRequest],
        context: grpc.aio.ServicerContext[nlu_pb2.StreamingConverseRequest, nlu_pb2.StreamingConverseResponse],
    ) -> AsyncIterator[nlu_pb2.StreamingConverseResponse]:
        first = await first_config(request_iterator)
        check_tenant(context, first.config.tenant_id)
        self._check_size(first.config)
        config = read_config(first.config, call_id=bind_call(first.config.call_id))
        profile, call = self._call(config)
        outbox: Outbox[nlu_pb2.StreamingConverseResponse] = Outbox(_OUTBOX_LIMIT)

        async def serve(requests: AsyncIterator[nlu_pb2.StreamingConverseRequest]) -> None:
            await self._serve(config, profile, call, requests, outbox)

        async for response in exchange(request_iterator, serve, outbox):
            yield response

    async def DescribeEngine(  # noqa: N802 - protobuf's name
        self,
        request: nlu_pb2.DescribeEngineRequest,
        context: grpc.aio.ServicerContext[nlu_pb2.DescribeEngineRequest, nlu_pb2.DescribeEngineResponse],
    ) -> nlu_pb2.DescribeEngineResponse:
        if request.tenant_id:
            check_tenant(context, request.tenant_id, field="tenant_id")
        agents = [
            write_profile(profile, tenants=[each for each in profile.tenants if caller_may_act_for(each)])
            for profile in self._profiles.values()
            if self._may_list(profile, request)
        ]
        return nlu_pb2.DescribeEngineResponse(engine=self._engine_info(), agents=agents)

    async def ListTools(  # noqa: N802 - protobuf's name
        self,
        request: nlu_pb2.ListToolsRequest,
        context: grpc.aio.ServicerContext[nlu_pb2.ListToolsRequest, nlu_pb2.ListToolsResponse],
    ) -> nlu_pb2.ListToolsResponse:
        check_tenant(context, request.tenant_id, field="tenant_id")
        profile = self._profile_of(request.agent_id, request.tenant_id, field="agent_id")
        agent = self._agents[profile.agent_id]
        tools = tools_of(agent, profile.tools, request.tenant_id)
        specs = [tool.spec for tool in tools.values()]
        specs += agent.act_tools if isinstance(agent, OffersActs) else ()
        return nlu_pb2.ListToolsResponse(
            tools=[
                nlu_pb2.Tool(
                    name=spec.name,
                    description=spec.description,
                    parameters_json=spec.parameters_json,
                    writes=spec.writes,
                )
                for spec in specs
            ]
        )

    async def AnalyzeCall(  # noqa: N802 - protobuf's name
        self,
        request: nlu_pb2.AnalyzeCallRequest,
        context: grpc.aio.ServicerContext[nlu_pb2.AnalyzeCallRequest, nlu_pb2.AnalyzeCallResponse],
    ) -> nlu_pb2.AnalyzeCallResponse:
        check_tenant(context, request.tenant_id, field="tenant_id")
        bind_call(request.call_id)
        self._check_bytes(request.state, request.history, field="history")
        profile = self._profile_of(request.agent_id, request.tenant_id, field="agent_id")
        spoken = speakable_languages(profile, (request.language_code,) if request.language_code else ())
        past = read_past(request, language_code=(spoken or profile.language_codes)[0])
        analysis = await self._analyst.analyse(past, self._agents[profile.agent_id], profile, request.tenant_id)
        return nlu_pb2.AnalyzeCallResponse(analysis=write_analysis(analysis))

    async def TripProvider(  # noqa: N802 - protobuf's name
        self,
        request: nlu_pb2.TripProviderRequest,
        context: grpc.aio.ServicerContext[nlu_pb2.TripProviderRequest, nlu_pb2.TripProviderResponse],
    ) -> nlu_pb2.TripProviderResponse:
        check_every_tenant()
        board = self._board or ProviderBoard(self._metrics)
        providers = board.trip(request.provider, request.duration_ms, is_allowed=self._settings.drills)
        return nlu_pb2.TripProviderResponse(providers=providers)

    async def _serve(
        self,
        config: Config,
        profile: AgentProfile,
        call: Call,
        requests: AsyncIterator[nlu_pb2.StreamingConverseRequest],
        outbox: Outbox[nlu_pb2.StreamingConverseResponse],
    ) -> None:
        """Serve one stream from its config to its end."""
        guarding = self._guardings[profile.agent_id]
        if config.instructions:
            guarding = guarding_of(profile, instructions=config.instructions)

        async def emit(output: Output) -> None:
            await outbox.put(write_output(output))

        try:
            async with asyncio.TaskGroup() as stream:
                going_away = stream.create_task(self._say_going_away(outbox))
                async with asyncio.TaskGroup() as tasks:
                    conversation = Conversation(
                        config,
                        agent=self._agents[profile.agent_id],
                        call=call,
                        guarding=guarding,
                        engine=self._engine,
                        settings=self._settings,
                        metrics=self._metrics,
                        emit=emit,
                        tasks=tasks,
                    )
                    await outbox.put(self._opening(profile))
                    await conversation.prepare()
                    async for request in later_requests(requests, self._metrics):
                        await conversation.handle(read_request(request))
                    await conversation.finish()
                going_away.cancel()
        finally:
            await self._engine.forget(call.conversation)

    def _call(self, config: Config) -> tuple[AgentProfile, Call]:
        """Return the call's tenant, and what the agent is told of the call."""
        profile = self._profile_of(config.agent_id, config.tenant_id, field="config.agent_id")
        language_codes = speakable_languages(profile, config.language_codes)
        if config.language_codes and not language_codes:
            spoken = ", ".join(profile.language_codes)
            raise UnknownLanguage(
                f"agent {profile.agent_id} speaks {spoken}: name one of these", field="config.language_codes"
            )
        if len(config.instructions) > _MAX_INSTRUCTION_CHARS:
            raise InstructionsTooLong(
                f"{len(config.instructions)} characters: send at most {_MAX_INSTRUCTION_CHARS}",
                field="config.instructions",
            )
        call = Call(
            # Not the call id: that is the client's label, and two streams may share it. The part before the dot says
            # which conversations may share what the engine has computed.
            conversation=f"{key_of(config.tenant_id)}.{uuid4().hex}",
            language_codes=language_codes or profile.language_codes,
            instructions=config.instructions,
            tenant_id=config.tenant_id,
            caller=config.caller,
        )
        return profile, call

    def _profile_of(self, agent_id: str, tenant_id: str, *, field: str) -> AgentProfile:
        """Return the agent of a name, or the default one. Raises UnknownAgent, also for another tenant's agent."""
        profile = self._profiles.get(agent_id or self._settings.default_agent)
        if profile is None or not profile.is_for(tenant_id):
            own = sorted(name for name, each in self._profiles.items() if each.is_for(tenant_id))
            known = ", ".join(own[:20]) or "none for this tenant"
            # The default agent's name stands in no answer: it may be another tenant's.
            said = f"no agent is called {agent_id[:64]!r}" if agent_id else "no agent is named"
            raise UnknownAgent(f"{said}; there are {known}", field=field)
        return profile

    def _may_list(self, profile: AgentProfile, request: nlu_pb2.DescribeEngineRequest) -> bool:
        """Return whether the client may know of an agent: of the tenant it names, else of any that it may act for."""
        if request.HasField("tenant_id"):
            return profile.is_for(request.tenant_id)
        return not profile.tenants or any(caller_may_act_for(tenant_id) for tenant_id in profile.tenants)

    def _check_size(self, config: nlu_pb2.ConversationConfig) -> None:
        field = "config.state" if len(config.state) > self._settings.max_history_bytes else "config.history"
        self._check_bytes(config.state, config.history, field=field)

    def _check_bytes(self, state: bytes, history: Iterable[nlu_pb2.HistoryTurn], *, field: str) -> None:
        limit = self._settings.max_history_bytes
        n_bytes = len(state) + sum(turn.ByteSize() for turn in history)
        if n_bytes > limit:
            raise HistoryTooLong(
                f"history and state have {n_bytes} bytes: send the newest turns, at most {limit} bytes", field=field
            )

    async def _say_going_away(self, outbox: Outbox[nlu_pb2.StreamingConverseResponse]) -> None:
        await self._lifecycle.draining()
        going_away = engine_pb2.GoingAway(deadline_ms=self._lifecycle.drain_deadline_ms)
        await outbox.put(nlu_pb2.StreamingConverseResponse(going_away=going_away))

    def _opening(self, profile: AgentProfile) -> nlu_pb2.StreamingConverseResponse:
        opened = nlu_pb2.ConversationEngine(engine=self._engine_info(), agent=write_profile(profile))
        return nlu_pb2.StreamingConverseResponse(engine=opened)

    def _engine_info(self) -> engine_pb2.EngineInfo:
        settings = self._settings
        return engine_pb2.EngineInfo(
            name=self._engine.name,
            model=self._engine.model,
            limits=engine_pb2.EngineLimits(
                max_streams=settings.max_streams,
                max_turn_text_chars=settings.max_turn_text_chars,
                max_history_bytes=settings.max_history_bytes,
            ),
            features=FEATURES,
            providers=self._board.describe() if self._board else [],
        )
