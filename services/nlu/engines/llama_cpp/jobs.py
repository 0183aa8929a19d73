"""Jobs of the scheduler: replies to make and messages to read ahead."""

from __future__ import annotations

import codecs
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from services.nlu.engine import Message, ReplyPart, Sampling
from services.nlu.engines.llama_cpp.constrained import ConstrainedCalls
from services.nlu.engines.llama_cpp.slots import CacheSlot
from services.runtime.errors import TurnFailed

SPOKEN_LETTERS_S = 15.0
"""Characters of an alphabet that are spoken in a second: of English and Vietnamese 15, of Russian 11 to 13."""
SPOKEN_SIGNS_S = 4.7
"""Characters of a script that has a sign for a syllable or a word, in a second: of Chinese."""
_SIGNS = frozenset("WF")  # values of East Asian Width, Unicode Standard Annex 11


@dataclass(slots=True, eq=False)
class Job:
    """One reply to make, or with no tokens to make only messages to read.

    The fields after `is_cancelled` belong to the scheduler. A job that gives up its slot goes on later from what it
    has made.
    """

    conversation: str  # empty: an opening that every conversation shares
    messages: tuple[Message, ...]
    max_tokens: int
    is_draft: bool  # cleared from any thread when the draft is committed, seen before the next step
    give: Callable[[ReplyPart | TurnFailed | None], None]  # called in the worker's thread; None: the end
    begun: str = ""  # the answer's first words, made elsewhere: what is made follows them
    calls: ConstrainedCalls | None = None  # where tools may be called
    max_call_tokens: int = 0  # of calls, beside `max_tokens` of words
    sampling: Sampling = field(default_factory=Sampling)
    deadline_s: float | None = None  # on the clock of `Scheduler.run_step`: what is made by then is the reply
    is_cancelled: bool = False  # set from any thread, seen before the next step
    prompt: list[int] | None = None
    made: list[int] = field(default_factory=list)
    text: str = ""
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="ignore")  # half a character is left out
    )
    has_begun: bool = False
    sampler: int | None = None  # of the model's; None: none is open
    due_at: int = -1  # its place among the prompts, in tokens of prompts read by then; below 0: it has none yet
    speaks_since_s: float | None = None  # when its first text was made, on the clock of `Scheduler.run_step`
    text_s: float = 0.0  # seconds that `text` takes to be spoken, its calls aside
    last_token_s: float = 0.0  # when its last token was made, on the same clock

    @property
    def reads_ahead(self) -> bool:
        return self.max_tokens == 0

    @property
    def most_tokens(self) -> int:
        """Most tokens of the reply, words and calls."""
        return self.max_tokens + self.max_call_tokens

    @property
    def is_full(self) -> bool:
        """Return whether the words or the calls have come to their bound."""
        n_call_tokens = self.calls.n_call_tokens if self.calls else 0
        return len(self.made) - n_call_tokens >= self.max_tokens or (
            self.max_call_tokens > 0 and n_call_tokens >= self.max_call_tokens
        )

    @property
    def is_in_call(self) -> bool:
        return self.calls is not None and self.calls.is_in_call

    @property
    def is_opening(self) -> bool:
        return not self.conversation

    def lead_s(self, now: float) -> float:
        """Lead of the reply: seconds for which its text so far is still being spoken, if the first text was spoken at
        once. 0 within a call of a tool, for whose result the caller waits.
        """
        if self.is_in_call:
            return 0.0
        spoken_s = 0.0 if self.speaks_since_s is None else now - self.speaks_since_s
        return self.text_s - spoken_s

    @property
    def rank(self) -> int:
        """0 for a committed turn, 1 for a draft, 2 for reading ahead: lower goes first."""
        return 2 if self.reads_ahead else 1 if self.is_draft else 0

    def is_made_void_by(self, later: Job) -> bool:
        """Return whether the later job reads the messages that this one only reads ahead."""
        return (
            self is not later and self.reads_ahead and not self.is_opening and self.conversation == later.conversation
        )


@dataclass(slots=True, eq=False)
class ActiveJob:
    """A job that has a slot."""

    job: Job
    slot: CacheSlot
    unread: deque[int]  # of the prompt, and of what was made before the job gave up an earlier slot
    cells: int  # reserved for it in the cache


def spoken_s(text: str) -> float:
    """Seconds that a text takes to be spoken, about: by the script of its characters."""
    n_signs = sum(unicodedata.east_asian_width(character) in _SIGNS for character in text)
    return n_signs / SPOKEN_SIGNS_S + (len(text) - n_signs) / SPOKEN_LETTERS_S


def busy() -> TurnFailed:
    return TurnFailed("ENGINE_BUSY", "the model's memory is full of other calls", True, retry_delay_ms=500)


def late() -> TurnFailed:
    return TurnFailed("ENGINE_BUSY", "the model did not come to this turn in time", True, retry_delay_ms=500)


def broken(error: Exception) -> TurnFailed:
    return TurnFailed("ENGINE_FAILED", f"{type(error).__name__}: {error}", is_retryable=True)
