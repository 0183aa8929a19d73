"""TTS engine: the Protocol, the values that engines take and give, and the table of engines."""

import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from services.audio.pcm import Samples
from services.language.reading.spoken import Stretch
from services.runtime.errors import StartupError
from services.tts.ready import ReadyClause

if TYPE_CHECKING:
    from services.tts.settings import TtsSettings

ENGINES = {
    "piper": "services.tts.engines.piper:PiperEngine",
    "espeak": "services.tts.engines.espeak:EspeakEngine",
    "nemo": "services.tts.engines.nemo:NemoEngine",
    "kokoro": "services.tts.engines.kokoro:KokoroEngine",
    "clone": "services.tts.engines.clone:CloneEngine",
    "tone": "services.tts.engines.tone:ToneEngine",
}
"""Name in TTS_ENGINES -> where its class lives. Nothing imports an engine; only the ones asked for are loaded."""

PACKAGES = {"piper": "tts-piper", "kokoro": "tts-piper", "espeak": "tts-espeak"}
"""Engine -> the extra of this project that brings its packages."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice a client may name."""

    name: str
    language_codes: tuple[str, ...]  # BCP-47; empty: any
    level_dbov: float | None = None  # active speech level (ITU-T P.56) of its own sound; None: learnt as it speaks
    owner: str | None = None  # the one tenant that may use it; None: every tenant


@dataclass(frozen=True, slots=True)
class EngineDescription:
    """Description of an engine. It is read again at each use, since an engine may gain voices while it runs."""

    name: str
    model: str
    sample_rate_hertz: int  # of every Speech it yields
    voices: tuple[Voice, ...]  # the first one that speaks a language is its default
    measures_words: bool  # whether its Speech carries word ends
    sound_id: str = ""
    """Hash of all that its sound depends on beside the Line: weights, data, settings. Empty: its sound is not kept."""


@dataclass(frozen=True, slots=True)
class Line:
    """One clause for an engine to say, already normalised: words only where the language is known."""

    text: str
    language_code: str
    voice: str  # a name from the engine's own description, never empty
    rate: float  # 0.5 to 2.0, 1.0 is the voice's own
    turn_id: int
    is_first: bool  # of its turn: the caller waits for its first sound
    due_s: Callable[[], float] = time.monotonic  # when the next piece is needed; asked before each step of the model
    pitch: float = 0.0  # above the voice's own, -12 to 12 semitones; left alone by engines without a control for it
    call: str = ""  # unique; an engine of several devices may keep a call on one
    stretches: tuple[Stretch, ...] = ()
    """The parts of the text that are said in another language or by its sounds; an engine that cannot says it as the
    rest.
    """


@dataclass(frozen=True, slots=True)
class WordEnd:
    """The end of a word in the sound."""

    text_offset: int  # code points into Line.text, behind the word
    sample: int  # first sample after the word, counted from the line's first


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of a line's sound.

    `word_ends` are those the engine measured; each comes with or before the piece that holds the word's last sample,
    in rising order. An engine that measures nothing leaves them out, and they are then spread by length.
    """

    samples: Samples
    word_ends: tuple[WordEnd, ...] = ()
    queue_us: int = 0  # waited for a worker, a batch or a slot
    compute_us: int = 0  # worked
    is_whole: bool = False  # the line's first and only piece
    level_dbov: float | None = None  # with the first piece: active level (ITU-T P.56) of the whole line, where known
    kept: object = None  # of speech that is kept on disk: what its way to the wire is kept under, in memory
    ready: ReadyClause | None = None  # the whole line as it goes on the wire; `samples` are then not looked at


class TtsEngine(Protocol):
    """A TTS engine, with one voice or many.

    Many lines are spoken at once, one a turn: an engine may batch them over calls, spread them over devices and run
    its vocoder in chunks. It works only while it is asked for the next piece, so that a caller who hangs up or a buffer
    that is full costs nothing.
    """

    def __init__(self, settings: "TtsSettings") -> None: ...

    async def load(self) -> None:
        """Load and warm up. Raises StartupError with the one thing to do."""

    def describe(self) -> EngineDescription:
        """Return the engine's description; valid once loaded."""

    def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        """Yield the line's sound as it is made; closing the iterator cancels within one step of the model.

        Raises EngineFailed.
        """

    async def close(self) -> None:
        """Release threads, processes and devices; also safe when `load` failed."""


def make_engine(name: str, settings: "TtsSettings") -> TtsEngine:
    """Build the engine of that name, not yet loaded. Raises StartupError naming the setting or the extra to install."""
    place = ENGINES.get(name)
    if place is None:
        raise StartupError(f"TTS_ENGINES names {name!r}; there are {', '.join(ENGINES)}")
    module_name, class_name = place.split(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        extra = PACKAGES.get(name, "")
        raise StartupError(f"the {name} engine needs the package {error.name}: pip install '.[{extra}]'") from error
    engine: TtsEngine = getattr(module, class_name)(settings)
    return engine


def sound_id(files: Iterable[Path], *settings: object) -> str:
    """Return a hash of files' content and of settings, for EngineDescription. Takes some 3 s a gigabyte. Raises
    OSError.
    """
    whole = hashlib.sha256(repr(settings).encode())
    for path in sorted(files):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
