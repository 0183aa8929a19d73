"""STT engine: the Protocol, the values that engines take and give, and the table of engines.

The stage finds speech and pauses by itself, for every engine alike. An engine only says what the words were. It may
decode a finished stretch when asked (Whisper), follow the sound as it comes and answer at once (Vosk, Google), or know
the texts beforehand (script).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from services.audio.pcm import Samples
from services.runtime.engine_chains import engine_names
from services.runtime.errors import StartupError
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.settings import SttSettings

ENGINES = {
    "faster_whisper": "services.stt_proxy.engines.faster_whisper:FasterWhisperEngine",
    "google": "services.stt_proxy.engines.google:GoogleEngine",
    "script": "services.stt_proxy.engines.script:ScriptEngine",
    "sherpa_onnx": "services.stt_proxy.engines.sherpa_onnx:SherpaEngine",
    "vosk": "services.stt_proxy.engines.vosk:VoskEngine",
    "viet_asr": "services.stt_proxy.engines.viet_asr:VietAsrEngine",
}
EXTRAS = {"sherpa_onnx": "sherpa"}
"""The extra of pyproject.toml that brings an engine's package, where it is not called as the engine is."""
LATE_IMPORTS = {"sherpa_onnx": "sherpa_onnx", "vosk": "vosk", "viet_asr": "vietasr"}
"""Packages that an engine imports when it loads, not when its module is imported."""


class ExpectedKind(Enum):
    """The shape of the answer the agent asked for."""

    OPEN = "open"
    YES_NO = "yes_no"
    DIGITS = "digits"
    SPELLING = "spelling"
    ANSWER = "answer"  # to a question, of no shape of its own


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints for a recogniser about what the caller will say."""

    language_codes: tuple[str, ...] = ()  # BCP-47, likeliest first; empty: any
    phrases: tuple[str, ...] = ()  # words to favour
    expected_kind: ExpectedKind = ExpectedKind.OPEN
    expected_length: int = 0  # digits or letters that make the answer whole; 0: not known
    agent_is_speaking: bool = False
    region: str = ""  # whose telephone numbers callers give: ISO 3166-1, "VN"; empty: not known


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech between two pauses, on the call's clock."""

    start_sample: int
    end_sample: int  # first sample after it


@dataclass(frozen=True, slots=True)
class Speech:
    """Speech to recognise: one utterance, up to the last sample received."""

    request_id: int  # counts on the call; the report that answers carries it
    utterance_id: int
    spans: tuple[Span, ...]  # never empty
    clips: tuple[Clip, ...]  # the sound of the spans and a little around them, in order
    sample_rate_hertz: int  # the call's clock and the clips alike

    @property
    def end_sample(self) -> int:
        """Return where the speech ends, as far as the detector knows."""
        return self.spans[-1].end_sample


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its signs, and its place on the call's clock."""

    text: str
    start_sample: int
    end_sample: int
    confidence: float | None = None  # 0 to 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an utterance with its place on the call's clock."""

    text: str
    start_sample: int
    end_sample: int
    confidence: float | None = None  # 0 to 1
    words: tuple[Word, ...] = ()  # of engines with feature "words"


@dataclass(frozen=True, slots=True)
class Heard:
    """The words of a Speech; empty text when there were none."""

    request_id: int
    text: str
    language_code: str
    confidence: float | None = None  # 0 to 1
    segments: tuple[Segment, ...] = ()
    queue_us: int = 0
    compute_us: int = 0
    is_punctuated: bool | None = None  # whether sentences are closed with their marks; None: as the engine's features


@dataclass(frozen=True, slots=True)
class Unheard:
    """No words for a Speech: a draft not worth its cost, or a failure."""

    request_id: int
    reason: str  # UPPER_SNAKE_CASE
    message: str


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial text while the caller speaks, unasked; only streaming engines give it."""

    text: str  # the whole open utterance so far
    end_sample: int
    language_code: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """A better text of an utterance whose words were given: of a draft a newer one, else a correction. Unasked."""

    utterance_id: int
    text: str
    language_code: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Listened:
    """The engine has processed more sound; `EngineCall.listened_to` says how much."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The engine cannot go on with this call; what is asked from now on is Unheard. The last report but those."""

    listened_to: int  # the words of the sound before this were given, if they were asked for
    reason: str  # UPPER_SNAKE_CASE
    message: str
    is_retryable: bool  # the same engine may serve again later
    retry_after_s: float = 0.0


Report = Heard | Unheard | Partial | Corrected | Listened | Lost


class EngineCall(Protocol):
    """One call on an engine. Every method returns at once and runs on the event loop, and so must the reports."""

    @property
    def is_busy(self) -> bool:
        """Return whether a Speech is being recognised now: a file sent faster than real time waits for it."""

    @property
    def listened_to(self) -> int | None:
        """First sample that the engine has not taken yet; None: it is as far as the sound, or takes it when asked."""

    @property
    def wanted_from(self) -> int | None:
        """First sample that the engine may read again from the replay ring; None: nothing before the present."""

    def feed(self, start_sample: int, samples: Samples) -> None:
        """The next sound of the call, silence and concealed loss included. Not to be changed or kept."""

    def rest(self, to_sample: int) -> None:
        """There was no sound up to this sample: idle time, hold, or a gap too long to conceal."""

    def reach(self, sample: int) -> None:
        """The detector has listened up to here: what it finds in the sound before has been told."""

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        """The detector found an edge of speech."""

    def end(self, utterance_id: int, end_sample: int) -> None:
        """The utterance is over at `end_sample`: later speech belongs to the next one. The words of the utterance may
        have been given, be asked for, or not be wanted at all.
        """

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        """Recognise a Speech. Exactly one Heard or Unheard answers each call, also when a later call overtakes it.

        `is_final` is False for a draft: worth little when late, so an engine under load may answer Unheard. A call asks
        again only for more speech of the same utterance, or for a later one.
        """

    def prepare(self, speech: Speech) -> None:
        """The caller is still speaking: the certain part of the Speech may be decoded ahead. Nothing answers this."""

    def cancel(self, request_id: int) -> None:
        """The answer to a request is no longer awaited; none need come."""

    def forget(self, from_sample: int, to_sample: int) -> None:
        """The stretch was echo or noise."""

    def attend(self, hints: Hints) -> None:
        """Use these hints from now on."""

    def finish(self) -> None:
        """No more sound will come; what was asked for is still answered."""

    def close(self) -> None:
        """The call is gone: drop what can be dropped. No report may follow."""


class SttEngine(Protocol):
    """Recognises the speech of many calls at once."""

    name: str
    model: str
    language_codes: tuple[str, ...]  # BCP-47 tags it understands; empty: any
    features: tuple[str, ...]  # what it adds to the stage's own, for example "partial"

    async def load(self) -> None:
        """Make ready. Raises StartupError."""

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> EngineCall:
        """Begin one call. `recording` is the call's replay ring, which holds the sound before `feed` is called;
        `report` is called on the event loop.
        """

    async def close(self) -> None:
        """Release everything; its calls are closed before."""


def make_engine(settings: SttSettings) -> SttEngine:
    """Build the engine that the settings name, or those for each language. Raises StartupError."""
    if not settings.engines:
        return _make(settings.engine, settings, f"STT_ENGINE={settings.engine}")
    engines = {name: _make(name, settings, f"{name} in STT_ENGINES") for name in engine_names(settings.engines)}
    if len(engines) == 1:
        return next(iter(engines.values()))
    make_routed = import_module("services.stt_proxy.routing").make_routed
    return cast(SttEngine, make_routed(settings.engines, engines))


def _make(name: str, settings: SttSettings, said: str) -> SttEngine:
    where = ENGINES.get(name)
    if where is None:
        raise StartupError(f"{said} is not known: use one of {', '.join(sorted(ENGINES))}")
    module_name, class_name = where.split(":")
    try:
        engine_class = getattr(import_module(module_name), class_name)
        if (package := LATE_IMPORTS.get(name)) and find_spec(package) is None:
            raise ModuleNotFoundError(name=package)
    except ModuleNotFoundError as missing:
        extra = EXTRAS.get(name, name.replace("_", "-"))
        raise StartupError(f"{said} needs the package {missing.name}: pip install 'tong-dai[stt-{extra}]'") from missing
    return cast(SttEngine, engine_class(settings))
