"""Logs as events, one JSON object a line on stderr, with the call and the turn on each."""

import logging
import re
import sys
import threading
import traceback
import uuid
from types import TracebackType
from typing import Final

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from services.runtime.current_service import current_service
from services.runtime.log_fields import PII_PREFIX, is_allowed

MAX_CALL_ID_CHARS = 128
MAX_ERRORS_SHOWN = 8  # of a chain or a group

_OWN_WORDS: Final = re.compile(r"Exception in callback|(?:[A-Za-z_.]+(?:\(\))?[!,.:]?(?=\s|$)[ ]?)*")
"""The beginnings of asyncio's own log lines. Behind "Exception in callback", and in what is no plain word, it shows
callbacks, tasks and transports with their arguments.
"""
_PLACEHOLDER: Final = re.compile(r"%(?:\(\w*\))?[-#0 +*.\d]*[a-zA-Z%]")


def configure_logs(*, level: str, log_format: str, log_pii: bool, service: str) -> None:
    """Set up logging for the process. Without `log_pii` every key that begins with `pii.` is dropped, and with it what
    is not in the list of `log_fields`: so are the texts of exceptions and of libraries, in which anything may stand.

    `service` stands on the lines of tasks that work for no service of their own: on all where the process is one
    service. What libraries log by themselves comes out in the same form, from WARNING up.
    """
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service(service),
        _tell_library_from_text,
        _describe_exception,
        hold_to_list,
    ]
    if not log_pii:
        processors.append(drop_pii)
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer()
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
            pass_foreign_args=True,  # the record itself has lost them by then
            foreign_pre_chain=[*processors, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[foreign], force=True)


def log_uncaught() -> None:
    """Have uncaught exceptions, and warnings, logged as any other: Python's own hooks write what they say to
    stderr.
    """
    logging.captureWarnings(True)
    sys.excepthook = _tell_uncaught
    threading.excepthook = lambda told: _tell_uncaught(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: _tell_uncaught(told.exc_type, told.exc_value, told.exc_traceback)


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


def hold_to_list(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Move what is not in the list of fields under `pii.`."""
    return {
        key if key.startswith((PII_PREFIX, "_")) or is_allowed(key, value) else f"{PII_PREFIX}{key}": value
        for key, value in event.items()
    }


def drop_pii(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove what people say."""
    return {key: value for key, value in event.items() if not key.startswith(PII_PREFIX)}


def _tell_library_from_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of a library's line the template is the event; what was put into it is personal. A line without arguments is all
    text; of asyncio's the first words are its own.
    """
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event[f"{PII_PREFIX}text"] = event["event"]
        shown = ""
        if not isinstance(record.msg, str):
            pass  # an object, such as an exception, that writes itself
        elif event.pop("positional_args", None):
            shown = record.msg if any(map(str.isalpha, _PLACEHOLDER.sub("", record.msg))) else ""
        elif record.name == "asyncio" and (own := _OWN_WORDS.match(record.msg.partition("\n")[0])):
            shown = own[0].strip()
        event.pop("positional_args", None)
        event["event"] = shown or "library_message"
        event["logger"] = record.name
    return event


def _tell_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """A line for an uncaught exception: in the main thread, in another, or where none can be raised."""
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    shown = kind() if error is None else error.with_traceback(trace)
    get_logger(__name__).critical("exception_uncaught", exc_info=shown)


def _describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put `exc_info` as text: where it happened and of which kind it is; what it says is personal."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = _trace(error)
        event[f"{PII_PREFIX}exception"] = "".join(traceback.format_exception_only(error)).strip()
    return event


def _trace(error: BaseException, seen: frozenset[int] = frozenset()) -> str:
    """The traceback of an error and of those behind it, without a word that any of them says."""
    seen |= {id(error)}
    parts = []
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None and id(behind) not in seen and len(seen) < MAX_ERRORS_SHOWN:
        parts.append(f"{_trace(behind, seen)}\nwhich led to:\n")
    parts.append("Traceback (most recent call last):\n")
    parts += traceback.format_tb(error.__traceback__)
    parts.append(type(error).__qualname__)
    if isinstance(error, BaseExceptionGroup):
        inner = [one for one in error.exceptions if id(one) not in seen][:MAX_ERRORS_SHOWN]
        parts += [f"\nin the group:\n{_trace(one, seen)}" for one in inner]
    return "".join(parts)


def _add_service(service: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = current_service() or service
        return event

    return add
