"""Events as Asterisk sends them."""

from typing import Any

import pytest

from services.call_gateway.edges.ari.events import (
    EVENT_KINDS,
    AppReplaced,
    Channel,
    ChannelEntered,
    ChannelGone,
    ChannelLeft,
    DialAnswered,
    DtmfReceived,
    HangUpAsked,
    HoldSet,
    UnreadableEvent,
    read_event,
)

CHANNEL: dict[str, Any] = {
    "id": "1795246169.0",
    "name": "PJSIP/anonymous-00000000",
    "state": "Ring",
    "protocol_id": "4b9212a25ac486fb",
    "caller": {"name": "", "number": "+842812345678"},
    "connected": {"name": "", "number": ""},
    "accountcode": "",
    "dialplan": {"context": "tong-dai", "exten": "answer", "priority": 2, "app_name": "Stasis", "app_data": "tong-dai"},
    "creationtime": "2026-11-21T07:29:29.000+0000",
    "language": "en",
    "channelvars": {"TONG_DAI_AGENT": "clinic", "TONG_DAI_LANGUAGES": "", "TONG_DAI_TENANT": ""},
}
SEEN = Channel(
    "1795246169.0",
    is_up=False,
    caller="+842812345678",
    variables={"TONG_DAI_AGENT": "clinic", "TONG_DAI_LANGUAGES": "", "TONG_DAI_TENANT": ""},
    app="tong-dai",
)
CHANNEL_ID = SEEN.channel_id


@pytest.mark.parametrize(
    ("event", "meaning"),
    [
        ({"type": "StasisStart", "args": []}, ChannelEntered(SEEN)),
        ({"type": "StasisStart", "args": [], "replace_channel": {"id": "17.3"}}, ChannelEntered(SEEN, "17.3")),
        ({"type": "ChannelHangupRequest", "cause": 16}, HangUpAsked(CHANNEL_ID)),
        ({"type": "StasisEnd"}, ChannelLeft(CHANNEL_ID)),
        (
            {"type": "ChannelDestroyed", "cause": 16, "cause_txt": "Normal Clearing"},
            ChannelGone(CHANNEL_ID, "Normal Clearing"),
        ),
        ({"type": "ChannelDtmfReceived", "digit": "#", "duration_ms": 180}, DtmfReceived(CHANNEL_ID, "#", 180)),
        ({"type": "ChannelHold", "musicclass": "default"}, HoldSet(CHANNEL_ID, is_held=True)),
        ({"type": "ChannelUnhold"}, HoldSet(CHANNEL_ID, is_held=False)),
        ({"type": "ApplicationReplaced"}, AppReplaced()),
    ],
)
def test_each_kind_is_read(event: dict[str, Any], meaning: object):
    assert read_event({"application": "tong-dai", "channel": CHANNEL, **event}) == meaning
    assert event["type"] in EVENT_KINDS


def test_other_kinds_are_ignored():
    assert read_event({"type": "ChannelVarset", "variable": "X", "value": "1", "channel": CHANNEL}) is None


@pytest.mark.parametrize(
    "event",
    [{}, {"type": "StasisStart"}, {"type": "StasisEnd", "channel": None}, {"type": "ChannelHold", "channel": {}}],
)
def test_an_event_without_what_it_must_have_raises(event: dict[str, Any]):
    with pytest.raises(UnreadableEvent):
        read_event(event)


def test_a_withheld_caller_and_bare_channel_are_read():
    entered = read_event({"type": "StasisStart", "channel": {"id": "1.0"}})
    assert entered == ChannelEntered(Channel("1.0", is_up=False, caller="", variables={}, app=""))


def test_what_the_dialplan_gives_with_the_application_is_kept():
    event = read_event({"type": "StasisStart", "args": ["back", "BUSY"], "channel": CHANNEL})
    assert isinstance(event, ChannelEntered)
    assert event.arguments == ("back", "BUSY")


def test_only_the_answer_of_whom_the_dialplan_calls_is_news():
    dial = {"type": "Dial", "caller": CHANNEL, "peer": CHANNEL, "dialstring": "reception"}
    assert read_event({**dial, "dialstatus": "ANSWER"}) == DialAnswered(CHANNEL["id"])
    for status in ("", "RINGING", "PROGRESS", "BUSY", "NOANSWER", "CANCEL"):
        assert read_event({**dial, "dialstatus": status}) is None
    assert read_event({"type": "Dial", "peer": CHANNEL, "dialstatus": "ANSWER"}) is None
