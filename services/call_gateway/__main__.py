"""Run the gateway: `python -m services.call_gateway`."""

from voice.call.v1.call_pb2_grpc import add_CallGatewayServiceServicer_to_server

from services.call_gateway.edges import check_edge_settings
from services.call_gateway.gateway import Gateway
from services.call_gateway.service import FULL_NAME, SCOPES, CallGatewayService
from services.call_gateway.settings import GatewaySettings
from services.runtime.lifecycle import Lifecycle
from services.runtime.server import run_service
from services.runtime.settings import read_settings


def main() -> None:
    """Read the settings and serve until told to stop."""
    settings = read_settings(GatewaySettings)
    check_edge_settings(settings.edge_names)
    lifecycle = Lifecycle()
    gateway = Gateway(settings, lifecycle)
    service = CallGatewayService(gateway, lifecycle)
    run_service(
        settings,
        full_name=FULL_NAME,
        add=lambda server: add_CallGatewayServiceServicer_to_server(service, server),
        lifecycle=lifecycle,
        load=gateway.load,
        close=gateway.close,
        background=gateway.serve,
        drain=gateway.calls.emptied,
        scopes=SCOPES,
    )


if __name__ == "__main__":
    main()
