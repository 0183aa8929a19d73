"""One trace a turn, across the four services.

A stream lasts a call, so its own span is of no use; the trace rides on the messages that begin a turn.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import Span, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The W3C Trace Context that one service hands to the next: the two headers, as they came."""

    traceparent: str = ""
    tracestate: str = ""


def configure_tracing(*, endpoint: str, service: str) -> TracerProvider:
    """Set the process's tracer. Shut the provider down at the end: it sends what it holds."""
    provider = make_provider(endpoint=endpoint, service=service)
    trace.set_tracer_provider(provider)
    return provider


def make_provider(*, endpoint: str, service: str) -> TracerProvider:
    """A tracer that exports to an OTLP/gRPC endpoint. Without one no span is recorded, yet turns have trace ids."""
    if not endpoint:
        return TracerProvider(sampler=ALWAYS_OFF)
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), sampler=ParentBased(ALWAYS_ON))
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


@contextmanager
def turn_span(name: str, trace_context: TraceContext | None = None) -> Iterator[Span]:
    """A span of one turn, current in the body; a child of `trace_context` where that is given and well-formed."""
    carrier = {}
    if trace_context is not None and trace_context.traceparent:
        carrier = {"traceparent": trace_context.traceparent, "tracestate": trace_context.tracestate}
    parent = _W3C.extract(carrier) if carrier else None
    # What an exception says may be what a caller said: only its kind goes on the span.
    with trace.get_tracer("voice").start_as_current_span(
        name, context=parent, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", type(error).__qualname__)
            raise


@contextmanager
def step_span(name: str, attributes: Mapping[str, str | int]) -> Iterator[Span]:
    """A span of one step of a turn, current in the body; a child of the turn's. It holds nothing that a caller said."""
    with trace.get_tracer("voice").start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


def trace_context_of(span: Span) -> TraceContext:
    """Return what to put on the next message of the turn, so that the next service's span is this one's child."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return TraceContext(traceparent=carrier.get("traceparent", ""), tracestate=carrier.get("tracestate", ""))


def trace_id_of(span: Span) -> str:
    """The trace id in hexadecimal, for a record or a log line; empty when the span has none."""
    context = span.get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
