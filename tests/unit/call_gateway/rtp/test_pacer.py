"""Pacer: the ticks at which legs send."""

from services.call_gateway.rtp.pacer import SlotTable, TickClock
from services.call_gateway.rtp.packet import parse_packet
from services.call_gateway.rtp.sender import MediaSender


def test_legs_are_spread_over_four_slots():
    table = SlotTable[str]()
    for name in "abcdefgh":
        table.add(name)
    assert [len(table.in_slot(tick)) for tick in range(4)] == [2, 2, 2, 2]
    assert table.in_slot(0) == table.in_slot(4)


def test_a_leg_that_left_sends_no_more_and_its_slot_is_filled_first():
    table = SlotTable[str]()
    for name in "abcd":
        table.add(name)
    table.remove("c")
    table.remove("nobody")
    assert len(table) == 3
    table.add("e")
    assert table.in_slot(2) == ("e",)


def test_no_leg_is_woken_for_an_empty_slot():
    table, clock = SlotTable[str](), TickClock(start_s=0.0)
    for name in "ab":
        table.add(name)
    clock.due(0.006)
    clock.pass_by(table.next_occupied(clock.next_tick))
    assert clock.next_due() == 0.020
    assert list(clock.due(0.020)) == [4]
    assert not clock.skipped


def test_each_tick_is_given_once_and_every_5_ms():
    clock = TickClock(start_s=50.0)
    assert list(clock.due(50.0)) == [0]
    assert list(clock.due(50.004)) == []
    assert clock.next_due() == 50.005
    assert list(clock.due(50.0051)) == [1]
    assert list(clock.due(50.021)) == [2, 3, 4]


def test_a_late_tick_is_caught_up_for_60_ms_and_the_rest_is_skipped():
    clock = TickClock(start_s=0.0)
    clock.due(0.0)
    assert len(clock.due(0.050)) == 10
    caught_up = clock.due(1.050)
    assert len(caught_up) == 12
    assert caught_up.stop == 211
    assert clock.skipped == range(11, 199)
    clock.due(1.055)
    assert not clock.skipped


def test_skipped_ticks_are_as_many_frames_as_each_leg_would_have_sent():
    table = SlotTable[str]()
    for name in "abc":
        table.add(name)
    for start in range(4):
        ticks = range(start, start + 9)
        sent = {name: sum(name in table.in_slot(tick) for tick in ticks) for name in "abc"}
        assert table.due_within(ticks) == sent
    assert table.due_within(range(3, 4)) == {}


def test_ticks_do_not_drift_over_an_hour():
    clock = TickClock(start_s=123.456)
    n_ticks = 0
    now = 123.456
    while now < 123.456 + 60:
        n_ticks += len(clock.due(now))
        now = max(now + 0.0003, clock.next_due() + 0.0001)
    assert abs(n_ticks - 12_000) <= 1


def test_packets_are_stamped_one_after_another():
    sender = MediaSender(0, ssrc=9, sequence=65535, timestamp=(1 << 32) - 80)
    first, second = (parse_packet(sender.packet(b"\xff" * 160, ticks=160)) for _ in range(2))
    assert (first.sequence, second.sequence) == (65535, 0)
    assert (first.timestamp, second.timestamp) == ((1 << 32) - 80, 80)
    assert (first.is_marked, second.is_marked) == (True, False)
    assert first.ssrc == second.ssrc == 9


def test_skipped_time_shows_in_the_timestamp_only():
    sender = MediaSender(0, ssrc=9, sequence=1, timestamp=0)
    sender.packet(b"", ticks=160)
    sender.skip(320)
    packet = parse_packet(sender.packet(b"", ticks=160))
    assert (packet.sequence, packet.timestamp, packet.is_marked) == (2, 480, True)
