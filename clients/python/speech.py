"""Text to speech (voice.tts.v1.TtsService): one stream, turn after turn."""

from collections.abc import AsyncIterator
from typing import Any, Self

from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import engine_pb2

from clients.python.connection import Connection
from clients.python.stream import Stream, Turns, linear16


class Speech(Turns[tts_pb2.StreamingSynthesizeRequest, tts_pb2.StreamingSynthesizeResponse]):
    """A voice that speaks one text a turn."""

    @classmethod
    async def open(cls, connection: Connection, *, sample_rate_hertz: int = 8000, **config: Any) -> Self:
        """Open a stream that gives int16 samples. `config`: further fields of SynthesisConfig. Raises TongDaiError."""
        fields = tts_pb2.SynthesisConfig(audio_format=linear16(sample_rate_hertz), **config)

        async def begin() -> Stream[tts_pb2.StreamingSynthesizeRequest, tts_pb2.StreamingSynthesizeResponse]:
            return await Stream._open(
                connection,
                lambda one: tts_pb2_grpc.TtsServiceStub(one).StreamingSynthesize,
                tts_pb2.StreamingSynthesizeRequest,
                fields,
            )

        return cls(await begin(), begin)

    @property
    def engine(self) -> engine_pb2.EngineInfo:
        """Return the description of the engine that speaks."""
        return self._stream.first.engine

    async def say(self, text: str, **fields: Any) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        """Speak a whole text as one turn: its audio and marks up to its end. `fields`: further fields of TurnText.
        Raises TongDaiError; a turn that fails is one with the code FAILED.
        """
        turn_id = await self._begin()
        await self._stream.put(text=tts_pb2.TurnText(turn_id=turn_id, text=text, **fields))
        await self._stream.put(text_end=tts_pb2.TextEnd(turn_id=turn_id))
        async for response in self._reply():
            yield response
