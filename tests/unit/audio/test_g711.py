"""G.711 against the values of the recommendation and the properties they imply."""

import numpy as np
import pytest

from services.audio import g711

ALL_SAMPLES = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
ALL_CODES = bytes(range(256))


@pytest.mark.parametrize(
    ("code", "linear"),
    [(0x00, -32124), (0x80, 32124), (0xFF, 0), (0x7F, 0), (0xF0, 120), (0x8F, 16764)],
)
def test_mulaw_expands_as_table_2_of_the_recommendation(code: int, linear: int) -> None:
    assert g711.decode_mulaw(bytes([code]))[0] == linear


@pytest.mark.parametrize(("code", "linear"), [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256), (0x80, 5504)])
def test_alaw_expands_as_table_1_of_the_recommendation(code: int, linear: int) -> None:
    assert g711.decode_alaw(bytes([code]))[0] == linear


def test_every_mulaw_code_but_minus_zero_survives_a_round_trip() -> None:
    again = g711.encode_mulaw(g711.decode_mulaw(ALL_CODES))
    assert [code for code in range(256) if again[code] != code] == [0x7F]


def test_every_alaw_code_survives_a_round_trip() -> None:
    assert g711.encode_alaw(g711.decode_alaw(ALL_CODES)) == ALL_CODES


def test_compression_never_reverses_the_order_of_samples() -> None:
    assert (np.diff(g711.decode_mulaw(g711.encode_mulaw(ALL_SAMPLES)).astype(int)) >= 0).all()
    assert (np.diff(g711.decode_alaw(g711.encode_alaw(ALL_SAMPLES)).astype(int)) >= 0).all()


def test_silence_codes_are_silent() -> None:
    assert g711.decode_mulaw(bytes([g711.MULAW_SILENCE]))[0] == 0
    assert abs(g711.decode_alaw(bytes([g711.ALAW_SILENCE]))[0]) == 8


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated")
def test_g711_is_bit_equal_to_the_c_implementation_python_ships() -> None:
    audioop = pytest.importorskip("audioop", reason="left the standard library in Python 3.13")
    raw = ALL_SAMPLES.tobytes()
    assert g711.encode_mulaw(ALL_SAMPLES) == audioop.lin2ulaw(raw, 2)
    assert g711.encode_alaw(ALL_SAMPLES) == audioop.lin2alaw(raw, 2)
    assert g711.decode_mulaw(ALL_CODES).tobytes() == audioop.ulaw2lin(ALL_CODES, 2)
    assert g711.decode_alaw(ALL_CODES).tobytes() == audioop.alaw2lin(ALL_CODES, 2)
