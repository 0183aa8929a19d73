"""A call on the listening part, with a detector that goes by loudness and an engine that answers when told to."""

import asyncio
from collections.abc import Callable

import numpy as np

from services.audio.pcm import AudioFormat, Encoding, Samples, encode
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import Heard, Hints, Report, Speech, Unheard
from services.stt_proxy.events import Evidence, TextStage, Transcript
from services.stt_proxy.listening import Listening
from services.stt_proxy.recording import Recording
from services.stt_proxy.utterance import Endpointing

LOUD = 6000
MS = 8  # samples at 8 kHz


class LoudnessWatch:
    """Sound is speech."""

    def __init__(self, deliver: Callable[[float], None], fail: Callable[[Exception], None]) -> None:
        self._deliver = deliver
        self._fail = fail
        self.n_scored = 0
        self.is_broken = False
        self.is_closed = False

    def score(self, window: Samples, *, is_fresh: bool) -> None:
        self.n_scored += 1
        loop = asyncio.get_running_loop()
        if self.is_broken:
            loop.call_soon(self._fail, RuntimeError("the detector is broken"))
        else:
            loop.call_soon(self._deliver, 0.95 if np.abs(window).max() > LOUD // 2 else 0.02)

    def close(self) -> None:
        self.is_closed = True


class LoudnessDetector:
    """Keeps the watches it gave."""

    def __init__(self) -> None:
        self.watches: list[LoudnessWatch] = []

    def watch(self, deliver: Callable[[float], None], fail: Callable[[Exception], None]) -> LoudnessWatch:
        self.watches.append(LoudnessWatch(deliver, fail))
        return self.watches[-1]


class DictationCall:
    """Answers at once with what the test wrote down, or later when the test says so."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self.report = report
        self.text: str | None = "I would like to make an appointment."  # None: the answer comes later
        self.asked: list[tuple[Speech, bool]] = []
        self.prepared: list[Speech] = []
        self.cancelled: list[int] = []
        self.heard: list[tuple[int, int]] = []
        self.rested: list[int] = []
        self.forgotten: list[tuple[int, int]] = []
        self.hints: list[Hints] = []
        self.edges: list[tuple[int, int, bool]] = []
        self.ended: list[tuple[int, int]] = []
        self.listened_to: int | None = None
        self.wanted_from: int | None = None
        self.is_finished = False
        self.is_busy = False

    def feed(self, start_sample: int, samples: Samples) -> None:
        self.heard.append((start_sample, len(samples)))

    def rest(self, to_sample: int) -> None:
        self.rested.append(to_sample)

    def reach(self, sample: int) -> None:
        """Do nothing: the engine answers when it is asked."""

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        self.edges.append((utterance_id, sample, is_begin))

    def end(self, utterance_id: int, end_sample: int) -> None:
        self.ended.append((utterance_id, end_sample))

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        self.asked.append((speech, is_final))
        if self.text is not None:
            self.answer(self.text)
        else:
            self.is_busy = True

    def answer(self, text: str) -> None:
        self.is_busy = False
        self.report(Heard(self.asked[-1][0].request_id, text, "en", confidence=0.9))

    def refuse(self, reason: str) -> None:
        self.is_busy = False
        self.report(Unheard(self.asked[-1][0].request_id, reason, ""))

    def prepare(self, speech: Speech) -> None:
        self.prepared.append(speech)

    def cancel(self, request_id: int) -> None:
        self.cancelled.append(request_id)

    def forget(self, from_sample: int, to_sample: int) -> None:
        self.forgotten.append((from_sample, to_sample))

    def attend(self, hints: Hints) -> None:
        self.hints.append(hints)

    def finish(self) -> None:
        self.is_finished = True

    def close(self) -> None:
        self.text = None


class DictationEngine:
    """Gives the engine_calls it was asked for."""

    name = "dictation"
    model = "none"
    language_codes: tuple[str, ...] = ("en", "vi")
    features = ("corrected",)

    def __init__(self) -> None:
        self.engine_calls: list[DictationCall] = []

    async def load(self) -> None:
        """Nothing to load."""

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> DictationCall:
        self.engine_calls.append(DictationCall(report))
        return self.engine_calls[-1]

    async def close(self) -> None:
        """Nothing is held."""


class Intonation:
    """Hears what the test says it hears."""

    def __init__(self) -> None:
        self.sounds_over: float | None = None  # None: no judgement
        self.asked: list[Speech] = []

    async def load(self) -> None:
        """Nothing to load."""

    def judge(self, speech: Speech, deliver: Callable[[float], None]) -> None:
        self.asked.append(speech)
        if self.sounds_over is not None:
            deliver(self.sounds_over)

    async def close(self) -> None:
        """Nothing is held."""


class Call:
    """Sound and silence by the millisecond, in chunks of 20 ms; what was told is in `evidence`."""

    def __init__(self, *, start_sample: int = 0, settle_limit_s: float = 10.0) -> None:
        self.evidence: list[Evidence] = []
        self.failures: list[Exception] = []
        self.detector = LoudnessDetector()
        self.engine = DictationEngine()
        self.end_of_turn = Intonation()
        self.format = AudioFormat(Encoding.MULAW, 8000)
        self.at = start_sample
        profile = CallProfile(
            call_id="test",
            audio_format=self.format,
            start_sample=start_sample,
            hints=Hints(language_codes=("en",)),
            endpointing=Endpointing(waits=Waits()),
            draft_pause_ms=96,
            max_gap_ms=1000,
            max_utterance_s=120,
            settle_limit_s=settle_limit_s,
        )
        self.listening = Listening(
            profile,
            detector=self.detector,
            engine=self.engine,
            end_of_turn=self.end_of_turn,
            tell=self.evidence.append,
            fail=self.failures.append,
        )
        self.engine_call = self.engine.engine_calls[0]

    async def speak(self, ms: int) -> None:
        await self._send(LOUD, ms)

    async def be_silent(self, ms: int) -> None:
        await self._send(0, ms)

    async def settle(self) -> None:
        """Wait until everything sent was listened to."""
        for _ in range(10_000):
            if not self.listening._steps:
                return
            await asyncio.sleep(0)
        raise AssertionError("the engine_call is stuck")

    async def end(self) -> None:
        self.listening.end_utterance(self.at)
        await self.settle()

    def told(self, kind: type[Evidence]) -> list[Evidence]:
        return [each for each in self.evidence if isinstance(each, kind)]

    async def _send(self, level: int, ms: int) -> None:
        for _ in range(ms // 20):
            content = encode(self.format, np.full(20 * MS, level, dtype=np.int16))
            self.listening.take_audio(self.at, content)
            self.at += 20 * MS
            await self.settle()


def texts(call: Call) -> list[tuple[TextStage, str]]:
    return [(each.stage, each.text) for each in call.told(Transcript)]


async def spoken(call: Call) -> Call:
    """A call in which a sentence was said, and its draft made."""
    await call.be_silent(320)
    await call.speak(640)
    await call.be_silent(200)
    return call
