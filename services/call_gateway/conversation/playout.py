"""Playout: gives the line its frames, and keeps the ledger of which samples of which voice were heard.

The line's own clock counts every frame pulled, silence included. An edge that knows how far its far side has played
reports this on that clock; for other edges, a frame that was sent counts as played.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.voice import Voice

FAR_SIDE_LIMIT_MS = 2000  # a far side that stops reporting has played what it was sent


@dataclass(slots=True)
class Span:
    """A run of samples of one turn on the line's clock."""

    voice: Voice
    line_sample: int
    first_sample: int  # on the turn's clock
    n_samples: int
    is_void: bool = False  # what was not played yet has been discarded at the far side


class Pulled(NamedTuple):
    """One frame for the line."""

    content: bytes | None  # None: comfort silence
    began: Voice | None = None  # the voice whose first sound is in this frame
    finished: tuple[Voice, ...] = ()  # the voices heard to their end before this frame


class Playout:
    """The queue of voices, in order of playing, and the ledger of what was heard of each."""

    def __init__(self, audio_format: AudioFormat, *, frame_ms: int) -> None:
        self._frame = audio_format.sample_rate_hertz * frame_ms // 1000
        self._far_side_limit = audio_format.sample_rate_hertz * FAR_SIDE_LIMIT_MS // 1000
        self._queue: deque[Voice] = deque()
        self._line_sample = 0
        self._spans: deque[Span] = deque()  # of voices in the queue
        self._played: dict[int, int] = {}  # by turn: samples that the far side reports as played
        self._far_side: int | None = None  # the line sample that the far side reports; None: it reports none
        self.underruns = 0

    # -- what goes out -------------------------------------------------------------------------------------------------

    def enqueue(self, voice: Voice, *, first: bool = False) -> None:
        """Put a voice into the queue: behind the others, or before them with `first`."""
        if voice in self._queue:
            return
        if first:
            self._queue.appendleft(voice)
        else:
            self._queue.append(voice)

    def remove(self, voice: Voice) -> None:
        """Take a voice out of the queue: no more of it is heard."""
        if voice in self._queue:
            self._queue.remove(voice)

    @property
    def current(self) -> Voice | None:
        """The voice that is heard now or next."""
        return self._queue[0] if self._queue else None

    @property
    def is_dry(self) -> bool:
        """The current voice has more words to come, and too little sound for the next frame."""
        voice = self.current
        return voice is not None and not voice.is_complete and voice.received - voice.position < self._frame

    def pull(self) -> Pulled:
        """Return the next frame, with the voices that ended before it."""
        finished: list[Voice] = []
        while (voice := self.current) is not None and self._is_heard_out(voice):
            finished.append(self._queue.popleft())
        if voice is None:
            self.pass_silence()
            return Pulled(None, finished=tuple(finished))
        start = voice.position
        content = voice.pull(self._frame)
        if content is None:
            self.underruns += start > 0 and not voice.is_complete
            self.pass_silence()
            return Pulled(None, finished=tuple(finished))
        if self._far_side is not None:
            self._record_span(voice, start, voice.position - start)
        self._line_sample += self._frame
        return Pulled(content, began=voice if start == 0 else None, finished=tuple(finished))

    def pass_silence(self) -> None:
        """Count a frame of comfort silence."""
        self._line_sample += self._frame

    def _is_heard_out(self, voice: Voice) -> bool:
        if not voice.is_spent:
            return False
        if self._far_side is None or self.played(voice) >= voice.position:
            return True
        last = next((span for span in reversed(self._spans) if span.voice is voice), None)
        return last is None or self._line_sample - last.line_sample - last.n_samples > self._far_side_limit

    # -- what was heard ------------------------------------------------------------------------------------------------

    def _record_span(self, voice: Voice, first_sample: int, n_samples: int) -> None:
        last = self._spans[-1] if self._spans else None
        if (
            last is not None
            and last.voice is voice
            and not last.is_void
            and last.line_sample + last.n_samples == self._line_sample
            and last.first_sample + last.n_samples == first_sample
        ):
            last.n_samples += n_samples
        else:
            self._spans.append(Span(voice, self._line_sample, first_sample, n_samples))

    def played_up_to(self, line_sample: int) -> None:
        """The far side has played everything before that sample of the line's clock."""
        line_sample = min(line_sample, self._line_sample)
        if self._far_side is None:
            self._on_first_report(line_sample)
        elif line_sample <= self._far_side:
            return
        before, self._far_side = self._far_side or 0, line_sample
        for span in self._spans:
            end = span.line_sample + span.n_samples
            if span.is_void and line_sample > end:
                continue  # the far side jumped past this span: its last report says how much was played
            reached = min(line_sample, end) - span.line_sample
            if reached > 0 and line_sample > before:
                turn_id = span.voice.turn_id
                self._played[turn_id] = max(self._played.get(turn_id, 0), span.first_sample + reached)
        while self._spans and self._spans[0].line_sample + self._spans[0].n_samples <= line_sample:
            self._spans.popleft()

    def _on_first_report(self, line_sample: int) -> None:
        """Take the first report of a far side: frames sent before count as played from here on."""
        voice = self.current
        if voice is not None and voice.position > 0:
            behind = self._line_sample - line_sample
            self._played[voice.turn_id] = max(0, voice.position - behind)
            self._spans.append(Span(voice, self._line_sample - voice.position, 0, voice.position))

    def played(self, voice: Voice) -> int:
        """Samples of that voice the caller has heard, from its first."""
        if self._far_side is None:
            return voice.furthest
        return min(self._played.get(voice.turn_id, 0), voice.furthest)

    def discard_sent(self) -> bool:
        """Discard what was sent and not played; the voice goes on from what was played. False: nothing to discard."""
        voice = self.current
        if self._far_side is None or voice is None:
            return False
        for span in self._spans:
            span.is_void = True
        voice.rewind(self.played(voice))
        return True
