"""Keys as RTP events: RFC 4733."""

import pytest

from services.call_gateway.rtp.dtmf import Key, TelephoneEvent, TelephoneEventDecoder, parse_event
from services.call_gateway.rtp.packet import MalformedPacket


def test_a_report_is_read_field_by_field():
    # Section 2.3: event 11 (#), E=1, R=0, volume 10, duration 800 ticks
    assert parse_event(bytes.fromhex("0b8a0320")) == TelephoneEvent(code=11, is_end=True, volume=10, duration_ticks=800)


def test_a_short_report_is_malformed():
    with pytest.raises(MalformedPacket, match="telephone-event"):
        parse_event(b"\x01\x02\x03")


def test_dialling_911_gives_three_keys():
    """The example of section 5: 9 for 200 ms at tick 0, 1 for 250 ms at 7040, 1 still down at 11200."""
    reports = [
        (0, 9, False, 400),
        (0, 9, False, 800),
        (0, 9, False, 1200),
        (0, 9, True, 1600),
        (0, 9, True, 1600),
        (0, 9, True, 1600),
        (7040, 1, False, 400),
        (7040, 1, True, 2000),
        (7040, 1, True, 2000),
        (11200, 1, False, 400),
    ]
    keypad, keys = TelephoneEventDecoder(), []
    for timestamp, code, is_end, duration in reports:
        keys += keypad.on_event(TelephoneEvent(code, is_end, 7, duration), timestamp=timestamp)
    assert keys == [Key("9", 1600), Key("1", 2000)]
    assert keypad.is_down
    assert keypad.release() == [Key("1", 400)]
    assert not keypad.is_down


def test_a_key_whose_end_was_lost_is_told_when_the_next_begins():
    keypad = TelephoneEventDecoder()
    assert keypad.on_event(TelephoneEvent(5, False, 7, 400), timestamp=0) == []
    assert keypad.on_event(TelephoneEvent(6, False, 7, 160), timestamp=4000) == [Key("5", 400)]


def test_an_event_that_is_no_key_is_left_alone():
    keypad = TelephoneEventDecoder()
    flash = 16
    assert keypad.on_event(TelephoneEvent(flash, True, 7, 400), timestamp=0) == []
