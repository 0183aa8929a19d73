"""The four services of the stack: what they are called, where they listen, whether they serve."""

import http.client
import importlib
import socket
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2

from services.runtime.errors import StartupError
from services.runtime.monitoring import CANNOT_SERVE
from services.runtime.settings import ServiceSettings, read_settings

_LIMIT_S = 1.0


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


def settings_kind(service: Service) -> type[ServiceSettings]:
    """The class of the service's settings."""
    module = importlib.import_module(f"services.{service.name}.settings")
    kind: type[ServiceSettings] = getattr(module, service.settings_class)
    return kind


def settings_of(service: Service) -> ServiceSettings:
    """The service's own settings, read as the service will read them. A bad one ends the program with a line."""
    return read_settings(settings_kind(service))


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
    """Asks one service now and then whether it serves: over HTTP at its metrics' port, which its event loop answers,
    with or without TLS. Where it has no metrics, over gRPC; behind TLS a listening port must do then.
    """

    def __init__(self, service: Service, settings: ServiceSettings) -> None:
        self._service, self._settings = service, settings
        self.address = f"{settings.host}:{settings.port}"
        self._channel: grpc.Channel | None = None

    def is_serving(self) -> bool:
        """Return whether the service takes streams, said within a second."""
        if self._settings.metrics_port:
            return not self.faults("serving")
        if self._settings.tls_certificate_file:
            return not _is_free(self._settings.host, self._settings.port)
        return self._says_serving()

    def why_never(self) -> str:
        """Return what a person must mend before the service can serve, as the service says itself; empty: nothing is
        known.
        """
        if not self._settings.metrics_port:
            return ""
        lines = self.faults("serving").splitlines()
        return next((line.removeprefix(CANNOT_SERVE) for line in lines if line.startswith(CANNOT_SERVE)), "")

    def faults(self, page: str) -> str:
        """Return what a page of the monitoring server, "live", "serving" or "ready", finds wrong; empty: nothing."""
        host = reachable(self._settings.metrics_host)
        connection = http.client.HTTPConnection(host, self._settings.metrics_port, timeout=_LIMIT_S)
        try:
            connection.request("GET", f"/{page}")
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            return f"no answer from {host}:{self._settings.metrics_port}: {error or type(error).__name__}"
        finally:
            connection.close()
        return "" if answer.status == http.client.OK else said or str(answer.status)

    def _says_serving(self) -> bool:
        if self._channel is None:
            # A local subchannel pool: a refused connection must not slow down the next look.
            options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 200)]
            options += [("grpc.max_reconnect_backoff_ms", 500), ("grpc.enable_http_proxy", 0)]
            self._channel = grpc.insecure_channel(self.address, options=options)
        check = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(service=self._service.full_name), timeout=0.5)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()


def reachable(host: str) -> str:
    """An address of this machine where what listens on `host` is reached."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what a service was told, not bound here


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
