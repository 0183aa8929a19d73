"""Typed errors of the Python client, by status and details."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from clients.python import BadRequestError, CapacityError, ServerError, TokenError, TongDaiError, UnavailableError
from clients.python.errors import error_of


def failed(code: grpc.StatusCode, *details: Message) -> grpc.aio.AioRpcError:
    status = Status(code=code.value[0], message="why")
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, "why")


@pytest.mark.parametrize(
    ("code", "details", "kind", "is_elsewhere_worthwhile"),
    [
        ("INVALID_ARGUMENT", (), BadRequestError, False),
        ("NOT_FOUND", (), BadRequestError, False),
        ("RESOURCE_EXHAUSTED", (), BadRequestError, False),
        ("RESOURCE_EXHAUSTED", (RetryInfo(retry_delay=Duration(seconds=2)),), CapacityError, True),
        ("UNAUTHENTICATED", (), TokenError, False),
        ("PERMISSION_DENIED", (), TokenError, False),
        ("UNAVAILABLE", (), UnavailableError, True),
        ("INTERNAL", (), ServerError, False),
        ("UNKNOWN", (), ServerError, False),
    ],
)
def test_the_kind_says_what_the_caller_can_do(
    code: str, details: tuple[Message, ...], kind: type[TongDaiError], is_elsewhere_worthwhile: bool
) -> None:
    error = error_of(failed(grpc.StatusCode[code], *details))
    assert type(error) is kind
    assert (error.code, error.is_elsewhere_worthwhile) == (code, is_elsewhere_worthwhile)


def test_details_are_taken_over() -> None:
    violation = BadRequest.FieldViolation(field="config.voice")
    error = error_of(
        failed(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            ErrorInfo(reason="CAPACITY"),
            BadRequest(field_violations=[violation]),
            RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)),
        )
    )
    assert (error.reason, error.field, error.retry_delay_s) == ("CAPACITY", "config.voice", 1.5)
    assert str(error) == "RESOURCE_EXHAUSTED CAPACITY: why"


def test_a_write_that_meets_the_end_is_the_end() -> None:
    lost = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core"
    )
    error = error_of(lost)
    assert (type(error), error.reason) == (UnavailableError, "ENDED_EARLY")
