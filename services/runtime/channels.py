"""The client's side: a channel to a service, set up as the protocol asks."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

MIN_KEEPALIVE_S = 20.0


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """How to reach a service. Plain text unless a CA file is given."""

    tls_ca_file: Path | None = None
    """PEM certificates of those who sign the server; turns TLS on."""
    tls_certificate_file: Path | None = None
    """PEM certificate chain of this client, for mTLS."""
    tls_key_file: Path | None = None
    """PEM private key that belongs to it."""
    token: str = ""
    """Bearer token; empty sends none."""
    keepalive_s: float = 20.0
    """Seconds between pings on a quiet connection, 20 or more: servers refuse to be pinged oftener than every 10."""
    max_message_bytes: int = 4 << 20
    """Largest response taken, in bytes."""


def open_channel(
    target: str, settings: ChannelSettings = ChannelSettings(), *, health_service: str = ""
) -> grpc.aio.Channel:
    """A channel to `target` ("host:port" or any gRPC name), balanced round robin over its addresses, without retries:
    a turn is retried by the one who knows what was heard of it. Close it when done. `health_service`: the full name of
    the service whose health says which addresses new streams go to: one that drains gets none, one that has come gets
    some. Raises OSError: a file of the settings cannot be read.
    """
    options = channel_options(settings, health_service=health_service)
    if settings.tls_ca_file is None:
        interceptors = _token_interceptors(settings.token) if settings.token else []
        return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=settings.tls_ca_file.read_bytes(),
        private_key=settings.tls_key_file.read_bytes() if settings.tls_key_file else None,
        certificate_chain=settings.tls_certificate_file.read_bytes() if settings.tls_certificate_file else None,
    )
    if settings.token:
        call_credentials = grpc.access_token_call_credentials(settings.token)
        credentials = grpc.composite_channel_credentials(credentials, call_credentials)
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
        # A server that comes back is wanted at once: gRPC's own patience grows to two minutes.
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
