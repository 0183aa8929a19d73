"""Run the gateway: `python -m services.call_gateway`."""

from voice.call.v1.call_pb2_grpc import add_CallGatewayServiceServicer_to_server

from services.call_gateway.edges import check_edge_settings
from services.call_gateway.gateway import Gateway
from services.call_gateway.service import FULL_NAME, SCOPES, CallGatewayService
from services.call_gateway.settings import GatewaySettings
from services.runtime.lifecycle import Lifecycle
from services.runtime.server import ServiceDefinition, run_services
from services.runtime.settings import read_settings


def define(settings: GatewaySettings) -> ServiceDefinition:
    """The gateway, ready to run. The settings of its edges are checked, and a bad one ends the program."""
    check_edge_settings(settings.edge_names)
    lifecycle = Lifecycle()
    gateway = Gateway(settings, lifecycle)
    service = CallGatewayService(gateway, lifecycle)
    return ServiceDefinition(
        settings,
        full_name=FULL_NAME,
        add=lambda server: add_CallGatewayServiceServicer_to_server(service, server),
        lifecycle=lifecycle,
        load=gateway.load,
        close=gateway.close,
        background=gateway.serve,
        drain=gateway.calls.emptied,
        scopes=SCOPES,
        ends_first=True,
    )


def main() -> None:
    """Read the settings and serve until told to stop."""
    run_services(define(read_settings(GatewaySettings)))


if __name__ == "__main__":
    main()
