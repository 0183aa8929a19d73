"""Settings of an operator reach every conversation."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.call_gateway.settings import GatewaySettings
from services.runtime.errors import StartupError


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("GATEWAY_FIRST_CLAUSE_S", "2.5", "first_clause_limit_ms", 2500),
        ("GATEWAY_FIRST_AUDIO_S", "1.5", "first_audio_limit_ms", 1500),
        ("GATEWAY_COMPANY_S", "7", "company_ms", 7000),
        ("GATEWAY_SLOW_STAGE_S", "12", "slow_limit_ms", 12_000),
        ("GATEWAY_GIVE_UP_S", "45", "give_up_ms", 45_000),
        ("GATEWAY_WORDLESS_END_S", "0", "wordless_end_ms", 0),
        ("GATEWAY_SILENCE_PROMPT_S", "6", "silence_prompt_ms", 6000),
        ("GATEWAY_MAX_CALL_S", "60", "max_call_s", 60.0),
    ],
)
def test_the_waits_of_a_conversation_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, expected: float
):
    monkeypatch.setenv(variable, value)
    assert getattr(GatewaySettings().conversation, field) == expected


def test_silence_ends_when_both_stages_have_had_their_time(monkeypatch: pytest.MonkeyPatch):
    assert GatewaySettings().conversation.dead_air_limit_ms == 2900
    monkeypatch.setenv("GATEWAY_FIRST_CLAUSE_S", "4")
    assert GatewaySettings().conversation.dead_air_limit_ms == 5000


@pytest.mark.parametrize("url", ["https://", "https:///path", "ftp://host/", "https://h:99999/", "https://[::1/", "x"])
def test_a_webhook_that_could_never_be_reached_is_told_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError, match="webhook_url: write it as"):
        GatewaySettings(webhook_url=url)
    assert GatewaySettings(webhook_url="https://host.example/x?y=1").webhook_url


def test_the_path_of_a_webhook_is_not_shown() -> None:
    with pytest.raises(ValidationError, match=r"webhook_url http://crm\.example: ") as refused:
        GatewaySettings(webhook_url="http://user:pw@crm.example/services/T0/s3cr3t?key=k")
    said = str(refused.value).partition("[type=")[0]  # the rest is pydantic's, and is not shown
    assert not any(word in said for word in ("s3cr3t", "key=k", "pw@"))


def test_an_empty_secret_signs_nothing_unnoticed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    settings = GatewaySettings(webhook_url="https://host.example/", webhook_secret_file=tmp_path / "secret")
    with pytest.raises(StartupError, match="is empty"):
        settings.read_webhook_secret()
    (tmp_path / "secret").write_text("s3cr3t\n")
    assert settings.read_webhook_secret() == "s3cr3t"
