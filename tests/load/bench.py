"""The referee: callers on the wire against the whole pipeline. `make bench` runs it.

    python -m tests.load.bench [--only turn-1,barge-in] [--calls 1,10] [--turns 200] [--cores one|split]

Each cell starts four fresh services with scripted models, places its calls through a stand-in PBX and measures at the
callers' sockets. The scripted models cost a fixed time, so that what is measured is the pipeline and its decisions:
text 100 ms after the speech ends, first token after 80 ms and then 50 a second, first sound 60 ms after its clause.
"""

import argparse
import asyncio
import math
import os
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvloop

from tests.load import cells
from tests.load.caller import Caller
from tests.load.cells import Cell
from tests.load.impairment import impair
from tests.load.report import OUT_DIR, Report, machine_speed, spread
from tests.load.scenarios import Measured, greet
from tests.load.stack import Running, run_stack
from tests.load.stand_in_pbx import StandInPbx
from tests.load.turn_records import TurnRecords, watch_turns
from tests.load.wire import FRAME_S

ARI_PORT = 18088
CONNECT_LIMIT_S = 20
WARM_UP_TURNS = 1
CLOSING_S = 1.5
"""Within it a call that was hung up has told all it counted."""
MEMORY_EVERY_S = 0.5
ECHO_METHOD = "/bench.Echo/Stream"
ECHO_ROUNDS = 2000


class _Echo(grpc.GenericRpcHandler):
    """Answers every message of a stream with itself."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        async def echo(requests, context):  # type: ignore[no-untyped-def]
            async for request in requests:
                yield request

        return grpc.stream_stream_rpc_method_handler(echo)


async def measure_echo() -> float:
    """Microseconds of one round trip of a 200-byte message on one stream, client and server on this loop."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(ECHO_METHOD)()
        begun_s = 0.0
        for number in range(ECHO_ROUNDS + 100):
            if number == 100:  # the first ones pay for the connection
                begun_s = time.perf_counter()
            await stream.write(bytes(200))
            await stream.read()
        took_s = time.perf_counter() - begun_s
        await stream.done_writing()
    await server.stop(1.0)
    return round(1e6 * took_s / ECHO_ROUNDS, 1)


@dataclass(slots=True)
class Placed:
    """A call that was placed."""

    caller: Caller
    lasted_s: float


async def _one_caller(pbx: StandInPbx, cell: Cell, index: int, measured: Measured) -> Placed:
    chance = random.Random(1000 * cell.calls + index)
    await asyncio.sleep(chance.uniform(0.0, cell.calls * 0.1))
    begun_s = time.monotonic()
    line = await pbx.call(f"caller-{index}", ssrc=index + 1)
    if cell.impairment is not None:
        impair(line.wire, cell.impairment, seed=index)
    echo = cells.line_echo(index) if cell.has_echo else None
    caller = Caller(line, phase_s=chance.uniform(0.0, 0.02), echo=echo)
    try:
        await greet(caller)
        await cell.play(caller, WARM_UP_TURNS, chance)
        measured.add(await cell.play(caller, cell.turns, chance))
    finally:
        await pbx.hang_up(line)
        line.wire.close()
    return Placed(caller, time.monotonic() - begun_s)


async def _watch_memory(running: dict[str, Running]) -> float:
    """The most that all services together held at once, in MB, until cancelled."""
    most_mb = 0.0
    with suppress(asyncio.CancelledError):
        while True:
            most_mb = max(most_mb, _rss_mb(running))
            await asyncio.sleep(MEMORY_EVERY_S)
    return most_mb


def _rss_mb(running: dict[str, Running]) -> float:
    return sum(each.rss_mb() for each in running.values())


def _row(
    cell: Cell, measured: Measured, records: TurnRecords, callers: list[Caller], cost: dict[str, float]
) -> dict[str, object]:
    row: dict[str, object] = {"scenario": cell.scenario, "calls": cell.calls}
    if measured.turn_s:
        row["turn_ms"] = spread(measured.turn_s)
        row["recorded_turn_ms"] = spread(records.latency_s)
        row["unexplained_ms"] = spread(records.unexplained_s)
        row["drafts"] = f"{records.drafts_made} made, {records.from_draft} used, {records.drafts_dropped} dropped"
    if measured.barge_in_s:
        row["barge_in_ms"] = spread(measured.barge_in_s)
    if measured.utterances:
        row["cut_off_percent"] = round(100 * measured.cut_offs / measured.utterances, 1)
    if measured.disturbances:
        row["resumed_percent"] = round(100 * measured.resumed / measured.disturbances, 1)
    if cell.has_echo:
        heard_min = sum(len(caller.sounds) for caller in callers) * FRAME_S / 60
        row["interruptions_per_min"] = round(cost["pauses"] / heard_min, 2) if heard_min else math.inf
        row["unasked"] = measured.unasked
    gaps = [abs(gap_s - 0.02) for caller in callers for gap_s in caller.line.wire.gaps_s]
    lateness = [late_s for caller in callers for late_s in caller.line.wire.lateness_s]
    return {**row, "pacing_off_ms": spread(gaps), "caller_late_ms": spread(lateness), **cost}


def _cpu(running: dict[str, Running]) -> dict[str, float]:
    return {name: each.cpu_s() for name, each in running.items()}


async def run_cell(cell: Cell) -> dict[str, object]:
    """Start the stack, place the calls, measure, stop."""
    log_dir = OUT_DIR / "bench-logs" / f"{cell.scenario}-{cell.calls}"
    measured = Measured()
    gateway = f"127.0.0.1:{cells.PORTS['call_gateway']}"
    async with (
        StandInPbx(ARI_PORT, "tong-dai") as pbx,
        run_stack(cell.services(ARI_PORT), log_dir) as running,
        watch_turns(gateway) as records,
    ):
        await asyncio.wait_for(pbx.connected.wait(), CONNECT_LIMIT_S)
        before, before_mb = _cpu(running), _rss_mb(running)
        watching = asyncio.create_task(_watch_memory(running))
        async with asyncio.TaskGroup() as tasks:
            calling = [tasks.create_task(_one_caller(pbx, cell, index, measured)) for index in range(cell.calls)]
        watching.cancel()
        calls = [task.result() for task in calling]
        minutes = sum(call.lasted_s for call in calls) / 60
        spent = {name: after - before[name] for name, after in _cpu(running).items()}
        await asyncio.sleep(CLOSING_S)
        cost = {
            "cpu_s_per_call_min": round(sum(spent.values()) / minutes, 2),
            "front_cpu_s_per_call_min": round((spent["call_gateway"] + spent["stt_proxy"]) / minutes, 2),
            "gateway_cpu_s_per_call_min": round(spent["call_gateway"] / minutes, 2),
            "rss_mb": round(most_mb := await watching, 1),
            "rss_mb_per_call": round((most_mb - before_mb) / cell.calls, 2),
            **await asyncio.to_thread(cells.counters, running),
        }
    return _row(cell, measured, records, [call.caller for call in calls], cost)


async def run(chosen: list[Cell]) -> Path:
    """Every cell after the other; the report's file."""
    report = Report("bench", {**machine_speed(), "grpc_echo_us": await measure_echo()})
    print(f"machine: {report.machine}", flush=True)
    for cell in chosen:
        report.add(await run_cell(cell), cell.targets)
    return report.write()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="scenarios by name, separated by commas")
    parser.add_argument("--calls", default="", help="numbers of calls, separated by commas")
    parser.add_argument("--turns", type=int, default=0, help="turns a cell, all callers together")
    parser.add_argument(
        "--cores",
        choices=("any", "one", "split"),
        default="any",
        help="one: all services on core 0; split: gateway and stt on core 0, the other two on core 1. "
        "The callers are on core 1 then",
    )
    arguments = parser.parse_args()
    if arguments.cores != "any":
        os.sched_setaffinity(0, {1})
    chosen = cells.choose(
        scenarios=[name for name in arguments.only.split(",") if name],
        calls=[int(number) for number in arguments.calls.split(",") if number],
        turns=arguments.turns,
        cores=arguments.cores,
    )
    print(f"wrote {uvloop.run(run(chosen))}")


if __name__ == "__main__":
    main()
