"""What the Asterisk edge can be told."""

import ssl

import pytest
from pydantic import ValidationError

from services.call_gateway.edges.ari.settings import AriSettings


def test_the_password_never_shows():
    assert "s3cret" not in repr(AriSettings(password="s3cret"))  # noqa: S106


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "127.0.0.1:8088"},
        {"app": "two words"},
        {"app": "with.dot"},
        {"codec": "opus"},
        {"hang_up_tail_ms": 20},
        {"rtp_first_port": 20000, "rtp_last_port": 10000},
        {"request_limit_s": 0},
        {"media_host": "0.0.0.0"},  # noqa: S104 - nothing is bound
        {"media_host": "::"},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        AriSettings(**wrong)


def test_tls_is_verified_unless_told_otherwise():
    assert isinstance(AriSettings(url="https://127.0.0.1:8089").tls(), ssl.SSLContext)
    assert AriSettings(url="https://127.0.0.1:8089", tls_verify=False).tls() is False


def test_a_path_behind_the_host_is_kept():
    assert AriSettings(url="https://127.0.0.1:8089/asterisk/").url == "https://127.0.0.1:8089/asterisk"


def test_asterisk_is_told_the_advertised_address():
    assert AriSettings(media_host="10.0.0.5").media_address == "10.0.0.5"
    assert AriSettings(media_host="::", media_advertised_host="203.0.113.9").media_address == "203.0.113.9"
