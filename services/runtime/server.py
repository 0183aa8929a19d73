"""The process around a service: what all four do between `python -m` and the last stream."""

import asyncio
import gc
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import grpc
import uvloop

from services.runtime.errors import NotServing, StartupError, root_cause
from services.runtime.exposure import warn_of_exposures
from services.runtime.grpc_server import ServiceServer
from services.runtime.identity import Scope
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import configure_logs, get_logger
from services.runtime.loop_lag import watch_loop_lag
from services.runtime.metrics import StageMetrics, stage_of
from services.runtime.monitoring import MonitoringServer, Probes
from services.runtime.settings import ServiceSettings
from services.runtime.tracing import configure_tracing
from services.runtime.watchdog import LoopWatch, watch_engines

Step = Callable[[], Awaitable[None]]

EXIT_ENGINE_LOST = 70
"""Exit status of a process whose engine is lost: EX_SOFTWARE of sysexits.h. Its supervisor starts it again."""
_LAST_WORDS_S = 1.0  # for health to say NOT_SERVING and for the open streams' statuses to reach their clients

log = get_logger(__name__)


async def nothing() -> None:
    """The step of a service that has nothing to load or to close."""


def run_service(
    settings: ServiceSettings,
    *,
    full_name: str,
    add: Callable[[grpc.aio.Server], None],
    lifecycle: Lifecycle,
    load: Step = nothing,
    close: Step = nothing,
    background: Callable[[], Coroutine[Any, Any, None]] | None = None,
    drain: Step = nothing,
    scopes: Mapping[str, Scope] | None = None,
) -> None:
    """Run one service until SIGTERM or SIGINT, then drain it; a second signal cuts the drain short.

    `load` runs once the port is held; until it returns, health says NOT_SERVING and streams are refused with LOADING.
    `background` runs beside the streams from then on and is cancelled after the last one; if it fails, the process
    ends. `drain` returns when work that no stream of this server carries has come to its end: it is waited for beside
    the streams, as long as for them. `close` runs last. A StartupError becomes one line on stderr and exit code 1.
    `scopes`: what a token needs for a method, by its name.
    An engine's thread that has ended or hangs makes health say NOT_SERVING and ends the process with EXIT_ENGINE_LOST;
    an event loop that stands still ends it with the same.
    """
    stage = stage_of(full_name)
    configure_logs(level=settings.log_level, log_format=settings.log_format, log_pii=settings.log_pii, service=stage)
    tracing = configure_tracing(endpoint=settings.otlp_endpoint, service=f"tong-dai-{stage}")
    try:
        uvloop.run(
            _run(
                settings,
                full_name,
                add,
                lifecycle,
                load=load,
                close=close,
                background=background,
                drain=drain,
                scopes=scopes,
            )
        )
    except (StartupError, BaseExceptionGroup) as error:
        cause = root_cause(error)
        if not isinstance(cause, StartupError):
            raise
        print(f"{stage}: {cause}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        tracing.shutdown()


async def _run(
    settings: ServiceSettings,
    full_name: str,
    add: Callable[[grpc.aio.Server], None],
    lifecycle: Lifecycle,
    *,
    load: Step,
    close: Step,
    background: Callable[[], Coroutine[Any, Any, None]] | None,
    drain: Step,
    scopes: Mapping[str, Scope] | None,
) -> None:
    stop_signal = _Signals()
    server = ServiceServer(settings, full_name=full_name, add=add, lifecycle=lifecycle, scopes=scopes)
    monitoring = MonitoringServer(Probes(lifecycle))
    metrics = StageMetrics(stage_of(full_name))
    loop_watch = LoopWatch(_end_with_loop)
    loop_watch.start(asyncio.get_running_loop())
    await server.start()
    try:
        await _start_monitoring(settings, metrics, monitoring)
        log.info("listening", target=server.target)
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(watch_loop_lag(metrics)),
                tasks.create_task(_end_with_engine(server, metrics)),
                tasks.create_task(server.tell_parts()),
                tasks.create_task(server.reload_credentials()),
                tasks.create_task(warn_of_exposures(settings.exposures())),
            ]
            if await _until(_load(load), stop_signal):
                _spare_collector()
                await server.serve()
                log.info("serving", target=server.target)
                if background is not None:
                    beside.append(tasks.create_task(background()))
                await stop_signal.next()
                log.info("draining", drain_s=settings.drain_s)
                await _until(_drain(server, settings.drain_s, drain), stop_signal)
            for task in beside:
                task.cancel()
    finally:
        await server.stop(0)
        await close()
        await monitoring.close()
        loop_watch.close()
        log.info("stopped")


async def _load(load: Step) -> None:
    """Load; where a person must mend something first, say so in one line and stay NOT_SERVING until told to stop."""
    try:
        await load()
    except NotServing as reason:
        log.error("not_serving", fault=str(reason))
        await asyncio.Event().wait()


async def _end_with_engine(server: ServiceServer, metrics: StageMetrics) -> None:
    """End the process when a thread of an engine is lost. `close` and the interpreter's own end would wait for a thread
    that hangs, so neither runs.
    """
    lost = await watch_engines()
    log.error("engine_lost", engine=lost.engine, thread=lost.thread, fault=lost.cause)
    metrics.errors_total("ENGINE_LOST").inc()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_S):
            await server.stop(0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_ENGINE_LOST)


def _end_with_loop(stalled_s: float) -> None:
    """End the process from outside its event loop, which stands still: nothing else in it can."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    where = "".join(traceback.format_stack(frame)[-3:]) if frame else ""
    log.error("event_loop_stalled", stalled_s=round(stalled_s, 1), where=where)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_ENGINE_LOST)


async def _drain(server: ServiceServer, drain_s: float, drain: Step) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.stop(drain_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(drain_s):
                await drain()


class _Signals:
    """SIGTERM and SIGINT, one by one. More than two at once are no more than two."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[None] = asyncio.Queue(maxsize=2)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.arrive)

    def arrive(self) -> None:
        if not self._arrived.full():
            self._arrived.put_nowait(None)

    async def next(self) -> None:
        await self._arrived.get()


async def _until(step: Awaitable[None], stop_signal: _Signals) -> bool:
    """Run a step to its end, or cancel it at a signal. True when it ended by itself; what it raises is raised."""
    working = asyncio.ensure_future(step)
    waiting = asyncio.ensure_future(stop_signal.next())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        if waiting.done():
            stop_signal.arrive()  # both at once: it is for whoever waits next
        await working
        return True
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


def _spare_collector() -> None:
    """What is loaded stays, so Python's collector of cycles need not go through it over and over: that took 7 % of the
    gateway's time, in pauses that callers' packets felt. What calls leave behind is little; it is looked through so
    often that forty calls' remains are the most there is.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000, 5, 5)


async def _start_monitoring(settings: ServiceSettings, metrics: StageMetrics, monitoring: MonitoringServer) -> None:
    metrics.show_build(version=_own_version(), python=platform.python_version(), grpc=grpc.__version__)
    if not settings.metrics_port:
        return
    try:
        await monitoring.start(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        raise StartupError(
            f"cannot serve metrics on {settings.metrics_host}:{settings.metrics_port}: stop the process that holds the "
            "port, set another metrics port, or 0 for none"
        ) from error


def _own_version() -> str:
    """The project's version; "source" where it runs from its folder without being installed, as in an image."""
    try:
        return version("tong-dai")
    except PackageNotFoundError:
        return "source"
