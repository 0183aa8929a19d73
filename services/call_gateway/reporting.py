"""Reports of each call to the operator: log lines, metrics for Prometheus, one span a turn."""

import time

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram
from voice.type.v1 import analysis_pb2

from services.call_gateway.conversation.commands import (
    CallerHeard,
    FloorMoved,
    LineCause,
    LineTroubled,
    StageTroubled,
    TurnFinished,
)
from services.call_gateway.conversation.events import Keyword, Stage, ToolState
from services.call_gateway.conversation.record import TurnRecord
from services.call_gateway.edges.edge import EDGES
from services.call_gateway.line import EndCause
from services.call_gateway.watching import CallAnalysed, CallBegan, CallNews, CallOver
from services.runtime.log_fields import is_allowed
from services.runtime.logs import get_logger
from services.runtime.metrics import LATENCY_BUCKETS_S

_LATENCY = Histogram(
    "voice_turn_latency_seconds",
    "From the caller's last speech sample on the wire to the first sample of the answer on the wire, a turn.",
    buckets=LATENCY_BUCKETS_S,
)
_STAGE = Histogram(
    "voice_turn_stage_seconds",
    "A stage's part of that time; `part` is queue, compute or network.",
    ["stage", "part"],
    buckets=LATENCY_BUCKETS_S,
)
_UNEXPLAINED = Histogram(
    "voice_turn_unexplained_seconds", "What no stage explains of that time, a turn.", buckets=LATENCY_BUCKETS_S
)
_TURNS = Counter("voice_turns_total", "Turns that are over, by how they ended.", ["outcome"])
_DRAFTS = Counter("voice_drafts_total", "Answers begun before the turn was over, by what became of them.", ["fate"])
_TROUBLE = Counter("voice_stage_trouble_total", "Stages that failed or stalled.", ["stage", "reason", "remedy"])
_STAGE_FAILURES = Counter(
    "voice_stage_failures_total", "Times a stage failed or stalled on a call, whatever the reason.", ["stage"]
)
_LINE_TROUBLE = Counter("voice_line_trouble_total", "Callers' lines that misbehaved, by cause.", ["cause"])
_FLOOR_MOVES = Counter("voice_floor_moves_total", "Times the floor changed hands, by what moved it.", ["cause"])
_CALLS_UP = Gauge("voice_calls_up", "Calls that are up.", ["edge"])
_CALLS = Counter("voice_calls_total", "Calls that are over, by who or what ended them.", ["cause"])

_OUTCOMES = Counter("voice_call_outcomes_total", "Calls that were analysed, by what came of them.", ["outcome"])

for _cause in EndCause:  # a series that begins at its first call has no rate
    _CALLS.labels(_cause.value)
for _stage in Stage:  # reasons are many, and each begins a series at its first
    _STAGE_FAILURES.labels(_stage.value)
for _edge in EDGES:  # without its series, no call is not the same as 0
    _CALLS_UP.labels(_edge)

_LINE_HINTS = {
    LineCause.NEVER_CAME: "no packet ever came: a firewall or NAT before this machine, or a wrong media address there",
    LineCause.STOPPED: "packets came and then stopped: a hold that was not announced, or the network",
    LineCause.HOLD: "the call is on hold",
    LineCause.NO_CONVERSATION: "sound without a word: music on hold or voicemail; it is not asked whether it is there",
    LineCause.TONE: "the same tone over and over: a fax or modem; it is not asked whether it is there",
    LineCause.ECHO: "the line returns our voice: an echo canceller is missing on the way",
}

_W3C = TraceContextTextMapPropagator()

log = get_logger(__name__)


def count_failed_call() -> None:
    """Count a call that a fault on our side kept from being answered. The reporter counts the answered calls."""
    _CALLS.labels(EndCause.FAILURE.value).inc()


class Reporter:
    """A listener of the event bus: log, metrics and trace."""

    def __init__(self) -> None:
        self._edges: dict[str, str] = {}  # of calls that are up, by call id

    def __call__(self, call_news: CallNews) -> None:
        """Report one piece of news."""
        line = log.bind(call_id=call_news.call_id, sample=call_news.sample)
        match call_news.news:
            case CallBegan(edge, agent_id):
                self._edges[call_news.call_id] = edge
                _CALLS_UP.labels(edge).inc()
                line.info("call_began", edge=edge, agent_id=agent_id, tenant_id=call_news.tenant_id)
            case FloorMoved(before, after, cause, turn_id):
                _FLOOR_MOVES.labels(cause).inc()
                line.debug("floor_moved", before=before, after=after, cause=cause, turn_id=turn_id)
            case CallerHeard(utterance_id, text, is_settled):
                line.debug("caller_heard", utterance_id=utterance_id, is_settled=is_settled, **{"pii.text": text})
            case Keyword(utterance_id, phrase, _):
                line.debug("keyword_heard", utterance_id=utterance_id, **{"pii.phrase": phrase})
            case StageTroubled(stage, reason, remedy):
                _TROUBLE.labels(stage.value, reason, remedy).inc()
                _STAGE_FAILURES.labels(stage.value).inc()
                line.warning("stage_troubled", stage=stage.value, reason=reason, remedy=remedy)
            case LineTroubled(cause, lasted_ms):
                _LINE_TROUBLE.labels(cause.value).inc()
                line.warning("line_troubled", cause=cause.value, lasted_ms=lasted_ms, hint=_LINE_HINTS[cause])
            case TurnFinished(record):
                _observe(record)
                _trace(record, call_news.call_id)
                line.info("turn_ended", **_turn_fields(record))
            case CallAnalysed(analysis):
                if analysis is not None:
                    fields = _analysis_fields(analysis)
                    _OUTCOMES.labels(fields["outcome"]).inc()
                    line.info("call_analysed", **fields)
            case CallOver() as over:
                edge = self._edges.pop(call_news.call_id, "")
                if edge:  # otherwise the call was never answered, and the gateway counts it (`count_failed_call`)
                    _CALLS_UP.labels(edge).dec()
                    _CALLS.labels(over.cause.value).inc()
                line.info(
                    "call_ended",
                    cause=over.cause.value,
                    duration_ms=over.duration_ms,
                    turns=over.turn_count,
                    is_echo_suspected=over.is_echo_suspected,
                    **{"pii.message": over.message},
                )


def _analysis_fields(analysis: analysis_pb2.CallAnalysis) -> dict[str, object]:
    return {
        "outcome": analysis_pb2.CallAnalysis.Outcome.Name(analysis.outcome).removeprefix("OUTCOME_").lower(),
        "sentiment": analysis_pb2.CallAnalysis.Sentiment.Name(analysis.sentiment).removeprefix("SENTIMENT_").lower(),
        "intents": list(analysis.intents),
        "language": analysis.language_code,
        "deeds": [deed.name for deed in analysis.deeds],
        "pii.summary": analysis.summary,
    }


def _observe(record: TurnRecord) -> None:
    _TURNS.labels(record.outcome).inc()
    _DRAFTS.labels("dropped").inc(record.drafts_dropped)
    _DRAFTS.labels("used").inc(int(record.is_answered_from_draft))
    if record.latency_us is None:
        return
    _LATENCY.observe(record.latency_us / 1e6)
    _UNEXPLAINED.observe(max(0, record.unexplained_us) / 1e6)
    for part in record.stage_times:
        _STAGE.labels(part.stage, "queue").observe(part.queue_us / 1e6)
        _STAGE.labels(part.stage, "compute").observe(part.compute_us / 1e6)
        _STAGE.labels(part.stage, "network").observe(part.network_us / 1e6)


def _trace(record: TurnRecord, call_id: str) -> None:
    carrier = {"traceparent": record.trace.traceparent, "tracestate": record.trace.tracestate}
    parent = _W3C.extract(carrier) if record.trace.traceparent else None
    ended_ns = time.time_ns()
    began_ns = ended_ns - (record.latency_us or 0) * 1000
    span = trace.get_tracer("voice").start_span("turn", context=parent, start_time=began_ns)
    if span.is_recording():
        span.set_attribute("call_id", call_id)
        span.set_attributes({key: value for key, value in _turn_fields(record).items() if is_allowed(key, value)})
    span.end(ended_ns)


def _turn_fields(record: TurnRecord) -> dict[str, str | int | float | bool]:
    fields: dict[str, str | int | float | bool] = {
        "turn_id": record.turn_id,
        "outcome": record.outcome,
        "end_reason": record.end_reason,
        "end_probability": round(record.end_probability, 2),
        "stop_reason": record.stop_reason,
        "drafts_made": record.drafts_made,
        "drafts_dropped": record.drafts_dropped,
        "is_answered_from_draft": record.is_answered_from_draft,
        "is_gateway_prompt": record.is_gateway_prompt,
        "nlu_engine": record.nlu_engine,
        "tts_engine": record.tts_engine,
        "withheld_rules": ",".join(record.withheld_rules),
        "n_tools": len(record.tools),
        "n_tools_failed": sum(tool.state is ToolState.FAILED for tool in record.tools),
        "pii.user_text": record.user_text,
        "pii.heard_text": record.heard_text,
    }
    if record.commit_gain_us is not None:
        fields["commit_gain_ms"] = round(record.commit_gain_us / 1000)
    if record.latency_us is not None:
        fields["latency_ms"] = round(record.latency_us / 1000)
        fields["unexplained_ms"] = round(record.unexplained_us / 1000)
        for part in record.stage_times:
            fields[f"{part.stage}_ms"] = round((part.queue_us + part.compute_us + part.network_us) / 1000)
    return fields
