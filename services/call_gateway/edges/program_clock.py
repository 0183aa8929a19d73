"""The media clock of a caller that is a program: sound sent faster than real time is let through in real time.

Turn-taking is a matter of time, also for a file: its second question must not talk over the answer to the first.
"""

from collections import deque
from dataclasses import dataclass

from services.audio.pcm import AudioFormat
from services.audio.timeline import Timeline
from services.call_gateway.line import CallerAudio, IdleReason, KeyPressed, LegEvent, MediaIdle

LEAD_MS = 120
"""Limit on how early sound may come through: a live sender's chunks, with their jitter, are not held up."""
IDLE_AFTER_MS = 500
"""A live sender that is silent for so long has stopped sending; the clock goes on without it."""
MAX_WAITING_MS = 10_000
"""Limit on waiting sound. Beyond it the stream is not read."""
MAX_WAITING_PIECES = 2_000
"""Limit on waiting pieces and keys: sound in chunks of 5 ms has as many in that time."""
MAX_GAP_MS = 1_000
"""A longer gap in `start_sample` is a jump of the caller's clock, not a loss."""
PIECE_MS = 20


@dataclass(frozen=True, slots=True)
class _Piece:
    start_sample: int
    content: bytes
    concealed_samples: int


@dataclass(frozen=True, slots=True)
class _Pressed:
    start_sample: int
    key: KeyPressed


class ProgramClock:
    """Places what the caller sends on the call's clock, which starts with the call and never stops. Sans-IO.

    The caller counts its own samples; where the clock went on without it, what it sends next is placed later.
    """

    def __init__(self, audio_format: AudioFormat, *, now: float) -> None:
        self._format = audio_format
        self._rate = audio_format.sample_rate_hertz
        self._timeline = Timeline(start_sample=0, max_gap_samples=MAX_GAP_MS * self._rate // 1000)
        self._waiting: deque[_Piece | _Pressed] = deque()
        self._next_sample = 0  # of the call's clock: everything before it has been given out
        self._placed_sample = 0  # of the call's clock: everything before it has been received
        self._zero_time = now  # when sample 0 is due
        self._is_first = True
        self._is_silent_for_good = False

    @property
    def is_full(self) -> bool:
        """So much waits that no more should be read."""
        is_far_ahead = (self._placed_sample - self._next_sample) * 1000 > MAX_WAITING_MS * self._rate
        return is_far_ahead or len(self._waiting) > MAX_WAITING_PIECES

    @property
    def has_waiting(self) -> bool:
        """Return whether sound waits for its time."""
        return bool(self._waiting)

    def receive(self, start_sample: int, content: bytes, concealed_samples: int, *, now: float) -> None:
        """Take a chunk of any length, in the call's audio format; `now` in seconds, monotonic.

        Raises Overlap, TornSample.
        """
        n_samples = self._format.samples_in(content)
        gap_samples = start_sample - self._timeline.next_sample
        placement = self._timeline.place(start_sample, n_samples)
        if placement.is_reset:
            gap_samples = 0
        if self._is_first:
            self._is_first = False
            self._zero_time = now - self._next_sample / self._rate
        clock_sample = max(self._next_sample, self._placed_sample + gap_samples)
        self._placed_sample = clock_sample + n_samples
        self._follow(clock_sample, n_samples, now=now)
        step = PIECE_MS * self._rate // 1000
        width = self._format.bytes_per_sample
        for offset in range(0, n_samples, step):
            piece = content[offset * width : (offset + step) * width]
            self._waiting.append(_Piece(clock_sample + offset, piece, min(concealed_samples, step)))
            concealed_samples = max(0, concealed_samples - step)

    def press(self, key: KeyPressed) -> None:
        """A key comes after the sound that was sent before it."""
        self._waiting.append(_Pressed(max(self._next_sample, self._placed_sample), key))

    def close(self) -> None:
        """The caller sends no more: silence follows what waits."""
        self._is_silent_for_good = True

    def due(self, *, now: float) -> list[LegEvent]:
        """The events of the line up to now."""
        events: list[LegEvent] = []
        wall_sample = int((now - self._zero_time) * self._rate)
        lead_samples = LEAD_MS * self._rate // 1000
        while self._waiting and self._waiting[0].start_sample <= wall_sample + lead_samples:
            piece = self._waiting.popleft()
            if isinstance(piece, _Pressed):
                events.append(piece.key)
                continue
            if piece.start_sample > self._next_sample:
                events.append(MediaIdle(self._next_sample, piece.start_sample, IdleReason.LOSS))
            events.append(CallerAudio(piece.start_sample, piece.content, piece.concealed_samples))
            self._next_sample = piece.start_sample + self._format.samples_in(piece.content)
        if not self._waiting:
            events.extend(self._without_sound(wall_sample))
        return events

    def _without_sound(self, wall_sample: int) -> list[LegEvent]:
        start_sample = self._next_sample
        if self._is_silent_for_good:
            n_samples = PIECE_MS * self._rate // 1000
            if start_sample > wall_sample:
                return []
            self._next_sample += n_samples
            return [CallerAudio(start_sample, self._format.silence(n_samples))]
        if (wall_sample - start_sample) * 1000 < IDLE_AFTER_MS * self._rate:
            return []
        # The last 100 ms are left open: should sound come again, it comes in its place.
        self._next_sample = wall_sample - LEAD_MS * self._rate // 1000
        return [MediaIdle(start_sample, self._next_sample, IdleReason.UNKNOWN)]

    def _follow(self, clock_sample: int, n_samples: int, *, now: float) -> None:
        # A sender whose clock is slower than ours is always a little later: zero time goes with it.
        lateness_s = now - self._zero_time - (clock_sample + n_samples) / self._rate
        if lateness_s > 0:
            self._zero_time += 0.05 * lateness_s
