"""Logs as events, one JSON object a line on stderr, with the call and the turn on each."""

import logging
import sys
import uuid

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

PII_PREFIX = "pii."
MAX_CALL_ID_CHARS = 128


def configure_logs(*, level: str, log_format: str, log_pii: bool, service: str) -> None:
    """Set up logging for the process. Without `log_pii` every key that begins with `pii.` is dropped.

    What libraries log by themselves comes out in the same form, from WARNING up.
    """
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service(service),
    ]
    if log_format == "json":
        processors.append(structlog.processors.format_exc_info)
    if not log_pii:
        processors.append(drop_pii)
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*processors, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[foreign], force=True)


def get_logger(name: str = "") -> FilteringBoundLogger:
    """A logger: `log.info("turn_ended", outcome="cancelled")`. `name` is kept as `module`."""
    initial = {"module": name} if name else {}
    logger: FilteringBoundLogger = structlog.get_logger(**initial)  # bound lazily: `configure_logs` may come later
    return logger


def bind_call(call_id: str) -> str:
    """Put the call on every log line of this task and its children. Returns the id: a new one when it is empty, its
    printable start when it is not fit for a log.
    """
    label = "".join(c for c in call_id[:MAX_CALL_ID_CHARS] if c.isprintable()) or f"call-{uuid.uuid4().hex[:16]}"
    structlog.contextvars.bind_contextvars(call_id=label)
    return label


def bind_turn(turn_id: int) -> None:
    """Put the turn on every log line of this task and its children."""
    structlog.contextvars.bind_contextvars(turn_id=turn_id)


def drop_pii(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove what people say."""
    return {key: value for key, value in event.items() if not key.startswith(PII_PREFIX)}


def _add_service(service: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add
