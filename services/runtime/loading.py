"""Failures of loading: whether another start may succeed, and the error that says so.

A start that failed for what may pass (a disk, memory, a device, the network) raises StartupError: the process ends, and
its supervisor starts it again. What a file or a setting is stays so until a person mends it: NotServing.
"""

import errno
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.runtime.errors import NotServing, StartupError

_MOST_CHARS = 300  # of a library's own words
_LONGEST_CHAIN = 10  # of causes
_OF_THE_PATH = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOEXEC,
        errno.EROFS,
    }
)
"""Errors of the system that a path has until a person changes it; others, as of a disk, may pass."""
_PASSING = re.compile(
    r"out of memory|bad.alloc|\b(?:re)?alloc(?:at\w*)?\b|\w*malloc\b|no space left|disk quota|input/output error"
    r"|too many open files|CUDA (?:driver |runtime )?error(?!: (?:no kernel image|invalid device ordinal))|timed out"
    r"|temporary failure|name resolution|resolve host|5\d\d Server Error|429 Client Error|connection attempts failed"
    r"|server disconnected"
    r"|connection ?(?:error|refused|reset|aborted|pool)|internet connection|n[o']t connect|unreachable",
    re.IGNORECASE,
)
"""What libraries say in errors of their own of memory, disks, devices and networks."""


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Whatever the body raises becomes one line of StartupError or NotServing; its own StartupErrors stay as they are.
    `what` names the setting and the file.
    """
    try:
        yield
    except StartupError:
        raise
    except Exception as error:
        raise load_failure(what, error) from error


def load_failure(what: str, error: BaseException) -> StartupError:
    """Return the error that a start ends with which `error` has stopped."""
    why = " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_CHARS]
    if may_pass(error):
        return StartupError(f"{what} cannot be loaded now: {why}")
    return NotServing(f"{what} cannot be loaded: {why}")


def may_pass(error: BaseException) -> bool:
    """Return whether the same start may succeed at another time, by an error or by what has caused it."""
    cause: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if cause is None:
            return False
        if _is_passing(cause):
            return True
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return False


def first_to_pass(failures: Sequence[StartupError]) -> StartupError:
    """Return the failure that a start ends with where each of several engines has failed, one of them being enough."""
    return next((failure for failure in failures if not isinstance(failure, NotServing)), failures[0])


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, MemoryError | ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ssl.SSLError):
        return error.errno not in _OF_THE_PATH
    return bool(_PASSING.search(str(error)))
