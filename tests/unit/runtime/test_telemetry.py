"""Figures and traces: what others read off a service."""

import time

from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import REGISTRY

from services.runtime import tracing
from services.runtime.clock import Stopwatch, Timing
from services.runtime.metrics import EXPLAINED_REASONS, StageMetrics, stage_of
from services.runtime.tracing import TraceContext, trace_context_of, trace_id_of, turn_span

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_stage_is_named_in_the_service() -> None:
    assert stage_of("voice.tts.v1.TtsService") == "tts"


def test_two_of_one_stage_share_their_figures() -> None:
    StageMetrics("shared").errors_total("UNKNOWN_VOICE").inc()
    StageMetrics("shared").errors_total("UNKNOWN_VOICE").inc()
    labels = {"stage": "shared", "reason": "UNKNOWN_VOICE"}
    assert REGISTRY.get_sample_value("voice_errors_total", labels) == 2


def test_failures_are_counted_from_nought_whatever_their_reason() -> None:
    def read(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(f"voice_{name}_total", {"stage": "failing", **labels})

    metrics = StageMetrics("failing")
    assert read("failures") == 0
    metrics.count_error("ENGINE_FAILED")
    for reason in EXPLAINED_REASONS:
        metrics.count_error(reason)
    metrics.count_error("EMPTY_TEXT", is_client_fault=True)
    assert read("failures") == 1
    assert read("errors", reason="ENGINE_FAILED") == read("errors", reason="CAPACITY") == 1
    assert (read("client_errors", reason="EMPTY_TEXT"), read("errors", reason="EMPTY_TEXT")) == (1, None)


def shown(name: str, **labels: str) -> float | None:
    """The value that Prometheus reads of the stage "shown"."""
    return REGISTRY.get_sample_value(name, {"stage": "shown", **labels})


def test_every_figure_is_shown() -> None:
    metrics = StageMetrics("shown")
    metrics.first_output_seconds.observe(0.1)
    metrics.queue_seconds.observe(0.1)
    metrics.compute_seconds.observe(0.1)
    metrics.event_loop_lag_seconds.observe(0.001)
    metrics.event_loop_lag_last_seconds.set(0.25)
    metrics.open_streams.inc()
    metrics.unknown_requests_total.inc()
    metrics.fenced_messages_total.inc()
    metrics.queue_dropped_total("drafts").inc()
    metrics.show_build(version="0.1.0", python="3.11", grpc="1.85")
    for histogram in ("first_output", "queue", "compute", "event_loop_lag"):
        assert shown(f"voice_{histogram}_seconds_count") == 1
    assert shown("voice_event_loop_lag_last_seconds") == 0.25
    assert shown("voice_open_streams") == 1
    assert shown("voice_unknown_requests_total") == 1
    assert shown("voice_fenced_messages_total") == 1
    assert shown("voice_queue_dropped_total", queue="drafts") == 1
    assert shown("voice_build_info", version="0.1.0", python="3.11", grpc="1.85") == 1


def test_a_stopwatch_adds_up_waiting_and_working() -> None:
    stopwatch = Stopwatch(trigger_ns=time.monotonic_ns() - 9_000_000)
    stopwatch.add_queue(2_000_000)
    stopwatch.add_queue(1_000_000)
    stopwatch.add_compute(5_000_000)
    timing = stopwatch.timing()
    assert (timing.queue_us, timing.compute_us) == (3000, 5000)
    assert timing.since_trigger_us >= 9000


def test_a_stopwatch_times_a_body() -> None:
    stopwatch = Stopwatch()
    with stopwatch.computing():
        pass
    assert stopwatch.timing().since_trigger_us >= stopwatch.timing().compute_us


def test_a_timing_becomes_its_message() -> None:
    message = Timing(1, 2, 3).to_proto()
    assert (message.queue_us, message.compute_us, message.since_trigger_us) == (1, 2, 3)


def test_a_turns_span_continues_the_trace_it_was_sent() -> None:
    with turn_span("speak", TraceContext(traceparent=PARENT)) as span:
        assert trace_id_of(span) == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert trace_context_of(span).traceparent.startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")


def test_a_malformed_trace_is_no_parent() -> None:
    with turn_span("speak", TraceContext(traceparent="garbage")) as span:
        assert trace_id_of(span) != "garbage"


def test_a_turn_has_a_trace_id_even_when_nothing_is_exported() -> None:
    provider = tracing.make_provider(endpoint="", service="tts")
    span = provider.get_tracer("test").start_span("turn")
    assert len(trace_id_of(span)) == 32
    assert not span.is_recording()


def test_with_a_collector_turns_are_recorded() -> None:
    provider: TracerProvider = tracing.make_provider(endpoint="http://127.0.0.1:1", service="tts")
    assert provider.get_tracer("test").start_span("turn").is_recording()
