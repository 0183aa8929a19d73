"""The methods of `voice.tts.v1` that make, list and delete cloned voices: protobuf in, protobuf out."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

import grpc
from voice.tts.v1 import tts_pb2

from services.runtime.errors import CapacityError, ServiceError
from services.runtime.identity import caller_name, check_tenant
from services.runtime.logs import get_logger
from services.runtime.streams import first_config
from services.tts.clone.audit import AuditRecord
from services.tts.clone.references import MOST, Reference, check_set, measured, read_wav
from services.tts.clone.store import ClonedVoice, Consent, VoiceStore
from services.tts.errors import BadVoice, CloningOff, ConsentMissing, SeveralSpeakers, TooFewReferences, UploadTooLarge

MOST_UPLOADS = 2  # at once: each is held in memory
MOST_FILE_BYTES = 12_000_000  # a minute of stereo at 48 kHz
MOST_BYTES = 60_000_000  # all recordings of a voice
MOST_NAME_CHARS, MOST_SPEAKER_CHARS = 80, 200
STATEMENT_CHARS = (20, 2000)
SAME_SPEAKER = 0.5  # least cosine between the speaker embeddings of two recordings of one person
MOST_LANGUAGES = 20
PASS_OVER_S = 10.0

Context = grpc.aio.ServicerContext[Any, Any]

log = get_logger(__name__)


@runtime_checkable
class VoiceMaker(Protocol):
    """An engine whose voices are made from recordings."""

    store: VoiceStore
    audit: AuditRecord

    async def learn(self, voice: ClonedVoice) -> float:
        """Learn a voice; return the least cosine between two recordings, -1 to 1. Raises EngineFailed."""

    async def forget(self, voice: ClonedVoice) -> None:
        """The voice was deleted."""

    def voices_changed(self) -> None:
        """The store has other voices now."""

    def speaks(self, language_code: str) -> bool:
        """Return whether cloned voices may speak a language."""


class Cloning:
    """Cloned voices of all tenants. Each method first checks the tenant against the client's token."""

    def __init__(self, maker: VoiceMaker | None = None) -> None:
        """`maker`: None until an engine is loaded that clones, if there is one."""
        self._maker = maker
        self._uploads = asyncio.Semaphore(MOST_UPLOADS)

    def use(self, maker: VoiceMaker) -> None:
        """The engine that clones."""
        self._maker = maker

    async def create(
        self, requests: AsyncIterator[tts_pb2.CreateVoiceRequest], context: Context
    ) -> tts_pb2.CreateVoiceResponse:
        """Raises CloningOff, ConsentMissing, BadVoice, TooManyVoices, and what is wrong with the recordings.

        A refused upload is read to its end all the same, within the bounds of an upload: a client that still writes
        when the stream ends does not learn why.
        """
        try:
            return await self._create(requests, context)
        except UploadTooLarge:
            raise
        except ServiceError:
            await _pass_over(requests)
            raise

    async def _create(
        self, requests: AsyncIterator[tts_pb2.CreateVoiceRequest], context: Context
    ) -> tts_pb2.CreateVoiceResponse:
        config = (await first_config(requests)).config
        check_tenant(context, config.tenant_id)
        maker = self._use()
        consent = _consent(config)
        _check(config, maker)
        maker.store.check_room(config.tenant_id)
        if self._uploads.locked():
            raise CapacityError("other voices are being made: try again in a moment")
        async with self._uploads:
            files = await _files(requests)
            references = await asyncio.to_thread(_read, files)
            del files
            voice = await self._add(maker, config, consent, references)
        log.info("voice_created", tenant_id=voice.tenant_id, who=voice.created_by)
        return tts_pb2.CreateVoiceResponse(voice=_to_proto(voice))

    async def voices(self, request: tts_pb2.ListVoicesRequest, context: Context) -> tts_pb2.ListVoicesResponse:
        """Raises CloningOff."""
        check_tenant(context, request.tenant_id, field="tenant_id")
        voices = self._use().store.of_tenant(request.tenant_id)
        return tts_pb2.ListVoicesResponse(voices=map(_to_proto, voices))

    async def delete(self, request: tts_pb2.DeleteVoiceRequest, context: Context) -> tts_pb2.DeleteVoiceResponse:
        """Raises CloningOff, VoiceNotFound."""
        check_tenant(context, request.tenant_id, field="tenant_id")
        maker = self._use()
        voice = await asyncio.to_thread(maker.store.delete, request.tenant_id, request.name)
        maker.voices_changed()
        await maker.forget(voice)
        await asyncio.to_thread(_record, maker, "deleted", voice)
        log.info("voice_deleted", tenant_id=voice.tenant_id, who=caller_name())
        return tts_pb2.DeleteVoiceResponse()

    async def _add(
        self, maker: VoiceMaker, config: tts_pb2.VoiceConfig, consent: Consent, references: list[Reference]
    ) -> ClonedVoice:
        now_ms = time.time_ns() // 1_000_000
        who = caller_name()

        def keep() -> ClonedVoice:
            return maker.store.add(
                config.tenant_id,
                config.display_name.strip(),
                list(config.language_codes),
                Consent(consent.speaker_name, consent.statement, consent.given_unix_ms or now_ms),
                references,
                created_unix_ms=now_ms,
                created_by=who,
            )

        voice = await asyncio.to_thread(keep)
        try:
            likeness = await maker.learn(voice)
            if likeness < SAME_SPEAKER:
                raise SeveralSpeakers(
                    f"two of the recordings are of different voices (likeness {likeness:.2f}, {SAME_SPEAKER:g} is "
                    "needed); send recordings of one person",
                    field="reference",
                )
            await asyncio.to_thread(_record, maker, "created", voice)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(maker.store.delete, voice.tenant_id, voice.name))
            raise
        maker.voices_changed()
        return voice

    def _use(self) -> VoiceMaker:
        if self._maker is None:
            raise CloningOff("no engine here clones voices: TTS_ENGINES=en=clone>piper has one")
        return self._maker


def _consent(config: tts_pb2.VoiceConfig) -> Consent:
    """Raises ConsentMissing."""
    consent = config.consent
    speaker, statement = consent.speaker_name.strip(), consent.statement.strip()
    if not speaker or len(speaker) > MOST_SPEAKER_CHARS:
        raise ConsentMissing(
            f"config.consent.speaker_name: name the person whose voice it is, at most {MOST_SPEAKER_CHARS} characters",
            field="config.consent.speaker_name",
        )
    least, most = STATEMENT_CHARS
    if not least <= len(statement) <= most:
        raise ConsentMissing(
            f"config.consent.statement: say what the person agreed to, in {least} to {most} characters",
            field="config.consent.statement",
        )
    if consent.given_unix_ms < 0 or consent.given_unix_ms > time.time() * 1000 + 86_400_000:
        raise ConsentMissing(
            "config.consent.given_unix_ms lies in the future or before 1970", field="config.consent.given_unix_ms"
        )
    return Consent(speaker, statement, consent.given_unix_ms)


def _check(config: tts_pb2.VoiceConfig, maker: VoiceMaker) -> None:
    """Raises BadVoice."""
    if not 1 <= len(config.display_name.strip()) <= MOST_NAME_CHARS:
        raise BadVoice(f"config.display_name must be 1 to {MOST_NAME_CHARS} characters", field="config.display_name")
    if len(config.language_codes) > MOST_LANGUAGES:
        raise BadVoice(f"config.language_codes: at most {MOST_LANGUAGES}", field="config.language_codes")
    for code in config.language_codes:
        if not maker.speaks(code):
            raise BadVoice(f"config.language_codes: the model does not speak {code!r}", field="config.language_codes")


async def _files(requests: AsyncIterator[tts_pb2.CreateVoiceRequest]) -> list[bytes]:
    """The recordings as they are sent. Ends at the first byte too many. Raises BadVoice, UploadTooLarge."""
    files: list[bytearray] = []
    n_bytes = 0
    async for request in requests:
        kind = request.WhichOneof("request")
        if kind == "config":
            raise BadVoice("`config` is sent once, as the first message", field="config")
        if kind is None:
            continue
        index, content = request.reference.index, request.reference.content
        if index == len(files) and index < MOST:
            files.append(bytearray())
        elif index == len(files):
            raise TooFewReferences(f"send at most {MOST} recordings", field="reference.index")
        elif index != len(files) - 1:
            raise BadVoice(
                f"reference.index is {index}; send one recording after the other, from 0", field="reference.index"
            )
        n_bytes += len(content)
        files[-1] += content
        if len(files[-1]) > MOST_FILE_BYTES or n_bytes > MOST_BYTES:
            raise UploadTooLarge(
                f"a recording may have {MOST_FILE_BYTES} bytes, all of a voice {MOST_BYTES}", field="reference.content"
            )
    return [bytes(file) for file in files]


async def _pass_over(requests: AsyncIterator[tts_pb2.CreateVoiceRequest]) -> None:
    """Read the rest of an upload, up to the bound on its size and no longer than PASS_OVER_S."""
    n_bytes = 0
    with suppress(TimeoutError, ServiceError):
        async with asyncio.timeout(PASS_OVER_S):
            async for request in requests:
                n_bytes += len(request.reference.content)
                if n_bytes > MOST_BYTES:
                    return


def _read(files: list[bytes]) -> list[Reference]:
    """Return the recordings, measured and checked together. Blocking: some 0.1 s for a minute of sound."""
    references = []
    for number, content in enumerate(files):
        name = f"recording {number}"
        references.append(measured(read_wav(content, name=name), name=name))
    check_set(references)
    return references


def _record(maker: VoiceMaker, event: str, voice: ClonedVoice) -> None:
    maker.audit.write(
        event,
        at_unix_ms=time.time_ns() // 1_000_000,
        tenant_id=voice.tenant_id,
        voice=voice.name,
        voice_sha256=voice.sha256,
        who=caller_name(),
    )


def _to_proto(voice: ClonedVoice) -> tts_pb2.ClonedVoice:
    consent = voice.consent
    return tts_pb2.ClonedVoice(
        name=voice.name,
        display_name=voice.display_name,
        language_codes=voice.language_codes,
        consent=tts_pb2.VoiceConsent(
            speaker_name=consent.speaker_name, statement=consent.statement, given_unix_ms=consent.given_unix_ms
        ),
        created_unix_ms=voice.created_unix_ms,
        created_by=voice.created_by,
        references=[
            tts_pb2.ReferenceFile(
                sha256=file.sha256,
                duration_ms=file.duration_ms,
                speech_ms=file.speech_ms,
                speech_to_noise_db=file.speech_to_noise_db,
            )
            for file in voice.references
        ],
        sha256=voice.sha256,
    )
