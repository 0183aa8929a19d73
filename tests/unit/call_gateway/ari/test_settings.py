"""Settings of the Asterisk edge."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from services.call_gateway.edges.ari.client import AriClient, AriRefused
from services.call_gateway.edges.ari.settings import AriSettings
from services.runtime.errors import StartupError


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


def test_the_password_may_stand_in_a_file(tmp_path: Path):
    file = tmp_path / "ari-password"
    settings = AriSettings(url="https://pbx.example:8089", password_file=file)
    with pytest.raises(StartupError, match=r"GATEWAY_ARI_PASSWORD_FILE=.*cannot be read: No such file"):
        AriClient(settings)
    file.write_text("\n")
    with pytest.raises(StartupError, match="is empty"):
        AriClient(settings)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(StartupError, match="cannot be read"):
        AriClient(settings)
    file.write_text("tong-dai\n")
    with pytest.raises(StartupError, match="default password"):
        AriClient(settings)
    file.write_text(" s3cret \n")
    assert settings.read_password() == "s3cret"
    assert settings.exposures() == []


def test_the_password_stands_in_one_place(tmp_path: Path):
    with pytest.raises(ValidationError, match="set one of them"):
        AriSettings(password="s3cret", password_file=tmp_path / "ari-password")  # noqa: S106


async def test_a_redirect_of_asterisks_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The redirect would have the password, or a call's digits, sent to the host that it names."""
    asked: list[dict[str, Any]] = []

    @asynccontextmanager
    async def request(_session: object, *_: object, **how: Any) -> AsyncIterator[Any]:
        async def text() -> str:
            return "elsewhere"

        asked.append(how)
        yield SimpleNamespace(status=307, text=text)

    monkeypatch.setattr("aiohttp.ClientSession.request", request)
    async with AriClient(AriSettings()) as client:
        with pytest.raises(AriRefused, match="307"):
            await client.post("channels", "1", "dtmf", dtmf="1234")
    assert [how["allow_redirects"] for how in asked] == [False]


@pytest.mark.parametrize(
    ("host", "advertised", "complaint"),
    [
        ("::", "::", "no address to send to"),
        ("10.0.0.5", "0.0.0.0", "no address to send to"),  # noqa: S104 - nothing is bound
        ("0.0.0.0", "2001:db8::7", "takes no packets"),  # noqa: S104 - nothing is bound
        ("2001:db8::7", "203.0.113.9", "takes no packets"),
        ("10.0.0.5:4000", "", "without a port"),
        ("[::1]", "", "without a port or brackets"),
        ("10.0.0.5", "203.0.113.9:4000", "without a port"),
        ("10.0.0.555", "", "no IP address"),
    ],
)
def test_media_addresses_between_which_no_packet_can_go_are_refused_at_start(
    host: str, advertised: str, complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        AriSettings(media_host=host, media_advertised_host=advertised)


@pytest.mark.parametrize(
    ("host", "advertised"), [("::1", ""), ("::", "203.0.113.9"), ("localhost", ""), ("10.0.0.5", "voice.example")]
)
def test_addresses_of_one_kind_and_names_are_taken(host: str, advertised: str) -> None:
    assert AriSettings(media_host=host, media_advertised_host=advertised).media_address == (advertised or host)
