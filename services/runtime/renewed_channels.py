"""Channels whose certificates and token follow their files: new streams use the new ones, open streams go on."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from services.runtime.channels import ChannelSettings, ClientCredentials, open_channel
from services.runtime.credentials import WatchedFiles
from services.runtime.errors import StartupError

OpenChannel = Callable[[], grpc.aio.Channel]


class ChannelFiles(WatchedFiles[ClientCredentials]):
    """The files of a client's settings. One that cannot be read is logged, and the channels stay as they are."""

    def __init__(self, settings: ChannelSettings) -> None:
        """Raises StartupError."""
        super().__init__("client_credentials", settings.files, lambda: _checked(settings))


def _checked(settings: ChannelSettings) -> ClientCredentials:
    """Return what the files hold, when TLS can begin with it: gRPC itself would say so at the first handshake only.
    Raises StartupError.
    """
    try:
        read = settings.read()
        if settings.tls_ca_file is not None:
            context = ssl.create_default_context(cafile=settings.tls_ca_file)
            if settings.tls_certificate_file is not None:
                context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
    except (OSError, ValueError) as error:
        names = ", ".join(str(path) for path in settings.files)
        raise StartupError(f"credentials for the stages ({names}): {error}") from error
    return read


class RenewedChannel(grpc.aio.Channel):
    """A channel that is opened again by `renew`. The one before is closed when its last call is over, not sooner."""

    def __init__(self, open_again: OpenChannel) -> None:
        """`open_again` is called at once and at each `renew`. Inside a running loop."""
        self._open_again = open_again
        self._current = _Counted(open_again())
        self._retired: set[_Counted] = set()

    def renew(self) -> None:
        """New calls go over a new channel. Raises what opening it raises, and then the one before stays."""
        fresh = _Counted(self._open_again())
        before, self._current = self._current, fresh
        self._retired.add(before)
        before.retire(self._retired.discard)

    async def close(self, grace: float | None = None) -> None:
        """End every call."""
        await asyncio.gather(*(each.channel.close(grace) for each in (self._current, *self._retired)))

    async def __aenter__(self) -> "RenewedChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Of the channel that new calls go over."""
        return self._current.channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the state of the channel that new calls go over is another one."""
        await self._current.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the channel that new calls go over is ready."""
        await self._current.channel.channel_ready()

    def unary_unary(self, *given: Any, **named: Any) -> Any:
        """A method, which chooses the channel at each call; so do its sisters."""
        return self._method("unary_unary", given, named)

    def unary_stream(self, *given: Any, **named: Any) -> Any:
        return self._method("unary_stream", given, named)

    def stream_unary(self, *given: Any, **named: Any) -> Any:
        return self._method("stream_unary", given, named)

    def stream_stream(self, *given: Any, **named: Any) -> Any:
        return self._method("stream_stream", given, named)

    def _method(self, kind: str, given: Sequence[Any], named: dict[str, Any]) -> Callable[..., Any]:
        return lambda *arguments, **options: self._current.call(
            getattr(self._current.channel, kind)(*given, **named), arguments, options
        )


class _Counted:
    """A channel that knows how many of its calls are under way."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self._n_calls = 0
        self._on_closed: Callable[[_Counted], None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def call(self, method: Callable[..., Any], arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        call = method(*arguments, **options)
        self._n_calls += 1
        call.add_done_callback(self._ended)
        return call

    def retire(self, on_closed: "Callable[[_Counted], None]") -> None:
        """Close when nothing is under way any more."""
        self._on_closed = on_closed
        self._close_when_idle()

    def _ended(self, _call: object) -> None:
        self._n_calls -= 1
        self._close_when_idle()

    def _close_when_idle(self) -> None:
        if self._on_closed is not None and not self._n_calls and self._closing is None:
            self._closing = asyncio.create_task(self._close(self._on_closed))

    async def _close(self, on_closed: "Callable[[_Counted], None]") -> None:
        await self.channel.close()
        on_closed(self)


class RenewedChannels:
    """The channels of one client's settings, which follow their files together."""

    def __init__(self, settings: ChannelSettings) -> None:
        """Raises StartupError: a file cannot be read."""
        self._settings = settings
        self._files = ChannelFiles(settings)
        self._channels: list[RenewedChannel] = []

    def open(self, target: str, *, health_service: str = "") -> RenewedChannel:
        """A channel as `open_channel` gives it. Raises ValueError."""

        def open_again() -> grpc.aio.Channel:
            return open_channel(target, self._settings, health_service=health_service, read=self._files.current)

        channel = RenewedChannel(open_again)
        self._channels.append(channel)
        return channel

    async def watch(self) -> None:
        """Look at the files every two seconds, and renew the channels when one has changed. Until cancelled."""
        await self._files.watch(self._renew)

    def _renew(self) -> None:
        for channel in self._channels:
            channel.renew()
