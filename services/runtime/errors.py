"""The domain's errors, and the one place that turns them into a gRPC status and back."""

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

DETAILS_KEY = "grpc-status-details-bin"
MAX_MESSAGE_BYTES = 600  # it travels three times, once percent-encoded: all of a status stays under 4 kB


class ServiceError(Exception):
    """Ends a stream or a unary call. Subclasses give the reason; services add their own."""

    reason: ClassVar[str] = "INTERNAL"
    """UPPER_SNAKE_CASE, from the list in protos/README.md."""

    def __init__(self, message: str, *, field: str = "", retry_delay_ms: int = 0) -> None:
        """`message` says what is wrong and what mends it; `field` is the path of the field at fault, as in
        "config.voice"; `retry_delay_ms` over 0 says that trying again after that long may help.
        """
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_delay_ms = retry_delay_ms


class RequestError(ServiceError):
    """The request is wrong and stays wrong."""

    reason = "INVALID_REQUEST"


class NotFoundError(ServiceError):
    """A thing that the request names does not exist."""

    reason = "NOT_FOUND"


class UnauthenticatedError(ServiceError):
    """The client is not known."""

    reason = "TOKEN_INVALID"


class PermissionDeniedError(ServiceError):
    """The caller is known and may not do this."""

    reason = "TENANT_NOT_ALLOWED"


class CapacityError(ServiceError):
    """Full. Another replica may serve."""

    reason = "CAPACITY"

    def __init__(self, message: str, *, field: str = "", retry_delay_ms: int = 1000) -> None:
        super().__init__(message, field=field, retry_delay_ms=retry_delay_ms)


class UnavailableError(ServiceError):
    """The server cannot serve now. Another one may."""

    reason = "GONE"

    def __init__(self, message: str, *, field: str = "", retry_delay_ms: int = 1000) -> None:
        super().__init__(message, field=field, retry_delay_ms=retry_delay_ms)


class Loading(UnavailableError):
    """The engine is not loaded yet."""

    reason = "LOADING"


class Draining(UnavailableError):
    """The server finishes what it has and takes nothing new."""

    reason = "DRAINING"


class EngineFailed(ServiceError):
    """The engine broke in a way no turn can explain."""

    reason = "ENGINE_FAILED"


class Unexpected(ServiceError):
    """A fault of the server itself. Its log has the traceback; the client learns nothing of it."""

    reason = "INTERNAL"


class FirstMessageNotConfig(RequestError):
    """A stream opened with something else than its config."""

    reason = "FIRST_MESSAGE_NOT_CONFIG"


class SecondConfig(RequestError):
    """A stream was configured twice."""

    reason = "SECOND_CONFIG"


class TurnIdNotIncreasing(RequestError):
    """A turn began with an id that is not above the last one."""

    reason = "TURN_ID_NOT_INCREASING"


class TurnFailed(Exception):
    """One bad turn: it ends FAILED, the stream lives."""

    def __init__(self, reason: str, message: str, is_retryable: bool = False, retry_delay_ms: int = 0) -> None:
        """`reason` from the service's list; `message` names the field at fault and what mends it; `is_retryable`: the
        same turn may succeed on a fresh stream, after `retry_delay_ms`.
        """
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.is_retryable = is_retryable
        self.retry_delay_ms = retry_delay_ms


class StartupError(Exception):
    """The process cannot start. The message is one line that says what to do."""


class NotServing(StartupError):
    """The process cannot serve until a person mends its settings: it stays up and NOT_SERVING, since starting it again
    changes nothing.
    """


def root_cause(error: BaseException) -> BaseException:
    """Return what a group of failures comes down to: the first domain error in it, else the first error."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [root_cause(one) for one in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, ServiceError | StartupError)), causes[0])


_CODES: dict[type[ServiceError], grpc.StatusCode] = {
    RequestError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    CapacityError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UnavailableError: grpc.StatusCode.UNAVAILABLE,
    EngineFailed: grpc.StatusCode.INTERNAL,
}


def status_code(error: ServiceError) -> grpc.StatusCode:
    """The status of an error: that of the nearest family it belongs to."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), grpc.StatusCode.INTERNAL)


def details(error: ServiceError, domain: str) -> bytes:
    """A serialized google.rpc.Status with one ErrorInfo, and what else applies. `domain`: the full service name."""
    message = _short(error.message)
    status = Status(code=status_code(error).value[0], message=message)
    parts: list[ErrorInfo | BadRequest | RetryInfo] = [ErrorInfo(reason=error.reason, domain=domain)]
    if error.field:
        violation = BadRequest.FieldViolation(field=error.field, description=message)
        parts.append(BadRequest(field_violations=[violation]))
    if error.retry_delay_ms > 0:
        delay = Duration()
        delay.FromMilliseconds(error.retry_delay_ms)
        parts.append(RetryInfo(retry_delay=delay))
    for part in parts:
        packed = AnyMessage()
        packed.Pack(part)
        status.details.append(packed)
    return bytes(status.SerializeToString())


def _short(message: str) -> str:
    return message.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")


async def abort(context: "grpc.aio.ServicerContext[Any, Any]", error: ServiceError, domain: str) -> NoReturn:
    """End the call with the status of `error`. Never returns."""
    await context.abort(status_code(error), _short(error.message), ((DETAILS_KEY, details(error, domain)),))
    raise AssertionError("abort returned")


@dataclass(frozen=True, slots=True)
class RpcFailure:
    """A failed call as its client sees it. `reason` is empty when the server gave no details."""

    code: grpc.StatusCode
    reason: str
    message: str
    retry_delay_ms: int
    field: str = ""

    @property
    def is_elsewhere_worthwhile(self) -> bool:
        """Return whether another replica may serve: an unavailable or full server, not one refusing this request."""
        if self.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return self.reason == CapacityError.reason
        return self.code is grpc.StatusCode.UNAVAILABLE


WRITE_FAILED = "Internal error from Core"
"""The text that grpc.aio's client puts in the place of the server's status where a write meets the end of the stream.
"""


def rpc_failure(error: grpc.aio.AioRpcError) -> RpcFailure:
    """Read a status, with or without details, well-formed or not.

    A stream that ended while a request was being written is UNAVAILABLE, ENDED_EARLY: why it ended is lost in grpc.aio,
    and a fresh stream says it again.
    """
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == WRITE_FAILED:
        message = "the stream ended while a request was on its way"
        return RpcFailure(grpc.StatusCode.UNAVAILABLE, "ENDED_EARLY", message, 0)
    status = Status()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                status.Clear()
    reason, field, retry_delay_ms = "", "", 0
    for packed in status.details:
        info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
        if packed.Unpack(info):
            reason = info.reason
        elif packed.Unpack(bad_request) and bad_request.field_violations:
            field = bad_request.field_violations[0].field
        elif packed.Unpack(retry):
            retry_delay_ms = retry.retry_delay.ToMilliseconds()
    return RpcFailure(error.code(), reason, error.details() or "", retry_delay_ms, field)
