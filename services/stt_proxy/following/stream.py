"""Protocol of a streaming recogniser: streams that take sound as it comes and report words without being asked.

Offsets count the samples of one stream from its first. A stream keeps no sound: what it loses is fed to another.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.audio.pcm import Samples
from services.stt_proxy.engine import Hints


@dataclass(frozen=True, slots=True)
class SettledWords:
    """Words that will not change any more, and where they lie."""

    text: str
    end_offset: int | None  # behind the last word; None: the recogniser does not say
    start_offset: int | None = None
    confidence: float | None = None  # 0 to 1
    language_code: str = ""  # empty: that of the hints
    closes_open: bool = False  # they replace the open words, however little alike; else that is judged


@dataclass(frozen=True, slots=True)
class OpenWords:
    """All the words behind the settled ones, as they are heard now; each one replaces the one before."""

    text: str
    end_offset: int | None  # the sound they cover; None: the recogniser does not say
    stability: float | None = None  # 0 to 1: how likely they will stay as they are
    confidence: float | None = None
    language_code: str = ""
    compute_us: int = 0  # the recogniser's last step


@dataclass(frozen=True, slots=True)
class Processed:
    """The recogniser has taken the sound up to here."""

    end_offset: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """All words of the sound up to here have been reported: the answer to `flush`."""

    end_offset: int
    compute_us: int = 0


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """The recogniser answered something that holds no words."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Everything fed was heard and its words are settled: the answer to `finish`, the last report."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The stream broke and lost the sound behind the settled words; the last report."""

    reason: str  # UPPER_SNAKE_CASE
    message: str
    is_retryable: bool = True  # a new stream may do better
    retry_after_s: float = 0.0


StreamReport = SettledWords | OpenWords | Processed | Flushed | SignOfLife | Ended | Broken


class RecogniserStream(Protocol):
    """One stream. Every method returns at once and is called on the event loop; reports must be made there too."""

    def feed(self, samples: Samples) -> None:
        """The next sound, (n_samples,) int16 at the call's rate. Not to be changed or kept."""

    def flush(self) -> None:
        """The caller paused: say the words of what was fed, without waiting for the sound behind them. Flushed answers,
        where the recogniser can be hurried; else nothing.
        """

    def finish(self) -> None:
        """No more sound comes. Ended answers."""

    def close(self) -> None:
        """End the stream at once. No report may follow."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Limits of a recogniser, and how long its words are waited for."""

    most_ahead_ms: int = 500  # sound fed and not yet taken
    longest_s: float = 0.0  # a stream must not be fed more than this; 0: no limit
    roll_over_s: float = 0.0  # from here on the next pause is taken to open a new stream
    draft_wait_ms: int = (
        0  # words of an engine that cannot be flushed are waited for so long; then the draft is what there is
    )
    settle_wait_ms: int = 0  # the same at the end of an utterance
    silent_wait_ms: int = 0  # the same while not one word of the utterance is known
    most_reheard_s: float = 0.0  # of a stretch: it is heard again when a flush proves to have cut speech; 0: never
    stall_s: float = 3.0  # speech without any answer: the stream is taken for dead
    most_tries: int = 5  # streams in a row that break and settle nothing before the engine is lost
    longest_wait_s: float = math.inf  # before another try: a provider that asks for a longer wait is lost


class Recogniser(Protocol):
    """Opens streams for one call after another."""

    limits: StreamLimits

    def open(
        self, *, call_id: str, sample_rate_hertz: int, hints: Hints, report: Callable[[StreamReport], None]
    ) -> RecogniserStream:
        """Open a stream. A stream that cannot be opened reports Broken later; this never raises."""
