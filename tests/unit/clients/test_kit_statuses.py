"""A status that grpc.aio's client lost under a write is no fault of the server that the kit looks at."""

from collections.abc import Awaitable, Callable

import grpc
import pytest
from grpc.aio import Metadata

from clients.conformance.kit import LOST_STATUS_TRIES, Check, NotApplicableError, Outcome, Target, run_check
from clients.conformance.stages import STT
from clients.conformance.streams import Stream
from services.runtime.errors import WRITE_FAILED

TARGET = Target("nowhere", STT)


class EndedCall:
    """A call of the client library that ends at once, with such a status."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._error = grpc.aio.AioRpcError(code, Metadata(), Metadata(), details)

    async def read(self) -> object:
        raise self._error


def refused_with(*statuses: tuple[grpc.StatusCode, str]) -> tuple[list[int], Callable[[Target], Awaitable[None]]]:
    """A check that wants INVALID_ARGUMENT of a server that answers with these, one a run; and the runs so far."""
    runs: list[int] = []

    async def body(target: Target) -> None:
        runs.append(len(runs))
        code, details = statuses[min(len(runs), len(statuses)) - 1]
        failure = await Stream(target.stage, EndedCall(code, details)).failure()
        assert failure.code is grpc.StatusCode.INVALID_ARGUMENT

    return runs, body


LOST = (grpc.StatusCode.INTERNAL, WRITE_FAILED)
RIGHT = (grpc.StatusCode.INVALID_ARGUMENT, "turn_id goes back")
WRONG = (grpc.StatusCode.INTERNAL, "it broke")


async def outcome(body: Callable[..., Awaitable[None]]) -> Outcome:
    return (await run_check(Check(("stt",), (1,), "a refusal", body), TARGET, frozenset())).outcome


async def test_a_check_whose_status_was_lost_is_made_again() -> None:
    runs, body = refused_with(LOST, RIGHT)
    assert await outcome(body) is Outcome.PASSED
    assert len(runs) == 2


async def test_a_server_that_answers_wrongly_fails_at_once() -> None:
    runs, body = refused_with(WRONG, RIGHT)
    assert await outcome(body) is Outcome.FAILED
    assert len(runs) == 1


async def test_a_status_that_is_lost_each_time_fails_in_the_end() -> None:
    runs, body = refused_with(LOST)
    assert await outcome(body) is Outcome.FAILED
    assert len(runs) == LOST_STATUS_TRIES


@pytest.mark.parametrize("first", [LOST, RIGHT])
async def test_what_a_wrong_server_says_behind_a_lost_status_counts(first: tuple[grpc.StatusCode, str]) -> None:
    runs, body = refused_with(first, WRONG)
    expected = Outcome.PASSED if first is RIGHT else Outcome.FAILED
    assert await outcome(body) is expected
    assert len(runs) == (1 if first is RIGHT else 2)


async def test_a_check_that_does_not_apply_is_not_made_again() -> None:
    runs: list[int] = []

    async def body(target: Target) -> None:
        runs.append(1)
        await outcome_of_lost(target)
        raise NotApplicableError("it has no such field")

    async def outcome_of_lost(target: Target) -> None:
        await Stream(target.stage, EndedCall(*LOST)).failure()

    assert await outcome(body) is Outcome.NOT_APPLICABLE
    assert len(runs) == 1
