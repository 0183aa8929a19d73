"""Inputs of a conversation as plain values; wire.py makes them from protobuf."""

from __future__ import annotations

from dataclasses import dataclass

from services.nlu.history import Entry
from services.nlu.outputs import Act, ActionOutcome
from services.runtime.tracing import TraceContext


@dataclass(frozen=True, slots=True)
class Text:
    """The caller said this."""

    text: str
    confidence: float | None = None  # 0 to 1; None: not known


@dataclass(frozen=True, slots=True)
class Open:
    """The call is open: greet."""


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The caller pressed these keys: 0-9, A-D, * and #."""

    digits: str


@dataclass(frozen=True, slots=True)
class Silence:
    """The caller said nothing."""

    duration_ms: int
    count: int  # how often in a row, from 1


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An act on the call has ended, and the caller waits to hear how."""

    act: Act
    outcome: ActionOutcome
    reason: str = ""  # UPPER_SNAKE_CASE when it failed


TurnInput = Text | Open | Dtmf | Silence | ActionEnded


@dataclass(frozen=True, slots=True)
class PlayoutReport:
    """Playout report: what the caller heard of a turn's reply."""

    turn_id: int
    heard_offset: int  # Unicode code points of the reply
    gateway_text: str | None = None  # the words themselves when the gateway made them
    is_final: bool = False  # nothing more of the turn will be played


@dataclass(frozen=True, slots=True)
class UserTurn:
    """The caller's turn or a draft of it. `input` None: the client sent none."""

    turn_id: int
    input: TurnInput | None
    language_code: str = ""  # detected; empty when not known
    is_draft: bool = False
    continues_turn_id: int = 0  # 0: it continues none
    provisional_playout: PlayoutReport | None = None
    trace_context: TraceContext | None = None  # handed on to the tracer as it came


@dataclass(frozen=True, slots=True)
class Commit:
    """The draft is the turn."""

    turn_id: int


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Cancellation of a turn."""

    turn_id: int
    is_only: bool = False  # else every turn before it too


@dataclass(frozen=True, slots=True)
class TranscriptCorrection:
    """A better text of a past turn."""

    turn_id: int
    text: str


@dataclass(frozen=True, slots=True)
class CallActionResult:
    """Outcome of an act on the call."""

    action_id: str
    outcome: ActionOutcome
    reason: str = ""  # UPPER_SNAKE_CASE when it failed


Input = UserTurn | Commit | Cancellation | PlayoutReport | TranscriptCorrection | CallActionResult


@dataclass(frozen=True, slots=True)
class Config:
    """Config of the conversation, fixed for the stream."""

    call_id: str = ""
    visit_id: str = ""  # which visit of a caller, the same on every stream of it; empty: call_id stands for it
    tenant_id: str = ""
    agent_id: str = ""
    caller: str = ""  # who calls: E.164 or a SIP URI; empty: withheld
    language_codes: tuple[str, ...] = ()
    instructions: str = ""
    history: tuple[Entry, ...] = ()
    state: bytes = b""
    fails_stream_on_turn_failure: bool = False
