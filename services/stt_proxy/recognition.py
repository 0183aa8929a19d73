"""Recognition requests of one call: the Speech given to the engine, and its answers turned into evidence."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from services.stt_proxy.end_of_turn.sound import EndOfTurnModel
from services.stt_proxy.engine import (
    Corrected,
    EngineCall,
    Heard,
    Hints,
    Listened,
    Lost,
    Partial,
    Report,
    Span,
    Speech,
    SttEngine,
    Unheard,
)  # fmt: skip
from services.stt_proxy.errors import EngineLost
from services.stt_proxy.events import Evidence, Transcript, UtteranceSettled
from services.stt_proxy.keywords import KeywordSpotter
from services.stt_proxy.metrics import DRAFTS_TOTAL
from services.stt_proxy.open_utterance import Ask
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.settling import Output
from services.stt_proxy.utterance import Utterances

LEAD_IN_MS: Final = 300  # sound before the detector's onset that belongs to the first word
LEAD_OUT_MS: Final = 200
JOINED_GAP_MS: Final = 1000  # spans closer than this are cut out as one stretch


class Recognition:
    """Requests of one call to its engine. Every utterance that was ended is settled within the limit."""

    def __init__(
        self,
        utterances: Utterances,
        recording: Recording,
        *,
        end_of_turn: EndOfTurnModel,
        sample_rate_hertz: int,
        settle_limit_s: float,
        hints: Callable[[], Hints],
        tell: Callable[[Evidence], None],
        wake: Callable[[], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """`hints`: those in effect. `wake` is told that something has changed, `fail` that the call is lost."""
        self._utterances = utterances
        self._recording = recording
        self._end_of_turn = end_of_turn
        self._rate = sample_rate_hertz
        self._per_ms = sample_rate_hertz // 1000
        self._settle_limit_s = settle_limit_s
        self._hints = hints
        self._tell = tell
        self._wake = wake
        self._fail = fail
        self._engine_call: EngineCall
        self._asks: dict[int, Ask] = {}
        self._limits: dict[int, asyncio.TimerHandle] = {}  # by utterance: when it must have been settled
        self._keywords = KeywordSpotter()
        self._is_closed = False

    def listen(self, engine: SttEngine, *, call_id: str) -> EngineCall:
        """Begin; the engine is given the call's sound."""
        self._engine_call = engine.listen(
            call_id=call_id,
            recording=self._recording,
            sample_rate_hertz=self._rate,
            hints=self._hints(),
            report=self._report,
        )
        return self._engine_call

    def limit(self, utterance_id: int) -> None:
        """The utterance is about to be ended: from now on its text is awaited."""
        self._limits[utterance_id] = asyncio.get_running_loop().call_later(
            self._settle_limit_s, self._expire, utterance_id
        )

    def do(self, outputs: list[Output]) -> None:
        """Tell the evidence, and ask what is to be asked."""
        for output in outputs:
            if isinstance(output, Ask):
                self._ask(output)
            else:
                if isinstance(output, UtteranceSettled):
                    self._limits.pop(output.utterance_id).cancel()
                    self._wake()
                self._tell(output)
                if isinstance(output, Transcript):
                    for keyword in self._keywords.spot(output, self._hints().phrases):
                        self._tell(keyword)

    def prepare(self, to_sample: int) -> None:
        """The caller speaks on: the engine may decode the beginning of the open utterance already."""
        if (ask := self._utterances.so_far(to_sample)) is not None:
            self._engine_call.prepare(Speech(ask.request_id, ask.utterance_id, ask.spans, self._cut(ask), self._rate))

    def forget_keywords(self) -> None:
        """What was heard of the open utterance was no speech: its phrases are told when they come again."""
        self._keywords.forget(self._utterances.utterance_id)

    def close(self) -> None:
        """The call is gone."""
        self._is_closed = True
        self._engine_call.close()
        for limit in self._limits.values():
            limit.cancel()

    def _ask(self, ask: Ask) -> None:
        self._asks[ask.request_id] = ask
        speech = Speech(ask.request_id, ask.utterance_id, ask.spans, self._cut(ask), self._rate)
        self._engine_call.recognize(speech, is_final=ask.is_final)
        if not ask.is_final:
            self._end_of_turn.judge(speech, partial(self._sounded, ask))

    def _sounded(self, ask: Ask, sounds_over: float) -> None:
        if not self._is_closed:
            self.do(self._utterances.sounded(ask, sounds_over, self._hints()))

    def _cut(self, ask: Ask) -> tuple[Clip, ...]:
        """The sound of the spans with some before and behind; spans close together stay one stretch."""
        stretches: list[Span] = []
        for span in ask.spans:
            start = max(ask.not_before, span.start_sample - LEAD_IN_MS * self._per_ms)
            end = span.end_sample + LEAD_OUT_MS * self._per_ms
            if stretches and start - stretches[-1].end_sample < JOINED_GAP_MS * self._per_ms:
                stretches[-1] = Span(stretches[-1].start_sample, end)
            else:
                stretches.append(Span(start, end))
        return tuple(clip for part in stretches for clip in self._recording.cut(part.start_sample, part.end_sample))

    def _report(self, report: Report) -> None:
        """Take a report of the engine. A call that fails on it is lost alone."""
        if self._is_closed:
            return
        try:
            self._take(report)
        except Exception as error:
            self._fail(error)
        self._wake()

    def _take(self, report: Report) -> None:
        match report:
            case Heard(request_id=request_id):
                if (ask := self._asks.pop(request_id, None)) is not None:
                    _count(ask, "made")
                    self.do(self._utterances.heard(ask, report, self._hints(), now_ns=time.monotonic_ns()))
            case Unheard(request_id=request_id, reason=reason):
                if (ask := self._asks.pop(request_id, None)) is not None:
                    _count(ask, reason.lower())
                    self.do(self._utterances.unheard(ask, report))
            case Partial():
                self.do(self._utterances.partial(report))
            case Corrected():
                self.do(self._utterances.corrected(report, self._hints()))
            case Listened():
                pass  # the waiting task is woken
            case Lost():
                self._fail(EngineLost(report.message, retry_delay_ms=round(report.retry_after_s * 1000) or 1000))

    def _expire(self, utterance_id: int) -> None:
        for ask in [ask for ask in self._asks.values() if ask.utterance_id == utterance_id]:
            del self._asks[ask.request_id]
            self._engine_call.cancel(ask.request_id)
        self.do(self._utterances.expire(utterance_id))
        self._wake()


def _count(ask: Ask, fate: str) -> None:
    if not ask.is_final:
        DRAFTS_TOTAL.labels(fate).inc()
