"""The caller's clock against the wall."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.call_gateway.media_clock import MediaClock

PACKET_S = 0.02


def test_the_clock_never_goes_back():
    clock = MediaClock(8000)
    assert clock.advance(160, now=1.0)
    assert not clock.advance(160, now=1.1)
    assert not clock.advance(80, now=1.2)
    assert clock.sample == 160


def test_a_late_packet_does_not_move_the_past():
    clock = MediaClock(8000)
    clock.advance(160, now=1.02)
    clock.advance(320, now=1.34)  # 300 ms late
    clock.advance(480, now=1.34)
    assert clock.wall_time(160) == pytest.approx(1.02)


@given(ppm=st.sampled_from([-200, -50, 50, 200]), jitter_ms=st.integers(0, 40))
def test_ten_minutes_of_drift_do_not_add_up(ppm: int, jitter_ms: int):
    clock = MediaClock(8000)
    for packet in range(1, 30_001):
        spoken = packet * PACKET_S * (1 + ppm / 1e6)  # by the wall
        clock.advance(packet * 160, now=spoken + (jitter_ms / 1000 if packet % 7 else 0.0))
    assert clock.wall_time(clock.sample) == pytest.approx(spoken, abs=0.003)


def test_a_file_sent_at_once_was_spoken_when_it_came():
    clock = MediaClock(8000)
    for packet in range(1, 501):
        clock.advance(packet * 160, now=5.0)
    assert clock.wall_time(clock.sample) == pytest.approx(5.0)
