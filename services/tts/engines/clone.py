"""Engine `clone`: XTTS v2 in a process and an environment of its own, in the voices that tenants have made."""

import asyncio
import hashlib
import itertools
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import numpy as np

from services.audio.pcm import Samples
from services.runtime.errors import EngineFailed, NotServing
from services.runtime.loading import loading
from services.runtime.logs import get_logger
from services.tts.clone.audit import AuditRecord
from services.tts.clone.process import LEARN_LIMIT_S, CloneProcess
from services.tts.clone.store import ClonedVoice, VoiceStore
from services.tts.engine import EngineDescription, Line, Speech, Voice
from services.tts.settings import TtsSettings
from services.tts.workers import Workers

REFRESH_S = 5.0  # how soon voices made by another process are seen
RESTART_S = 5.0  # between two attempts to start the process again
ENVIRONMENT = "the clone engine needs the environment that deploy/clone/environment.sh makes: there is no {path}"
MODEL = "TTS_CLONE_MODEL names no folder with an XTTS v2 (config.json, model.pth, vocab.json); see docs/SPEAKING.md"
LICENCE = (
    "the weights of XTTS v2 are under the Coqui Public Model License: non-commercial use only. Set "
    "TTS_CLONE_LICENCE=cpml where yours is, or =own where TTS_CLONE_MODEL has weights of your own"
)

log = get_logger(__name__)


class CloneEngine:
    """XTTS v2. A line is synthesized piece by piece; no piece is made before it is asked for.

    Its sound is not kept on disk, so that a voice which is deleted is gone. Nothing is spoken before it is recorded.
    """

    def __init__(self, settings: TtsSettings) -> None:
        self._settings = settings
        self._python = settings.clone_python.expanduser()
        command = [
            str(self._python),
            "-m",
            "services.tts.clone.worker",
            str(settings.clone_model),
            settings.clone_device,
        ]
        self._process = CloneProcess(command)
        self._workers = Workers(1, "clone")
        self._lines = itertools.count(1)
        self._languages: tuple[str, ...] = ()
        self._description = EngineDescription("clone", "xtts", 0, (), measures_words=False)
        self._tasks: list[asyncio.Task[None]] = []
        self.store = VoiceStore(settings.clone_dir, most_a_tenant=settings.clone_max_voices)
        self.audit = AuditRecord(settings.clone_dir / "audit")

    def report_lost(self, on_lost: Callable[[str], bool]) -> None:
        """Before `load`: have a lost thread told to `on_lost`; True: others speak in its place, the process lives."""
        self._workers.on_lost = on_lost

    async def load(self) -> None:
        if not self._settings.clone_licence:
            raise NotServing(LICENCE)
        if self._settings.clone_model is None or not self._settings.clone_model.is_dir():
            raise NotServing(MODEL)
        if not self._python.is_file():
            raise NotServing(ENVIRONMENT.format(path=self._python))
        with loading(f"TTS_CLONE_MODEL={self._settings.clone_model}"):
            known = await asyncio.to_thread(self._process.start)
        self._languages = tuple(known["languages"])
        self._description = EngineDescription(
            "clone", str(known["model"]), int(known["sample_rate_hertz"]), (), measures_words=False
        )
        await asyncio.to_thread(self.store.refresh)
        self.voices_changed()
        self._tasks = [asyncio.create_task(self._keep_fresh()), asyncio.create_task(self._keep_running())]

    def describe(self) -> EngineDescription:
        return self._description

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        voice = self.store.get(line.voice)
        if voice is None:
            raise EngineFailed(f"the voice {line.voice} has been deleted")
        text, number = line.text.strip(), str(next(self._lines))
        await asyncio.to_thread(self._record, "spoken", voice, call=line.call, text=text, line=number)
        request = {"do": "open", "line": number, **self._named(voice), "text": text, "rate": line.rate}
        request["language"] = self._language(line.language_code)
        n_samples = 0
        try:
            opened = await self._workers.run(lambda: self._process.ask(request), due_s=line.due_s())
            queue_us, compute_us = opened.queue_us, opened.compute_us
            while True:
                done = await self._workers.run(
                    lambda: self._process.ask({"do": "next", "line": number}), due_s=line.due_s()
                )
                message, sound = done.result
                if message["is_last"]:
                    return
                samples: Samples = np.frombuffer(sound, dtype="<i2")
                n_samples += len(samples)
                yield Speech(samples, (), queue_us + done.queue_us, compute_us + done.compute_us)
                queue_us = compute_us = 0
        finally:
            self._process.shut(number)
            log.info("cloned_line_ended", n_bytes=2 * n_samples)

    async def learn(self, voice: ClonedVoice) -> float:
        """Have the network learn a voice; return the least cosine between two recordings, -1 to 1. Raises
        EngineFailed.
        """
        request = {"do": "learn", **self._named(voice)}
        reply, _ = await asyncio.to_thread(self._process.ask, request, LEARN_LIMIT_S)
        return float(reply["likeness"])

    async def forget(self, voice: ClonedVoice) -> None:
        """Have the network forget a voice."""
        request = {"do": "forget", "voice": voice.name}
        with suppress(EngineFailed):
            await self._workers.run(lambda: self._process.ask(request), due_s=time.monotonic())

    def voices_changed(self) -> None:
        """Take over the voices that the store has now."""
        voices = []
        for voice in self.store.all():
            spoken = [_tag(code) for code in self._languages]
            asked = [code for code in voice.language_codes if self._language(code) in self._languages]
            voices.append(Voice(voice.name, tuple(asked or spoken), owner=voice.tenant_id))
        known = self._description
        self._description = EngineDescription(
            known.name, known.model, known.sample_rate_hertz, tuple(voices), measures_words=False
        )

    def speaks(self, language_code: str) -> bool:
        """Return whether the network speaks a language."""
        return self._language(language_code) in self._languages

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._process.close)
        self._workers.close()

    def _named(self, voice: ClonedVoice) -> dict[str, object]:
        return {"voice": voice.name, "files": [str(path.resolve()) for path in self.store.recordings(voice)]}

    def _record(self, event: str, voice: ClonedVoice, *, text: str, **what: str) -> None:
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.audit.write(
            event,
            at_unix_ms=time.time_ns() // 1_000_000,
            tenant_id=voice.tenant_id,
            voice=voice.name,
            voice_sha256=voice.sha256,
            text_sha256=digest,
            **what,
        )

    def _language(self, language_code: str) -> str:
        """Return XTTS's name of a language: "en", and "zh-cn" for Mandarin."""
        language = language_code.lower().split("-")[0]
        return next((code for code in self._languages if code.split("-")[0] == language), language)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            if await asyncio.to_thread(self.store.refresh):
                self.voices_changed()

    async def _keep_running(self) -> None:
        """Start the process again when it has died. Until then lines fail at once, and others of a chain speak."""
        while True:
            await asyncio.sleep(RESTART_S)
            if not self._process.is_running:
                try:
                    await asyncio.to_thread(self._process.start)
                    log.info("cloned_voices_are_back")
                except EngineFailed as error:
                    log.warning("cloned_voices_do_not_start", why=error.message)


def _tag(code: str) -> str:
    """Return XTTS's name of a language as a BCP-47 tag: "zh-cn" as "zh-CN"."""
    language, _, region = code.partition("-")
    return f"{language}-{region.upper()}" if region else language
