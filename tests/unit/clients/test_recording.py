"""The phone's own measurements."""

from pathlib import Path

import numpy as np
import pytest

from clients.phone.recording import Recording, UnusableWav, read_wav, write_wav


def tone(seconds: float) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 8000)) / 8000)).astype(np.int16)


def test_a_pause_in_the_stream_becomes_silence_of_its_length():
    recording = Recording()
    recording.add(tone(1.0), end_s=1.0)
    recording.add(tone(0.5), end_s=3.0)
    assert recording.length_s == 3.0
    assert recording.first_sound_s(from_s=1.1) == pytest.approx(2.5, abs=0.011)


def test_jitter_leaves_no_seam():
    recording = Recording()
    for n in range(50):
        recording.add(tone(0.02), end_s=0.02 * (n + 1) + (0.03 if n % 3 == 0 else 0.0))
    assert recording.length_s == 1.0


def test_first_and_last_sound_are_told_to_ten_milliseconds():
    recording = Recording()
    recording.add(np.zeros(4000, np.int16), end_s=0.5)
    recording.add(tone(0.3), end_s=0.8)
    recording.add(np.zeros(4000, np.int16), end_s=1.3)
    assert recording.first_sound_s(from_s=0.0) == pytest.approx(0.5, abs=0.011)
    assert recording.last_sound_s() == pytest.approx(0.8, abs=0.011)
    assert recording.first_sound_s(from_s=0.9) is None


def test_the_sound_under_way_is_no_onset():
    recording = Recording()
    recording.add(tone(1.0), end_s=1.0)
    recording.add(np.zeros(1600, np.int16), end_s=1.2)
    recording.add(tone(0.3), end_s=1.5)
    assert recording.first_onset_s(from_s=0.5) == pytest.approx(1.2, abs=0.011)
    assert recording.first_sound_s(from_s=0.5) == 0.5


def test_two_sides_are_written_side_by_side(tmp_path: Path):
    write_wav(tmp_path / "a/both.wav", tone(0.2), tone(0.1))
    assert len(read_wav(tmp_path / "a/both.wav")) == 1600


@pytest.mark.parametrize("content", [b"", b"RIFF no wave"])
def test_a_file_that_is_no_wave_is_refused_in_words(tmp_path: Path, content: bytes):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(UnusableWav, match=r"x\.wav"):
        read_wav(tmp_path / "x.wav")


def test_a_rate_no_telephone_knows_is_refused_in_words(tmp_path: Path):
    import wave

    with wave.open(str(tmp_path / "cd.wav"), "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(44100)
        wav.writeframes(bytes(400))
    with pytest.raises(UnusableWav, match="44100"):
        read_wav(tmp_path / "cd.wav")
