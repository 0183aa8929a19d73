"""Limits of the stages: how many calls this gateway may take, given how many each stage serves at once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
from voice.nlu.v1.nlu_pb2 import DescribeEngineRequest as NluRequest
from voice.nlu.v1.nlu_pb2_grpc import NluServiceStub
from voice.stt.v1.stt_pb2 import DescribeEngineRequest as SttRequest
from voice.stt.v1.stt_pb2_grpc import SttServiceStub
from voice.tts.v1.tts_pb2 import DescribeEngineRequest as TtsRequest
from voice.tts.v1.tts_pb2_grpc import TtsServiceStub

from services.call_gateway.conversation.events import Stage
from services.call_gateway.stages.stages import StageChannels
from services.runtime.logs import get_logger

ASK_LIMIT_S: Final = 2.0
ASK_AGAIN_S: Final = 2.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallLimit:
    """The limit on calls of one gateway process, and its reason."""

    calls: int
    stage: Stage | None = None  # the stage that serves fewest; None: the setting is the least


def call_limit(max_calls: int, streams: dict[Stage, int], processes: int) -> CallLimit:
    """The setting, or the process's share of the calls of the stage that serves fewest. `streams`: 0 is not bounded. At
    least one: a stage that is full says so itself.
    """
    bounded = {stage: number for stage, number in streams.items() if number}
    if not bounded:
        return CallLimit(max_calls)
    stage = min(bounded, key=lambda stage: bounded[stage])
    share = max(1, bounded[stage] // processes)
    return CallLimit(share, stage) if share < max_calls else CallLimit(max_calls)


async def find_call_limit(
    channels: StageChannels, *, max_calls: int, processes: int, on_limit: Callable[[int], None]
) -> None:
    """Ask the stages, each until it answers, and say in one line what follows. Behind a name with several replicas the
    answer is one replica's: `max_calls` is then to be set, and the stages refuse what is too much.
    """
    streams = dict(zip(Stage, await asyncio.gather(*(_streams(channels, stage) for stage in Stage)), strict=True))
    limit = call_limit(max_calls, streams, processes)
    on_limit(limit.calls)
    told: dict[str, Any] = {f"{stage.value}_streams": number for stage, number in streams.items()}
    if limit.stage is None:
        log.info("call_limit", calls=limit.calls, processes=processes, **told)
    else:
        log.warning(
            "call_limit_lowered",
            calls=limit.calls,
            setting=max_calls,
            processes=processes,
            stage=limit.stage.value,
            remedy="raise that stage's MAX_STREAMS or lower GATEWAY_MAX_CALLS",
            **told,
        )


async def _streams(channels: StageChannels, stage: Stage) -> int:
    while True:
        try:
            match stage:
                case Stage.STT:
                    described: Any = await SttServiceStub(channels.stt).DescribeEngine(
                        SttRequest(), timeout=ASK_LIMIT_S
                    )
                case Stage.NLU:
                    described = await NluServiceStub(channels.nlu).DescribeEngine(NluRequest(), timeout=ASK_LIMIT_S)
                case Stage.TTS:
                    described = await TtsServiceStub(channels.tts).DescribeEngine(TtsRequest(), timeout=ASK_LIMIT_S)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(ASK_AGAIN_S)
        else:
            return int(described.engine.limits.max_streams)
