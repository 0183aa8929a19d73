"""Reference recordings of a voice: read, measured, and refused where they would make a bad voice. Sans-IO."""

import hashlib
import io
import struct
import wave
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.audio.pcm import Samples
from services.audio.speech_level import SpeechLevelMeter
from services.tts.errors import (
    NotAWav,
    ReferenceClipped,
    ReferenceLength,
    ReferenceNoisy,
    SeveralSpeakers,
    TooFewReferences,
)

FEWEST, MOST = 3, 20  # recordings
LOWEST_HERTZ, HIGHEST_HERTZ = 16000, 48000
SHORTEST_S, LONGEST_S = 2.0, 60.0  # of one recording
LEAST_SPEECH_S = 6.0  # in all of them: what XTTS conditions its first network on
CLIPPED_PEAK = 32700
MOST_CLIPPED = 0.001  # of the samples
LEAST_SPEECH_TO_NOISE_DB = 15.0
FRAME_S = 0.02
NOISE_PERCENTILE = 5
SEGMENT_S = 2.0  # the pitch of a person is compared over stretches of so long
PITCH_HERTZ = (60.0, 400.0)
PITCH_FRAME_S, PITCH_STEP_S = 0.04, 0.02
VOICED = 0.5  # of the frame's energy that comes back a period later
FEWEST_VOICED = 10  # frames of a segment
MOST_PITCH_RATIO = 1.7  # between the segments of one person; a man and a woman are about 1.8 apart


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference recording, mono, as it is kept."""

    samples: Samples
    sample_rate_hertz: int
    sha256: str  # of the file as it was sent
    speech_s: float = 0.0
    speech_to_noise_db: float = 0.0

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hertz


def read_wav(content: bytes, *, name: str) -> Reference:
    """Read a WAV file with 16-bit PCM; its channels are averaged. `name` is how messages call it. Raises NotAWav,
    ReferenceLength.
    """
    field = "reference.content"
    try:
        with wave.open(io.BytesIO(content)) as file:
            n_channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError, RuntimeError, OSError, struct.error) as error:  # all from a broken file
        raise NotAWav(f"{name} is no WAV file with PCM ({error}); send RIFF WAVE, 16-bit PCM", field=field) from error
    if width != 2 or n_channels not in (1, 2) or not LOWEST_HERTZ <= rate <= HIGHEST_HERTZ:
        raise NotAWav(
            f"{name} has {8 * width} bits, {n_channels} channels, {rate} Hz; send 16 bits, one or two channels, "
            f"{LOWEST_HERTZ} to {HIGHEST_HERTZ} Hz",
            field=field,
        )
    whole = frames[: len(frames) // (2 * n_channels) * 2 * n_channels]
    samples = np.frombuffer(whole, dtype="<i2").reshape(-1, n_channels).astype(np.float64).mean(axis=1)
    duration_s = len(samples) / rate
    if not SHORTEST_S <= duration_s <= LONGEST_S:
        raise ReferenceLength(
            f"{name} lasts {duration_s:.1f} s; send {SHORTEST_S:g} to {LONGEST_S:g} s of speech", field=field
        )
    return Reference(np.rint(samples).astype(np.int16), rate, hashlib.sha256(content).hexdigest())


def measured(reference: Reference, *, name: str) -> Reference:
    """Measure a recording. Raises ReferenceClipped, ReferenceNoisy."""
    field = "reference.content"
    samples, rate = reference.samples, reference.sample_rate_hertz
    clipped = float(np.mean(np.abs(samples.astype(np.int32)) >= CLIPPED_PEAK))
    if clipped > MOST_CLIPPED:
        raise ReferenceClipped(
            f"{name} is clipped in {100 * clipped:.1f} % of its samples; record it at a lower level", field=field
        )
    meter = SpeechLevelMeter(rate)
    meter.push(samples)
    level_dbov = meter.level_dbov
    if level_dbov is None:
        raise ReferenceNoisy(f"{name} is silent; send speech", field=field)
    frame = int(FRAME_S * rate)
    frames = samples[: len(samples) // frame * frame].astype(np.float64).reshape(-1, frame) / 32768
    noise = float(np.percentile(np.mean(frames**2, axis=1), NOISE_PERCENTILE))
    ratio_db = level_dbov - 10 * float(np.log10(max(noise, 1e-10)))
    if ratio_db < LEAST_SPEECH_TO_NOISE_DB:
        raise ReferenceNoisy(
            f"{name} has speech only {ratio_db:.0f} dB over its noise; {LEAST_SPEECH_TO_NOISE_DB:g} dB are needed: "
            "record it in a quiet room",
            field=field,
        )
    return Reference(samples, rate, reference.sha256, meter.active_s, ratio_db)


def check_set(references: Sequence[Reference]) -> None:
    """Check that the recordings together are enough for a voice. Raises TooFewReferences, ReferenceLength,
    SeveralSpeakers.
    """
    if not FEWEST <= len(references) <= MOST:
        raise TooFewReferences(
            f"{len(references)} recordings; send {FEWEST} to {MOST}, of different sentences", field="reference"
        )
    if len({reference.sha256 for reference in references}) < len(references):
        raise TooFewReferences("a recording was sent twice; send different ones", field="reference")
    speech_s = sum(reference.speech_s for reference in references)
    if speech_s < LEAST_SPEECH_S:
        raise ReferenceLength(
            f"{speech_s:.1f} s of speech in all recordings; {LEAST_SPEECH_S:g} s are needed", field="reference"
        )
    pitches = [pitch for reference in references for pitch in pitches_of(reference)]
    if pitches and max(pitches) > MOST_PITCH_RATIO * min(pitches):
        raise SeveralSpeakers(
            f"voices of {min(pitches):.0f} and {max(pitches):.0f} Hz are heard; send recordings of one person",
            field="reference",
        )


def pitches_of(reference: Reference) -> list[float]:
    """The median pitch in Hz of each stretch of SEGMENT_S that has enough voiced speech, by autocorrelation."""
    rate = reference.sample_rate_hertz
    size, step = int(PITCH_FRAME_S * rate), int(PITCH_STEP_S * rate)
    samples = reference.samples.astype(np.float64) / 32768
    if len(samples) < size:
        return []
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::step]
    frames = frames - frames.mean(axis=1, keepdims=True)
    energy = np.sum(frames**2, axis=1)
    spectrum = np.abs(np.fft.rfft(frames, 2 * size, axis=1)) ** 2
    likeness = np.fft.irfft(spectrum, axis=1)
    low, high = int(rate / PITCH_HERTZ[1]), min(size - 1, int(rate / PITCH_HERTZ[0]))
    lags = np.arange(low, high)
    share = likeness[:, low:high] / np.maximum(energy, 1e-12)[:, None] * (size / (size - lags))
    best = np.argmax(share, axis=1)
    strength = share[np.arange(len(share)), best]
    is_voiced = (strength > VOICED) & (energy > 0.05 * np.percentile(energy, 90))
    hertz = rate / (best + low)
    a_segment = max(1, round(SEGMENT_S / PITCH_STEP_S))
    pitches = []
    for begin in range(0, len(hertz), a_segment):
        voiced = hertz[begin : begin + a_segment][is_voiced[begin : begin + a_segment]]
        if len(voiced) >= FEWEST_VOICED:
            pitches.append(float(np.median(voiced)))
    return pitches


def wav_bytes(reference: Reference) -> bytes:
    """Return the recording as a WAV file, mono, 16-bit PCM."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(reference.sample_rate_hertz)
        file.writeframes(reference.samples.astype("<i2").tobytes())
    return buffer.getvalue()
