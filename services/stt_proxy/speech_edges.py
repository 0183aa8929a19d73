"""Edges of speech: makes utterances of the detector's scores, and passes each begin, pause and end of speech on."""

from collections.abc import Callable

from services.stt_proxy.call_profile import CallProfile
from services.stt_proxy.engine import EngineCall, Hints
from services.stt_proxy.intake import Window
from services.stt_proxy.longest_speech import LongestSpeech
from services.stt_proxy.recognition import Recognition
from services.stt_proxy.speech_gate import Edge, GateThresholds, SpeechBegan, SpeechGate
from services.stt_proxy.steps import EndOfUtterance
from services.stt_proxy.utterance import Utterances

HOLD_S = 2  # for which a client is waited for to end an utterance that is too long


class SpeechEdges:
    """The edges of one call's speech. `trigger_ns` is when the sound or the message came that an edge follows from,
    on the monotonic clock.
    """

    def __init__(
        self,
        profile: CallProfile,
        utterances: Utterances,
        recognition: Recognition,
        engine_call: EngineCall,
        hints: Callable[[], Hints],
    ) -> None:
        rate = profile.audio_format.sample_rate_hertz
        self._gate = SpeechGate(pause_samples=profile.draft_pause_ms * rate // 1000, thresholds=GateThresholds())
        self._longest = LongestSpeech(limit_samples=profile.max_utterance_s * rate, hold_samples=HOLD_S * rate)
        self._utterances = utterances
        self._recognition = recognition
        self._engine_call = engine_call
        self._hints = hints

    @property
    def is_speech(self) -> bool:
        """Speech has begun and not stopped."""
        return self._gate.is_open

    def on_score(self, window: Window, score: float, *, trigger_ns: int) -> None:
        """The detector scored a window, from 0 to 1; a window that it was not asked about scores 0."""
        edge = self._gate.observe(window.start_sample, window.end_sample, score)
        self._pass_on(edge, window.end_sample, trigger_ns, score)

    def on_silence(self, start_sample: int, end_sample: int, *, trigger_ns: int) -> None:
        """A stretch without packets counts as silence."""
        self._pass_on(self._gate.rest(end_sample - start_sample), end_sample, trigger_ns, 0.0)

    def on_skip(self) -> None:
        """A stretch without packets counts neither as sound nor as silence."""
        self._gate.skip()
        self._utterances.skip()

    def on_break(self, *, trigger_ns: int) -> None:
        """The clock jumped: speech stopped before."""
        self._release(trigger_ns)
        self._tell(self._gate.shut(), trigger_ns)
        self._utterances.skip()

    def discard(self, from_sample: int, to_sample: int, *, trigger_ns: int) -> bool:
        """Take back speech that was none. Returns whether the utterance under way is gone with it."""
        self._release(trigger_ns)
        if not self._utterances.discard(from_sample, to_sample):
            return False
        self._engine_call.speech(self._utterances.utterance_id, to_sample, is_begin=False)
        self._gate.shut()
        return True

    def end(self, end: EndOfUtterance) -> None:
        """The client ends the utterance."""
        utterance_id = self._utterances.utterance_id
        self._recognition.limit(utterance_id)
        self._recognition.do(
            self._utterances.end(end.end_sample, sent_sample=end.sent_sample, trigger_ns=end.arrived_ns)
        )
        self._engine_call.end(utterance_id, min(end.end_sample, end.sent_sample))
        self._release(end.arrived_ns)

    def finish(self, ended_at: int, sent_sample: int, *, trigger_ns: int) -> None:
        """No more sound comes: end what was said since the end at sample `ended_at`, if anything was."""
        self._release(trigger_ns)
        if (paused := self._gate.shut()) is not None:
            self._engine_call.speech(self._utterances.utterance_id, paused.sample, is_begin=False)
            self._recognition.do(
                self._utterances.pause(
                    paused.sample, paused.score, self._hints(), trigger_ns=trigger_ns, wants_draft=False
                )
            )
        if self._utterances.has_speech:
            self.end(EndOfUtterance(max(sent_sample, ended_at), sent_sample, trigger_ns))

    def _pass_on(self, edge: Edge | None, sample: int, trigger_ns: int, score: float) -> None:
        for one in self._longest.pass_on(edge, sample, score, first_sample=self._utterances.first_sample):
            self._tell(one, trigger_ns)

    def _release(self, trigger_ns: int) -> None:
        for edge in self._longest.release():
            self._tell(edge, trigger_ns)

    def _tell(self, edge: Edge | None, trigger_ns: int) -> None:
        if edge is None:
            return
        self._engine_call.speech(self._utterances.utterance_id, edge.sample, is_begin=isinstance(edge, SpeechBegan))
        if isinstance(edge, SpeechBegan):
            self._recognition.do(self._utterances.begin(edge.sample, edge.score, self._hints()))
        else:
            self._recognition.do(
                self._utterances.pause(
                    edge.sample,
                    edge.score,
                    self._hints(),
                    trigger_ns=trigger_ns,
                    wants_draft=True,
                    is_too_long=edge.is_too_long,
                )
            )
