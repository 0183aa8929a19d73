"""RTP packets byte by byte: RFC 3550 section 5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.call_gateway.rtp.packet import (
    HeaderExtension,
    MalformedPacket,
    RtpPacket,
    build_packet,
    is_rtcp,
    parse_packet,
    sequence_distance,
    timestamp_distance,
)

# Figure of section 5.1, field by field: V=2, P=0, X=0, CC=0 | M=1, PT=0 | sequence | timestamp | SSRC | payload
PLAIN = bytes.fromhex("80 80 1234 0000_00a0 dead_beef".replace("_", "").replace(" ", "")) + b"\xff" * 160


def test_a_plain_packet_is_read_field_by_field():
    assert parse_packet(PLAIN) == RtpPacket(
        payload_type=0, sequence=0x1234, timestamp=160, ssrc=0xDEADBEEF, payload=b"\xff" * 160, is_marked=True
    )


def test_contributing_sources_extension_and_padding_are_taken_off_the_payload():
    datagram = (
        bytes([0xB2, 0x08])  # V=2, P=1, X=1, CC=2 | PT=8
        + bytes.fromhex("0001 00000002 00000003")
        + bytes.fromhex("0000000a 0000000b")  # two CSRCs
        + bytes.fromhex("bede 0001 10aa0000")  # one word of extension (RFC 8285 profile)
        + b"sound"
        + b"\x00\x00\x03"  # three bytes of padding, the last one says so
    )
    packet = parse_packet(datagram)
    assert packet.payload == b"sound"
    assert packet.contributing == (10, 11)
    assert packet.extension == HeaderExtension(0xBEDE, bytes.fromhex("10aa0000"))


@pytest.mark.parametrize(
    ("datagram", "field"),
    [
        (b"", "length"),
        (PLAIN[:11], "length"),
        (b"\x40" + PLAIN[1:], "version"),
        (b"\x8f" + PLAIN[1:20], "csrc count"),
        (b"\x90" + PLAIN[1:14], "header extension"),
        (b"\x90" + PLAIN[1:12] + b"\xbe\xde\xff\xff", "header extension"),
        (b"\xa0" + PLAIN[1:-1] + b"\x00", "padding"),
        (b"\xa0" + PLAIN[1:-1] + b"\xfe", "padding"),
    ],
)
def test_a_malformed_packet_raises_and_names_the_field(datagram, field):
    with pytest.raises(MalformedPacket, match=field):
        parse_packet(datagram)


def test_a_packet_that_is_all_padding_has_no_payload():
    assert parse_packet(b"\xa0" + PLAIN[1:12] + b"\x00\x00\x00\x04").payload == b""


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_raise_malformed(datagram):
    try:
        packet = parse_packet(datagram)
    except MalformedPacket:
        return
    assert len(packet.payload) <= len(datagram) - 12


@given(
    st.builds(
        RtpPacket,
        payload_type=st.integers(0, 127),
        sequence=st.integers(0, 0xFFFF),
        timestamp=st.integers(0, 0xFFFFFFFF),
        ssrc=st.integers(0, 0xFFFFFFFF),
        payload=st.binary(max_size=200),
        is_marked=st.booleans(),
        contributing=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
        extension=st.none()
        | st.builds(
            HeaderExtension,
            profile=st.integers(0, 0xFFFF),
            content=st.integers(0, 8).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
        ),
    )
)
def test_what_is_built_is_parsed_again(packet):
    assert parse_packet(build_packet(packet)) == packet


@pytest.mark.parametrize("change", [{"payload_type": 128}, {"sequence": 65536}, {"timestamp": -1}, {"ssrc": 1 << 32}])
def test_a_field_out_of_range_is_refused(change):
    fields = {"payload_type": 0, "sequence": 0, "timestamp": 0, "ssrc": 0, "payload": b""} | change
    with pytest.raises(ValueError, match=r"payload_type|header field"):
        build_packet(RtpPacket(**fields))


def test_an_extension_of_torn_words_is_refused():
    packet = RtpPacket(0, 0, 0, 0, b"", extension=HeaderExtension(1, b"abc"))
    with pytest.raises(ValueError, match="32-bit"):
        build_packet(packet)


def test_rtcp_on_the_same_port_is_told_apart():
    sender_report = bytes.fromhex("80c80006") + bytes(24)
    assert is_rtcp(sender_report)
    assert not is_rtcp(PLAIN)


def test_distances_wrap_around():
    assert sequence_distance(1, 0xFFFF) == 2
    assert sequence_distance(0xFFFF, 1) == -2
    assert timestamp_distance(100, 0xFFFFFFFF) == 101
    assert timestamp_distance(0xFFFFFFFF, 100) == -101
