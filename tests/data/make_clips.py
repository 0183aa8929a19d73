"""Makes the labelled clips: `python -m tests.data.make_clips --set bench` (40 items, committed) or `--set endpointing`.

`--parts fresh,blind` makes these parts of the endpointing set and keeps what there is of the others; a clip comes out
the same whether its part is made alone or with all.

Each sentence is spoken by several voices through the project's own TTS service and then put on a telephone: 8 kHz,
room noise, sometimes a soft onset, sometimes a pause of 300 to 900 ms at the `|` of the sentence. Labels are taken from
the clean voice before any noise is mixed in: the first and the last 5 ms whose level is within 35 dB of the loudest.
Every draw is seeded, the voice's own included, so a set comes out the same each time, to within rounding (2 in 32768).
"""

import argparse
import asyncio
import json
import random
import tomllib
import wave
from collections.abc import Container, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import numpy as np
import soxr
from numpy.typing import NDArray
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import audio_pb2

from services.audio.pcm import Samples
from tests.load.stack import ROOT, Service, run_stack

RATE_HERTZ = 8000
TTS_PORT = 50964
SPEAK_LIMIT_S = 600  # of a sentence, on a busy machine
LABEL_FLOOR_DB = 35
WINDOW = RATE_HERTZ // 200
LEAD_SAMPLES, TAIL_SAMPLES = RATE_HERTZ // 5, RATE_HERTZ // 10
SENTENCES = Path(__file__).with_name("sentences.toml")
ENDPOINTING_SENTENCES = Path(__file__).with_name("endpointing_sentences.toml")
CONDITIONS = ((60, False), (20, True), (15, False), (25, True), (40, False))  # signal to noise in dB, soft onset
SPOKEN_BY = {"en": 3, "vi": 2}  # voices for each sentence of the endpointing set
SPOKEN_ONCE = ("development", "fresh")  # parts of it, later ones last, whose sentences are spoken by one voice each


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of the TTS service."""

    name: str
    language_code: str
    rate: float = 1.0
    pitch: float = 1.0  # times higher, as another speaker's


VOICES = {
    "en": (
        Voice("", "en-US"),
        Voice("", "en-US", 1.15),
        Voice("espeak-en-gb", "en-GB"),
        Voice("espeak-en-us", "en-US"),
    ),
    "vi": (Voice("", "vi-VN"), Voice("", "vi-VN", 1.15)),
}
ENDPOINTING_VOICES = {
    "en": (
        *VOICES["en"][:2],
        Voice("", "en-US", pitch=1.18),
        Voice("", "en-US", 0.95, 0.9),
        Voice("espeak-en-us", "en-US"),
    ),
    "vi": (*VOICES["vi"], Voice("espeak-vi-vn-x-south", "vi-VN"), Voice("espeak-vi-vn-x-central", "vi-VN")),
}
FRESH_VOICES = {
    "en": (
        Voice("", "en-US", 1.05, 0.86),
        Voice("", "en-US", 0.9, 1.28),
        Voice("espeak-en-gb", "en-GB", 0.9),
        Voice("espeak-en-us", "en-US", 1.1, 1.2),
    ),
    "vi": (
        Voice("", "vi-VN", 0.9),
        Voice("", "vi-VN", pitch=1.25),
        Voice("espeak-vi-vn-x-south", "vi-VN", 1.1),
        Voice("espeak-vi-vn-x-central", "vi-VN", 0.9),
    ),
}  # rates and pitches that the other parts do not have


@dataclass(frozen=True, slots=True)
class Label:
    """Label of a clip. Samples count from the clip's first."""

    file: str
    text: str  # with `|` where the pause lies, as the engine script takes it
    language_code: str
    kind: str
    voice: str
    noise_db: int  # signal to noise, 60 means a quiet room
    is_soft: bool  # the onset is faded in over 150 ms
    speech_start_sample: int
    speech_end_sample: int
    pauses: list[list[int]]
    part: str = ""  # of the endpointing set: one of its parts


class Speaker:
    """Asks the TTS service for 8 kHz samples of a text."""

    def __init__(self, stub: "tts_pb2_grpc.TtsServiceAsyncStub") -> None:
        self._stub = stub
        self._spoken: dict[tuple[Voice, str], Samples] = {}

    async def speak(self, voice: Voice, text: str) -> Samples:
        """Clean speech without the silence around it, shape (n_samples,)."""
        if (voice, text) not in self._spoken:
            self._spoken[voice, text] = trim(await self._synthesise(voice, text))
        return self._spoken[voice, text]

    async def _synthesise(self, voice: Voice, text: str) -> Samples:
        requests = [
            tts_pb2.StreamingSynthesizeRequest(
                config=tts_pb2.SynthesisConfig(
                    language_codes=[voice.language_code],
                    voice=voice.name,
                    rate=voice.rate / voice.pitch,
                    max_lead_ms=0,
                    fail_stream_on_turn_failure=True,
                    audio_format=audio_pb2.AudioFormat(
                        encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=RATE_HERTZ
                    ),
                )
            ),
            tts_pb2.StreamingSynthesizeRequest(text=tts_pb2.TurnText(turn_id=1, text=text)),
        ]
        content = b""
        async for response in self._stub.StreamingSynthesize(iter(requests), timeout=SPEAK_LIMIT_S):
            content += response.audio.chunk.content
        spoken = np.frombuffer(content, dtype="<i2")
        if voice.pitch == 1.0:
            return spoken
        higher = soxr.resample(spoken.astype(np.float32), RATE_HERTZ * voice.pitch, RATE_HERTZ)
        return np.asarray(higher.clip(-32768, 32767), dtype=np.int16)


def _levels(samples: Samples) -> NDArray[np.float64]:
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW).astype(np.float64)
    return np.asarray(10 * np.log10(np.maximum((windows**2).mean(axis=1), 1.0)), dtype=np.float64)


def trim(samples: Samples) -> Samples:
    """The speech alone, and at -6 dBFS."""
    levels = _levels(samples)
    loud = np.flatnonzero(levels > levels.max() - LABEL_FLOOR_DB)
    speech = samples[loud[0] * WINDOW : (loud[-1] + 1) * WINDOW].astype(np.float64)
    return np.asarray(speech * (16384 / np.abs(speech).max()), dtype=np.int16)


def cough(chance: random.Random) -> Samples:
    """A burst of shaped noise, 180 to 320 ms: sharp attack, long decay, no pitch."""
    generator = np.random.default_rng(chance.randrange(1 << 30))
    n_samples = chance.randrange(1440, 2560)
    noise = np.convolve(generator.standard_normal(n_samples), np.ones(4) / 4, mode="same")
    decay = np.exp(-np.arange(n_samples) / (n_samples / 4)) * np.minimum(np.arange(n_samples) / 80, 1.0)
    return trim((noise * decay * 9000).clip(-32768, 32767).astype(np.int16))


@dataclass(frozen=True, slots=True)
class Draws:
    """Random draws of a clip."""

    pauses_ms: list[int]
    noise_seed: int


def put_on_line(parts: list[Samples], draws: Draws, *, noise_db: int, is_soft: bool) -> tuple[Samples, list[list[int]]]:
    """Parts with pauses between them, in a room with noise; the samples and where the pauses lie."""
    joined, pauses = [np.zeros(LEAD_SAMPLES)], []
    at = LEAD_SAMPLES
    for index, part in enumerate(parts):
        speech = part.astype(np.float64)
        if index == 0 and is_soft:
            fade = min(len(speech), RATE_HERTZ * 150 // 1000)
            speech[:fade] *= np.linspace(0.15, 1.0, fade)
        joined.append(speech)
        at += len(part)
        if index < len(draws.pauses_ms):
            n_pause = draws.pauses_ms[index] * RATE_HERTZ // 1000
            pauses.append([at, at + n_pause])
            joined.append(np.zeros(n_pause))
            at += n_pause
    joined.append(np.zeros(TAIL_SAMPLES))
    clean = np.concatenate(joined)
    generator = np.random.default_rng(draws.noise_seed)
    level = np.sqrt((np.concatenate(parts).astype(np.float64) ** 2).mean()) / 10 ** (noise_db / 20)
    noisy = clean + generator.standard_normal(len(clean)) * level
    return noisy.clip(-32768, 32767).astype(np.int16), pauses


@dataclass(frozen=True, slots=True)
class Order:
    """One clip to be made."""

    kind: str
    voice: Voice
    text: str  # with `|` where a pause goes
    noise_db: int
    is_soft: bool
    part: str = ""


def bench_orders(chance: random.Random) -> Iterator[Order]:
    """Each sentence once, the voices in turn."""
    for language, kinds in tomllib.loads(SENTENCES.read_text(encoding="utf-8")).items():
        for kind, texts in kinds.items():
            for index, text in enumerate(texts):
                voice = VOICES[language][index % len(VOICES[language])]
                noise_db, is_soft = chance.choice((60, 25, 15)), chance.random() < 0.4
                yield Order(kind.replace("paused", "pause"), voice, text, noise_db, is_soft)


def endpointing_orders() -> Iterator[Order]:
    """Each sentence by several voices, voices and conditions in turn.

    A voice's clips of one part stand together, those with and without pauses mixed, as in a call.
    """
    ordered: list[Order] = []
    for part, languages in tomllib.loads(ENDPOINTING_SENTENCES.read_text(encoding="utf-8")).items():
        for language, kinds in languages.items():
            voices = (FRESH_VOICES if part == "fresh" else ENDPOINTING_VOICES)[language]
            for kind, texts in kinds.items():
                for index, text in enumerate(texts):
                    for nth in range(1 if part in SPOKEN_ONCE else SPOKEN_BY[language]):
                        voice = voices[(index + nth) % len(voices)]
                        noise_db, is_soft = CONDITIONS[(2 * index + 3 * nth) % len(CONDITIONS)]
                        ordered.append(Order(kind.replace("paused", "pause"), voice, text, noise_db, is_soft, part))
    first_parts = {order.part for order in ordered} - set(SPOKEN_ONCE)
    for parts in (first_parts, *({part} for part in SPOKEN_ONCE)):  # parts that were added change no draw of the others
        orders = [order for order in ordered if order.part in parts]
        random.Random(20).shuffle(orders)
        yield from sorted(orders, key=lambda order: (order.part, order.voice.language_code, str(order.voice)))


async def make(size: str, directory: Path, parts: Container[str] | None = None) -> list[Label]:
    """Make every clip of a set, or of these parts of it; their labels."""
    chance = random.Random(20)
    labels: list[Label] = []
    tts = Service("tts", f"127.0.0.1:{TTS_PORT}", {
        "TTS_PORT": str(TTS_PORT), "TTS_METRICS_PORT": str(TTS_PORT + 1), "TTS_PIPER_SEED": "20",
    })  # fmt: skip
    orders = list(endpointing_orders() if size == "endpointing" else bench_orders(chance))
    async with run_stack([tts], ROOT / "out" / "make-clips"), grpc.aio.insecure_channel(tts.target) as channel:
        speaker = Speaker(tts_pb2_grpc.TtsServiceStub(channel))
        for number, order in enumerate(orders):
            texts = [part.strip() for part in order.text.split("|")]
            draws = Draws([chance.randrange(300, 900, 20) for _ in texts[1:]], chance.randrange(1 << 30))
            if parts is None or order.part in parts:
                spoken = [await speaker.speak(order.voice, text) for text in texts]
                labels.append(_keep(directory, number, order, spoken, draws))
    for number in range(len(orders), len(orders) + (0 if size == "endpointing" else 8)):
        order = Order("cough", Voice("noise", ""), "", 40, is_soft=False)
        burst = cough(chance)
        labels.append(_keep(directory, number, order, [burst], Draws([], chance.randrange(1 << 30))))
    return labels


def _keep(directory: Path, number: int, order: Order, spoken: list[Samples], draws: Draws) -> Label:
    samples, pauses = put_on_line(spoken, draws, noise_db=order.noise_db, is_soft=order.is_soft)
    name = f"{number:03d}-{order.kind}.wav"
    with wave.open(str(directory / name), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(RATE_HERTZ)
        recording.writeframes(samples.tobytes())
    return Label(
        file=name,
        text=order.text,
        language_code=order.voice.language_code,
        kind=order.kind,
        voice=f"{order.voice.name or 'default'} x{order.voice.rate:g}"
        + (f" pitch {order.voice.pitch:g}" if order.voice.pitch != 1.0 else ""),
        noise_db=order.noise_db,
        is_soft=order.is_soft,
        speech_start_sample=LEAD_SAMPLES,
        speech_end_sample=len(samples) - TAIL_SAMPLES,
        pauses=pauses,
        part=order.part,
    )


def main() -> None:
    """Make a set and its label file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("bench", "endpointing"), default="bench")
    parser.add_argument("--parts", help="of the endpointing set, by comma; without it all")
    asked = parser.parse_args()
    size, parts = asked.set, None if asked.parts is None else set(asked.parts.split(","))
    directory = Path(__file__).parent / "clips" if size == "bench" else ROOT / "out" / "endpointing-clips"
    directory.mkdir(parents=True, exist_ok=True)
    labels = [asdict(label) for label in asyncio.run(make(size, directory, parts))]
    file = directory / "labels.json"
    if parts is not None and file.is_file():
        labels += [label for label in json.loads(file.read_text(encoding="utf-8")) if label["part"] not in parts]
        labels.sort(key=lambda label: label["file"])
    file.write_text(json.dumps(labels, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(labels)} clips in {directory}")


if __name__ == "__main__":
    main()
