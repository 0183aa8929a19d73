"""Engine `kokoro`: Kokoro 82M (StyleTTS 2) in ONNX, natural voices for prompts made ahead and for fast machines.

A clause is made whole: on a small processor the first sound comes after one to two seconds. Its phonemes are those of
espeak-ng, written as Kokoro was trained on them. It has no word times; marks are spread by length.
"""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.audio.pcm import Samples
from services.audio.speech_level import SpeechLevelMeter
from services.language.phonetics import respellings
from services.runtime.cpu import usable_cpus
from services.runtime.errors import NotServing
from services.runtime.loading import loading
from services.runtime.models import find_model, model_dir
from services.tts.engine import EngineDescription, Line, Speech, Voice, sound_id
from services.tts.espeak.process import EspeakProcess
from services.tts.settings import TtsSettings
from services.tts.vits.phonemes import phonemes_of
from services.tts.workers import Workers

RATE_HERTZ = 24000
MOST_TOKENS = 510  # of one step: a voice has so many styles, by the number of tokens
STYLE_SIZE = 256
LANGUAGES = {
    letter: (code, espeak_voice)
    for letter, code, espeak_voice in (
        ("a", "en-US", "en-us"),
        ("b", "en-GB", "en-gb"),
        ("e", "es-ES", "es"),
        ("f", "fr-FR", "fr-fr"),
        ("h", "hi-IN", "hi"),
        ("i", "it-IT", "it"),
        ("p", "pt-BR", "pt-br"),
    )
}
"""First letter of a voice's name: its language, and the voice of espeak-ng that reads it."""
WARM_UP = "1, 2."


@dataclass(frozen=True, slots=True)
class _Loaded:
    session: Any
    vocabulary: Mapping[str, int]
    styles: Mapping[str, NDArray[np.float32]]  # (510, 256) by voice
    sound_id: str


class KokoroEngine:
    """Kokoro: one network; each voice is a file of styles."""

    def __init__(self, settings: TtsSettings) -> None:
        self._settings = settings
        self._espeak = EspeakProcess(settings.espeak_library, settings.espeak_data_dir)
        self._workers = Workers(1, "kokoro")
        self._loaded: _Loaded | None = None
        self._level_dbov: float | None = None

    def report_lost(self, on_lost: Callable[[str], bool]) -> None:
        """Before `load`: have a lost thread told to `on_lost`; True: others speak in its place, the process lives."""
        self._workers.on_lost = on_lost

    async def load(self) -> None:
        await self._workers.run(self._load, due_s=0.0)

    def describe(self) -> EngineDescription:
        loaded = self._use()
        voices = tuple(Voice(name, (LANGUAGES[name[0]][0],), self._level_dbov) for name in loaded.styles)
        return EngineDescription(
            "kokoro", "kokoro-82m", RATE_HERTZ, voices, measures_words=False, sound_id=loaded.sound_id
        )

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        read = await self._workers.run(lambda: self._tokens(line), due_s=line.due_s())
        queue_us, compute_us = read.queue_us, read.compute_us
        parts = list(cut(read.result))
        for part in parts:
            done = await self._workers.run(partial(self._speak, line, part), due_s=line.due_s())
            yield Speech(
                done.result, (), queue_us + done.queue_us, compute_us + done.compute_us, is_whole=len(parts) == 1
            )
            queue_us = compute_us = 0

    async def close(self) -> None:
        self._workers.close()
        self._espeak.close()

    def _load(self) -> None:
        self._espeak.start()
        folder = _folder(self._settings)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._settings.kokoro_threads or usable_cpus()
        model = folder / "model.onnx"
        with loading(f"TTS_KOKORO_MODEL: {folder}"):
            vocabulary = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab"]
            session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            files = sorted((folder / "voices").glob("*.bin"))
            styles = {file.stem: _styles(file) for file in files if file.stem[:1] in LANGUAGES}
            if not styles:
                raise NotServing(f"TTS_KOKORO_MODEL: {folder}/voices has no voice (af_heart.bin)")
            whole = sound_id((model, folder / "config.json", *files, self._espeak.library))
            self._loaded = _Loaded(session, vocabulary, styles, whole)
            self._level_dbov = self._warm_up(next(iter(styles)))

    def _warm_up(self, voice: str) -> float | None:
        """Return the active level in dBov of the voice's own sound; None: it makes none."""
        meter = SpeechLevelMeter(RATE_HERTZ)
        line = Line(WARM_UP, LANGUAGES[voice[0]][0], voice, 1.0, 0, is_first=True)
        for part in cut(self._tokens(line)):
            meter.push(self._speak(line, part))
        return meter.level_dbov

    def _tokens(self, line: Line) -> list[int]:
        code, espeak_voice = LANGUAGES[line.voice[0]]
        vocabulary = self._use().vocabulary
        phonemes = phonemes_of(
            line.text.strip(),
            lambda texts, language: self._espeak.phonemes(texts, voice=language or espeak_voice),
            stretches=line.stretches,
        )
        kinds = ("en", code.lower()) if code.startswith("en") else ("all",)
        for before, after in respellings("kokoro", *kinds):
            phonemes = phonemes.replace(before, after)
        return [vocabulary[phoneme] for phoneme in phonemes if phoneme in vocabulary]

    def _speak(self, line: Line, tokens: Sequence[int]) -> Samples:
        loaded = self._use()
        style = loaded.styles[line.voice][min(len(tokens), MOST_TOKENS) - 1]
        [sound] = loaded.session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
                "style": style[None, :],
                "speed": np.array([line.rate], dtype=np.float32),
            },
        )
        samples: Samples = np.clip(np.rint(sound.reshape(-1) * 32767), -32768, 32767).astype(np.int16)
        return samples

    def _use(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError("load() first")
        return self._loaded


def cut(tokens: Sequence[int], most: int = MOST_TOKENS) -> Iterator[Sequence[int]]:
    """Split tokens into steps of at most so many."""
    for begin in range(0, len(tokens), most):
        yield tokens[begin : begin + most]


def _styles(file: Path) -> NDArray[np.float32]:
    """Read a voice, (510, 256). Raises NotServing."""
    content = file.read_bytes()
    if len(content) != MOST_TOKENS * STYLE_SIZE * 4:
        raise NotServing(f"{file} is no voice of Kokoro: {len(content)} bytes")
    return np.frombuffer(content, dtype="<f4").reshape(MOST_TOKENS, STYLE_SIZE)


def _folder(settings: TtsSettings) -> Path:
    name = settings.kokoro_model
    if "/" in name:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise NotServing(f"TTS_KOKORO_MODEL={name} is no folder; name a model of deploy/models.toml or a folder")
        return folder
    find_model(name)
    return model_dir(settings.models_dir, name)
