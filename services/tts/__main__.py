"""`python -m services.tts`: the speaking stage as a process."""

import asyncio

import grpc
from voice.tts.v1.tts_pb2_grpc import add_TtsServiceServicer_to_server

from services.language import clauses
from services.language.reading import normalizer
from services.runtime.engine_chains import engine_names
from services.runtime.lifecycle import Lifecycle
from services.runtime.server import ServiceDefinition, run_services
from services.runtime.settings import read_settings
from services.tts.chain import load_engines
from services.tts.engine import make_engine
from services.tts.router import Router
from services.tts.service import FULL_NAME, TtsService
from services.tts.settings import TtsSettings


def define(settings: TtsSettings) -> ServiceDefinition:
    """The speaking stage, ready to run."""
    lifecycle = Lifecycle()
    router = Router()

    def add(server: grpc.aio.Server) -> None:
        add_TtsServiceServicer_to_server(TtsService(settings, router, lifecycle), server)

    async def load() -> None:
        await asyncio.to_thread(load_languages)
        engines = {name: make_engine(name, settings) for name in engine_names(settings.engines)}
        for language, names in settings.engines.items():
            router.add(language, tuple(engines[name] for name in names), names)
        await load_engines(router)

    async def close() -> None:
        for engine in router.every_engine:
            await engine.close()

    return ServiceDefinition(settings, full_name=FULL_NAME, add=add, lifecycle=lifecycle, load=load, close=close)


def load_languages() -> None:
    """Read what this stage knows of every language, so that no call waits for it. Raises LanguageDataError."""
    normalizer.load()
    clauses.load()


def main() -> None:
    """Read the settings and serve until told to stop."""
    run_services(define(read_settings(TtsSettings)))


if __name__ == "__main__":
    main()
