"""HTTP to an MCP server, with a bound on what an answer may hold.

The client reads an answer that is JSON whole before it looks at it; of one that is a stream of events it bounds each
event itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx2

from services.nlu.tools.rest.client import MAX_BYTES

_EVENTS = "text/event-stream"


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Raises httpx2.RemoteProtocolError for an answer that is packed, and for one of more than a megabyte that is no
    stream of events.
    """

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("the answer is compressed, which was not asked for", request=request)
        if not response.headers.get("content-type", "").lower().startswith(_EVENTS):
            response.stream = _Bounded(cast(httpx2.AsyncByteStream, response.stream), request)
        return response


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, request: httpx2.Request) -> None:
        self._stream, self._request = stream, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        n_bytes = 0
        async for chunk in self._stream:
            n_bytes += len(chunk)
            if n_bytes > MAX_BYTES:
                raise httpx2.RemoteProtocolError(f"the answer has more than {MAX_BYTES} bytes", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
