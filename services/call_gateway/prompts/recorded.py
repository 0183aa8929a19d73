"""The sentences that come with the gateway, as words and as 8 kHz mu-law, in four languages."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode, encode
from services.audio.resample import Resampler
from services.call_gateway.prompts.book import PromptKind, RenderedPrompt

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Recording:
    """One sentence as it is shipped."""

    kind: PromptKind
    language_code: str
    text: str
    content: bytes  # 8 kHz mu-law


def texts() -> dict[tuple[PromptKind, str], str]:
    """The words of every recording, by kind and language."""
    tables = tomllib.loads((FOLDER / "texts.toml").read_text(encoding="utf-8"))
    return {
        (PromptKind(kind), language_code): text
        for language_code, table in tables.items()
        for kind, text in table.items()
    }


def path_of(kind: PromptKind, language_code: str) -> Path:
    """Return where a recording lies: headerless mu-law, 8000 samples a second."""
    return FOLDER / language_code / f"{kind.value}.ulaw"


def recordings() -> list[Recording]:
    """Every sentence that is shipped."""
    return [
        Recording(kind, language_code, text, path_of(kind, language_code).read_bytes())
        for (kind, language_code), text in texts().items()
    ]


def rendered(recording: Recording, audio_format: AudioFormat) -> RenderedPrompt:
    """The recording in a leg's format."""
    return RenderedPrompt(recording.text, converted(recording.content, audio_format))


FORMATS = (
    TELEPHONE,
    AudioFormat(Encoding.ALAW, TELEPHONE.sample_rate_hertz),
    *(AudioFormat(Encoding.LINEAR16, rate) for rate in (8_000, 16_000, 24_000, 48_000)),
)
"""The prompts that calls ask for."""


class Shipped:
    """The shipped recordings, in every format. Making it ready takes a fraction of a second: not on a loop."""

    def __init__(self) -> None:
        self.by_kind = {(recording.kind, recording.language_code): recording for recording in recordings()}
        self._sound = {audio_format: self._convert(audio_format) for audio_format in FORMATS}

    def in_format(self, audio_format: AudioFormat) -> dict[tuple[PromptKind, str], RenderedPrompt]:
        """Every sentence by kind and language."""
        if audio_format not in self._sound:
            self._sound[audio_format] = self._convert(audio_format)
        return self._sound[audio_format]

    def _convert(self, audio_format: AudioFormat) -> dict[tuple[PromptKind, str], RenderedPrompt]:
        return {key: rendered(recording, audio_format) for key, recording in self.by_kind.items()}


@lru_cache(1)
def shipped() -> Shipped:
    """The prompts of this process."""
    return Shipped()


def converted(content: bytes, audio_format: AudioFormat) -> bytes:
    """Convert 8 kHz mu-law (G.711) to another audio format."""
    if audio_format == TELEPHONE:
        return content
    resampler = Resampler(TELEPHONE.sample_rate_hertz, audio_format.sample_rate_hertz)
    samples = decode(TELEPHONE, content)
    return encode(audio_format, resampler.push(samples)) + encode(audio_format, resampler.finish())
