"""Speech to text (voice.stt.v1.SttService): sound in, what was said out."""

from collections.abc import AsyncIterable
from typing import Any, Self

from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.type.v1 import engine_pb2

from clients.python.connection import Connection
from clients.python.stream import Outgoing, Stream, linear16


class Recognition(Stream[stt_pb2.StreamingRecognizeRequest, stt_pb2.StreamingRecognizeResponse]):
    """A recogniser. Iterate over what is heard at all times, up to the end of the stream."""

    is_server_leaving = False
    """True once the server asked to open the next utterance elsewhere (going_away)."""
    _sound: Outgoing

    @classmethod
    async def open(cls, connection: Connection, *, sample_rate_hertz: int = 8000, **config: Any) -> Self:
        """Open a stream that takes int16 samples. `config`: more fields of RecognitionConfig. Raises TongDaiError."""
        fields = stt_pb2.RecognitionConfig(audio_format=linear16(sample_rate_hertz), **config)
        recognition = await cls._open(
            connection,
            lambda one: stt_pb2_grpc.SttServiceStub(one).StreamingRecognize,
            stt_pb2.StreamingRecognizeRequest,
            fields,
        )
        recognition._sound = Outgoing(recognition, sample_rate_hertz, fields.start_sample)
        return recognition

    @property
    def engine(self) -> engine_pb2.EngineInfo:
        """Return the description of the engine that listens."""
        return self.first.engine

    async def hear(self, sound: bytes | AsyncIterable[bytes], *, is_paced: bool = True) -> None:
        """Send int16 little-endian samples of a file or a microphone up to their end, in frames of 20 ms, no faster
        than real time unless `is_paced` is False.
        """
        await self._sound.speak(sound, is_paced=is_paced)

    async def end_utterance(self) -> None:
        """The turn is over: settle everything that `hear` has sent."""
        await self.put(utterance_end=stt_pb2.UtteranceEnd(end_sample=self._sound.next_sample))

    async def __anext__(self) -> stt_pb2.StreamingRecognizeResponse:
        """The next thing that was heard. Raises TongDaiError."""
        response = await super().__anext__()
        self.is_server_leaving |= response.HasField("going_away")
        return response
