"""Domain errors become statuses with details, and statuses become failures again."""

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from services.runtime import errors
from services.runtime.errors import (
    WRITE_FAILED,
    CapacityError,
    Draining,
    EngineFailed,
    NotFoundError,
    PermissionDeniedError,
    RequestError,
    RpcFailure,
    ServiceError,
    StartupError,
    UnauthenticatedError,
    root_cause,
    rpc_failure,
)

DOMAIN = "voice.tts.v1.TtsService"


class UnknownVoice(RequestError):
    reason = "UNKNOWN_VOICE"


def as_seen_by_a_client(error: ServiceError, details: bytes | None = None) -> RpcFailure:
    content = errors.details(error, DOMAIN) if details is None else details
    trailers = grpc.aio.Metadata((errors.DETAILS_KEY, content))
    return rpc_failure(
        grpc.aio.AioRpcError(errors.status_code(error), grpc.aio.Metadata(), trailers, details=error.message)
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownVoice("no"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotFoundError("no"), grpc.StatusCode.NOT_FOUND),
        (UnauthenticatedError("no"), grpc.StatusCode.UNAUTHENTICATED),
        (PermissionDeniedError("no"), grpc.StatusCode.PERMISSION_DENIED),
        (CapacityError("no"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Draining("no"), grpc.StatusCode.UNAVAILABLE),
        (EngineFailed("no"), grpc.StatusCode.INTERNAL),
        (ServiceError("no"), grpc.StatusCode.INTERNAL),
    ],
)
def test_a_subclass_has_the_status_of_its_family(error: ServiceError, code: grpc.StatusCode) -> None:
    assert errors.status_code(error) is code


def test_details_name_reason_domain_field_and_delay() -> None:
    error = UnknownVoice("use one of `engine.voices`", field="config.voice", retry_delay_ms=250)
    status = Status.FromString(errors.details(error, DOMAIN))
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad_request)
    assert status.details[2].Unpack(retry)
    assert (info.reason, info.domain) == ("UNKNOWN_VOICE", DOMAIN)
    assert [violation.field for violation in bad_request.field_violations] == ["config.voice"]
    assert retry.retry_delay.ToMilliseconds() == 250


def test_a_client_reads_back_what_the_server_meant() -> None:
    assert as_seen_by_a_client(UnknownVoice("no such voice", field="config.voice")) == RpcFailure(
        grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_VOICE", "no such voice", 0, "config.voice"
    )


def test_details_stay_small_however_long_the_message() -> None:
    assert len(errors.details(UnknownVoice("ệ" * 100_000, field="config.voice"), DOMAIN)) < 2000


def test_a_status_without_details_is_understood() -> None:
    failure = rpc_failure(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata()))
    assert failure == RpcFailure(grpc.StatusCode.UNAVAILABLE, "", "", 0, "")


def test_malformed_details_are_no_details() -> None:
    assert as_seen_by_a_client(Draining("bye"), details=b"\xff\xff\xff").reason == ""


def test_a_full_server_is_worth_another_replica() -> None:
    failure = as_seen_by_a_client(CapacityError("full"))
    assert failure.is_elsewhere_worthwhile
    assert failure.retry_delay_ms > 0


def test_a_message_too_large_is_the_clients_fault() -> None:
    assert not as_seen_by_a_client(CapacityError("too large"), details=b"").is_elsewhere_worthwhile


def test_a_wrong_request_is_wrong_everywhere() -> None:
    assert not as_seen_by_a_client(UnknownVoice("no")).is_elsewhere_worthwhile


def test_a_draining_server_is_worth_another_replica() -> None:
    assert as_seen_by_a_client(Draining("bye")).is_elsewhere_worthwhile


def test_the_domain_error_is_found_in_nested_groups() -> None:
    error = UnknownVoice("no")
    group = BaseExceptionGroup("tasks", [ValueError("other"), ExceptionGroup("inner", [error])])
    assert root_cause(group) is error


def test_a_startup_error_is_found_in_a_group() -> None:
    error = StartupError("no model")
    assert root_cause(ExceptionGroup("tasks", [error])) is error


def test_without_a_domain_error_the_first_failure_counts() -> None:
    first = ValueError("first")
    assert root_cause(ExceptionGroup("tasks", [first, KeyError("second")])) is first


def test_a_write_that_met_the_end_of_its_stream_is_worth_another_stream() -> None:
    nothing = grpc.aio.Metadata()
    failure = rpc_failure(grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, nothing, nothing, WRITE_FAILED))
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "ENDED_EARLY")
    assert failure.is_elsewhere_worthwhile
