"""Plays labelled clips to the listening part frame by frame, in step with the caller's clock, whatever the load.

What `stt_recording` records in real time over gRPC is recorded here in this process: the next 20 ms come when the last
were listened to, and words are there `WORDS_MS` of sound after they were asked for. So a recording comes out the same
on any machine. The words are the label's, up to the sample the caller had come to.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from voice.stt.v1 import stt_pb2

from services.audio.pcm import AudioFormat, Encoding, Samples
from services.runtime.models import model_dir
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.end_of_turn.sound import NoModel
from services.stt_proxy.engine import Heard as HeardWords
from services.stt_proxy.engine import Hints, Report, Speech
from services.stt_proxy.events import Evidence, Progress, SpeechActivity, TextStage, Transcript, TurnPrediction
from services.stt_proxy.intake import IdleReason
from services.stt_proxy.listening import Listening
from services.stt_proxy.recording import Recording
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.utterance import Endpointing
from services.stt_proxy.voice_activity import SileroDetector
from tests.load.stt_recording import FRAME_SAMPLES, HOLD_SAMPLES, LEAD_FRAMES, TAIL_FRAMES, Heard, Item, Said, calls_of
from tests.load.stt_replay import words_said

RATE = 8000
WORDS_MS = 100  # as engine `script` takes
FORMAT = AudioFormat(Encoding.MULAW, RATE)
STAGES = {
    TextStage.PARTIAL: stt_pb2.Transcript.STAGE_PARTIAL,
    TextStage.DRAFT: stt_pb2.Transcript.STAGE_DRAFT,
    TextStage.SETTLED: stt_pb2.Transcript.STAGE_SETTLED,
    TextStage.CORRECTED: stt_pb2.Transcript.STAGE_CORRECTED,
}


class KnowsWords:
    """One call on an engine that knows what is said, and answers at once."""

    is_busy = False
    listened_to: int | None = None
    wanted_from: int | None = None

    def __init__(self, report: Callable[[Report], None], language: str, words_to: Callable[[int], str]) -> None:
        self._report = report
        self._language = language
        self._words_to = words_to
        self.is_answering = False

    def feed(self, start_sample: int, samples: Samples) -> None:
        """Do nothing: the words are known without the sound."""

    def rest(self, to_sample: int) -> None:
        """Do nothing: silence is not looked at either."""

    def reach(self, sample: int) -> None:
        """Do nothing: the call answers when it is asked."""

    def speech(self, utterance_id: int, sample: int, *, is_begin: bool) -> None:
        """Do nothing: the edges of speech are not looked at."""

    def end(self, utterance_id: int, end_sample: int) -> None:
        """Do nothing: ends are not looked at either."""

    def recognize(self, speech: Speech, *, is_final: bool) -> None:
        words = self._words_to(speech.spans[-1].end_sample)
        self.is_answering = True
        self._report(HeardWords(speech.request_id, words, self._language))
        self.is_answering = False

    def prepare(self, speech: Speech) -> None:
        """Do nothing: there is nothing to prepare."""

    def cancel(self, request_id: int) -> None:
        """Do nothing: the call has answered."""

    def forget(self, from_sample: int, to_sample: int) -> None:
        """Do nothing: nothing is remembered."""

    def attend(self, hints: Hints) -> None:
        """Do nothing: nothing changes."""

    def finish(self) -> None:
        """Do nothing: nothing is owed."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


class EngineInStep:
    """Gives such calls. `words_to` says what was said up to a sample of the call."""

    name, model = "in step", "none"
    language_codes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    def __init__(self, words_to: Callable[[int], str]) -> None:
        self._words_to = words_to
        self.calls: list[KnowsWords] = []

    async def load(self) -> None:
        """Do nothing: there is nothing to load."""

    def listen(
        self,
        *,
        call_id: str,
        recording: Recording,
        sample_rate_hertz: int,
        hints: Hints,
        report: Callable[[Report], None],
    ) -> KnowsWords:
        self.calls.append(KnowsWords(report, hints.language_codes[0], self._words_to))
        return self.calls[-1]

    async def close(self) -> None:
        """Do nothing: nothing is held."""


async def record_in_step(items: Sequence[Item]) -> list[list[Heard]]:
    """Every clip, call by call; what was heard, as `stt_recording.record` gives it."""
    settings = SttSettings(_env_file=None)
    detector = SileroDetector(n_slots=1, batch_wait_s=0)
    await detector.load(model_dir(settings.models_dir, settings.vad_model) / "silero_vad.onnx")
    try:
        return [await _call(call, settings, detector) for call in calls_of(items)]
    finally:
        detector.close()


async def _call(items: Sequence[Item], settings: SttSettings, detector: SileroDetector) -> list[Heard]:
    all_heard: list[Heard] = []
    failures: list[Exception] = []
    sent = 0

    def keep(evidence: Evidence) -> None:
        at = sent + (WORDS_MS * RATE // 1000 if engine.calls and engine.calls[-1].is_answering else 0)
        if all_heard and (said := _said(evidence, at)) is not None:
            all_heard[-1].said.append(said)

    def words_to(end_sample: int) -> str:
        return words_said(all_heard[-1].item.clip, end_sample - all_heard[-1].start_sample)

    profile = CallProfile(
        "in step", FORMAT, 0, Hints((items[0].clip.language_code,)), Endpointing(),
        settings.draft_pause_ms, settings.max_gap_ms, settings.max_utterance_s, 60.0,
    )  # fmt: skip
    engine = EngineInStep(words_to)
    listening = Listening(
        profile, detector=detector, engine=engine, end_of_turn=NoModel(settings), tell=keep,
        fail=failures.append,
    )  # fmt: skip
    for item in items:
        all_heard.append(Heard(item, sent, settled_text="words"))
        noise = item.clip.frames[LEAD_FRAMES]
        for frame in (*item.clip.frames, *(noise[number % len(noise)] for number in range(TAIL_FRAMES))):
            sent += FRAME_SAMPLES
            await _listened(listening, partial(listening.take_audio, sent - FRAME_SAMPLES, frame))
        all_heard[-1].sent_sample = sent
        await _listened(listening, partial(listening.end_utterance, sent))
        await _listened(listening, partial(listening.take_idle, sent, sent + HOLD_SAMPLES, IdleReason.HOLD))
        all_heard[-1].said.sort(key=lambda said: said["at"])
        sent += HOLD_SAMPLES
    listening.close()
    if failures:
        raise failures[0]
    return all_heard


async def _listened(listening: Listening, act: Callable[[], None]) -> None:
    act()
    while listening._steps:
        await asyncio.sleep(0)


def _said(evidence: Evidence, at: int) -> Said | None:
    match evidence:
        case SpeechActivity(_, is_begin, sample, score):
            return {"kind": "begin" if is_begin else "end", "at": at, "sample": sample, "score": score}
        case Transcript():
            return {
                "kind": "text", "at": at, "stage": STAGES[evidence.stage],
                "text": evidence.text, "start": evidence.start_sample, "end": evidence.end_sample,
                "language": evidence.language_code, "confidence": evidence.confidence,
            }  # fmt: skip
        case TurnPrediction(_, end_sample, probability, wait_ms, reason):
            return {
                "kind": "prediction", "at": at, "end": end_sample, "wait_ms": wait_ms, "reason": reason,
                "probability": probability,
            }  # fmt: skip
        case Progress(sample):
            return {"kind": "progress", "at": at, "sample": sample}
    return None
