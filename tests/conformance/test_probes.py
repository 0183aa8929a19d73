"""Rule 33: health by the service's name, and reflection under both of its names, methods included."""

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from clients.conformance.streams import connected
from services.runtime.reflection import PACKAGES
from tests.conformance.servers import Server


@pytest.mark.parametrize("is_named", [True, False], ids=["by name", "as a whole"])
async def test_a_server_whose_engine_is_loaded_serves(scripted_server: Server, is_named: bool) -> None:
    request = health_pb2.HealthCheckRequest(service=scripted_server.stage.full_name if is_named else "")
    async with connected(scripted_server.target) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_health_of_a_stranger_is_not_known(scripted_server: Server) -> None:
    async with connected(scripted_server.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def reflect(server: Server, package: str, **question: str) -> Any:
    """Ask the reflection service of one version one question. Both versions have the same messages on the wire."""
    async with connected(server.target) as channel:
        ask = channel.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        call = ask(iter([reflection_pb2.ServerReflectionRequest(**question)]))
        return await call.read()


@pytest.mark.parametrize("package", PACKAGES)
async def test_both_versions_list_the_services(scripted_server: Server, package: str) -> None:
    answer = await reflect(scripted_server, package, list_services="")
    names = {service.name for service in answer.list_services_response.service}
    assert {scripted_server.stage.full_name, "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize("package", PACKAGES)
async def test_both_versions_find_a_method(scripted_server: Server, package: str) -> None:
    stage = scripted_server.stage
    answer = await reflect(scripted_server, package, file_containing_symbol=f"{stage.full_name}.{stage.method}")
    assert answer.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize("package", PACKAGES)
async def test_what_is_not_there_is_not_found(scripted_server: Server, package: str) -> None:
    answer = await reflect(scripted_server, package, file_containing_symbol="no.such.Service.Method")
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
