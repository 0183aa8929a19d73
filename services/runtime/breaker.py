"""Circuit breaker of one provider: an engine, or a server behind one, that others can stand in for. Sans-IO.

The breaker is CLOSED while the provider does well. Failures or slow answers above a rate OPEN it: the provider rests
and is asked nothing. After the rest it is HALF_OPEN: single requests probe it, and either close it or open it for
twice the rest. `now` is in seconds of any clock that only grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class ErrorClass(Enum):
    """The meaning of a failure for the provider."""

    TRANSIENT = "transient"  # it may do better next time: 5xx, a broken connection, a stall, an answer cut off
    OVERLOADED = "overloaded"  # it asks for a pause: 429, 503 with Retry-After
    FATAL = "fatal"  # nothing gets better by asking again: a key, a certificate, a model that is not there
    REQUEST = "request"  # the request is at fault, or a content filter: it says nothing of the provider


class BreakerState(Enum):
    """State of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class _Event(Enum):
    TRIPPED = 1
    REST_OVER = 2
    PROBE_FAILED = 3
    PROBES_PASSED = 4
    RESET = 5


_MOVES = {
    (BreakerState.CLOSED, _Event.TRIPPED): BreakerState.OPEN,
    (BreakerState.OPEN, _Event.TRIPPED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, _Event.TRIPPED): BreakerState.OPEN,
    (BreakerState.OPEN, _Event.REST_OVER): BreakerState.HALF_OPEN,
    (BreakerState.HALF_OPEN, _Event.PROBE_FAILED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, _Event.PROBES_PASSED): BreakerState.CLOSED,
    (BreakerState.OPEN, _Event.RESET): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, _Event.RESET): BreakerState.CLOSED,
}


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The thresholds and times at which a breaker opens and closes."""

    window: int = 20  # the last outcomes that count
    window_s: float = 60.0  # older ones do not count
    least_failures: int = 2
    failure_rate: float = 0.5  # of the window
    slow_s: float = 2.0  # an answer that takes longer to begin is slow
    least_slow: int = 4
    slow_rate: float = 0.8  # of the window
    rest_s: float = 5.0  # of the first opening; each failed probe doubles it
    longest_rest_s: float = 60.0
    longest_asked_rest_s: float = 600.0  # that a provider may ask for with Retry-After
    probes_at_once: int = 1
    probes_to_close: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """Leave to ask the provider once. Each is given back: by `on_success`, `on_failure` or `release`."""

    epoch: int  # of the breaker's state; what comes back from an earlier one does not count
    is_probe: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    at: float
    is_failure: bool
    is_slow: bool


class Breaker:
    """One provider's breaker."""

    def __init__(
        self,
        policy: BreakerPolicy | None = None,
        on_move: Callable[[BreakerState, BreakerState, str], None] = lambda was, now, cause: None,
    ) -> None:
        """`on_move(was, is, cause)` is called at each change of state; `cause` is one short line."""
        self.policy = policy or BreakerPolicy()
        self.state = BreakerState.CLOSED
        self.cause = ""  # of the last opening
        self._on_move = on_move
        self._outcomes: deque[_Outcome] = deque(maxlen=self.policy.window)
        self._epoch = 0
        self._opens_until = 0.0
        self._rest_s = self.policy.rest_s
        self._n_probing = 0
        self._n_passed = 0

    def admit(self, now: float) -> Permit | None:
        """Leave to ask the provider now; None: ask another one."""
        if self.state is BreakerState.CLOSED:
            return Permit(self._epoch, is_probe=False)
        if self.state is BreakerState.OPEN and now >= self._opens_until:
            self._move(_Event.REST_OVER, "the rest is over")
        if self.state is BreakerState.HALF_OPEN and self._n_probing < self.policy.probes_at_once:
            self._n_probing += 1
            return Permit(self._epoch, is_probe=True)
        return None

    def is_open(self, now: float) -> bool:
        """Return whether `admit` would say no; changes nothing."""
        if self.state is BreakerState.OPEN:
            return now < self._opens_until
        return self.state is BreakerState.HALF_OPEN and self._n_probing >= self.policy.probes_at_once

    def rests_for_s(self, now: float) -> float:
        """Seconds until the provider is asked again; 0 when it may be asked."""
        return max(0.0, self._opens_until - now) if self.state is BreakerState.OPEN else 0.0

    def on_success(self, permit: Permit, *, now: float, took_s: float = 0.0) -> None:
        """The provider did what was asked; `took_s`: seconds until its answer began."""
        is_slow = took_s > self.policy.slow_s
        if not self._takes_back(permit):
            return
        if permit.is_probe:
            self._on_probe(is_slow, now, f"a probe took {took_s:.1f} s")
            return
        self._note(_Outcome(now, is_failure=False, is_slow=is_slow))
        self._judge(now, "slow answers")

    def on_failure(
        self, permit: Permit, error_class: ErrorClass, *, now: float, cause: str = "", retry_after_s: float = 0.0
    ) -> None:
        """The provider failed; `retry_after_s`: the pause it asked for."""
        if not self._takes_back(permit) or error_class is ErrorClass.REQUEST:
            return
        cause = cause or error_class.value
        if error_class is ErrorClass.FATAL:
            self._open(_Event.TRIPPED, now, self.policy.longest_rest_s, cause)
        elif error_class is ErrorClass.OVERLOADED and retry_after_s > 0:
            self._open(_Event.TRIPPED, now, min(retry_after_s, self.policy.longest_asked_rest_s), cause)
        elif permit.is_probe:
            self._on_probe(True, now, cause)
        else:
            self._note(_Outcome(now, is_failure=True, is_slow=False))
            self._judge(now, cause)

    def release(self, permit: Permit) -> None:
        """The request was given up on our side: it says nothing of the provider."""
        self._takes_back(permit)

    def trip(self, *, now: float, seconds: float, cause: str) -> None:
        """Open for so many seconds whatever the provider does: a drill, or an engine that is lost."""
        self._open(_Event.TRIPPED, now, seconds, cause)

    def reset(self) -> None:
        """Close, and forget what was."""
        self._outcomes.clear()
        self._rest_s = self.policy.rest_s
        self._move(_Event.RESET, "reset")

    def _takes_back(self, permit: Permit) -> bool:
        """Return whether the permit is of the present state: late news of an earlier one has no effect."""
        if permit.epoch != self._epoch:
            return False
        if permit.is_probe:
            self._n_probing -= 1
        return True

    def _note(self, outcome: _Outcome) -> None:
        self._outcomes.append(outcome)
        while self._outcomes and self._outcomes[0].at < outcome.at - self.policy.window_s:
            self._outcomes.popleft()

    def _judge(self, now: float, cause: str) -> None:
        policy, n = self.policy, len(self._outcomes)
        n_failed = sum(outcome.is_failure for outcome in self._outcomes)
        n_slow = sum(outcome.is_slow for outcome in self._outcomes)
        if n_failed >= policy.least_failures and n_failed >= policy.failure_rate * n:
            self._open(_Event.TRIPPED, now, self._rest_s, cause)
        elif n_slow >= policy.least_slow and n_slow >= policy.slow_rate * n:
            self._open(_Event.TRIPPED, now, self._rest_s, f"{n_slow} of {n} answers began after {policy.slow_s:g} s")

    def _on_probe(self, has_failed: bool, now: float, cause: str) -> None:
        if has_failed:
            self._rest_s = min(2 * self._rest_s, self.policy.longest_rest_s)
            self._open(_Event.PROBE_FAILED, now, self._rest_s, cause)
            return
        self._n_passed += 1
        if self._n_passed >= self.policy.probes_to_close:
            self._outcomes.clear()
            self._rest_s = self.policy.rest_s
            self._move(_Event.PROBES_PASSED, "probes passed")

    def _open(self, event: _Event, now: float, rest_s: float, cause: str) -> None:
        self._outcomes.clear()
        self._opens_until = now + rest_s
        self.cause = cause
        self._move(event, cause)

    def _move(self, event: _Event, cause: str) -> None:
        following = _MOVES.get((self.state, event))
        if following is None:
            return
        was, self.state = self.state, following
        self._epoch += 1
        self._n_probing = self._n_passed = 0
        if was is not following:
            self._on_move(was, following, cause)
