"""The open utterance, and the requests to the engine about it."""

from dataclasses import dataclass, field

from services.stt_proxy.end_of_turn.evidence import Judgement
from services.stt_proxy.engine import Heard, Span


@dataclass(frozen=True, slots=True)
class Ask:
    """Have the engine put these spans into words."""

    request_id: int
    utterance_id: int
    spans: tuple[Span, ...]
    not_before: int  # sound before this sample belongs to the utterance before
    is_final: bool
    trigger_ns: int  # when the sound or the request that led to it arrived, monotonic


@dataclass(slots=True)
class OpenUtterance:
    """An utterance that has not been ended."""

    utterance_id: int
    not_before: int  # where the speech of the utterance before ended
    spans: list[Span] = field(default_factory=list)  # finished stretches of speech
    speaking_since: int | None = None
    n_drafts: int = 0
    text: Heard | None = None
    text_spans: tuple[Span, ...] = ()  # what the text covers
    draft: Ask | None = None  # asked for and not answered
    sounds_over: float | None = None  # at the last pause, by the voice
    is_too_long: bool = False  # it was closed in mid-speech
    last_judgement: Judgement | None = None  # by the newest words

    @property
    def n_samples(self) -> int:
        """Of finished speech."""
        return sum(span.end_sample - span.start_sample for span in self.spans)

    @property
    def first_sample(self) -> int | None:
        """Of speech, finished or not; None when there is none."""
        return self.spans[0].start_sample if self.spans else self.speaking_since

    def is_all(self, spans: tuple[Span, ...]) -> bool:
        """Return whether these spans are all the speech there is, and the caller has paused."""
        return tuple(self.spans) == spans and self.speaking_since is None

    def split(self, end_sample: int) -> tuple[tuple[Span, ...], "OpenUtterance"]:
        """End the utterance at a sample; return the utterance before it and the one that goes on behind."""
        rest = OpenUtterance(self.utterance_id + 1, self.not_before)
        before: list[Span] = []
        for span in self.spans:
            if span.start_sample < end_sample:
                before.append(Span(span.start_sample, min(span.end_sample, end_sample)))
            if span.end_sample > end_sample:
                rest.spans.append(Span(max(span.start_sample, end_sample), span.end_sample))
        if self.speaking_since is not None:
            if self.speaking_since < end_sample:
                before.append(Span(self.speaking_since, end_sample))
            rest.speaking_since = max(self.speaking_since, end_sample)
        if before:
            rest.not_before = before[-1].end_sample
        return tuple(before), rest

    def forget(self, from_sample: int, to_sample: int) -> bool:
        """The stretch was no speech. True when speech that is going on began in it and must be detected again."""
        self.spans = [part for span in self.spans for part in _without(span, from_sample, to_sample)]
        since = self.speaking_since
        if since is not None and since < from_sample < to_sample:
            self.spans.append(Span(since, from_sample))
            self.speaking_since = to_sample  # where the speech ends before that, nothing was said behind the stretch
        is_begun_again = since is not None and from_sample <= since < to_sample
        if is_begun_again:
            self.speaking_since = None
        if self.first_sample is None:  # nothing was said yet: what was tried on an echo is not held against the caller
            self.n_drafts = 0
            self.last_judgement = None
        return is_begun_again


def _without(span: Span, from_sample: int, to_sample: int) -> list[Span]:
    parts = [
        Span(span.start_sample, min(span.end_sample, from_sample)),
        Span(max(span.start_sample, to_sample), span.end_sample),
    ]
    return [part for part in parts if part.start_sample < part.end_sample]
