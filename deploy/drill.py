"""Takes a provider of a running stage out for a while: `make drill STAGE=nlu PROVIDER=openai FOR=30`.

Without PROVIDER it only says how the stage's providers stand. The stage must allow it: TONG_DAI_DRILLS=true. It is
reached as the gateway reaches it (GATEWAY_STAGE_TLS_CA_FILE, GATEWAY_STAGE_TOKEN); where tokens are on, that token must
be for every tenant.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import grpc
from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import engine_pb2

from deploy.stack import SERVICES, settings_of
from services.call_gateway.settings import GatewaySettings
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.errors import rpc_failure
from services.runtime.metrics import stage_of
from services.runtime.settings import read_settings

_LIMIT_S = 5.0
_STAGES = ("stt", "nlu", "tts")


async def _providers(stage: str, target: str, how: ChannelSettings) -> Sequence[engine_pb2.Provider]:
    async with open_channel(target, how) as channel:
        if stage == "nlu":
            nlu = nlu_pb2_grpc.NluServiceStub(channel)
            return (await nlu.DescribeEngine(nlu_pb2.DescribeEngineRequest(), timeout=_LIMIT_S)).engine.providers
        if stage == "stt":
            stt = stt_pb2_grpc.SttServiceStub(channel)
            return (await stt.DescribeEngine(stt_pb2.DescribeEngineRequest(), timeout=_LIMIT_S)).engine.providers
        tts = tts_pb2_grpc.TtsServiceStub(channel)
        return (await tts.DescribeEngine(tts_pb2.DescribeEngineRequest(), timeout=_LIMIT_S)).engine.providers


async def _trip(
    stage: str, target: str, how: ChannelSettings, provider: str, duration_ms: int
) -> Sequence[engine_pb2.Provider]:
    async with open_channel(target, how) as channel:
        if stage == "nlu":
            nlu = nlu_pb2_grpc.NluServiceStub(channel)
            asked = nlu_pb2.TripProviderRequest(provider=provider, duration_ms=duration_ms)
            return (await nlu.TripProvider(asked, timeout=_LIMIT_S)).providers
        if stage == "stt":
            stt = stt_pb2_grpc.SttServiceStub(channel)
            tripped = stt_pb2.TripProviderRequest(provider=provider, duration_ms=duration_ms)
            return (await stt.TripProvider(tripped, timeout=_LIMIT_S)).providers
        tts = tts_pb2_grpc.TtsServiceStub(channel)
        request = tts_pb2.TripProviderRequest(provider=provider, duration_ms=duration_ms)
        return (await tts.TripProvider(request, timeout=_LIMIT_S)).providers


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.drill", description=__doc__)
    parser.add_argument("stage", choices=_STAGES)
    parser.add_argument("provider", nargs="?", default="", help="none: only say how they stand")
    parser.add_argument("seconds", nargs="?", type=float, default=30.0, help="0 ends a drill")
    parser.add_argument("--target", default="", help="host:port; none: the stage of this machine")
    asked = parser.parse_args(arguments)
    service = next(each for each in SERVICES if stage_of(each.full_name) == asked.stage)
    target = asked.target or f"127.0.0.1:{settings_of(service).port}"
    how = read_settings(GatewaySettings).stage_channel
    try:
        if asked.provider:
            found = asyncio.run(_trip(asked.stage, target, how, asked.provider, round(asked.seconds * 1000)))
        else:
            found = asyncio.run(_providers(asked.stage, target, how))
    except grpc.aio.AioRpcError as error:
        failure = rpc_failure(error)
        print(f"drill: {failure.reason or failure.code.name}: {failure.message}", file=sys.stderr)
        return 1
    for provider in found:
        state = engine_pb2.Provider.State.Name(provider.state).removeprefix("STATE_").lower()
        rest = f", rests {provider.retry_delay_ms / 1000:.0f} s" if provider.retry_delay_ms else ""
        cause = f": {provider.cause}" if provider.cause else ""
        print(f"{provider.name:<16}{state}{rest}{cause}  ({provider.switches} turns handed over)")
    if not found:
        print(f"{asked.stage} has no chain of providers: set {asked.stage.upper()}_ENGINES")
    return 0


if __name__ == "__main__":
    sys.exit(main())
