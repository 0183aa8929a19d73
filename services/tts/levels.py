"""Speech levels of voices (ITU-T P.56), learnt from the clauses they have spoken. Sans-IO."""

from dataclasses import dataclass

from services.audio.leveller import PAUSE_S
from services.audio.pcm import TELEPHONE, Samples
from services.audio.polyphase import PolyphaseResampler
from services.audio.speech_level import SpeechLevelMeter
from services.tts.engine import EngineDescription
from services.tts.silence import SilenceTrimmer

MAX_VOICES = 1024
MOST_SECONDS = 30.0  # so much speech is remembered; what is older counts less and less


@dataclass(slots=True)
class _Learnt:
    level_dbov: float
    seconds: float


class VoiceLevels:
    """Active speech levels (ITU-T P.56) by engine, voice and language, shared by all calls of a process."""

    def __init__(self) -> None:
        self._learnt: dict[tuple[str, str, str, str], _Learnt] = {}  # the one learnt longest ago first

    def expected(self, description: EngineDescription, voice: str, language_code: str) -> float | None:
        """Return the likely level of a clause in dBov before it is brought to the level of all voices; None: not
        known.
        """
        learnt = self._learnt.get(_key(description, voice, language_code))
        if learnt is not None:
            return learnt.level_dbov
        return next((known.level_dbov for known in description.voices if known.name == voice), None)

    def learn(
        self, description: EngineDescription, voice: str, language_code: str, measured: tuple[float, float] | None
    ) -> None:
        """A clause has been spoken. `measured`: its own level in dBov and its seconds of speech."""
        if measured is None:
            return
        level_dbov, seconds = measured
        key = _key(description, voice, language_code)
        learnt = self._learnt.pop(key, None) or _Learnt(level_dbov, 0.0)
        whole = learnt.seconds + seconds
        if whole > 0:
            learnt.level_dbov += (level_dbov - learnt.level_dbov) * seconds / whole
            learnt.seconds = min(whole, MOST_SECONDS)
        self._learnt[key] = learnt
        if len(self._learnt) > MAX_VOICES:
            del self._learnt[next(iter(self._learnt))]


def line_level(samples: Samples, sample_rate_hertz: int) -> float | None:
    """Return the active level in dBov of a whole line, as a telephone carries it and without the silence around it;
    None: it has no sound.
    """
    whole = SpeechLevelMeter(sample_rate_hertz)
    whole.push(samples)
    trimmer = SilenceTrimmer(sample_rate_hertz, level_dbov=whole.level_dbov)
    resampler = PolyphaseResampler(sample_rate_hertz, TELEPHONE.sample_rate_hertz)
    meter = SpeechLevelMeter(TELEPHONE.sample_rate_hertz)
    for part in (trimmer.push(samples), trimmer.finish()):
        meter.push(resampler.push(part))
    meter.push(resampler.finish())
    return meter.with_pause(PAUSE_S).level_dbov


def _key(description: EngineDescription, voice: str, language_code: str) -> tuple[str, str, str, str]:
    return description.name, description.model, voice, language_code.lower().split("-")[0]
