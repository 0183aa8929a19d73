"""Server-sent events (WHATWG HTML, section 9.2) as chat servers send them: the data of each event. Sans-IO."""

from __future__ import annotations

import re

MAX_EVENT_BYTES = 256 * 1024
_LINE_END = re.compile(rb"\r\n|\n|\r")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BadEvents(ValueError):
    """The server sends what cannot be an event of a chat."""


class EventReader:
    """Event stream parser: bytes in, data of whole events out."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = bytearray()
        self._data: list[str] = []
        self._n_data = 0
        self._is_first_line = True
        self._skips_line_feed = False  # the last line ended with a carriage return: a line feed belongs to it

    def feed(self, chunk: bytes) -> list[str]:
        """Take bytes; return the data of the events that are whole now. Raises BadEvents."""
        if not chunk:
            return []
        if self._skips_line_feed:
            chunk = chunk.removeprefix(b"\n")
        self._skips_line_feed = chunk.endswith(b"\r")
        self._rest += chunk
        *lines, rest = _LINE_END.split(self._rest)
        self._rest = bytearray(rest)
        taken = [self._take_line(bytes(line)) for line in lines]
        if len(self._rest) + self._n_data > self._max_event_bytes:
            raise BadEvents(f"an event of more than {self._max_event_bytes} bytes")
        return [event for event in taken if event is not None]

    def _take_line(self, line: bytes) -> str | None:
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(BYTE_ORDER_MARK)
        if not line:
            if not self._data:
                return None
            event, self._data, self._n_data = "\n".join(self._data), [], 0
            return event
        name, _, value = line.partition(b":")
        if name == b"data":
            self._n_data += len(value)
            if self._n_data > self._max_event_bytes:
                raise BadEvents(f"an event of more than {self._max_event_bytes} bytes")
            self._data.append(_decoded(value))
        if name == b"error":  # llama-server's, where it fails in mid-answer
            return f'{{"error": {_decoded(value)}}}'
        return None  # comments keep a connection open; `event`, `id` and `retry` say nothing here


def _decoded(value: bytes) -> str:
    try:
        return value.removeprefix(b" ").decode()
    except UnicodeDecodeError as error:
        raise BadEvents("an event that is not UTF-8") from error
