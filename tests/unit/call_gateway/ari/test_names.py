"""Ids inside Asterisk."""

import pytest

from services.call_gateway.edges.ari.names import Names

NAMES = Names("tong-dai")
CALL = "pbx1-1732171883.12"


def test_ids_lead_back_to_their_call():
    assert NAMES.call_of_bridge(NAMES.bridge(CALL)) == CALL
    assert NAMES.call_of_media(NAMES.media(CALL)) == CALL


def test_a_media_channel_is_no_bridge_and_a_bridge_no_media_channel():
    assert NAMES.call_of_bridge(NAMES.media(CALL)) is None
    assert NAMES.call_of_media(NAMES.bridge(CALL)) is None


@pytest.mark.parametrize("other", ["tong-dai-2", "tong", "x"])
def test_another_process_has_other_ids(other: str):
    assert Names(other).call_of_bridge(NAMES.bridge(CALL)) is None
    assert Names(other).call_of_media(NAMES.media(CALL)) is None


@pytest.mark.parametrize("foreign", ["", "1732171883.12", "tong-dai", "tong-dai.1.media-x", "8f3c.media-1"])
def test_what_others_made_is_not_ours(foreign: str):
    assert NAMES.call_of_media(foreign) is None


def test_a_channel_that_comes_again_is_another_call():
    assert NAMES.call_id("17.3", "a" * 32) != NAMES.call_id("17.3", "b" * 32)
    assert "17.3" in NAMES.call_id("17.3", "a" * 32)
