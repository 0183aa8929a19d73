"""Cache of speech on disk: fixed and frequent clauses are synthesized once."""

import asyncio
import hashlib
import json
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from services.audio.pcm import Samples
from services.language.reading.spoken import Spoken
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.tts.engine import EngineDescription, Line, Speech, WordEnd
from services.tts.levels import line_level
from services.tts.ready import ReadyClause, ReadySpeech
from services.tts.sentences import Caching

FORMAT = 2
"""Of a file: a line of JSON, then the samples as 16-bit little-endian. A file of another format is no entry."""
SUFFIX = ".speech"
FIRST_PIECE_S, LATER_PIECE_S = 0.15, 0.5
"""The chunk sizes of kept speech, so that the first chunk waits for little work."""
LONGEST_S = 30.0  # of one clause; longer ones are not kept
MAX_COUNTED = 4096  # clauses whose calls are counted
MAX_WAITING = 32  # clauses that wait to be written; one more is dropped

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Key of a clause's sound: a hash of everything that it depends on."""

    tenant: str
    digest: str

    @property
    def path(self) -> str:
        return f"{self.tenant}/{self.digest}{SUFFIX}"


@dataclass(slots=True)
class Recording:
    """A clause's sound while it is made."""

    key: CacheKey
    sample_rate_hertz: int
    pieces: list[Samples] = field(default_factory=list)
    word_ends: list[WordEnd] = field(default_factory=list)
    is_whole: bool = False
    n_samples: int = 0

    def add(self, speech: Speech) -> None:
        """The next piece, as the engine gave it."""
        self.n_samples += len(speech.samples)
        if self.n_samples <= LONGEST_S * self.sample_rate_hertz:
            self.pieces.append(speech.samples)
            self.word_ends += speech.word_ends
            self.is_whole = speech.is_whole

    @property
    def is_fit(self) -> bool:
        """Return whether the recording has sound and is not too long."""
        return 0 < self.n_samples <= LONGEST_S * self.sample_rate_hertz


def key_of(description: EngineDescription, line: Line, tenant_id: str) -> CacheKey | None:
    """The key of a line, its voice filled in; None where the engine's sound cannot be kept."""
    if not description.sound_id:
        return None
    what = (
        FORMAT,
        description.name,
        description.model,
        description.sound_id,
        description.sample_rate_hertz,
        line.voice,
        line.language_code.lower().split("-")[0],
        round(line.rate, 3),
        round(line.pitch, 3),
        line.text.strip(),
        [(one.start, one.end, one.ipa, one.language_code) for one in line.stretches],
    )
    digest = hashlib.sha256(json.dumps(what, ensure_ascii=False).encode()).hexdigest()
    return CacheKey(hashlib.sha256(tenant_id.encode()).hexdigest()[:16], digest)


class SpeechCache:
    """A folder of clauses, a file each, bounded in bytes; shared by all calls of a process.

    When it is full, the clause that was used longest ago goes, of the tenant that has most. Files are whole or absent,
    so that several processes may share a folder: each keeps its own count of it. A file that is damaged is no entry and
    is removed. Where the folder cannot be written, a warning is logged once and nothing is kept.
    """

    def __init__(self, folder: Path, *, max_bytes: int, after_calls: int) -> None:
        """`max_bytes`: 0 keeps nothing. `after_calls`: so many calls make a clause frequent."""
        self._folder, self._max_bytes, self._after_calls = folder, max_bytes, after_calls
        self._files: OrderedDict[CacheKey, int] = OrderedDict()  # bytes of each, the one used longest ago first
        self._tenant_bytes: dict[str, int] = {}
        self._n_bytes = 0
        self._asked: OrderedDict[CacheKey, set[str]] = OrderedDict()
        self.ready = ReadySpeech()
        self.n_waiting = 0
        """Clauses that wait to be written."""
        self._is_broken = False
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(2, "speech-cache")
        self._metrics = StageMetrics("tts")
        self._metrics.queue_dropped_total("speech_cache")  # else the first drop has no rate

    def open(self) -> None:
        """Read what is in the folder. Blocks for as long as a listing takes."""
        if not self._max_bytes:
            return
        found = []
        for path in self._folder.glob(f"*/*{SUFFIX}"):
            try:
                about = path.stat()
            except OSError:
                continue
            found.append((about.st_mtime, CacheKey(path.parent.name, path.stem), about.st_size))
        with self._lock:
            for _, key, n_bytes in sorted(found, key=lambda one: one[0]):
                self._note(key, n_bytes)
            leaving = self._overfull()
        self._remove(leaving)

    def close(self) -> None:
        """Finish what is being written."""
        self._threads.shutdown(wait=True)

    async def find(
        self,
        description: EngineDescription,
        line: Line,
        caching: Caching,
        *,
        tenant_id: str,
        call: str,
        wire: object = None,
    ) -> tuple[list[Speech], Recording | None]:
        """The line's kept sound, in pieces; else none, and a recording to fill and give to `keep`, if it is to be kept.

        `call`: unique; calls are counted by it. `wire`: all that the line's way to the wire depends on beside its
        sound, where that is to be kept too. What one tenant has is never found by another.
        """
        key = key_of(description, line, tenant_id) if self._max_bytes else None
        if key is None or caching is Caching.FORBIDDEN:
            self._metrics.speech_cache_total("forbidden" if key else "off").inc()
            return [], None
        is_to_be_kept = self._is_to_be_kept(key, call, caching)
        loop = asyncio.get_running_loop()
        if (ready := self.ready.find((key, wire))) is not None:
            self._use(key)
            self._metrics.speech_cache_total("hit").inc()
            return [Speech(ready.samples, ready=ready)], None
        kept = await loop.run_in_executor(self._threads, self._read, key, description.sample_rate_hertz)
        if kept and wire is not None:
            kept[0] = replace(kept[0], kept=(key, wire))
        self._metrics.speech_cache_total("hit" if kept else "miss").inc()
        recording = Recording(key, description.sample_rate_hertz) if is_to_be_kept and not kept else None
        return kept, recording

    def keep(self, recording: Recording) -> None:
        """Write a clause that is whole, beside the calls."""
        if not recording.is_fit or self._is_broken:
            return
        if self.n_waiting >= MAX_WAITING:
            self._metrics.queue_dropped_total("speech_cache").inc()
            return
        with self._lock:
            self.n_waiting += 1
        self._threads.submit(self._write, recording)

    def _use(self, key: CacheKey) -> None:
        """Note the use of a clause on disk that was spoken from memory."""
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)

    def _is_to_be_kept(self, key: CacheKey, call: str, caching: Caching) -> bool:
        if caching is Caching.KEPT:
            return True
        calls = self._asked.pop(key, set())
        self._asked[key] = calls
        if len(calls) < self._after_calls:
            calls.add(call)
        if len(self._asked) > MAX_COUNTED:
            self._asked.popitem(last=False)
        return len(calls) >= self._after_calls

    def _read(self, key: CacheKey, sample_rate_hertz: int) -> list[Speech]:
        path = self._folder / key.path
        try:
            content = path.read_bytes()
        except OSError:
            self._forget(key)
            return []
        pieces = list(_pieces(content, sample_rate_hertz))
        if not pieces:
            if _format_of(content) == FORMAT:  # else it is of another release, and no news
                log.warning("speech_cache_damaged", path=key.path)
            path.unlink(missing_ok=True)
            self._forget(key)
            return []
        with suppress(OSError):
            os.utime(path)  # what was used last is kept longest, also by the next process
        with self._lock:
            self._note(key, len(content))
        return pieces

    def _write(self, recording: Recording) -> None:
        try:
            content = _content(recording)
            path = self._folder / recording.key.path
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:  # 0600
                file.write(content)
            Path(file.name).replace(path)
            with self._lock:
                self._note(recording.key, len(content))
                leaving = self._overfull()
            self._remove(leaving)
        except OSError as error:
            self._is_broken = True
            log.warning("speech_cache_not_written", path=str(self._folder), why=str(error))
        finally:
            with self._lock:
                self.n_waiting -= 1

    def _note(self, key: CacheKey, n_bytes: int) -> None:
        before = self._files.pop(key, 0)
        self._files[key] = n_bytes
        self._count(key, n_bytes - before)

    def _forget(self, key: CacheKey) -> None:
        with self._lock:
            self._count(key, -self._files.pop(key, 0))

    def _count(self, key: CacheKey, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        self._tenant_bytes[key.tenant] = self._tenant_bytes.get(key.tenant, 0) + n_bytes
        if not self._tenant_bytes[key.tenant]:
            del self._tenant_bytes[key.tenant]
        self._metrics.speech_cache_bytes.set(self._n_bytes)

    def _overfull(self) -> list[CacheKey]:
        leaving = []
        while self._n_bytes > self._max_bytes:
            largest = max(self._tenant_bytes, key=self._tenant_bytes.__getitem__)
            key = next(key for key in self._files if key.tenant == largest)
            self._count(key, -self._files.pop(key))
            leaving.append(key)
        return leaving

    def _remove(self, keys: list[CacheKey]) -> None:
        for key in keys:
            (self._folder / key.path).unlink(missing_ok=True)


class CallCache:
    """The cache as one call may use it.

    Beside the sound of clauses it has their readings, so that a clause said again is not normalised again.
    """

    def __init__(self, cache: SpeechCache, tenant_id: str, call: str) -> None:
        self._cache, self._tenant_id, self._call = cache, tenant_id, call

    async def find(
        self, description: EngineDescription, line: Line, caching: Caching, wire: object = None
    ) -> tuple[list[Speech], Recording | None]:
        """Do as SpeechCache.find."""
        return await self._cache.find(description, line, caching, tenant_id=self._tenant_id, call=self._call, wire=wire)

    def keep_ready(self, kept: object, ready: ReadyClause | None) -> None:
        """Keep a clause of kept speech as it went on the wire. `kept`: as the first Speech of it had."""
        if ready is not None:
            self._cache.ready.keep(kept, ready)

    def reading(self, key: object) -> Spoken | None:
        """Return the reading of a clause of cached speech, where it is known."""
        return self._cache.ready.reading(key)

    def keep_reading(self, key: object, spoken: Spoken) -> None:
        """Keep the reading of a clause of cached speech. `key`: all that the reading depends on."""
        self._cache.ready.keep_reading(key, spoken)

    def keep(self, recording: Recording) -> None:
        """Do as SpeechCache.keep."""
        self._cache.keep(recording)


def _content(recording: Recording) -> bytes:
    sound = np.concatenate(recording.pieces)
    samples = sound.astype("<i2").tobytes()
    head = {
        "format": FORMAT,
        "rate": recording.sample_rate_hertz,
        "is_whole": recording.is_whole,
        "level_dbov": None if recording.is_whole else line_level(sound, recording.sample_rate_hertz),
        "crc32": zlib.crc32(samples),
        "words": [(word.text_offset, word.sample) for word in recording.word_ends],
    }
    return json.dumps(head).encode() + b"\n" + samples


def _format_of(content: bytes) -> object:
    """The format of a file; `FORMAT` too where its beginning is damaged."""
    try:
        return json.loads(content.partition(b"\n")[0])["format"]
    except (ValueError, KeyError, TypeError):
        return FORMAT


def _pieces(content: bytes, sample_rate_hertz: int) -> Iterator[Speech]:
    """The sound of a file; nothing where it is damaged."""
    head, _, sound = content.partition(b"\n")
    try:
        about = json.loads(head)
        is_good = (about["format"], about["rate"]) == (FORMAT, sample_rate_hertz)
        words = tuple(WordEnd(int(offset), int(sample)) for offset, sample in about["words"])
        is_whole, crc32 = bool(about["is_whole"]), about["crc32"]
        level_dbov = None if about["level_dbov"] is None else float(about["level_dbov"])
    except (ValueError, KeyError, TypeError):
        return
    if not is_good or not sound or len(sound) % 2 or zlib.crc32(sound) != crc32:
        return
    samples = np.frombuffer(sound, dtype="<i2").astype(np.int16)
    if is_whole:
        yield Speech(samples, words, is_whole=True)  # levelled by itself, as when it was made
        return
    begin, length = 0, int(FIRST_PIECE_S * sample_rate_hertz)
    while begin < len(samples):
        is_first = begin == 0
        yield Speech(
            samples[begin : begin + length], words if is_first else (), level_dbov=level_dbov if is_first else None
        )
        begin, length = begin + length, int(LATER_PIECE_S * sample_rate_hertz)
