"""The interface of edges: the source of calls, and what a session may ask of a caller's line.

An edge turns one kind of telephony (Asterisk, a SIP trunk, a browser, a program) into `Leg`s. An edge knows nothing of
turns, stages or agents; a session knows nothing of sockets. Between them there is no queue: the leg calls its listener
as sound arrives, and the pacer pulls each frame at the moment it is due, so that a decision about what to play is never
more than one frame old.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from services.audio.pcm import TELEPHONE, AudioFormat
from services.call_gateway.line import EndCause, LegEvent

FRAME_MS = 20
"""The agent's voice leaves in frames of this length."""


def new_visit_id() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """The data of a call before its first word."""

    call_id: str  # unique in the gateway; every id at the far side derives from it
    edge: str  # "ari", "program"
    tenant_id: str = ""
    agent_id: str = ""  # empty: the NLU stage's default
    language_codes: tuple[str, ...] = ()  # BCP-47, likeliest first; empty: the agent's own
    caller: str = ""  # E.164 or a SIP URI; personal data
    audio_format: AudioFormat = field(default=TELEPHONE)  # both ways
    is_recovered: bool = False  # the call was up before this process was: apologise instead of greeting
    visit_id: str = field(default_factory=new_visit_id)  # of this stay of the caller with us, and of no other


class LegListener(Protocol):
    """The session's side of a leg. Called on the event loop; must return within a fraction of a frame."""

    def on_leg_event(self, event: LegEvent) -> None:
        """Something happened on the line."""
        ...

    def next_frame(self) -> bytes | None:
        """The next 20 ms in the leg's format, pulled when it is due; None lets the leg send comfort silence."""
        ...


class Leg(Protocol):
    """One caller's line. Methods that act on the far side raise LegFailed, and have a time limit of their own."""

    call: IncomingCall

    async def answer(self, listener: LegListener) -> None:
        """Open the media, then answer; from here on the listener hears. Raises LegFailed."""
        ...

    def discard_sent(self) -> None:
        """Void what was sent and may not have been played yet (barge-in). Nothing to do where sent means played."""
        ...

    async def send_dtmf(self, digits: str) -> None:
        """Press keys towards the caller."""
        ...

    async def transfer(self, destination: str, *, is_listed: bool = False) -> None:
        """Transfer the caller; LegEnded(TRANSFER) follows. Returns when the destination has answered. Raises LegFailed,
        TransferFailed among them, and then the caller is here again. `is_listed`: the agent's own list names the
        destination, so an address is dialled as it is written.
        """
        ...

    @property
    def has_fallback(self) -> bool:
        """`fall_back` can hand over a caller whose call cannot go on."""
        ...

    async def fall_back(self, message: str) -> None:
        """Hand the caller to the fallback for calls that cannot be served here; LegEnded(FAILURE) follows."""
        ...

    async def hang_up(self, cause: EndCause, *, message: str = "") -> None:
        """End the call, after a tail long enough for the last frame to be heard. Does nothing when it is over."""
        ...


class LegFailed(Exception):
    """The far side refused or did not answer in time."""


class TransferFailed(LegFailed):
    """The destination of a transfer did not take the call."""

    def __init__(self, reason: str, message: str) -> None:
        """`reason`: UPPER_SNAKE_CASE."""
        super().__init__(message)
        self.reason = reason


TakeCall = Callable[[Leg], Awaitable[None]]
"""Given to an edge: hand over a new leg. Returns when the call is over."""


class Edge(Protocol):
    """An edge: one kind of telephony through which calls come."""

    is_ready: bool
    """Return whether calls can come through it now: its far side is connected, and gives its calls to this process."""

    async def serve(self, take_call: TakeCall) -> None:
        """Run until cancelled; each call in a task of its own. Raises StartupError when it cannot begin."""
        ...

    def stop_taking_calls(self) -> None:
        """Drain: new calls are sent elsewhere, calls that are up go on."""
        ...


class EdgePlace(NamedTuple):
    """The place of an edge, and of its own settings where it has any, each as "module:Class"."""

    edge: str
    settings: str = ""


EDGES: dict[str, EdgePlace] = {
    "ari": EdgePlace(
        "services.call_gateway.edges.ari.edge:AriEdge", "services.call_gateway.edges.ari.settings:AriSettings"
    ),
    "program": EdgePlace("services.call_gateway.edges.program:ProgramEdge"),
}
"""The edges by name. Nothing imports an edge."""
