"""Formats, frames, the sample clock, concealment and resampling."""

import numpy as np
import pytest

from services.audio.concealment import Concealer
from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, TornSample, decode
from services.audio.resample import Resampler
from services.audio.timeline import Overlap, Timeline

WIDEBAND = AudioFormat(Encoding.LINEAR16, 16000)


def tone(n_samples: int, hertz: float = 440.0, rate: int = 8000) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(n_samples) / rate)).astype(np.int16)


def test_linear16_of_odd_length_is_refused() -> None:
    with pytest.raises(TornSample, match="3 bytes"):
        decode(WIDEBAND, b"abc")


def test_linear16_is_little_endian() -> None:
    assert decode(WIDEBAND, b"\x01\x00\x00\x80").tolist() == [1, -32768]


@pytest.mark.parametrize("audio_format", [TELEPHONE, AudioFormat(Encoding.ALAW, 8000), WIDEBAND])
def test_silence_is_silent_and_as_long_as_asked(audio_format: AudioFormat) -> None:
    samples = decode(audio_format, audio_format.silence(160))
    assert len(samples) == 160
    assert np.abs(samples).max() <= 8


def test_a_short_gap_is_to_be_concealed() -> None:
    timeline = Timeline(start_sample=0, max_gap_samples=8000)
    timeline.place(0, 160)
    assert timeline.place(480, 160).gap_samples == 320
    assert timeline.next_sample == 640


def test_a_long_gap_is_a_reset_and_asks_for_no_samples() -> None:
    timeline = Timeline(start_sample=0, max_gap_samples=8000)
    placement = timeline.place(1 << 60, 160)
    assert (placement.is_reset, placement.gap_samples) == (True, 0)


def test_an_overlap_is_refused_and_changes_nothing() -> None:
    timeline = Timeline(start_sample=0, max_gap_samples=8000)
    timeline.place(0, 160)
    with pytest.raises(Overlap, match="159 lies before 160"):
        timeline.place(159, 160)
    assert timeline.place(160, 160).gap_samples == 0


def test_concealment_begins_loud_and_is_silent_after_120_ms() -> None:
    concealer = Concealer(8000)
    concealer.feed(tone(800))
    invented = concealer.conceal(8000)
    assert np.abs(invented[:160]).max() > 7000
    assert not invented[960:].any()


def test_concealing_in_pieces_equals_concealing_at_once() -> None:
    whole, pieces = Concealer(8000), Concealer(8000)
    whole.feed(tone(333))
    pieces.feed(tone(333))
    joined = np.concatenate([pieces.conceal(n) for n in (7, 153, 160, 80)])
    assert joined.tolist() == whole.conceal(400).tolist()


def test_resampling_in_chunks_equals_resampling_at_once() -> None:
    samples = tone(22050, rate=22050)
    one, many = Resampler(22050, 8000), Resampler(22050, 8000)
    whole = np.concatenate([one.push(samples), one.finish()])
    parts = [many.push(chunk) for chunk in np.array_split(samples, 50)]
    streamed = np.concatenate([*parts, many.finish()])
    assert abs(len(streamed) - 8000) <= 1
    assert np.abs(streamed.astype(int) - whole).max() <= 2


def test_equal_rates_pass_through_untouched() -> None:
    samples = tone(160)
    assert Resampler(8000, 8000).push(samples) is samples
