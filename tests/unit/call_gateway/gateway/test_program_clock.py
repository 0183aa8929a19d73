"""The clock of a caller that is a program: real time, whatever the speed of its sending."""

import pytest

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, TornSample
from services.audio.timeline import Overlap
from services.call_gateway.edges.program_clock import IDLE_AFTER_MS, LEAD_MS, MAX_WAITING_MS, ProgramClock
from services.call_gateway.line import CallerAudio, IdleReason, KeyPressed, MediaIdle

FRAME = 160
SOUND = b"\x80" * FRAME


def samples_until(events: list[object]) -> int:
    last = events[-1]
    assert isinstance(last, CallerAudio)
    return last.start_sample + len(last.content)


def test_a_live_caller_is_heard_at_once():
    clock = ProgramClock(TELEPHONE, now=0.0)
    for number in range(100):
        now = number * 0.02
        clock.receive(number * FRAME, SOUND, 0, now=now)
        assert samples_until(clock.due(now=now)) == (number + 1) * FRAME


def test_a_live_caller_who_sends_100_ms_at_a_time_is_heard_at_once():
    clock = ProgramClock(TELEPHONE, now=0.0)
    for number in range(20):
        now = 0.1 + number * 0.1
        clock.receive(number * 800, b"\x80" * 800, 0, now=now)
        assert samples_until(clock.due(now=now)) == (number + 1) * 800


def test_a_file_sent_at_once_comes_through_in_real_time():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, b"\x80" * 80_000, 0, now=0.0)
    for tick in range(400):
        now = tick * 0.02
        clock.due(now=now)
    heard = samples_until([*clock.due(now=8.0)])
    assert heard == pytest.approx(8000 * 8 + LEAD_MS * 8, abs=2 * FRAME)


def test_long_chunks_come_in_pieces_of_20_ms():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, b"\x80" * 800, 200, now=0.0)
    events = clock.due(now=0.0)
    assert [len(event.content) for event in events if isinstance(event, CallerAudio)] == [FRAME] * 5
    assert [event.concealed_samples for event in events if isinstance(event, CallerAudio)] == [160, 40, 0, 0, 0]


def test_a_caller_who_stops_sending_leaves_idle_time():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, SOUND, 0, now=0.0)
    clock.due(now=0.0)
    assert clock.due(now=0.3) == []
    events = clock.due(now=1.0)
    assert events == [MediaIdle(FRAME, 8000 - LEAD_MS * 8, IdleReason.UNKNOWN)]


def test_a_caller_who_pauses_goes_on_behind_the_idle_time():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, SOUND, 0, now=0.0)
    clock.due(now=0.0)
    clock.due(now=1.0)
    clock.receive(FRAME, SOUND, 0, now=1.1)
    sound = [event for event in clock.due(now=1.1) if isinstance(event, CallerAudio)]
    assert sound[0].start_sample == 8000 - LEAD_MS * 8


def test_a_caller_whose_own_clock_ran_on_is_not_delayed_twice():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, SOUND, 0, now=0.0)
    clock.due(now=0.0)
    clock.due(now=1.0)
    clock.receive(8000, SOUND, 0, now=1.0)
    sound = [event for event in clock.due(now=1.0) if isinstance(event, CallerAudio)]
    assert sound[0].start_sample == 8000


def test_a_gap_is_told_as_loss():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, SOUND, 0, now=0.0)
    clock.receive(2 * FRAME, SOUND, 0, now=0.02)
    assert MediaIdle(FRAME, 2 * FRAME, IdleReason.LOSS) in clock.due(now=0.04)


def test_a_jump_of_the_callers_clock_is_no_gap():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, SOUND, 0, now=0.0)
    clock.receive(1 << 40, SOUND, 0, now=0.02)
    assert samples_until(clock.due(now=0.04)) == 2 * FRAME


def test_an_overlap_is_refused():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, SOUND, 0, now=0.0)
    with pytest.raises(Overlap):
        clock.receive(FRAME - 1, SOUND, 0, now=0.02)


def test_half_a_sample_is_refused():
    clock = ProgramClock(AudioFormat(Encoding.LINEAR16, 16_000), now=0.0)
    with pytest.raises(TornSample):
        clock.receive(0, b"\x00" * 3, 0, now=0.0)


def test_the_clock_is_full_at_more_than_ten_seconds():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, b"\x80" * (MAX_WAITING_MS * 8 + 1), 0, now=0.0)
    assert clock.is_full


def test_after_the_last_word_comes_silence_in_real_time():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, SOUND, 0, now=0.0)
    clock.close()
    heard = [event for tick in range(50) for event in clock.due(now=tick * 0.02)]
    assert samples_until(heard) == pytest.approx(8000, abs=2 * FRAME)
    assert all(isinstance(event, CallerAudio) for event in heard)


def test_a_slow_clock_at_the_callers_never_becomes_idle_time():
    clock = ProgramClock(TELEPHONE, now=0.0)
    events: list[object] = []
    for number in range(60 * 50):
        now = number * 0.02 * 1.0002
        clock.receive(number * FRAME, SOUND, 0, now=now)
        events += clock.due(now=now)
    assert all(isinstance(event, CallerAudio) for event in events)
    assert IDLE_AFTER_MS > 60 * 0.0002 * 1000


def test_a_key_comes_after_the_sound_that_was_sent_before_it():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, b"\xff" * 8000, 0, now=0.0)
    clock.press(KeyPressed("5", 0))
    assert not [event for event in clock.due(now=0.5) if isinstance(event, KeyPressed)]
    assert clock.due(now=1.1)[-1] == KeyPressed("5", 0)


def test_a_key_without_sound_before_it_comes_at_once():
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.press(KeyPressed("5", 0))
    assert KeyPressed("5", 0) in clock.due(now=0.0)


@pytest.mark.parametrize("sends", ["keys", "chunks of one sample"])
def test_what_waits_is_bounded_in_number_too(sends: str):
    clock = ProgramClock(TELEPHONE, now=0.0)
    clock.receive(0, b"\x80" * 8000, 0, now=0.0)
    n_sent = 0
    while not clock.is_full and n_sent < 10_000:
        if sends == "keys":
            clock.press(KeyPressed("1", 80))
        else:
            clock.receive(8000 + n_sent, b"\x80", 0, now=0.0)
        n_sent += 1
    assert n_sent < 5000
    for tick in range(1000):
        clock.due(now=tick * 0.02)
    assert not clock.is_full
