"""The caller made a sound while the agent has the floor: an interruption, or a cough?

The agent is silent while this is decided. Sound that lasts, or confident words that are no backchannel, stop it for
good; a cough, noise or "uh-huh" lets it go on, and when nothing can be told it goes on too.
"""

from dataclasses import dataclass, field
from enum import Enum

from services.call_gateway.conversation.backchannels import backchannels
from services.call_gateway.conversation.settings import ConversationSettings
from services.language.words import normalise


class Verdict(Enum):
    """What the sound was. The values are the reasons in the turn record."""

    SUSTAINED_SPEECH = "sustained_speech"
    WORDS = "words"
    KEY = "key"
    BACKCHANNEL = "backchannel"
    NO_WORDS = "no_words"
    LOW_CONFIDENCE = "low_confidence"
    TOO_FEW_WORDS = "too_few_words"
    PAUSE_LIMIT = "pause_limit"
    HOLD = "hold"
    ECHO = "echo"

    @property
    def stops_agent(self) -> bool:
        return self in (Verdict.SUSTAINED_SPEECH, Verdict.WORDS, Verdict.KEY)


def judge_words(
    text: str,
    confidence: float | None,
    settings: ConversationSettings,
    *,
    min_words: int,
    is_answer_awaited: bool,
) -> Verdict:
    """What a text said over the agent's voice amounts to. An engine that gives no confidence is trusted. Where an
    answer is awaited, a backchannel is one.
    """
    words = normalise(text)
    if not words:
        return Verdict.NO_WORDS
    if is_answer_awaited and words in backchannels():
        return Verdict.WORDS
    if words in backchannels():
        return Verdict.BACKCHANNEL
    if confidence is not None and confidence < settings.barge_in_min_confidence:
        return Verdict.LOW_CONFIDENCE
    if len(words) < min_words:
        return Verdict.TOO_FEW_WORDS
    return Verdict.WORDS


@dataclass(slots=True)
class Overlap:
    """One stretch of doubt: from the sound that silenced the agent to the verdict."""

    settings: ConversationSettings
    began_sample: int
    paused_at: float  # seconds
    samples_per_ms: float
    echo_looks: int = 0  # how often it was compared with our own voice since it began
    _sounding_since: int | None = field(init=False)
    _sounded: int = field(init=False, default=0)  # samples of speech in bursts that are over

    def __post_init__(self) -> None:
        self._sounding_since = self.began_sample

    @property
    def is_sounding(self) -> bool:
        return self._sounding_since is not None

    def speech_began(self, sample: int) -> None:
        """Another burst."""
        if self._sounding_since is None:
            self._sounding_since = sample

    def speech_stopped(self, sample: int) -> None:
        """The burst is over."""
        if self._sounding_since is not None:
            self._sounded += max(0, sample - self._sounding_since)
            self._sounding_since = None

    def by_clock(self, sample: int) -> Verdict | None:
        """The verdict of the caller's media clock: speech that lasts."""
        sounded = self._sounded
        if self._sounding_since is not None:
            sounded += max(0, sample - self._sounding_since)
        lasts = sounded >= self.settings.barge_in_min_speech_ms * self.samples_per_ms
        return Verdict.SUSTAINED_SPEECH if lasts else None

    def by_wall(self, now: float) -> Verdict | None:
        """The verdict when time is up. While the sound goes on, its length decides; should the caller's clock stand
        still meanwhile, it gets as long again and no longer.
        """
        limit = self.deadline
        return Verdict.PAUSE_LIMIT if now >= limit else None

    @property
    def deadline(self) -> float:
        """When `by_wall` speaks, in seconds."""
        limit_s = self.settings.pause_limit_ms / 1000
        return self.paused_at + (2 * limit_s if self.is_sounding else limit_s)
