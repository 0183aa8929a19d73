"""Echo guard: tells the caller's voice from the agent's own, returned by the line.

A telephone line returns part of what it is sent: fainter, some 20 to 300 ms later. The guard looks only when the STT
stage says that speech began: is there a path by which the line can have made the heard sound from the sent one? A path
that was found once is remembered, since a line hardly changes: the next look is cheap and needs little sound. What the
path does not explain decides: near nothing, and it was an echo; more, and a caller speaks over it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.audio.pcm import decode
from services.call_gateway.sound.echo_path import (
    MARGIN,
    MAX_LEAD,
    PER_MS,
    EchoPath,
    Match,
    Signal,
    find_path,
    find_place,
    span_of,
    whitened,
)
from services.call_gateway.sound.track import Frame, Track

COMPARED: Final = 500 * PER_MS  # of heard sound, laid beside the sent
SHORTEST: Final = 50 * PER_MS  # of it, that is judged
LEAD_IN: Final = 20 * PER_MS  # before the STT stage's begin, which the first sound precedes
NOISE_MS: Final = 600  # the quietest tenth of these is the line's noise
FRAME: Final = 20 * PER_MS

UNEXPLAINED: Final = 0.35  # of the heard power: more is a caller. One as loud as the echo leaves half
NOISE_FACTOR: Final = 6.0  # of the noise's power: less is no caller
MIN_NOISE_POWER: Final = 7.0**2  # of G.711's own steps, on a line without noise
MAX_NOISE_POWER: Final = 100.0**2  # louder noise is not taken for noise: about -50 dBFS
HOLE: Final = 5 * PER_MS  # a shorter one is none
FAINTEST_POWER: Final = 9.0  # below which a direction is silent
MAX_GAIN: Final = 1.2  # louder than it was sent is no echo

# Evidence needed to believe in an echo path for the first time: chance agrees better the less there is to compare.
SURE_AFTER_MS: Final = 120  # of sound
DELAYED_SHARE: Final = 0.45  # by delay alone; strangers' voices stay below 0.4
DELAYED_SHARE_OF_NOTHING: Final = 0.85
FILTERED_SHARE: Final = 0.62  # by a filter; strangers' voices stay below 0.6
FILTERED_SHARE_OF_NOTHING: Final = 0.95
FILTERED_AFTER_MS: Final = 40  # twice the filter's length: it could make anything shorter
# And what it takes at a delay that is known.
KNOWN_SHARE: Final = 0.35
WELL_KNOWN_SHARE: Final = 0.85
FIT_AGAIN: Final = 2.0  # when so many times more sound is to be had than the last fit saw
# And to believe that a line which is known returns our voice at another delay from now on.
MOVED_SHARE: Final = 0.65
MOVED_SHARE_OF_NOTHING: Final = 0.85
SAME_PLACE: Final = 5 * PER_MS
PLACES: Final = span_of(0) - 2 * MARGIN


@dataclass(frozen=True, slots=True)
class _KnownPath:
    """The last echo path that was found on the line."""

    offset: int  # from the heard clock to the sent one: at 8 kHz
    taps: Signal
    fitted_ms: int  # to so much sound


class EchoGuard:
    """Looks for the agent's own voice in what the line returns."""

    def __init__(self, track: Track) -> None:
        """`track` holds both directions at one rate, a multiple of 8 kHz."""
        self._format = track.audio_format
        self._track = track
        self._per_tick = self._format.sample_rate_hertz // (1000 * PER_MS)  # samples to one at 8 kHz
        self._known: _KnownPath | None = None

    def is_echo(self, from_sample: int, to_sample: int) -> bool:
        """Return whether what is heard between those samples is the agent's own voice alone."""
        frames = [frame for frame in self._track.received_last(NOISE_MS) if frame.start_sample < to_sample]
        if not frames:
            return False
        newest = frames[-1].end_sample
        judged = max(SHORTEST, (newest - from_sample) // self._per_tick + LEAD_IN)
        if (self._track.sent_samples - self._track.sent_sound_samples) // self._per_tick > span_of(judged):
            return False  # what could come back has come back
        return self._came_back(frames, newest, judged)

    def _came_back(self, frames: list[Frame], newest: int, judged: int) -> bool:
        """The last `judged` ticks up to the sample `newest`."""
        sent = self._sent_beside()
        if float(sent @ sent) < FAINTEST_POWER * len(sent):
            return False
        heard = self._laid_out(frames, newest)
        n_known = (newest - frames[0].start_sample) // self._per_tick  # less, when the call has just begun
        noise_power = _noise_power(heard[-n_known:])
        heard = heard[-COMPARED:]
        if float(heard @ heard) < FAINTEST_POWER * COMPARED:
            return False
        counted = _counted(heard)[max(0, COMPARED - judged) :]
        # The distance of the two clocks at this moment; frames leave and arrive in bursts.
        sent_end = self._track.sent_samples // self._per_tick
        apart = sent_end - span_of(COMPARED) + 2 * MARGIN + MAX_LEAD - newest // self._per_tick + COMPARED
        known = self._known
        if known is not None and 0 <= known.offset - apart <= PLACES:
            path = EchoPath(known.offset - apart, known.taps)
            if _explains(path, heard, sent, counted, noise_power, least_share=0.3):
                if _sounding_ms(heard) >= FIT_AGAIN * known.fitted_ms:
                    self._fit_again(known, heard, sent, noise_power, apart)
                return True
        if known is not None and (place := _moved_to(known.taps, heard, sent, counted, noise_power)) is not None:
            self._known = replace(known, offset=place + apart)
            return True
        match = find_path(heard, sent, noise_energy=noise_power * COMPARED)
        offset = match.path.place + apart
        if self._is_believed(match, heard):
            self._known = _KnownPath(offset, match.path.taps, _sounding_ms(heard))
        elif known is None or abs(known.offset - offset) > SAME_PLACE or match.share_filtered < KNOWN_SHARE:
            return False
        return _explains(match.path, heard, sent, counted, noise_power)

    def _fit_again(self, known: _KnownPath, heard: Signal, sent: Signal, noise_power: float, apart: int) -> None:
        """The first fit saw a vowel or two; there is more to fit now. Not with a caller's voice in it."""
        match = find_path(heard, sent, noise_energy=noise_power * COMPARED)
        offset = match.path.place + apart
        is_same = abs(offset - known.offset) <= SAME_PLACE and match.share_filtered >= WELL_KNOWN_SHARE
        fitted = _KnownPath(offset, match.path.taps, known.fitted_ms) if is_same else known
        self._known = replace(fitted, fitted_ms=_sounding_ms(heard))

    def _is_believed(self, match: Match, heard: Signal) -> bool:
        if match.gain > MAX_GAIN:
            return False
        sounding_ms = _sounding_ms(heard)
        doubt = 1.0 - min(1.0, sounding_ms / SURE_AFTER_MS)
        if match.share_delayed >= DELAYED_SHARE + doubt * (DELAYED_SHARE_OF_NOTHING - DELAYED_SHARE):
            return True
        least = FILTERED_SHARE + doubt * (FILTERED_SHARE_OF_NOTHING - FILTERED_SHARE)
        return sounding_ms >= FILTERED_AFTER_MS and match.share_filtered >= least

    # -- both directions as signals ------------------------------------------------------------------------------------

    def _sent_beside(self) -> Signal:
        """Return what may lie beneath the heard sound; what has not been sent yet is silence."""
        ahead = MAX_LEAD + MARGIN
        n_ticks = span_of(COMPARED) - ahead
        ticks = self._ticks(self._track.last_sent())[-n_ticks:]
        return whitened(np.concatenate((np.zeros(n_ticks - len(ticks)), ticks, np.zeros(ahead))))

    def _laid_out(self, frames: list[Frame], newest: int) -> Signal:
        """The heard sound up to `newest`, every chunk in its place; holes are silence."""
        n_ticks = NOISE_MS * PER_MS
        first = newest - n_ticks * self._per_tick
        pieces = [(frame.start_sample, frame.content) for frame in frames]
        if sum([frame.end_sample - frame.start_sample for frame in frames]) == newest - frames[0].start_sample:
            pieces = [(frames[0].start_sample, b"".join([frame.content for frame in frames]))]  # without holes
        ticks = np.zeros(n_ticks)
        for start_sample, content in pieces:
            at = (start_sample - first) // self._per_tick
            part = self._ticks(content)[max(0, -at) :]
            at = max(0, at)
            ticks[at : at + len(part)] = part[: n_ticks - at]
        return whitened(ticks)

    def _ticks(self, content: bytes) -> Signal:
        """Samples at 8 kHz; what is torn off at the end is left out."""
        width = self._format.bytes_per_sample
        whole = content[: len(content) // width * width]
        samples = decode(self._format, whole).astype(np.float64)
        if self._per_tick == 1:
            return samples
        means: Signal = samples[: len(samples) // self._per_tick * self._per_tick].reshape(-1, self._per_tick).mean(1)
        return means


def _counted(heard: Signal) -> Signal:
    """1 where anything came, 0 where a hole is: in a burst of losses, or where the line's own buffer ran dry. An echo
    that is missing there does not make what came a caller.
    """
    came = (heard.reshape(-1, HOLE) ** 2).mean(axis=1) >= FAINTEST_POWER
    return np.repeat(came.astype(np.float64), HOLE)


def _explains(
    path: EchoPath, heard: Signal, sent: Signal, counted: Signal, noise_power: float, *, least_share: float = 0.0
) -> bool:
    """Return whether the path leaves next to nothing of the heard sound that counts. Of sound that is louder than noise
    the echo must be `least_share`.
    """
    skip = len(heard) - len(counted)
    n_counted = float(counted.sum()) + 1e-9
    judged = heard[skip:] * counted
    echo = path.echo_of(sent, len(heard), skip=skip) * counted
    power = float(judged @ judged) / n_counted
    rest = float(np.sum((judged - echo) ** 2)) / n_counted
    if rest > max(UNEXPLAINED * power, NOISE_FACTOR * noise_power):
        return False
    return float(echo @ echo) / n_counted >= least_share * power or power <= NOISE_FACTOR * noise_power


def _moved_to(taps: Signal, heard: Signal, sent: Signal, counted: Signal, noise_power: float) -> int | None:
    """The place at which a known reflection leaves next to nothing of the heard sound that counts. A jitter buffer on
    the way may grow or shrink at any moment: what was heard before says nothing of it.
    """
    judged = heard[len(heard) - len(counted) :] * counted
    noise = noise_power * float(counted.sum())
    voice = float(judged @ judged) - noise
    if voice <= NOISE_FACTOR * noise:
        return None
    path, rest = find_place(taps, heard, sent, counted)
    doubt = 1.0 - min(1.0, _sounding_ms(judged) / SURE_AFTER_MS)
    least = MOVED_SHARE + doubt * (MOVED_SHARE_OF_NOTHING - MOVED_SHARE)
    return path.place if rest - noise <= (1.0 - least) * voice else None


def _noise_power(heard: Signal) -> float:
    if len(heard) < FRAME:
        return MIN_NOISE_POWER
    powers = np.sort((heard[len(heard) % FRAME :].reshape(-1, FRAME) ** 2).mean(axis=1))
    return min(max(float(powers[len(powers) // 10]), MIN_NOISE_POWER), MAX_NOISE_POWER)


def _sounding_ms(heard: Signal) -> int:
    """Return how much of a sound is near its loudest, in ms."""
    powers = (heard[len(heard) % (FRAME // 2) :].reshape(-1, FRAME // 2) ** 2).mean(axis=1)
    return 10 * int((powers > 0.1 * powers.max()).sum())
