"""The providers of one stage's chains: their breakers, and what metrics, DescribeEngine and a drill see of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from voice.type.v1 import engine_pb2

from services.runtime.breaker import Breaker, BreakerPolicy, BreakerState, ErrorClass, Permit
from services.runtime.errors import NotFoundError, PermissionDeniedError, RequestError, TurnFailed
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

LONGEST_DRILL_S = 3600.0
_NEVER_S = 10 * 365 * 86400.0  # until the process starts again
_MAX_CAUSE_CHARS = 200

log = get_logger(__name__)


class ProviderFailed(TurnFailed):
    """A turn's engine failed in a way that says something of the provider behind it."""

    def __init__(
        self,
        reason: str,
        message: str,
        error_class: ErrorClass,
        *,
        retry_after_s: float = 0.0,
        is_retryable: bool = True,
    ) -> None:
        super().__init__(reason, message, is_retryable, retry_delay_ms=round(min(retry_after_s, 60.0) * 1000))
        self.error_class = error_class
        self.retry_after_s = retry_after_s


class DrillsOff(PermissionDeniedError):
    """Drills are not allowed on this server."""

    reason = "DRILLS_OFF"


class UnknownProvider(NotFoundError):
    """No chain of this stage has a provider of this name."""

    reason = "UNKNOWN_PROVIDER"


class BadDrill(RequestError):
    """A drill of a length that cannot be."""

    reason = "BAD_DRILL"


@dataclass(slots=True, eq=False)
class Provider:
    """One engine of a chain."""

    name: str
    model: str
    breaker: Breaker
    metrics: StageMetrics
    clock: Callable[[], float]
    n_switches: int = 0  # turns that it handed over to another provider
    lost: str = ""  # why it does not serve until the process starts again; empty: it is not lost
    _asked: int = field(default=0)

    def admit(self) -> Permit | None:
        """Leave to ask it now."""
        return None if self.lost else self.breaker.admit(self.clock())

    def succeeded(self, permit: Permit | None, *, took_s: float) -> None:
        self.metrics.provider_requests_total(self.name, "ok").inc()
        if permit is not None:
            self.breaker.on_success(permit, now=self.clock(), took_s=took_s)

    def failed(self, permit: Permit | None, error: Exception) -> None:
        """`error`: a ProviderFailed says its class; a TurnFailed that is not retryable is the request's fault."""
        error_class, retry_after_s = _class_of(error)
        self.metrics.provider_requests_total(self.name, error_class.value).inc()
        if permit is not None:
            cause = " ".join(str(error).split())[:_MAX_CAUSE_CHARS] or type(error).__name__
            now = self.clock()
            self.breaker.on_failure(permit, error_class, now=now, cause=cause, retry_after_s=retry_after_s)

    def released(self, permit: Permit | None) -> None:
        """Given up on our side before it answered."""
        self.metrics.provider_requests_total(self.name, "released").inc()
        if permit is not None:
            self.breaker.release(permit)

    def lose(self, why: str) -> None:
        """The provider is lost: it did not load, or its thread has ended."""
        self.lost = why
        self.breaker.trip(now=self.clock(), seconds=_NEVER_S, cause=why)

    def handed_over(self, to: Provider, why: str) -> None:
        """A turn goes on with another provider."""
        self.n_switches += 1
        self.metrics.provider_switches_total(self.name, to.name).inc()
        log.warning("provider_switched", provider=self.name, to=to.name, why=why)

    def describe(self) -> engine_pb2.Provider:
        """Return the provider's part of DescribeEngine's answer."""
        rests_s = self.breaker.rests_for_s(self.clock())
        return engine_pb2.Provider(
            name=self.name,
            model=self.model,
            state=engine_pb2.Provider.STATE_LOST if self.lost else _STATES[self.breaker.state],
            retry_delay_ms=0 if self.lost else round(rests_s * 1000),
            cause=self.lost or (self.breaker.cause if self.breaker.state is not BreakerState.CLOSED else ""),
            switches=self.n_switches,
        )


class ProviderBoard:
    """Every provider of a stage, by name."""

    def __init__(
        self, metrics: StageMetrics, policy: BreakerPolicy | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics, self._policy, self._clock = metrics, policy or BreakerPolicy(), clock
        self._providers: dict[str, Provider] = {}

    def add(self, name: str, model: str = "") -> Provider:
        """A provider, closed."""

        def moved(was: BreakerState, state: BreakerState, cause: str) -> None:
            self._metrics.provider_state(name).set(_LEVELS[state])
            self._metrics.provider_moves_total(name, state.value).inc()
            log.warning("provider_state_changed", provider=name, was=was.value, state=state.value, cause=cause)

        self._metrics.provider_state(name).set(_LEVELS[BreakerState.CLOSED])
        provider = Provider(name, model, Breaker(self._policy, moved), self._metrics, self._clock)
        self._providers[name] = provider
        return provider

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._providers.values())

    def __getitem__(self, name: str) -> Provider:
        return self._providers[name]

    def __len__(self) -> int:
        return len(self._providers)

    def describe(self) -> list[engine_pb2.Provider]:
        return [provider.describe() for provider in self._providers.values()]

    def trip(self, name: str, duration_ms: int, *, is_allowed: bool) -> list[engine_pb2.Provider]:
        """A drill: take a provider out for so long; 0 milliseconds ends a drill. Returns all of them.

        Raises DrillsOff, UnknownProvider, BadDrill.
        """
        if not is_allowed:
            raise DrillsOff("drills are off here: set TONG_DAI_DRILLS=true")
        if name not in self._providers:
            raise UnknownProvider(
                f"no provider is called {name[:64]!r}; there are {', '.join(self._providers) or 'none'}",
                field="provider",
            )
        if not 0 <= duration_ms <= LONGEST_DRILL_S * 1000:
            raise BadDrill(f"duration_ms: send 0 to {LONGEST_DRILL_S * 1000:.0f}", field="duration_ms")
        breaker = self._providers[name].breaker
        if duration_ms and not self._providers[name].lost:
            breaker.trip(now=self._clock(), seconds=duration_ms / 1000, cause="drill")
        elif not self._providers[name].lost:
            breaker.reset()
        return self.describe()


_LEVELS = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
_STATES = {
    BreakerState.CLOSED: engine_pb2.Provider.STATE_CLOSED,
    BreakerState.HALF_OPEN: engine_pb2.Provider.STATE_HALF_OPEN,
    BreakerState.OPEN: engine_pb2.Provider.STATE_OPEN,
}


def _class_of(error: Exception) -> tuple[ErrorClass, float]:
    if isinstance(error, ProviderFailed):
        return error.error_class, error.retry_after_s
    if isinstance(error, TurnFailed) and not error.is_retryable:
        return ErrorClass.REQUEST, 0.0
    return ErrorClass.TRANSIENT, 0.0
