"""Recognition of one call: sound and the client's messages in, evidence out. The main path of this stage, in order.

Whatever arrives is laid into one queue of steps, in order, since the detector answers a few milliseconds later: a
window waits for its score, and what came behind it (idle time, the end of the utterance, a change of the hints) waits
for the window. So a file sent faster than real time gives the same evidence as a call.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from services.stt_proxy import metrics
from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.detector_level import DetectorLevel
from services.stt_proxy.end_of_turn.sound import EndOfTurnModel
from services.stt_proxy.engine import SttEngine
from services.stt_proxy.errors import BadSample
from services.stt_proxy.events import Evidence, SpeechActivity
from services.stt_proxy.intake import DETECTOR_RATE_HERTZ, Break, IdleReason, Intake, Silence, Skip, Taken, Window
from services.stt_proxy.line_sounds.detector import LineSound, LineSoundDetector, LineSoundKind
from services.stt_proxy.progress import Pace, ProgressSteps
from services.stt_proxy.quiet_line import ForeignSound, QuietLine
from services.stt_proxy.recognition import LEAD_IN_MS, Recognition
from services.stt_proxy.recording import Recording
from services.stt_proxy.speech_edges import SpeechEdges
from services.stt_proxy.steps import Discard, EndOfSound, EndOfUtterance, HeardWindow, HintsUpdate, Step
from services.stt_proxy.utterance import Utterances
from services.stt_proxy.voice_activity import Detector

MAX_STEPS = 64  # about two seconds
SETTLING_S = 12  # of sound that is kept beyond the longest utterance, while its words are asked for
MAX_SETTLING = 4
MAX_UPDATES = 16  # waiting for their sample; of more the oldest takes effect at once
MAX_END_AHEAD_MS = 2000  # of an utterance's end before the sound that was sent
MAX_UPDATE_AHEAD_MS = 60_000  # of an update's effective sample
PREPARE_EVERY_MS = 2000  # of speech that goes on
ONSET_MS = 40  # before a key's first certain moment in which the voice detector may have taken it for speech


class Listening:
    """Recognition of one call. `tell` takes the evidence, in order, on the event loop; `fail` says that the call is
    lost.
    """

    def __init__(
        self,
        profile: CallProfile,
        *,
        detector: Detector,
        engine: SttEngine,
        end_of_turn: EndOfTurnModel,
        tell: Callable[[Evidence], None],
        fail: Callable[[Exception], None],
    ) -> None:
        rate = profile.audio_format.sample_rate_hertz
        self._profile = profile
        self._per_ms = rate // 1000
        self._tell = tell
        self._hints = profile.hints
        self._updates: deque[HintsUpdate] = deque()  # not yet in effect
        self._intake = Intake(profile.audio_format, start_sample=profile.start_sample, max_gap_ms=profile.max_gap_ms)
        self._recording = Recording(limit_samples=(profile.max_utterance_s + SETTLING_S) * rate)
        self._quiet = QuietLine()
        self._level = DetectorLevel()
        self._foreign = ForeignSound()
        self._line_sounds = LineSoundDetector(factor=rate // DETECTOR_RATE_HERTZ)
        self._utterances = Utterances(profile.endpointing, sample_rate_hertz=rate)
        self._steps: deque[Step] = deque()
        self._is_scoring = False
        self._processed = profile.start_sample
        self._progress = ProgressSteps(profile.start_sample, samples_per_ms=rate // 1000)
        self._prepared_to = profile.start_sample
        self._ended_at = profile.start_sample
        self._pace = Pace(profile.start_sample, samples_per_ms=self._per_ms)
        self._is_finished = False
        self._moved: asyncio.Future[None] | None = None
        self._recognition = Recognition(
            self._utterances,
            self._recording,
            end_of_turn=end_of_turn,
            sample_rate_hertz=rate,
            settle_limit_s=profile.settle_limit_s,
            hints=lambda: self._hints,
            tell=tell,
            wake=self._wake,
            fail=fail,
        )
        self._engine_call = self._recognition.listen(engine, call_id=profile.call_id)
        self._prepare_every = (getattr(self._engine_call, "prepare_every_ms", None) or PREPARE_EVERY_MS) * self._per_ms
        self._edges = SpeechEdges(profile, self._utterances, self._recognition, self._engine_call, lambda: self._hints)
        self._watch = detector.watch(self._scored, fail)  # last: an engine that refuses leaves no place taken

    # -- messages of the client ----------------------------------------------------------------------------------------

    def take_audio(self, start_sample: int, content: bytes) -> None:
        """Take the next chunk. Raises TornAudio, AudioOverlap, ChunkTooLong, BadSample."""
        self._take(self._intake.take_audio(start_sample, content))

    def take_idle(self, from_sample: int, to_sample: int, reason: IdleReason) -> None:
        """Take a stretch without packets. Raises AudioOverlap, BadSample."""
        self._take(self._intake.take_idle(from_sample, to_sample, reason))

    def update(self, update: HintsUpdate) -> None:
        """Listen differently from `update.effective_sample` on. Raises BadSample."""
        self._pace.check(
            update.effective_sample, self._intake.next_sample, MAX_UPDATE_AHEAD_MS, "update.effective_sample"
        )
        self._add(update)

    def end_utterance(self, end_sample: int) -> None:
        """Settle everything up to here. Raises BadSample."""
        if end_sample < self._ended_at:
            raise BadSample(
                f"utterance_end.end_sample {end_sample} lies before {self._ended_at}, the last end or the start",
                field="utterance_end.end_sample",
            )
        self._pace.check(end_sample, self._intake.next_sample, MAX_END_AHEAD_MS, "utterance_end.end_sample")
        self._ended_at = end_sample
        self._add(EndOfUtterance(end_sample, self._intake.next_sample, time.monotonic_ns()))

    def discard(self, from_sample: int, to_sample: int) -> None:
        """Forget this stretch, as far as its sound was sent. Raises BadSample."""
        if not 0 <= from_sample <= to_sample:
            raise BadSample(
                f"utterance_discard.to_sample {to_sample} lies before from_sample {from_sample}",
                field="utterance_discard.to_sample",
            )
        to_sample = min(to_sample, self._intake.next_sample)
        if from_sample < to_sample:
            self._add(Discard(from_sample, to_sample))

    def finish(self) -> None:
        """No more sound will come: process the rest and settle the open utterances."""
        self._take(self._intake.finish())
        self._add(EndOfSound(time.monotonic_ns()))

    def close(self) -> None:
        """The call is gone."""
        self._watch.close()
        self._recognition.close()
        self._steps.clear()
        metrics.RECORDING_DROPPED_SAMPLES_TOTAL.inc(self._recording.dropped_samples)
        metrics.DRAFTS_TOTAL.labels("used").inc(self._utterances.n_drafts_used)
        metrics.DRAFTS_TOTAL.labels("dropped").inc(self._utterances.n_drafts_dropped)

    # -- progress ------------------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Return whether no more should be read now: too much waits, or a file runs ahead of the words already asked
        for.
        """
        if len(self._steps) > MAX_STEPS or self._utterances.n_settling > MAX_SETTLING:
            return True
        return (bool(self._steps) or self._engine_call.is_busy) and self._pace.is_ahead(self._intake.next_sample)

    @property
    def is_done(self) -> bool:
        """Return whether all sound was processed and every utterance settled."""
        return self._is_finished and not self._steps and not self._utterances.n_settling

    async def moved(self, *, limit_s: float) -> None:
        """Return when something changed, or after the limit."""
        self._moved = asyncio.get_running_loop().create_future()
        await asyncio.wait((self._moved,), timeout=limit_s)

    # -- the steps, in order -------------------------------------------------------------------------------------------

    def _take(self, taken: Taken) -> None:
        now_ns = time.monotonic_ns()
        self._pace.note(now_ns)
        for clip in taken.sound:
            self._recording.add(clip.start_sample, clip.samples)
            self._engine_call.feed(clip.start_sample, clip.samples)
        if len(taken.sound) > 1:
            metrics.CONCEALED_SAMPLES_TOTAL.inc(len(taken.sound[0].samples))
        for step in taken.steps:
            if isinstance(step, Window):
                self._steps.append(HeardWindow(step, now_ns))
            else:
                self._engine_call.rest(step.end_sample)
                self._steps.append(step)
        self._go_on()

    def _add(self, step: Step) -> None:
        self._steps.append(step)
        self._go_on()

    def _go_on(self) -> None:
        """Take steps until one must wait for its score."""
        while self._steps and not self._is_scoring:
            step = self._steps[0]
            if not isinstance(step, HeardWindow):
                self._steps.popleft()
                self._take_step(step)
                continue
            window = step.window
            self._tell_line_sounds(
                self._line_sounds.feed(window.samples, window.end_sample, is_speech=self._edges.is_speech)
            )
            is_fresh = self._foreign.observe(self._line_sounds.rms, is_speech=self._edges.is_speech) or window.is_fresh
            is_quiet = self._quiet.observe(window.samples, is_fresh=is_fresh)
            if self._line_sounds.is_tone:
                self._recording.mute(window.start_sample, window.end_sample)
            elif not is_quiet or self._edges.is_speech:
                self._is_scoring = True
                self._watch.score(self._level.bring(window.samples, self._hints), is_fresh=is_fresh)
                return
            self._steps.popleft()
            self._take_window(step, 0.0)

    def _scored(self, score: float) -> None:
        step = self._steps.popleft()
        assert isinstance(step, HeardWindow), "a score answers a window"  # noqa: S101 - an invariant, for the reader
        self._is_scoring = False
        metrics.VAD_LAG_SECONDS.observe((time.monotonic_ns() - step.arrived_ns) / 1e9)
        self._quiet.note(score)
        self._take_window(step, score)
        self._go_on()
        self._wake()

    def _take_window(self, step: HeardWindow, score: float) -> None:
        window = step.window
        self._apply_updates(window.start_sample)
        self._edges.on_score(window, score, trigger_ns=step.arrived_ns)
        if self._edges.is_speech and window.end_sample - self._prepared_to >= self._prepare_every:
            self._prepared_to = window.end_sample
            self._recognition.prepare(window.end_sample)
        self._reach(window.end_sample)

    def _take_step(self, step: Silence | Skip | Break | EndOfUtterance | Discard | HintsUpdate | EndOfSound) -> None:
        now_ns = time.monotonic_ns()
        match step:
            case Silence(start, end):
                self._tell_line_sounds(self._line_sounds.rest(end))
                self._edges.on_silence(start, end, trigger_ns=now_ns)
                self._reach(end)
            case Skip(end):
                self._line_sounds.reset()
                self._edges.on_skip()
                self._reach(end)
            case Break(end):
                self._line_sounds.reset()
                self._edges.on_break(trigger_ns=now_ns)
                self._reach(end)
            case EndOfUtterance():
                self._edges.end(step)
            case Discard(from_sample, to_sample):
                self._edges.discard(from_sample, to_sample, trigger_ns=now_ns)
                self._engine_call.forget(from_sample, to_sample)
                if not self._utterances.has_speech:
                    self._recognition.forget_keywords()
            case HintsUpdate():
                self._updates.append(step)
                self._apply_updates(self._processed)
            case EndOfSound(arrived_ns):
                self._edges.finish(self._ended_at, self._intake.next_sample, trigger_ns=arrived_ns)
                self._engine_call.finish()
                self._is_finished = True
                self._wake()

    def _tell_line_sounds(self, sounds: list[LineSound]) -> None:
        for sound in sounds:
            metrics.LINE_SOUNDS_TOTAL.labels(sound.kind.value).inc()
            if sound.kind is LineSoundKind.DTMF:
                self._recording.mute(sound.start_sample, sound.end_sample)
                self._take_back_speech(sound.start_sample - ONSET_MS * self._per_ms, sound.end_sample)
            self._tell(sound)

    def _take_back_speech(self, from_sample: int, to_sample: int) -> None:
        """Take back speech that was the first moment of a key."""
        if self._edges.discard(from_sample, to_sample, trigger_ns=time.monotonic_ns()):
            self._engine_call.forget(max(0, from_sample), to_sample)
            self._tell(SpeechActivity(self._utterances.utterance_id, False, to_sample, 0.0))

    def _apply_updates(self, sample: int) -> None:
        while self._updates and (self._updates[0].effective_sample <= sample or len(self._updates) > MAX_UPDATES):
            self._hints = self._updates.popleft().apply(self._hints)
            self._engine_call.attend(self._hints)

    def _reach(self, sample: int) -> None:
        """The detector has processed the sound up to here."""
        self._processed = sample
        self._engine_call.reach(sample)
        self._tell_progress()
        wanted = self._utterances.earliest_wanted
        lead_in = LEAD_IN_MS * self._per_ms
        needed = (sample - lead_in if wanted is None else wanted) - lead_in
        engine_needs = self._engine_call.wanted_from
        self._recording.release(needed if engine_needs is None else min(needed, engine_needs))

    def _tell_progress(self) -> None:
        """Tell how far both the detector and the engine have processed; a recogniser that catches up does so step by
        step.
        """
        engine_at = None if self.is_done else self._engine_call.listened_to  # what is settled needs no listening to
        reached = self._processed if engine_at is None else min(self._processed, engine_at)
        for progress in self._progress.due(reached, now_s=time.monotonic()):
            self._tell(progress)

    def _wake(self) -> None:
        if self._processed > self._progress.told:
            self._tell_progress()
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)
