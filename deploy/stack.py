"""The four services of the stack: what they are called, where they listen, whether they serve."""

import importlib
import socket
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2

from services.runtime.errors import StartupError
from services.runtime.settings import ServiceSettings, read_settings


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the stack."""

    name: str  # of the package under services/, and of the process
    prefix: str  # of its settings
    full_name: str  # of its gRPC service
    settings_class: str


SERVICES = (
    Service("stt_proxy", "STT", "voice.stt.v1.SttService", "SttSettings"),
    Service("nlu", "NLU", "voice.nlu.v1.NluService", "NluSettings"),
    Service("tts", "TTS", "voice.tts.v1.TtsService", "TtsSettings"),
    Service("call_gateway", "GATEWAY", "voice.call.v1.CallGatewayService", "GatewaySettings"),
)


def settings_of(service: Service) -> ServiceSettings:
    """The service's own settings, read as the service will read them. A bad one ends the program with a line."""
    module = importlib.import_module(f"services.{service.name}.settings")
    kind: type[ServiceSettings] = getattr(module, service.settings_class)
    return read_settings(kind)


def check_ports(service: Service, settings: ServiceSettings) -> None:
    """Raise StartupError when a port the service needs is taken."""
    for field, host in (("port", settings.host), ("metrics_port", settings.metrics_host)):
        port: int = getattr(settings, field)
        if port and not _is_free(host, port):
            raise StartupError(
                f"port {port} of {service.name} is taken (is the stack running already?): stop what listens there "
                f"or set {service.prefix}_{field.upper()} to a free one"
            )


class HealthWatch:
    """Asks one service now and then whether it serves. Plain channels only: behind TLS a listening port must do."""

    def __init__(self, service: Service, settings: ServiceSettings) -> None:
        self._service, self._settings = service, settings
        self.address = f"{settings.host}:{settings.port}"
        # A local subchannel pool: a refused connection must not slow down the next look.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 200)]
        options += [("grpc.max_reconnect_backoff_ms", 500), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.insecure_channel(self.address, options=options)
        self._check = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )

    def is_serving(self) -> bool:
        """Whether the service says SERVING within half a second."""
        if self._settings.tls_certificate_file:
            return not _is_free(self._settings.host, self._settings.port)
        try:
            answer = self._check(health_pb2.HealthCheckRequest(service=self._service.full_name), timeout=0.5)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
