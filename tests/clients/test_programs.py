"""The five programs print the same in every language, against running services with TLS and a token."""

import json
import re
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.clients.conftest import LANGUAGES, finish, out_file, run, run_all, start
from tests.clients.stack import ROOT, SAYS, GuardedStack

CLIP = ROOT / "tests/data/clips/000-plain.wav"
DOCUMENTED = re.compile(r"^\| (`--.*?) \| ([a-z, ]+) \|", re.MULTILINE)
"""A row of the table of flags: the flags, and the programs that have them."""
REPLY = "Sure, we have a free chair on Tuesday at ten."


def samples_of(path: Path) -> int:
    with wave.open(str(path)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        return sound.getnframes()


def test_a_call_has_the_same_transcript(stack: GuardedStack, tmp_path: Path) -> None:
    ran = run_all(["call", str(CLIP), "OUT", *stack.flags(stack.gateway.target)], tmp_path)
    for language, one in ran.items():
        assert (one.code, one.err) == (0, ""), (language, one)
        assert one.untimed.splitlines() == [
            "answered agent=quick language=en rate=8000",
            "agent: Hello there.",
            f"caller: {SAYS}",
            f"agent: {REPLY}",
            "ended CALLER turns=2",
        ], (language, one)
    assert {samples_of(out_file(tmp_path, language)) > 2 * 8000 for language in LANGUAGES} == {True}


def test_every_turn_is_watched_as_it_ends(stack: GuardedStack, tmp_path: Path) -> None:
    flags = stack.flags(stack.gateway.target)
    watching = {language: start(language, ["watch", "--count", "2", *flags]) for language in LANGUAGES}
    time.sleep(5)  # nothing is printed by a watcher that has nothing to tell
    assert run("go", ["call", str(CLIP), str(tmp_path / "out.wav"), *flags]).code == 0
    ran = {language: finish(process) for language, process in watching.items()}
    assert {one.code for one in ran.values()} == {0}, ran
    assert len({one.out for one in ran.values()}) == 1, "one call, seen by four"
    greeting, answer = map(json.loads, ran["python"].out.splitlines())
    assert greeting["call_id"] == answer["call_id"]
    assert (greeting["heard_text"], answer["user_text"], answer["heard_text"]) == ("Hello there.", SAYS, REPLY)
    assert (answer["outcome"], answer["is_gateway_prompt"]) == ("COMPLETED", False)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_same_text_is_the_same_sound(stack: GuardedStack, tmp_path: Path, rate: int) -> None:
    text = "Xin chào, 你好 👋: “hello” & goodbye."
    flags = stack.flags(stack.tts.target)
    ran = run_all(["say", text, "OUT", "--sample-rate", str(rate), *flags], tmp_path)
    assert {(one.code, one.err) for one in ran.values()} == {(0, "")}, ran
    (said,) = {one.out for one in ran.values()}
    spoken = re.fullmatch(rf"engine tone tone\nspoken (\d+) samples at {rate} Hz\n", said)
    assert spoken is not None
    assert int(spoken[1]) >= len(text) * 30 * rate // 1000
    written = [out_file(tmp_path, language).read_bytes() for language in LANGUAGES]
    assert len({wav[:44] for wav in written}) == 1, "one header"
    first, *others = (np.frombuffer(wav[44:], "<i2").astype(float) for wav in written)
    for other in others:  # the server learns how loud a voice is, and each is a little closer to its level
        assert np.corrcoef(first, other)[0, 1] > 0.99


def test_the_same_sound_is_the_same_text(stack: GuardedStack, tmp_path: Path) -> None:
    ran = run_all(["hear", str(CLIP), *stack.flags(stack.stt.target)], tmp_path)
    assert {(one.code, one.err) for one in ran.values()} == {(0, "")}, ran
    assert len({one.out for one in ran.values()}) == 1, ran
    lines = ran["python"].out.splitlines()
    assert lines[0] == "engine script script"
    assert any(line.endswith(f"draft: {SAYS}") for line in lines)
    assert lines[-1].endswith(f"settled: {SAYS}")
    fast = run_all(["hear", str(CLIP), "--fast", *stack.flags(stack.stt.target)], tmp_path)
    assert {one.out for one in fast.values()} == {ran["python"].out}, "waits are counted in samples"


def test_a_chat_goes_the_same_way(stack: GuardedStack, tmp_path: Path) -> None:
    said = "Please say sure.\n\n  say nine, bitte: đường \nsay hang up\nnever read\n"
    ran = run_all(["chat", *stack.flags(stack.nlu.target)], tmp_path, said)
    assert {(one.code, one.err) for one in ran.values()} == {(0, "")}, ran
    assert {one.out for one in ran.values()} == {
        "engine script replies agent=quick\n"
        "agent: Hello there.\n"
        f"agent: {REPLY}\n"
        "agent: We have a free chair on Tuesday at ten, and another one on Friday.\n"
        "agent: Thank you for calling. Goodbye!\n"
        "action: hang_up\n"
    }


def test_a_line_of_a_chat_ends_with_a_line_feed_alone(stack: GuardedStack, tmp_path: Path) -> None:
    said = "say\rsure\nsay\u2028sure\n\u00a0\n\x1csay sure\n\v\t say sure \r\n"
    ran = run_all(["chat", *stack.flags(stack.nlu.target)], tmp_path, said)
    assert {(one.code, one.err) for one in ran.values()} == {(0, "")}, ran
    assert len({one.out for one in ran.values()}) == 1, ran
    assert ran["go"].out.splitlines()[2:] == [
        f"agent: {REPLY}",
        f"agent: {REPLY}",
        "failed: EMPTY_TEXT",
        "failed: CONTROL_CHARACTERS",
        f"agent: {REPLY}",
    ]


def test_a_chat_ends_with_its_input(stack: GuardedStack, tmp_path: Path) -> None:
    ran = run_all(["chat", *stack.flags(stack.nlu.target)], tmp_path, "say sure")
    assert {one.code for one in ran.values()} == {0}
    assert {one.out.splitlines()[-1] for one in ran.values()} == {f"agent: {REPLY}"}


def test_several_calls_print_their_figures(stack: GuardedStack, tmp_path: Path) -> None:
    ran = run_all(["call", str(CLIP), "OUT", "--calls", "2", *stack.flags(stack.gateway.target)], tmp_path)
    for language, one in ran.items():
        figures = json.loads(one.out)
        assert (one.code, figures["calls"], figures["failed"], len(figures["answer_ms"])) == (0, 2, 0, 2), language
        assert 0 < figures["cpu_s"] < 60


def test_a_client_certificate_opens_a_server_that_asks_for_one(stack: GuardedStack, tmp_path: Path) -> None:
    papers = stack.papers
    voice = stack.start_tts(TONG_DAI_TLS_CLIENT_CA_FILE=str(papers.ca))
    own = ["--tls-cert", str(papers.client_chain), "--tls-key", str(papers.client_key)]
    arguments = ["say", "Hello.", "OUT", *stack.flags(voice.target)]
    for _ in range(60):  # it cannot be asked for its health without a certificate
        if run("go", ["say", "Hello.", str(tmp_path / "out.wav"), *stack.flags(voice.target), *own]).code == 0:
            break
        time.sleep(0.5)
    assert {one.code for one in run_all([*arguments, *own], tmp_path).values()} == {0}
    refused = run_all(arguments, tmp_path)
    assert {(one.code, one.error) for one in refused.values()} == {(1, "say: UNAVAILABLE")}, refused


def test_help_and_wrong_options(tmp_path: Path) -> None:
    for program in ("call", "watch", "say", "hear", "chat"):
        ran = run_all([program, "--help"], tmp_path)
        assert {one.code for one in ran.values()} == {0}, ran
        assert len({one.out for one in ran.values()}) == 1, ran
        for row in DOCUMENTED.findall((ROOT / "docs/CLIENTS.md").read_text(encoding="utf-8")):
            flags, programs = re.findall(r"--[a-z-]+", row[0]), row[1].split(", ")
            has = programs == ["all"] or program in programs
            assert {f"  {flag} " in ran["go"].out for flag in flags} == {has}, (program, row)
    ran = run_all(["sing"], tmp_path)
    assert {(one.code, one.err) for one in ran.values()} == {(2, "usage: tong-dai call|watch|say|hear|chat [--help]\n")}


def test_a_program_of_every_language_is_interrupted(stack: GuardedStack) -> None:
    talking = {language: start(language, ["chat", *stack.flags(stack.nlu.target)]) for language in LANGUAGES}
    for process in talking.values():
        assert process.stdout is not None
        assert "engine" in process.stdout.readline()
        assert "agent" in process.stdout.readline()
    for process in talking.values():  # each waits for a line that does not come
        process.send_signal(2)
    assert {language: process.wait(30) for language, process in talking.items()} == dict.fromkeys(LANGUAGES, 130)


def test_a_program_ends_when_the_reader_of_its_output_is_gone(stack: GuardedStack) -> None:
    flags = stack.flags(stack.nlu.target)
    talking = {language: start(language, ["chat", *flags]) for language in LANGUAGES}
    codes = {}
    for language, process in talking.items():
        assert process.stdout is not None
        assert process.stdin is not None
        assert "engine" in process.stdout.readline()
        process.stdout.close()
        process.stdin.write("Please say sure.\n" * 3)
        process.stdin.close()
        codes[language] = process.wait(60)
    assert set(codes.values()) <= {141, -13}, codes  # as a shell shows it, or the signal itself
