"""Four services as processes for a benchmark: started, waited for, measured from /proc, stopped."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import grpc
from grpc_health.v1 import health_pb2

ROOT = Path(__file__).parents[2]
READY_LIMIT_S = 90
STOP_LIMIT_S = 15
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Service:
    """One process and where it answers."""

    name: str  # "stt_proxy": services.<name> is run
    target: str
    environment: Mapping[str, str]
    cores: Sequence[int] = ()  # empty: wherever the kernel likes


@dataclass(slots=True)
class Running:
    """A service that answers."""

    service: Service
    process: asyncio.subprocess.Process

    def cpu_s(self) -> float:
        """CPU seconds since its start, its threads included."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def rss_mb(self) -> float:
        """Resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


async def is_serving(target: str) -> bool:
    """Return whether health says so."""
    async with grpc.aio.insecure_channel(target) as channel:
        try:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = await check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _open_log(service: Service, log_dir: Path) -> BinaryIO:
    log_dir.mkdir(parents=True, exist_ok=True)
    return (log_dir / f"{service.name}.log").open("wb")


async def _start(service: Service, log_dir: Path) -> Running:
    command = [sys.executable, "-m", f"services.{service.name}"]
    if service.cores:
        command = ["taskset", "-c", ",".join(map(str, service.cores)), *command]
    with _open_log(service, log_dir) as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env={**os.environ, **service.environment}, stdout=log, stderr=log
        )
    return Running(service, process)


async def _wait_until_serving(running: Running, log_dir: Path) -> None:
    begun_s = time.monotonic()
    while not await is_serving(running.service.target):
        log = log_dir / f"{running.service.name}.log"
        if running.process.returncode is not None:
            last_words = log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise RuntimeError(
                f"{running.service.name} ended with {running.process.returncode}: {last_words}; see {log}"
            )
        if time.monotonic() - begun_s > READY_LIMIT_S:
            raise TimeoutError(f"{running.service.name} is not SERVING after {READY_LIMIT_S} s; see {log}")
        await asyncio.sleep(0.1)


async def _stop(running: Running) -> None:
    if running.process.returncode is None:
        running.process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(running.process.wait(), STOP_LIMIT_S)
    except TimeoutError:
        running.process.kill()
        await running.process.wait()


@asynccontextmanager
async def run_stack(services: Sequence[Service], log_dir: Path) -> AsyncIterator[dict[str, Running]]:
    """Start them in order, wait until all are SERVING, stop them at the end in the opposite order."""
    running: list[Running] = []
    try:
        for service in services:
            each = await _start(service, log_dir)
            running.append(each)
        for each in running:
            await _wait_until_serving(each, log_dir)
        yield {each.service.name: each for each in running}
    finally:
        await asyncio.gather(*(_stop(each) for each in reversed(running)))
