"""WAV files of the Python client: what goes on a stream as it is, and what is refused."""

import struct
import wave
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.python.wav import RATES_HERTZ, Wav, WavError, read_wav, write_wav


@pytest.mark.parametrize("rate", RATES_HERTZ)
def test_what_is_written_is_read_and_is_a_wav(tmp_path: Path, rate: int) -> None:
    sound = Wav(rate, struct.pack("<4h", 0, 1, -1, 32767))
    write_wav(tmp_path / "sound.wav", sound)
    assert read_wav(tmp_path / "sound.wav") == sound
    with wave.open(str(tmp_path / "sound.wav")) as read:
        assert (read.getframerate(), read.getnframes(), read.readframes(4)) == (rate, 4, sound.samples)


def test_other_chunks_are_passed_over(tmp_path: Path) -> None:
    write_wav(tmp_path / "sound.wav", Wav(8000, b"\x01\x02"))
    content = (tmp_path / "sound.wav").read_bytes()
    listed = content[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + content[12:]
    (tmp_path / "listed.wav").write_bytes(listed)
    assert read_wav(tmp_path / "listed.wav") == Wav(8000, b"\x01\x02")


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    write_wav(tmp_path / "sound.wav", Wav(8000, bytes(100)))
    content = bytearray((tmp_path / "sound.wav").read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"  # what a program writes that did not know how long it would speak
    (tmp_path / "endless.wav").write_bytes(content)
    assert read_wav(tmp_path / "endless.wav").samples == bytes(100)


@given(content=st.binary(max_size=200), has_head=st.booleans())
def test_no_bytes_are_worse_than_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, has_head: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.wav"
    path.write_bytes((b"RIFF\0\0\0\0WAVE" if has_head else b"") + content)
    with suppress(WavError):
        assert read_wav(path).samples
