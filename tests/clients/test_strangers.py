"""Programs of another team against each library: what they are told, and that none of them hangs or falls over."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients import odd_servers
from tests.clients.conftest import LANGUAGES, Ran, finish, run_all
from tests.clients.stack import ROOT, GuardedStack, environment
from tests.clients.test_failures import served
from tests.fakes.ports import free_port

CLIENTS = ROOT / "clients"
STRANGERS = Path(__file__).with_name("strangers")
JAR = f"{CLIENTS}/java/target/tong-dai-client.jar{os.pathsep}{CLIENTS}/java/target/lib/*"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The command that runs the program of each language."""
    built = tmp_path_factory.mktemp("strangers")
    environ = environment() | {"PATH": f"{os.environ['PATH']}{os.pathsep}/usr/local/go/bin"}
    go = ["go", "-C", str(CLIENTS / "go"), "build", "-o", str(built / "stranger"), str(STRANGERS / "main.go")]
    subprocess.run(go, env=environ, check=True)
    inside = CLIENTS / "typescript" / "dist" / "example"  # where the package finds itself by its name
    inside.mkdir(parents=True, exist_ok=True)
    shutil.copy(STRANGERS / "stranger.mjs", inside)
    return {
        "go": [str(built / "stranger")],
        "typescript": ["node", str(inside / "stranger.mjs")],
        "java": ["java", "-cp", JAR, str(STRANGERS / "Stranger.java")],
        "python": [sys.executable, str(STRANGERS / "stranger.py")],
    }


def begun(command: list[str], *arguments: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment())


async def told(commands: dict[str, list[str]], what: str, behaviour: odd_servers.Behaviour) -> dict[str, Ran]:
    """The output of each program, run against an odd server."""
    async with served(behaviour) as target:
        processes = {language: begun(command, what, target) for language, command in commands.items()}
        return {language: await asyncio.to_thread(finish, process) for language, process in processes.items()}


@pytest.mark.timeout(300)
async def test_who_gives_a_stream_up_is_told_so(commands: dict[str, list[str]]) -> None:
    ran = await told(commands, "cancel", odd_servers.voice_that_waits)
    assert {language: (one.code, one.out) for language, one in ran.items()} == dict.fromkeys(ran, (0, "given up\n")), (
        ran
    )


@pytest.mark.timeout(300)
async def test_a_stream_is_given_up_while_another_thread_sends(commands: dict[str, list[str]]) -> None:
    ran = await told(commands, "hurry", odd_servers.newer_gateway)
    assert {language: (one.code, one.out) for language, one in ran.items()} == dict.fromkeys(ran, (0, "given up\n")), (
        ran
    )


@pytest.mark.timeout(300)
async def test_what_is_reported_behind_the_half_close_breaks_nothing(commands: dict[str, list[str]]) -> None:
    ran = await told(commands, "report", odd_servers.gateway_that_talks_on)
    assert {language: (one.code, one.out) for language, one in ran.items()} == dict.fromkeys(ran, (0, "heard 480\n")), (
        ran
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_reply_that_is_left_is_cancelled_and_reported(commands: dict[str, list[str]], language: str) -> None:
    agent = odd_servers.AgentThatIsLeft()
    ran = await told({language: commands[language]}, "leave", agent.behave)
    assert (ran[language].code, ran[language].out) == (0, "left\n"), ran
    assert agent.kinds[:2] == ["config", "user_turn"]
    assert set(agent.kinds[2:4]) == {"cancellation", "playout_report"}
    assert agent.kinds[4:] == ["user_turn", "playout_report"]
    assert agent.reports == [(1, len("One 👋,")), (2, len("One 👋,"))]


@pytest.mark.timeout(300)
def test_a_server_that_dies_between_two_turns_is_an_error_of_the_next_turn(commands: dict[str, list[str]]) -> None:
    target = f"127.0.0.1:{free_port()}"
    server = subprocess.Popen([CLIENTS / "go/bin/tone-tts", "--address", target], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert server.stdout.readline()
        processes = {language: begun(command, "idle", target) for language, command in commands.items()}
        for process in processes.values():
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
    finally:
        server.kill()
        server.wait()
    time.sleep(1.0)  # the program does not read meanwhile
    ran = {language: finish(process, "\n") for language, process in processes.items()}
    said = {language: (one.code, one.out) for language, one in ran.items()}
    assert said == dict.fromkeys(ran, (0, "unavailable\n")), ran


@pytest.fixture
def http_1() -> Iterator[str]:
    """The address of a server of web pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.timeout(300)
def test_a_wrong_host_port_or_security_is_unavailable(stack: GuardedStack, http_1: str, tmp_path: Path) -> None:
    authority = ["--tls-ca", str(stack.papers.ca)]
    for flags in (
        ["--target", http_1],
        ["--target", "no-such-host.invalid:50054"],
        ["--target", stack.tts.target],  # which speaks TLS
        ["--target", http_1, *authority],
    ):
        ran = run_all(["say", "Hello.", "OUT", *flags], tmp_path)
        said = {language: (one.code, one.error) for language, one in ran.items()}
        assert said == dict.fromkeys(LANGUAGES, (1, "say: UNAVAILABLE")), (flags, ran)


@pytest.mark.timeout(300)
def test_a_server_that_says_nothing_is_given_up_in_time(silent: str, tmp_path: Path) -> None:
    ran = run_all(["say", "Hello.", "OUT", "--target", silent, "--deadline", "3"], tmp_path)
    said = {language: (one.code, one.error.removesuffix(" OPEN_TIMEOUT")) for language, one in ran.items()}
    assert said == dict.fromkeys(LANGUAGES, (1, "say: UNAVAILABLE")), ran  # grpc.aio gives its connection up before


@pytest.mark.timeout(300)
def test_the_service_of_another_port_is_told_by_name(stack: GuardedStack, tmp_path: Path) -> None:
    ran = run_all(["say", "Hello.", "OUT", *stack.flags(stack.stt.target)], tmp_path)
    said = {language: (one.code, one.error) for language, one in ran.items()}
    assert said == dict.fromkeys(LANGUAGES, (1, "say: UNIMPLEMENTED")), ran
