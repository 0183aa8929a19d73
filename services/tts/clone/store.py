"""Store of cloned voices on disk: one folder for each, with recordings, consent and hash, owned by one tenant."""

import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp

from services.runtime.errors import EngineFailed
from services.runtime.logs import get_logger
from services.tts.clone.references import Reference, wav_bytes
from services.tts.errors import TooManyVoices, VoiceNotFound

PREFIX = "clone-"
FORMAT = 1  # of voice.json

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Consent:
    """Consent of the speaker: the words and the time, in milliseconds since 1970."""

    speaker_name: str
    statement: str
    given_unix_ms: int


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """A recording as it was found when the voice was made."""

    sha256: str
    duration_ms: int
    speech_ms: int
    speech_to_noise_db: float


@dataclass(frozen=True, slots=True)
class ClonedVoice:
    """A cloned voice and its origin."""

    name: str
    tenant_id: str
    display_name: str
    language_codes: tuple[str, ...]  # BCP-47; empty: all of the model
    consent: Consent
    created_unix_ms: int
    created_by: str
    references: tuple[ReferenceFile, ...]
    sha256: str  # of the recordings' digests, in order


class VoiceStore:
    """The voices of all tenants, below one folder. A voice is there whole or not at all: its folder is made beside the
    others and renamed. Blocking; safe from several threads; several processes may share a folder, and each sees the
    others' voices after `refresh`.
    """

    def __init__(self, folder: Path, *, most_a_tenant: int) -> None:
        self._folder, self._most = folder, most_a_tenant
        self._voices: dict[str, ClonedVoice] = {}
        self._lock = threading.Lock()

    def refresh(self) -> bool:
        """Read the folder again; True where a voice has come or gone."""
        found: dict[str, ClonedVoice] = {}
        for path in sorted(self._folder.glob(f"*/{PREFIX}*/voice.json")):
            try:
                voice = _from_json(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("cloned_voice_unreadable", path=str(path), why=str(error))
                continue
            if path.parent == self.folder_of(voice):
                found[voice.name] = voice
        with self._lock:
            is_changed, self._voices = found != self._voices, found
        return is_changed

    def get(self, name: str) -> ClonedVoice | None:
        with self._lock:
            return self._voices.get(name)

    def all(self) -> list[ClonedVoice]:
        """Every voice, the oldest first."""
        with self._lock:
            return sorted(self._voices.values(), key=lambda voice: (voice.created_unix_ms, voice.name))

    def of_tenant(self, tenant_id: str) -> list[ClonedVoice]:
        return [voice for voice in self.all() if voice.tenant_id == tenant_id]

    def folder_of(self, voice: ClonedVoice) -> Path:
        return self._folder / hashlib.sha256(voice.tenant_id.encode()).hexdigest()[:16] / voice.name

    def recordings(self, voice: ClonedVoice) -> list[Path]:
        """Return the WAV files of a voice, in order."""
        return [self.folder_of(voice) / f"{number:02}.wav" for number in range(len(voice.references))]

    def check_room(self, tenant_id: str) -> None:
        """Raise TooManyVoices where the tenant has as many as it may."""
        if len(self.of_tenant(tenant_id)) >= self._most:
            raise TooManyVoices(f"tenant {tenant_id!r} has {self._most} voices; delete one", field="config.tenant_id")

    def add(
        self,
        tenant_id: str,
        display_name: str,
        language_codes: Sequence[str],
        consent: Consent,
        references: Sequence[Reference],
        *,
        created_unix_ms: int,
        created_by: str,
    ) -> ClonedVoice:
        """Keep a new voice. Raises TooManyVoices, EngineFailed where the folder cannot be written."""
        self.check_room(tenant_id)
        digest = hashlib.sha256("".join(reference.sha256 for reference in references).encode()).hexdigest()
        voice = ClonedVoice(
            name=PREFIX + secrets.token_hex(8),
            tenant_id=tenant_id,
            display_name=display_name,
            language_codes=tuple(language_codes),
            consent=consent,
            created_unix_ms=created_unix_ms,
            created_by=created_by,
            references=tuple(map(_file, references)),
            sha256=digest,
        )
        folder = self.folder_of(voice)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = Path(mkdtemp(prefix=".new-", dir=folder.parent))  # for its owner alone
            try:
                for number, reference in enumerate(references):
                    (made / f"{number:02}.wav").write_bytes(wav_bytes(reference))
                (made / "voice.json").write_text(_to_json(voice), encoding="utf-8")
                _sync(made)
                made.rename(folder)
            except OSError:
                shutil.rmtree(made, ignore_errors=True)
                raise
        except OSError as error:
            raise EngineFailed(f"TTS_CLONE_DIR cannot be written: {error.strerror}") from error
        with self._lock:
            self._voices[voice.name] = voice
        return voice

    def delete(self, tenant_id: str, name: str) -> ClonedVoice:
        """Delete a voice and its recordings. Raises VoiceNotFound, also for another tenant's."""
        with self._lock:
            voice = self._voices.get(name)
            if voice is None or voice.tenant_id != tenant_id:
                raise VoiceNotFound(f"tenant {tenant_id!r} has no cloned voice {name!r}", field="name")
            del self._voices[name]
        shutil.rmtree(self.folder_of(voice), ignore_errors=True)
        return voice


def _file(reference: Reference) -> ReferenceFile:
    return ReferenceFile(
        reference.sha256,
        round(1000 * reference.duration_s),
        round(1000 * reference.speech_s),
        round(reference.speech_to_noise_db, 1),
    )


def _to_json(voice: ClonedVoice) -> str:
    return json.dumps({"format": FORMAT, **asdict(voice)}, ensure_ascii=False, indent=2) + "\n"


def _from_json(text: str) -> ClonedVoice:
    """Raises ValueError, KeyError, TypeError for what is no voice of this format."""
    known = json.loads(text)
    if known.pop("format") != FORMAT:
        raise ValueError("another format")
    known["consent"] = Consent(**known["consent"])
    known["references"] = tuple(ReferenceFile(**one) for one in known["references"])
    known["language_codes"] = tuple(known["language_codes"])
    return ClonedVoice(**known)


def _sync(folder: Path) -> None:
    """Flush the folder's files to disk before the folder gets its name."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
