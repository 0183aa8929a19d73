"""Text to speech (voice.tts.v1.TtsService): one stream, turn after turn."""

from collections.abc import AsyncIterator
from typing import Any, Self

from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import audio_pb2
from voice.type.v1.turn_pb2 import Cancellation, TurnEnd

from clients.python.connection import Connection, Stream
from clients.python.errors import ServerError, UnavailableError


class Speech:
    """A voice. Turn ids are counted here; what still comes of a turn that was cancelled is dropped."""

    def __init__(self, stream: Stream[tts_pb2.StreamingSynthesizeRequest, tts_pb2.StreamingSynthesizeResponse]) -> None:
        self.engine = stream.first.engine
        """voice.type.v1.EngineInfo."""
        self.is_server_leaving = False
        """True once the server asked to open the next turn elsewhere (going_away)."""
        self._stream = stream
        self._turn_id = 0
        self._fenced_through = 0

    @classmethod
    async def open(cls, connection: Connection, *, sample_rate_hertz: int = 8000, **config: Any) -> Self:
        """Open a stream that gives int16 samples. `config`: further fields of SynthesisConfig. Raises TongDaiError."""
        audio_format = audio_pb2.AudioFormat(
            encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=sample_rate_hertz
        )
        fields = tts_pb2.SynthesisConfig(audio_format=audio_format, **config)
        request = tts_pb2.StreamingSynthesizeRequest(config=fields)
        return cls(await connection.open(lambda one: tts_pb2_grpc.TtsServiceStub(one).StreamingSynthesize, request))

    async def say(self, text: str, **fields: Any) -> AsyncIterator[tts_pb2.StreamingSynthesizeResponse]:
        """Speak a whole text as one turn: its audio and marks up to its end. `fields`: further fields of TurnText.
        Raises TongDaiError; a turn that fails is one with the code FAILED.
        """
        self._turn_id += 1
        turn_id = self._turn_id
        turn = tts_pb2.TurnText(turn_id=turn_id, text=text, **fields)
        await self._stream.send(tts_pb2.StreamingSynthesizeRequest(text=turn))
        await self._stream.send(tts_pb2.StreamingSynthesizeRequest(text_end=tts_pb2.TextEnd(turn_id=turn_id)))
        async for response in self._stream:
            match response.WhichOneof("response"):
                case "going_away":
                    self.is_server_leaving = True
                case "audio" if response.audio.turn_id > self._fenced_through:
                    yield response
                case "spoken_text" if response.spoken_text.turn_id > self._fenced_through:
                    yield response
                case "turn_end" if response.turn_end.turn_id == turn_id:
                    yield response
                    _raise_failed(response.turn_end)
                    return
        raise UnavailableError("UNAVAILABLE", "ENDED_EARLY", "the stream ended in the middle of a turn")

    async def cancel_turn(self) -> None:
        """Stop speaking; the turn still gets its end."""
        self._fenced_through = self._turn_id
        cancellation = Cancellation(turn_id=self._turn_id)
        await self._stream.send(tts_pb2.StreamingSynthesizeRequest(cancellation=cancellation))

    async def close(self) -> None:
        """End the stream in good order."""
        await self._stream.half_close()
        async for _ in self._stream:
            pass


def _raise_failed(end: TurnEnd) -> None:
    if end.outcome == TurnEnd.OUTCOME_FAILED:
        raise ServerError("FAILED", end.reason, end.message, retry_delay_s=end.retry_delay_ms / 1000)
