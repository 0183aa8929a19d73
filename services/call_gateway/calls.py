"""The calls that are up."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import Counter

from services.call_gateway.session import Session
from services.runtime.errors import NotFoundError, RequestError

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


_COUNTED: dict[str, tuple[Counter, float]] = {  # by the conversation's name: the metric, and the factor to its unit
    "echoes": (Counter("voice_echo_vetoes_total", "Sounds on callers' lines that were the agent's own voice."), 1),
    "underruns": (Counter("voice_underruns_total", "Frames due in mid-answer that no sound had come for."), 1),
    "drafts_wasted_us": (
        Counter("voice_drafts_wasted_seconds_total", "What agents computed for drafts that were dropped."),
        1e-6,
    ),
}


class CallNotFound(NotFoundError):
    """No call of that id is up."""

    reason = "CALL_NOT_FOUND"

    @classmethod
    def of(cls, call_id: str) -> "CallNotFound":
        """The error for that id."""
        return cls(f"no call {call_id!r} is up: ListCalls names those that are", field="call_id")


class BadPageToken(RequestError):
    """A page token that this gateway did not give."""

    reason = "BAD_PAGE_TOKEN"


class CallTally:
    """One call's counters as they were last passed on."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def tell(self, counters: Mapping[str, int]) -> None:
        """Pass on what was counted since the last time."""
        for name, (metric, unit) in _COUNTED.items():
            now = counters.get(name, 0)
            metric.inc((now - self._told.get(name, 0)) * unit)
            self._told[name] = now


@dataclass(slots=True)
class LiveCall:
    """One call, from its first ring to its last report."""

    number: int  # rises with every call: the order of the list
    session: Session
    start_time_ns: int = field(default_factory=time.time_ns)  # since 1970; when it was answered, once it was
    is_answered: bool = False
    turns_answered: int = 0
    is_handed_over: bool = False  # its analysis was asked for when the caller was put through
    tally: CallTally = field(default_factory=CallTally)

    @property
    def call_id(self) -> str:
        return self.session.call.call_id

    def answered(self) -> None:
        """Start the call's time limit."""
        self.is_answered = True
        self.start_time_ns = time.time_ns()

    @property
    def tenant_id(self) -> str:
        return self.session.call.tenant_id


class CallTable:
    """Every call of the process, oldest first."""

    def __init__(self) -> None:
        self._calls: dict[str, LiveCall] = {}
        self._last_number = 0
        self._emptied = asyncio.Event()
        self._emptied.set()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(self._calls.values())

    def add(self, session: Session) -> LiveCall:
        """A call has come. Its id must be new."""
        self._last_number += 1
        call = LiveCall(self._last_number, session)
        self._calls[call.call_id] = call
        self._emptied.clear()
        return call

    def remove(self, call: LiveCall) -> None:
        """Forget a call that is over."""
        if self._calls.get(call.call_id) is call:
            del self._calls[call.call_id]
        if not self._calls:
            self._emptied.set()

    async def emptied(self) -> None:
        """Wait until no call is up."""
        await self._emptied.wait()

    def get(self, call_id: str) -> LiveCall:
        """The call of that id. Raises CallNotFound."""
        try:
            return self._calls[call_id]
        except KeyError:
            raise CallNotFound.of(call_id) from None

    def page(self, *, size: int, token: str, may_see: Callable[[str], bool]) -> tuple[list[LiveCall], str]:
        """Calls of the tenants the asker may see, from where `token` points, and the token of the next page. Raises
        RequestError.
        """
        if size < 0:
            raise RequestError("page_size must not be negative; 0 means the default", field="page_size")
        try:
            after = int(token) if token else 0
        except ValueError:
            raise BadPageToken("page_token must come from the response before", field="page_token") from None
        size = min(size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        found = [call for call in self._calls.values() if call.number > after and may_see(call.tenant_id)]
        page = found[:size]
        return page, str(page[-1].number) if len(found) > size else ""
