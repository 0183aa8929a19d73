"""Calls during which a container dies: `python -m deploy.containers.kills [NAME ...]`.

For each container a call by SIP is placed from the container `caller`. While the agent answers the first question the
container's first process is killed, as a crash would end it (SIGKILL from outside: after `docker kill` Docker does not
start it again), or, for `restart tts`, Compose restarts it. The call goes on, and the transcript, the silences in what
the phone recorded, and the time until the container is healthy again are printed. It needs root, to send the signal.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from deploy.containers.docker import ROOT, DockerFault, file_fault
from deploy.containers.stack import STANDBY, check_is_up, compose, containers, environment, service_of

FAULTS: Final = ("stt_proxy", "nlu", "tts", "call_gateway", "asterisk", "restart tts")
OUT: Final = ROOT / "out" / "compose-kills"
_MOMENT: Final = "answered after"  # the agent's answer has begun
_ANSWERED: Final = "connected;"
_MOMENT_LIMIT_S: Final = 60.0
_CALL_LIMIT_S: Final = 180.0
_HEALTHY_LIMIT_S: Final = 120.0
_AUDIBLE: Final = 330  # -40 dBFS
_WINDOW: Final = 160  # 20 ms at 8 kHz
_SHORT_S: Final = 1.0  # silences shorter than this are pauses between sentences


@dataclass(slots=True)
class CallerOutput:
    """The lines that the caller's container prints, with the time of each."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def follow(self) -> None:
        """Collect until it ends; run in a thread of its own."""
        assert self.process.stdout is not None  # noqa: S101 (a pipe was asked for)
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self.times.append(time.monotonic())

    def time_of(self, words: str) -> float | None:
        """Return when the first line with these words came; None: none has."""
        return next((at for line, at in zip(list(self.lines), list(self.times), strict=False) if words in line), None)

    def wait_for(self, words: str, limit_s: float) -> float:
        """The same, waited for. Raises DockerFault when none comes."""
        give_up = time.monotonic() + limit_s
        while (found := self.time_of(words)) is None:
            if time.monotonic() > give_up or self.process.poll() is not None:
                raise DockerFault(f"the call did not come to the moment: {' | '.join(self.lines[-3:])}")
            time.sleep(0.02)
        return found


def silences(sound: "np.ndarray[Any, np.dtype[np.int16]]", *, from_s: float) -> list[tuple[float, float]]:
    """Silences of a second and more in a recording of 8 kHz, from `from_s` on: (beginning, length), in seconds.

    `sound` has the shape (n_samples, n_channels): a window is silent when all channels are, so that the caller's own
    speech is not counted as silence.
    """
    whole = np.abs(sound[: len(sound) // _WINDOW * _WINDOW].astype(np.int32)).max(axis=1)
    loudest = whole.reshape(-1, _WINDOW).max(axis=1)
    found: list[tuple[float, float]] = []
    began: int | None = None
    for at, level in enumerate([*loudest.tolist(), _AUDIBLE + 1]):
        if level <= _AUDIBLE:
            began = at if began is None else began
        elif began is not None:
            start, length = began * _WINDOW / 8000, (at - began) * _WINDOW / 8000
            if length >= _SHORT_S and start + length > from_s:
                found.append((start, length))
            began = None
    return found


def read_recording(path: Path) -> "np.ndarray[Any, np.dtype[np.int16]]":
    """The samples of a WAV file, (n_samples, n_channels)."""
    with wave.open(str(path), "rb") as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), dtype=np.int16)
        return samples.reshape(-1, recording.getnchannels())


def strike(fault: str) -> None:
    """Kill the container, or restart it. Raises DockerFault: it is not up, or this is not root."""
    name = fault.removeprefix("restart ")
    if fault != name:
        ran = subprocess.run(compose("restart", name), env=environment(), capture_output=True, text=True, check=False)  # noqa: S603
        if ran.returncode != 0:
            raise DockerFault(f"{name} was not restarted: {ran.stderr.strip()}")
        return
    names = {name, STANDBY} if name == "call_gateway" else {name}
    pids = [each["State"]["Pid"] for each in containers() if service_of(each) in names]
    pid = next((each for each in pids if len(pids) == 1 or holds_a_lock(each)), 0)
    if not pid:
        raise DockerFault(f"{name} is not up: make compose-up")
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        raise DockerFault(f"the signal to {name} needs root: sudo make compose-kills") from None


def holds_a_lock(pid: int) -> bool:
    """Return whether the process has locked a file by flock(2), and does not wait for it (proc(5), /proc/locks)."""
    lines = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    return any(line[1] == "FLOCK" and line[4] == str(pid) for line in lines)


def wait_healthy() -> float:
    """Seconds until every container with a health check is healthy. Raises DockerFault when one is not in time."""
    began = time.monotonic()
    while True:
        ill = [
            service_of(each)
            for each in containers()
            if "Health" in each["State"] and each["State"]["Health"]["Status"] != "healthy"
        ]
        if not ill:
            return time.monotonic() - began
        if time.monotonic() - began > _HEALTHY_LIMIT_S:
            raise DockerFault(f"not healthy after {_HEALTHY_LIMIT_S:.0f} s: {', '.join(ill)}")
        time.sleep(0.2)


def try_fault(fault: str) -> None:
    """One call with one fault; prints what came of it."""
    wait_healthy()
    folder = OUT / fault.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # the caller's user writes its recordings there
    options = ["--rm", "-T", "-e", "EDGE=sip", "-e", "PHONE_OUT=/out", "-v", f"{folder}:/out"]
    process = subprocess.Popen(  # noqa: S603 (our own command)
        compose("--profile", "call", "run", *options, "caller"),
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    output = CallerOutput(process)
    follower = threading.Thread(target=output.follow, daemon=True)
    follower.start()
    try:
        output.wait_for(_MOMENT, _MOMENT_LIMIT_S)
        answered_at = output.wait_for(_ANSWERED, 0.0)
        struck_s = time.monotonic() - answered_at
        print(
            f"== {fault if fault.startswith('restart') else f'kill {fault}'}, {struck_s:.1f} s into the call",
            flush=True,
        )
        strike(fault)
        back_s = wait_healthy()
        process.wait(timeout=_CALL_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise DockerFault(f"the call did not end within {_CALL_LIMIT_S:.0f} s of the fault") from None
    finally:
        if process.poll() is None:
            process.terminate()
        follower.join(timeout=5.0)
    print(*(f"  {line}" for line in output.lines), sep="\n")
    both = folder / "both.wav"
    if both.is_file():
        for start, length in silences(read_recording(both), from_s=struck_s):
            print(f"  silence for {length:.1f} s from {start:.1f} s on")
    print(
        f"  all containers healthy again {back_s:.1f} s after the fault; the caller ended with {process.returncode}\n",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.containers.kills", description="Kill containers in mid-call."
    )
    parser.add_argument("faults", nargs="*", metavar="NAME", help=f"of {', '.join(FAULTS)}; none: all of them")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.faults) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(unknown)}")
    os.chdir(ROOT)
    try:
        check_is_up()
        for fault in asked.faults or FAULTS:
            try_fault(fault)
    except DockerFault as fault:
        print(fault, file=sys.stderr)
        return 1
    except OSError as error:
        print(file_fault(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
