"""`python -m services.tts`: the TTS stage as a process."""

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
from services.tts.cloning import Cloning, VoiceMaker
from services.tts.engine import make_engine
from services.tts.router import Router
from services.tts.service import FULL_NAME, TtsService
from services.tts.settings import TtsSettings
from services.tts.speech_cache import SpeechCache


def define(settings: TtsSettings) -> ServiceDefinition:
    """Build the TTS stage, ready to run."""
    lifecycle = Lifecycle()
    router, recorders = Router(), Router()
    cache = SpeechCache(
        settings.cache_dir, max_bytes=settings.cache_mb * 1_000_000, after_calls=settings.cache_after_calls
    )

    cloning = Cloning()

    def add(server: grpc.aio.Server) -> None:
        service = TtsService(settings, router, lifecycle, recorders=recorders, cache=cache, cloning=cloning)
        add_TtsServiceServicer_to_server(service, server)

    async def load() -> None:
        await asyncio.to_thread(load_languages)
        await asyncio.to_thread(cache.open)
        live_names, recorder_names = engine_names(settings.engines), engine_names(settings.recording_engines)
        engines = {name: make_engine(name, settings) for name in dict.fromkeys((*live_names, *recorder_names))}
        for engine in engines.values():
            if isinstance(engine, VoiceMaker):
                cloning.use(engine)
        for language, names in settings.engines.items():
            router.add(language, tuple(engines[name] for name in names), names)
        await load_engines(router)
        for language, names in settings.recording_engines.items():
            recorders.add(language, (engines[names[0]],), names)
        for name in recorder_names:
            if name not in live_names:
                await engines[name].load()

    async def close() -> None:
        for engine in dict.fromkeys((*router.every_engine, *recorders.every_engine)):
            await engine.close()
        await asyncio.to_thread(cache.close)

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
