"""The two sides of tests.load.compose_overhead: two stacks that do not meet, and the answers of a call."""

import math

from deploy.stack import SERVICES, settings_kind
from tests.load import compose_overhead
from tests.load.report import Report


def test_the_stack_of_processes_meets_the_one_in_containers_at_no_port() -> None:
    own = compose_overhead.processes_environment({"HOME": "/root"})
    assert own["HOME"] == "/root"
    assert own["NLU_MODEL"] == "qwen2.5-0.5b-instruct", "the preset that compose.yaml names"
    ports = [own[f"{each.prefix}_{kind}"] for each in SERVICES for kind in ("PORT", "METRICS_PORT")]
    defaults = {
        settings_kind(each).model_fields[field].default for each in SERVICES for field in ("port", "metrics_port")
    }
    assert len(set(ports)) == len(ports)
    assert not {int(port) for port in ports} & defaults
    for name in ("STT", "NLU", "TTS"):
        assert own[f"GATEWAY_{name}_TARGET"] == f"127.0.0.1:{own[f'{name}_PORT']}"
    assert own["GATEWAY_EDGES"] == "program", "the Asterisk is the containers'"


def test_a_question_without_an_answer_is_not_left_out() -> None:
    printed = "* asking a.wav\n* answered after 612 ms on the wire\n* asking b.wav\n* no answer\n* the agent hung up\n"
    assert compose_overhead.read_answers(printed) == [612.0, math.inf]
    assert compose_overhead.read_answers("no gateway answers\n") == []


def test_what_containers_add_is_the_difference_of_the_p95() -> None:
    report = Report("x", {})
    processes = [float(each) for each in range(500, 600)]
    more = compose_overhead.compare({"containers": [each + 12.0 for each in processes], "processes": processes}, report)
    assert more == 12.0
    assert "MISSED" in report.rows[-1]["targets"][0]
    report = Report("x", {})
    assert compose_overhead.compare({"containers": processes, "processes": processes}, report) == 0.0
    assert "MISSED" not in report.rows[-1]["targets"][0]
