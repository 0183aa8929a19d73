"""`python -m services.stt_proxy`: the STT stage as a process."""

import asyncio

import grpc
from voice.stt.v1 import stt_pb2_grpc

from services.language import number_words
from services.runtime.lifecycle import Lifecycle
from services.runtime.models import model_dir
from services.runtime.server import ServiceDefinition, run_services
from services.runtime.settings import read_settings
from services.stt_proxy.end_of_turn.ending_model import load_ending_models
from services.stt_proxy.end_of_turn.sound import make_end_of_turn_model
from services.stt_proxy.engine import make_engine
from services.stt_proxy.grammar import load_grammars
from services.stt_proxy.inventions import load_inventions
from services.stt_proxy.phrasebook import load_phrasebooks
from services.stt_proxy.service import FULL_NAME, SttService
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.voice_activity import SileroDetector

DETECTOR_FILE = "silero_vad.onnx"


def define(settings: SttSettings) -> ServiceDefinition:
    """Build the STT stage, ready to run."""
    lifecycle = Lifecycle()
    detector = SileroDetector(n_slots=settings.max_streams, batch_wait_s=settings.vad_batch_ms / 1000)
    engine = make_engine(settings)
    end_of_turn = make_end_of_turn_model(settings)

    def add(server: grpc.aio.Server) -> None:
        service = SttService(settings, detector=detector, engine=engine, end_of_turn=end_of_turn, lifecycle=lifecycle)
        stt_pb2_grpc.add_SttServiceServicer_to_server(service, server)

    async def load() -> None:
        folder = await asyncio.to_thread(model_dir, settings.models_dir, settings.vad_model)
        await detector.load(folder / DETECTOR_FILE)
        await engine.load()
        await end_of_turn.load()
        await asyncio.to_thread(load_languages)

    async def close() -> None:
        await engine.close()
        await end_of_turn.close()
        detector.close()

    return ServiceDefinition(settings, full_name=FULL_NAME, add=add, lifecycle=lifecycle, load=load, close=close)


def load_languages() -> None:
    """Read what this stage knows of every language, so that no call waits for it. Raises LanguageDataError."""
    load_phrasebooks()
    load_grammars()
    number_words.load()
    load_inventions()
    load_ending_models()


def main() -> None:
    """Read the settings and serve until told to stop."""
    run_services(define(read_settings(SttSettings)))


if __name__ == "__main__":
    main()
