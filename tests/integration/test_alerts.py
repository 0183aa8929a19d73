"""Alerts and dashboard by a real Prometheus: every expression finds series, each alert fires in its incident alone."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from voice.call.v1 import call_pb2, call_pb2_grpc

from tests.fakes.ports import free_port
from tests.integration.program_caller import calling
from tests.integration.prometheus import RULES, promtool, running_prometheus
from tests.integration.scripted_stack import scripted_stack
from tests.load.clips import load_clips

DASHBOARD = json.loads((RULES.parents[1] / "grafana" / "dashboards" / "tong-dai.json").read_text(encoding="utf-8"))
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
COMPARISON = re.compile(r"(==|!=|>=|<=|(?<![=!<>])>|(?<![=!<>])<)(?=\s)")


def steady(**changes: str) -> dict[str, str]:
    """The series of one hour after another in which all is well, a sample a minute, with these changes."""
    well = {
        'up{job="tong-dai", service="tts"}': "1x600",
        'voice_ari_connected{instance="gw"}': "1x600",
        'voice_calls_total{cause="caller"}': "0+10x600",
        'voice_calls_total{cause="failure"}': "0x600",
        'voice_calls_up{edge="ari"}': "3x600",
        'voice_turn_latency_seconds_bucket{le="0.4"}': "0+60x600",
        'voice_turn_latency_seconds_bucket{le="0.5"}': "0+60x600",
        'voice_turn_latency_seconds_bucket{le="+Inf"}': "0+60x600",
        'voice_event_loop_lag_seconds_bucket{stage="call", le="0.01"}': "0+600x600",
        'voice_event_loop_lag_seconds_bucket{stage="call", le="+Inf"}': "0+600x600",
        'voice_failures_total{stage="nlu"}': "0x600",
        'voice_errors_total{stage="tts", reason="CAPACITY"}': "0x600",
        'voice_client_errors_total{stage="tts", reason="EMPTY_TEXT"}': "0+1x600",
        'voice_queue_dropped_total{stage="call", queue="watcher"}': "0x600",
        'voice_stage_failures_total{stage="tts"}': "0x600",
        'voice_rtp_foreign_packets_total{instance="gw"}': "0x600",
    }
    return well | changes


# Each has an hour of peace, then its incident; and the alerts that must fire at its end, and no others.
INCIDENTS: dict[str, tuple[dict[str, str], str, set[str]]] = {
    "peace": (steady(), "3h", set()),
    "clients send nonsense": (
        steady(**{'voice_client_errors_total{stage="tts", reason="EMPTY_TEXT"}': "0+10000x600"}),
        "2h",
        set(),
    ),
    "quotas refuse calls": (
        steady(**{'voice_errors_total{stage="call", reason="TENANT_QUOTA"}': "0+600x600"}),
        "2h",
        set(),
    ),
    "a service is gone": (steady(**{'up{job="tong-dai", service="tts"}': "1x60 0x60"}), "1h5m", {"ServiceIsGone"}),
    "no service is a target any more": (
        steady(**{'up{job="tong-dai", service="tts"}': "1x60 stale"}),
        "1h5m",
        {"ServiceIsGone"},
    ),
    "the job has another name": (
        {key.replace("tong-dai", "voice"): values for key, values in steady().items()},
        "1h5m",
        {"ServiceIsGone"},
    ),
    "Asterisk is lost": (steady(**{'voice_ari_connected{instance="gw"}': "1x60 0x60"}), "1h5m", {"AsteriskIsLost"}),
    "Asterisk restarts": (steady(**{'voice_ari_connected{instance="gw"}': "1x60 0 1x60"}), "1h5m", set()),
    "calls stop coming": (
        steady(
            **{
                'voice_calls_total{cause="caller"}': "0+10x60 600x120",
                'voice_calls_up{edge="ari"}': "3x60 0x120",
                'voice_turn_latency_seconds_bucket{le="0.4"}': "0+60x60 3600x120",
                'voice_turn_latency_seconds_bucket{le="0.5"}': "0+60x60 3600x120",
                'voice_turn_latency_seconds_bucket{le="+Inf"}': "0+60x60 3600x120",
            }
        ),
        "1h40m",
        {"NoCalls"},
    ),
    "calls stop coming at a restart": (  # what was shown of the process before ends, and none of it is up
        steady(
            **{
                'voice_calls_total{cause="caller"}': "0+10x60 stale",
                'voice_calls_total{cause="failure"}': "0x60 stale",
                'voice_calls_up{edge="ari"}': "3x60 stale",
                'voice_calls_total{cause="caller", instance="new"}': "_x60 0x120",
                'voice_calls_total{cause="failure", instance="new"}': "_x60 0x120",
                'voice_turn_latency_seconds_bucket{le="0.4"}': "0+60x60 3600x120",
                'voice_turn_latency_seconds_bucket{le="0.5"}': "0+60x60 3600x120",
                'voice_turn_latency_seconds_bucket{le="+Inf"}': "0+60x60 3600x120",
            }
        ),
        "1h40m",
        {"NoCalls"},
    ),
    "a quiet night goes on": (
        steady(**{'voice_calls_total{cause="caller"}': "5x600", 'voice_calls_up{edge="ari"}': "0x600"}),
        "3h",
        set(),
    ),
    "answers are slow": (
        steady(
            **{
                'voice_turn_latency_seconds_bucket{le="0.4"}': "0+60x60 3600x60",
                'voice_turn_latency_seconds_bucket{le="0.5"}': "0+60x60 3600x60",
                'voice_turn_latency_seconds_bucket{le="1"}': "0+60x120",
            }
        ),
        "1h30m",
        {"AnswersAreSlow"},
    ),
    "a stage is in trouble": (
        steady(**{'voice_stage_failures_total{stage="tts"}': "0x60 0+6x60"}),
        "1h15m",
        {"StagesAreInTrouble"},
    ),
    "every call loses a stage at once, after a start": (
        steady(
            **{
                'voice_stage_trouble_total{stage="tts", reason="STALLED", remedy="retry"}': "_x60 60x60",
                'voice_stage_failures_total{stage="tts"}': "0x60 60x60",
            }
        ),
        "1h4m",
        {"StagesAreInTrouble"},
    ),
    "turns fail": (
        steady(**{'voice_failures_total{stage="nlu"}': "0x60 0+10x60"}),
        "1h20m",
        {"TurnsFail"},
    ),
    "turns fail by reasons that have not been there before": (
        steady(
            **{
                'voice_errors_total{stage="nlu", reason="ENGINE_FAILED"}': "_x60 100x60",
                'voice_errors_total{stage="nlu", reason="OUT_OF_MEMORY"}': "_x64 100x60",
                'voice_failures_total{stage="nlu"}': "0x60 100x3 200x60",
            }
        ),
        "1h8m",
        {"TurnsFail"},
    ),
    "strangers send RTP": (
        steady(**{'voice_rtp_foreign_packets_total{instance="gw"}': "0x60 0+3000x60"}),
        "1h15m",
        {"ForeignRtp"},
    ),
    "a loop lags": (
        steady(
            **{
                'voice_event_loop_lag_seconds_bucket{stage="call", le="0.01"}': "0+600x60 36000x60",
                'voice_event_loop_lag_seconds_bucket{stage="call", le="0.5"}': "0+600x120",
            }
        ),
        "1h20m",
        {"EventLoopLags"},
    ),
    "a queue drops": (
        steady(**{'voice_queue_dropped_total{stage="call", queue="watcher"}': "0x60 0+5x60"}),
        "1h10m",
        {"QueueDrops"},
    ),
    "a stage is full": (
        steady(**{'voice_errors_total{stage="tts", reason="CAPACITY"}': "0x60 0+5x60"}),
        "1h10m",
        {"StageIsFull"},
    ),
    "half of the calls fail": (
        steady(**{'voice_calls_total{cause="failure"}': "0x60 0+10x60"}),
        "1h40m",
        {"CallsFailFast", "CallsFail"},
    ),
    "an outage of two minutes is over": (  # it has used up more than a month's budget at so few calls
        steady(**{'voice_calls_total{cause="failure"}': "0x60 0 10 20x240"}),
        "2h30m",
        {"CallsFailSlowly"},
    ),
    "one call in twenty-five fails for hours": (
        steady(**{'voice_calls_total{cause="failure"}': "0x60 0+0.4x540"}),
        "9h",
        {"CallsFail", "CallsFailSlowly"},
    ),
    "one call in a hundred fails all the time": (
        steady(**{'voice_calls_total{cause="failure"}': "0+0.1x600"}),
        "8h",
        {"CallsFailSlowly"},
    ),
    "one call in a thousand fails": (steady(**{'voice_calls_total{cause="failure"}': "0+0.01x600"}), "8h", set()),
}


def test_every_alert_has_its_incident() -> None:
    assert set().union(*(fired for _, _, fired in INCIDENTS.values())) == set(ALERTS)


@pytest.mark.parametrize("name", list(INCIDENTS))
def test_each_alert_fires_in_its_incident_and_only_there(name: str, tmp_path: Path) -> None:
    series, at, fired = INCIDENTS[name]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": values} for key, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > 0',
                        "eval_time": at,
                        "exp_samples": [{"labels": "{}", "value": 1}] if alert in fired else [],
                    }
                    for alert in ALERTS
                ],
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump(test), encoding="utf-8")
    promtool("test", "rules", str(file))


def test_the_files_are_good() -> None:
    promtool("check", "rules", str(RULES))
    promtool("check", "config", str(RULES.with_name("prometheus.yml")))


def expressions() -> list[str]:
    """The expressions of the dashboard and of the rules, comparisons as values: an alert that is quiet has none."""
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    shown = [each.replace("$__rate_interval", "1m").replace("$__range", "1m") for each in shown]
    rules = [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    return shown + [COMPARISON.sub(r"\1 bool", rule["expr"]) for rule in rules]


@pytest.mark.timeout(300)
@pytest.mark.asyncio(loop_scope="session")
async def test_every_expression_finds_series_after_an_incident(tmp_path: Path) -> None:
    ports = {name: free_port() for name in ("stt", "nlu", "tts", "call")}
    settings: dict[str, dict[str, str]] = {
        name: {f"{'GATEWAY' if name == 'call' else name.upper()}_METRICS_PORT": str(port)}
        for name, port in ports.items()
    }
    settings["call"] |= {"GATEWAY_EDGES": "ari,program", "GATEWAY_ARI_URL": f"http://127.0.0.1:{free_port()}"}
    clip = next(clip for clip in load_clips() if clip.kind == "plain")
    says = ["Say sure, please."] * 20
    with scripted_stack(tmp_path / "stack", says, settings) as stack, running_prometheus(tmp_path, ports) as prometheus:
        async with calling(stack.gateway) as caller:
            await caller.until(lambda caller: caller.turns(by_gateway=False), 30)
            for n_turns in (2, 3):
                await caller.say(clip)
                await caller.until(lambda caller: len(caller.turns(by_gateway=False)) >= n_turns, 30)  # noqa: B023
            async with grpc.aio.insecure_channel(stack.gateway) as channel:
                with pytest.raises(grpc.aio.AioRpcError):  # a client's fault
                    await call_pb2_grpc.CallGatewayServiceStub(channel).GetCall(call_pb2.GetCallRequest(call_id="none"))
        async with calling(stack.gateway) as caller:
            await caller.until(lambda caller: caller.turns(by_gateway=False), 30)
            stack.kill("nlu")
            await caller.say(clip)
            await caller.until(lambda caller: caller.end, 60)
        await asyncio.to_thread(stack.mend)
        missing = expressions()
        for _ in range(30):
            missing = [each for each in missing if not await asyncio.to_thread(prometheus.query, each)]
            if not missing:
                break
            await asyncio.sleep(1)
        assert missing == []
        sick: list[Any] = [rule["name"] for rule in prometheus.rules() if rule["health"] == "err"]
        assert sick == []
