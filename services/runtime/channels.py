"""The client's side: a channel to a service, set up as the protocol asks."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from services.runtime.exposure import is_loopback_target

MIN_KEEPALIVE_S = 20.0
_TOKEN = re.compile(r"[!-~]+")  # what a header may carry: printable ASCII without blanks


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client's certificate, key and CA, as they stood in the files."""

    root_certificates: bytes | None = None  # PEM; None: no TLS
    certificate_chain: bytes | None = None
    private_key: bytes | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """The settings of a channel to a service. Plain text unless a CA file is given."""

    tls_ca_file: Path | None = None
    """PEM certificates of those who sign the server; turns TLS on."""
    tls_certificate_file: Path | None = None
    """PEM certificate chain of this client, for mTLS."""
    tls_key_file: Path | None = None
    """PEM private key that belongs to it."""
    token: str = ""
    """Bearer token; empty sends none."""
    token_file: Path | None = None
    """A file with the bearer token and nothing else, in place of `token`."""
    allow_insecure: bool = False
    """Send the token to another machine without TLS all the same."""
    keepalive_s: float = 20.0
    """Seconds between pings on a quiet connection, 20 or more: servers refuse to be pinged oftener than every 10."""
    max_message_bytes: int = 4 << 20
    """Largest response taken, in bytes."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that are read when a channel is opened."""
        named = (self.tls_ca_file, self.tls_certificate_file, self.tls_key_file, self.token_file)
        return tuple(path for path in named if path is not None)

    def read(self) -> ClientCredentials:
        """Read the files. Raises OSError, ValueError: the token's file holds none."""
        return ClientCredentials(
            root_certificates=self.tls_ca_file.read_bytes() if self.tls_ca_file else None,
            certificate_chain=self.tls_certificate_file.read_bytes() if self.tls_certificate_file else None,
            private_key=self.tls_key_file.read_bytes() if self.tls_key_file else None,
            token=self._read_token(),
        )

    def _read_token(self) -> str:
        if self.token_file is None:
            return self.token
        token = self.token_file.read_text(encoding="utf-8").strip()
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"{self.token_file} holds no token: one line of printable characters, without blanks")
        return token


def open_channel(
    target: str,
    settings: ChannelSettings = ChannelSettings(),
    *,
    health_service: str = "",
    read: ClientCredentials | None = None,
) -> grpc.aio.Channel:
    """A channel to `target` ("host:port" or any gRPC name), balanced round robin over its addresses, without retries:
    a turn is retried by the one who knows what was heard of it. Close it when done. `health_service`: the full name of
    the service whose health says which addresses new streams go to: one that drains gets none, one that has come gets
    some. `read`: what the files of the settings hold; None: they are read here. Raises OSError: one cannot be read.
    Raises ValueError: a token's file holds none, or the token would leave this machine over plain text.
    """
    own = settings.read() if read is None else read
    options = channel_options(settings, health_service=health_service)
    is_near = is_loopback_target(target)
    if is_near:
        options.append(("grpc.enable_http_proxy", 0))  # http_proxy of the environment would take calls off this machine
    if own.root_certificates is None:
        if own.token and not is_near and not settings.allow_insecure:
            raise ValueError(f"the bearer token would go to {target} over plain text: use TLS")
        interceptors = _token_interceptors(own.token) if own.token else []
        return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=own.root_certificates,
        private_key=own.private_key,
        certificate_chain=own.certificate_chain,
    )
    if own.token:
        credentials = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(own.token))
    return grpc.aio.secure_channel(target, credentials, options=options)


def channel_options(settings: ChannelSettings, *, health_service: str = "") -> list[tuple[str, Any]]:
    """The channel arguments, in gRPC core's names."""
    service_config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if health_service:
        service_config["healthCheckConfig"] = {"serviceName": health_service}
    return [
        ("grpc.http2.bdp_probe", 0),  # its growing window lets a sender run minutes ahead of a slow reader
        ("grpc.keepalive_time_ms", round(max(MIN_KEEPALIVE_S, settings.keepalive_s) * 1000)),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_retries", 0),
        # A server that comes back is wanted at once: gRPC's own backoff grows to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.service_config", json.dumps(service_config)),
    ]


def _token_interceptors(token: str) -> list[grpc.aio.ClientInterceptor]:
    return [_UnaryToken(token), _ServerStreamToken(token), _BidirectionalToken(token)]


class _Token:
    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def _with_token(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), self._header)
        return grpc.aio.ClientCallDetails(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
        )


class _UnaryToken(_Token, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._with_token(client_call_details), request)


class _ServerStreamToken(_Token, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._with_token(client_call_details), request)


class _BidirectionalToken(_Token, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: grpc.aio.ClientCallDetails, request_iterator: Any
    ) -> Any:
        return await continuation(self._with_token(client_call_details), request_iterator)
