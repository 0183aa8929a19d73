"""Every service by hand: what a person with grpcurl and no proto files can do, with the documented examples."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from clients.conformance.stages import CALL, NLU, STAGES, STT, TTS
from services.runtime.reflection import PACKAGES
from tests.conformance.servers import LANGUAGES, SCRIPTED, Server, running, wait_until_serving
from tests.conformance.test_identity import Certificates, table

EXAMPLES = Path(__file__).parents[2] / "clients" / "grpcurl"
LIMIT_S = 60


def grpcurl(server: Server, *arguments: str, stdin: str = "") -> str:
    """Run grpcurl as the lock file has it; fails with what it said."""
    command = shutil.which("grpcurl")
    assert command is not None, "grpcurl comes with the development packages: uv sync"
    options = [argument for argument in arguments if argument.startswith("-") or argument == "@"]
    words = [argument for argument in arguments if argument not in options]
    ran = subprocess.run(
        [command, "-plaintext", *options, server.target, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def messages(output: str) -> list[dict[str, object]]:
    """The JSON objects of an output, one after another."""
    decoder, found = json.JSONDecoder(), []
    while output := output.lstrip():
        message, end = decoder.raw_decode(output)
        found.append(message)
        output = output[end:]
    return found


def test_the_services_are_listed(scripted_server: Server) -> None:
    assert grpcurl(scripted_server, "list").split() == sorted(
        [scripted_server.stage.full_name, "grpc.health.v1.Health", *(f"{name}.ServerReflection" for name in PACKAGES)]
    )


def test_everything_that_is_listed_is_described(scripted_server: Server) -> None:
    described = grpcurl(scripted_server, "describe")
    for service in grpcurl(scripted_server, "list").split():
        assert f"{service} is a service" in described


def test_a_method_is_found_by_its_name(scripted_server: Server) -> None:
    stage = scripted_server.stage
    described = grpcurl(scripted_server, "describe", f"{stage.full_name}.{stage.method}")
    assert f"rpc {stage.method} ( stream " in described


def test_health_is_asked_by_the_name_of_the_service(scripted_server: Server) -> None:
    request = json.dumps({"service": scripted_server.stage.full_name})
    answer = grpcurl(scripted_server, "-d", "@", "grpc.health.v1.Health/Check", stdin=request)
    assert messages(answer) == [{"status": "SERVING"}]


def test_the_unary_method_is_called(scripted_server: Server) -> None:
    stage = scripted_server.stage
    assert messages(grpcurl(scripted_server, f"{stage.full_name}/{stage.describe_method}")) is not None


def run_example(server: Server) -> list[dict[str, object]]:
    """Send the service's example, in a language of the engine, and return what it answers, up to an OK end."""
    lines = (EXAMPLES / f"{server.stage.name}.jsonl").read_text(encoding="utf-8")
    if server.stage.name == "stt":
        lines = lines.replace('"en-US"', f'"{LANGUAGES.get(server.engine, "en-US")}"')
    return messages(grpcurl(server, "-d", "@", f"{server.stage.full_name}/{server.stage.method}", stdin=lines))


def test_every_example_is_one_json_object_a_line() -> None:
    for name in STAGES:
        lines = (EXAMPLES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert "config" in json.loads(lines[0])
        assert all(len(json.loads(line)) == 1 for line in lines)


def test_the_example_of_recognition_gives_a_transcript(stt: Server) -> None:
    answers = run_example(stt)
    assert "engine" in answers[0]
    texts = [answer["transcript"] for answer in answers if "transcript" in answer]
    if stt.engine not in LANGUAGES:  # one that knows English words
        assert any(text["stage"] == "STAGE_SETTLED" and "appointment" in text["text"] for text in texts)  # type: ignore[index]
    assert "utterance_settled" in answers[-1] or "utterance_settled" in answers[-2]


def test_the_example_of_thinking_gives_a_reply(nlu: Server) -> None:
    answers = run_example(nlu)
    assert "engine" in answers[0]
    assert any("reply_text" in answer for answer in answers)
    assert answers[-1]["turn_end"]["outcome"] == "OUTCOME_COMPLETED"  # type: ignore[index]


def test_the_example_of_speaking_gives_speech(tts: Server) -> None:
    answers = run_example(tts)
    assert "engine" in answers[0]
    assert any("audio" in answer for answer in answers)
    assert any("spoken_text" in answer for answer in answers)
    assert answers[-1]["turn_end"]["outcome"] == "OUTCOME_COMPLETED"  # type: ignore[index]


def test_the_example_of_a_call_is_answered_and_ends(gateway: Server) -> None:
    answers = run_example(gateway)
    assert "call" in answers[0]
    assert any("audio" in answer for answer in answers)
    assert "end" in answers[-1]


README = (EXAMPLES.parents[1] / "README.md").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"^grpcurl -plaintext (.*?)\s*(?:#.*)?$", README, re.MULTILINE)
GUARDED = re.findall(r"`(-cacert [^`]+)` takes the place of `-plaintext`", README.replace("\n", " "))
ASKS_FOREVER = "WatchCalls"
TOKEN = "by-hand-0123456789abcdef"  # noqa: S105 - a test's own


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Server]]]:
    """All four with TLS and tokens on, by the ports of the documentation; and the folder with ca.pem."""
    folder = tmp_path_factory.mktemp("guarded")
    own = Certificates(folder)
    tokens = folder / "tokens.toml"
    tokens.write_text(table("by hand", TOKEN, "*", 'connect", "watch'))
    settings = {
        "TONG_DAI_TLS_CERTIFICATE_FILE": str(own.server),
        "TONG_DAI_TLS_KEY_FILE": str(own.server_key),
        "TONG_DAI_AUTH_TOKENS_FILE": str(tokens),
    }
    to_stages = {"GATEWAY_STAGE_TLS_CA_FILE": str(own.authority), "GATEWAY_STAGE_TOKEN": TOKEN}
    credentials = grpc.ssl_channel_credentials(own.authority.read_bytes())
    with ExitStack() as stack:
        stages = [
            stack.enter_context(running(kind, SCRIPTED[kind.name], folder, settings=settings, is_awaited=False))
            for kind in (STT, NLU, TTS)
        ]
        gateway = running(
            CALL, "script", folder, settings=settings | to_stages, backing=tuple(stages), is_awaited=False
        )
        servers = [stack.enter_context(gateway), *stages]
        for server in servers:
            wait_until_serving(server, credentials)
        yield folder, dict(zip(("50051", "50052", "50053", "50054"), servers, strict=True))


def test_there_are_documented_commands() -> None:
    assert len(DOCUMENTED) > 5
    assert len(GUARDED) == 1


@pytest.mark.parametrize("line", DOCUMENTED)
def test_a_documented_command_works_with_tls_and_a_token(line: str, guarded: tuple[Path, dict[str, Server]]) -> None:
    folder, servers = guarded
    ran = by_hand(line, folder, servers, GUARDED[0])
    if ASKS_FOREVER in line:  # it was let in, and ended by our own limit
        assert "DeadlineExceeded" in ran.stderr, ran.stderr
    else:
        assert (ran.returncode, ran.stdout != "") == (0, True), ran.stderr


@pytest.mark.parametrize("options", ["-cacert ca.pem", "-plaintext", "-cacert ca.pem -H 'authorization: Bearer no'"])
def test_without_tls_or_the_token_it_does_not(options: str, guarded: tuple[Path, dict[str, Server]]) -> None:
    folder, servers = guarded
    for line in DOCUMENTED:
        if "voice." in line and "describe" not in line:
            assert by_hand(line, folder, servers, options).returncode != 0, line


def by_hand(line: str, folder: Path, servers: dict[str, Server], options: str) -> "subprocess.CompletedProcess[str]":
    """A command of the documentation, as a shell runs it in the project's folder."""
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    assert found is not None, line
    line = line.replace(found[0], servers[found[1]].target)
    limits = f"-connect-timeout 4 -max-time {3 if ASKS_FOREVER in line else LIMIT_S}"
    options = f"{limits} {options.replace('ca.pem', str(folder / 'ca.pem'))}"
    return subprocess.run(
        ["/bin/sh", "-c", f"grpcurl {options} {line}"],
        cwd=EXAMPLES.parents[1], env=os.environ | {"TOKEN": TOKEN}, capture_output=True, text=True, check=False,
        timeout=LIMIT_S + 10,
    )  # fmt: skip
