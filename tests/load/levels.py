"""The levels of each engine's speech: active speech level (ITU-T P.56), peaks, silence before the first word.

python -m tests.load.levels [--engines tone,espeak,piper] [--languages en,vi,ru,zh] [--sentences 40] [--text "..."]

Speaks the gateway's own sentences, or so many of `tests/data/speaking.toml`, with the settings of the environment, over
the whole way from text to the wire's format, and prints one row an engine, language and format.
"""

import argparse
import asyncio
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.audio.leveller import TARGET_DBOV
from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, Samples, decode
from services.audio.speech_level import FULL_SCALE, SpeechLevelMeter
from services.call_gateway.prompts.recorded import texts
from services.language.reading.normalizer import Normalizer
from services.runtime.errors import StartupError
from services.tts.engine import TtsEngine, make_engine
from services.tts.levels import VoiceLevels
from services.tts.router import Router
from services.tts.sentences import SpeechParameters
from services.tts.settings import TtsSettings
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.track import Chunk, ChunkLengths
from services.tts.turn import TextLimits, Turn, TurnText

FORMATS = (TELEPHONE, AudioFormat(Encoding.LINEAR16, 16000))
SENTENCES = Path(__file__).parents[1] / "data" / "speaking.toml"
TOLERANCE_DB = 1.0
ONSET_DBOV = -45.0  # the first sample above this is sound


@dataclass(frozen=True, slots=True)
class Row:
    """One engine, language and format."""

    engine: str
    language_code: str
    audio_format: AudioFormat
    level_dbov: float  # of all sentences, one after the other
    lowest_dbov: float  # of one sentence
    highest_dbov: float
    n_within: int  # sentences within TOLERANCE_DB of the target
    n_sentences: int
    peak_dbov: float
    lead_ms: float  # the longest silence before a sentence


async def measure(engine: TtsEngine, language_code: str, sentences: list[str], audio_format: AudioFormat) -> Row:
    """Speak the sentences, each as a turn of its own."""
    speaker = TurnSpeaker(
        Router({"*": engine}),
        Normalizer(),
        audio_format,
        lengths=ChunkLengths(20, 100),
        pauses=Pauses(220, 110, 30),
        max_lead_ms=0,
        levels=VoiceLevels(),
    )
    rate = audio_format.sample_rate_hertz
    voice = speaker_voice(engine, language_code)
    sounds = [await _speak(speaker, number, text, language_code, voice) for number, text in enumerate(sentences, 1)]
    heard = [decode(audio_format, sound) for sound in sounds]
    levels = [_level(sound, rate) for sound in heard]
    whole = np.concatenate(heard)
    return Row(
        engine.describe().name,
        language_code,
        audio_format,
        _level(whole, rate),
        min(levels),
        max(levels),
        sum(abs(level - TARGET_DBOV) <= TOLERANCE_DB for level in levels),
        len(levels),
        20 * np.log10(np.abs(whole.astype(np.int32)).max() / FULL_SCALE),
        max(_lead_ms(sound, rate) for sound in heard),
    )


def sentences_of(language_code: str, most: int | None) -> list[str]:
    """The sentences of a language: so many of `tests/data/speaking.toml`, or the gateway's own."""
    if most is None:
        return [text for (_, code), text in texts().items() if code == language_code]
    spoken: list[str] = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))[language_code]["sentences"]
    return spoken[:most]


def speaker_voice(engine: TtsEngine, language_code: str) -> str:
    """The engine's own voice for the language. Raises UnknownLanguage."""
    return Router({"*": engine}).choose(language_code).voice


async def _speak(speaker: TurnSpeaker, number: int, text: str, language_code: str, voice: str) -> bytes:
    turn = Turn(number, TurnText(start_offset=0, limits=TextLimits(5000, 240)))
    turn.text.append(text, SpeechParameters(language_code, voice, 1.0), flush=False)
    turn.text.end()
    return b"".join([output.content async for output in speaker.speak(turn) if isinstance(output, Chunk)])


def _level(sound: Samples, rate: int) -> float:
    meter = SpeechLevelMeter(rate)
    meter.push(sound)
    return float("-inf") if meter.level_dbov is None else meter.level_dbov


def _lead_ms(sound: Samples, rate: int) -> float:
    onset = int(np.argmax(np.abs(sound.astype(np.int32)) > FULL_SCALE * 10 ** (ONSET_DBOV / 20)))
    return onset * 1000 / rate


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="tone,espeak,piper")
    parser.add_argument("--languages", default="en,vi,ru,zh")
    parser.add_argument("--sentences", type=int, help="so many of tests/data/speaking.toml in place of the gateway's")
    parser.add_argument("--text", action="append", help="a sentence in place of the gateway's; may be given often")
    asked = parser.parse_args()
    print(
        "| engine | language | format | level dBov | one sentence dBov | within 1 dB | peak dBov | silence before, ms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in asked.engines.split(","):
        engine = make_engine(name, TtsSettings())
        try:
            await engine.load()
            for language_code in asked.languages.split(","):
                if not any(
                    code.split("-")[0] == language_code
                    for voice in engine.describe().voices
                    for code in voice.language_codes
                ):
                    continue
                sentences = asked.text or sentences_of(language_code, asked.sentences)
                for audio_format in FORMATS:
                    row = await measure(engine, language_code, sentences, audio_format)
                    print(
                        f"| {row.engine} | {row.language_code} | {audio_format.encoding.value} "
                        f"{audio_format.sample_rate_hertz} | {row.level_dbov:.1f} | {row.lowest_dbov:.1f} to "
                        f"{row.highest_dbov:.1f} | {row.n_within} of {row.n_sentences} | "
                        f"{row.peak_dbov:.1f} | {row.lead_ms:.1f} |"
                    )
        except StartupError as error:
            print(f"| {name} | not loaded: {error} | | | | | | |")
        finally:
            await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
