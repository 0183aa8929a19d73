"""Step sizing: the number of tokens in a decode step, from measured times of steps. Sans-IO.

A step that also decodes a reply is kept under 40 ms, or under 1.5 times a decode-only step where that is longer:
no reply stutters. A step of prompts alone may take four times as long (a cancel is seen between steps), one that only
reads ahead twice as long (a turn that comes must wait for its end).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import log

SHARED_STEP_S = 0.040
DECODE_ONLY_FACTOR = 1.5
LONE_FACTOR, AHEAD_FACTOR = 4.0, 2.0
LEAST_LEAD_S, LEAD_STEPS = 0.5, 1.5
MANY_PROMPTS = 6  # that wait at once
LEAST_TOKENS = 16  # of a prompt in a step, however slow: every prompt must make progress
_LEAST_LONE_TOKENS = 32
_UNMEASURED = {"shared": 32, "lone": 64, "ahead": 24}  # tuned on two CPU cores with 0.5 billion parameters
_WEIGHT_NEAR, _WEIGHT_FAR = 0.1, 0.02  # of one step, in the time of the size nearest to it and in those of the others
_LEAST_RATIO, _MOST_RATIO = 0.1, 10.0


class StepPace:
    """Sizes of steps. Without measured times they are those of a small model on two CPU cores."""

    def __init__(self, seconds: Mapping[int, float] | None = None, *, most_tokens: int = 0) -> None:
        """`seconds`: of a step, by its tokens; `most_tokens`: of any step, 0: as many as were measured."""
        self._sizes = sorted(seconds or {})
        self._seconds = [(seconds or {})[size] for size in self._sizes]
        self._straighten(0)
        self._most_tokens = most_tokens or max(self._sizes, default=0)

    @property
    def is_measured(self) -> bool:
        return len(self._sizes) > 1

    def note(self, n_tokens: int, took_s: float) -> None:
        """A step has been run. The pace follows a machine that gets busier or quieter than it was at the start."""
        if not self.is_measured or n_tokens < 1:
            return
        ratio = min(max(took_s / max(self._time_of(n_tokens), 1e-6), _LEAST_RATIO), _MOST_RATIO)
        nearest = min(range(len(self._sizes)), key=lambda i: abs(log(self._sizes[i] / n_tokens)))
        for i in range(len(self._sizes)):
            self._seconds[i] *= ratio ** (_WEIGHT_NEAR if i == nearest else _WEIGHT_FAR)
        self._straighten(nearest)

    def shared_limit_s(self, n_speaking: int) -> float:
        """Return the longest time of a step that decodes so many replies, in seconds."""
        return max(SHARED_STEP_S, DECODE_ONLY_FACTOR * self._time_of(max(n_speaking, 1)))

    def shared_tokens(self, n_speaking: int) -> int:
        """Return the tokens of prompts in a step that also decodes so many replies."""
        if not self.is_measured:
            return _UNMEASURED["shared"]
        return max(LEAST_TOKENS, self._tokens_in(self.shared_limit_s(n_speaking)) - n_speaking)

    def lone_tokens(self) -> int:
        """Return the tokens in a step of prompts only."""
        if not self.is_measured:
            return _UNMEASURED["lone"]
        return max(_LEAST_LONE_TOKENS, self._tokens_in(LONE_FACTOR * self.shared_limit_s(1)))

    def lead_s(self, n_prompts: int) -> float:
        """Return how many seconds a reply must be ahead of its speech to be left out of a step in favour of so many
        prompts: the steps that these may then take, and more where the prompts are few, since little is gained then.
        """
        steps_s = max(LEAST_LEAD_S, LEAD_STEPS * self._time_of(self.lone_tokens()))
        return steps_s * max(1.0, MANY_PROMPTS / max(n_prompts, 1))

    def ahead_tokens(self) -> int:
        """Return the tokens in a step that only reads ahead."""
        if not self.is_measured:
            return _UNMEASURED["ahead"]
        return max(LEAST_TOKENS, self._tokens_in(AHEAD_FACTOR * self.shared_limit_s(1)))

    def describe(self) -> dict[str, float]:
        """Return the sizes for the log."""
        return {
            "decode_only_ms": round(1000 * self._time_of(1), 1),
            "shared_tokens": self.shared_tokens(1),
            "lone_tokens": self.lone_tokens(),
            "ahead_tokens": self.ahead_tokens(),
        }

    def _straighten(self, known: int) -> None:
        """Make the times rise with the size: a bigger step takes no less than a smaller one. The `known` size is
        right.
        """
        for i in range(known + 1, len(self._seconds)):
            self._seconds[i] = max(self._seconds[i], self._seconds[i - 1])
        for i in range(known - 1, -1, -1):
            self._seconds[i] = min(self._seconds[i], self._seconds[i + 1])

    def _time_of(self, n_tokens: int) -> float:
        """Return the time of a size by linear interpolation between the two measured sizes beside it."""
        if not self._sizes:
            return 0.0
        i = bisect_left(self._sizes, n_tokens)
        if i < len(self._sizes) and self._sizes[i] == n_tokens:
            return self._seconds[i]
        i = min(max(i, 1), len(self._sizes) - 1) if self.is_measured else 0
        if i == 0:
            return self._seconds[0]
        low, high = self._sizes[i - 1], self._sizes[i]
        slope = (self._seconds[i] - self._seconds[i - 1]) / (high - low)
        return max(self._seconds[i - 1] + slope * (n_tokens - low), 0.0)

    def _tokens_in(self, limit_s: float) -> int:
        """Return the most tokens whose step keeps to a limit."""
        if limit_s > self._seconds[-1]:
            slope = (self._seconds[-1] - self._seconds[-2]) / (self._sizes[-1] - self._sizes[-2])
            beyond = (limit_s - self._seconds[-1]) / slope if slope > 0 else 0.0
            return max(self._sizes[-1], int(min(self._sizes[-1] + beyond, self._most_tokens)))
        for i in range(len(self._sizes) - 1, 0, -1):
            low, high = self._seconds[i - 1], self._seconds[i]
            if high <= limit_s:
                return self._sizes[i]
            if low <= limit_s:
                share = (limit_s - low) / (high - low)
                return self._sizes[i - 1] + int(share * (self._sizes[i] - self._sizes[i - 1]))
        return self._sizes[0]


def sizes_to_measure(most_tokens: int) -> Iterator[int]:
    """Return 1, 8, 16 and so on up to the largest step."""
    yield 1
    size = 8
    while size < most_tokens:
        yield size
        size *= 2
    if most_tokens > 1:
        yield most_tokens
