"""Measures what favouring an agent's phrases gains and costs: `python -m tests.load.phrases`.

Sentences with the clinic's phrases, spoken by several voices over G.711, and the clips of tests/data, which hold none,
are decoded without the phrases, with them, and with them only where the plain text resembles one. `--keep` keeps the
texts in out/phrases.json, `--kept` judges those again.
"""

import argparse
import asyncio
import json
import time
import wave
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
import numpy as np
import yaml
from voice.tts.v1 import tts_pb2_grpc

from services.audio.pcm import Samples
from services.language.words import normalise
from services.runtime.models import model_dir
from services.stt_proxy.engine import Span, Speech
from services.stt_proxy.favouring import counts, is_worth_favouring
from services.stt_proxy.recording import Clip
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.whisper_decoding import ShortContextWhisper
from tests.data.make_clips import RATE_HERTZ, Speaker, Voice
from tests.load.short_words import on_line
from tests.load.stack import ROOT, Service, run_stack

TTS_PORT = 50986
CLIPS = ROOT / "tests" / "data" / "clips"
KEPT = ROOT / "out" / "phrases.json"
AGENT = ROOT / "deploy" / "agents" / "clinic.yaml"
SENTENCES = {
    "en": (
        "Is this Sunrise Dental Clinic?",
        "Could I speak to Linh, please?",
        "I would like to see Doctor Tran Mai on Friday.",
        "Is Doctor David Lee in today?",
        "How much is a check-up?",
        "I would like a whitening.",
        "My implant is loose.",
        "Does Doctor Tran Mai see children?",
        "I have a question about an implant.",
        "Doctor David Lee told me to come back for a check-up.",
    ),
    "vi": (
        "Có phải nha khoa Bình Minh không ạ?",
        "Tôi muốn lấy cao răng.",
        "Trám răng hết bao nhiêu tiền?",
        "Tôi muốn trám răng và lấy cao răng.",
        "Cho tôi hỏi nha khoa Bình Minh ở đâu?",
        "Bao lâu thì nên lấy cao răng một lần?",
    ),
}
VOICES = {
    "en": (Voice("", "en-US"), Voice("", "en-US", pitch=1.18), Voice("espeak-en-us", "en-US")),
    "vi": (Voice("", "vi-VN"), Voice("espeak-vi-vn-x-south", "vi-VN")),
}
_MATCHES = ("without", "always", "resembling")


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence and what Whisper wrote for it, without the phrases and with them."""

    said: str
    language: str
    has_phrase: bool
    plain: str
    plain_score: float
    plain_s: float  # CPU seconds, encoding included
    favoured: str
    favoured_score: float
    favoured_s: float  # CPU seconds beside those

    def taken(self, how: str, phrases: tuple[str, ...]) -> str:
        """The text under a rule."""
        is_tried = how == "always" or (how == "resembling" and is_worth_favouring(self.plain, phrases))
        if is_tried and counts(self.plain, self.plain_score, self.favoured, self.favoured_score):
            return self.favoured
        return self.plain


def errors(said: str, heard: str) -> int:
    """Words that were replaced, left out or added, at least."""
    wanted, found = normalise(said), normalise(heard)
    row = list(range(len(found) + 1))
    for i, word in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


async def collect(phrases: tuple[str, ...]) -> list[Heard]:
    """Speak and decode everything."""
    settings = SttSettings(_env_file=None)
    folder = model_dir(settings.models_dir, settings.whisper_model)
    whisper = await asyncio.to_thread(ShortContextWhisper, folder, n_workers=1)
    tts = Service("tts", f"127.0.0.1:{TTS_PORT}", {
        "TTS_PORT": str(TTS_PORT), "TTS_METRICS_PORT": str(TTS_PORT + 1), "TTS_PIPER_SEED": "20",
    })  # fmt: skip
    items: list[tuple[str, str, bool, Samples]] = []
    async with run_stack([tts], ROOT / "out" / "phrases"), grpc.aio.insecure_channel(tts.target) as channel:
        speaker = Speaker(tts_pb2_grpc.TtsServiceStub(channel))
        for language, sentences in SENTENCES.items():
            for voice in VOICES[language]:
                for number, said in enumerate(sentences):
                    sound = on_line(await speaker.speak(voice, said), -12, (0.0, 60.0)[number % 2], number)
                    items.append((said, language, True, sound))
    for label in json.loads((CLIPS / "labels.json").read_text(encoding="utf-8")):
        if label["text"]:
            with wave.open(str(CLIPS / label["file"])) as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
            items.append((label["text"].replace("|", ""), label["language_code"][:2], False, sound))

    def recognise(said: str, language: str, has_phrase: bool, sound: Samples) -> Heard:
        speech = Speech(1, 1, (Span(0, len(sound)),), (Clip(0, sound),), RATE_HERTZ)
        begun = time.process_time()
        plain = whisper.write(speech, language)
        plain_s = time.process_time() - begun
        begun = time.process_time()
        whisper.encode_only(speech)
        encoding_s = time.process_time() - begun
        begun = time.process_time()
        favoured = whisper.write(speech, language, phrases)
        favoured_s = max(0.0, time.process_time() - begun - encoding_s)
        return Heard(
            said, language, has_phrase, plain.text, plain.score, plain_s, favoured.text, favoured.score, favoured_s
        )

    return [recognise(*item) for item in items]


def report(heard: list[Heard], phrases: tuple[str, ...]) -> None:
    """Print a line for each language and rule."""
    print(f"{'':<22}{'rule':<12}{'words wrong':>13}{'phrases right':>15}{'second passes':>15}{'CPU ms':>8}")
    for language in SENTENCES:
        for has_phrase in (True, False):
            group = [one for one in heard if one.language == language and one.has_phrase is has_phrase]
            n_words = sum(len(normalise(one.said)) for one in group)
            for how in _MATCHES:
                tried = [
                    one
                    for one in group
                    if how == "always" or (how == "resembling" and is_worth_favouring(one.plain, phrases))
                ]
                wrong = sum(errors(one.said, one.taken(how, phrases)) for one in group)
                said = [(one, phrase) for one in group for phrase in phrases if _holds(one.said, phrase)]
                right = sum(_holds(one.taken(how, phrases), phrase) for one, phrase in said)
                cpu_ms = (sum(one.plain_s for one in group) + sum(one.favoured_s for one in tried)) * 1000 / len(group)
                name = f"{language}, {'with' if has_phrase else 'without'} phrases"
                print(
                    f"{name:<22}{how:<12}{f'{wrong} of {n_words}':>13}{f'{right} of {len(said)}':>15}"
                    f"{f'{len(tried)} of {len(group)}':>15}{cpu_ms:>8.0f}"
                )


def _holds(text: str, phrase: str) -> bool:
    return f" {' '.join(normalise(phrase))} " in f" {' '.join(normalise(text))} "


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--kept", action="store_true")
    arguments = parser.parse_args()
    phrases = tuple(yaml.safe_load(AGENT.read_text(encoding="utf-8"))["phrases"])
    if arguments.kept:
        heard = [Heard(**one) for one in json.loads(Path(KEPT).read_text(encoding="utf-8"))]
    else:
        heard = asyncio.run(collect(phrases))
    if arguments.keep:
        KEPT.write_text(json.dumps([asdict(one) for one in heard], ensure_ascii=False), encoding="utf-8")
    report(heard, phrases)


if __name__ == "__main__":
    main()
