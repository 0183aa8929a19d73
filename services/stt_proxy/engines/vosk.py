"""Engine `vosk`: Kaldi recognisers, any model by its folder, with words while the caller speaks and their places.

A model knows one language, which the settings name: STT_VOSK_MODEL=/models/vosk-model-ru STT_VOSK_LANGUAGE=ru. Phrases
are not favoured: Kaldi takes a grammar, which would exclude every other word. Kaldi adds noise to the sound from a
generator that all sessions share, so that the same call is heard differently each time; here each session adds its own.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from services.audio.pcm import Samples
from services.audio.resample import Resampler
from services.runtime.errors import StartupError
from services.runtime.models import model_dir, read_models
from services.stt_proxy.engine import Hints
from services.stt_proxy.following.local import LocalEngine
from services.stt_proxy.following.sessions import SessionWords
from services.stt_proxy.following.stream import SettledWords
from services.stt_proxy.settings import SttSettings

FLUSH_MS = 300  # what its networks look ahead, and some
NEEDED = ("conf/mfcc.conf", "am/final.mdl")
USUAL_RATE_HERTZ = 16000
MFCC = Path("conf") / "mfcc.conf"
DITHER = 1.0  # of 32768, as Kaldi's own


class VoskEngine(LocalEngine):
    """Engine with one Kaldi model, which all sessions share."""

    name = "vosk"
    features = ("partial", "corrected", "segments")

    def __init__(self, settings: SttSettings) -> None:
        super().__init__(n_threads=settings.decode_workers)
        self.model = Path(settings.vosk_model).name
        self.language_codes: tuple[str, ...] = (settings.vosk_language,)
        self._settings = settings
        self._model: Any = None
        self._rate = USUAL_RATE_HERTZ

    async def load(self) -> None:
        self._model = await asyncio.to_thread(self._open)
        await asyncio.to_thread(self.measure)

    def open_session(self, sample_rate_hertz: int, hints: Hints) -> "VoskSession":
        return VoskSession(self._model, self._rate, sample_rate_hertz)

    def _open(self) -> Any:
        import vosk  # noqa: PLC0415 - its library comes up only where it is chosen

        if not self._settings.vosk_language:
            raise StartupError("STT_VOSK_LANGUAGE is empty: name the language of the model, as ru")
        folder = self._folder()
        for name in NEEDED:
            if not (folder / name).is_file():
                raise StartupError(f"STT_VOSK_MODEL={folder}: {name} is missing: name the folder of a whole Vosk model")
        self._rate = _rate_of(folder / MFCC)
        vosk.SetLogLevel(-1)
        try:
            with tempfile.TemporaryDirectory() as undithered:
                _link_undithered(folder, Path(undithered))
                model = vosk.Model(undithered)  # reads all of it
            VoskSession(model, self._rate, self._rate).accept(np.zeros(self._rate // 2, dtype=np.int16))
        except Exception as error:  # the library raises Exception itself
            raise StartupError(f"STT_VOSK_MODEL={folder} cannot be loaded: {error}") from error
        return model

    def _folder(self) -> Path:
        named = self._settings.vosk_model
        if named in read_models():
            return model_dir(self._settings.models_dir, named)
        return Path(named).expanduser()


def _link_undithered(folder: Path, to: Path) -> None:
    """The model's folder by links, with one setting changed."""
    (to / "conf").mkdir()
    for path in [*folder.iterdir(), *(folder / "conf").iterdir()]:
        place = path.relative_to(folder)
        if place not in (Path("conf"), MFCC):
            (to / place).symlink_to(path.resolve())
    options = (folder / MFCC).read_text(encoding="utf-8").rstrip("\n")
    (to / MFCC).write_text(f"{options}\n--dither=0\n", encoding="utf-8")  # the last one counts


def _rate_of(config: Path) -> int:
    """Return the sample rate in Hz that the model was made for."""
    for line in config.read_text(encoding="utf-8").splitlines():
        name, _, value = line.strip().partition("=")
        if name == "--sample-frequency" and value:
            return round(float(value))
    return USUAL_RATE_HERTZ


class VoskSession:
    """One recogniser. Its own ends of utterances settle words; the stage's detector decides what an utterance is."""

    def __init__(self, model: Any, rate: int, sample_rate_hertz: int) -> None:
        import vosk  # noqa: PLC0415 - loaded already

        self._recogniser = vosk.KaldiRecognizer(model, rate)
        self._recogniser.SetWords(True)
        self._resampler = Resampler(sample_rate_hertz, rate)
        self._call_rate = sample_rate_hertz
        self._chance = np.random.default_rng(1)

    def accept(self, samples: Samples) -> SessionWords:
        resampled = self._resampler.push(samples)
        dithered = resampled + self._chance.normal(0.0, DITHER, len(resampled))
        sound = np.clip(np.rint(dithered), -32768, 32767).astype(np.int16)
        is_over = len(sound) > 0 and self._recogniser.AcceptWaveform(sound.tobytes())
        settled = self._settled(json.loads(self._recogniser.Result())) if is_over else ()
        return SessionWords(settled, json.loads(self._recogniser.PartialResult()).get("partial", ""))

    def flush(self) -> tuple[SessionWords, int]:
        n_samples = FLUSH_MS * self._call_rate // 1000
        return self.accept(np.zeros(n_samples, dtype=np.int16)), n_samples

    def close(self) -> None:
        del self._recogniser

    def _settled(self, result: dict[str, Any]) -> tuple[SettledWords, ...]:
        words, text = result.get("result"), result.get("text", "")
        if not text or not words:
            return ()
        confidence = min(float(word["conf"]) for word in words)
        start, end = (round(float(at) * self._call_rate) for at in (words[0]["start"], words[-1]["end"]))
        return (SettledWords(text, end, start, confidence),)
