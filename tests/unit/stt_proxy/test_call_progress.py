"""Tones of telephone networks by ITU-T E.180's list of national tones, and lone beeps that are none of them."""

import numpy as np
import pytest

from services.stt_proxy.line_sounds.detector import LineSoundKind

from .test_line_sounds import ALAW, MULAW, found, quiet, tone, with_noise

RING, BUSY, DIAL, BEEP = (
    LineSoundKind.RING_BACK, LineSoundKind.BUSY, LineSoundKind.DIAL_TONE, LineSoundKind.BEEP,
)  # fmt: skip


def played(*parts, n=1, dbfs=-18.0):
    """Tones with the silence behind each, (hertz, on_s, off_s), so many times, between silences."""
    once = np.concatenate([np.concatenate([tone(hertz, on_s, dbfs), quiet(off_s)]) for hertz, on_s, off_s in parts])
    return np.concatenate([quiet(1), *[once] * n, quiet(3)])


NATIONAL = {
    "ring-back, Britain": (RING, played(((400, 450), 0.4, 0.2), ((400, 450), 0.4, 2.0), n=3)),
    "ring-back, Germany": (RING, played(((425,), 1, 4), n=2)),
    "ring-back, France": (RING, played(((440,), 1.5, 3.5), n=2)),
    "ring-back, Belgium": (RING, played(((425,), 1, 3), n=2)),
    "busy, Britain": (BUSY, played(((400,), 0.375, 0.375), n=5)),
    "congestion, Britain": (BUSY, played(((400,), 0.4, 0.35), ((400,), 0.225, 0.525), n=3)),
    "busy, Germany, short": (BUSY, played(((425,), 0.15, 0.475), n=5)),
    "congestion, Germany": (BUSY, played(((425,), 0.24, 0.24), n=6)),
    "congestion, China": (BUSY, played(((450,), 0.7, 0.7), n=4)),
    "congestion, Spain": (BUSY, played(((425,), 0.2, 0.2), ((425,), 0.2, 0.2), ((425,), 0.2, 0.6), n=4)),
    "dial tone, Britain": (DIAL, played(((350, 440), 6, 0))),
    "dial tone, Italy, is no ring": (None, played(((425,), 0.2, 0.2), ((425,), 0.6, 1.0), n=4)),
    "special information tone": (None, played(((950,), 0.33, 0.03), ((1400,), 0.33, 0.03), ((1800,), 0.33, 1))),
    "answer of a fax": (None, played(((2100,), 3.3, 0))),
}


@pytest.mark.parametrize("name", NATIONAL)
@pytest.mark.parametrize("law", [MULAW, ALAW], ids=["mu-law", "A-law"])
def test_a_national_tone_has_its_name_and_no_other(name, law):
    kind, sound = NATIONAL[name]
    assert [one.kind for one in found(sound, law=law)] == ([kind] if kind is not None else [])


@pytest.mark.parametrize("hertz", [350, 440, 500, 620, 700, 852, 1004, 1330, 1700, 2300, 2750, 3000])
@pytest.mark.parametrize("seconds", [0.2, 0.5])
@pytest.mark.parametrize("is_noisy", [False, True])
def test_a_lone_beep_is_one_at_any_frequency(hertz, seconds, is_noisy):
    sound = played(((hertz,), seconds, 0.0))
    told = found(with_noise(sound, -40) if is_noisy else sound)
    assert [one.kind for one in told] == [BEEP]


def test_two_or_three_beeps_in_a_row_are_told_once():
    assert [one.kind for one in found(played(((1000,), 0.2, 0.2), n=2))] == [BEEP]
    assert [one.kind for one in found(played(((800,), 0.2, 0.12), n=3))] == [BEEP]


def test_notes_of_a_tune_are_no_beeps():
    tune = played(((523,), 0.25, 0.1), ((659,), 0.25, 0.1), ((784,), 0.25, 0.1), ((1046,), 0.25, 0.1))
    assert found(tune) == []


@pytest.mark.parametrize("seconds", [0.8, 1.0, 2.0])
def test_one_tone_that_may_be_a_ring_is_named_when_it_is_certain(seconds):
    lone = np.concatenate([played(((425,), seconds, 0.0)), quiet(4)])
    assert [one.kind for one in found(lone)] == [BEEP]
    assert found(lone[: -5 * 8000]) == []
    ringing = played(((425,), seconds, 4.0), n=2)
    [ring] = found(ringing)
    assert ring.kind is RING
    assert abs(ring.start_sample - 8000) < 400


def test_a_fax_at_the_edge_of_its_frequency_is_no_beep():
    told = found(played(((1063,), 0.43, 3.0), n=2))
    assert [one.kind for one in told] == [LineSoundKind.FAX_CALLING]


def test_a_tone_whose_onset_is_taken_for_speech_is_no_beep_behind_a_greeting():
    ringing = played(((425,), 1.0, 4.0), n=2)
    told = found(ringing, is_speech=lambda at_s: 1.0 <= at_s < 1.12 or 6.0 <= at_s < 6.12)
    assert [one.kind for one in told] == [RING]
