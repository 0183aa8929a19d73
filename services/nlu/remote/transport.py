"""Transport to a chat server: bounds on a response's body, and failures of the connection by their class."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import httpx

from services.runtime.breaker import ErrorClass
from services.runtime.providers import ProviderFailed

MAX_LINE_BYTES = 512 * 1024  # twice the longest event
MAX_BODY_BYTES = 4 * 1024 * 1024  # thousands of tokens, with all that servers tell of each
HEADERS = {"Accept-Encoding": "identity"}
"""Answers are short and come in pieces: compressing them saves nothing, and delays each piece."""
_DROPPED = frozenset({"RemoteProtocolError", "ReadError", "WriteError", "ConnectionError", "ServerDisconnectedError"})
"""Names of classes of httpx, of aiohttp and of Python."""


class BadBody(ValueError):
    """The body of a response is not one of a chat server."""


class BoundedBody(httpx.AsyncByteStream):
    """A response's body as it comes, within its bounds. Raises BadBody."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        n_bytes = n_line = 0
        async for chunk in self._stream:
            n_bytes += len(chunk)
            *_, rest = chunk.rpartition(b"\n")
            n_line = len(rest) + (n_line if len(rest) == len(chunk) else 0)
            if n_line > MAX_LINE_BYTES or n_bytes > MAX_BODY_BYTES:
                raise BadBody(f"more than {MAX_LINE_BYTES} bytes in a line, or {MAX_BODY_BYTES} in all")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def bound_body(response: httpx.Response) -> None:
    """A hook for responses of httpx: bounds the body before it is read. Raises BadBody."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        await response.aclose()
        raise BadBody(f"a body in {encoding[:20]!r}, which was not asked for")
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = BoundedBody(response.stream)


def was_dropped(error: BaseException) -> bool:
    """Return whether an open connection was closed by the other side, as servers do with one that has been idle: before
    an answer has begun, another connection is worth a try.
    """
    return any(kind.__name__ in _DROPPED for kind in type(error).__mro__) and not isinstance(error, httpx.ConnectError)


def failure_of(provider: str, error: Exception) -> ProviderFailed:
    """Return the failure of a connection that was refused, broke or timed out, or whose certificate is not trusted."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes) or "CERTIFICATE_VERIFY_FAILED" in str(
        error
    ):
        why = next((one.verify_message for one in causes if isinstance(one, ssl.SSLCertVerificationError)), str(error))
        return ProviderFailed("ENGINE_FAILED", f"{provider}'s certificate is refused: {why}", ErrorClass.FATAL)
    if isinstance(error, BadBody):
        return ProviderFailed("ENGINE_FAILED", f"{provider} sent {error}", ErrorClass.TRANSIENT)
    what = " ".join(str(error).split())[:200] or type(error).__name__
    return ProviderFailed("ENGINE_FAILED", f"the connection to {provider} failed: {what}", ErrorClass.TRANSIENT)
