"""The delay that containers add to an answer: `python -m tests.load.compose_overhead [--calls 10]`.

The stack must be up in containers (`make compose-up`). The same stack is started beside it as `make run-stack` starts
it, at free ports and with the same preset of the NLU. Then `make call`'s own program calls the one and the other over
gRPC, in turn, with the recorded questions; who is first changes each time, so that a slower minute of the machine
meets both. Prints for each stack p50 and p95 of the time from the caller's last sample to the agent's first, in
milliseconds, and the difference of the p95, which is to be at most 10 ms; writes out/compose-overhead.json. The
containers' calls go through TLS and tokens, the others' do not, as in the two commands.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.containers.docker import DockerFault, check_daemon, docker
from deploy.containers.stack import PROJECT, containers, service_of
from deploy.stack import SERVICES
from tests.fakes.ports import free_ports
from tests.load.report import Report, Target, machine_speed, percentile

ROOT: Final = Path(__file__).parents[2]
LIMIT_MS: Final = 10.0
_START_LIMIT_S: Final = 240.0
_CALL_LIMIT_S: Final = 240.0
_ANSWERED: Final = re.compile(r"answered after (\d+) ms on the wire")
_UNANSWERED: Final = "* no answer"
_STACKS: Final = ("containers", "processes")


def processes_environment(inherited: dict[str, str]) -> dict[str, str]:
    """Settings of the stack of processes: other ports than the containers have, no Asterisk, their preset."""
    ports = free_ports(2 * len(SERVICES))
    own = {}
    for index, service in enumerate(SERVICES):
        own[f"{service.prefix}_PORT"] = str(ports[2 * index])
        own[f"{service.prefix}_METRICS_PORT"] = str(ports[2 * index + 1])
    for name in ("STT", "NLU", "TTS"):
        own[f"GATEWAY_{name}_TARGET"] = f"127.0.0.1:{own[f'{name}_PORT']}"
    preset = ROOT / "deploy" / "presets" / f"{inherited.get('TONG_DAI_PRESET', 'cpu')}.env"
    lines = [line for line in preset.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {**inherited, **dict(line.split("=", 1) for line in lines), **own, "GATEWAY_EDGES": "program"}


@contextmanager
def running_processes(environment: dict[str, str]) -> Iterator[str]:
    """`make run-stack`'s stack, once it serves: the gateway's address. Raises DockerFault: it does not start."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.run_stack"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=said.extend, args=(process.stdout,), daemon=True)
    reader.start()
    give_up = time.monotonic() + _START_LIMIT_S
    try:
        while not any("The stack serves" in line for line in said):
            if process.poll() is not None or time.monotonic() > give_up:
                raise DockerFault(f"the stack of processes does not start: {''.join(said[-1:]).strip()}")
            time.sleep(0.2)
        yield f"127.0.0.1:{environment['GATEWAY_PORT']}"
    finally:
        process.terminate()
        process.wait(_CALL_LIMIT_S)


def read_answers(printed: str) -> list[float]:
    """Milliseconds to each answer in what `make call` printed; a question without an answer is infinite."""
    found = []
    for line in printed.splitlines():
        if match := _ANSWERED.search(line):
            found.append(float(match[1]))
        elif line.startswith(_UNANSWERED):
            found.append(math.inf)
    return found


def call(settings: dict[str, str]) -> list[float]:
    """One call with all questions. Raises DockerFault: it was not answered."""
    ran = subprocess.run(
        [sys.executable, "-m", "clients.phone"],
        cwd=ROOT, env={**os.environ, "EDGE": "grpc", **settings}, capture_output=True, text=True, check=False,
        timeout=_CALL_LIMIT_S,
    )  # fmt: skip
    found = read_answers(ran.stdout)
    if not found:
        last = (ran.stderr or ran.stdout).strip().splitlines()[-1:]
        raise DockerFault(f"the call to {settings['PHONE_GATEWAY']} came to nothing: {''.join(last)}")
    return found


def caller_settings(folder: Path) -> dict[str, str]:
    """Return what a caller of the containers needs: who signed the certificates, and a token, out of the caller's
    volume.

    Raises DockerFault: the stack is not up in containers.
    """
    check_daemon()
    if not any(service_of(each) == "call_gateway" and each["State"]["Running"] for each in containers()):
        raise DockerFault("the stack is not up in containers: make compose-up")
    look = ["run", "--rm", "--network", "none", "--volume", f"{PROJECT}_secrets_caller:/secrets:ro"]
    look += ["--entrypoint", "cat", "tong-dai/caller"]
    authority = folder / "ca.crt"
    authority.write_text(docker(*look, "/secrets/ca.crt") + "\n", encoding="ascii")
    token = docker(*look, "/secrets/token")
    return {"PHONE_GATEWAY": "127.0.0.1:50051", "PHONE_TLS_CA_FILE": str(authority), "PHONE_TOKEN": token}


def compare(answers: dict[str, list[float]], report: Report) -> float:
    """A row for each stack and one for what containers add. Returns the difference of the p95, in milliseconds."""
    for name in _STACKS:
        spread = {share: percentile(answers[name], int(share[1:]) / 100) for share in ("p50", "p95", "p99")}
        report.add({"scenario": name, "calls": 1, "answer_ms": {**spread, "n": len(answers[name])}})
    p50, p95 = (percentile(answers["containers"], at) - percentile(answers["processes"], at) for at in (0.5, 0.95))
    row = {"scenario": "containers add", "calls": 1, "p50_ms": p50, "p95_ms": p95}
    report.add({**row, "load_1m": round(os.getloadavg()[0], 1)}, [Target("p95_ms", "", LIMIT_MS)])
    return p95


def measure(n_calls: int) -> float:
    """Call both stacks `n_calls` times each. Returns what the containers add to the p95. Raises DockerFault."""
    report = Report("compose-overhead", machine_speed())
    answers: dict[str, list[float]] = {name: [] for name in _STACKS}
    with tempfile.TemporaryDirectory() as scratch:
        settings = {"containers": caller_settings(Path(scratch))}
        with running_processes(processes_environment(dict(os.environ))) as gateway:
            settings["processes"] = {"PHONE_GATEWAY": gateway, "PHONE_TLS_CA_FILE": "", "PHONE_TOKEN": ""}
            for number in range(n_calls):
                for name in _STACKS if number % 2 else _STACKS[::-1]:
                    found = call({**settings[name], "PHONE_OUT": scratch})
                    answers[name] += found
                    print(f"  call {number + 1} by {name}: {', '.join(f'{each:.0f}' for each in found)} ms", flush=True)
    p95 = compare(answers, report)
    print(f"written to {report.write().relative_to(ROOT)}")
    return p95


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.compose_overhead", description="What containers add.")
    parser.add_argument("--calls", type=int, default=10, help="calls to each stack")
    try:
        return int(measure(parser.parse_args(arguments).calls) > LIMIT_MS)
    except (DockerFault, subprocess.TimeoutExpired) as fault:
        print(fault, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
