"""Channels to the replicas of one service: the first one that serves is used."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import grpc

from clients.python.errors import TongDaiError, UnavailableError, error_of
from services.runtime.channels import ChannelSettings, open_channel

Result = TypeVar("Result")
LONGEST_WAIT_S = 30.0
"""A server's wish to wait longer than that is not followed."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a connection to a service. TLS is on where `tls_ca_file` is given; with certificate and key it is
    mutual.
    """

    targets: tuple[str, ...]
    """Replicas, "host:port" each, in the order they are tried."""
    tls_ca_file: Path | None = None
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None
    token: str = ""
    """A bearer token; empty sends none. Without TLS it goes to loopback addresses only."""
    open_limit_s: float = 10.0
    """Seconds a replica may take for its first response."""
    rounds: int = 1
    """Attempts at the replicas, with the wait of RetryInfo in between."""


class Connection:
    """The replicas of one service. Use as an asynchronous context manager."""

    def __init__(self, options: Options) -> None:
        """Raises OSError: a file of the options cannot be read. Raises ValueError: the token would leave this machine
        in plain text.
        """
        self.options = options
        settings = ChannelSettings(
            options.tls_ca_file, options.tls_certificate_file, options.tls_key_file, options.token
        )
        self.channels = [open_channel(target, settings) for target in options.targets]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self.channels:
            await channel.close()

    async def on_replica(self, do: Callable[[grpc.aio.Channel], Awaitable[Result]]) -> Result:
        """Do something on the first replica that serves. Those that are full or away are passed over, and tried again
        as `rounds` and RetryInfo say. Raises TongDaiError.
        """
        refusal: TongDaiError = UnavailableError("UNAVAILABLE", "", "no target was given")
        for turn in range(max(1, self.options.rounds)):
            if turn:
                await asyncio.sleep(min(LONGEST_WAIT_S, refusal.retry_delay_s or 1.0))
            for channel in self.channels:
                try:
                    return await do(channel)
                except (TongDaiError, grpc.aio.AioRpcError) as error:
                    refusal = error if isinstance(error, TongDaiError) else error_of(error)
                    if not refusal.is_elsewhere_worthwhile:
                        raise refusal from None
        raise refusal
