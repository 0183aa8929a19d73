"""Measures the guard against text out of noise on what callers say: `python -m tests.load.short_words`.

Words that Whisper also invents ("Thank you.", "Bye.", "Cảm ơn") are spoken by several voices through the project's own
TTS service, put on a telephone line (G.711, five loudnesses, with and without noise) and decoded; so are sounds that
hold no word. Voices and sounds are split in two halves: limits are chosen on the first and judged on the second.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from voice.tts.v1 import tts_pb2_grpc

from services.audio.pcm import AudioFormat, Encoding, Samples, decode, encode
from services.language.words import normalise
from services.runtime.models import model_dir
from services.stt_proxy.engine import Span, Speech
from services.stt_proxy.inventions import is_invented, is_listed
from services.stt_proxy.recording import Clip
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.whisper_decoding import ShortContextWhisper
from tests.data.make_clips import RATE_HERTZ, Speaker, Voice, trim
from tests.load.stack import ROOT, Service, run_stack

TTS_PORT = 50984
LINE = AudioFormat(Encoding.MULAW, RATE_HERTZ)
LEAD_S, TAIL_S = 0.3, 0.2  # what the service cuts out around speech
PEAKS_DBFS = (-6, -15, -24, -33, -40)
WORDS = {
    "en": (
        "Thank you.",
        "Thanks.",
        "Bye.",
        "Bye bye.",
        "Thank you very much.",
        "Oh.",
        "Bye bye bye.",
        "Thank you, thank you, thank you.",
        "No, no, no.",
        "Wait, wait, wait.",
        "Hello, hello, hello?",
    ),
    "vi": ("Cảm ơn.", "À.", "Ừ.", "Cảm ơn các bạn."),
    "ru": ("Спасибо.", "До свидания."),
    "zh": ("谢谢。",),
}
VOICES = {
    "en": (
        Voice("", "en-US"),
        Voice("", "en-US", 1.2),
        Voice("", "en-US", pitch=1.18),
        Voice("", "en-US", 0.9, 0.9),
        Voice("espeak-en-gb", "en-GB"),
        Voice("espeak-en-us", "en-US"),
    ),
    "vi": (
        Voice("", "vi-VN"),
        Voice("", "vi-VN", 1.2),
        Voice("espeak-vi-vn-x-south", "vi-VN"),
        Voice("espeak-vi-vn-x-central", "vi-VN"),
    ),
    "ru": (Voice("", "ru-RU"), Voice("", "ru-RU", 1.2)),
    "zh": (Voice("", "zh-CN"), Voice("", "zh-CN", 1.2)),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """One stretch of sound and what Whisper wrote for it."""

    half: int  # 0: limits are chosen on it; 1: they are judged by it
    kind: str  # the word, or the name of the sound
    language: str
    is_speech: bool
    peak_dbfs: int
    seconds: float
    text: str
    confidence: float
    no_speech: float

    @property
    def is_taken_away(self) -> bool:
        """Return whether the guard takes it for nothing said."""
        return is_invented(self.text, self.language, self.confidence, self.no_speech)


def on_line(sound: NDArray[Any], peak_dbfs: float, noise_rms: float, seed: int) -> Samples:
    """The sound as loud as that, with noise of the line around and in it, through G.711."""
    lead, tail = np.zeros(int(LEAD_S * RATE_HERTZ)), np.zeros(int(TAIL_S * RATE_HERTZ))
    whole = np.concatenate([lead, sound.astype(np.float64), tail])
    whole *= 32768 * 10 ** (peak_dbfs / 20) / max(1.0, np.abs(whole).max())
    whole += np.random.default_rng(seed).standard_normal(len(whole)) * noise_rms
    return decode(LINE, encode(LINE, whole.clip(-32768, 32767).astype(np.int16)))


def sounds() -> Iterator[tuple[int, str, NDArray[np.float64]]]:
    """Sounds of a line and a room that hold no word, 0.3 to 3 s long, each with its half."""
    for seed in range(10):
        chance = np.random.default_rng(100 + seed)
        for seconds in (0.3, 0.6, 1.2, 3.0):
            for name, sound in _sounds_of(seconds, chance):
                yield seed % 2, name, sound
        animals = np.random.default_rng(500 + seed)
        for n_calls in (1, 3, 5):
            yield seed % 2, "bark", _calls(n_calls, animals, hertz=(300, 700), roughness=animals.uniform(0.2, 1.0))
            yield seed % 2, "hoot", _calls(n_calls, animals, hertz=(180, 420), roughness=0.0)


def _sounds_of(seconds: float, chance: np.random.Generator) -> Iterator[tuple[str, NDArray[np.float64]]]:
    at = np.arange(int(seconds * RATE_HERTZ)) / RATE_HERTZ
    rough = chance.standard_normal(len(at))
    low = np.convolve(rough, np.ones(6) / 6, mode="same")
    pitch = chance.uniform(90, 400)
    yield "noise", rough * 3000
    yield "breath", low * np.sin(np.pi * at / seconds) ** 2 * 3000
    yield "knocks", rough * (np.exp(-(at % 0.25) * 60)) * 8000
    hum = sum((np.sin(2 * np.pi * pitch * n * at + n) / n for n in range(1, 8)), np.zeros(len(at)))
    yield "hum", hum * np.sin(np.pi * at / seconds) * 4000
    glide = np.cumsum(pitch * (1 + 0.3 * np.sin(2 * np.pi * at * chance.uniform(0.5, 3)))) / RATE_HERTZ
    voiced = sum((np.sin(2 * np.pi * glide * n) / n**1.5 for n in range(1, 12)), np.zeros(len(at)))
    yield "moan", voiced * np.sin(np.pi * at / seconds) ** 0.5 * 4000
    chord = sum((np.sin(2 * np.pi * pitch * ratio * at) for ratio in (1, 1.26, 1.5, 2)), np.zeros(len(at)))
    yield "chord", chord * np.exp(-(at % 0.5) * 2) * 3000


def _calls(
    n_calls: int, chance: np.random.Generator, *, hertz: tuple[float, float], roughness: float
) -> NDArray[np.float64]:
    """An animal's calls one behind another: a pitch that rises and falls, with its overtones and some noise."""
    parts: list[NDArray[np.float64]] = []
    for _ in range(n_calls):
        seconds = chance.uniform(0.12, 0.35)
        at = np.arange(int(seconds * RATE_HERTZ)) / RATE_HERTZ
        arch = np.sin(np.pi * at / seconds)
        turns = np.cumsum(chance.uniform(*hertz) * (1 + 0.5 * arch)) / RATE_HERTZ
        voiced = sum((np.sin(2 * np.pi * turns * n) / n for n in range(1, 7)), np.zeros(len(at)))
        parts.append((voiced + roughness * chance.standard_normal(len(at))) * np.sqrt(arch) * 4000)
        parts.append(np.zeros(int(chance.uniform(0.1, 0.4) * RATE_HERTZ)))
    return np.concatenate(parts)


async def collect() -> list[Heard]:
    """Make and decode everything: some minutes on two cores."""
    settings = SttSettings(_env_file=None)
    folder = model_dir(settings.models_dir, settings.whisper_model)
    whisper = await asyncio.to_thread(ShortContextWhisper, folder, n_workers=2)
    tts = Service("tts", f"127.0.0.1:{TTS_PORT}", {
        "TTS_PORT": str(TTS_PORT), "TTS_METRICS_PORT": str(TTS_PORT + 1), "TTS_PIPER_SEED": "20",
    })  # fmt: skip
    orders: list[tuple[int, str, str, bool, int, Samples]] = []
    async with run_stack([tts], ROOT / "out" / "short-words"), grpc.aio.insecure_channel(tts.target) as channel:
        speaker = Speaker(tts_pb2_grpc.TtsServiceStub(channel))
        for language, words in WORDS.items():
            for nth, voice in enumerate(VOICES[language]):
                for word in words:
                    said = await speaker.speak(voice, word)
                    for number, peak in enumerate(PEAKS_DBFS):
                        noise = (0.0, 30.0, 8.0)[(number + nth) % 3]
                        orders.append((nth % 2, word, language, True, peak, on_line(said, peak, noise, number)))
    for number, (half, name, sound) in enumerate(sounds()):
        peak = PEAKS_DBFS[number % len(PEAKS_DBFS)]
        trimmed = on_line(trim(sound.clip(-32768, 32767).astype(np.int16)), peak, 8.0, number)
        orders.append((half, name, ("en", "vi", "ru", "zh")[number % 4], False, peak, trimmed))
    gate = asyncio.Semaphore(2)

    async def recognise(order: tuple[int, str, str, bool, int, Samples]) -> Heard:
        half, kind, language, is_speech, peak, sound = order
        speech = Speech(1, 1, (Span(0, len(sound)),), (Clip(0, sound),), RATE_HERTZ)
        async with gate:
            written = await asyncio.to_thread(whisper.write, speech, language)
        seconds = len(sound) / RATE_HERTZ - LEAD_S - TAIL_S
        return Heard(
            half, kind, language, is_speech, peak, seconds, written.text, written.confidence, written.no_speech
        )

    return list(await asyncio.gather(*(recognise(order) for order in orders)))


def report(heard: list[Heard]) -> None:
    """Print a line for each half and language."""
    print(
        f"{'half':<10}{'':<8}{'spoken':>8}{'listed':>8}{'of these taken away':>21}{'sounds':>8}{'left with words':>17}"
    )
    for half, name in enumerate(("chosen on", "judged on")):
        for language in WORDS:
            group = [one for one in heard if one.half == half and one.language == language and one.text]
            spoken = [one for one in group if one.is_speech]
            listed = [one for one in spoken if is_listed(_said(one), language, 0.0, 1.0)]
            taken = [one for one in listed if one.is_taken_away]
            n_sounds = sum(not one.is_speech and one.half == half and one.language == language for one in heard)
            left = [one for one in group if not one.is_speech and not one.is_taken_away]
            listed_left = sum(is_listed(_said(one), language, 0.0, 1.0) for one in left)
            print(
                f"{name:<10}{language:<8}{len(spoken):>8}{len(listed):>8}{len(taken):>18}{n_sounds:>8}"
                f"{f'{len(left)} ({listed_left} listed)':>17}"
            )
    for one in heard:
        if one.is_speech and one.text and one.is_taken_away:
            print(
                f"taken away: {one.kind} at {one.peak_dbfs} dBFS, {one.confidence:.2f}, {one.no_speech:.2f}: {one.text}"
            )


def _said(one: Heard) -> str:
    return " ".join(normalise(one.text))


def main() -> None:
    """Measure and print; `--kept` judges the texts of the last run again."""
    kept = ROOT / "out" / "short_words.json"
    if "--kept" in sys.argv[1:]:
        heard = [Heard(**one) for one in json.loads(kept.read_text(encoding="utf-8"))]
    else:
        heard = asyncio.run(collect())
        kept.write_text(json.dumps([asdict(one) for one in heard], ensure_ascii=False), encoding="utf-8")
    report(heard)


if __name__ == "__main__":
    main()
