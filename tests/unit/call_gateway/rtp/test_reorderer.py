"""The order of packets: reorder, loss, duplicates, wrap-around, another source."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.call_gateway.rtp.packet import RtpPacket
from services.call_gateway.rtp.reorderer import OrderedPacket, Reorderer

FRAME_S = 0.020


def packet(sequence, *, ssrc=1):
    return RtpPacket(0, sequence % 65536, sequence * 160 % (1 << 32), ssrc, b"\xff" * 160)


def sequences(ordered: list[OrderedPacket]) -> list[int]:
    return [placed.packet.sequence for placed in ordered]


def started(*, at=100):
    order = Reorderer()
    order.receive(packet(at), now=0.0)
    return order


def test_packets_in_order_go_on_at_once():
    order = Reorderer()
    assert [sequences(order.receive(packet(n), now=n * FRAME_S)) for n in range(7, 10)] == [[7], [8], [9]]


def test_a_packet_that_overtook_waits_for_the_one_before():
    order = started()
    assert order.receive(packet(102), now=0.02) == []
    assert sequences(order.receive(packet(101), now=0.03)) == [101, 102]
    assert order.counts.reordered == 1
    assert order.counts.lost == 0


def test_a_missing_packet_is_given_up_after_60_ms():
    order = started()
    order.receive(packet(102), now=0.040)
    assert order.next_deadline() == 0.040 + 0.060
    assert order.on_timer(0.099) == []
    given_up = order.on_timer(0.101)
    assert sequences(given_up) == [102]
    assert given_up[0].lost_before == 1
    assert order.next_deadline() is None


def test_a_late_packet_changes_nothing_and_is_counted():
    order = started()
    order.receive(packet(102), now=0.04)
    order.on_timer(0.2)
    assert order.receive(packet(101), now=0.21) == []
    assert order.counts.late == 1


def test_a_second_gap_is_awaited_from_its_own_beginning():
    order = started()
    order.receive(packet(102), now=0.04)
    order.receive(packet(104), now=0.08)
    assert sequences(order.on_timer(0.11)) == [102]
    assert order.on_timer(0.13) == []
    assert sequences(order.on_timer(0.141)) == [104]


def test_duplicates_are_dropped_and_counted():
    order = started()
    assert order.receive(packet(100), now=0.001) == []
    order.receive(packet(102), now=0.04)
    assert order.receive(packet(102), now=0.041) == []
    assert order.counts.duplicate == 2


def test_the_sequence_wraps_around():
    order = started(at=65534)
    got = [sequences(order.receive(packet(n), now=0.02 * n)) for n in (65535, 65537, 65536)]
    assert got == [[65535], [], [0, 1]]


def test_a_stray_packet_of_another_source_is_dropped():
    order = started()
    assert order.receive(packet(5000, ssrc=9), now=0.01) == []
    assert sequences(order.receive(packet(101), now=0.02)) == [101]
    assert order.counts.stray == 1


def test_two_packets_in_a_row_make_a_new_source_and_neither_is_lost():
    order = started()
    assert order.receive(packet(5000, ssrc=9), now=0.02) == []
    ordered = order.receive(packet(5001, ssrc=9), now=0.04)
    assert sequences(ordered) == [5000, 5001]
    assert [placed.is_new_source for placed in ordered] == [True, False]
    assert order.counts.stray == 0


def test_a_restarted_sequence_is_a_new_source_under_the_old_name():
    order = started(at=100)
    order.receive(packet(40000), now=0.02)
    ordered = order.receive(packet(40001), now=0.04)
    assert [placed.is_new_source for placed in ordered] == [True, False]


def test_a_second_stream_into_the_socket_never_takes_over_from_a_living_one():
    order = started()
    for n in range(1, 50):
        assert sequences(order.receive(packet(100 + n), now=n * FRAME_S)) == [100 + n]
        assert order.receive(packet(9000 + n, ssrc=9), now=n * FRAME_S + 0.01) == []


def test_a_sender_that_draws_another_ssrc_for_each_packet_is_followed_by_its_sequence():
    order = started()
    ordered = [one for n in range(101, 120) for one in order.receive(packet(n, ssrc=n * 7919), now=n * FRAME_S)]
    assert sequences(ordered) == [*range(101, 120)]
    assert (order.counts.stray, order.counts.lost) == (0, 0)


def test_a_lost_packet_of_such_a_sender_is_given_up_like_any_other():
    order = started()
    ordered = []
    for n in [*range(101, 110), *range(111, 120)]:
        ordered += order.receive(packet(n, ssrc=n * 7919), now=n * FRAME_S)
    assert sequences(ordered) == [*range(101, 110), *range(111, 120)]
    assert order.counts.lost == 1


def test_a_sender_that_keeps_its_ssrc_again_is_known_by_it_again():
    order = started()
    for n in range(101, 110):
        order.receive(packet(n, ssrc=n * 7919), now=n * FRAME_S)
    for n in range(110, 113):
        order.receive(packet(n, ssrc=5), now=n * FRAME_S)
    assert order.receive(packet(113, ssrc=9), now=113 * FRAME_S) == [], "a stray one"
    assert sequences(order.receive(packet(113, ssrc=5), now=113 * FRAME_S)) == [113]


def test_such_a_sender_is_heard_on_a_network_that_delivers_each_packet_twice():
    order = started()
    ordered = []
    for n in range(101, 120):
        for _ in range(2):
            ordered += order.receive(packet(n, ssrc=n * 7919), now=n * FRAME_S)
    assert sequences(ordered) == [*range(101, 120)]
    assert order.counts.lost == 0


def test_strays_of_several_sources_that_do_not_follow_one_another_are_dropped():
    order = started()
    for n in range(50):
        assert order.receive(packet(5000 + 2 * n, ssrc=90 + n), now=n * FRAME_S) == []


def test_what_is_held_behind_a_gap_is_bounded():
    order = started()
    ordered = []
    for n in range(102, 180):
        ordered += order.receive(packet(n), now=0.04)
    assert sequences(ordered)[:1] == [102]
    assert len(ordered) == 78


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 30), loss=st.floats(0, 0.3), jitter_s=st.floats(0, 0.055), start=st.integers(0, 65535))
def test_whatever_the_network_does_order_holds_and_every_packet_is_counted(seed, loss, jitter_s, start):
    rng = random.Random(seed)
    sent = range(start, start + 200)
    arrivals = sorted(
        (n * FRAME_S + rng.random() * jitter_s, n)
        for n in sent
        for _ in range(2 if rng.random() < 0.05 else 1)
        if n == start or rng.random() >= loss
    )
    order, ordered = Reorderer(), []
    ordered += order.receive(packet(start), now=start * FRAME_S - 1)
    for now, n in arrivals:
        ordered += order.receive(packet(n), now=now)
    ordered += order.on_timer(now + 1)
    offsets = [(s - start) % 65536 for s in sequences(ordered)]
    assert offsets == sorted(set(offsets))
    arrived = {n - start for _, n in arrivals}
    assert set(offsets) == arrived  # 55 ms of jitter is within the 60 ms that the buffer waits
    assert sum(placed.lost_before for placed in ordered) == order.counts.lost == max(arrived) + 1 - len(arrived)


@given(back=st.integers(2, 99), jump=st.integers(200_000, 2**32 - 200_000))
def test_a_sequence_that_restarts_a_few_steps_back_is_no_row_of_duplicates(back: int, jump: int):
    """Another port after a re-INVITE, under the same SSRC: a media server passes the sender's sequence on."""
    order = started(at=300)
    got: list[int] = []
    for n in range(100):
        moved = packet(301 - back + n)
        moved = RtpPacket(0, moved.sequence, (moved.timestamp + jump) % (1 << 32), 1, moved.payload)
        got += sequences(order.receive(moved, now=0.02 * (n + 1)))
    assert got == [301 - back + n for n in range(100)]
    assert order.counts.duplicate == 0
