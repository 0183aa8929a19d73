"""Engine `google` proved: `make prove-google`.

Runs the engine's tests and the conformance suite, and prints how late words come. With STT_GOOGLE_PROJECT set and
Google's usual credentials in the environment the suite and the table are Google's own; without, those of a local
server that speaks its protocol, where the table shows what the service itself adds.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2

from services.runtime.channels import ChannelSettings, open_channel
from tests.fakes.google_speech import GoogleSpeech, Loudness, google_speech
from tests.load.stack import ROOT, Service, run_stack

EXAMPLE = ROOT / "clients" / "grpcurl" / "stt.jsonl"
TEXT = "I would like to make an appointment, please."
SUITE = ("tests/unit/stt_proxy/test_google.py", "tests/conformance/test_rules.py")
PORT = 50984
RATE, CHUNK = 8000, 160
PATH = "/voice.stt.v1.SttService/StreamingRecognize"
STREAMS = (1, 10, 50)


def example() -> bytes:
    """The documented example's sound, mu-law."""
    lines = [json.loads(line) for line in EXAMPLE.read_text(encoding="utf-8").splitlines()]
    return b"".join(base64.b64decode(line["audio"]["content"]) for line in lines if "audio" in line)


async def call_once(target: str, sound: bytes) -> tuple[list[tuple[float, str]], float | None]:
    """One call in real time. When which guess came, and how long behind the end of speech the draft was there."""
    channel = open_channel(target, ChannelSettings())
    method = channel.stream_stream(
        PATH,
        request_serializer=stt_pb2.StreamingRecognizeRequest.SerializeToString,
        response_deserializer=stt_pb2.StreamingRecognizeResponse.FromString,
    )
    call = method()
    audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=RATE)
    config = stt_pb2.RecognitionConfig(language_codes=["en-US"], audio_format=audio_format)
    await call.write(stt_pb2.StreamingRecognizeRequest(config=config))
    guesses: list[tuple[float, str]] = []
    ended_s = draft_s = None

    async def read() -> None:
        nonlocal ended_s, draft_s
        async for response in call:
            kind = response.WhichOneof("response")
            if kind == "speech_activity" and response.speech_activity.kind == stt_pb2.SpeechActivity.KIND_END:
                ended_s = time.monotonic()
            elif kind == "transcript" and response.transcript.stage == stt_pb2.Transcript.STAGE_PARTIAL:
                guesses.append((time.monotonic(), response.transcript.text))
            elif kind == "transcript" and ended_s is not None and draft_s is None:
                draft_s = time.monotonic() - ended_s

    reading = asyncio.create_task(read())
    began = time.monotonic()
    for offset in range(0, len(sound), CHUNK):
        await asyncio.sleep(max(0.0, began + offset / RATE - time.monotonic()))
        chunk = audio_pb2.AudioChunk(start_sample=offset, content=sound[offset : offset + CHUNK])
        await call.write(stt_pb2.StreamingRecognizeRequest(audio=chunk))
    await call.done_writing()
    await reading
    await channel.close(grace=None)
    return guesses, draft_s


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def added_ms(guesses: list[tuple[float, str]], google: GoogleSpeech) -> list[float]:
    """Return how long after the server sent some words the client had them: of each guess, the newest sending before
    it.
    """
    found = []
    for at, text in guesses:
        sent = [when for when, words, is_final in google.sent if words == text and not is_final and when <= at]
        if sent:
            found.append(1000 * (at - max(sent)))
    return found


async def measure(settings: dict[str, str], google: GoogleSpeech | None) -> None:
    sound = example()
    # One core for the service: the figures are of one.
    service = Service("stt_proxy", f"127.0.0.1:{PORT}", settings, cores=(0,))
    with tempfile.TemporaryDirectory() as folder:
        async with run_stack([service], Path(folder)):
            print("streams | added p50 / p95 ms | draft after the pause p50 / p95 ms")
            for n_streams in STREAMS:
                if google is not None:
                    google.sent.clear()
                calls = []
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(n_streams):
                        calls.append(tasks.create_task(call_once(service.target, sound)))
                        await asyncio.sleep(1.0 / n_streams)
                added = [ms for one in calls for ms in (added_ms(one.result()[0], google) if google else [])]
                drafts = [1000 * draft_s for one in calls if (draft_s := one.result()[1]) is not None]
                shown = f"{median(added):.1f} / {percentile(added, 0.95):.1f}" if added else "not known"
                late = f"{median(drafts):.0f} / {percentile(drafts, 0.95):.0f}" if drafts else "none"
                print(f"{n_streams:7d} | {shown:>18} | {late}", flush=True)


async def prove() -> None:
    own = {name: value for name, value in os.environ.items() if name.startswith("STT_GOOGLE_")}
    settings = {"STT_ENGINE": "google", "STT_PORT": str(PORT), "STT_METRICS_PORT": "0", **own}
    if own.get("STT_GOOGLE_PROJECT"):
        print("words and delays of Google's own service")
        await measure(settings, None)
        return
    print("no STT_GOOGLE_PROJECT: a local server of the same protocol, which hears at once")
    async with google_speech(Loudness(TEXT)) as google:
        local = {"STT_GOOGLE_PROJECT": "local", "STT_GOOGLE_ENDPOINT": google.target, "STT_GOOGLE_IS_PLAINTEXT": "true"}
        await measure(settings | local, google)


def main() -> None:
    command = [sys.executable, "-m", "pytest", "-q", *SUITE, "-k", "google"]
    failed = subprocess.run(command, cwd=ROOT, check=False).returncode
    asyncio.run(prove())
    sys.exit(failed)


if __name__ == "__main__":
    main()
