"""Exposure: a listener off loopback is protected, or the process does not start."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.settings import GatewaySettings
from services.nlu.settings import NluSettings
from services.runtime import exposure
from services.runtime.exposure import is_loopback, is_loopback_target
from services.runtime.settings import read_settings
from services.stt_proxy.settings import SttSettings
from services.tts.settings import TtsSettings

KINDS: tuple[Any, ...] = (SttSettings, NluSettings, TtsSettings, GatewaySettings)
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound
TLS = {"tls_certificate_file": Path("server.pem"), "tls_key_file": Path("server.key")}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        EVERYWHERE,
        "::",
        "10.1.2.3",
        "example.org",
        "localhost.example.org",
        "",
        "127.0.0.1.example.org",
        "::ffff:9.9.9.9",
    ],
)
def test_everything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("target", "is_near"),
    [
        ("127.0.0.1:50052", True),
        ("[::1]:50052", True),
        ("localhost:50052", True),
        ("dns:///localhost:50052", True),
        ("dns://10.0.0.53/localhost:50052", True),
        ("ipv4:127.0.0.1:50052,127.0.0.1:50062", True),
        ("ipv6:[::1]:50052", True),
        ("unix:/run/stt.sock", True),
        ("stt-proxy:50052", False),
        ("dns:///stt-proxy:50052", False),
        ("ipv4:127.0.0.1:50052,10.0.0.1:50052", False),
        ("10.0.0.1:50052", False),
        ("xds:///stt", False),
    ],
)
def test_a_target_is_loopback_when_all_of_it_is(target: str, is_near: bool) -> None:
    assert is_loopback_target(target) is is_near


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "TLS_CERTIFICATE_FILE"),
        ({"auth_tokens_file": Path("t.toml")}, "TLS_CERTIFICATE_FILE"),
        (TLS, "AUTH_TOKENS_FILE"),
    ],
)
def test_a_service_off_loopback_needs_tls_and_to_know_its_clients(
    kind: Any, given: dict[str, Path], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        kind(host=EVERYWHERE, **given)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("knows", [{"auth_tokens_file": Path("t.toml")}, {"tls_client_ca_file": Path("ca.pem")}])
def test_with_both_it_may(kind: Any, knows: dict[str, Path]) -> None:
    assert kind(host=EVERYWHERE, **TLS, **knows).exposures() == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_operator_may_allow_it(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONG_DAI_ALLOW_INSECURE", "1")
    assert kind(host=EVERYWHERE).exposures()


@pytest.mark.parametrize("stage", ["stt", "nlu", "tts"])
def test_calls_and_tokens_do_not_go_to_stages_over_plain_text(stage: str) -> None:
    with pytest.raises(ValidationError, match="bearer token"):
        GatewaySettings.model_validate({f"{stage}_target": "dns:///elsewhere:5000", "stage_token": "secret"})
    with pytest.raises(ValidationError, match="plain text"):
        GatewaySettings.model_validate({f"{stage}_target": "dns:///elsewhere:5000"})
    GatewaySettings.model_validate({f"{stage}_target": "dns:///elsewhere:5000", "stage_tls_ca_file": "ca.pem"})


def test_a_call_cannot_outlast_its_connection() -> None:
    with pytest.raises(ValidationError, match="connection_grace_s"):
        GatewaySettings(max_call_s=7200)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"url": "http://pbx.example:8088", "password": "long and secret"}, "https"),
        ({"url": "https://pbx.example:8089"}, "password"),
        ({"url": "https://pbx.example:8089", "password": "long and secret", "tls_verify": False}, "tls_verify"),
    ],
)
def test_ari_off_loopback_needs_tls_and_a_password(given: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        AriSettings.model_validate(given)
    assert AriSettings.model_validate(given | {"allow_insecure": True}).exposures()


def test_ari_with_both_may_be_anywhere() -> None:
    given = {"url": "https://pbx.example:8089", "password": "long and secret"}
    assert AriSettings.model_validate(given).exposures() == []


async def test_what_was_allowed_is_said_each_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exposure, "WARN_EVERY_S", 0.001)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await exposure.warn_of_exposures(["host 0.0.0.0 is not loopback"])
    out, err = capsys.readouterr()
    assert (out + err).count("host 0.0.0.0 is not loopback") > 2


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_a_providers_key_does_not_go_over_plain_text(provider: str) -> None:
    far = {f"{provider}_base_url": "http://models.example/v1"}
    with pytest.raises(ValidationError, match="https"):
        NluSettings.model_validate(far | {f"{provider}_api_key": "secret"})
    with pytest.raises(ValidationError, match="https"):
        NluSettings.model_validate(far | {f"{provider}_api_key_file": "key"})
    assert NluSettings.model_validate(far).exposures() == []
    near = {f"{provider}_base_url": "http://127.0.0.1:8000/v1", f"{provider}_api_key": "secret"}
    assert NluSettings.model_validate(near).exposures() == []


def test_a_password_in_the_url_of_ari_is_refused_and_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_ARI_URL", "https://user:geheim@pbx.example:8089")
    with pytest.raises(SystemExit):
        read_settings(AriSettings)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "GATEWAY_ARI_URL" in said
    assert "geheim" not in said


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"stage_token": "a", "stage_token_file": "b"}, "one of them"),
        ({"stage_tls_certificate_file": "a"}, "go together"),
        ({"stage_tls_certificate_file": "a", "stage_tls_key_file": "b"}, "stage_tls_ca_file"),
        ({"nlu_target": "dns:///elsewhere:5000", "stage_token_file": "b"}, "bearer token"),
    ],
)
def test_credentials_for_the_stages_make_sense(given: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        GatewaySettings.model_validate(given)
