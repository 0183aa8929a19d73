"""`python -m services.tts`: the speaking stage as a process."""

import asyncio

import grpc
from voice.tts.v1.tts_pb2_grpc import add_TtsServiceServicer_to_server

from services.language import clauses
from services.language.reading import normalizer
from services.runtime.lifecycle import Lifecycle
from services.runtime.server import run_service
from services.runtime.settings import read_settings
from services.tts.engine import TtsEngine, make_engine
from services.tts.router import Router
from services.tts.service import FULL_NAME, TtsService
from services.tts.settings import TtsSettings


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(TtsSettings)
    lifecycle = Lifecycle()
    router = Router()

    def add(server: grpc.aio.Server) -> None:
        add_TtsServiceServicer_to_server(TtsService(settings, router, lifecycle), server)

    async def load() -> None:
        await asyncio.to_thread(normalizer.load)
        await asyncio.to_thread(clauses.load)
        engines: dict[str, TtsEngine] = {}
        for language, name in settings.engines.items():
            if name not in engines:
                engines[name] = make_engine(name, settings)
            router.add(language, engines[name])
        for engine in engines.values():
            await engine.load()

    async def close() -> None:
        for engine in router.engines:
            await engine.close()

    run_service(settings, full_name=FULL_NAME, add=add, lifecycle=lifecycle, load=load, close=close)


if __name__ == "__main__":
    main()
