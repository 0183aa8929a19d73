"""The stack as four processes and as one: `python -m tests.load.one_process [--scripted] [--rounds 1]`

Each is started in turn with the embedded engines (or scripted ones), waited for until all four services serve, called
once by program, and asked of /proc what it holds: resident memory (RSS) and the share of it that is its own (PSS, which
counts a page that n processes map as 1/n). Prints a row a round and writes out/one-process.json.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from deploy.stack import SERVICES
from tests.fakes.ports import free_ports
from tests.integration.program_caller import calling
from tests.load.clips import load_clips
from tests.load.report import OUT_DIR, Report, machine_speed
from tests.load.stack import ROOT, STOP_LIMIT_S, is_serving

START_LIMIT_S = 180.0
SCRIPTED = {"STT_ENGINE": "script", "NLU_ENGINE": "script", "NLU_AGENT_KIND": "prompt", "TTS_ENGINES": "*=tone"}


def tree(pid: int) -> Iterator[int]:
    """A process and those it has started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield from tree(child)


def memory_mb(pids: Sequence[int]) -> dict[str, float]:
    """RSS and PSS of processes together."""
    held = {"Rss": 0, "Pss": 0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in held:
                held[name] += int(rest.split()[0])
    return {f"{name.lower()}_mb": round(kilobytes / 1024, 1) for name, kilobytes in held.items()}


async def call(target: str) -> float:
    """One call with one question; seconds from the end of the question to the first audible answer."""
    clip = next(clip for clip in load_clips() if clip.kind == "plain")
    async with calling(target) as caller:
        await caller.until(lambda caller: len(caller.turns(by_gateway=False)) >= 1, 30.0)
        await caller.say(clip)
        await caller.until(lambda caller: caller.first_audible_after(caller.spoke_last_at), 30.0)
        heard = caller.first_audible_after(caller.spoke_last_at)
        assert heard is not None
        return heard - caller.spoke_last_at


async def measure(modules: Sequence[str], settings: Mapping[str, str], log: Path) -> dict[str, Any]:
    """Start, call once, look, stop."""
    ports = dict(zip((service.prefix for service in SERVICES), free_ports(len(SERVICES)), strict=True))
    own = {f"{prefix}_PORT": str(port) for prefix, port in ports.items()}
    own |= {f"GATEWAY_{name}_TARGET": f"127.0.0.1:{ports[name]}" for name in ("STT", "NLU", "TTS")}
    own |= {f"{prefix}_METRICS_PORT": "0" for prefix in ports} | {"GATEWAY_EDGES": "program"}
    environment = {**os.environ, **own, **settings}
    began = time.monotonic()
    processes = []
    with log.open("wb") as lines:
        for module in modules:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, cwd=ROOT, env=environment, stdout=lines, stderr=lines
            )
            processes.append(process)
    try:
        for port in ports.values():
            while not await is_serving(f"127.0.0.1:{port}"):
                if time.monotonic() - began > START_LIMIT_S or any(one.returncode is not None for one in processes):
                    raise RuntimeError(f"the stack does not serve; see {log}")
                await asyncio.sleep(0.05)
        started_s = time.monotonic() - began
        answered_s = await call(f"127.0.0.1:{ports['GATEWAY']}")
        held = memory_mb([pid for process in processes for pid in tree(process.pid)])
    finally:
        for process in processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*(process.wait() for process in processes)), STOP_LIMIT_S)
    return {"start_s": round(started_s, 1), **held, "answer_s": round(answered_s, 2)}


async def run(*, is_scripted: bool, n_rounds: int) -> None:
    """Both, in turn."""
    report = Report("one-process", machine_speed())
    print(f"machine: {report.machine}", flush=True)
    settings = {"TONG_DAI_DRAIN_S": "2"} | (SCRIPTED if is_scripted else {})
    stacks = {"four processes": [f"services.{service.name}" for service in SERVICES], "one": ["deploy.one_process"]}
    OUT_DIR.mkdir(exist_ok=True)
    for number in range(n_rounds):
        for name, modules in stacks.items():
            log = OUT_DIR / f"one-process-{len(modules)}.log"
            report.add({"scenario": name, "calls": 1, "round": number + 1, **await measure(modules, settings, log)})
    print(f"wrote {report.write()}")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripted", action="store_true", help="scripted engines, which need no model")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    uvloop.run(run(is_scripted=arguments.scripted, n_rounds=arguments.rounds))


if __name__ == "__main__":
    main()
