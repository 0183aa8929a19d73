"""An STT service of one's own, and a caller who speaks to it turn by turn with the agent's expectation."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2, expectation_pb2

from clients.conformance.stages import STT
from services.audio.g711 import encode_mulaw
from services.audio.pcm import Samples
from services.nlu.agent.capture.questions import Expected
from services.runtime.channels import ChannelSettings, open_channel
from tests.conformance.servers import Server, spawn, wait_until_serving
from tests.load.vietnamese import PATH

CLIP = Path(__file__).parents[1] / "data" / "clips" / "000-plain.wav"
RATE = 8000
FRAME = 160  # samples of 20 ms
LEAD_S, TAIL_S = 0.4, 2.4  # without speech, before and behind what is said
ANSWER_LIMIT_S = 60.0


@asynccontextmanager
async def listening(settings: Mapping[str, str], folder: Path) -> AsyncIterator[str]:
    """A service with these settings; gives its address."""
    port, process = spawn(STT, settings, folder / "stt.log")
    target = f"127.0.0.1:{port}"
    try:
        server = Server(STT, settings["STT_ENGINE"], target, process, folder / "stt.log")
        await asyncio.to_thread(wait_until_serving, server)
        yield target
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


class Listener:
    """One call to the service. What is said is spoken as `sound_of` has it, by default as any clip of speech."""

    def __init__(self, target: str, language_code: str, call_id: str, region: str) -> None:
        self._target, self._language, self._call_id, self._region = target, language_code, call_id, region
        self._n_heard = 0

    def sound_of(self, text: str) -> Samples:
        """Speech at 8 kHz. The engine `script` hears its own words in any."""
        with wave.open(str(CLIP)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)

    async def recognise(self, text: str, expected: Expected) -> str:
        """Say one turn on a stream that goes on where the last turn ended; what was settled of it, joined."""
        call_id, _, first = self._call_id.partition("#")
        turn_id = f"{call_id}#{int(first) + self._n_heard}" if first else call_id
        self._n_heard += 1
        speech = await asyncio.to_thread(self.sound_of, text)
        sound = np.concatenate([silence(LEAD_S), speech, silence(TAIL_S)])
        content = encode_mulaw(sound[: len(sound) // FRAME * FRAME])
        async with asyncio.timeout(ANSWER_LIMIT_S):
            return await self._settled(turn_id, content, expected)

    async def _settled(self, call_id: str, content: bytes, expected: Expected) -> str:
        channel = open_channel(self._target, ChannelSettings())
        call = channel.stream_stream(
            PATH,
            request_serializer=stt_pb2.StreamingRecognizeRequest.SerializeToString,
            response_deserializer=stt_pb2.StreamingRecognizeResponse.FromString,
        )()
        audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=RATE)
        config = stt_pb2.RecognitionConfig(
            call_id=call_id, language_codes=[self._language], audio_format=audio_format, region=self._region
        )
        await call.write(stt_pb2.StreamingRecognizeRequest(config=config))
        kind = expectation_pb2.ExpectedInput.Kind.Value(f"KIND_{expected.kind.name}")
        wanted = expectation_pb2.ExpectedInput(kind=kind, length=expected.length, phrases=expected.phrases)
        await call.write(stt_pb2.StreamingRecognizeRequest(update=stt_pb2.RecognitionUpdate(expected_input=wanted)))
        texts: list[str] = []

        async def read() -> None:
            async for response in call:
                is_settled = response.transcript.stage == stt_pb2.Transcript.STAGE_SETTLED
                if response.WhichOneof("response") == "transcript" and is_settled and response.transcript.text:
                    texts.append(response.transcript.text)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            for start in range(0, len(content), FRAME):
                chunk = audio_pb2.AudioChunk(start_sample=start, content=content[start : start + FRAME])
                await call.write(stt_pb2.StreamingRecognizeRequest(audio=chunk))
            end = stt_pb2.UtteranceEnd(end_sample=len(content))
            await call.write(stt_pb2.StreamingRecognizeRequest(utterance_end=end))
            await call.done_writing()
        await channel.close(grace=None)
        return " ".join(texts)


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), dtype=np.int16)
