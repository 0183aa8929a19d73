"""Engine `google` proved: `make prove-google`.

Runs the engine's tests and the conformance suite, and prints how late words come. With STT_GOOGLE_PROJECT set and
Google's usual credentials in the environment the suite and the table are Google's own; without, those of a local
server that speaks its protocol, where the table shows what the service itself adds. A second table, of the local server
alone, shows what a roll-over in mid-turn adds to the draft of that turn, and whether a word is lost or doubled.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2

from clients.conformance.hearing import SPEECH_END, SPEECH_START, example, example_samples
from services.audio.g711 import decode_mulaw, encode_mulaw
from services.runtime.channels import ChannelSettings, open_channel
from tests.fakes.google_speech import Faults, GoogleSpeech, KnownSound, Loudness, Place, google_speech
from tests.load.stack import ROOT, Service, run_stack

TEXT = "I would like to make an appointment, please."
SUITE = ("tests/unit/stt_proxy/test_google.py", "tests/conformance/test_rules.py")
PORT = 50984
RATE, CHUNK = 8000, 160
PATH = "/voice.stt.v1.SttService/StreamingRecognize"
STREAMS = (1, 10, 50)
SERVICE = {"STT_ENGINE": "google", "STT_PORT": str(PORT), "STT_METRICS_PORT": "0"}
LOCAL = {**SERVICE, "STT_GOOGLE_PROJECT": "local", "STT_GOOGLE_IS_PLAINTEXT": "true"}
SENTENCES, WORDS, PAUSE_S = 4, 8, 0.5
ROLL_OVER_CALLS = 4
ROLL_OVERS: tuple[tuple[str, Mapping[str, str], Mapping[str, Any]], ...] = (
    ("one stream", {}, {}),
    ("at each pause", {"STT_GOOGLE_ROLL_OVER_S": "1"}, {}),
    ("in mid-sentence", {"STT_GOOGLE_STREAM_LIMIT_S": "3.5"}, {}),
    ("broken by the provider", {}, {"limit_s": 3.5}),
)
"""Rows of the second table: settings of the service and faults of the server."""


@dataclass(slots=True)
class Call:
    """What one call heard of the service."""

    guesses: list[tuple[float, str]] = field(default_factory=list)  # when which partial text came
    drafts_s: list[float] = field(default_factory=list)  # how long behind the end of speech each pause's draft came
    settled: str = ""


async def call_once(target: str, sound: bytes, name: str = "") -> Call:
    """One call in real time. `name` is a phrase of its own, by which the local server knows it."""
    channel = open_channel(target, ChannelSettings())
    method = channel.stream_stream(
        PATH,
        request_serializer=stt_pb2.StreamingRecognizeRequest.SerializeToString,
        response_deserializer=stt_pb2.StreamingRecognizeResponse.FromString,
    )
    call, heard = method(), Call()
    audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=RATE)
    config = stt_pb2.RecognitionConfig(
        language_codes=["en-US"], audio_format=audio_format, phrases=[name] if name else []
    )
    await call.write(stt_pb2.StreamingRecognizeRequest(config=config))

    async def read() -> None:
        ended_s = None
        async for response in call:
            kind, now = response.WhichOneof("response"), time.monotonic()
            if kind == "speech_activity":
                is_end = response.speech_activity.kind == stt_pb2.SpeechActivity.KIND_END
                ended_s = now if is_end else None
            if kind != "transcript":
                continue
            if response.transcript.stage == stt_pb2.Transcript.STAGE_PARTIAL:
                heard.guesses.append((now, response.transcript.text))
                continue
            if ended_s is not None:
                heard.drafts_s.append(now - ended_s)
                ended_s = None
            heard.settled = response.transcript.text

    reading = asyncio.create_task(read())
    began = time.monotonic()
    for offset in range(0, len(sound), CHUNK):
        await asyncio.sleep(max(0.0, began + offset / RATE - time.monotonic()))
        chunk = audio_pb2.AudioChunk(start_sample=offset, content=sound[offset : offset + CHUNK])
        await call.write(stt_pb2.StreamingRecognizeRequest(audio=chunk))
    await call.done_writing()
    await reading
    await channel.close(grace=None)
    return heard


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def added_ms(guesses: list[tuple[float, str]], sent: list[tuple[float, str]]) -> list[float]:
    """Return how long after the server first sent some words of a call the client had them."""
    first: dict[str, float] = {}
    for when, words in sent:
        first.setdefault(words, when)
    return [1000 * (at - first[text]) for at, text in guesses if text in first]


async def measure(settings: dict[str, str], google: GoogleSpeech | None) -> None:
    sound = example()
    # One core for the service: the figures are of one.
    service = Service("stt_proxy", f"127.0.0.1:{PORT}", settings, cores=(0,))
    with tempfile.TemporaryDirectory() as folder:
        async with run_stack([service], Path(folder)) as running:
            print("streams | added p50 / p95 ms | draft after the pause p50 / p95 ms | CPU s/s: service, this program")
            for n_streams in STREAMS:
                if google is not None:
                    google.sent_to.clear()
                calls = []
                spent_s, own_s, began_s = running[service.name].cpu_s(), time.process_time(), time.monotonic()
                async with asyncio.TaskGroup() as tasks:
                    for number in range(n_streams):
                        calls.append(tasks.create_task(call_once(service.target, sound, f"call {number}")))
                        await asyncio.sleep(1.0 / n_streams)
                lasted_s = time.monotonic() - began_s
                spent = (running[service.name].cpu_s() - spent_s) / lasted_s, (time.process_time() - own_s) / lasted_s
                sent_to = {} if google is None else google.sent_to
                added = [
                    ms
                    for number, one in enumerate(calls)
                    for ms in added_ms(one.result().guesses, sent_to.get(f"call {number}", []))
                ]
                drafts = [1000 * draft_s for one in calls for draft_s in one.result().drafts_s[:1]]
                shown = f"{median(added):.1f} / {percentile(added, 0.95):.1f}" if added else "not known"
                late = f"{median(drafts):.0f} / {percentile(drafts, 0.95):.0f}" if drafts else "none"
                print(f"{n_streams:7d} | {shown:>18} | {late:>32} | {spent[0]:.2f}, {spent[1]:.2f}", flush=True)


def long_turn() -> tuple[bytes, list[Place]]:
    """The example's sentence several times, each as loud as no other, with pauses between; mu-law, with its words."""
    speech = example_samples()[SPEECH_START:SPEECH_END].astype(np.float64)
    pause = np.zeros(int(PAUSE_S * RATE))
    parts, places, at = [pause], [], len(pause)
    for sentence in range(SENTENCES):
        length = len(speech) // WORDS
        places += [(f"word{sentence}{n}", at + n * length, at + (n + 1) * length) for n in range(WORDS)]
        parts += [speech * 0.9**sentence, pause]
        at += len(speech) + len(pause)
    return encode_mulaw(np.concatenate([*parts, pause, pause]).astype(np.int16)), places


async def measure_roll_overs() -> None:
    """Print what a roll-over adds to the draft of the turn it falls in."""
    sound, places = long_turn()
    known = KnownSound(decode_mulaw(sound), places)
    print(f"a turn of {SENTENCES} sentences | streams a turn | draft after a pause p50 / p95 ms | lost | doubled")
    for name, settings, faults in ROLL_OVERS:
        async with google_speech(known) as google:
            own = {**LOCAL, "STT_GOOGLE_ENDPOINT": google.target, **settings}
            service = Service("stt_proxy", f"127.0.0.1:{PORT}", own)
            with tempfile.TemporaryDirectory() as folder:
                async with run_stack([service], Path(folder)):
                    google.opened.clear()
                    google.faults = Faults(**faults)
                    calls = await asyncio.gather(*(call_once(service.target, sound) for _ in range(ROLL_OVER_CALLS)))
            n_streams = len(google.opened) / len(calls)
        delays = [1000 * draft_s for call in calls for draft_s in call.drafts_s]
        said = Counter(word for word, _, _ in places)
        lost = sum((said - Counter(call.settled.split())).total() for call in calls)
        doubled = sum((Counter(call.settled.split()) - said).total() for call in calls)
        late = f"{median(delays):.0f} / {percentile(delays, 0.95):.0f}"
        print(f"{name:22} | {n_streams:14.1f} | {late:>32} | {lost:4d} | {doubled:7d}", flush=True)


async def prove() -> None:
    own = {name: value for name, value in os.environ.items() if name.startswith("STT_GOOGLE_")}
    settings = {**SERVICE, **own}
    if own.get("STT_GOOGLE_PROJECT"):
        print("words and delays of Google's own service")
        await measure(settings, None)
        return
    print("no STT_GOOGLE_PROJECT: a local server of the same protocol, which hears at once")
    async with google_speech(Loudness(TEXT)) as google:
        await measure({**LOCAL, "STT_GOOGLE_ENDPOINT": google.target}, google)
    await measure_roll_overs()


def main() -> None:
    command = [sys.executable, "-m", "pytest", "-q", *SUITE, "-k", "google"]
    failed = subprocess.run(command, cwd=ROOT, check=False).returncode
    asyncio.run(prove())
    sys.exit(failed)


if __name__ == "__main__":
    main()
