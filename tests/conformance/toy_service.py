"""The least service the runtime can carry, to test what is the runtime's own: loading, draining, failures.

A turn's text is a command: "fail" raises what no service should, "hang" never ends, "block" stops the event loop, "end
thread" and "hang thread" are what the engine's thread does next; anything else completes at once.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from queue import SimpleQueue
from typing import Any

from pydantic import Field
from voice.tts.v1 import tts_pb2 as pb
from voice.tts.v1 import tts_pb2_grpc
from voice.type.v1.turn_pb2 import TurnEnd

from services.runtime.errors import StartupError
from services.runtime.identity import check_tenant
from services.runtime.lifecycle import Lifecycle
from services.runtime.metrics import StageMetrics
from services.runtime.server import ServiceDefinition, run_services
from services.runtime.settings import ServiceSettings, read_settings, service_config
from services.runtime.streams import Outbox, exchange, first_config, later_requests
from services.runtime.watchdog import ENGINE_THREADS

FULL_NAME = "voice.tts.v1.TtsService"
SECRET = "what a caller said"  # noqa: S105 - words that must not leave the server


class ToySettings(ServiceSettings):
    """Settings of the toy service."""

    model_config = service_config("TTS")

    load_s: float = Field(0.0, description="How long loading takes, in seconds.")
    load_failure: str = Field("", description="What loading fails with.")


class ToyEngine:
    """A thread that takes one command at a time."""

    def __init__(self) -> None:
        self.commands: SimpleQueue[str] = SimpleQueue()
        self._watch = ENGINE_THREADS.add("toy", longest_call_s=0.2)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._watch.watch(self._thread)

    def _run(self) -> None:
        while (command := self.commands.get()) != "end thread":
            with self._watch.call():
                time.sleep(3600.0 if command == "hang thread" else 0.0)


class ToyService(tts_pb2_grpc.TtsServiceServicer):
    """Completes, hangs or breaks a turn, as its text says."""

    def __init__(self, lifecycle: Lifecycle, engine: ToyEngine) -> None:
        self._lifecycle = lifecycle
        self._engine = engine
        self._metrics = StageMetrics("tts")

    async def StreamingSynthesize(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        first = await first_config(request_iterator)
        check_tenant(context, first.config.tenant_id)
        outbox = Outbox[Any](limit=16)

        async def handle(requests: Any) -> None:
            await outbox.put(pb.StreamingSynthesizeResponse(engine={"name": "toy", "features": ["text"]}))
            async with asyncio.TaskGroup() as tasks:
                announcing = tasks.create_task(self._announce(outbox))
                async for request in later_requests(requests, self._metrics):
                    await self._speak(request.text, outbox)
                announcing.cancel()

        async for response in exchange(request_iterator, handle, outbox):
            yield response

    async def DescribeEngine(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.DescribeEngineResponse(engine={"name": "toy"})

    async def _speak(self, text: Any, outbox: Outbox[Any]) -> None:
        if text.text == "fail":
            raise ValueError(SECRET)
        if text.text == "hang":
            await asyncio.Event().wait()
        if text.text == "block":
            time.sleep(3600.0)  # noqa: ASYNC251 - the fault that probes must see
        if text.text.endswith(" thread"):
            self._engine.commands.put(text.text)
        end = TurnEnd(turn_id=text.turn_id, outcome=TurnEnd.OUTCOME_COMPLETED)
        await outbox.put(pb.StreamingSynthesizeResponse(turn_end=end))

    async def _announce(self, outbox: Outbox[Any]) -> None:
        await self._lifecycle.draining()
        deadline_ms = self._lifecycle.drain_deadline_ms
        await outbox.put(pb.StreamingSynthesizeResponse(going_away={"deadline_ms": deadline_ms}))


def main() -> None:
    """Run the toy."""
    settings = read_settings(ToySettings)
    lifecycle = Lifecycle()
    engine = ToyEngine()

    async def load() -> None:
        engine.start()
        await asyncio.sleep(settings.load_s)
        if settings.load_failure:
            raise StartupError(settings.load_failure)

    run_services(
        ServiceDefinition(
            settings,
            full_name=FULL_NAME,
            add=lambda server: tts_pb2_grpc.add_TtsServiceServicer_to_server(ToyService(lifecycle, engine), server),
            load=load,
            lifecycle=lifecycle,
        )
    )


if __name__ == "__main__":
    main()
