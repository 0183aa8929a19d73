"""Engine `nemo`: NVIDIA NeMo's FastPitch for each language and one vocoder on several GPUs, batched over calls."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from services.audio.speech_level import SpeechLevelMeter
from services.runtime.errors import EngineFailed, NotServing, StartupError
from services.runtime.loading import loading
from services.runtime.logs import get_logger
from services.tts.engine import EngineDescription, Line, Speech, Voice, WordEnd
from services.tts.nemo.device import Device, DeviceLost, Text
from services.tts.nemo.plan import CHUNK_FRAMES, Windows, bucket_of
from services.tts.settings import TtsSettings

MAX_CALLS = 4096  # whose device is remembered
MISSING = "the nemo engine needs the environment that deploy/nemo/environment.sh makes (docs/GPU.md): {error}"
WARM_UP = "Hello, one moment, please."

log = get_logger(__name__)


class NemoEngine:
    """FastPitch and a vocoder. Each call keeps one device while that serves; a new call takes the one with the fewest
    clauses under way.

    A device that is lost is not used again. What it was making is made again on another, from the first frame that had
    not left: FastPitch draws nothing at random, so the sound goes on where it was.
    """

    def __init__(self, settings: TtsSettings) -> None:
        self._settings = settings
        self._devices: list[Device] = []
        self._calls: OrderedDict[str, Device] = OrderedDict()
        self._acoustics: dict[str, Any] = {}
        self._voices: dict[str, tuple[str, int]] = {}  # voice -> language, speaker
        self._margin = self._hop = 0
        self._description = EngineDescription("nemo", "", 0, (), measures_words=True)
        self._told: Callable[[str], bool] = lambda why: False

    def report_lost(self, on_lost: Callable[[str], bool]) -> None:
        """Before `load`: have the loss of the last device told to `on_lost`; True: others speak in its place."""
        self._told = on_lost

    async def load(self) -> None:
        if not self._settings.nemo_acoustic:
            raise NotServing("TTS_NEMO_ACOUSTIC names no FastPitch: en=tts_en_fastpitch,vi=/models/vi.nemo")
        with loading("the voice of TTS_NEMO_ACOUSTIC and TTS_NEMO_VOCODER"):
            networks = await asyncio.to_thread(self._load)
            for name, one in networks:
                device = Device(
                    name,
                    one,
                    max_batch=self._settings.nemo_max_batch,
                    gather_s=self._settings.nemo_gather_ms / 1000,
                    on_lost=self._on_device_lost,
                )
                self._devices.append(device)
            await asyncio.gather(*(self._warm_up(device) for device in self._devices))
        if not self._serving():
            raise StartupError(f"no device works: {self._devices[0].why_lost}")

    def describe(self) -> EngineDescription:
        return self._description

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        n_frames = 0  # that have left
        while True:
            device = self._device_of(line.call)
            device.n_open += 1
            try:
                async for piece in self._speak(device, line, n_frames):
                    n_frames += len(piece.samples) // self._hop
                    yield piece
                return
            except DeviceLost as lost:
                if not self._serving():
                    raise EngineFailed(f"no GPU is left: {lost}") from lost
                log.warning("nemo_line_made_again", target=device.name)
            finally:
                device.n_open -= 1

    async def close(self) -> None:
        for device in self._devices:
            device.close()

    async def _speak(self, device: Device, line: Line, begin: int) -> AsyncGenerator[Speech, None]:
        """Yield the sound of the line from frame `begin` on."""
        language, speaker = self._voices[line.voice]
        acoustic, text = self._acoustics[language], line.text.rstrip()
        begun_s = time.monotonic()
        tokens = await asyncio.to_thread(acoustic.tokens, text)
        if not tokens:
            return
        asked = Text(language, tokens, speaker, pace=line.rate, pitch=line.pitch)
        made = await device.spectrum(asked, bucket=bucket_of(len(tokens)), due_s=line.due_s())
        mel = made.result
        queue_us, compute_us = made.queue_us, round((time.monotonic() - begun_s) * 1e6) - made.queue_us
        ends = acoustic.word_ends(text, tokens, mel.durations)
        words = () if begin else tuple(WordEnd(offset, frame * self._hop) for offset, frame in ends)
        windows = Windows(mel.n_frames, self._margin, begin=begin)
        while not windows.is_done:
            made = await device.vocode(mel, windows.peek(), due_s=line.due_s())
            windows.advance()
            yield Speech(made.result, words, queue_us + made.queue_us, compute_us + made.compute_us)
            words, queue_us, compute_us = (), 0, 0

    def _device_of(self, call: str) -> Device:
        serving = self._serving()
        if not serving:
            raise EngineFailed("no GPU is left")
        device = self._calls.pop(call, None) if call else None
        if device is None or device.is_lost:
            device = min(serving, key=lambda one: (one.n_open, sum(kept is one for kept in self._calls.values())))
        if call:
            self._calls[call] = device
            if len(self._calls) > MAX_CALLS:
                self._calls.popitem(last=False)
        return device

    def _serving(self) -> list[Device]:
        return [device for device in self._devices if not device.is_lost]

    def _on_device_lost(self, device: Device, why: str) -> bool:
        return bool(self._serving()) or self._told(f"{device.name}: {why}")

    async def _warm_up(self, device: Device) -> None:
        """Synthesize one clause in each language, so that kernels are chosen and memory is taken before the first
        call, and the voices' own level is known.
        """
        for voice, (language, speaker) in self._voices.items():
            if speaker:
                continue
            line = Line(WARM_UP, language, voice, 1.0, 0, is_first=True)
            meter = SpeechLevelMeter(self._description.sample_rate_hertz)
            try:
                async for piece in self._speak(device, line, 0):
                    meter.push(piece.samples)
            except DeviceLost:
                return
            self._level(language, meter.level_dbov)

    def _level(self, language: str, level_dbov: float | None) -> None:
        """The voices of a language speak at this level."""
        voices = tuple(
            replace(voice, level_dbov=level_dbov) if voice.language_codes == (language,) else voice
            for voice in self._description.voices
        )
        self._description = replace(self._description, voices=voices)

    def _load(self) -> list[tuple[str, Any]]:
        """Load the networks, in a thread: imports take some 20 s. Raises StartupError."""
        try:
            networks: Any = import_module("services.tts.nemo.networks")
        except ImportError as error:
            raise NotServing(MISSING.format(error=error)) from error
        settings = self._settings
        for language, name in settings.nemo_acoustic.items():
            self._acoustics[language] = networks.load_acoustic(language, name)
        vocoder = networks.load_vocoder(settings.nemo_vocoder_kind, settings.nemo_vocoder)
        rates = {acoustic.sample_rate_hertz for acoustic in self._acoustics.values()} | {vocoder.sample_rate_hertz}
        if len(rates) > 1:
            raise NotServing(f"FastPitch and vocoder have different sample rates: {sorted(rates)} Hz")
        self._margin, self._hop = networks.receptive_field(vocoder, settings.nemo_mels)
        if {acoustic.hop_samples for acoustic in self._acoustics.values()} != {self._hop}:
            raise NotServing(f"the vocoder makes {self._hop} samples a frame, FastPitch means another number")
        names = settings.nemo_devices or networks.cuda_devices(most=2) or ["cpu"]
        if names == ["cpu"]:
            log.warning("nemo_without_gpu")
        self._describe(networks, vocoder, rates.pop())
        made = []
        for number, name in enumerate(names):
            try:
                made.append((f"{name}-{number}", self._on_device(networks, vocoder, name)))
            except RuntimeError as error:  # no such device, or one that fails
                log.error("nemo_device_lost", target=name, why=str(error))
        if not made:
            raise StartupError(f"TTS_NEMO_DEVICES: none of {', '.join(names)} works; the log says why")
        return made

    def _on_device(self, networks: Any, vocoder: Any, name: str) -> Any:
        precision = self._settings.nemo_precision
        is_half = precision == "fp16" or (precision == "auto" and networks.is_half_worthwhile(name))
        return networks.NemoNetworks(self._acoustics, vocoder, name, is_half=is_half)

    def _describe(self, networks: Any, vocoder: Any, sample_rate_hertz: int) -> None:
        voices = []
        for language, acoustic in self._acoustics.items():
            for speaker in range(acoustic.n_speakers):
                name = f"nemo-{language}" + (f"-{speaker}" if acoustic.n_speakers > 1 else "")
                self._voices[name] = (language, speaker)
                voices.append(Voice(name, (language,)))
        weights = networks.hash_of(vocoder.generator, *(one.module for one in self._acoustics.values()))
        self._description = EngineDescription(
            name="nemo",
            model="fastpitch+" + vocoder.kind,
            sample_rate_hertz=sample_rate_hertz,
            voices=tuple(voices),
            measures_words=True,
            sound_id=f"{weights} {self._settings.nemo_precision} {CHUNK_FRAMES}",
        )
