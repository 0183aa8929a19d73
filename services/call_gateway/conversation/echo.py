"""Is it the caller, or our own voice coming back?

A telephone line returns part of what it is sent: fainter, some 20 to 300 ms later, otherwise the same. The guard keeps
the last of what was sent, as bytes, and looks only when the ear says that speech began: over the delays that
can be, how much of the heard sound is explained by the sent one? Near all of it: an echo. Part of it: a caller who
speaks over the echo, and that is speech. Both are whitened first, so that two vowels of one pitch do not look alike.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from services.audio.pcm import TornSample, decode
from services.call_gateway.conversation.heard_sound import HeardSound

KEPT_SENT_MS = 1500
MAX_DELAY_MS = 500  # from our clock's tick to the echo's arrival: the line's 20 to 300 and the way there and back
MIN_DELAY_MS = -60  # frames leave and arrive in bursts
MIN_EVIDENCE_MS = 60
MAX_EVIDENCE_MS = 400
EXPLAINED = (
    0.5  # of the heard energy; two different speakers share less than 0.3, a caller over the echo takes the rest
)
MAX_GAIN = 1.5  # louder than sent is no echo
FAINTEST = 3.0  # root mean square of the sent sound, whitened, below which there is nothing to come back
WHITENING = 0.9  # of each sample, taken off the next

Signal = NDArray[np.float32]


class EchoGuard:
    """Remembers both directions of one line; both at the same rate."""

    def __init__(self, heard: HeardSound, *, frame_ms: int) -> None:
        self._format = audio_format = heard.audio_format
        self._heard = heard
        self._per_ms = audio_format.sample_rate_hertz // 1000
        self._silence = audio_format.silence(frame_ms * self._per_ms)
        self._sent: deque[bytes] = deque(maxlen=KEPT_SENT_MS // frame_ms)

    def note_sent(self, content: bytes | None) -> None:
        """A frame left; None: comfort silence."""
        self._sent.append(self._silence if content is None else content)

    def is_echo(self, from_sample: int) -> bool:
        """Whether what was heard since then is our own voice. False when there is too little of it to tell."""
        heard = self._heard_since(from_sample)
        if len(heard) < MIN_EVIDENCE_MS * self._per_ms:
            return False
        sent = self._sent_before(len(heard))
        if len(sent) < len(heard) or float(np.sqrt(np.mean(sent**2))) < FAINTEST:
            return False
        explained, gain = best_match(heard, sent)
        return explained >= EXPLAINED and abs(gain) <= MAX_GAIN

    def _heard_since(self, from_sample: int) -> Signal:
        chunks = self._heard.since(from_sample)
        if not chunks:
            return np.zeros(0, np.float32)
        sound = self._whitened(b"".join(content for _, content in chunks))
        sound = sound[max(0, from_sample - chunks[0][0]) :]
        return sound[-MAX_EVIDENCE_MS * self._per_ms :]

    def _sent_before(self, n_heard: int) -> Signal:
        """What may lie beneath the heard sound: from the longest delay before its start to just after its end."""
        n_samples = n_heard + MAX_DELAY_MS * self._per_ms
        sent = self._whitened(b"".join(self._sent))
        return np.concatenate((sent, np.zeros(-MIN_DELAY_MS * self._per_ms, np.float32)))[-n_samples:]

    def _whitened(self, content: bytes) -> Signal:
        try:
            samples = decode(self._format, content).astype(np.float32)
        except TornSample:
            return np.zeros(0, np.float32)
        samples[1:] -= WHITENING * samples[:-1]
        return samples


def best_match(heard: Signal, sent: Signal) -> tuple[float, float]:
    """Over every place of `heard` in `sent`: the largest share of its energy that the sent sound there explains, 0 to
    1, and how loud the echo would be, as a factor.
    """
    energy = float(heard @ heard)
    n_places = len(sent) - len(heard) + 1
    if energy == 0.0 or n_places < 1:
        return 0.0, 0.0
    size = 1 << (len(sent) + len(heard) - 1).bit_length()
    products = np.fft.irfft(np.fft.rfft(sent, size) * np.conj(np.fft.rfft(heard, size)), size)[:n_places]
    sums = np.concatenate(([0.0], np.cumsum(sent.astype(np.float64) ** 2)))
    energies = sums[len(heard) :] - sums[: -len(heard)]
    floor = max(1.0, 1e-3 * float(energies.max()))  # places that are all but silent explain nothing
    shares = np.where(energies > floor, products**2 / (np.maximum(energies, floor) * energy), 0.0)
    place = int(shares.argmax())
    return float(shares[place]), float(products[place] / max(energies[place], floor))
