"""State of a call on a streaming recogniser: its stretches, the requests on them, and the detector's events."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from services.stt_proxy.engine import Hints, Report, Speech
from services.stt_proxy.following import stream as streams
from services.stt_proxy.following.retrying import Retrying
from services.stt_proxy.following.stretch import Stretch
from services.stt_proxy.recording import Recording

REMEMBERED_ENDS = 16  # of speech: settled words come up to some seconds behind theirs


@dataclass(slots=True)
class Hearing:
    """A stretch and the stream that recognises it."""

    stretch: Stretch
    retrying: Retrying
    stream: streams.RecogniserStream | None = None
    is_finishing: bool = False
    is_given_up: bool = False
    flush_at: int | None = None  # the stream is to be flushed when it was fed so far
    flushed_at: int | None = None  # the sound fed when the stream was last flushed
    waits: asyncio.TimerHandle | None = None  # for another try
    answered_to: int = 0  # sound fed when the recogniser last said anything of the stretch
    said_at: float = 0.0  # when the recogniser last said anything, on the loop's clock
    moved_at: float = 0.0  # when the recogniser last took sound, on the loop's clock
    finished_at: float = 0.0  # when the recogniser was told that no more sound comes


@dataclass(slots=True)
class Asked:
    """A Speech whose words are awaited."""

    speech: Speech
    is_final: bool
    is_overdue: bool = False
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


@dataclass(slots=True)
class FollowedState:
    """State of one call. Its owners may change it; all of that happens on the event loop."""

    limits: streams.StreamLimits
    rate: int  # of the call's clock, in hertz
    hints: Hints
    recording: Recording
    report: Callable[[Report], None]
    hearings: list[Hearing] = field(default_factory=list)  # in order; only the last one of an utterance goes on
    asked: dict[int, Asked] = field(default_factory=dict)  # by request
    said: dict[int, str] = field(default_factory=dict)  # by utterance: the newest text told as more than a guess
    utterance_id: int = 1
    now: int = 0  # the call's clock
    is_speaking: bool = False
    speech_ends: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED_ENDS))  # where it ended

    @property
    def per_ms(self) -> int:
        """Samples per millisecond."""
        return self.rate // 1000

    @property
    def current(self) -> Hearing | None:
        """The stretch that goes on, if any."""
        last = self.hearings[-1] if self.hearings else None
        return last if last is not None and last.stretch.end_sample is None else None

    @property
    def paused_at(self) -> int:
        """Return where speech last ended."""
        return self.speech_ends[-1] if self.speech_ends else 0

    def of(self, utterance_id: int) -> list[Hearing]:
        """The stretches of an utterance, in order."""
        return [hearing for hearing in self.hearings if hearing.stretch.utterance_id == utterance_id]

    def is_awaited(self, utterance_id: int) -> bool:
        """Return whether words of the utterance are asked for."""
        return any(one.speech.utterance_id == utterance_id for one in self.asked.values())
