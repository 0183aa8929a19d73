"""Transfers go through, however the number is written."""

import pytest

from services.call_gateway.conversation.destinations import normalised, region_of


@pytest.mark.parametrize(
    ("written", "region", "dialled"),
    [
        ("+84 28 1234 5678", "", "+842812345678"),
        ("(028) 1234-5678", "VN", "+842812345678"),
        ("+1.202.555.0100", "", "+12025550100"),
        ("2000", "VN", "2000"),
        ("20-00", "", "2000"),
        ("*98", "US", "*98"),
        ("front desk", "US", "front desk"),
        ("sip:front.desk@example.com", "US", "sip:front.desk@example.com"),
        ("", "US", ""),
    ],
)
def test_a_destination_is_dialled(written: str, region: str, dialled: str):
    assert normalised(written, region) == dialled


def test_the_region_is_the_callers_else_the_languages():
    assert region_of("+842812345678", "en-US") == "VN"
    assert region_of("sip:anna@example.com", "en-US") == "US"
    assert region_of("", "vi") == "VN"
    assert region_of("", "en") == ""
