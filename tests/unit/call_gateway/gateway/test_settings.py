"""What an operator sets reaches every conversation."""

import pytest

from services.call_gateway.settings import GatewaySettings


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
def test_how_patient_a_conversation_is_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, expected: float
):
    monkeypatch.setenv(variable, value)
    assert getattr(GatewaySettings().conversation, field) == expected


def test_dead_air_ends_when_both_stages_have_had_their_time(monkeypatch: pytest.MonkeyPatch):
    assert GatewaySettings().conversation.dead_air_limit_ms == 2900
    monkeypatch.setenv("GATEWAY_FIRST_CLAUSE_S", "4")
    assert GatewaySettings().conversation.dead_air_limit_ms == 5000
