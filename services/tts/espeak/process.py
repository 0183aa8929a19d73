"""Client of the worker process that runs espeak-ng, over a pipe."""

import importlib.util
import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from services.audio.pcm import Samples
from services.language.reading.spoken import Stretch
from services.runtime.errors import EngineFailed, StartupError
from services.runtime.loading import loading
from services.tts.espeak.worker import FRAME, write_frame

REPLY_LIMIT_S = 2.0  # a line takes milliseconds
START_LIMIT_S = 15.0  # of the first reply of all: a Python and the voices are loaded, beside what else starts there
MISSING = (
    "espeak-ng is missing: pip install '.[tts-espeak]', or install it (apt-get install libespeak-ng1) and set "
    "TTS_ESPEAK_LIBRARY=/usr/lib/x86_64-linux-gnu/libespeak-ng.so.1"
)


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """A voice of espeak-ng, named for its first language."""

    name: str
    language_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """The beginning of a word: in the text (code points) and in the sound."""

    text_offset: int
    length: int
    sample: int


class EspeakLost(EngineFailed):
    """The process of espeak-ng has ended, or did not answer in time."""


class EspeakProcess:
    """One espeak-ng, in a process of its own, which ends with ours.

    Blocking, and one request at a time: call it from a worker's thread. A process that died or does not answer in
    `REPLY_LIMIT_S` is replaced at the next request; the request that saw the process end raises EspeakLost.
    """

    def __init__(self, library: Path | None, data_dir: Path | None) -> None:
        """Without `library` the packaged one is used. Raises StartupError when there is none."""
        self._library, self._data_dir = _find(library, data_dir)
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self.sample_rate_hertz = 0
        self.voices: tuple[EspeakVoice, ...] = ()

    @property
    def library(self) -> Path:
        """Path of the libespeak-ng in use."""
        return self._library

    @property
    def data_files(self) -> list[Path]:
        """Path of espeak-ng's voices and dictionaries, where it is known."""
        return [path for path in Path(self._data_dir).rglob("*") if path.is_file()] if self._data_dir else []

    @property
    def pid(self) -> int | None:
        """The process now running, if any."""
        return self._child.process.pid if self._child else None

    def start(self) -> None:
        """Start the process and read its voices. Raises StartupError."""
        with loading(f"TTS_ESPEAK_LIBRARY={self._library}"):
            known, _ = self._ask({"do": "voices"}, START_LIMIT_S)
        self.sample_rate_hertz = int(known["sample_rate_hertz"])
        self.voices = tuple(EspeakVoice(name, tuple(languages)) for name, languages in known["voices"])

    def phonemes(self, texts: Sequence[str], *, voice: str) -> list[str]:
        """Return IPA for each text, words separated by spaces. Raises EngineFailed."""
        reply, _ = self._ask({"do": "phonemes", "voice": voice, "texts": list(texts)})
        return [str(phonemes) for phonemes in reply["phonemes"]]

    def speak(
        self, text: str, *, voice: str, rate: float, pitch: float = 0.0, stretches: Sequence[Stretch] = ()
    ) -> tuple[Samples, list[SpokenWord]]:
        """Return the sound of a text at `sample_rate_hertz`, and where its words begin. `pitch`: in semitones.
        `stretches`: what of it is said in another language, or by its sounds. Raises EngineFailed.
        """
        request: dict[str, Any] = {"do": "speak", "voice": voice, "rate": rate, "pitch": pitch}
        request |= {"parts": _parts(text, stretches)} if stretches else {"text": text}
        reply, sound = self._ask(request)
        return np.frombuffer(sound, dtype="<i2"), [SpokenWord(*word) for word in reply["words"]]

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, request: dict[str, Any], limit_s: float = REPLY_LIMIT_S) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            child = self._child or self._begin()
            try:
                write_frame(child.requests, request)
                message, sound = _read(child.replies, time.monotonic() + limit_s)
            except OSError as error:
                self._end()
                raise EspeakLost(f"espeak-ng's process failed: {error or type(error).__name__}") from error
        if "error" in message:
            raise EngineFailed(str(message["error"]))
        return message, sound

    def _begin(self) -> "_Child":
        command = [sys.executable, "-m", "services.tts.espeak.worker", str(self._library), self._data_dir]
        root = Path(__file__).parents[3]
        process = subprocess.Popen(  # noqa: S603 - our own module, two paths from the settings
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        self._child = _Child(process, process.stdin, process.stdout)
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.process.kill()
        child.process.wait()
        child.requests.close()
        child.replies.close()


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    replies: IO[bytes]


def _parts(text: str, stretches: Sequence[Stretch]) -> list[tuple[str, str, str]]:
    """Return the whole text in pieces of one language each."""
    parts, at = [], 0
    for stretch in stretches:
        parts.append((text[at : stretch.start], "", ""))
        parts.append((text[stretch.start : stretch.end], stretch.language_code, stretch.ipa))
        at = stretch.end
    parts.append((text[at:], "", ""))
    return [part for part in parts if part[0]]


def _read(pipe: IO[bytes], deadline: float) -> tuple[dict[str, Any], bytes]:
    n_json, n_sound = FRAME.unpack(_read_exactly(pipe, FRAME.size, deadline))
    message: dict[str, Any] = json.loads(_read_exactly(pipe, n_json, deadline))
    return message, _read_exactly(pipe, n_sound, deadline)


def _read_exactly(pipe: IO[bytes], n_bytes: int, deadline: float) -> bytes:
    content = bytearray()
    while len(content) < n_bytes:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError("no answer in time")
        piece = pipe.read(n_bytes - len(content))
        if not piece:
            raise ConnectionResetError("it has ended")
        content += piece
    return bytes(content)


def _find(library: Path | None, data_dir: Path | None) -> tuple[Path, str]:
    if library is not None:
        if not library.exists():
            raise StartupError(f"TTS_ESPEAK_LIBRARY={library} is not there")
        return library, str(data_dir or "")
    if importlib.util.find_spec("espeakng_loader") is None:
        raise StartupError(MISSING)
    # The package brings the files; no library of it is loaded here.
    import espeakng_loader  # type: ignore[import-untyped]  # noqa: PLC0415

    return Path(espeakng_loader.get_library_path()), espeakng_loader.get_data_path()
