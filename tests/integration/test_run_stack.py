"""`make run-stack` as a user meets it: it comes up, revives what dies, drains, and says in one line what is wrong."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.stack import SERVICES
from deploy.supervision import Supervision
from services.runtime.settings import ServiceSettings
from tests.fakes.ports import free_ports

_ROOT = Path(__file__).parents[2]
_LIMIT_S = 90.0
_LOCKS = Path("/proc/locks")


class Command:
    """`python -m deploy.run_stack` with scripted engines on free ports, and what it has printed."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._arguments = arguments
        self.ports = free_ports(2 * len(SERVICES))
        ours = {
            "STT_ENGINE": "script",
            "NLU_ENGINE": "script",
            "NLU_AGENT_KIND": "prompt",
            "TTS_ENGINES": "*=tone",
            "GATEWAY_EDGES": "program",
        }
        for index, service in enumerate(SERVICES):
            ours[f"{service.prefix}_PORT"] = str(self.ports[2 * index])
            ours[f"{service.prefix}_METRICS_PORT"] = str(self.ports[2 * index + 1])
        self.environment = {**os.environ, **ours, "TONG_DAI_DRAIN_S": "1", **environment}
        self._printed: list[str] = []

    def __enter__(self) -> "Command":
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.run_stack", *self._arguments],
            cwd=_ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(_LIMIT_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._printed.extend(line.rstrip() for line in self.process.stdout)

    def wait_for(self, words: str) -> None:
        """Return when it has printed `words`."""
        give_up_s = time.monotonic() + _LIMIT_S
        while not any(words in line for line in self.printed):
            assert self.process.poll() is None, f"it ended: {self.printed}"
            assert time.monotonic() < give_up_s, f"never said {words!r}: {self.printed}"
            time.sleep(0.1)

    def end(self) -> int:
        """Wait for the process to end by itself; its exit status."""
        status = self.process.wait(_LIMIT_S)
        self._reader.join(_LIMIT_S)  # its last lines
        return status

    @property
    def printed(self) -> list[str]:
        return list(self._printed)

    def pid_of(self, service: str) -> int:
        """The process of one service."""
        return next(pid for pid in descendants(self.process.pid) if f"services.{service}" in command_line(pid))

    def pids_when_there(self, service: str, count: int) -> set[int]:
        """The pids of the stack's processes, as soon as there are so many."""
        give_up_s = time.monotonic() + _LIMIT_S
        while time.monotonic() < give_up_s:
            with suppress(FileNotFoundError):  # one that has just ended
                pids = {pid for pid in descendants(self.process.pid) if f"services.{service}" in command_line(pid)}
                if len(pids) == count:
                    return pids
            time.sleep(0.05)
        raise AssertionError(f"there were never {count} of {service}: {self.printed}")

    def pid_when_there(self, service: str) -> int:
        """The same while the stack is still starting."""
        give_up_s = time.monotonic() + _LIMIT_S
        while time.monotonic() < give_up_s:
            try:
                return self.pid_of(service)
            except (StopIteration, FileNotFoundError):  # not yet, or a process that has just ended
                time.sleep(0.02)
        raise AssertionError(f"{service} was never started: {self.printed}")


def descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from descendants(child)


def command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def holder(port: int) -> int:
    """The process that listens on a port of the loopback."""
    sockets = [
        line.split() for path in ("tcp", "tcp6") for line in Path("/proc/net", path).read_text().splitlines()[1:]
    ]
    listening = {each[9] for each in sockets if int(each[1].rpartition(":")[2], 16) == port and each[3] == "0A"}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if link.readlink().name.removeprefix("socket:[").removesuffix("]") in listening:
                return int(link.parts[2])
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture(scope="module")
def stack() -> Iterator[Command]:
    with Command() as command:
        command.wait_for("The stack serves")
        yield command


def test_it_says_where_each_service_is(stack: Command):
    for service in SERVICES:
        assert any(service.name in line and "127.0.0.1:" in line for line in stack.printed)


def test_a_service_that_is_killed_comes_back(stack: Command):
    os.kill(stack.pid_of("tts"), signal.SIGKILL)
    stack.wait_for("tts             SERVING again")


def test_the_standby_of_a_killed_gateway_serves_before_another_could_start(stack: Command):
    gateway = stack.pid_of("call_gateway")
    standby = next(each for each in stack.pids_when_there("call_gateway", 2) if each != gateway)
    os.kill(gateway, signal.SIGKILL)
    stack.wait_for("call_gateway    SERVING again")
    assert standby in stack.pids_when_there("call_gateway", 2), "one of them is the old standby"
    assert holder(stack.ports[-2]) == standby


def test_a_standby_that_is_told_to_stop_ends_at_once(tmp_path: Path):
    lock_file = tmp_path / "lock"
    with lock_file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        environment = {**os.environ, "GATEWAY_STANDBY_LOCK_FILE": str(lock_file), "GATEWAY_EDGES": "program"}
        standby = subprocess.Popen([sys.executable, "-m", "services.call_gateway"], cwd=_ROOT, env=environment)
        give_up_s = time.monotonic() + 60
        while not any("->" in each and f" {standby.pid} " in each for each in _LOCKS.read_text().splitlines()):
            assert standby.poll() is None
            assert time.monotonic() < give_up_s
            time.sleep(0.05)
        standby.terminate()
        assert standby.wait(timeout=5) == 0, "of a container's first process the default would be to go on"


def test_a_service_that_cannot_be_started_again_ends_no_other_service(stack: Command):
    others = {service: stack.pid_of(service) for service in ("stt_proxy", "tts", "call_gateway")}
    with HeldPort(stack.ports[2], stack.pid_of("nlu")):
        stack.wait_for("nlu             cannot be started")
        assert {service: stack.pid_of(service) for service in others} == others
        assert stack.process.poll() is None
    stack.wait_for("nlu             SERVING again")
    assert {service: stack.pid_of(service) for service in others} == others


def test_logs_of_earlier_starts_are_kept(tmp_path: Path):
    for name in ("nlu.err", "nlu.log"):
        (tmp_path / name).write_text("what an earlier start said\n", encoding="utf-8")
    with Supervision(tmp_path, 0.0) as supervision:
        assert supervision.last_word("nlu") == f"it said nothing; see {tmp_path}"
        with (tmp_path / "nlu.err").open("a", encoding="utf-8") as log:
            log.write("nlu: of this start\n")
        assert supervision.last_word("nlu").startswith("nlu: of this start")
    assert "what an earlier start said" in (tmp_path / "nlu.err").read_text(encoding="utf-8")


class HeldPort:
    """Takes a service's port the moment its process is dead, so that it cannot be started again."""

    def __init__(self, port: int, pid: int) -> None:
        self._port, self._pid = port, pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        give_up_s = time.monotonic() + 5.0
        while True:
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._held.bind(("127.0.0.1", self._port))
                self._held.listen()
            except OSError:
                self._held.close()
                assert time.monotonic() < give_up_s
                continue
            return

    def __exit__(self, *_: object) -> None:
        self._held.close()


def test_ctrl_c_drains_and_ends_well(stack: Command):
    stack.process.send_signal(signal.SIGINT)
    assert stack.end() == 0
    assert stack.printed[-2:] == ["  draining: calls may go on for 1 s", "  stopped"]


def test_a_service_that_crashes_at_its_start_is_told_as_such():
    with Command() as command:
        command.wait_for("starting 4 processes")
        os.kill(command.pid_when_there("nlu"), signal.SIGSEGV)
        assert command.end() == 1
    assert command.printed[-1].startswith("nlu does not start: SIGSEGV ended it: a library crashed")


def test_a_taken_port_is_one_line_that_names_the_setting():
    with socket.create_server(("127.0.0.1", 0)) as holder, Command(NLU_PORT=str(holder.getsockname()[1])) as command:
        assert command.end() == 1
    (line,) = command.printed
    assert "is taken" in line
    assert "NLU_PORT" in line


def test_a_bad_setting_is_one_line_that_names_it():
    with Command(TTS_MAX_STREAMS="none") as command:
        assert command.end() == 2
    (line,) = command.printed
    assert line.startswith("TTS_MAX_STREAMS='none'")


@pytest.mark.models
def test_a_corrupt_model_ends_it_with_one_line_that_says_what_to_do(tmp_path: Path):
    for model in ServiceSettings().models_dir.iterdir():
        if model.is_dir() and not model.name.startswith("."):
            (tmp_path / model.name).symlink_to(model)
    (tmp_path / "silero-vad").unlink()
    shutil.copytree(ServiceSettings().models_dir / "silero-vad", tmp_path / "silero-vad")
    detector = tmp_path / "silero-vad" / "silero_vad.onnx"
    with detector.open("r+b") as content:
        content.write(b"not this")
    with Command(TONG_DAI_MODELS_DIR=str(tmp_path)) as command:
        assert command.end() == 1
    assert command.printed[-1].startswith("stt_proxy cannot serve: model silero-vad")
    assert command.printed[-1].endswith("make models MODELS=silero-vad")


def test_one_process_serves_comes_back_and_drains():
    with Command("--one-process") as command:
        command.wait_for("The stack serves")
        assert "  starting one process; logs in" in " ".join(command.printed)
        for service in SERVICES:
            assert any(line.strip().startswith(service.name) and "SERVING on" in line for line in command.printed)
        (pid,) = [pid for pid in descendants(command.process.pid) if "deploy.one_process" in command_line(pid)]
        os.kill(pid, signal.SIGKILL)
        for service in SERVICES:
            command.wait_for(f"{service.name:<15} SERVING again")
        command.process.send_signal(signal.SIGINT)
        assert command.end() == 0
    assert command.printed[-1] == "  stopped"


def test_of_one_process_a_service_that_does_not_start_is_one_line():
    with Command("--one-process", STT_SCRIPT_FILE="/nowhere", NLU_SCRIPT_FILE="/nowhere") as command:
        assert command.end() == 1
    assert command.printed[-1].startswith("stack does not start: ")
    assert "/nowhere" in command.printed[-1]
