"""Speech gate: edges of speech from the detector's scores, by two thresholds and a hangover time, in samples."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateThresholds:
    """Scores are 0 to 1, one for each window of 32 ms."""

    sure_score: float = 0.8  # one window as high as this is speech
    likely_score: float = 0.5  # two in a row as high as this are speech; while speaking, one goes on


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller's speech began at `sample`."""

    sample: int
    score: float


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The caller's speech ended at `sample`, and silence has lasted since; or it goes on, and is closed there."""

    sample: int
    score: float
    is_too_long: bool = False


Edge = SpeechBegan | SpeechPaused


class SpeechGate:
    """Speech gate of one call. Silence must last `pause_samples` before it counts as a pause."""

    def __init__(self, *, pause_samples: int, thresholds: GateThresholds) -> None:
        self._pause_samples = pause_samples
        self._thresholds = thresholds
        self._likely_since: int | None = None  # where a run of likely windows began
        self._speech_end: int | None = None  # end of the last voiced window; None: no speech now
        self._silent_samples = 0

    @property
    def is_open(self) -> bool:
        """Return whether the caller is speaking, inner gaps shorter than a pause included."""
        return self._speech_end is not None

    def observe(self, start_sample: int, end_sample: int, score: float) -> Edge | None:
        """Take one window's place and score, 0 to 1; return the edge that it makes, if any."""
        is_likely = score >= self._thresholds.likely_score
        if self._speech_end is not None:
            if is_likely:
                self._speech_end = end_sample
                self._silent_samples = 0
                return None
            return self._count_silence(end_sample - start_sample, score)
        is_second = self._likely_since is not None
        if score >= self._thresholds.sure_score or (is_likely and is_second):
            began = self._likely_since if self._likely_since is not None else start_sample
            self._likely_since = None
            self._speech_end = end_sample
            self._silent_samples = 0
            return SpeechBegan(began, score)
        self._likely_since = start_sample if is_likely else None
        return None

    def rest(self, n_samples: int) -> Edge | None:
        """Take silence without a score."""
        self._likely_since = None
        return self._count_silence(n_samples, 0.0) if self._speech_end is not None else None

    def skip(self) -> None:
        """The clock went on with neither speech nor silence."""
        self._likely_since = None

    def shut(self) -> SpeechPaused | None:
        """Close the gate here, without waiting for the pause."""
        self._likely_since = None
        if self._speech_end is None:
            return None
        return self._pause(0.0)

    def _count_silence(self, n_samples: int, score: float) -> Edge | None:
        self._silent_samples += n_samples
        return self._pause(score) if self._silent_samples >= self._pause_samples else None

    def _pause(self, score: float) -> SpeechPaused:
        assert self._speech_end is not None, "only open speech can pause"  # noqa: S101 - an invariant, for the reader
        paused = SpeechPaused(self._speech_end, score)
        self._speech_end = None
        self._silent_samples = 0
        return paused
