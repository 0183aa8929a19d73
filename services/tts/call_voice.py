"""Speech of one call: the turns that are spoken, and the end of each."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from services.runtime.clock import Timing
from services.runtime.errors import EngineFailed, RequestError, ServiceError
from services.runtime.logs import bind_turn, get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.tracing import TraceContext, turn_span
from services.runtime.turns import TurnLedger
from services.tts.errors import BadStartOffset, BadTurnId, PauseOutOfRange, TextAfterTextEnd
from services.tts.ready import Mark
from services.tts.say_as import SayAs
from services.tts.sentences import Caching
from services.tts.speaker import TurnSpeaker
from services.tts.track import Chunk
from services.tts.turn import Outcome, TextLimits, Turn, TurnText
from services.tts.voice_selection import Emphasis, VoiceSelection

LONGEST_PAUSE_MS = 10_000
FURTHEST_START = 1_000_000_000  # code points; marks count on from there, in 64 bits on the wire

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of a turn's text."""

    turn_id: int
    text: str
    flush: bool = False
    voice: str = ""  # from here on for the turn
    language_code: str = ""
    rate: float = 0.0
    caching: Caching | None = None  # None: the stream's
    pitch: float = 0.0  # above the voice's own, in semitones
    pause_ms: int | None = None  # before it; None: as the text before it asks
    say_as: SayAs | None = None
    ipa: str = ""  # how it sounds; empty: as its words are read
    emphasis: Emphasis = Emphasis.NONE
    start_offset: int = 0  # counts in the first piece only
    trace_context: TraceContext | None = None


@dataclass(frozen=True, slots=True)
class TurnSound:
    """A chunk of a turn and the marks that lie in it; `timing` on the first one."""

    turn_id: int
    chunk: Chunk
    marks: tuple[Mark, ...]
    timing: Timing | None


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The one end of a turn."""

    turn_id: int
    outcome: Outcome
    timing: Timing
    failure: ServiceError | None
    engine: str = ""  # of a chain; several of several languages joined by ">"

    @property
    def is_retryable(self) -> bool:
        """Return whether the same turn may succeed on a fresh stream: the engine failed, not the request."""
        return isinstance(self.failure, EngineFailed)


Output = TurnSound | TurnEnded


class CallVoice:
    """The turns of one stream.

    Two turns may live at once, since the text of a draft comes while the turn before it still sounds and must not
    disturb it: this stage does not know which one is a draft. A third one replaces the younger of the two. Every turn
    runs in a task of its own in the stream's group.
    """

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        selection: VoiceSelection,
        speaker: TurnSpeaker,
        emit: Callable[[Output], Awaitable[None]],
        *,
        limits: TextLimits,
        metrics: StageMetrics,
        fail_on_turn_failure: bool,
    ) -> None:
        self._tasks = tasks
        self._selection = selection
        self._speaker = speaker
        self._emit = emit
        self._limits = limits
        self._metrics = metrics
        self._fail_on_turn_failure = fail_on_turn_failure
        self._ledger = TurnLedger(metrics.fenced_messages_total.inc, field="text.turn_id")
        self._turns: dict[int, Turn] = {}
        self._last_completed = 0

    async def say(self, piece: TextPiece) -> None:
        """Append text to a turn, or begin the turn. A fault of the text ends the turn with FAILED.

        Raises BadTurnId, TurnIdNotIncreasing, TextAfterTextEnd.
        """
        _check_turn_id(piece.turn_id)
        if self._ledger.drops(piece.turn_id):
            return
        turn = self._turns.get(piece.turn_id)
        if turn is None:
            if piece.turn_id == self._last_completed:
                raise _text_after_end(piece.turn_id)
            turn = await self._begin(piece.turn_id, piece.start_offset, piece.trace_context)
        elif turn.text.is_whole:
            raise _text_after_end(piece.turn_id)
        try:
            self._append(turn, piece)
        except ServiceError as failure:
            turn.fail(failure)

    async def end_text(self, turn_id: int) -> None:
        """The turn's text is whole. A turn without text fails; one that has ended is left alone.

        Raises BadTurnId, TurnIdNotIncreasing.
        """
        _check_turn_id(turn_id)
        if self._ledger.drops(turn_id) or turn_id == self._last_completed:
            return
        turn = self._turns.get(turn_id) or await self._begin(turn_id, 0, None)
        turn.text.end()

    def cancel(self, turn_id: int, *, is_only: bool = False) -> None:
        """Stop a turn and all before it, or `is_only` that one."""
        for stopped in self._ledger.cancel(turn_id, is_only=is_only):
            self._turns[stopped].cancel()

    def end_all_text(self) -> None:
        """No more input comes: speak the text there is."""
        for turn in self._turns.values():
            if not turn.text.is_whole:
                turn.text.end()

    def _append(self, turn: Turn, piece: TextPiece) -> None:
        if not 0 <= piece.start_offset <= FURTHEST_START:
            raise BadStartOffset(
                f"text.start_offset is {piece.start_offset}; send 0 or heard_offset, at most {FURTHEST_START}",
                field="text.start_offset",
            )
        parameters = self._selection.of(
            language_code=piece.language_code,
            voice=piece.voice,
            rate=piece.rate,
            turn_voice=turn.voice,
            caching=piece.caching,
            pitch=piece.pitch,
            say_as=piece.say_as,
            ipa=piece.ipa,
            emphasis=piece.emphasis,
        )
        if piece.pause_ms is not None and not 0 <= piece.pause_ms <= LONGEST_PAUSE_MS:
            raise PauseOutOfRange(
                f"text.pause_ms is {piece.pause_ms}; it must be 0 to {LONGEST_PAUSE_MS}", field="text.pause_ms"
            )
        turn.voice = piece.voice or turn.voice
        turn.text.append(piece.text, parameters, flush=piece.flush, pause_ms=piece.pause_ms)

    async def _begin(self, turn_id: int, start_offset: int, trace_context: TraceContext | None) -> Turn:
        for superseded in self._ledger.begin_beside(turn_id):
            self._turns[superseded].cancel()
        turn = Turn(turn_id, TurnText(start_offset=max(0, start_offset), limits=self._limits))
        self._turns[turn_id] = turn
        turn.task = self._tasks.create_task(self._run(turn, trace_context))
        await asyncio.sleep(0)  # a task that has not begun cannot be stopped in good order
        return turn

    async def _run(self, turn: Turn, trace_context: TraceContext | None) -> None:
        bind_turn(turn.turn_id)
        failure: ServiceError | None = None
        with turn_span("tts.turn", trace_context):
            try:
                await self._speak(turn)
                outcome = Outcome.COMPLETED
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if turn.stopped is None or task is None or task.uncancel() > 0:
                    raise  # the stream itself ends
                outcome, failure = turn.stopped, turn.failure
            except ServiceError as error:
                outcome, failure = Outcome.FAILED, error
            except Exception as error:
                log.error("turn_broke", exc_info=error)
                outcome, failure = Outcome.FAILED, EngineFailed("the engine broke; the server's log says more")
            await self._end(turn, outcome, failure)

    async def _speak(self, turn: Turn) -> None:
        has_sound = False
        marks: list[Mark] = []
        async with aclosing(self._speaker.speak(turn)) as outputs:
            async for output in outputs:
                if isinstance(output, Mark):
                    marks.append(output)
                    continue
                timing = None if has_sound else turn.text.stopwatch.timing()
                if timing is not None:
                    self._metrics.first_output_seconds.observe(timing.since_trigger_us / 1e6)
                has_sound = True
                await self._emit(TurnSound(turn.turn_id, output, tuple(marks), timing))
                marks.clear()

    async def _end(self, turn: Turn, outcome: Outcome, failure: ServiceError | None) -> None:
        self._ledger.end(turn.turn_id, is_failed=outcome is Outcome.FAILED)
        del self._turns[turn.turn_id]
        if outcome is Outcome.COMPLETED:
            self._last_completed = turn.turn_id
        timing = turn.text.stopwatch.timing()
        self._metrics.queue_seconds.observe(timing.queue_us / 1e6)
        self._metrics.compute_seconds.observe(timing.compute_us / 1e6)
        reason = failure.reason if failure else ""
        if failure:
            self._metrics.count_error(reason, is_client_fault=isinstance(failure, RequestError))
        log.info("turn_ended", outcome=outcome.value, reason=reason, text_chars=turn.text.end_offset)
        await self._emit(TurnEnded(turn.turn_id, outcome, timing, failure, turn.engine))
        if failure and self._fail_on_turn_failure:
            raise failure


def _check_turn_id(turn_id: int) -> None:
    if turn_id < 1:
        raise BadTurnId("turn_id must be 1 or more, and rise from turn to turn", field="text.turn_id")


def _text_after_end(turn_id: int) -> TextAfterTextEnd:
    return TextAfterTextEnd(
        f"the text of turn {turn_id} was said to be whole; send more under a new turn_id", field="text.turn_id"
    )
