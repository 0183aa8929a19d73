"""One gRPC server with one service on it, and health and reflection beside it."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2 import HealthCheckResponse
from opentelemetry.instrumentation.grpc import aio_server_interceptor

from services.runtime.credentials import ServerCertificate, TokenFile
from services.runtime.errors import StartupError
from services.runtime.identity import Scope
from services.runtime.interceptor import Door
from services.runtime.lifecycle import Lifecycle, State
from services.runtime.metrics import StageMetrics, stage_of
from services.runtime.reflection import add_reflection
from services.runtime.requests import WAITING_LIMIT
from services.runtime.settings import ServiceSettings

HEALTH_NAME = "grpc.health.v1.Health"
MIN_CLIENT_PING_MS = 10_000
KEEPALIVE_MS = 20_000
KEEPALIVE_TIMEOUT_MS = 10_000
HANDSHAKE_MS = 10_000
"""For TLS and HTTP/2 to begin on a connection; gRPC's own limit is two minutes."""
PROBE_STREAMS = 64
"""Health, reflection and unary calls on one connection beside its streams."""
CUT_GRACE_S = 0.2  # for the statuses of what is cut to reach their clients


class ServiceServer:
    """Owns the port, the door and the health of one service. Used inside a running loop."""

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        full_name: str,
        add: Callable[[grpc.aio.Server], None],
        lifecycle: Lifecycle,
        scopes: Mapping[str, Scope] | None = None,
        socket_path: Path | None = None,
    ) -> None:
        """`full_name` as in "voice.tts.v1.TtsService"; `add` puts the servicer on the server; `scopes`: see Door.
        `socket_path`: a UNIX socket to listen on too, in a folder that only this user enters; tokens are asked for
        there as well. Raises StartupError.
        """
        self._settings = settings
        self._full_name = full_name
        self._socket_path = socket_path
        self._lifecycle = lifecycle
        self._tokens = TokenFile(settings.auth_tokens_file) if settings.auth_tokens_file else None
        self._certificate: ServerCertificate | None = None
        self._door = Door(
            full_name,
            lifecycle=lifecycle,
            max_streams=settings.max_streams,
            tokens=self._tokens,
            metrics=StageMetrics(stage_of(full_name)),
            scopes=scopes or {},
            config_limit_s=settings.config_limit_s,
            idle_s=settings.stream_idle_s,
        )
        self._server = grpc.aio.server(
            interceptors=(_unary_spans(full_name), self._door), options=server_options(settings)
        )
        self._health = health_aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        add_reflection(self._server, [full_name, HEALTH_NAME])
        add(self._server)
        self.port = 0

    @property
    def target(self) -> str:
        """Return the address on which the server listens, as "host:port"."""
        return _address(self._settings.host, self.port)

    async def start(self) -> None:
        """Listen, NOT_SERVING. Raises StartupError when the port is taken or a certificate does not load."""
        self._certificate = ServerCertificate(self._settings) if self._settings.tls_certificate_file else None
        credentials = self._certificate.credentials() if self._certificate else None
        _check_port(self._settings.host, self._settings.port)
        address = _address(self._settings.host, self._settings.port)
        try:
            if credentials is None:
                self.port = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, credentials)
            if self._socket_path is not None:
                self._server.add_insecure_port(f"unix:{self._socket_path}")
        except RuntimeError as error:
            raise StartupError(f"cannot listen on {address}: {error}") from error
        await self._say(HealthCheckResponse.NOT_SERVING)
        await self._server.start()

    async def serve(self) -> None:
        """The engine is loaded: SERVING."""
        self._lifecycle.serve()
        if self._lifecycle.state is State.SERVING:
            await self._say(HealthCheckResponse.SERVING)

    async def reload_credentials(self) -> None:
        """Take up tokens and certificates whose files have changed. Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for files in (self._tokens, self._certificate):
                if files is not None:
                    tasks.create_task(files.watch())

    async def tell_parts(self) -> None:
        """Have health say which parts of the service are ready, under their names. Until cancelled."""
        while True:
            for name, is_ready in (await self._lifecycle.changed_parts()).items():
                status = HealthCheckResponse.SERVING if is_ready else HealthCheckResponse.NOT_SERVING
                await self._health.set(name, status)

    async def stop(self, drain_s: float) -> None:
        """Drain and stop: NOT_SERVING, refuse new streams, let the open ones end for up to `drain_s`, cut the rest.

        The port stays open meanwhile, so that a new stream is refused with a reason instead of a reset connection.
        """
        if self._lifecycle.state is State.STOPPED:
            return
        self._lifecycle.drain(drain_s)
        await self._health.enter_graceful_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await self._door.emptied()
        await self._server.stop(grace=CUT_GRACE_S)
        self._lifecycle.stop()

    async def _say(self, status: int) -> None:
        for name in ("", self._full_name):
            await self._health.set(name, status)


def server_options(settings: ServiceSettings) -> list[tuple[str, Any]]:
    """The channel arguments of the server, in gRPC core's names."""
    return [
        ("grpc.so_reuseport", 0),  # else a second process on the same port would share it silently
        ("grpc.http2.bdp_probe", 0),  # its growing window lets a sender run minutes ahead of a slow reader
        ("grpc.http2.min_ping_interval_without_data_ms", MIN_CLIENT_PING_MS),  # min_recv_.. is ignored here
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),  # a client that is dead without a word is noticed
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.max_connection_age_ms", round(settings.connection_age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", round(settings.connection_grace_s * 1000)),
        # Above what the door itself lets in, which answers with a status: gRPC queues silently at this bound.
        ("grpc.max_concurrent_streams", 2 * settings.max_streams + WAITING_LIMIT + PROBE_STREAMS),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
    ]


def _address(host: str, port: int) -> str:
    """Return the address as gRPC wants it: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_port(host: str, port: int) -> None:
    """Bind once by ourselves: gRPC would explain a taken port in its own log lines."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {_address(host, port)} ({error.strerror}): "
            "stop the process that holds the port, or set another"
        ) from error


def _unary_spans(full_name: str) -> grpc.aio.ServerInterceptor:
    """Spans of unary calls. A stream would be one span of the whole call; its turns have their own."""
    pool: Any = descriptor_pool.Default()
    service = pool.FindServiceByName(full_name)
    unary = {
        f"/{full_name}/{method.name}"
        for method in service.methods
        if not method.client_streaming and not method.server_streaming
    }
    spans: grpc.aio.ServerInterceptor = aio_server_interceptor(filter_=lambda call: call.method in unary)  # type: ignore[no-untyped-call]
    return spans
