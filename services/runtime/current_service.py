"""Name of the service that the current task works for; empty where the process is one service."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("service", default="")


def current_service() -> str:
    """The stage, as "tts"; a task inherits it from the one that made it, a thread of an engine has none."""
    return _current.get()


@contextmanager
def in_service(stage: str) -> Iterator[None]:
    """The body, and every task begun in it, works for that stage."""
    token = _current.set(stage)
    try:
        yield
    finally:
        _current.reset(token)
