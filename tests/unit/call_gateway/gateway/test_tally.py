"""Counters of a call reach Prometheus once."""

from prometheus_client import REGISTRY

from services.call_gateway.calls import CallTally


def value(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def test_only_what_grew_since_the_last_time_is_added():
    before, wasted = value("voice_echo_vetoes_total"), value("voice_drafts_wasted_seconds_total")
    tally = CallTally()
    tally.tell({"echoes": 2, "drafts_wasted_us": 500_000})
    tally.tell({"echoes": 2, "drafts_wasted_us": 500_000})
    tally.tell({"echoes": 5, "drafts_wasted_us": 1_500_000})
    assert value("voice_echo_vetoes_total") == before + 5
    assert value("voice_drafts_wasted_seconds_total") == wasted + 1.5


def test_calls_are_told_apart():
    before = value("voice_underruns_total")
    for _ in range(2):
        CallTally().tell({"underruns": 3, "late_ReplyClause": 7})
    assert value("voice_underruns_total") == before + 6
