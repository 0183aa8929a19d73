"""The conformance kit itself: it fails each wrong server on its rule, passes a right one, and reports as it says."""

import asyncio
import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from clients.conformance import streams
from clients.conformance.kit import Outcome, Target, checks_of, judge, run_check
from clients.conformance.rules import RULES
from clients.conformance.stages import CALL, NLU, STT, TTS, Stage
from tests.conformance import wrong_servers, wrong_stt_servers  # noqa: F401 - each registers its servers in WRONG
from tests.conformance.conftest import Start
from tests.conformance.proxied_servers import WRONG, Faithful, proxied
from tests.conformance.servers import ROOT, SCRIPTED


async def outcome_of(rule: int, target: Target) -> tuple[Outcome, str]:
    """The outcome of the checks of one rule on a server, and its detail."""
    features = await target.features()
    checks = [one for one in checks_of(target.stage.name) if rule in one.rules]
    results = [await run_check(one, target, features) for one in checks]
    [judged] = judge(target.stage.name, results, frozenset({rule}))
    return judged.outcome, judged.detail


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", WRONG, ids=lambda kind: f"{kind.breaks}-{kind.__name__}")
async def test_a_wrong_server_fails_on_its_rule(
    kind: type[Faithful], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LIMIT_S", 3.0)  # what never comes need not be waited for long
    behind = start(kind.stage.name, SCRIPTED[kind.stage.name])
    async with proxied(kind, behind.target) as target:
        outcome, detail = await outcome_of(kind.breaks, Target(target, kind.stage))
    assert outcome is Outcome.FAILED, detail


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stage", [STT, NLU, TTS, CALL], ids=lambda stage: stage.name)
async def test_a_faithful_proxy_passes(stage: Stage, start: Start) -> None:
    """The wrong servers fail by what they change, not by being proxies."""
    behind = start(stage.name, SCRIPTED[stage.name])
    kind = type("Right", (Faithful,), {"stage": stage})
    async with proxied(kind, behind.target) as target:
        for rule in sorted({kind.breaks for kind in WRONG if kind.stage is stage}):
            outcome, detail = await outcome_of(rule, Target(target, stage))
            assert outcome is Outcome.PASSED, detail


def test_every_rule_a_server_can_break_has_a_server_that_breaks_it() -> None:
    bound = {rule.number for rule in RULES if rule.unchecked}
    assert {rule.number for rule in RULES} == {kind.breaks for kind in WRONG} | bound


async def kit(*arguments: str) -> tuple[int, str, str]:
    """Run the kit as its user does; returns exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "clients.conformance",
        *arguments,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos/gen'}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.timeout(300)
async def test_the_program_prints_every_rule_and_writes_both_reports(start: Start, tmp_path: Path) -> None:
    server = start("tts", "tone")
    as_json, as_junit = tmp_path / "run.json", tmp_path / "run.xml"
    code, out, _ = await kit(
        "--target", server.target, "--service", "tts", "--json", str(as_json), "--junit", str(as_junit)
    )
    assert code == 0, out
    assert [int(line[:3]) for line in out.splitlines() if line[:3].strip().isdigit()] == [r.number for r in RULES]
    rules = {rule["rule"]: rule["outcome"] for rule in json.loads(as_json.read_text())["rules"]}
    assert rules[25] == "pass"
    assert rules[6] == "not applicable"
    suite = ET.parse(as_junit).getroot()  # noqa: S314  our own file
    assert (suite.get("tests"), suite.get("failures")) == (str(len(RULES)), "0")


@pytest.mark.timeout(120)
async def test_a_failed_rule_is_the_exit_code(start: Start) -> None:
    [kind] = [kind for kind in WRONG if kind.__name__ == "EndsATurnTwice"]
    async with proxied(kind, start("tts", "tone").target) as target:
        code, out, _ = await kit("--target", target, "--service", "tts", "--only", "18")
    assert code == 1
    assert " 18  fail" in out


async def test_a_server_that_is_not_there_is_one_line() -> None:
    code, out, err = await kit("--target", "127.0.0.1:9", "--service", "stt")
    assert code == 2
    assert out == ""
    assert err.strip().startswith("conformance: no stream can be opened on 127.0.0.1:9: UNAVAILABLE")
