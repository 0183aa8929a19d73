"""Intake of one call on one sample clock: sound for the engine, windows for the detector, gaps."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from services.audio.concealment import Concealer
from services.audio.pcm import AudioFormat, Samples, TornSample, decode
from services.audio.timeline import Overlap, Timeline
from services.stt_proxy.errors import AudioOverlap, BadSample, ChunkTooLong, TornAudio
from services.stt_proxy.recording import Clip

DETECTOR_RATE_HERTZ = 8000
WINDOW_SAMPLES = 256  # at the detector's rate: 32 ms
MAX_CHUNK_MS = 1000
UNEXPLAINED_MS = 100  # idle time without a known reason counts as silence only after this
FRESH_AFTER_MS = 1000  # after so long without sound the detector's memory is of no use
LATEST_SAMPLE = 1 << 62
_TAPS_PER_FACTOR = 8


class IdleReason(Enum):
    """The reason why no packets arrived."""

    UNKNOWN = "unknown"
    LOSS = "loss"
    DTMF = "dtmf"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Window:
    """32 ms for the detector."""

    start_sample: int  # on the call's clock, like all positions here
    end_sample: int
    samples: Samples  # (256,) int16 at 8 kHz
    is_fresh: bool  # nothing before it should be remembered


@dataclass(frozen=True, slots=True)
class Silence:
    """Time without sound that counts as silence."""

    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Time that counts for nothing: on hold, a key pressed, or not yet explained."""

    end_sample: int


@dataclass(frozen=True, slots=True)
class Break:
    """A gap too long to conceal: the speech before it ended there."""

    end_sample: int


Step = Window | Silence | Skip | Break


@dataclass(frozen=True, slots=True)
class Taken:
    """Result of one message of the client."""

    sound: tuple[Clip, ...] = ()  # at the call's rate, concealed loss included
    steps: tuple[Step, ...] = ()


class Decimator:
    """Keeps every `factor`-th sample behind a low-pass filter; runs chunk by chunk.

    A Hamming-windowed sinc with its corner at 0.45 of the new rate: its delay is 8 samples of the new rate (1 ms),
    where a resampler made for listening looks ahead 100 ms.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        n_taps = 2 * _TAPS_PER_FACTOR * factor + 1
        positions = np.arange(n_taps) - n_taps // 2
        corner = 0.9 / factor
        taps = np.sinc(positions * corner) * np.hamming(n_taps)
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._held = np.zeros(n_taps - 1, dtype=np.float32)

    def push(self, samples: Samples) -> Samples:
        """Take samples at the old rate, (n,) int16; return those that are ready at the new rate."""
        if self._factor == 1:
            return samples
        held = np.concatenate((self._held, samples.astype(np.float32)))
        n_out = max(0, (len(held) - len(self._taps)) // self._factor + 1)
        filtered = np.convolve(held, self._taps, mode="valid")[: n_out * self._factor : self._factor]
        self._held = held[n_out * self._factor :]
        return np.clip(np.rint(filtered), -32768, 32767).astype(np.int16)


class Intake:
    """One call's audio, in order. Nothing the size of a jump is ever allocated."""

    def __init__(self, audio_format: AudioFormat, *, start_sample: int, max_gap_ms: int) -> None:
        self._format = audio_format
        self._per_ms = audio_format.sample_rate_hertz // 1000
        self._max_gap_samples = max_gap_ms * self._per_ms
        self._timeline = Timeline(start_sample=start_sample, max_gap_samples=self._max_gap_samples)
        self._concealer = Concealer(audio_format.sample_rate_hertz)
        self._factor = audio_format.sample_rate_hertz // DETECTOR_RATE_HERTZ
        self._decimator = Decimator(self._factor)
        self._rest = np.empty(0, dtype=np.int16)  # at the detector's rate, less than a window
        self._window_start = start_sample
        self._is_fresh = True
        self._idle_samples = 0  # without sound since the last chunk
        self._unexplained_samples = 0
        self._concealed_samples = 0

    @property
    def next_sample(self) -> int:
        """First sample not yet taken."""
        return self._timeline.next_sample

    def take_audio(self, start_sample: int, content: bytes) -> Taken:
        """Take a chunk. Raises TornAudio, AudioOverlap, ChunkTooLong, BadSample; then nothing has changed."""
        try:
            samples = decode(self._format, content)
        except TornSample as torn:
            raise TornAudio(f"audio.content: {torn}; send whole samples", field="audio.content") from torn
        if len(samples) > MAX_CHUNK_MS * self._per_ms:
            raise ChunkTooLong(
                f"audio.content holds {len(samples)} samples: send at most {MAX_CHUNK_MS} ms, best 20 to 200 ms",
                field="audio.content",
            )
        expected = self.next_sample
        self._move(start_sample, start_sample + len(samples), "audio.start_sample")
        steps: list[Step] = []
        sound: list[Clip] = []
        missing = start_sample - expected
        if missing > self._max_gap_samples:
            steps += self._break(start_sample)
        elif missing:
            sound.append(Clip(expected, self._concealer.conceal(missing)))
        if len(samples):
            self._concealer.feed(samples)
            self._idle_samples = self._unexplained_samples = self._concealed_samples = 0
            sound.append(Clip(start_sample, samples))
        for clip in sound:
            steps += self._windows(clip.samples)
        return Taken(tuple(sound), tuple(steps))

    def take_idle(self, from_sample: int, to_sample: int, reason: IdleReason) -> Taken:
        """Take time without packets. A gap before it counts as idle time of unknown reason. Raises AudioOverlap,
        BadSample.
        """
        if to_sample < from_sample:
            raise BadSample(
                f"media_idle.to_sample {to_sample} lies before from_sample {from_sample}", field="media_idle.to_sample"
            )
        began = self.next_sample
        self._move(from_sample, to_sample, "media_idle.from_sample")
        if reason is IdleReason.LOSS:
            return self._lose(began, to_sample)
        self._concealed_samples = 0
        if reason is IdleReason.UNKNOWN:
            steps = self._leave_unexplained(began, to_sample)
        else:
            self._unexplained_samples = 0
            steps = [Skip(to_sample)] if to_sample > began else []
        self._restart(to_sample, to_sample - began)
        return Taken(steps=tuple(steps))

    def finish(self) -> Taken:
        """The client sends no more: return the last part of a window, filled up with silence."""
        if len(self._rest) == 0:
            return Taken()
        return Taken(steps=tuple(self._windows(np.zeros((WINDOW_SAMPLES - len(self._rest)) * self._factor, np.int16))))

    def _move(self, start_sample: int, end_sample: int, field: str) -> None:
        if start_sample < 0 or end_sample > LATEST_SAMPLE:
            raise BadSample(f"{field} {start_sample} is no position of a call: count from 0", field=field)
        try:
            self._timeline.place(start_sample, end_sample - start_sample)
        except Overlap as overlap:
            raise AudioOverlap(
                f"{field} {start_sample} lies before {self.next_sample}, where the last one ended",
                field=field,
            ) from overlap

    def _lose(self, from_sample: int, to_sample: int) -> Taken:
        """Conceal up to the limit, however many messages say it; what is lost beyond counts as silence."""
        hidden = min(to_sample - from_sample, self._max_gap_samples - self._concealed_samples)
        self._concealed_samples += hidden
        sound: tuple[Clip, ...] = ()
        steps: list[Step] = []
        if hidden:
            sound = (Clip(from_sample, self._concealer.conceal(hidden)),)
            steps += self._windows(sound[0].samples)
        if from_sample + hidden < to_sample:
            steps.append(Silence(from_sample + hidden, to_sample))
            self._restart(to_sample, to_sample - from_sample - hidden)
        return Taken(sound, tuple(steps))

    def _leave_unexplained(self, from_sample: int, to_sample: int) -> list[Step]:
        doubted = UNEXPLAINED_MS * self._per_ms - self._unexplained_samples
        self._unexplained_samples += to_sample - from_sample
        silence_from = from_sample + max(0, doubted)
        steps: list[Step] = []
        if silence_from > from_sample:
            steps.append(Skip(min(silence_from, to_sample)))
        if silence_from < to_sample:
            steps.append(Silence(silence_from, to_sample))
        return steps

    def _break(self, at_sample: int) -> list[Step]:
        self._restart(at_sample, FRESH_AFTER_MS * self._per_ms)
        return [Break(at_sample)]

    def _restart(self, at_sample: int, idle_samples: int) -> None:
        """Begin the windows again at this sample."""
        self._rest = self._rest[:0]
        self._window_start = at_sample
        self._idle_samples += idle_samples
        if self._idle_samples >= FRESH_AFTER_MS * self._per_ms:
            self._is_fresh = True

    def _windows(self, samples: Samples) -> list[Step]:
        heard = np.concatenate((self._rest, self._decimator.push(samples)))
        n_windows = len(heard) // WINDOW_SAMPLES
        length = WINDOW_SAMPLES * self._factor
        windows: list[Step] = []
        for number in range(n_windows):
            start = self._window_start
            piece = heard[number * WINDOW_SAMPLES : (number + 1) * WINDOW_SAMPLES]
            windows.append(Window(start, start + length, piece, self._is_fresh))
            self._window_start += length
            self._is_fresh = False
        self._rest = heard[n_windows * WINDOW_SAMPLES :]
        return windows
