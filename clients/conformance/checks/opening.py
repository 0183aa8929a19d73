"""Checks of how every stream opens, grows and closes."""

from typing import Any

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from clients.conformance.kit import NotApplicableError, Target, check
from clients.conformance.stages import STAGES, BadConfig
from clients.conformance.streams import kind_of, kinds
from services.runtime.errors import DETAILS_KEY

FUTURE_KIND = b"\xba\x06\x02\x08\x01"
"""A request of a kind no server knows yet: field 103, a message."""
MAX_STATUS_BYTES = 4096
BARE = {"config", "audio", "text", "user_turn"}  # need no listing


def engine_of(target: Target, opening: Any) -> Any:
    """The engine of a first response. Raises NotApplicableError on the gateway, which has none to describe."""
    if target.stage.name == "call":
        raise NotApplicableError("a gateway has no engine to describe")
    return opening.engine if target.stage.name == "nlu" else opening


@check(None, 1)
async def the_first_response_says_who_answers(target: Target) -> None:
    async with target.connected() as channel:
        opening = await target.start(channel).open()
    if target.stage.name == "call":
        assert opening.call_id
    else:
        assert engine_of(target, opening).name


@check(None, 8)
async def features_are_named_once_and_are_the_contracts(target: Target) -> None:
    async with target.connected() as channel:
        features = engine_of(target, await target.start(channel).open()).features
    assert len(features) == len(set(features))
    assert all(name and name == name.lower() and " " not in name for name in features)


@check(None, 8)
async def requests_that_are_not_bare_are_listed_or_ignored(target: Target) -> None:
    """A server survives what it does not list: a client of another server's habits may send it."""
    async with target.connected() as channel:
        features = engine_of(target, await target.start(channel).open()).features
    optional = {field.name for field in target.stage.request.DESCRIPTOR.fields} - BARE
    for name in sorted(optional - set(features)):
        async with target.opened() as stream:
            await stream.send(**{name: {}})
            await stream.rest()


@check(None, 8)
async def describing_the_engine_says_what_a_stream_says(target: Target) -> None:
    async with target.connected() as channel:
        opening = engine_of(target, await target.start(channel).open())
        described = (await target.describe(channel)).engine
    assert described == opening


@check(None, 1)
async def a_stream_that_does_not_open_with_config_is_refused(target: Target) -> None:
    async with target.connected() as channel:
        stream = target.start(channel)
        await stream.send(**target.stage.later_request)
        failure = await stream.failure()
    assert (failure.code, failure.reason, failure.field) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "FIRST_MESSAGE_NOT_CONFIG",
        "config",
    )


@check(None, 1)
async def a_stream_without_a_message_is_refused(target: Target) -> None:
    async with target.connected() as channel:
        stream = target.start(channel)
        await stream.half_close()
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIRST_MESSAGE_NOT_CONFIG")


@check(None, 1)
async def a_second_config_is_refused(target: Target) -> None:
    async with target.opened() as stream:
        await stream.send(target.stage.config())
        failure = await stream.failure()
    assert (failure.code, failure.reason, failure.field) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "SECOND_CONFIG",
        "config",
    )


async def a_bad_config_is_refused_by_the_name_of_its_field(target: Target, bad: BadConfig) -> None:
    async with target.connected() as channel:
        stream = target.start(channel)
        await stream.send(target.stage.config(**bad.change))
        failure = await stream.failure()
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.reason
    assert failure.field.startswith(bad.field)
    assert stream.heard == []


for _stage in STAGES.values():
    _cases = {bad.name: bad for bad in _stage.bad_configs}
    check(_stage, 2, 32, cases=_cases)(a_bad_config_is_refused_by_the_name_of_its_field)


@check(None, 2)
async def a_call_without_an_id_is_served(target: Target) -> None:
    async with target.connected() as channel:
        assert await target.start(channel).open(call_id="") is not None


@check(None, 7)
async def a_kind_of_a_later_version_is_ignored(target: Target) -> None:
    async with target.opened() as stream:
        await stream.send(target.stage.request())
        await stream.send(target.stage.request.FromString(FUTURE_KIND))
        if target.stage.name == "call":
            await stream.send(hangup={})
        assert "turn_end" not in kinds(await stream.rest())


@check(None, 3, 4)
async def a_half_closed_stream_ends_ok(target: Target) -> None:
    if target.stage.name == "call":
        raise NotApplicableError("there the caller stays and listens")
    async with target.opened() as stream:
        rest = await stream.rest()
    going_away = [one for one in rest if kind_of(one) == "going_away"]
    assert len(going_away) <= 1
    assert all(one.going_away.deadline_ms > 0 for one in going_away)
    assert len(rest) == len(going_away)


@check(None, 32)
async def details_name_the_service_and_stay_small(target: Target) -> None:
    async with target.connected() as channel:
        stream = target.start(channel)
        await stream.send(**target.stage.later_request)
        try:
            await stream.receive()
        except grpc.aio.AioRpcError as error:
            refused = error
        else:
            raise AssertionError("the stream was not refused")
    trailers = dict(refused.trailing_metadata() or ())
    status = Status.FromString(bytes(trailers[DETAILS_KEY]))
    infos = [info for part in status.details if part.Unpack(info := ErrorInfo())]
    assert [info.domain for info in infos] == [target.stage.full_name]
    assert status.code == refused.code().value[0]
    assert sum(len(key) + len(value) for key, value in trailers.items()) < MAX_STATUS_BYTES
