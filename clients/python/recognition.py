"""Speech to text (voice.stt.v1.SttService): sound in, what was said out."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Self

from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.type.v1 import audio_pb2

from clients.python.connection import Connection, Stream

FRAME_S = 0.02


class Recognition:
    """An ear. Samples are counted here."""

    def __init__(self, stream: Stream[stt_pb2.StreamingRecognizeRequest, stt_pb2.StreamingRecognizeResponse]) -> None:
        self.engine = stream.first.engine
        """voice.type.v1.EngineInfo."""
        self.is_server_leaving = False
        """True once the server asked to open the next utterance elsewhere (going_away)."""
        self.next_sample = 0
        """The first sample not sent yet."""
        self._stream = stream

    @classmethod
    async def open(cls, connection: Connection, *, sample_rate_hertz: int, **config: Any) -> Self:
        """Open a stream that takes int16 samples. `config`: more fields of RecognitionConfig. Raises TongDaiError."""
        audio_format = audio_pb2.AudioFormat(
            encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=sample_rate_hertz
        )
        fields = stt_pb2.RecognitionConfig(audio_format=audio_format, **config)
        request = stt_pb2.StreamingRecognizeRequest(config=fields)
        return cls(await connection.open(lambda one: stt_pb2_grpc.SttServiceStub(one).StreamingRecognize, request))

    async def hear(self, samples: bytes, sample_rate_hertz: int, *, is_paced: bool = True) -> None:
        """Send int16 little-endian samples in frames of 20 ms, in real time unless `is_paced` is False."""
        frame_bytes = 2 * (sample_rate_hertz // 50)
        due = time.monotonic()
        for at in range(0, len(samples), frame_bytes):
            if is_paced:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += FRAME_S
            content = samples[at : at + frame_bytes]
            chunk = audio_pb2.AudioChunk(start_sample=self.next_sample, content=content)
            self.next_sample += len(content) // 2
            await self._stream.send(stt_pb2.StreamingRecognizeRequest(audio=chunk))

    async def end_utterance(self) -> None:
        """The turn is over: settle everything sent so far."""
        end = stt_pb2.UtteranceEnd(end_sample=self.next_sample)
        await self._stream.send(stt_pb2.StreamingRecognizeRequest(utterance_end=end))

    async def half_close(self) -> None:
        """No more sound comes: what is open is settled, then the stream ends."""
        await self._stream.half_close()

    async def responses(self) -> AsyncIterator[stt_pb2.StreamingRecognizeResponse]:
        """Everything that is heard, to the end of the stream; iterate at all times. Raises TongDaiError."""
        async for response in self._stream:
            if response.WhichOneof("response") == "going_away":
                self.is_server_leaving = True
            yield response
