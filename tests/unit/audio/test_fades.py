"""A cut is heard as a fade of 5 ms, and nothing of the old sound behind it."""

import numpy as np
import pytest

from services.audio.fades import CutFader
from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode, encode

WIDEBAND = AudioFormat(Encoding.LINEAR16, 16000)
FORMATS = [TELEPHONE, AudioFormat(Encoding.ALAW, 8000), WIDEBAND]


def frames_of(audio_format: AudioFormat, hertz: float, n_frames: int, *, from_sample: int = 0) -> list[bytes | None]:
    rate = audio_format.sample_rate_hertz
    places = from_sample + np.arange(n_frames * rate // 50)
    content = encode(audio_format, np.rint(8000 * np.sin(2 * np.pi * hertz * places / rate)).astype(np.int16))
    width = len(content) // n_frames
    return [content[at : at + width] for at in range(0, len(content), width)]


def heard(audio_format: AudioFormat, frames: list[bytes | None]) -> np.ndarray:
    fader = CutFader(audio_format)
    silence = audio_format.silence(audio_format.sample_rate_hertz // 50)
    return decode(audio_format, b"".join(fader.push(frame) or silence for frame in frames)).astype(int)


def power_at(hertz: float, samples: np.ndarray, rate: int) -> float:
    """Power at a frequency in parts of that of a tone of amplitude 8000."""
    return float(abs((samples * np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate)).mean()) ** 2 / 4000**2)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_after_a_cut_nothing_of_the_old_sound_is_heard_but_a_fade(audio_format: AudioFormat) -> None:
    rate = audio_format.sample_rate_hertz
    frames = [*frames_of(audio_format, 440, 13), None, None, *frames_of(audio_format, 1000, 20)]
    samples = heard(audio_format, frames)
    frame, fade = rate // 50, rate // 200
    assert power_at(440, samples[: 13 * frame], rate) > 0.9
    assert np.abs(samples[13 * frame :][:fade]).max() > 1000
    assert np.abs(samples[13 * frame + fade : 15 * frame]).max() <= 8
    assert power_at(1000, samples[15 * frame :], rate) > 0.9
    assert power_at(440, samples[15 * frame :], rate) < 1e-4


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("n_frames", range(3, 13))  # the cut falls on every phase of the tone
@pytest.mark.parametrize("follows", ["silence", "another voice", "a pause"])
def test_a_cut_does_not_click(audio_format: AudioFormat, n_frames: int, follows: str) -> None:
    frame = audio_format.sample_rate_hertz // 50
    before = frames_of(audio_format, 440, n_frames)
    after: list[bytes | None] = {
        "silence": [None, None],
        "another voice": frames_of(audio_format, 440, 4, from_sample=frame // 3),
        "a pause": [None, None, *frames_of(audio_format, 440, 4, from_sample=n_frames * frame + frame // 3)],
    }[follows]
    steepest = 8000 * 2 * np.pi * 440 / audio_format.sample_rate_hertz
    samples = heard(audio_format, [*before, *after])
    assert np.abs(np.diff(samples)).max() < 3.0 * steepest + 600  # of which 600 are G.711's own steps
    if follows == "silence":
        assert np.abs(np.diff(samples)).max() < 1.2 * steepest + 600


@pytest.mark.parametrize("audio_format", FORMATS)
def test_sound_that_is_not_cut_passes_untouched(audio_format: AudioFormat) -> None:
    frames = frames_of(audio_format, 440, 10)
    fader = CutFader(audio_format)
    assert [fader.push(frame) for frame in frames] == frames
    assert CutFader(audio_format).push(None) is None


def test_silence_stays_silence() -> None:
    fader = CutFader(TELEPHONE)
    fader.push(frames_of(TELEPHONE, 440, 1)[0])
    assert fader.push(None) is not None
    assert fader.push(None) is None
