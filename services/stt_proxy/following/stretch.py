"""Stretch: the words of one unbroken part of a call, known from one stream after another.

A recogniser's offsets are evidence, not truth: one that lies behind the sound that was fed, or is missing, counts as
not known; settled words may come twice or in another order than they were said.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.stt_proxy.engine import Segment
from services.stt_proxy.following.stream import OpenWords, SettledWords

LATE_MS = 1000  # words without a place came up at most so long behind the end of speech that they are taken to reach,
EARLY_MS = 300  # ... or so long before it


@dataclass(slots=True)
class Stretch:
    """One stretch of an utterance. Positions are samples of the call's clock."""

    utterance_id: int
    start_sample: int
    end_sample: int | None = None  # None: it goes on
    settled: list[Segment] = field(default_factory=list)  # in the order they were said
    open_text: str = ""
    open_end: int | None = None
    unplaced: tuple[str, int] | None = None  # the last settled words without offsets, and the sound fed then
    open_since: int | None = None  # the sound fed when the open words came up as they are
    open_stability: float | None = None
    open_confidence: float | None = None
    language_code: str = ""
    stream_start: int = 0  # where the sound of the current stream begins
    fed_to: int = 0
    listened_to: int = 0
    flushed_to: int = 0  # the words of all sound before this are known
    is_ended: bool = False  # its words are settled, all of them
    compute_us: int = 0

    def __post_init__(self) -> None:
        self.begin_stream(self.settled_to)

    # -- the streams that hear it --------------------------------------------------------------------------------------

    def begin_stream(self, from_sample: int) -> None:
        """A new stream recognises the stretch from here on; the open words are recognised again."""
        self.stream_start = self.fed_to = self.listened_to = self.flushed_to = from_sample
        self._close_open()

    @property
    def settled_to(self) -> int:
        """The end of the last settled word: what lies before need not be heard again."""
        return max([self.start_sample, *(segment.end_sample for segment in self.settled)])

    # -- what a stream says --------------------------------------------------------------------------------------------

    def listened(self, end_offset: int) -> None:
        """The stream has taken the sound up to here."""
        self.listened_to = max(self.listened_to, min(self.stream_start + end_offset, self.fed_to))

    def flushed(self, end_offset: int) -> None:
        """The words of all sound up to here have been said."""
        self.listened(end_offset)
        self.flushed_to = max(self.flushed_to, min(self.stream_start + end_offset, self.fed_to))

    def on_open_words(self, words: OpenWords) -> bool:
        """Take words that may change. False: they tell nothing new."""
        end = self._place(words.end_offset)
        if end is not None and end <= self.settled_to and self.settled:
            return False  # of sound whose words are settled
        if end is not None and self.open_end is not None and end < self.open_end:
            return False  # older than what is known
        self.language_code = words.language_code or self.language_code
        self.compute_us = words.compute_us
        has_changed = words.text != self.open_text
        if has_changed:
            self.open_since = self.fed_to
        self.open_text, self.open_stability, self.open_confidence = words.text, words.stability, words.confidence
        self.open_end = end if end is not None else self.open_end
        return has_changed

    def on_settled_words(self, words: SettledWords, speech_ends: Iterable[int], per_ms: int) -> bool:
        """Take words that will not change. False: they were known. `speech_ends`: where the detector found that the
        caller paused; words that do not say where they end are taken to reach the pause before which they came up.
        """
        end = self._place(words.end_offset)
        if end is None:
            if self.unplaced == (words.text, self.fed_to):
                return False  # told twice
            self.unplaced = (words.text, self.fed_to)
            end = self.open_end if self.open_end is not None else self._likely_end(speech_ends, per_ms)
        start = self._place(words.start_offset)
        start = min(end, start if start is not None else max(self.stream_start, self._end_before(end)))
        if any(one.end_sample == end and one.text == words.text for one in self.settled):
            return False
        self.language_code = words.language_code or self.language_code
        if words.closes_open or self._answers_open(words.text, end):
            self._close_open()
        if words.text:
            self.settled.append(Segment(words.text, start, end, words.confidence))
            self.settled.sort(key=lambda one: one.end_sample)
        return True

    def settle(self) -> None:
        """No stream reports more of the stretch: the open words stay as they are."""
        if self.open_text:
            end = self.open_end if self.open_end is not None else self.fed_to
            self.settled.append(Segment(self.open_text, self.settled_to, end, self.open_confidence))
            self.open_text = ""
        self.is_ended = True
        self.listened_to = self.fed_to

    def forget_from(self, sample: int) -> None:
        """Forget what was said from here on."""
        self.settled = [one for one in self.settled if one.end_sample <= sample]
        self._close_open()

    # -- what is known of it -------------------------------------------------------------------------------------------

    @property
    def texts(self) -> list[str]:
        """The settled words and the open ones, in order."""
        return [*(one.text for one in self.settled), *([self.open_text] if self.open_text else [])]

    @property
    def heard_to(self) -> int:
        """The words of all sound before this are known, as far as the recogniser says."""
        return max(self.flushed_to, self.open_end or self.start_sample, self.settled_to)

    def covers(self, sample: int, tolerance: int = 0) -> bool:
        """Return whether the words up to here are known."""
        wanted = sample if self.end_sample is None else min(sample, self.end_sample)
        return self.is_ended or self.heard_to >= wanted - tolerance

    def _place(self, offset: int | None) -> int | None:
        """Return the sample of an offset of the stream; None for an impossible offset."""
        if offset is None or offset <= 0:
            return None
        place = self.stream_start + offset
        return place if place <= self.fed_to else None

    def _likely_end(self, speech_ends: Iterable[int], per_ms: int) -> int:
        """Return where settled words without a place end: too far, and words behind would be lost at a break; too near,
        and they would be heard twice.
        """
        came_up = self.fed_to if self.open_since is None else self.open_since
        earliest = self.settled_to if self.open_since is None else max(self.settled_to, came_up - LATE_MS * per_ms)
        latest = min(self.fed_to, came_up + EARLY_MS * per_ms)
        ends = [end for end in speech_ends if earliest < end <= latest]
        return min(ends, key=lambda end: abs(end - came_up), default=came_up)

    def _close_open(self) -> None:
        self.open_text, self.open_end, self.open_since = "", None, None
        self.open_stability, self.open_confidence = None, None

    def _end_before(self, sample: int) -> int:
        return max((one.end_sample for one in self.settled if one.end_sample <= sample), default=self.start_sample)

    def _answers_open(self, text: str, end: int) -> bool:
        """Return whether the settled words are those that were open, and not older ones that come late."""
        if self.open_end is None or end >= self.open_end or not self.open_text:
            return True
        ours, theirs = self.open_text.lower().split(), text.lower().split()
        n_compared = min(len(ours), len(theirs), 3)
        alike = sum(1 for one, other in zip(ours, theirs, strict=False) if one.strip(".,?!") == other.strip(".,?!"))
        return alike * 2 >= n_compared
