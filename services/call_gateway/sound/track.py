"""Track: the last seconds of a call's sound in both directions, cut into frames whose level is computed once."""

from collections import deque
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import AudioFormat, Encoding, TornSample, decode
from services.call_gateway.line import CallerAudio

FRAME_MS: Final = 20  # the longest frame; a shorter packet is a frame of its own
KEPT_MS: Final = 3000  # of the caller's sound: longer than an STT stage can stall before that is noticed
SENT_MS: Final = 1100  # of the agent's: what an echo of the last half second can have been made from

SPEECH_MS: Final = 1500  # before the end of speech; the loudest of it is the voice
LATEST_END_MS: Final = 240  # a voice activity detector with windows of 32 ms is no later than that
PEAK_MS: Final = 5
QUIET_RATIO: Final = 0.018  # 35 dB below the voice
NOISE_RATIO: Final = 1.5  # above what follows the end

_CODES: Final = bytes(range(256))


class Frame(NamedTuple):
    """A piece of the caller's sound, FRAME_MS long at most."""

    start_sample: int
    end_sample: int
    content: bytes  # in the leg's format
    level: float  # root mean square of 16-bit samples; 0 when the bytes hold no whole number of samples
    concealed_samples: int = 0  # how many of them were invented to hide a loss


class Track:
    """Both directions of one line. The caller's samples count on the call's media clock, the agent's from the first
    frame that was pulled. The oldest sound is forgotten.
    """

    def __init__(self, audio_format: AudioFormat, *, sent_frame_ms: int = FRAME_MS) -> None:
        self.audio_format = audio_format
        self._rate = audio_format.sample_rate_hertz
        self._frame_bytes = FRAME_MS * self._rate // 1000 * audio_format.bytes_per_sample
        self._kept_samples = KEPT_MS * self._rate // 1000
        self._samples = _samples_of_codes(audio_format)
        self._received: deque[Frame] = deque()
        self._sent_frame = audio_format.silence(sent_frame_ms * self._rate // 1000)
        self._sent: deque[bytes] = deque(maxlen=SENT_MS // sent_frame_ms + 1)
        self.sent_samples = 0
        """So many samples were pulled by the line."""
        self.sent_sound_samples = 0
        """The same up to the last frame that was not comfort silence."""

    def add_received(self, audio: CallerAudio) -> tuple[Frame, ...]:
        """Add a packet of the caller's, of any length; returns its frames. Concealed sound is not kept."""
        start, content, concealed = audio
        step, width = self._frame_bytes, self.audio_format.bytes_per_sample
        if len(content) <= step:
            frames = [Frame(start, start + len(content) // width, content, self._level(content), concealed)]
        else:
            frames = self._cut(audio)
        if not concealed:
            self._received.extend(frames)
            oldest = start - self._kept_samples
            while self._received and self._received[0].start_sample < oldest:
                self._received.popleft()
        return tuple(frames)

    def _cut(self, audio: CallerAudio) -> list[Frame]:
        start, content, concealed = audio
        step, width = self._frame_bytes, self.audio_format.bytes_per_sample
        pieces = [content[at : at + step] for at in range(0, len(content), step)]
        frames: list[Frame] = []
        for piece in pieces:
            end = start + len(piece) // width
            frames.append(Frame(start, end, piece, self._level(piece), min(concealed, end - start)))
            concealed -= frames[-1].concealed_samples
            start = end
        return frames

    def add_sent(self, content: bytes | None) -> None:
        """Add a frame that went out to the caller, in the call's audio format; None: comfort silence."""
        self._sent.append(self._sent_frame if content is None else content)
        self.sent_samples += len(self._sent_frame) // self.audio_format.bytes_per_sample
        if content is not None:
            self.sent_sound_samples = self.sent_samples

    def received_since(self, sample: int) -> list[Frame]:
        """The caller's frames that reach beyond that sample, in order."""
        return [frame for frame in self._received if frame.end_sample > sample]

    def received_last(self, ms: int) -> list[Frame]:
        """The caller's frames of the last so many milliseconds; the oldest may reach further back."""
        if not self._received:
            return []
        return self.received_since(self._received[-1].start_sample - ms * self._rate // 1000)

    def last_sent(self) -> bytes:
        """The last SENT_MS milliseconds that went out, in the call's audio format, or fewer at the start of a call."""
        return b"".join(self._sent)

    def speech_end(self, sample: int) -> int:
        """The sample at which speech that a detector heard up to `sample` really ended: a detector takes a whole window
        for speech that holds a last bit of it. Behind the end the sound stays 35 dB below the voice, or down in the
        noise. Costs some 50 us. Returns `sample` where the sound is not kept or has gaps.
        """
        per_ms = self._rate // 1000
        frames = self.received_since(sample - SPEECH_MS * per_ms)
        try:
            samples = decode(self.audio_format, b"".join([frame.content for frame in frames]))
        except TornSample:
            return sample
        if not frames or len(samples) != frames[-1].end_sample - frames[0].start_sample:
            return sample
        length = PEAK_MS * per_ms
        peaks = np.abs(samples[: len(samples) // length * length].reshape(-1, length).astype(np.int32)).max(axis=1)
        n_before = (sample - frames[0].start_sample) // length
        if not 0 < n_before <= len(peaks):
            return sample
        quiet = max(QUIET_RATIO * peaks[:n_before].max(), NOISE_RATIO * peaks[n_before:].max(initial=0))
        n_searched = min(n_before, LATEST_END_MS // PEAK_MS)
        loud = np.flatnonzero(peaks[n_before - n_searched : n_before] > quiet)
        return sample - (n_searched - 1 - int(loud[-1])) * length if len(loud) else sample

    def _level(self, content: bytes) -> float:
        if not content or len(content) % self.audio_format.bytes_per_sample:
            return 0.0
        if self._samples is not None:
            samples = self._samples.take(np.frombuffer(content, np.uint8))
        else:
            samples = np.frombuffer(content, dtype="<i2").astype(np.float32)
        return sqrt(float(samples.dot(samples)) / len(samples))


def _samples_of_codes(audio_format: AudioFormat) -> NDArray[np.float32] | None:
    """The sample of each G.711 code, shape (256,); None for linear samples."""
    if audio_format.encoding is Encoding.LINEAR16:
        return None
    return decode(audio_format, _CODES).astype(np.float32)
