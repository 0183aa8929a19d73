"""Timestamps that jump, step wrongly or wrap around: sequence, arrival and length win over them."""

import random

import pytest

from tests.unit.call_gateway.rtp.rtp_caller import MS, Caller


def test_a_gap_in_time_without_a_gap_in_sequence_is_a_loss_a_transcoder_hid():
    caller = Caller()
    caller.speak(5)
    caller.fall_silent(40)
    caller.speak(5)
    caller.assert_clock_never_stops()
    assert caller.concealed_samples == 320
    assert caller.receiver.next_sample == 12 * 160


@pytest.mark.parametrize("jump", [475_934_800, 402_194_664, -402_194_664, 8160, 5000, -160])
def test_a_jump_of_the_timestamps_alone_is_a_new_epoch_and_no_gap(jump):
    caller = Caller()
    caller.speak(50)
    caller.timestamp += jump
    caller.speak(50)
    caller.assert_clock_never_stops()
    assert caller.holes == []
    assert caller.concealed_samples == 0
    assert caller.receiver.next_sample == 100 * 160


@pytest.mark.parametrize("step", [320, 80, 0, 960, 441, 20_000])
@pytest.mark.parametrize("ptime_ms", [20, 40])
def test_sequence_arrival_and_length_win_over_timestamps_that_step_wrongly(step, ptime_ms):
    """320 a packet of 160 bytes made 12.2 s of 6."""
    caller = Caller(ptime_ms=ptime_ms)
    speak_stepping(caller, step * ptime_ms // 20, seconds=6)
    caller.assert_clock_never_stops()
    assert caller.receiver.next_sample == 6 * 8000
    assert caller.concealed_samples == 0
    assert caller.holes == []


@pytest.mark.parametrize("step", [320, 80, 20_000])
@pytest.mark.parametrize("jitter_ms", [10, 40, 90])
def test_jitter_does_not_add_up_under_timestamps_that_step_wrongly(step, jitter_ms):
    caller, chance = Caller(), random.Random(3)
    began_s = caller.clock_s
    for n in range(1, 3000):
        arrives_s = began_s + 0.020 * n + chance.uniform(0, jitter_ms) / 1000
        caller.wait(max(0.0, (arrives_s - caller.clock_s) * 1000))
        caller.receive(caller.build())
        caller.timestamp += step - 160
    caller.assert_clock_never_stops()
    assert len([sound for sound in caller.sounds if not sound.concealed_samples]) == 2999
    assert caller.receiver.next_sample / 8 == pytest.approx(2999 * 20, abs=120 + jitter_ms)


def test_loss_under_timestamps_that_step_wrongly_is_as_long_as_the_packets_lost():
    caller = Caller()
    speak_stepping(caller, 320, seconds=1)
    for _ in range(2):
        caller.wait(20)
        caller.build()
        caller.timestamp += 160
    speak_stepping(caller, 320, seconds=1)
    caller.assert_clock_never_stops()
    assert caller.concealed_samples == 320
    assert caller.receiver.next_sample == 102 * 160


def test_a_pause_under_timestamps_that_step_wrongly_is_as_long_as_it_took():
    caller = Caller()
    speak_stepping(caller, 320, seconds=1)
    caller.fall_silent(400)
    caller.timestamp += 3200
    speak_stepping(caller, 320, seconds=1)
    caller.assert_clock_never_stops()
    assert caller.receiver.next_sample == pytest.approx(2.4 * 8000, abs=320)


def test_a_sender_that_begins_to_step_rightly_is_believed_again():
    caller = Caller()
    speak_stepping(caller, 320, seconds=1)
    caller.speak(10)
    caller.fall_silent(40)
    caller.speak(5)
    caller.assert_clock_never_stops()
    assert caller.concealed_samples == 320
    assert caller.receiver.next_sample == 67 * 160


def speak_stepping(caller, step, *, seconds):
    """Packets on time whose timestamps go on by `step` each."""
    for _ in range(round(seconds * 1000 / caller.ptime_ms)):
        caller.speak()
        caller.timestamp += step - caller.ptime_ms * MS


def test_sequence_and_timestamp_wrap_around_unnoticed():
    caller = Caller()
    caller.sequence, caller.timestamp = 65530, (1 << 32) - 800
    caller.speak(20)
    caller.assert_clock_never_stops()
    assert caller.receiver.next_sample == 20 * 160
