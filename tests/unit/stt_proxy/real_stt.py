"""A call on the listening part with the real detector and the real recogniser, and the sounds of a telephone line."""

import asyncio
import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from services.audio.pcm import AudioFormat, Encoding, Samples, encode
from services.runtime.models import model_dir
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.end_of_turn.sound import NoModel
from services.stt_proxy.engine import Hints
from services.stt_proxy.engines.faster_whisper import FasterWhisperEngine
from services.stt_proxy.events import Evidence, TextStage, Transcript
from services.stt_proxy.listening import Listening
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.utterance import Endpointing
from services.stt_proxy.voice_activity import SileroDetector

CLIPS = Path(__file__).parents[2] / "data" / "clips"
RATE = 8000
CHUNK = 160
SETTINGS = SttSettings(_env_file=None)


class RealStt:
    """The models, loaded once."""

    def __init__(self) -> None:
        self.engine = FasterWhisperEngine(SETTINGS)
        self.detector = SileroDetector(n_slots=4, batch_wait_s=0)

    async def load(self) -> None:
        await self.detector.load(model_dir(SETTINGS.models_dir, SETTINGS.vad_model) / "silero_vad.onnx")
        await self.engine.load()

    async def recognise(
        self, sound: Samples, language_code: str, *, phrases: tuple[str, ...] = (), hints: Hints | None = None
    ) -> list[Evidence]:
        """All that is said of a call with this sound, its one utterance ended behind it."""
        evidence: list[Evidence] = []
        audio_format = AudioFormat(Encoding.MULAW, RATE)
        profile = CallProfile(
            call_id="test",
            audio_format=audio_format,
            start_sample=0,
            hints=hints or Hints(language_codes=(language_code,), phrases=phrases),
            endpointing=Endpointing(punctuates=True),
            draft_pause_ms=SETTINGS.draft_pause_ms,
            max_gap_ms=1000,
            max_utterance_s=120,
            settle_limit_s=60,
        )
        failures: list[Exception] = []
        listening = Listening(
            profile,
            detector=self.detector,
            engine=self.engine,
            end_of_turn=NoModel(SETTINGS),
            tell=evidence.append,
            fail=failures.append,
        )
        try:
            for start in range(0, len(sound), CHUNK):
                listening.take_audio(start, encode(audio_format, sound[start : start + CHUNK]))
                while (
                    listening._steps or listening._engine_call.is_busy
                ):  # as in real time: nothing overtakes the words
                    await asyncio.sleep(0.001)
            listening.end_utterance(len(sound))
            async with asyncio.timeout(120):
                while listening._steps or listening._utterances.n_settling:
                    await asyncio.sleep(0.005)
        finally:
            listening.close()
        assert not failures
        return evidence


def settled_text(evidence: list[Evidence]) -> str:
    return " ".join(
        each.text for each in evidence if isinstance(each, Transcript) and each.stage is TextStage.SETTLED
    ).strip()


def texts(evidence: list[Evidence]) -> list[str]:
    return [each.text for each in evidence if isinstance(each, Transcript) and each.text]


def clip(text: str) -> Samples:
    """The clip that says this, from the first to the last sample of speech."""
    labels = json.loads((CLIPS / "labels.json").read_text(encoding="utf-8"))
    label = next(each for each in labels if each["text"] == text)
    with wave.open(str(CLIPS / label["file"])) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
    return samples[label["speech_start_sample"] : label["speech_end_sample"]]


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), dtype=np.int16)


def _times(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * RATE)) / RATE


def tones(seconds: float, hertz: tuple[float, ...], dbfs: float = -18) -> Samples:
    at = _times(seconds)
    wave_ = np.sum([np.sin(2 * np.pi * one * at) for one in hertz], axis=0)
    return _scaled(wave_, dbfs)


def _scaled(wave_: np.ndarray, dbfs: float) -> Samples:
    rms = float(np.sqrt((wave_**2).mean())) or 1.0
    return np.clip(wave_ / rms * 32768 * 10 ** (dbfs / 20), -32768, 32767).astype(np.int16)


def music(seconds: float = 10, dbfs: float = -18) -> Samples:
    """Chords of half a second with overtones, as music on hold."""
    chords = ((261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7))
    at = _times(0.5)
    envelope = np.minimum(1, at / 0.02) * np.exp(-at * 2)
    played = []
    for number in range(int(seconds / 0.5)):
        wave_ = sum(
            np.sin(2 * np.pi * note * overtone * at) / overtone
            for note in chords[number // 2 % 4]
            for overtone in (1, 2, 3, 4)
        )
        played.append(wave_ * envelope)
    return _scaled(np.concatenate(played), dbfs)


def noise(seconds: float, peak: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-peak, peak + 1, int(seconds * RATE)).astype(np.int16)


def breath(seconds: float = 10) -> Samples:
    """Noise below 1.5 kHz that swells and fades every two seconds."""
    rough = np.random.default_rng(5).normal(0, 1, int(seconds * RATE))
    low = np.convolve(rough, np.ones(5) / 5, mode="same")
    return _scaled(low * np.maximum(0, np.sin(np.pi * _times(seconds))) ** 2, -38)


def switched(sound: Samples, on_s: float, off_s: float) -> Samples:
    at = np.arange(len(sound)) / RATE % (on_s + off_s)
    return np.where(at < on_s, sound, 0).astype(np.int16)


def dtmf(seconds: float = 10) -> Samples:
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    keys = [(rows[number % 4], columns[number % 3]) for number in range(int(seconds / 0.5))]
    return np.concatenate([switched(tones(0.5, key, -12), 0.2, 0.3) for key in keys])


SOUNDS: dict[str, Callable[[], Samples]] = {
    "digital silence": lambda: silence(10),
    "dither": lambda: noise(10, 2),
    "breath": breath,
    "line hum": lambda: tones(10, (50, 100, 150), -40),
    "ring-back": lambda: switched(tones(10, (440, 480), -18), 2, 4),
    "dial tone": lambda: tones(10, (350, 440), -18),
    "DTMF": dtmf,
    "music": music,
}
