"""Call record: the latency and outcome of each turn, and the history of what was heard.

The caller's wait runs from the last speech sample on the wire to the first sample of the answer on the wire. It is
divided along its critical path: where the answer was ready before the turn was taken, into the end of the turn and the
playout; otherwise into the text, the agent and the voice, one after the other. A stage reports its queue and its work
by its own clock. Time beyond a stage's own total is the network, and the rest is unexplained.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NewType

from services.call_gateway.conversation.events import NO_TRACE, Timing, ToolState, ToolUsed, Trace

MICROSECONDS = 1_000_000


class TurnOutcome(StrEnum):
    """The outcome of a turn for the caller. The values are those of metrics and of logs."""

    COMPLETED = "completed"  # the reply was heard to its end
    INTERRUPTED = "interrupted"  # by the caller, a newer turn or the end of the call
    FAILED = "failed"  # a stage failed
    CONTINUED = "continued"  # the caller went on, and the next turn holds all of it


StageReason = NewType("StageReason", str)
"""A reason that a stage gave, in lower case. The set is open: a stage in another language may have its own."""


class EndReason(StrEnum):
    """The reason why the caller's turn was taken as over, where the gateway decided it. The values are those of the
    wire.
    """

    NONE = ""  # no turn of the caller
    OPEN = "open"  # the call was answered: the greeting is due
    SILENCE = "silence"  # the STT stage predicted nothing
    SILENCE_LATE_TEXT = "silence_late_text"  # the STT stage predicted nothing, and the text did not come in time
    KEYS = "keys"  # the keyed entry is complete
    ACTION_ENDED = "action_ended"  # an action on the call has an outcome that the agent has to say
    CORRECTED = "corrected"  # a better text of the turn before has another meaning


class StopReason(StrEnum):
    """The reason why the agent stopped or went on, where the gateway decided it. The values are those of the wire."""

    NONE = ""  # nothing happened
    SUSTAINED_SPEECH = "sustained_speech"
    WORDS = "words"
    STOP_COMMAND = "stop_command"  # words that tell the agent to stop, before any pause
    KEY = "key"
    BACKCHANNEL = "backchannel"
    NO_WORDS = "no_words"
    LOW_CONFIDENCE = "low_confidence"
    TOO_FEW_WORDS = "too_few_words"
    PAUSE_LIMIT = "pause_limit"
    HOLD = "hold"
    ECHO = "echo"
    CORRECTED = "corrected"  # a better text of the turn has another meaning
    NOTHING_SAID = "nothing_said"  # the words of the turn were withdrawn
    SUPERSEDED = "superseded"  # a newer turn is asked for
    CALL_ENDED = "call_ended"
    CALLER = "caller"  # from here on EndCause: the call is being ended, by whom or by what
    AGENT = "agent"
    TRANSFER = "transfer"
    FAILURE = "failure"
    SILENCE = "silence"
    MAX_DURATION = "max_duration"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class StageTime:
    """One part of a turn's latency."""

    stage: str  # "endpointing", "stt", "nlu", "tts", "playout"
    queue_us: int = 0
    compute_us: int = 0
    network_us: int = 0
    engine: str = ""  # of the stage's chain


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the agent called. Arguments and result are personal data."""

    tool_call_id: str
    name: str
    arguments_json: str = ""
    result_json: str = ""  # empty while it runs
    state: ToolState = ToolState.RUNNING
    took_us: int = 0


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn from the caller's last word to the last word of the answer. Texts are personal data."""

    turn_id: int
    outcome: TurnOutcome
    user_text: str
    heard_text: str
    end_reason: EndReason | StageReason  # why the caller's turn was taken as over
    stop_reason: StopReason | StageReason  # why the agent stopped or went on; empty when nothing happened
    drafts_made: int
    drafts_dropped: int
    is_answered_from_draft: bool
    is_gateway_prompt: bool
    continues_turn_id: int
    speech_end_sample: int
    latency_us: int | None  # last speech sample to first answer sample on the wire; None: no answer, or no question
    stage_times: tuple[StageTime, ...] = field(default_factory=tuple)
    unexplained_us: int = 0
    commit_gain_us: int | None = None  # committed so long before its settled words came; None: not before them
    trace: Trace = NO_TRACE
    nlu_engine: str = ""  # that made the reply, where the stage has a chain; "a>b": b went on where a broke off
    tts_engine: str = ""  # that spoke it
    withheld_rules: tuple[str, ...] = ()  # of the guard: clauses that were not spoken
    tools: tuple[ToolCall, ...] = ()  # each in its state at the turn's end
    end_probability: float = 1.0  # that the caller was through, when the turn was taken


@dataclass(slots=True)
class TurnNotes:
    """The notes on a turn while it runs. Times are seconds on the clock of `now`; None: it has not happened."""

    user_text: str = ""
    end_reason: EndReason | StageReason = EndReason.NONE
    end_probability: float = 1.0  # that the caller was through, as the STT stage saw it when the turn was taken
    stop_reason: StopReason | StageReason = StopReason.NONE
    speech_end_sample: int = 0
    spoke_last_at: float | None = None  # that sample on the wire; None: the caller said nothing to answer
    draft_pause_ms: int = 0  # after that sample, until the STT stage writes text: its lag and the silence it needs
    drafts_made: int = 0
    drafts_dropped: int = 0
    is_from_draft: bool = False
    text_timing: Timing = field(default_factory=Timing)
    asked_at: float | None = None
    taken_at: float | None = None  # committed
    settled_at: float | None = None  # the settled words of a turn that was committed before they came
    first_clause_at: float | None = None
    clause_timing: Timing | None = None
    first_audio_at: float | None = None
    audio_timing: Timing | None = None
    first_frame_at: float | None = None
    trace: Trace = field(default_factory=Trace)
    nlu_engine: str = ""  # of the stage's chain; empty: its only one
    tts_engine: str = ""
    withheld_rules: tuple[str, ...] = ()

    def take_over_draft(self, draft: "TurnNotes") -> None:
        """Take over the times of a draft, which was asked, and perhaps answered, before the turn was taken."""
        self.is_from_draft = True
        self.text_timing, self.trace = draft.text_timing, draft.trace
        self.asked_at = draft.asked_at
        self.first_clause_at, self.clause_timing = draft.first_clause_at, draft.clause_timing
        self.first_audio_at, self.audio_timing = draft.first_audio_at, draft.audio_timing
        self.withheld_rules = draft.withheld_rules

    def finished(
        self,
        turn_id: int,
        *,
        outcome: TurnOutcome,
        heard_text: str,
        continues_turn_id: int = 0,
        is_gateway: bool = False,
        tools: tuple[ToolCall, ...] = (),
    ) -> TurnRecord:
        """The record, once nothing more of the turn will be heard."""
        latency_us = self._latency_us()
        stage_times = self._stage_times() if latency_us is not None else ()
        explained = sum(time.queue_us + time.compute_us + time.network_us for time in stage_times)
        return TurnRecord(
            turn_id=turn_id,
            outcome=outcome,
            user_text=self.user_text,
            heard_text=heard_text,
            end_reason=self.end_reason,
            end_probability=self.end_probability,
            stop_reason=self.stop_reason,
            drafts_made=self.drafts_made,
            drafts_dropped=self.drafts_dropped,
            is_answered_from_draft=self.is_from_draft,
            is_gateway_prompt=is_gateway,
            continues_turn_id=continues_turn_id,
            speech_end_sample=self.speech_end_sample,
            latency_us=latency_us,
            stage_times=stage_times,
            commit_gain_us=self._commit_gain_us(),
            unexplained_us=0 if latency_us is None else latency_us - explained,
            trace=self.trace,
            nlu_engine=self.nlu_engine,
            tts_engine=self.tts_engine,
            withheld_rules=self.withheld_rules,
            tools=tools,
        )

    def _latency_us(self) -> int | None:
        if self.spoke_last_at is None or self.first_frame_at is None:
            return None
        return max(0, _us(self.first_frame_at - self.spoke_last_at))

    def _commit_gain_us(self) -> int | None:
        if self.taken_at is None or self.settled_at is None:
            return None
        return max(0, _us(self.settled_at - self.taken_at))

    def _stage_times(self) -> tuple[StageTime, ...]:
        spoke, taken, frame = self.spoke_last_at, self.taken_at, self.first_frame_at
        asked, clause, audio = self.asked_at, self.first_clause_at, self.first_audio_at
        if spoke is None or taken is None or frame is None or asked is None or clause is None or audio is None:
            return ()
        if audio <= taken:
            return (
                StageTime("endpointing", queue_us=_us(taken - spoke)),
                StageTime("playout", queue_us=_us(frame - taken)),
            )
        text = self.text_timing
        return (
            self._endpointing(spoke, asked),
            StageTime("stt", queue_us=text.queue_us, compute_us=text.compute_us),
            _served("nlu", clause - asked, self.clause_timing, self.nlu_engine),
            _served("tts", audio - clause, self.audio_timing, self.tts_engine),
            StageTime("playout", queue_us=_us(frame - audio)),
        )

    def _endpointing(self, spoke: float, asked: float) -> StageTime:
        """Return the wait that is intended, in seconds: a draft's pause, or the whole silence that ends a turn."""
        if self.is_from_draft:
            return StageTime("endpointing", queue_us=min(self.draft_pause_ms * 1000, _us(asked - spoke)))
        text = self.text_timing
        return StageTime("endpointing", queue_us=max(0, _us(asked - spoke) - text.queue_us - text.compute_us))


def _served(stage: str, seen_s: float, timing: Timing | None, engine: str) -> StageTime:
    """Return a stage's part of the wait: queue and work by its own report, and the network beyond its own total."""
    if timing is None:
        return StageTime(stage, engine=engine)
    network_us = max(0, _us(seen_s) - timing.since_trigger_us)
    return StageTime(
        stage, queue_us=timing.queue_us, compute_us=timing.compute_us, network_us=network_us, engine=engine
    )


def _us(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """One turn as it was. Texts are personal data."""

    turn_id: int
    user_text: str  # what the caller said or keyed; empty for a greeting
    heard_text: str  # of the reply, what was played
    is_gateway: bool = False  # the speaker of the words: the agent, or the gateway
    tool_calls: tuple[ToolCall, ...] = ()


class History:
    """The last turns, oldest first. Beyond its bound the oldest are forgotten."""

    def __init__(self, max_turns: int) -> None:
        self._turns: deque[HeardTurn] = deque(maxlen=max_turns)
        self._tools: dict[int, dict[str, ToolCall]] = {}  # of turns that may still get news of them
        self._running: set[tuple[int, str]] = set()

    @property
    def turns(self) -> tuple[HeardTurn, ...]:
        return tuple(self._turns)

    def heard_of(self, turn_id: int) -> str:
        """The part of a turn that the caller heard, once it is over."""
        return "".join(turn.heard_text for turn in self._turns if turn.turn_id == turn_id)

    def add(self, turn: HeardTurn) -> None:
        """Add a turn that is over, with the tools it has called so far."""
        self._turns.append(replace(turn, tool_calls=self.tools_of(turn.turn_id)))
        oldest = self._turns[0].turn_id
        self._tools = {turn_id: tools for turn_id, tools in self._tools.items() if turn_id >= oldest}
        self._running = {(turn_id, tool) for turn_id, tool in self._running if turn_id >= oldest}

    def on_tool(self, event: ToolUsed) -> None:
        """A tool began or ended; its turn may be over already."""
        tools = self._tools.setdefault(event.turn_id, {})
        known = tools.get(event.tool_call_id)
        tools[event.tool_call_id] = ToolCall(
            event.tool_call_id,
            event.name or (known.name if known else ""),
            event.arguments_json or (known.arguments_json if known else ""),
            event.result_json or (known.result_json if known else ""),
            event.state,
            event.took_us,
        )
        if event.state is ToolState.RUNNING:
            self._running.add((event.turn_id, event.tool_call_id))
        else:
            self._running.discard((event.turn_id, event.tool_call_id))
        self._replace(event.turn_id, tool_calls=tuple(tools.values()))

    def correct(self, turn_id: int, user_text: str) -> None:
        """A better text of what the caller said."""
        self._replace(turn_id, user_text=user_text)

    def tools_of(self, turn_id: int) -> tuple[ToolCall, ...]:
        """Return the tools that a turn has called so far."""
        return tuple(self._tools.get(turn_id, {}).values())

    def has_tools(self, turn_id: int) -> bool:
        """Return whether that turn called any tool."""
        return turn_id in self._tools

    def runs_tool(self, turn_id: int) -> bool:
        """Return whether a tool of that turn has begun and not ended."""
        return any(running == turn_id for running, _ in self._running)

    def _replace(self, turn_id: int, **changes: object) -> None:
        for index, turn in enumerate(self._turns):
            if turn.turn_id == turn_id:
                self._turns[index] = replace(turn, **changes)  # type: ignore[arg-type]
