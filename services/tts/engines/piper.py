"""Engine `piper`: a Piper voice (VITS) on a CPU, with the first sound after some 70 ms."""

import json
import unicodedata
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from services.audio.speech_level import SpeechLevelMeter
from services.language.reading.reading_words import vocabulary
from services.runtime.cpu import usable_cpus
from services.runtime.errors import NotServing
from services.runtime.loading import loading
from services.runtime.models import find_model, model_dir
from services.tts.engine import EngineDescription, Line, Speech, Voice, WordEnd, sound_id
from services.tts.espeak.process import EspeakProcess
from services.tts.settings import TtsSettings
from services.tts.vits.network import Scales, Utterance, VitsNetwork
from services.tts.vits.phonemes import PhonemeIds, phoneme_ids
from services.tts.workers import Workers

CHUNK_FRAMES = (16, 32, 64)
"""The sizes of decoding steps: little at first, so that the first sound comes soon; the last figure holds for the rest.
"""

SHORT_FRAMES = 80
"""A line of no more (0.93 s with the silence around it) is decoded in one step: a word such as "No." is far from the
voice's usual level, and its own is known only from the whole."""

WARM_UP = (
    "Hello.",
    "Your appointment is confirmed for Tuesday morning at nine thirty with Doctor Lee.",
    "One moment, please.",
    "I'm sorry, I didn't catch that. Could you say it again?",
)
"""Spoken at the start; the voice's own level is measured on them."""


@dataclass(frozen=True, slots=True)
class _VoiceFile:
    name: str
    language_code: str
    sample_rate_hertz: int
    hop_samples: int
    espeak_voice: str
    id_map: Mapping[str, Sequence[int]]
    scales: Scales


class PiperEngine:
    """One Piper voice. Prosody is drawn for the whole line, then the decoder runs in chunks; words end where the
    voice's own phoneme lengths say.
    """

    def __init__(self, settings: TtsSettings) -> None:
        self._settings = settings
        self._espeak = EspeakProcess(settings.espeak_library, settings.espeak_data_dir)
        self._workers = Workers(settings.piper_workers or usable_cpus(), "piper")
        self._loaded: tuple[_VoiceFile, VitsNetwork] | None = None
        self._level_dbov: float | None = None
        self._sound_id = ""
        self._sounds: frozenset[str] = frozenset()  # code points of IPA that the voice was trained on

    def report_lost(self, on_lost: Callable[[str], bool]) -> None:
        """Before `load`: have a lost thread told to `on_lost`; True: others speak in its place, the process lives."""
        self._workers.on_lost = on_lost

    async def load(self) -> None:
        await self._workers.run(self._load, due_s=0.0)

    def describe(self) -> EngineDescription:
        voice, _ = self._use()
        return EngineDescription(
            name="piper",
            model=voice.name,
            sample_rate_hertz=voice.sample_rate_hertz,
            voices=(Voice(voice.name, (voice.language_code,), self._level_dbov),),
            measures_words=True,
            sound_id=self._sound_id,
        )

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        hop = self._use()[0].hop_samples
        begun = await self._workers.run(lambda: self._begin(line), due_s=line.due_s())
        utterance, words = begun.result
        queue_us, compute_us = begun.queue_us, begun.compute_us
        step = 0
        is_short = utterance.n_frames <= SHORT_FRAMES
        while not utterance.is_done:
            n_frames = SHORT_FRAMES if is_short else CHUNK_FRAMES[min(step, len(CHUNK_FRAMES) - 1)]
            done = await self._workers.run(partial(utterance.decode, n_frames), due_s=line.due_s())
            word_ends = _word_ends(words, utterance, hop) if step == 0 else ()
            spent = (queue_us + done.queue_us, compute_us + done.compute_us)
            yield Speech(done.result, word_ends, *spent, is_whole=is_short)
            queue_us = compute_us = 0
            step += 1

    async def close(self) -> None:
        self._workers.close()
        self._espeak.close()

    def _load(self) -> None:
        self._espeak.start()
        folder = _voice_folder(self._settings)
        path = next(iter(sorted(folder.glob("*.onnx"))), None)
        if path is None:
            raise NotServing(f"TTS_PIPER_MODEL={self._settings.piper_model}: no .onnx file in {folder}")
        if self._settings.piper_seed:
            onnxruntime.set_seed(self._settings.piper_seed)  # read when a session is made
        with loading(f"{path} with {path.name}.json"):
            voice = _read_voice(path)
            self._loaded = (voice, VitsNetwork(path, threads=self._settings.piper_threads))
            self._sounds = self._own_sounds(voice)
            self._level_dbov = self._warm_up(voice)
            self._sound_id = sound_id((path, Path(f"{path}.json"), self._espeak.library))
        if self._level_dbov is None:
            raise NotServing(f"{path} makes no sound: fetch it again or name another voice")

    def _warm_up(self, voice: _VoiceFile) -> float | None:
        """Return the voice's own level in dBov; None: it makes no sound."""
        meter = SpeechLevelMeter(voice.sample_rate_hertz)
        for text in WARM_UP:
            line = Line(text, voice.language_code, voice.name, 1.0, turn_id=0, is_first=True)
            utterance, _ = self._begin(line)
            for n_frames in CHUNK_FRAMES:
                meter.push(utterance.decode(n_frames))
            while not utterance.is_done:
                meter.push(utterance.decode(CHUNK_FRAMES[-1]))
        return meter.level_dbov

    def _begin(self, line: Line) -> tuple[Utterance, PhonemeIds]:
        voice, network = self._use()
        words = phoneme_ids(
            line.text.rstrip(),
            lambda texts, language: self._espeak.phonemes(texts, voice=language or voice.espeak_voice),
            voice.id_map,
            stretches=line.stretches,
            has_sound=self._sounds.__contains__,
        )
        scales = Scales(voice.scales.noise, voice.scales.length / line.rate, voice.scales.noise_width)
        return network.encode(words.ids, scales), words

    def _own_sounds(self, voice: _VoiceFile) -> frozenset[str]:
        """Return the sounds of the voice's own language: those of the words known here, else all that have an id."""
        known = [word for word in vocabulary(voice.language_code) if word.isalpha()]
        heard = "".join(self._espeak.phonemes(known, voice=voice.espeak_voice)) if known else ""
        return frozenset(unicodedata.normalize("NFD", heard) or voice.id_map) & voice.id_map.keys()

    def _use(self) -> tuple[_VoiceFile, VitsNetwork]:
        if self._loaded is None:
            raise RuntimeError("load() first")
        return self._loaded


def _word_ends(words: PhonemeIds, utterance: Utterance, hop: int) -> tuple[WordEnd, ...]:
    frames = np.concatenate(([0], np.cumsum(utterance.durations)))
    return tuple(WordEnd(offset, int(frames[index]) * hop) for offset, index in words.word_ends)


def _voice_folder(settings: TtsSettings) -> Path:
    name = settings.piper_model
    if "/" in name:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise NotServing(f"TTS_PIPER_MODEL={name} is no folder; name a model of deploy/models.toml or a folder")
        return folder
    find_model(name)
    return model_dir(settings.models_dir, name)


def _read_voice(path: Path) -> _VoiceFile:
    try:
        described: dict[str, Any] = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        if described.get("num_speakers", 1) != 1:
            raise NotServing(f"{path} has many speakers; only voices of one speaker are supported")
        inference = described["inference"]
        espeak_voice = str(described["espeak"]["voice"])
        language = described.get("language", {}).get("code", espeak_voice).replace("_", "-")
        return _VoiceFile(
            name=path.stem,
            language_code=_tag(language),
            sample_rate_hertz=int(described["audio"]["sample_rate"]),
            hop_samples=int(described.get("hop_length", 256)),
            espeak_voice=espeak_voice,
            id_map=described["phoneme_id_map"],
            scales=Scales(
                float(inference["noise_scale"]), float(inference["length_scale"]), float(inference["noise_w"])
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotServing(f"{path}.json does not describe a Piper voice: {error}") from error


def _tag(code: str) -> str:
    """Return `en-us` as `en-US`."""
    language, _, region = code.partition("-")
    return f"{language.lower()}-{region.upper()}" if region else language.lower()
