"""Every language says the same of what goes wrong, with a typed error and an exit code."""

import asyncio
import json
import os
import struct
import subprocess
import time
import wave
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from voice.call.v1 import call_pb2
from voice.type.v1 import audio_pb2

from clients.python import Call, Connection, Options, Speech
from tests.clients import odd_servers
from tests.clients.conftest import LANGUAGES, environment, finish, out_file, run, run_all, start
from tests.clients.odd_servers import Behaviour, LeavingAgent
from tests.clients.stack import SAYS, TOKEN, GuardedStack
from tests.clients.test_programs import CLIP, REPLY


def say_nothing(process: "subprocess.Popen[str]") -> None:
    """Half a second of silence on stdin."""
    assert process.stdin is not None
    process.stdin.write("\0" * 8000)
    process.stdin.flush()


@asynccontextmanager
async def served(behaviour: Behaviour) -> AsyncIterator[str]:
    """The target of an odd server, for the time of the body."""
    server, target = await odd_servers.serve(behaviour)
    try:
        yield target
    finally:
        await server.stop(None)


def test_a_token_that_is_refused(stack: GuardedStack, tmp_path: Path) -> None:
    flags = ["--tls-ca", str(stack.papers.ca), "--token-file", str(stack.papers.wrong_token)]
    for program, target in ((["say", "Hello.", "OUT"], stack.tts.target), (["watch"], stack.gateway.target)):
        ran = run_all([*program, "--target", target, *flags], tmp_path)
        assert {one.code for one in ran.values()} == {1}, ran
        assert {one.error for one in ran.values()} == {f"{program[0]}: UNAUTHENTICATED TOKEN_INVALID"}, ran


def test_a_server_that_another_authority_signed(stack: GuardedStack, tmp_path: Path) -> None:
    ran = run_all(
        ["say", "Hello.", "OUT", "--target", stack.tts.target, "--tls-ca", str(stack.papers.client_chain)], tmp_path
    )
    assert {(one.code, one.error) for one in ran.values()} == {(1, "say: UNAVAILABLE")}, ran


def test_a_gateway_that_is_killed_in_mid_call(stack: GuardedStack, tmp_path: Path) -> None:
    gateway = stack.start_gateway()
    flags = stack.flags(gateway.target)
    calling = {
        language: start(language, ["call", "-", str(out_file(tmp_path, language)), *flags]) for language in LANGUAGES
    }
    for process in calling.values():
        say_nothing(process)  # and stdin stays open, so that the call lasts
        assert process.stdout is not None
        assert "answered" in process.stdout.readline()
    gateway.process.kill()
    killed_at = time.monotonic()
    ran = {language: finish(process) for language, process in calling.items()}
    assert time.monotonic() - killed_at < 10
    assert {(one.code, one.error) for one in ran.values()} == {(1, "call: UNAVAILABLE")}, ran


def test_a_full_gateway_and_another_one(stack: GuardedStack, tmp_path: Path) -> None:
    full = stack.start_gateway(GATEWAY_MAX_CALLS="1")
    holding = start("go", ["call", str(CLIP), str(tmp_path / "held.wav"), *stack.flags(full.target)])
    assert holding.stdout is not None
    assert "answered" in holding.stdout.readline()
    holding.send_signal(19)  # SIGSTOP: the place stays taken
    try:
        ran = run_all(["call", str(CLIP), "OUT", *stack.flags(full.target)], tmp_path)
        assert {(one.code, one.error) for one in ran.values()} == {(1, "call: RESOURCE_EXHAUSTED CAPACITY")}, ran
        assert all("try again in 1.0 s" in one.err for one in ran.values()), ran
        either = f"{full.target},{stack.gateway.target}"
        ran = run_all(["call", str(CLIP), "OUT", *stack.flags(either)], tmp_path)
        assert {one.code for one in ran.values()} == {0}, ran
        assert all(f"agent: {REPLY}" in one.out for one in ran.values())
        waiting = {
            language: start(
                language, ["call", str(CLIP), str(tmp_path / "w.wav"), "--rounds", "9", *stack.flags(full.target)]
            )
            for language in ("python", "java")
        }
        time.sleep(3)
    finally:
        holding.kill()
        holding.wait()
    ended = [finish(process) for process in waiting.values()]
    assert [one.code for one in ended].count(0) >= 1, ended
    assert {one.error for one in ended} <= {"", "call: RESOURCE_EXHAUSTED CAPACITY"}


def test_a_client_that_does_not_read_is_not_the_servers_problem(stack: GuardedStack, tmp_path: Path) -> None:
    flags = stack.flags(stack.gateway.target)
    deaf = [start(language, ["watch", *flags]) for language in LANGUAGES]
    deaf += [start(language, ["call", str(CLIP), str(tmp_path / "d.wav"), *flags]) for language in LANGUAGES]
    for process in deaf[len(LANGUAGES) :]:
        assert process.stdout is not None
        assert "answered" in process.stdout.readline()
    for process in deaf:
        process.send_signal(19)  # SIGSTOP
    try:
        ran = run("go", ["call", str(CLIP), str(tmp_path / "out.wav"), *flags])
        assert ran.code == 0, ran
        assert f"agent: {REPLY}" in ran.out
    finally:
        for process in deaf:
            process.kill()
            process.wait()
    assert stack.gateway.process.poll() is None


async def test_a_server_of_a_newer_contract(tmp_path: Path) -> None:
    async with served(odd_servers.newer_gateway) as target:
        ran = await asyncio.to_thread(run_all, ["call", str(CLIP), "OUT", "--target", target], tmp_path)
    assert {(one.code, one.err) for one in ran.values()} == {(0, "")}, ran
    assert {one.untimed for one in ran.values()} == {
        "answered agent=later language=en rate=8000\nagent: Later.\nagent: Odd. [99]\nended 99 turns=2\n"
    }
    async with served(odd_servers.watched_gateway) as target:
        ran = await asyncio.to_thread(run_all, ["watch", "--count", "1", "--target", target], tmp_path)
    assert {(one.code, one.err) for one in ran.values()} == {(0, "")}, ran
    assert len({one.out for one in ran.values()}) == 1, ran
    watched = json.loads(ran["go"].out)
    assert (watched["outcome"], watched["turn_id"], watched["latency_ms"]) == ("99", 1 << 40, 1)
    assert watched["user_text"] == odd_servers.ODD_TEXT
    async with served(odd_servers.newer_listener) as target:
        ran = await asyncio.to_thread(run_all, ["hear", str(CLIP), "--fast", "--target", target], tmp_path)
    assert {(one.code, one.err) for one in ran.values()} == {(0, "")}, ran
    assert {one.out for one in ran.values()} == {"engine later later\n   0.062 speech 99\n   0.187 99: Later.\n"}


@pytest.mark.parametrize(
    ("behaviour", "arguments", "error"),
    [
        (odd_servers.gateway_that_ends_early, ["call", str(CLIP), "OUT"], "call: UNAVAILABLE ENDED_EARLY"),
        (odd_servers.gateway_that_fails, ["call", str(CLIP), "OUT"], "call: INTERNAL"),
        (odd_servers.voice_that_is_cut, ["say", "Hello.", "OUT"], "say: UNAVAILABLE ENDED_EARLY"),
        *(
            (odd_servers.gateway_of_a_lost_clock(**told), ["call", str(CLIP), "OUT"], "call: INTERNAL BAD_SAMPLE")
            for told in (
                {"audio": audio_pb2.AudioChunk(start_sample=-160, content=bytes(320))},
                {"audio": audio_pb2.AudioChunk(start_sample=1 << 62, content=bytes(320))},
                {"audio_discard": call_pb2.AudioDiscard(from_sample=-1)},
            )
        ),
    ],
    ids=["ends early", "fails", "voice is cut", "negative", "far", "discard"],
)
async def test_a_stream_that_is_cut(behaviour: Behaviour, arguments: list[str], error: str, tmp_path: Path) -> None:
    async with served(behaviour) as target:
        ran = await asyncio.to_thread(run_all, [*arguments, "--target", target], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, error)}, ran


async def test_late_news_of_other_turns_is_dropped(tmp_path: Path) -> None:
    async with served(odd_servers.voice_of_old_turns) as target:
        ran = await asyncio.to_thread(run_all, ["say", "Hello.", "OUT", "--target", target], tmp_path)
    assert {(one.code, one.out) for one in ran.values()} == {(0, "engine late late\nspoken 800 samples at 8000 Hz\n")}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_conversation_goes_on_elsewhere(language: str) -> None:
    agent = LeavingAgent()
    async with served(agent.behave) as target:
        ran = await asyncio.to_thread(run, language, ["chat", "--target", target], "One.\nTwo.\n")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1:] == ["agent: Answer 1 👋.", "agent: Answer 2 👋.", "agent: Answer 3 👋."]
    assert [turn.turn_id for turn in agent.turns] == [1, 2, 3]
    assert len(agent.configs) == 3, "each turn on a stream of its own"
    last = agent.configs[-1]
    assert last.state == b"state of 2"
    assert [(turn.turn_id, turn.user_text, turn.heard_text) for turn in last.history] == [
        (1, "", "Answer 1 👋."),
        (2, "One.", "Answer 2 👋."),
    ]


def bad_wavs(folder: Path) -> dict[str, Path]:
    """Files that cannot be sent, by what is wrong."""
    for name, channels, width, rate, n_samples in (
        ("rate", 1, 2, 44100, 100),
        ("stereo", 2, 2, 8000, 100),
        ("bytes", 1, 1, 8000, 100),
        ("empty", 1, 2, 8000, 0),
    ):
        with wave.open(str(folder / f"{name}.wav"), "wb") as sound:
            sound.setparams((channels, width, rate, 0, "NONE", ""))
            sound.writeframes(bytes(channels * width * n_samples))
    (folder / "text.wav").write_text("this is no sound at all")
    (folder / "headless.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEdata\x04\x00\x00\x00\x00\x00\x00\x00")
    (folder / "odd.wav").write_bytes((folder / "empty.wav").read_bytes()[:40] + struct.pack("<I", 1) + b"\0")
    (folder / "nothing.wav").write_bytes(b"")
    for name, subformat in (("extensible_float", b"\x03\0"), ("extensible_short", b"")):  # IEEE float; none at all
        extended = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 16000, 2, 16, 22, 16, 4) + subformat
        form = b"fmt " + struct.pack("<I", len(extended)) + extended
        riff = b"WAVE" + form + b"data" + struct.pack("<I", 2) + bytes(2)
        (folder / f"{name}.wav").write_bytes(b"RIFF" + struct.pack("<I", len(riff)) + riff)
    return {path.stem: path for path in folder.glob("*.wav")} | {"missing": folder / "missing.wav"}


def test_a_wav_that_cannot_be_sent_is_refused_with_the_mend(tmp_path: Path) -> None:
    for name, path in bad_wavs(tmp_path).items():
        with ThreadPoolExecutor() as pool:
            ran = list(pool.map(lambda one: run(one, ["hear", str(path), "--target", "127.0.0.1:9"]), LANGUAGES))  # noqa: B023 - run here
        assert {one.code for one in ran} == {2}, (name, ran)
        assert len({one.error for one in ran}) == 1, (name, ran)
        assert ran[0].error.startswith(f"hear: {path}: "), (name, ran)
        if name in ("rate", "stereo", "bytes", "extensible_float", "extensible_short"):
            assert "ffmpeg" in ran[0].error
        if name in ("empty", "odd"):
            assert "no samples" in ran[0].error


def test_sound_of_a_microphone_comes_on_stdin(stack: GuardedStack, tmp_path: Path) -> None:
    with wave.open(str(CLIP)) as sound:
        said = sound.readframes(sound.getnframes())
    for language, command in LANGUAGES.items():
        output = str(out_file(tmp_path, language))
        for program, operands, target in (("hear", ["-"], stack.stt), ("call", ["-", output], stack.gateway)):
            arguments = [*command, program, *operands, "--deadline", "60", *stack.flags(target.target)]
            ran = subprocess.run(arguments, input=said, capture_output=True, env=environment(), check=False)
            assert (ran.returncode, ran.stderr) == (0, b""), (language, ran)
            assert SAYS.encode() in ran.stdout, (language, ran)
            ran = subprocess.run(arguments, input=b"\0", capture_output=True, env=environment(), check=False)
            assert (ran.returncode, ran.stderr) == (2, f"{program}: -: the file has no samples\n".encode()), ran


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["hear", "/"], "hear: /: cannot be opened"),
        (["hear", "IN.wav", "--loud=1"], "hear: unknown flag --loud"),
        (["hear", "IN.wav", "--fast=1"], "hear: --fast takes no value"),
        (["hear", "IN.wav", "--agent"], "hear: --agent needs a value"),
        (["hear", "IN.wav", "more"], "hear: needed: hear IN.wav"),
        (["watch", "--count", "-1"], "watch: --count wants a whole number: -1"),
        (["hear", "-", "--sample-rate", "0"], "hear: --sample-rate wants 8000, 16000, 24000 or 48000: 0"),
        (["call", "-", "OUT", "--sample-rate=44100"], "call: --sample-rate wants 8000, 16000, 24000 or 48000: 44100"),
        (["say", "x", "OUT", "--rate", "1e3"], "say: --rate wants a number: 1e3"),
        (["chat", "--deadline", "0.0"], "chat: --deadline wants a number: 0.0"),
        (["chat", "--target", "127.0.0.1:1,a:65536"], "chat: --target wants HOST:PORT,...: 127.0.0.1:1,a:65536"),
        (["chat", "--target", "http://127.0.0.1:1"], "chat: --target wants HOST:PORT,...: http://127.0.0.1:1"),
        (["call", "-", "OUT", "--calls", "2"], "call: --calls needs a file"),
        (["chat", "--tls-key", "KEY"], "chat: --tls-cert and --tls-key go together, with --tls-ca"),
        (["chat", "--tls-ca", "/dev/null"], "chat: /dev/null: no PEM file"),
        (["chat", "--token-file", "/dev/null"], "chat: /dev/null: holds no token"),
        (["chat", "--token-file", "/"], "chat: /: cannot be opened"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_command_line_is_refused_in_the_same_words(arguments: list[str], error: str, tmp_path: Path) -> None:
    ran = run_all(arguments, tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(2, error)}, ran


def test_a_pem_file_that_holds_nothing_is_named(stack: GuardedStack, tmp_path: Path) -> None:
    frame, papers = tmp_path / "frame.pem", stack.papers
    frame.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    ran = run_all(["chat", "--tls-ca", str(frame)], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(2, f"chat: {frame}: no PEM file")}, ran
    of_another = (papers.client_chain, papers.key)
    for certificate, key in ((frame, papers.client_key), (papers.client_chain, frame), of_another):
        files = ["--tls-ca", str(papers.ca), "--tls-cert", str(certificate), "--tls-key", str(key)]
        ran = run_all(["chat", *files], tmp_path)
        refused = f"chat: {certificate}, {key}: no certificate and its key"
        assert {(one.code, one.error) for one in ran.values()} == {(2, refused)}, ran


def test_a_token_does_not_leave_the_machine_in_plain_text(stack: GuardedStack, tmp_path: Path) -> None:
    far = ["--target", "127.0.0.1:1,192.0.2.1:50053", "--token-file", str(stack.papers.token)]
    ran = run_all(["chat", *far], tmp_path)
    refused = "chat: the bearer token would go to 192.0.2.1:50053 over plain text: use TLS"
    assert {(one.code, one.error) for one in ran.values()} == {(2, refused)}, ran


async def test_what_is_left_of_a_turn_is_not_taken_for_the_next(stack: GuardedStack) -> None:
    options = Options((stack.tts.target,), tls_ca_file=stack.papers.ca, token=TOKEN)
    async with Connection(options) as connection:
        speech = await Speech.open(connection, max_lead_ms=0)
        async for _ in speech.say("This sentence is left in the middle."):
            break
        heard = [one async for one in speech.say("Hello.")]
    assert {one.audio.turn_id for one in heard if one.HasField("audio")} == {2}
    assert heard[-1].turn_end.turn_id == 2


async def test_who_speaks_reports_meanwhile_what_was_played() -> None:
    async with served(odd_servers.gateway_that_talks_meanwhile) as target, Connection(Options((target,))) as connection:
        call = await Call.open(connection)
        call.reports_played = True

        async def speak() -> None:
            await asyncio.gather(*(call.put(audio=audio_pb2.AudioChunk(content=bytes(320))) for _ in range(200)))

        speaking = asyncio.create_task(speak())
        async for _ in call:
            pass
        await speaking
    assert len(call.heard) == 200 * 320


async def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    async with served(odd_servers.voice_of_old_turns) as target:
        ran = await asyncio.to_thread(run_all, ["say", "Hello.", "/dev/full", "--target", target], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(2, "say: /dev/full: cannot be opened")}, ran


def test_a_stdin_that_cannot_be_read_has_no_samples(tmp_path: Path) -> None:
    for command in LANGUAGES.values():
        to_write = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        arguments = [*command, "hear", "-", "--target", "127.0.0.1:9"]
        ran = subprocess.run(arguments, stdin=to_write, capture_output=True, env=environment(), timeout=60, check=False)
        os.close(to_write)
        assert (ran.returncode, ran.stderr) == (2, b"hear: -: the file has no samples\n"), ran


def test_a_stdin_that_cannot_be_read_ends_a_chat(stack: GuardedStack, tmp_path: Path) -> None:
    for command in LANGUAGES.values():
        to_write = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        arguments = [*command, "chat", "--deadline", "60", *stack.flags(stack.nlu.target)]
        ran = subprocess.run(arguments, stdin=to_write, capture_output=True, env=environment(), timeout=60, check=False)
        os.close(to_write)
        assert (ran.returncode, ran.stderr) == (0, b""), ran


def test_an_output_that_cannot_be_written_is_told_by_the_exit_code(stack: GuardedStack) -> None:
    for command in LANGUAGES.values():
        hear = ["hear", str(CLIP), "--fast", "--deadline", "60", *stack.flags(stack.stt.target)]
        for arguments in (["say", "--help"], hear):
            with Path("/dev/full").open("wb") as full:
                ran = subprocess.run(
                    [*command, *arguments],
                    stdout=full,
                    stderr=subprocess.PIPE,
                    env=environment(),
                    timeout=60,
                    check=False,
                )
            assert (ran.returncode, ran.stderr) == (141, b""), ran


def test_help_behind_two_dashes_is_an_operand(tmp_path: Path) -> None:
    ran = run_all(["say", "--target", "127.0.0.1:9", "--", "--help", "OUT"], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, "say: UNAVAILABLE")}, ran


def test_nothing_listens_on_the_port(tmp_path: Path) -> None:
    ran = run_all(["say", "Hello.", "OUT", "--target", "127.0.0.1:9,127.0.0.1:10"], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, "say: UNAVAILABLE")}, ran


def test_what_the_server_refuses_names_the_field(stack: GuardedStack, tmp_path: Path) -> None:
    flags = stack.flags(stack.tts.target)
    ran = run_all(["say", "Hello.", "OUT", "--voice", "nobody", *flags], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, "say: INVALID_ARGUMENT UNKNOWN_VOICE")}, ran
    assert len({one.err for one in ran.values()}) == 1
    ran = run_all(["say", "...", "OUT", *flags], tmp_path)
    assert {(one.code, one.error) for one in ran.values()} == {(1, "say: FAILED NOTHING_TO_SPEAK")}, ran
