"""Typed errors: the status of a stream, its ErrorInfo, BadRequest and RetryInfo (google.rpc), or how a turn failed."""

import grpc

from services.runtime.errors import rpc_failure


class TongDaiError(Exception):
    """A stream or a turn that failed. The subclass says what the caller can do (protos/README.md, Statuses)."""

    def __init__(self, code: str, reason: str, message: str, *, field: str = "", retry_delay_s: float = 0.0) -> None:
        """`code`: the gRPC code's name, or FAILED of a turn. `reason`: UPPER_SNAKE_CASE, empty where the server gave
        none. `field`: the path of the field at fault. `retry_delay_s`: seconds to wait before another try; 0: not said.
        """
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field
        self.retry_delay_s = retry_delay_s

    def __str__(self) -> str:
        return f"{self.summary}: {self.message}"

    @property
    def summary(self) -> str:
        """Code and reason: the same in every language."""
        return f"{self.code} {self.reason}".rstrip()

    @property
    def is_elsewhere_worthwhile(self) -> bool:
        """True where another replica may serve."""
        return isinstance(self, CapacityError | UnavailableError)


class BadRequestError(TongDaiError):
    """INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED without CAPACITY: mend the request; no retry helps."""


class TokenError(TongDaiError):
    """UNAUTHENTICATED, PERMISSION_DENIED: another token, tenant or scope is needed."""


class CapacityError(TongDaiError):
    """RESOURCE_EXHAUSTED with RetryInfo: full. Another replica, or a wait of `retry_delay_s`, may help."""


class UnavailableError(TongDaiError):
    """UNAVAILABLE: loading, draining, gone, or the connection broke. Another replica may serve."""


class GivenUpError(TongDaiError):
    """CANCELLED, DEADLINE_EXCEEDED: this client gave the stream up, or has waited as long as it wanted to."""


class ServerError(TongDaiError):
    """Everything else: the server failed. The turn may be tried once more on a fresh stream."""


KINDS: dict[str, type[TongDaiError]] = {
    "INVALID_ARGUMENT": BadRequestError,
    "NOT_FOUND": BadRequestError,
    "RESOURCE_EXHAUSTED": BadRequestError,
    "UNAUTHENTICATED": TokenError,
    "PERMISSION_DENIED": TokenError,
    "UNAVAILABLE": UnavailableError,
    "DEADLINE_EXCEEDED": GivenUpError,
}


def error_of(error: grpc.aio.AioRpcError) -> TongDaiError:
    """The typed error of a status, with or without details."""
    failure = rpc_failure(error)
    kind = KINDS.get(failure.code.name, ServerError)
    if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and failure.retry_delay_ms:
        kind = CapacityError
    return kind(
        failure.code.name,
        failure.reason,
        failure.message,
        field=failure.field,
        retry_delay_s=failure.retry_delay_ms / 1000,
    )
