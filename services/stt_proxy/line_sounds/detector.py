"""Line sound detector of one call: each window goes to the detectors of keys, tones and music."""

from dataclasses import dataclass
from enum import Enum

from services.audio.pcm import Samples
from services.stt_proxy.line_sounds.call_progress import CallProgress, ProgressTone
from services.stt_proxy.line_sounds.dtmf import DtmfDetector
from services.stt_proxy.line_sounds.frames import WINDOW_SAMPLES, Frames
from services.stt_proxy.line_sounds.music import WINDOWS_LOOKED_AT, MusicDetector
from services.stt_proxy.line_sounds.tones import ToneTracker

SILENCE_DBFS = -96.0


class LineSoundKind(Enum):
    """Kind of a line sound."""

    DTMF = "dtmf"
    RING_BACK = "ring_back"
    BUSY = "busy"
    DIAL_TONE = "dial_tone"
    FAX_CALLING = "fax_calling"
    BEEP = "beep"
    MUSIC = "music"


_KINDS = {
    ProgressTone.RING_BACK: LineSoundKind.RING_BACK,
    ProgressTone.BUSY: LineSoundKind.BUSY,
    ProgressTone.DIAL_TONE: LineSoundKind.DIAL_TONE,
    ProgressTone.FAX_CALLING: LineSoundKind.FAX_CALLING,
    ProgressTone.BEEP: LineSoundKind.BEEP,
}


@dataclass(frozen=True, slots=True)
class LineSound:
    """A sound of the line, told once it is certain. Samples are of the call's clock; it may go on behind the end."""

    kind: LineSoundKind
    start_sample: int
    end_sample: int
    key: str = ""  # of DTMF: 0-9, A-D, * or #


class LineSoundDetector:
    """Detector of one call. `factor`: how many samples of the call's clock are one of the windows' 8 kHz."""

    def __init__(self, *, factor: int) -> None:
        self._factor = factor
        self._frames = Frames()
        self._keys = DtmfDetector()
        self._tones = ToneTracker()
        self._progress = CallProgress()
        self._music = MusicDetector()
        self._position = 0
        self.rms = 0.0  # of the newest window, of 32768

    @property
    def is_tone(self) -> bool:
        """Return whether the newest window is a key or a steady tone, which is never speech."""
        return self._keys.is_held or self._tones.is_sounding

    def feed(self, samples: Samples, end_sample: int, *, is_speech: bool) -> list[LineSound]:
        """The next window, (256,) int16 at 8 kHz, up to `end_sample` of the call. `is_speech`: the caller speaks now,
        as far as the voice detector has come.
        """
        self._position = end_sample // self._factor
        frame = self._frames.feed(samples, end_position=self._position)
        self.rms = frame.rms
        found = [self._sound(LineSoundKind.DTMF, key.start, key.end, key.key) for key in self._keys.feed(frame)]
        burst = self._tones.feed(frame)
        if self._keys.is_held or found:
            self._tones.reset(self._position)  # a key's two tones are no tone of the network
            burst = None
        if is_speech and not self.is_tone:
            self._progress.voice(self._position)
        if (named := self._progress.feed(burst, self._position, frame.level_dbfs)) is not None:
            found.append(self._sound(_KINDS[named.progress], named.start, named.end))
        if self._music.feed(frame, is_speech=is_speech, is_tone=self.is_tone):
            start = self._position - WINDOWS_LOOKED_AT * WINDOW_SAMPLES
            found.append(self._sound(LineSoundKind.MUSIC, start, self._position))
        return found

    def rest(self, to_sample: int) -> list[LineSound]:
        """Silence that was not listened to, up to there."""
        ended = self._tones.reset(self._position)
        self._position = to_sample // self._factor
        self._frames.reset()
        self._keys.reset()
        named = [
            self._progress.feed(one, self._position, SILENCE_DBFS) for one in ((ended, None) if ended else (None,))
        ]
        return [self._sound(_KINDS[one.progress], one.start, one.end) for one in named if one is not None]

    def reset(self) -> None:
        """The clock went on and the sound is not known: hold, or a gap too long to conceal."""
        self._frames.reset()
        self._keys.reset()
        self._tones.reset(self._position)
        self._progress.reset()
        self._music.reset()

    def _sound(self, kind: LineSoundKind, start: int, end: int, key: str = "") -> LineSound:
        return LineSound(kind, max(0, start) * self._factor, end * self._factor, key)
