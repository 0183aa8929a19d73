"""Errors of a request to another system, which say what to do. No credential stands in one."""

from __future__ import annotations

from typing import ClassVar

from services.runtime.breaker import ErrorClass


class CallFailed(Exception):
    """A request to another system has failed.

    `is_untouched`: nothing was done there. `is_settled`: the same request will not do better later.
    """

    error_class: ClassVar[ErrorClass] = ErrorClass.TRANSIENT
    is_untouched: ClassVar[bool] = False
    is_settled: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after_s: float = 0.0, status: int = 0) -> None:
        """`retry_after_s`: the pause that the system asked for; `status`: of HTTP, 0 where there was none."""
        super().__init__(message)
        self.retry_after_s, self.status = retry_after_s, status


class CredentialsRefused(CallFailed):
    """401, also with a fresh token: the operator must renew the tenant's credentials."""

    error_class = ErrorClass.FATAL
    is_untouched = True


class NotAllowed(CallFailed):
    """403: these credentials may not do this."""

    error_class = ErrorClass.REQUEST
    is_untouched = True
    is_settled = True


class Refused(CallFailed):
    """400, 404, 409, 422 and their like: the request is at fault."""

    error_class = ErrorClass.REQUEST
    is_untouched = True
    is_settled = True


class TooBusy(CallFailed):
    """429, or a limit in the system's own words: later it will do."""

    error_class = ErrorClass.OVERLOADED
    is_untouched = True


class Unreachable(CallFailed):
    """No connection came about."""

    is_untouched = True


class NoToken(CallFailed):
    """The server of tokens does not answer as it should: the request itself was not sent."""

    is_untouched = True


class Resting(CallFailed):
    """The breaker is open: nothing was asked."""

    error_class = ErrorClass.REQUEST
    is_untouched = True


class ServerFailed(CallFailed):
    """5xx: whether the request was carried out is not known."""


class TooSlow(CallFailed):
    """No answer in time: whether the request was carried out is not known."""


class BrokenOff(CallFailed):
    """The connection broke while the answer was awaited or read."""


class BadAnswer(CallFailed):
    """An answer that cannot be read: HTML, JSON cut off, another shape than the API's, or too long."""
