"""Asterisk's REST interface: the few requests a gateway needs, each with a limit."""

import asyncio
import base64
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.edges.edge import LegFailed
from services.runtime.credentials import WatchedFiles
from services.runtime.errors import StartupError
from services.runtime.json_text import read_json

_NOT_FOUND: Final = 404
_FIRST_ERROR: Final = 300
_HEARTBEAT_S: Final = 10.0  # a connection that is dead without a word is noticed within this and a half
_MAX_EVENT_BYTES: Final = 1 << 20


class AriUnreachable(LegFailed):
    """No answer: Asterisk is down, starting, or too slow."""


class AriRefused(LegFailed):
    """Asterisk answered no."""

    def __init__(self, request: str, status: int, message: str) -> None:
        super().__init__(f"{request}: {status} {message}")
        self.status = status

    @property
    def is_gone(self) -> bool:
        """Return whether the thing that the request was about does not exist."""
        return self.status == _NOT_FOUND


class _AuthorityFile(WatchedFiles[str]):
    """The PEM certificates Asterisk's is verified with, as they stand in their file."""

    def __init__(self, path: Path) -> None:
        """Raises StartupError."""
        super().__init__("ari_authorities", (path,), lambda: _read_authorities(path))


def _read_authorities(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
        ssl.create_default_context(cadata=text)
    except (OSError, ValueError) as error:
        raise StartupError(f"GATEWAY_ARI_TLS_CA_FILE {path}: {error}") from error
    return text


class AriClient:
    """One HTTP session with one Asterisk. Use as a context manager. Every request raises AriUnreachable, AriRefused."""

    def __init__(self, settings: AriSettings) -> None:
        """Raises StartupError: a file of the settings cannot be used."""
        self._settings = settings
        self._password_file = None
        self._password = settings.password.get_secret_value()
        if settings.password_file is not None:
            self._password_file = WatchedFiles("ari_password", (settings.password_file,), settings.read_password)
            self._password = self._password_file.current
        self._base = f"{settings.url}/ari"
        self._ca = None if settings.tls_ca_file is None else _AuthorityFile(settings.tls_ca_file)
        self._tls = settings.tls()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._settings.request_limit_s),
            connector=aiohttp.TCPConnector(limit=64),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def renew_files(self) -> None:
        """Reload the password and the certificate authorities from their files when these change, until cancelled. The
        open socket of events goes on.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_authorities())
            tasks.create_task(self._renew_password())

    async def _renew_password(self) -> None:
        if self._password_file is None:
            return
        file = self._password_file

        def renew() -> None:
            self._password = file.current

        await file.watch(renew)

    async def _renew_authorities(self) -> None:
        if self._ca is None or not isinstance(self._tls, ssl.SSLContext):
            return
        authorities = self._ca

        def renew() -> None:  # authorities cannot be taken from a context; a new one reuses no connection
            self._tls = ssl.create_default_context(cadata=authorities.current)

        await authorities.watch(renew)

    async def open_events(self, app: str = "") -> aiohttp.ClientWebSocketResponse:
        """The socket an application's events come by, ours where none is named. Opening it is what subscribes; the
        caller closes it.
        """
        try:
            return await self._session().ws_connect(
                f"{self._base}/events",
                params={"app": app or self._settings.app},
                headers=self._who(),
                heartbeat=_HEARTBEAT_S,
                max_msg_size=_MAX_EVENT_BYTES,
                ssl=self._tls,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise AriRefused("events", error.status, error.message) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AriUnreachable(f"events: {error or type(error).__name__}") from error

    async def get(self, *path: str, **query: str) -> Any:
        return await self._ask("GET", path, query)

    async def post(self, *path: str, **query: str) -> Any:
        return await self._ask("POST", path, query)

    async def delete(self, *path: str, **query: str) -> None:
        """Removing what is gone is no error."""
        try:
            await self._ask("DELETE", path, query)
        except AriRefused as refusal:
            if not refusal.is_gone:
                raise

    async def filter_events(self, app: str, kinds: tuple[str, ...]) -> None:
        """Have only these kinds of events sent: one call makes some forty others."""
        await self._ask(
            "PUT", ("applications", app, "eventFilter"), {}, {"allowed": [{"type": kind} for kind in kinds]}
        )

    async def variable(self, channel_id: str, name: str) -> str:
        """A channel variable, "" when it is not set."""
        try:
            return str((await self.get("channels", channel_id, "variable", variable=name))["value"])
        except AriRefused as refusal:
            if refusal.is_gone:
                return ""
            raise

    async def _ask(
        self, method: str, path: tuple[str, ...], query: dict[str, str], body: dict[str, Any] | None = None
    ) -> Any:
        address = "/".join(quote(part, safe="") for part in path)
        try:
            async with self._session().request(
                method,
                URL(f"{self._base}/{address}", encoded=True),
                params=query,
                json=body,
                headers=self._who(),
                ssl=self._tls,
                allow_redirects=False,  # data of a call must not be sent to another host
            ) as response:
                text = await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise AriUnreachable(f"{method} {address}: {error or type(error).__name__}") from error
        if response.status >= _FIRST_ERROR:
            raise AriRefused(f"{method} {address}", response.status, _message(text))
        try:
            return read_json(text) if text else None
        except ValueError as error:
            raise AriRefused(f"{method} {address}", response.status, "the answer is no JSON") from error

    def _who(self) -> dict[str, str]:
        return {"Authorization": _basic(self._settings.user, self._password)}

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise AriUnreachable("the client is closed")
        return self._http


def _basic(user: str, password: str) -> str:
    """RFC 7617 section 2."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _message(text: str) -> str:
    try:
        return str(read_json(text)["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return text[:200]
