"""A service on the loopback address of IPv6."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from voice.call.v1.call_pb2_grpc import CallGatewayServiceServicer, add_CallGatewayServiceServicer_to_server

from services.runtime.grpc_server import ServiceServer
from services.runtime.lifecycle import Lifecycle
from services.runtime.settings import ServiceSettings


async def test_a_server_listens_on_ipv6():
    server = ServiceServer(
        ServiceSettings(host="::1"),
        full_name="voice.call.v1.CallGatewayService",
        add=lambda server: add_CallGatewayServiceServicer_to_server(CallGatewayServiceServicer(), server),
        lifecycle=Lifecycle(),
    )
    await server.start()
    await server.serve()
    try:
        assert server.target == f"[::1]:{server.port}"
        async with grpc.aio.insecure_channel(server.target) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        await server.stop(0)
