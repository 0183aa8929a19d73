"""Rules 1, 2, 3, 5 and the table of bad input: how every stream opens, grows and closes, on every engine."""

import grpc
import pytest

from tests.conformance.conftest import engine_params
from tests.conformance.servers import Server
from tests.conformance.stages import STAGES, BadConfig
from tests.conformance.streams import connected, kinds, opened, start_stream

FUTURE_KIND = b"\xba\x06\x02\x08\x01"
"""A request of a kind no server knows yet: field 103, a message."""


async def test_the_first_response_says_who_answers(server: Server) -> None:
    async with connected(server.target) as channel:
        opening = await start_stream(server.stage, channel).open()
    who = {"call": lambda: opening.call_id, "nlu": lambda: opening.engine.name}.get(
        server.stage.name, lambda: getattr(opening, "name", "")
    )()
    assert who


async def test_the_features_name_the_requests_the_server_understands(server: Server) -> None:
    if server.stage.name == "call":
        return  # a gateway has no engine to describe
    async with connected(server.target) as channel:
        opening = await start_stream(server.stage, channel).open()
    features = opening.engine.features if server.stage.name == "nlu" else opening.features
    optional = {field.name for field in server.stage.request.DESCRIPTOR.fields} - {
        "config",
        "audio",
        "text",
        "user_turn",
    }
    assert optional <= set(features)
    assert len(features) == len(set(features))


async def test_describing_the_engine_says_what_a_stream_says(server: Server) -> None:
    if server.stage.name == "call":
        return
    async with connected(server.target) as channel:
        describe = channel.unary_unary(
            server.stage.describe_path,
            request_serializer=type(server.stage.describe_request).SerializeToString,
            response_deserializer=server.stage.describe_response.FromString,
        )
        described = (await describe(server.stage.describe_request)).engine
        opening = await start_stream(server.stage, channel).open()
    assert described == (opening.engine if server.stage.name == "nlu" else opening)


async def test_a_stream_that_does_not_open_with_config_is_refused(server: Server) -> None:
    async with connected(server.target) as channel:
        stream = start_stream(server.stage, channel)
        await stream.send(**server.stage.later_request)
        failure = await stream.failure()
    assert (failure.code, failure.reason, failure.field) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "FIRST_MESSAGE_NOT_CONFIG",
        "config",
    )


async def test_a_stream_without_a_message_is_refused(scripted_server: Server) -> None:
    async with connected(scripted_server.target) as channel:
        stream = start_stream(scripted_server.stage, channel)
        await stream.half_close()
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIRST_MESSAGE_NOT_CONFIG")


async def test_a_second_config_is_refused(server: Server) -> None:
    async with opened(server.stage, server.target) as stream:
        await stream.send(server.stage.config())
        failure = await stream.failure()
    assert (failure.code, failure.reason, failure.field) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "SECOND_CONFIG",
        "config",
    )


@pytest.mark.parametrize(
    ("stage_engine", "bad"),
    [
        pytest.param(param.values[0], bad, id=f"{param.id}-{bad.name}", marks=param.marks)  # type: ignore[attr-defined]
        for name, stage in STAGES.items()
        for param in engine_params(name)
        for bad in stage.bad_configs
    ],
)
async def test_a_bad_config_is_refused_by_the_name_of_its_field(
    start: "object", stage_engine: tuple[str, str], bad: BadConfig
) -> None:
    server: Server = start(*stage_engine)  # type: ignore[operator]
    async with connected(server.target) as channel:
        stream = start_stream(server.stage, channel)
        await stream.send(server.stage.config(**bad.change))
        failure = await stream.failure()
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.reason
    assert failure.field.startswith(bad.field)
    assert stream.heard == []


async def test_a_call_without_an_id_is_served(scripted_server: Server) -> None:
    async with connected(scripted_server.target) as channel:
        assert await start_stream(scripted_server.stage, channel).open(call_id="") is not None


async def test_a_kind_of_a_later_version_is_ignored(server: Server) -> None:
    async with opened(server.stage, server.target) as stream:
        await stream.send(server.stage.request())
        await stream.send(server.stage.request.FromString(FUTURE_KIND))
        if server.stage.name == "call":
            await stream.send(hangup={})
        assert "turn_end" not in kinds(await stream.rest())


async def test_a_half_closed_stream_ends_ok(server: Server) -> None:
    if server.stage.name == "call":
        return  # there the caller stays and listens: see test_gateway.py
    async with opened(server.stage, server.target) as stream:
        assert kinds(await stream.rest()) == []
