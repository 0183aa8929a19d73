"""The three stages of one call, together."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from voice.nlu.v1.nlu_pb2 import DescribeEngineRequest
from voice.nlu.v1.nlu_pb2_grpc import NluServiceStub
from voice.stt.v1.stt_pb2_grpc import SttServiceStub
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub

from services.call_gateway.conversation.commands import ReopenStage
from services.call_gateway.conversation.events import Event, Stage
from services.call_gateway.conversation.record import HeardTurn
from services.call_gateway.profile import AgentProfile
from services.call_gateway.stages.facts import CallFacts
from services.call_gateway.stages.nlu import NluCommand, NluStage
from services.call_gateway.stages.stream import StreamLimits
from services.call_gateway.stages.stt import SttCommand, SttStage
from services.call_gateway.stages.tts import TtsCommand, TtsStage
from services.runtime.errors import RequestError

StageCommand = SttCommand | NluCommand | TtsCommand | ReopenStage

PROBE_LIMIT_S = 0.8
"""Less than the conversation waits for it."""
SERVICE_NAMES = {
    Stage.STT: "voice.stt.v1.SttService",
    Stage.NLU: "voice.nlu.v1.NluService",
    Stage.TTS: "voice.tts.v1.TtsService",
}


@dataclass(frozen=True, slots=True)
class StageChannels:
    """The gRPC channels to the stages; shared by all calls."""

    stt: grpc.aio.Channel
    nlu: grpc.aio.Channel
    tts: grpc.aio.Channel

    def of(self, stage: Stage) -> grpc.aio.Channel:
        """The one to a stage."""
        return {Stage.STT: self.stt, Stage.NLU: self.nlu, Stage.TTS: self.tts}[stage]

    async def close(self) -> None:
        """No call is up any more."""
        for channel in (self.stt, self.nlu, self.tts):
            await channel.close()


class Stages:
    """The STT, NLU and TTS stages of one call. None of them waits for another."""

    def __init__(
        self,
        channels: StageChannels,
        facts: CallFacts,
        *,
        profile: AgentProfile,
        past: Callable[[], Iterable[HeardTurn]],
        tasks: asyncio.TaskGroup,
        on_event: Callable[[Event], None],
        on_profile: Callable[[AgentProfile], None],
        limits: StreamLimits,
    ) -> None:
        """`profile` is what is known of the agent beforehand; `on_profile` hears what its own stream says."""
        self._channels = {Stage.STT: channels.stt, Stage.NLU: channels.nlu, Stage.TTS: channels.tts}
        self.stt = SttStage(
            SttServiceStub(channels.stt), facts, profile=profile, tasks=tasks, on_event=on_event, limits=limits
        )
        self.nlu = NluStage(
            NluServiceStub(channels.nlu),
            facts,
            past=past,
            tasks=tasks,
            on_event=on_event,
            on_profile=on_profile,
            limits=limits,
        )
        self.tts = TtsStage(
            TtsServiceStub(channels.tts), facts, profile=profile, tasks=tasks, on_event=on_event, limits=limits
        )

    def open(self) -> None:
        """Open all three streams at once."""
        self.stt.open()
        self.nlu.open()
        self.tts.open()

    def reopen(self, stage: Stage, *, judged_sample: int = 0) -> None:
        """Give one stage's stream up for a fresh one. `judged_sample`: on the caller's clock; sound before it need not
        be heard again.
        """
        match stage:
            case Stage.STT:
                self.stt.open(judged_sample=judged_sample)
            case Stage.NLU:
                self.nlu.open()
            case Stage.TTS:
                self.tts.open()

    def perform(self, command: StageCommand) -> None:
        """Carry out a command on the stage that it is for."""
        if isinstance(command, ReopenStage):
            self.reopen(command.stage, judged_sample=command.judged_sample)
        elif isinstance(command, SttCommand):
            self.stt.perform(command)
        elif isinstance(command, NluCommand):
            self.nlu.perform(command)
        else:
            self.tts.perform(command)

    async def is_alive(self, stage: Stage) -> bool:
        """Return whether the stage's server says, within the limit, that it serves."""
        return await is_stage_alive(self._channels[stage], stage)

    def adopt(self, profile: AgentProfile) -> None:
        """The agent's profile has become known."""
        self.stt.adopt(profile)
        self.tts.adopt(profile)

    async def finish(self) -> None:
        """End the streams in good order, each within its limit."""
        await asyncio.gather(self.stt.finish(), self.nlu.finish(), self.tts.finish())


async def is_stage_alive(channel: grpc.aio.Channel, stage: Stage) -> bool:
    """Return whether a stage's server says, within the limit, that it serves. One that answers and does not know the
    question lives too.
    """
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    try:
        answer = await check(HealthCheckRequest(service=SERVICE_NAMES[stage]), timeout=PROBE_LIMIT_S)
    except grpc.aio.AioRpcError as error:
        return error.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND)
    return bool(answer.status == HealthCheckResponse.SERVING)


class UnknownAgent(RequestError):
    """No agent has this name."""

    reason = "UNKNOWN_AGENT"


async def check_agent(nlu: grpc.aio.Channel, agent_id: str, *, tenant_id: str, limit_s: float) -> None:
    """Raise UnknownAgent when the stage does not know the agent, or has it for other tenants. A stage that cannot be
    asked is no reason to refuse: the call then apologises as any call does.
    """
    try:
        described = await NluServiceStub(nlu).DescribeEngine(
            DescribeEngineRequest(tenant_id=tenant_id), timeout=limit_s
        )
    except grpc.aio.AioRpcError:
        return
    known = sorted(agent.agent_id for agent in described.agents)
    if agent_id not in known:
        raise UnknownAgent(
            f"no agent is called {agent_id[:64]!r}; there are {', '.join(known[:20]) or 'none for this tenant'}",
            field="config.agent_id",
        )
