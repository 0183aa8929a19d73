"""The stack in containers: `python -m deploy.containers.stack up|call|down|status`; make compose-up, -call, -down.

`up` starts the services, Asterisk and the secrets' job and returns when every engine answers; `call` places a call by
gRPC and one by SIP from a container and prints what was said; `down` removes every container and network, and says what
is left. With BRIDGE=1 in the environment `up` gives the stack a network of its own in place of the host's, where the
others then find it. A fault is one line that says what to do.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from dotenv import dotenv_values

from deploy.containers.docker import (
    ROOT,
    DockerFault,
    advice,
    check_daemon,
    docker,
    file_fault,
    find_program,
    last_line,
)
from deploy.containers.images import read_table
from deploy.stack import SERVICES, check_ports, settings_of
from services.runtime.errors import StartupError

PROJECT: Final = "tong-dai"
FILES: Final = ("compose.yaml", "compose.tls.yaml", "compose.trial.yaml")
BRIDGE_FILES: Final = ("compose.bridge.yaml", "compose.trial-bridge.yaml")  # over the others
WAITED_FOR: Final = ("call_gateway", "asterisk")  # the others are what these two depend on
STANDBY: Final = "call_gateway_standby"
EDGES: Final = ("grpc", "sip")
_START_LIMIT_S: Final = 900  # the models are fetched at the first start
_LOOK_EVERY_S: Final = 2.0
_HOPELESS_RESTARTS: Final = 3  # Docker would start it again for ever, and Compose wait for all of the limit
_MEMORY: Final = {
    "stt_proxy": "STT_PROXY",
    "nlu": "NLU",
    "tts": "TTS",
    "call_gateway": "CALL_GATEWAY",
    STANDBY: "CALL_GATEWAY",
}


def compose(*arguments: str) -> list[str]:
    """A command line of Compose for the trial's files. Raises DockerFault: there is no Compose."""
    names = (*FILES, *BRIDGE_FILES) if is_on_bridge() else FILES
    files = [part for name in names for part in ("-f", str(ROOT / "deploy" / name))]
    settings = ["--env-file", str(ROOT / ".env")] if (ROOT / ".env").is_file() else []
    return [find_program("docker-compose"), *settings, *files, "--profile", "standby", *arguments]


def is_on_bridge() -> bool:
    """Return whether the stack has a network of its own: BRIDGE=1 asks for it, or it is there already."""
    if os.environ.get("BRIDGE", "0") not in ("", "0"):
        return True
    own = f"label=com.docker.compose.project={PROJECT}"
    return bool(docker("network", "ls", "--quiet", "--filter", own, is_checked=False))


def environment() -> dict[str, str]:
    """The processors of this machine, which no container may exceed, unless TONG_DAI_CPUS says less, also in .env.

    Compose takes what stands in the environment before what stands in .env.
    """
    cpus = dotenv_values(ROOT / ".env").get("TONG_DAI_CPUS") or str(os.cpu_count() or 1)
    return {"TONG_DAI_CPUS": cpus, **os.environ}


def containers() -> list[dict[str, Any]]:
    """Docker's own account of each container of the project, ended ones too."""
    ids = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
    found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
    return found


def service_of(container: dict[str, Any]) -> str:
    """The name of its service in the Compose file."""
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def faults(since: float) -> list[str]:
    """A line for each container that was killed for memory since then (seconds since 1970), or does not serve."""
    said = []
    killed = killed_for_memory(since)
    for name in killed:
        variable = f"TONG_DAI_{_MEMORY[name]}_MEMORY" if name in _MEMORY else "mem_limit"
        said.append(
            f"{name} was killed because it needed more memory than its limit: raise {variable} or take a smaller model"
        )
    for container in containers():
        name, state = service_of(container), container["State"]
        if name in killed:
            continue
        health = state.get("Health", {}).get("Status", "")
        if state["Status"] == "created" or (state["Status"] == "exited" and state["ExitCode"] == 0):
            continue  # it waits for another, or has done its work
        if state["Status"] != "running" or health == "unhealthy" or container["RestartCount"]:
            how = f"ended with {state['ExitCode']}" if state["Status"] != "running" else health or "started again"
            why = lack_of(state) if health == "unhealthy" else ""
            why = why or last_words(container["Id"])
            said.append(f"{name} {how}: {why}; docker logs {container['Name'].lstrip('/')} has more")
    return said


def lack_of(state: dict[str, Any]) -> str:
    """Return the fault that a container's last health check found, in one line; empty: no fault, or no check."""
    looks = state.get("Health", {}).get("Log") or [{}]
    said = str(looks[-1].get("Output", "")) if looks[-1].get("ExitCode") else ""
    return " ".join(said.split())[:300]


def killed_for_memory(since: float) -> list[str]:
    """The services one of whose processes the kernel killed since then, each once."""
    events = docker(
        *("events", "--since", f"{since:.0f}", "--until", f"{time.time():.0f}", "--filter", "event=oom"),
        *("--filter", f"label=com.docker.compose.project={PROJECT}", "--format", "{{json .Actor.Attributes}}"),
    )
    names = [json.loads(line)["com.docker.compose.service"] for line in events.splitlines()]
    return list(dict.fromkeys(names))


def last_words(container: str) -> str:
    """The last complaint in a container's log, in one line: an error's event and fault, or the last line."""
    ran = subprocess.run(["docker", "logs", "--tail", "50", container], capture_output=True, text=True, check=False)  # noqa: S603, S607
    lines = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
    for line in reversed(lines):
        if not line.startswith("{"):
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # a line that was cut off
        if entry.get("level") in ("error", "critical"):
            return " ".join(str(entry[key]) for key in ("event", "fault", "error") if key in entry)[:300]
    plain = [line for line in lines if not line.startswith("{")]
    return last_line("\n".join(plain))[:300]


def check_before_up() -> None:
    """Raises DockerFault: no daemon, an image is not built, or a port is taken."""
    check_daemon()
    _, table = read_table()
    wanted = [image for image in table if not image.is_for_gpus and image.variable not in os.environ]
    missing = [image.tag for image in wanted if not _is_here(image.tag)]
    if missing:
        raise DockerFault(f"not built yet: {', '.join(missing)}: `make images`")
    if containers():
        return  # the ports are its own
    for service in SERVICES[-1:] if is_on_bridge() else SERVICES:  # there the gateway alone is published
        try:
            check_ports(service, settings_of(service))
        except StartupError as error:
            raise DockerFault(str(error)) from error


def _is_here(tag: str) -> bool:
    return bool(docker("image", "inspect", "--format", "{{.Id}}", tag, is_checked=False))


def up() -> None:
    """Start everything and wait until it serves; say how long it took and what memory each container has."""
    check_before_up()
    began, since = time.monotonic(), time.time()
    _start(*WAITED_FOR, since=since)
    print(f"the stack serves after {time.monotonic() - began:.1f} s", flush=True)
    _start(STANDBY, since=since)
    print_memory()
    print("next: make compose-call; make compose-down ends it")


def _start(*names: str, since: float) -> None:
    """Start services and what they depend on, and wait until they are healthy.

    Raises DockerFault: a line for each fault since then (seconds since 1970).
    """
    command = compose("up", "--detach", "--wait", "--wait-timeout", str(_START_LIMIT_S), *names)
    before = {container["Id"]: container["RestartCount"] for container in containers()}
    process = subprocess.Popen(  # noqa: S603 (our own)
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = ""
    while process.returncode is None:
        try:
            said = process.communicate(timeout=_LOOK_EVERY_S)[1]
        except subprocess.TimeoutExpired:
            if is_hopeless(containers(), before) or killed_for_memory(since):
                process.terminate()
                process.wait()
    if process.returncode != 0:
        found = faults(since)
        raise DockerFault("\n".join(found) or advice(f"docker compose up: {last_line(said)}"))


def is_hopeless(now: Sequence[dict[str, Any]], before: dict[str, int]) -> bool:
    """Return whether a container has ended and been started again so often that waiting on does not help. `before`:
    restarts of each container by its id when the wait began.
    """
    return any(each["RestartCount"] - before.get(each["Id"], 0) >= _HOPELESS_RESTARTS for each in now)


def print_memory() -> None:
    """The memory and processes of every container, with their limits."""
    running = [container["Name"].lstrip("/") for container in containers() if container["State"]["Running"]]
    if running:
        lines = docker("stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}\t{{.PIDs}} processes", *running)
        print(*(f"  {line.expandtabs(28)}" for line in sorted(lines.splitlines())), sep="\n")


def check_is_up() -> None:
    """Raises DockerFault: no daemon, or no gateway runs that a call could be placed to."""
    check_daemon()
    if not any(service_of(each) in ("call_gateway", STANDBY) and each["State"]["Running"] for each in containers()):
        raise DockerFault("the stack is not up: make compose-up")


def call(edges: Sequence[str] = EDGES) -> int:
    """A call by each edge, with its transcript. Returns the number of calls that did not go well."""
    check_is_up()
    since = time.time()
    n_bad = 0
    for edge in edges:
        command = compose("--profile", "call", "run", "--rm", "-T", "-e", f"EDGE={edge}", "caller")
        n_bad += subprocess.run(command, env=environment(), check=False, stdin=subprocess.DEVNULL).returncode != 0  # noqa: S603
        print(flush=True)
    for fault in faults(since) if n_bad else []:
        print(fault, file=sys.stderr)
    return n_bad


def down(*, with_volumes: bool) -> None:
    """Remove the containers and networks; with `with_volumes` the models and secrets too. Say what is left."""
    check_daemon()
    command = compose(
        "--profile",
        "call",
        "--profile",
        "observe",
        "down",
        "--remove-orphans",
        *(["--volumes"] if with_volumes else []),
    )
    ran = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    if ran.returncode != 0:
        raise DockerFault(advice(f"docker compose down: {last_line(ran.stderr)}"))
    own = f"label=com.docker.compose.project={PROJECT}"
    left = {
        "containers": docker("ps", "--all", "--quiet", "--filter", own).split(),
        "networks": docker("network", "ls", "--quiet", "--filter", own).split(),
        "volumes": docker("volume", "ls", "--quiet", "--filter", own).split(),
    }
    if left["containers"] or left["networks"]:
        raise DockerFault(f"docker compose down left {left['containers'] + left['networks']}: docker rm -f them")
    kept = ", ".join(left["volumes"])
    print(f"no container and no network is left; volumes: {kept + ' (VOLUMES=1 removes them)' if kept else 'none'}")


def status() -> None:
    """Each container, its health and how often it was started again, its memory, and what is wrong."""
    check_daemon()
    for container in sorted(containers(), key=service_of):
        state = container["State"]
        health = state.get("Health", {}).get("Status", "no health check")
        print(f"  {service_of(container):14} {state['Status']:10} {health:16} restarts {container['RestartCount']}")
    print_memory()
    print(*faults(time.time() - 3600), sep="\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.containers.stack", description="The stack in containers.")
    parser.add_argument("what", choices=("up", "call", "down", "status"))
    parser.add_argument("--edge", action="append", choices=EDGES, help="call: by this one alone")
    parser.add_argument("--volumes", action="store_true", help="down: remove the models, secrets and caches too")
    asked = parser.parse_args(arguments)
    os.chdir(ROOT)
    try:
        if asked.what == "call":
            return min(1, call(asked.edge or EDGES))
        if asked.what == "up":
            up()
        elif asked.what == "down":
            down(with_volumes=asked.volumes)
        else:
            status()
    except DockerFault as fault:
        print(fault, file=sys.stderr)
        return 1
    except OSError as error:
        print(file_fault(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
