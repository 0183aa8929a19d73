"""The intelligibility of each engine to a recogniser: `python -m tests.load.speaking [--engines espeak,piper]
[--languages en,vi]`.

Whisper, and for Vietnamese viet_asr too, which have no part in the speaking, write down sentences with prices, times
and dates among them, numbers of six digits, and the letters A to Z by themselves and as in "B as in Bravo"
(tests/data/speaking.toml), each after G.711 at 8 kHz and from 16 kHz. Two rows an engine, language and recogniser:
words that are wrong, digits, whole numbers and letters that are right, first audio, real-time factor, processor time
for a second of sound. `--sentences` says how many of each kind, `--write` puts the table into docs/SPEAKING.md.
"""

import argparse
import asyncio
import os
import random
import re
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soxr
from faster_whisper import WhisperModel
from vietasr import Pipeline

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode
from services.language.reading.normalizer import Normalizer
from services.language.reading.reading_words import words_of
from services.language.words import normalise
from services.runtime.errors import StartupError
from services.runtime.models import model_dir
from services.stt_proxy.engines.viet_asr import VietAsrSession
from services.stt_proxy.settings import SttSettings
from services.tts.engine import TtsEngine, make_engine
from services.tts.errors import UnknownLanguage
from services.tts.router import Router
from services.tts.sentences import SpeechParameters
from services.tts.settings import TtsSettings
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.track import Chunk, ChunkLengths
from services.tts.turn import TextLimits, Turn, TurnText

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "speaking.toml"
DOCS = ROOT / "docs" / "SPEAKING.md"
BEGIN, END = "<!-- speaking: begin -->", "<!-- speaking: end -->"
CODES = {"en": "en-US", "vi": "vi-VN", "ru": "ru-RU", "zh": "zh-CN"}
WIDEBAND = AudioFormat(Encoding.LINEAR16, 16000)
WHISPER_HERTZ = 16000
N_DIGITS = 6
TEMPERATURES = (0.0, 0.4, 0.8)
SILENCE_S = 0.3
COLUMNS = (
    "engine", "language", "heard by", "line", "sentences", "words wrong, %", "digits right, %", "numbers right",
    "letters right", "as in", "first audio p50, ms", "real-time factor", "processor time",
)  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Sound = np.ndarray[Any, Any]
Recogniser = Callable[[Sound, str], str]
"""The recogniser's transcript of a sound, float32 at 16 kHz, in a language. It blocks."""


class Kind(Enum):
    """The kind of a line."""

    SENTENCE = "sentence"
    NUMBER = "number"
    LETTER = "letter"
    LETTER_AS = "letter_as"


@dataclass(frozen=True, slots=True)
class Said:
    """A text, and what must be heard of it: its words, the digits, the letter or the word that stands for it."""

    kind: Kind
    text: str
    wanted: str


@dataclass(slots=True)
class Counts:
    """The counts of what was heard on one line."""

    n_words: int = 0
    n_wrong: int = 0
    n_digits: int = 0
    n_wrong_digits: int = 0
    right: dict[Kind, int] = field(default_factory=dict)
    n_said: dict[Kind, int] = field(default_factory=dict)

    def add(self, said: Said, heard: str, language: str) -> None:
        """Judge one text."""
        self.n_said[said.kind] = self.n_said.get(said.kind, 0) + 1
        if said.kind is Kind.SENTENCE:
            wanted = spoken_words(said.text, language)
            self.n_words += len(wanted)
            self.n_wrong += n_errors(wanted, spoken_words(heard, language))
            return
        if said.kind is Kind.NUMBER:
            self.n_digits += len(said.wanted)
            self.n_wrong_digits += min(len(said.wanted), n_errors(said.wanted, digits_in(heard, language)))
        self.right[said.kind] = self.right.get(said.kind, 0) + (is_heard(said, heard, language))

    def part(self, kind: Kind) -> str:
        """Right ones of all; a dash where none was said."""
        return f"{self.right.get(kind, 0)} of {self.n_said[kind]}" if kind in self.n_said else "–"


def texts(language: str, most: int, seed: int = 17) -> list[Said]:
    """At most so many of each kind."""
    table: dict[str, Any] = tomllib.loads(DATA.read_text(encoding="utf-8"))[language]
    draw = random.Random(f"{seed} {language}")
    said = [Said(Kind.SENTENCE, text, "") for text in table["sentences"][:most]]
    for _ in range(most):
        digits = "".join(draw.choice("0123456789") for _ in range(N_DIGITS))
        said.append(Said(Kind.NUMBER, table["digits"].format(" ".join(digits)), digits))
    for word in draw.sample(table.get("alphabet", []), min(most, len(table.get("alphabet", [])))):
        said.append(Said(Kind.LETTER, table["letter"].format(word[0]), word[0].lower()))
        said.append(Said(Kind.LETTER_AS, table["letter_as"].format(word[0], word), word.lower()))
    return said


def spoken_words(text: str, language: str) -> list[str]:
    """The words of a text as spoken, so that "5" and "five" are one; characters where words do not stand apart."""
    words = normalise(Normalizer().speak(text, CODES[language]).text)
    return list("".join(words)) if language == "zh" else list(words)


def is_heard(said: Said, heard: str, language: str) -> bool:
    """Return whether the number, the letter or its word was understood."""
    if said.kind is Kind.NUMBER:
        return said.wanted in digits_in(heard, language)
    words = list(normalise(heard))
    plain = [re.sub(r"\W", "", word) for word in words]
    if said.kind is Kind.LETTER_AS:
        return re.sub(r"\W", "", said.wanted) in ("".join(plain[-2:]), *plain[-1:])
    return plain[-1:] == [said.wanted]


def digits_in(heard: str, language: str) -> str:
    """Every digit that was written, as a figure or as its word."""
    names = {name: str(digit) for digit, name in enumerate(words_of(language)["digits"])}
    pattern = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    text = heard.lower()
    return "".join(names.get(one, one) for one in re.findall(rf"\d|{pattern}", text))


def n_errors(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Words that were replaced, left out or added, at least."""
    row = list(range(len(found) + 1))
    for i, word in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


@dataclass(slots=True)
class Cost:
    """The cost of the speaking, in seconds. `cpu_s`: of the processor, the engine's own processes included."""

    first_s: list[float] = field(default_factory=list)
    compute_s: float = 0.0
    cpu_s: float = 0.0
    sound_s: float = 0.0


async def speak(
    engine: TtsEngine, language: str, text: str, audio_format: AudioFormat, cost: Cost
) -> np.ndarray[Any, Any]:
    """The sound of a text on one line, for Whisper: float32 at 16 kHz."""
    router = Router({"*": engine})
    speaker = TurnSpeaker(
        router,
        Normalizer(),
        audio_format,
        lengths=ChunkLengths(20, 100),
        pauses=Pauses(220, 110, 30),
        max_lead_ms=0,
    )
    turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(1000, 240)))
    voice = router.choose(CODES[language]).voice
    begun, cpu_s, first_s, content = time.monotonic(), _cpu_s(), 0.0, bytearray()
    turn.text.append(text, SpeechParameters(CODES[language], voice, 1.0), flush=False)
    turn.text.end()
    async for output in speaker.speak(turn):
        if isinstance(output, Chunk):
            first_s = first_s or time.monotonic() - begun
            content += output.content
    sound = decode(audio_format, bytes(content))
    cost.cpu_s += _cpu_s() - cpu_s
    cost.first_s.append(first_s)
    cost.compute_s += turn.text.stopwatch.timing().compute_us / 1e6
    cost.sound_s += len(sound) / audio_format.sample_rate_hertz
    around = np.zeros(int(SILENCE_S * audio_format.sample_rate_hertz), dtype=np.int16)
    whole = np.concatenate((around, sound, around)).astype(np.float32) / 32768
    return np.asarray(soxr.resample(whole, audio_format.sample_rate_hertz, WHISPER_HERTZ), dtype=np.float32)


def _cpu_s() -> float:
    """Processor time of this process and of those it has started, in seconds."""
    own, ticks = str(os.getpid()), 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if path.parent.name == own or fields[1] == own:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / CLOCK_TICKS


def whisper_recogniser(settings: SttSettings) -> Recogniser:
    """Whisper as the STT stage has it. What it cannot make out is tried three times, not six."""
    folder = model_dir(settings.models_dir, settings.whisper_model)
    model = WhisperModel(str(folder), compute_type="int8")

    def recognise(sound: Sound, language: str) -> str:
        pieces, _ = model.transcribe(sound, language=language, beam_size=1, temperature=TEMPERATURES)
        return " ".join(piece.text for piece in pieces)

    return recognise


def vietnamese_recogniser() -> Recogniser:
    """viet_asr, which hears nothing but Vietnamese."""
    pipeline = Pipeline.new().add("vietasr").build()

    def recognise(sound: Sound, language: str) -> str:
        session = VietAsrSession(pipeline, WHISPER_HERTZ)
        session.accept(np.rint(sound * 32767).astype(np.int16))
        words, _ = session.flush()
        session.close()
        return words.open_text

    return recognise


async def rows(engine: TtsEngine, language: str, recognisers: dict[str, Recogniser], most: int) -> list[str]:
    """Two rows of the table a recogniser: over the telephone, and from 16 kHz."""
    lines = []
    for audio_format, name in ((TELEPHONE, "G.711"), (WIDEBAND, "16 kHz")):
        counts, cost = {each: Counts() for each in recognisers}, Cost()
        for said in texts(language, most):
            sound = await speak(engine, language, said.text, audio_format, cost)
            for each, recognise in recognisers.items():
                counts[each].add(said, await asyncio.to_thread(recognise, sound, language), language)
        for each, one in counts.items():
            lines.append(_row((engine.describe().name, language, each, name), one, cost))
            print(lines[-1], flush=True)
    return lines


def _row(names: tuple[str, str, str, str], counts: Counts, cost: Cost) -> str:
    wrong = 100 * counts.n_wrong / max(1, counts.n_words)
    digits = 100 - 100 * counts.n_wrong_digits / max(1, counts.n_digits)
    return (
        f"| {' | '.join(names)} | {counts.n_said[Kind.SENTENCE]} | {wrong:.1f} | {digits:.1f} "
        f"| {counts.part(Kind.NUMBER)} | {counts.part(Kind.LETTER)} | {counts.part(Kind.LETTER_AS)} "
        f"| {1000 * median(cost.first_s):.0f} | {cost.compute_s / max(0.1, cost.sound_s):.3f} "
        f"| {cost.cpu_s / max(0.1, cost.sound_s):.3f} |"
    )


async def table(engines: Sequence[str], languages: Sequence[str], most: int) -> str:
    """The whole table, printed as it grows. Raises StartupError."""
    settings = SttSettings(_env_file=None)
    whisper = await asyncio.to_thread(whisper_recogniser, settings)
    of_vietnamese = await asyncio.to_thread(vietnamese_recogniser) if "vi" in languages else None
    print(HEAD)
    lines = [HEAD]
    for name in engines:
        engine = make_engine(name, TtsSettings(_env_file=None))
        try:
            await engine.load()
            for language in languages:
                recognisers = {"whisper": whisper}
                if language == "vi" and of_vietnamese is not None:
                    recognisers["viet_asr"] = of_vietnamese
                try:
                    lines += await rows(engine, language, recognisers, most)
                except UnknownLanguage:
                    continue
        finally:
            await engine.close()
    return "\n".join(lines)


def main() -> int:
    """1 where an engine does not load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="espeak,piper")
    parser.add_argument("--languages", default="en,vi,ru,zh")
    parser.add_argument("--sentences", type=int, default=100, help="of each kind, at most")
    parser.add_argument("--write", action="store_true", help="put the table into docs/SPEAKING.md")
    asked = parser.parse_args()
    try:
        found = asyncio.run(table(asked.engines.split(","), asked.languages.split(","), asked.sentences))
    except StartupError as error:
        print(error)
        return 1
    if asked.write:
        text = DOCS.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, behind = rest.partition(END)
        DOCS.write_text(f"{before}{BEGIN}\n{found}\n{END}{behind}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
