"""The figures every service shows to Prometheus. All carry the label `stage`: stt, nlu, tts or call."""

import asyncio
import time

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1, 2, 5, 10)
EXPLAINED_REASONS = frozenset({"CAPACITY", "TENANT_QUOTA", "CALLER_QUOTA", "DRAINING", "LOADING", "STREAM_IDLE"})
"""The reasons why a healthy server refuses or ends what it could serve at another time."""
LAG_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)

_FIRST_OUTPUT = Histogram(
    "voice_first_output_seconds",
    "From the message that completed the first unit of work to a turn's first output.",
    ["stage"],
    buckets=LATENCY_BUCKETS_S,
)
_QUEUE = Histogram(
    "voice_queue_seconds", "Waiting for a worker, a batch or a slot, a turn.", ["stage"], buckets=LATENCY_BUCKETS_S
)
_COMPUTE = Histogram("voice_compute_seconds", "Working, a turn.", ["stage"], buckets=LATENCY_BUCKETS_S)
_OPEN_STREAMS = Gauge("voice_open_streams", "Streams open now.", ["stage"])
_ERRORS = Counter(
    "voice_errors_total", "Streams, unary calls and turns that failed here, by reason.", ["stage", "reason"]
)
_FAILURES = Counter(
    "voice_failures_total",
    "Of voice_errors_total those that neither load, a quota, a start, a drain nor a quiet stream explains.",
    ["stage"],
)
_CLIENT_ERRORS = Counter(
    "voice_client_errors_total",
    "Streams, unary calls and turns that were refused as their client's fault.",
    ["stage", "reason"],
)
_QUEUE_DROPPED = Counter("voice_queue_dropped_total", "Items a bounded queue dropped by its rule.", ["stage", "queue"])
_UNKNOWN_REQUESTS = Counter("voice_unknown_requests_total", "Requests of a kind this server does not know.", ["stage"])
_FENCED_MESSAGES = Counter("voice_fenced_messages_total", "Messages dropped because their turn is fenced.", ["stage"])
_PROVIDER_STATE = Gauge(
    "voice_provider_state", "Breaker of a provider: 0 closed, 1 half open, 2 open.", ["stage", "provider"]
)
_PROVIDER_MOVES = Counter(
    "voice_provider_moves_total", "Changes of a provider's breaker, by the new state.", ["stage", "provider", "state"]
)
_PROVIDER_REQUESTS = Counter(
    "voice_provider_requests_total", "Requests to a provider, by what became of them.", ["stage", "provider", "outcome"]
)
_PROVIDER_SWITCHES = Counter(
    "voice_provider_switches_total",
    "Turns or streams one provider handed over to another.",
    ["stage", "provider", "to"],
)
_SPEECH_CACHE = Counter(
    "voice_speech_cache_total",
    "Clauses by what the cache of speech had of them: hit, miss, forbidden, or off where none may be kept.",
    ["stage", "outcome"],
)
_SPEECH_CACHE_BYTES = Gauge("voice_speech_cache_bytes", "Size of the cache of speech.", ["stage"])
_LOOP_LAG = Histogram(
    "voice_event_loop_lag_seconds", "How late the event loop woke a timer.", ["stage"], buckets=LAG_BUCKETS_S
)
_LOOP_LAG_NOW = Gauge("voice_event_loop_lag_last_seconds", "The last lag measured.", ["stage"])
_BUILD_INFO = Gauge("voice_build_info", "Always 1; the labels say what runs.", ["stage", "version", "python", "grpc"])


def stage_of(full_name: str) -> str:
    """The stage of a service: "tts" for "voice.tts.v1.TtsService"."""
    return full_name.split(".")[1]


class StageMetrics:
    """The figures of one stage. Two of the same stage in one process share them."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.first_output_seconds = _FIRST_OUTPUT.labels(stage)
        self.queue_seconds = _QUEUE.labels(stage)
        self.compute_seconds = _COMPUTE.labels(stage)
        self.failures_total = _FAILURES.labels(stage)
        self.open_streams = _OPEN_STREAMS.labels(stage)
        self.unknown_requests_total = _UNKNOWN_REQUESTS.labels(stage)
        self.fenced_messages_total = _FENCED_MESSAGES.labels(stage)
        self.speech_cache_bytes = _SPEECH_CACHE_BYTES.labels(stage)
        self.event_loop_lag_seconds = _LOOP_LAG.labels(stage)
        self.event_loop_lag_last_seconds = _LOOP_LAG_NOW.labels(stage)

    def errors_total(self, reason: str) -> Counter:
        """The counter of one ErrorInfo or turn_end reason, where the fault is the server's."""
        return _ERRORS.labels(self.stage, reason)

    def count_error(self, reason: str, *, is_client_fault: bool = False) -> None:
        """Count a failed stream, unary call or turn by its reason."""
        if is_client_fault:
            self.client_errors_total(reason).inc()
            return
        self.errors_total(reason).inc()
        if reason not in EXPLAINED_REASONS:
            self.failures_total.inc()

    def client_errors_total(self, reason: str) -> Counter:
        """Count a failure whose fault is the client's: it raises no alert."""
        return _CLIENT_ERRORS.labels(self.stage, reason)

    def queue_dropped_total(self, queue: str) -> Counter:
        """The counter of one bounded queue."""
        return _QUEUE_DROPPED.labels(self.stage, queue)

    def speech_cache_total(self, outcome: str) -> Counter:
        """The counter of what the cache of speech had: "hit", "miss", "forbidden" or "off"."""
        return _SPEECH_CACHE.labels(self.stage, outcome)

    def provider_state(self, provider: str) -> Gauge:
        """The state of one provider's breaker."""
        return _PROVIDER_STATE.labels(self.stage, provider)

    def provider_moves_total(self, provider: str, state: str) -> Counter:
        """The counter of one provider's changes to a state."""
        return _PROVIDER_MOVES.labels(self.stage, provider, state)

    def provider_requests_total(self, provider: str, outcome: str) -> Counter:
        """The counter of one provider's requests with one outcome."""
        return _PROVIDER_REQUESTS.labels(self.stage, provider, outcome)

    def provider_switches_total(self, provider: str, to: str) -> Counter:
        """The counter of what one provider handed over to another."""
        return _PROVIDER_SWITCHES.labels(self.stage, provider, to)

    def show_build(self, *, version: str, python: str, grpc: str) -> None:
        """Publish what runs."""
        _BUILD_INFO.labels(self.stage, version, python, grpc).set(1)


LAG_PERIOD_S = 0.1


async def watch_loop_lag(metrics: StageMetrics) -> None:
    """Set a timer over and over and observe how late it fires, in seconds. Runs until cancelled."""
    while True:
        due = time.monotonic() + LAG_PERIOD_S  # not the loop's own time: uvloop's stands still while a callback runs
        await asyncio.sleep(LAG_PERIOD_S)
        lag_s = max(0.0, time.monotonic() - due)
        metrics.event_loop_lag_seconds.observe(lag_s)
        metrics.event_loop_lag_last_seconds.set(lag_s)
