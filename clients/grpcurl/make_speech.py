"""Make the examples that hold sound: a sentence spoken by a running TTS service, as JSON lines for grpcurl.

python -m clients.grpcurl.make_speech 127.0.0.1:50054 > clients/grpcurl/stt.jsonl
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import audio_pb2

TEXT = "I would like to make an appointment, please."
CHUNK_SAMPLES = 800  # 100 ms of 8 kHz mu-law, one byte a sample
LEAD_SAMPLES, TAIL_SAMPLES = 4_000, 10_400
GREETING_SAMPLES = 40_000  # the caller lets the agent greet first
SILENCE = b"\xff"  # mu-law
FORMAT = {"encoding": "AUDIO_ENCODING_MULAW", "sample_rate_hertz": 8000}


async def speak(target: str, text: str) -> bytes:
    """The text as 8 kHz mu-law, without silence around it."""
    audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000)

    async def requests() -> AsyncIterator[tts_pb2.StreamingSynthesizeRequest]:
        config = tts_pb2.SynthesisConfig(language_codes=["en-US"], audio_format=audio_format, max_lead_ms=0)
        yield tts_pb2.StreamingSynthesizeRequest(config=config)
        yield tts_pb2.StreamingSynthesizeRequest(text=tts_pb2.TurnText(turn_id=1, text=text))

    async with grpc.aio.insecure_channel(target) as channel:
        responses = tts_pb2_grpc.TtsServiceStub(channel).StreamingSynthesize(requests())
        return b"".join([response.audio.chunk.content async for response in responses])


def hearing(speech: bytes) -> Iterator[dict[str, object]]:
    """The requests of a stream on SttService: config, the sound with silence around it, the end of the utterance."""
    sound = padded(SILENCE * LEAD_SAMPLES + speech + SILENCE * TAIL_SAMPLES)
    yield config()
    yield from chunks(sound)
    yield {"utterance_end": {"end_sample": len(sound)}}


def calling(speech: bytes) -> Iterator[dict[str, object]]:
    """The requests of a stream on CallGatewayService: config, silence while the agent greets, the sentence."""
    yield config()
    yield from chunks(padded(SILENCE * GREETING_SAMPLES + speech))


def config() -> dict[str, object]:
    """The first request."""
    return {"config": {"call_id": "grpcurl", "language_codes": ["en-US"], "audio_format": FORMAT}}


def chunks(sound: bytes) -> Iterator[dict[str, object]]:
    """The sound in chunks of 100 ms, from sample 0."""
    for start in range(0, len(sound), CHUNK_SAMPLES):
        content = base64.b64encode(sound[start : start + CHUNK_SAMPLES]).decode()
        yield {"audio": {"start_sample": start, "content": content}}


def padded(sound: bytes) -> bytes:
    """Whole chunks."""
    return sound + SILENCE * (-len(sound) % CHUNK_SAMPLES)


def main() -> None:
    """Write both files beside this one."""
    speech = asyncio.run(speak(sys.argv[1], TEXT))
    for name, requests in (("stt", hearing(speech)), ("call", calling(speech))):
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        (Path(__file__).parent / f"{name}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
