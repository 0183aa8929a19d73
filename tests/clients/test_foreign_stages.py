"""Stages in other languages: they keep the rules, and carry a whole call that the gateway does not know them from."""

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.clients import espeak_ng
from tests.clients.conftest import out_file, run_all
from tests.clients.stack import ROOT, SAYS, GuardedStack, environment
from tests.clients.test_programs import CLIP

TONE_TTS = [str(ROOT / "clients/go/bin/tone-tts")]
ECHO_NLU = ["node", str(ROOT / "clients/typescript/dist/echo-nlu.js")]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("service", "command"), [("tts", TONE_TTS), ("nlu", ECHO_NLU)], ids=["tts", "nlu"])
def test_it_keeps_the_rules_for_what_it_lists(
    stack: GuardedStack, tmp_path: Path, service: str, command: list[str]
) -> None:
    target = stack.start_program(command, "listens on")
    kit = [sys.executable, "-m", "clients.conformance", "--target", target, "--service", service]
    ran = subprocess.run(
        [*kit, "--tls", str(stack.papers.ca), "--token-file", str(stack.papers.token)],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 fail" in ran.stdout


def test_both_carry_a_whole_call(stack: GuardedStack, tmp_path: Path) -> None:
    tts = stack.start_program(TONE_TTS, "listens on")
    nlu = stack.start_program(ECHO_NLU, "listens on")
    gateway = stack.start_gateway(tts=tts, nlu=nlu)
    ran = run_all(["call", str(CLIP), "OUT", *stack.flags(gateway.target)], tmp_path)
    for language, one in ran.items():
        assert (one.code, one.err) == (0, ""), (language, one)
        assert one.untimed.splitlines() == [
            "answered agent=echo language=en rate=8000",
            "agent: Hello, this is the echo. Say something.",
            f"caller: {SAYS}",
            f"agent: You said: {SAYS}",
            "ended CALLER turns=2",
        ], (language, one)


@pytest.mark.parametrize("command", [TONE_TTS, ECHO_NLU], ids=["tts", "nlu"])
def test_it_does_not_listen_off_loopback_in_plain_text(command: list[str]) -> None:
    ran = subprocess.run([*command, "--address", "0.0.0.0:0"], capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 1
    assert "--tls-cert" in ran.stderr


@pytest.mark.parametrize(
    ("command", "program"), [(TONE_TTS, ["say", "Hello.", "OUT"]), (ECHO_NLU, ["chat"])], ids=["tts", "nlu"]
)
def test_a_wrong_token_is_refused(stack: GuardedStack, tmp_path: Path, command: list[str], program: list[str]) -> None:
    target = stack.start_program(command, "listens on")
    wrong = ["--token-file", str(stack.papers.wrong_token)]
    for token in ([], wrong):
        ran = run_all([*program, "--target", target, "--tls-ca", str(stack.papers.ca), *token], tmp_path)
        refused = f"{program[0]}: UNAUTHENTICATED TOKEN_INVALID"
        assert {(one.code, one.error) for one in ran.values()} == {(1, refused)}, ran


def test_espeak_ng_speaks_where_it_is_installed(stack: GuardedStack, tmp_path: Path) -> None:
    target = stack.start_program(TONE_TTS, "listens on", [espeak_ng.install(tmp_path / "bin")])
    text, flags = "Hello there, how are you today?", stack.flags(target)
    ran = run_all(["say", text, "OUT", "--voice", "espeak-ng", "--rate", "1.5", *flags], tmp_path)
    assert {one.code for one in ran.values()} == {0}, ran
    assert len({one.out for one in ran.values()}) == 1, ran
    with wave.open(str(out_file(tmp_path, "go"))) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    assert 0.7 < len(samples) / 8000 < 2.5, "as long as one says it"
    assert np.abs(samples).max() > 5000
    ran = run_all(["say", text, "OUT", "--voice", "espeak-ng", "--language", "qqq", *flags], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, "say: FAILED ENGINE_FAILED")}, ran


def test_a_stage_that_is_full_says_capacity(stack: GuardedStack, tmp_path: Path) -> None:
    target = stack.start_program([*TONE_TTS, "--max-streams", "0"], "listens on")
    ran = run_all(["say", "Hello.", "OUT", *stack.flags(target)], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, "say: RESOURCE_EXHAUSTED CAPACITY")}, ran
    target = stack.start_program([*ECHO_NLU, "--max-streams", "0"], "listens on")
    ran = run_all(["chat", *stack.flags(target)], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, "chat: RESOURCE_EXHAUSTED CAPACITY")}, ran
