"""Settings that `make call` refuses before it calls."""

import pytest
from pydantic import ValidationError

from clients.phone.settings import PhoneSettings


@pytest.mark.parametrize("number", ["1001", "sip:1001", "1001@127.0.0.1", "tel:+84281234567", ""])
def test_a_number_that_is_no_sip_address_is_refused_with_an_example(number: str) -> None:
    """The SIP stack aborts the whole process at such a number."""
    with pytest.raises(ValidationError, match="must be a SIP address: sip:1001@"):
        PhoneSettings(_env_file=None, number=number)


@pytest.mark.parametrize("number", ["sip:1001@127.0.0.1:15060", "sips:front@pbx.example"])
def test_a_sip_address_is_called(number: str) -> None:
    assert PhoneSettings(_env_file=None, number=number).number == number


@pytest.mark.parametrize(("language", "extension"), [("en-US", "1000"), ("vi-VN", "1001")])
def test_the_extension_follows_the_language(language: str, extension: str) -> None:
    """`PHONE_LANGUAGE=vi-VN make call` asked Vietnamese questions of the agent that answers in English."""
    assert PhoneSettings(_env_file=None, language=language).number == f"sip:{extension}@127.0.0.1:15060"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"gateway": "127.0.0.1"}, "must be host:port"),
        ({"scenario": "shout"}, "no such scenario"),
        ({"scenario": "hold", "edge": "grpc"}, "needs a telephone"),
        ({"gateway": "pbx.example:50051", "token": "secret"}, "over plain text"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        PhoneSettings.model_validate(change)
