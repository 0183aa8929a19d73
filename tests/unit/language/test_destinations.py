"""Transfers go through, however the number is written."""

import pytest

from services.call_gateway.profile import AgentDestination
from services.language.destinations import allowed_target, listed_target, normalised, region_of


@pytest.mark.parametrize(
    ("written", "region", "dialled"),
    [
        ("+84 28 1234 5678", "", "+842812345678"),
        ("(028) 1234-5678", "VN", "+842812345678"),
        ("+1.202.555.0100", "", "+12025550100"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("1 212 555 0123", "US", "+12125550123"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("138 1234 5678", "CN", "+8613812345678"),
        ("6123 4567", "SG", "+6561234567"),
        ("912 345 678", "ES", "+34912345678"),
        ("(212) 555-0123", "", "2125550123"),
        ("*67 212 555 0123", "US", "*672125550123"),
        ("911", "US", "911"),
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


LISTED = (
    AgentDestination(("front desk", "reception"), "2000"),
    AgentDestination(("billing", "Phòng kế toán"), "+842812345678"),
    AgentDestination(("on-call doctor",), "sip:front.desk@example.com"),
    AgentDestination(("billing support",), "2001"),
)


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("front desk", "2000"),
        ("Front Desk", "2000"),
        ("the front desk, please", "2000"),
        ("front-desk", "2000"),
        ("frontdesk", "2000"),
        ("the desk", ""),  # "the" is in no name
        ("desk", "2000"),
        ("receptoin", "2000"),
        ("RECEPTION", "2000"),
        ("phòng kế toán", "+842812345678"),
        ("billing", "+842812345678"),
        ("billing support", "2001"),
        ("our billing support", "2001"),
        ("doctor", "sip:front.desk@example.com"),
        ("sip:front.desk@example.com", "sip:front.desk@example.com"),
        ("SIP:Front.Desk@example.com", "sip:front.desk@example.com"),
        ("sip:front.desk@evil.example", ""),
        ("front desk and reception of billing", ""),
        ("building", ""),
        ("2000", "2000"),
        ("20", ""),
        ("", ""),
        ("?", ""),
    ],
)
def test_a_name_is_looked_up_in_the_agents_list(wanted: str, target: str):
    assert listed_target(wanted, LISTED) == target


def test_nothing_is_found_where_nothing_is_listed():
    assert listed_target("front desk", ()) == ""


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("tel:+842812345678", "+842812345678"),
        ("TEL:+84-28-1234-5678", "+842812345678"),
        ("(028) 1234-5678", "+842812345678"),
        ("tel:2000", "2000"),
        ("extension 2000", "2000"),
        ("ext. 2001, please", "2001"),
        ("số máy lẻ 2000", "2000"),
        ("2000 or 2001", ""),
        ("extension 20001", ""),
        ("extension +2000", ""),
        ("extension 2000@evil.example", ""),
        ("sip:2000@evil.example", ""),
        ("tel:+15550100", ""),
    ],
)
def test_a_number_of_the_list_is_found_however_it_is_written(wanted: str, target: str):
    assert allowed_target(wanted, LISTED, region="VN") == target


@pytest.mark.parametrize(
    "written", ["０９１２ ３４５ ６７８", "٠٩١٢٣٤٥٦٧٨", "0912—345—678", "＋84 912 345 678", "（091）2345678"]
)
def test_digits_and_dashes_of_any_script_are_a_number(written: str) -> None:
    assert normalised(written, "VN") == "+84912345678"
