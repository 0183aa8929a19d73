"""The echo path of a telephone line, estimated by comparing a stretch of what was heard with what was sent.

The two are laid beside each other at every delay that can be (cross-correlation, by FFT). Where they agree best, a
short filter is fitted that makes the heard sound from the sent one (least squares by the autocorrelation method): a
hybrid's reflection is a delay and a few taps, a loudspeaker in a room some twenty milliseconds of them. What the filter
cannot explain is noise, or a caller who speaks.

All signals are at 8 kHz, whitened: without the slope of speech two vowels look less alike, and a delay is sharper.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
"""Shape (n_samples,), 8 kHz, in units of 16-bit samples."""

PER_MS: Final = 8
MAX_DELAY: Final = 500 * PER_MS  # the line's 20 to 300 ms, and the way there and back
MAX_LEAD: Final = 60 * PER_MS  # frames leave and arrive in bursts: a short delay may look negative
TAPS: Final = 160  # 20 ms
TAPS_BEFORE: Final = 16  # the strongest reflection need not be the first
MARGIN: Final = TAPS  # sound beyond the delays, which the filter's ends reach

_WHITENING: Final = 0.85  # of each sample, taken off the next
_QUIET_POWER: Final = 1.0  # below one step of a 16-bit sample there is nothing to compare
_PLAIN: Final = 0.9  # of what the filter explains: a delay that does so much needs none, and fits other sounds better
_MAX_STEPS: Final = 40  # of the solver; on speech it is done after some twenty
_CLOSE_ENOUGH: Final = 1e-4  # of the energy it set out with
_RIDGE: Final = 0.003  # of the sent energy: keeps the filter from growing on what was hardly sent


@dataclass(frozen=True, slots=True)
class EchoPath:
    """One line's reflection: a delay and a filter."""

    place: int  # where in the sent sound the stretch began that came back; counts from the longest delay
    taps: Signal  # (TAPS,)

    def echo_of(self, sent: Signal, n_samples: int, *, skip: int = 0) -> Signal:
        """Return what comes back: the samples from `skip` to `n_samples` of a stretch laid over `sent` as `find_path`
        does.
        """
        start = MARGIN + self.place + TAPS_BEFORE - (TAPS - 1) + skip
        return np.convolve(sent[start : start + n_samples - skip + TAPS - 1], self.taps, "valid")


@dataclass(frozen=True, slots=True)
class Match:
    """The best place for a stretch of heard sound, and how well it fits there."""

    path: EchoPath
    share_delayed: float  # of the heard energy, noise left out: what the sent sound explains by delay alone
    share_filtered: float  # the same with the filter; whatever is compared, some of it fits by chance
    gain: float  # how loud the echo is, as a factor


def whitened(samples: Signal) -> Signal:
    """Each sample without what the last one told of it."""
    sound = samples.astype(np.float64)
    sound[1:] -= _WHITENING * samples[:-1]
    return sound


def span_of(n_heard: int) -> int:
    """Return the number of sent samples needed beside so many heard ones. They end MAX_LEAD + MARGIN after these."""
    return n_heard + MAX_DELAY + MAX_LEAD + 2 * MARGIN


def find_path(heard: Signal, sent: Signal, *, noise_energy: float) -> Match:
    """Return where `heard` fits best into `sent`, which has `span_of(len(heard))` samples. Costs about a millisecond.

    `noise_energy`: how much of the energy of `heard` is the line's own noise.
    """
    n_heard = len(heard)
    inner = sent[MARGIN:-MARGIN]
    size = 1 << (len(inner) + n_heard - 1).bit_length()
    products = np.fft.irfft(np.fft.rfft(inner, size) * np.conj(np.fft.rfft(heard, size)), size)
    sums = np.concatenate(([0.0], np.cumsum(inner * inner)))
    energies = sums[n_heard:] - sums[:-n_heard]
    quiet = max(_QUIET_POWER * n_heard, 1e-3 * float(energies.max()))
    energy = float(heard @ heard) + 1e-9
    speaking = max(energy - noise_energy, 0.3 * energy)
    fits = np.where(energies > quiet, products[: len(energies)] ** 2 / np.maximum(energies, quiet), 0.0)
    place = int(fits.argmax())
    sent_energy = max(float(energies[place]), quiet)
    path = EchoPath(place, _fit(products, sent, place, n_heard))
    echo = path.echo_of(sent, n_heard)
    rest = heard - echo
    filtered = energy - float(rest @ rest)
    gain = float(np.sqrt((echo @ echo) / sent_energy))
    if fits[place] >= _PLAIN * filtered:
        path = EchoPath(place, _plain(float(products[place]) / sent_energy))
    return Match(path, share_delayed=float(fits[place]) / speaking, share_filtered=filtered / speaking, gain=gain)


def find_place(taps: Signal, heard: Signal, sent: Signal, counted: Signal) -> tuple[EchoPath, float]:
    """Return where the echo through `taps` leaves least of `heard`, and the energy it leaves; `sent` as for
    `find_path`. Only samples that are 1 in `counted` count, (n,), which end where `heard` ends. Costs about a
    millisecond.
    """
    skip = len(heard) - len(counted)
    judged = heard[skip:] * counted
    n_places = len(sent) - len(heard) - 2 * MARGIN + 1
    start = MARGIN + TAPS_BEFORE - (TAPS - 1) + skip
    source = sent[start : start + n_places + len(judged) + TAPS - 2]
    size = 1 << (len(source) - 1).bit_length()  # what wraps around lies before TAPS - 1
    echo = np.fft.irfft(np.fft.rfft(source, size) * np.fft.rfft(taps, size), size)[TAPS - 1 : len(source)]
    products, energies = _sums_at_places(echo, judged, size), _sums_at_places(echo * echo, counted, size)
    rests = float(judged @ judged) - 2 * products[:n_places] + energies[:n_places]
    place = int(rests.argmin())
    return EchoPath(place, taps), float(rests[place])


def _sums_at_places(signal: Signal, weights: Signal, size: int) -> Signal:
    sums: Signal = np.fft.irfft(np.fft.rfft(signal, size) * np.conj(np.fft.rfft(weights, size)), size)
    return sums


def _plain(gain: float) -> Signal:
    """A delay and nothing else."""
    taps = np.zeros(TAPS)
    taps[TAPS_BEFORE] = gain
    return taps


def _fit(products: Signal, sent: Signal, place: int, n_heard: int) -> Signal:
    """The filter that explains most, from the correlations that are known already."""
    delays = np.arange(TAPS)
    wanted = products[(place + TAPS_BEFORE - delays) % len(products)]
    start = MARGIN + place + TAPS_BEFORE - (TAPS - 1)
    piece = sent[start : start + n_heard + TAPS - 1]
    spectrum = np.fft.rfft(piece, 1 << (len(piece) + TAPS).bit_length())
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)[:TAPS]
    likeness[0] += _RIDGE * likeness[0] + _QUIET_POWER * n_heard
    return _solve(likeness[np.abs(delays[:, None] - delays[None, :])], wanted)


def _solve(matrix: Signal, wanted: Signal) -> Signal:
    """Return what `matrix` turns into `wanted`, by conjugate gradients (M. R. Hestenes and E. Stiefel, "Methods of
    conjugate gradients for solving linear systems", 1952). Not by LAPACK: its threads are woken for so little, and then
    wait for cores that other calls need.
    """
    found = np.zeros(len(wanted))
    rest = wanted.copy()
    direction = rest
    energy = begun = float(rest @ rest)
    for _ in range(_MAX_STEPS):
        if energy <= _CLOSE_ENOUGH * begun:
            break
        turned = np.einsum("ij,j->i", matrix, direction)
        step = energy / float(direction @ turned)
        found += step * direction
        rest -= step * turned
        before, energy = energy, float(rest @ rest)
        direction = rest + energy / before * direction
    return found
