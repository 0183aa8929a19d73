"""The caller's sound on the call's clock: loss, silence, epochs, hold, keys, drift."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audio.pcm import decode, encode
from services.call_gateway.line import CallerAudio, IdleReason, KeyPressed, MediaIdle
from services.call_gateway.rtp.codecs import CODECS, codec_for
from services.call_gateway.rtp.packet import MalformedPacket
from tests.unit.call_gateway.rtp.rtp_caller import MS, Caller


def test_sound_is_counted_from_the_first_sample_without_a_break():
    caller = Caller()
    caller.speak(5)
    assert [sound.start_sample for sound in caller.sounds] == [0, 160, 320, 480, 640]
    assert caller.holes == []


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_packets_of_any_length_are_taken(ptime_ms):
    caller = Caller(ptime_ms=ptime_ms)
    caller.speak(10)
    caller.assert_clock_never_stops()
    assert caller.receiver.next_sample == 10 * ptime_ms * MS
    assert caller.holes == []


def test_a_lost_packet_is_concealed_in_its_place():
    caller = Caller()
    caller.speak(5)
    caller.lose()
    caller.speak(5)
    caller.assert_clock_never_stops()
    concealed = [sound for sound in caller.sounds if sound.concealed_samples]
    assert [(sound.start_sample, sound.concealed_samples) for sound in concealed] == [(800, 160)]
    assert concealed[0].content == caller.sounds[4].content  # the last 20 ms again
    assert caller.receiver.next_sample == 11 * 160


def test_packets_behind_a_loss_wait_60_ms_and_then_come_at_once():
    caller = Caller()
    caller.speak(5)
    caller.lose()
    caller.speak(3)
    assert caller.receiver.next_sample == 800
    caller.wait(20.1)
    assert caller.receiver.next_sample == 9 * 160


def test_a_burst_of_loss_is_concealed_for_160_ms_and_the_rest_is_a_hole():
    caller = Caller()
    caller.speak(10)
    for _ in range(20):
        caller.build()
    caller.clock_s += 0.410  # the loop was busy: the timer was not called meanwhile
    caller.receive(caller.build())
    caller.wait(61)
    caller.assert_clock_never_stops()
    assert caller.concealed_samples == 160 * MS
    assert caller.holes[0] == MediaIdle(10 * 160 + 160 * MS, 30 * 160, IdleReason.LOSS)


def test_a_silent_line_says_so_before_100_ms_and_keeps_saying_it():
    caller = Caller()
    caller.speak(5)
    caller.wait(90)
    assert [hole.reason for hole in caller.holes] == [IdleReason.UNKNOWN]
    assert caller.receiver.next_sample * 1000 / 8000 == pytest.approx(180, abs=20)
    caller.wait(500)
    assert caller.receiver.next_sample * 1000 / 8000 == pytest.approx(690, abs=25)
    caller.assert_clock_never_stops()


def test_a_line_that_never_speaks_still_has_a_clock():
    caller = Caller()
    caller.wait(1000)
    caller.assert_clock_never_stops()
    assert caller.receiver.next_sample == pytest.approx(8000, abs=400)


def test_silence_suppression_leaves_a_hole_of_its_own_length():
    caller = Caller()
    caller.speak(5)
    caller.fall_silent(400)
    caller.speak(5, marked=True)
    caller.assert_clock_never_stops()
    assert caller.concealed_samples == 0
    assert caller.receiver.next_sample == pytest.approx(10 * 160 + 3200, abs=160)


def test_a_new_source_goes_on_where_the_old_one_stopped():
    caller = Caller()
    caller.speak(50)
    caller.ssrc, caller.sequence, caller.timestamp = 77, 31000, 123_456_789
    caller.speak(50)
    caller.assert_clock_never_stops()
    assert caller.receiver.next_sample == 100 * 160
    assert caller.concealed_samples == 0
    assert len(caller.sounds) == 100


@pytest.mark.parametrize("draws_timestamps", [False, True])
def test_a_sender_that_draws_another_ssrc_for_each_packet_is_heard_whole(draws_timestamps):
    caller, rng = Caller(), random.Random(3)
    for _ in range(100):
        caller.ssrc = rng.getrandbits(32)
        if draws_timestamps:
            caller.timestamp = rng.getrandbits(32)
        caller.speak()
    caller.assert_clock_never_stops()
    assert sum(len(sound.content) for sound in caller.sounds) == 100 * 160
    assert caller.concealed_samples == 0


def test_hold_is_named_and_time_goes_on():
    caller = Caller()
    caller.speak(5)
    caller.receiver.set_held(True)
    caller.wait(1000)
    caller.receiver.set_held(False)
    caller.timestamp += 8160  # as Asterisk resumes
    caller.speak(5)
    caller.assert_clock_never_stops()
    on_hold = [hole for hole in caller.holes if hole.reason is IdleReason.HOLD]
    assert sum(hole.to_sample - hole.from_sample for hole in on_hold) == pytest.approx(8000, abs=160)
    assert caller.receiver.next_sample == pytest.approx(10 * 160 + 8000, abs=320)


def test_a_key_leaves_a_hole_that_says_so():
    caller = Caller(event_payload_type=101)
    caller.speak(5)
    start = caller.timestamp
    for duration, end in ((160, 0), (480, 0), (800, 0), (1120, 0), (1440, 0x80), (1440, 0x80), (1440, 0x80)):
        caller.wait(40 if not end else 1)
        caller.timestamp = start
        caller.receive(caller.build(payload=bytes([5, end | 10]) + duration.to_bytes(2, "big"), payload_type=101))
    caller.timestamp = start + 1440
    caller.speak(5)
    caller.assert_clock_never_stops()
    assert [event for event in caller.events if isinstance(event, KeyPressed)] == [KeyPressed("5", 180)]
    assert {hole.reason for hole in caller.holes} == {IdleReason.DTMF}
    assert caller.concealed_samples == 0


def test_garbage_raises_and_disturbs_nothing():
    caller = Caller()
    caller.speak(5)
    for garbage in (b"", b"\x80", b"\x00" * 172, bytes(range(256))):
        with pytest.raises(MalformedPacket):
            caller.receive(garbage)
    caller.speak(5)
    assert caller.receiver.next_sample == 1600
    assert len(caller.events) == 10


@pytest.mark.parametrize(("first", "then"), list(itertools.permutations(["ulaw", "alaw", "g722"], 2)))
def test_a_change_to_another_payload_we_know_is_followed_in_the_format_of_the_first(first, then):
    caller, other = Caller(codec=first), CODECS[then]()
    tone = np.sin(np.arange(16000) * 2 * np.pi * 400 / other.audio_format.sample_rate_hertz) * 8000
    n_samples = other.audio_format.sample_rate_hertz // 50
    caller.speak(10)
    for n in range(25):
        sound = encode(other.audio_format, tone[n * n_samples : (n + 1) * n_samples].astype(np.int16))
        caller.wait(20)
        caller.receive(caller.build(payload=other.encode(sound), payload_type=other.payload_type))
    heard = caller.receiver._audio_format
    assert caller.receiver.codec.payload_type == other.payload_type
    assert caller.receiver.counts.unknown_payload == 0
    assert caller.receiver.counts.payload_changes == 1
    assert caller.holes == []
    assert caller.receiver.next_sample == 35 * heard.sample_rate_hertz // 50
    content = b"".join(sound.content for sound in caller.sounds)
    samples = decode(heard, content)[-heard.sample_rate_hertz // 5 :].astype(float)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * heard.sample_rate_hertz / len(samples) == pytest.approx(400, abs=6)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.05)


def test_the_payload_may_change_back_and_one_odd_packet_is_no_change():
    caller = Caller()
    caller.speak(5)
    caller.wait(20)
    caller.receive(caller.build(payload_type=8))
    assert caller.receiver.codec.payload_type == 0
    caller.speak(5)
    caller.payload_type = 8
    caller.speak(5)
    assert caller.receiver.codec.payload_type == 8
    caller.payload_type = 0
    caller.speak(5)
    assert caller.receiver.codec.payload_type == 0
    assert caller.receiver.next_sample == 21 * 160
    assert caller.holes == []


def test_what_is_sent_in_another_payload_is_the_same_sound():
    session_format = CODECS["ulaw"]().audio_format
    tone = (np.sin(np.arange(8000) * 2 * np.pi * 400 / 8000) * 8000).astype(np.int16)
    for payload_type in (8, 9):
        codec, far = codec_for(payload_type, session_format), codec_for(payload_type, session_format)
        frames = [codec.encode(encode(session_format, tone[at : at + 160])) for at in range(0, 8000, 160)]
        assert {len(frame) for frame in frames} == {160}
        samples = decode(session_format, b"".join(map(far.decode, frames)))[-1600:].astype(float)
        assert np.argmax(np.abs(np.fft.rfft(samples))) * 5 == pytest.approx(400, abs=6)
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.05)


def test_rtcp_and_unknown_payloads_are_counted_and_leave_no_hole():
    caller = Caller()
    caller.speak(5)
    caller.receive(bytes.fromhex("80c80006") + bytes(24))
    caller.receive(caller.build(payload=b"\x40", payload_type=13))  # comfort noise, RFC 3389
    caller.timestamp -= 160
    caller.speak(5)
    caller.assert_clock_never_stops()
    assert (caller.receiver.counts.rtcp, caller.receiver.counts.unknown_payload) == (1, 1)
    assert caller.concealed_samples == 0


def test_wideband_counts_sixteen_thousand_samples_a_second():
    caller = Caller(codec="g722")
    caller.speak(5)
    caller.lose()
    caller.speak(5)
    assert [sound.start_sample for sound in caller.sounds][:3] == [0, 320, 640]
    assert {len(sound.content) for sound in caller.sounds} == {640}
    assert caller.concealed_samples == 320
    assert caller.receiver.next_sample == 11 * 320


def test_late_packets_are_heard_and_cost_no_time():
    """Packets held up for 150 ms come in a burst: nothing is dropped, and the clock gains no more than the jitter."""
    caller = Caller()
    caller.speak(20)
    for round_ in range(30):
        held = []
        for _ in range(8):
            caller.wait(20)
            held.append(caller.build())
        for datagram in held:
            caller.receive(datagram)
        caller.speak(5)
        assert caller.receiver.next_sample <= (20 + 13 * (round_ + 1)) * 160 + 200 * MS
    caller.assert_clock_never_stops()
    assert len([sound for sound in caller.sounds if not sound.concealed_samples]) == 20 + 30 * 13


def test_a_stopped_process_catches_up_without_lasting_delay():
    caller = Caller()
    caller.speak(20)
    held = [caller.build() for _ in range(100)]
    caller.clock_s += 2.0
    caller.events += caller.receiver.on_timer(caller.clock_s)
    for datagram in held:
        caller.receive(datagram)
    caller.speak(20)
    caller.wait(100)
    assert isinstance(caller.events[-1], MediaIdle), "the next silence is seen as soon as ever"
    caller.assert_clock_never_stops()


@pytest.mark.parametrize("ppm", [-200, 200])
def test_ten_minutes_of_drift_do_not_grow_into_delay(ppm):
    caller = Caller()
    frame_s = 0.020 * (1 + ppm / 1e6)
    rng = random.Random(7)
    began = caller.clock_s
    for n in range(30_000):
        caller.clock_s = began + (n + 1) * frame_s + rng.random() * 0.010
        caller.events += caller.receiver.on_timer(caller.clock_s)
        caller.receive(caller.build())
    assert caller.holes == []
    assert caller.receiver.next_sample == 30_000 * 160
    caller.clock_s = began + 30_000 * frame_s + 0.090
    assert isinstance(caller.receiver.on_timer(caller.clock_s)[0], MediaIdle)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1 << 30),
    loss=st.floats(0, 0.2),
    jitter_ms=st.integers(0, 100),
    ptime_ms=st.sampled_from([10, 20, 40, 60]),
)
def test_whatever_the_network_does_the_clock_is_whole_and_keeps_pace(seed, loss, jitter_ms, ptime_ms):
    rng = random.Random(seed)
    caller = Caller(ptime_ms=ptime_ms)
    began, wire, n_jumps = caller.clock_s, [], 0
    for n in range(3000 // ptime_ms):
        if rng.random() < 0.01:  # hold, transfer, a new encoder
            n_jumps += 1
            caller.timestamp += rng.randrange(1 << 32)
        datagram = caller.build()
        arrival = began + (n + 1) * ptime_ms / 1000 + rng.random() * jitter_ms / 1000
        wire += [(arrival, datagram)] * (0 if rng.random() < loss else 2 if rng.random() < 0.03 else 1)
    for tick in range(0, 4000, 20):
        wire.append((began + tick / 1000, None))
    for arrival, datagram in sorted(wire, key=lambda item: item[0]):
        caller.clock_s = arrival
        if datagram is None:
            caller.events += caller.receiver.on_timer(arrival)
        else:
            caller.receive(datagram)
    caller.assert_clock_never_stops()
    elapsed = (caller.clock_s - began) * 8000
    ahead = jitter_ms + 330 + 60 * n_jumps  # behind a jump up to 60 ms of jitter cannot be told from time that passed
    assert elapsed - 180 * MS <= caller.receiver.next_sample <= elapsed + ahead * MS
    assert all(len(sound.content) <= 800 for sound in caller.sounds)


def test_nothing_the_size_of_a_jump_is_made():
    caller = Caller()
    caller.speak(5)
    caller.clock_s += 3600
    caller.timestamp += 3600 * 8000
    caller.speak(1)
    caller.assert_clock_never_stops()
    assert sum(len(sound.content) for sound in caller.sounds) < 8000
    assert caller.receiver.next_sample == pytest.approx(3600 * 8000, abs=2000)
    assert isinstance(caller.events[-1], CallerAudio)
