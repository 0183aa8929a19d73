"""The process around a service, or around several: what all do between `python -m` and the last stream."""

import asyncio
import gc
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import grpc
import uvloop

from services.language.data import LanguageDataError
from services.runtime.current_service import in_service
from services.runtime.ending import LastWork, end_in_call, end_now
from services.runtime.errors import NotServing, StartupError, root_cause
from services.runtime.exposure import warn_of_exposures
from services.runtime.grpc_server import ServiceServer
from services.runtime.identity import Scope
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import configure_logs, get_logger, log_uncaught
from services.runtime.metrics import StageMetrics, stage_of, watch_loop_lag
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


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """The definition of one service.

    `load` runs once the port is held; until it returns, health says NOT_SERVING and streams are refused with LOADING.
    `background` runs beside the streams from then on and is cancelled after the last one; if it fails, the process
    ends. `drain` returns when work that no stream of this server carries has come to its end: it is waited for beside
    the streams, as long as for them. `close` runs last.
    """

    settings: ServiceSettings
    full_name: str  # as in "voice.tts.v1.TtsService"
    add: Callable[[grpc.aio.Server], None]  # puts the servicer on the server
    lifecycle: Lifecycle
    load: Step = nothing
    close: Step = nothing
    background: Callable[[], Coroutine[Any, Any, None]] | None = None
    drain: Step = nothing
    scopes: Mapping[str, Scope] | None = None  # what a token needs for a method, by its name
    ends_first: bool = False  # it uses the other services of its process: they end when it has
    socket_path: Path | None = None  # a UNIX socket to listen on, beside the port

    @property
    def stage(self) -> str:
        """Return the stage's name, as "tts"."""
        return stage_of(self.full_name)


def run_services(*definitions: ServiceDefinition) -> None:
    """Run one service, or several in one event loop, until SIGTERM or SIGINT, then drain; a second signal cuts the
    drain short.

    A StartupError of any becomes one line on stderr and exit code 1, and ends all. An engine's thread that has ended or
    hangs makes health say NOT_SERVING and ends the process with EXIT_ENGINE_LOST; an event loop that stands still ends
    it with the same. What is of the process (the log, the tracer) is set up by the settings of the first.
    """
    settings = definitions[0].settings
    name = definitions[0].stage if len(definitions) == 1 else "stack"
    configure_logs(level=settings.log_level, log_format=settings.log_format, log_pii=settings.log_pii, service=name)
    log_uncaught()
    tracing = configure_tracing(endpoint=settings.otlp_endpoint, service=f"tong-dai-{name}")
    last_work = LastWork()
    try:
        uvloop.run(_run([_Service(each) for each in definitions], last_work))
    except (StartupError, BaseExceptionGroup) as error:
        cause = root_cause(error)
        if not isinstance(cause, StartupError):
            raise
        print(cause, file=sys.stderr)
        end_in_call(1)
        raise SystemExit(1) from None
    finally:
        last_work.cancel()
        tracing.shutdown()
    end_in_call(0)


async def _run(services: Sequence["_Service"], last_work: LastWork) -> None:
    """Run until all services have stopped as they were told, or one cannot start; then `last_work` begins."""
    signals = _Signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signals.arrive)
    loop_watch = LoopWatch(_end_with_loop)
    loop_watch.start(asyncio.get_running_loop())
    try:
        async with AsyncExitStack() as started:
            for service in services:  # one after the other: where one fails, no other is left half started
                await service.start()
                started.push_async_callback(service.stop)
            async with asyncio.TaskGroup() as tasks:
                running = {service: tasks.create_task(service.run()) for service in services}
                beside = [
                    tasks.create_task(_end_with_engine(services)),
                    tasks.create_task(_pass_on(signals, running)),
                ]
                await asyncio.wait(running.values())
                for task in beside:
                    task.cancel()
        last_work.begin()
    except (StartupError, BaseExceptionGroup) as error:
        if isinstance(cause := root_cause(error), StartupError):
            last_work.begin(1, str(cause))
        raise
    finally:
        loop_watch.close()


async def _pass_on(signals: "_Signals", running: Mapping["_Service", "asyncio.Task[None]"]) -> None:
    """Hand signals on: the first to the services that end first, and to the others once those have ended; the second,
    whenever it comes, to all.
    """
    await signals.next()
    first = [service for service in running if service.definition.ends_first]
    for service in first:
        service.signals.arrive()
    has_ended = not first or await _until(asyncio.wait([running[service] for service in first]), signals)
    for service in running:
        if service not in first:
            service.signals.arrive()
    if has_ended:
        await signals.next()
    for service in running:
        service.signals.arrive()


class _Service:
    """One service of the process, from its port to its last stream."""

    def __init__(self, definition: ServiceDefinition) -> None:
        self.definition = definition
        self.metrics = StageMetrics(definition.stage)
        self.signals = _Signals()
        self.server: ServiceServer | None = None
        self._monitoring = MonitoringServer(Probes(definition.lifecycle, service=definition.stage))
        self._is_stopped = False

    async def start(self) -> None:
        """Hold the ports, NOT_SERVING. Raises StartupError, and holds nothing then."""
        own = self.definition
        with self._named():
            server = ServiceServer(
                own.settings,
                full_name=own.full_name,
                add=own.add,
                lifecycle=own.lifecycle,
                scopes=own.scopes,
                socket_path=own.socket_path,
            )
            await server.start()
            self.server = server
            try:
                await _start_monitoring(own.settings, self.metrics, self._monitoring)
            except StartupError:
                await self.stop()
                raise
            log.info("listening", target=server.target)

    async def run(self) -> None:
        """Load and serve until a signal has arrived and the drain is over. Raises StartupError."""
        own, server = self.definition, self.server
        if server is None:
            raise RuntimeError("run before start")
        with self._named():
            try:
                async with asyncio.TaskGroup() as tasks:
                    beside = [
                        tasks.create_task(watch_loop_lag(self.metrics)),
                        tasks.create_task(server.tell_parts()),
                        tasks.create_task(server.reload_credentials()),
                        tasks.create_task(warn_of_exposures(own.settings.exposures())),
                    ]
                    if await _until(_load(own.load, own.lifecycle), self.signals):
                        _spare_collector()
                        await server.serve()
                        log.info("serving", target=server.target)
                        if own.background is not None:
                            beside.append(tasks.create_task(own.background()))
                        await self.signals.next()
                        log.info("draining", drain_s=own.settings.drain_s)
                        await _until(_drain(server, own.settings.drain_s, own.drain), self.signals)
                    for task in beside:
                        task.cancel()
            finally:
                await self.stop()

    async def stop(self) -> None:
        """Cut what is open and close. Once only."""
        if self._is_stopped or self.server is None:
            return
        self._is_stopped = True
        with in_service(self.definition.stage):
            await self.server.stop(0)
            await self.definition.close()
            await self._monitoring.close()
            log.info("stopped")

    @contextmanager
    def _named(self) -> Iterator[None]:
        """The body's log lines carry the stage, and what its StartupError says begins with it."""
        stage = self.definition.stage
        with in_service(stage):
            try:
                yield
            except (StartupError, BaseExceptionGroup) as error:
                cause = root_cause(error)
                if not isinstance(cause, StartupError):
                    raise
                raise StartupError(f"{stage}: {cause}") from error


async def _load(load: Step, lifecycle: Lifecycle) -> None:
    """Load; where a person must mend something first, say so in one line and stay NOT_SERVING until told to stop."""
    try:
        await load()
    except LanguageDataError as error:  # the message names file, key and fault
        raise StartupError(str(error)) from error
    except NotServing as reason:
        lifecycle.cannot_serve(str(reason))
        log.error("not_serving", fault=lifecycle.fault)
        await asyncio.Event().wait()


async def _end_with_engine(services: Sequence[_Service]) -> None:
    """End the process when a thread of an engine is lost. `close` and the interpreter's own end would wait for a thread
    that hangs, so neither runs.
    """
    lost = await watch_engines()
    with suppress(OSError):  # a log without a reader keeps no process
        log.error("engine_lost", engine=lost.engine, thread=lost.thread, fault=lost.cause)
    servers = [service.server for service in services if service.server is not None]
    for service in services:
        if lost.service in ("", service.definition.stage):
            service.metrics.count_error("ENGINE_LOST")
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_S):
            await asyncio.gather(*(server.stop(0) for server in servers))
    end_now(EXIT_ENGINE_LOST)


def _end_with_loop(stalled_s: float) -> None:
    """End the process from outside its event loop, which stands still: nothing else in it can."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    where = "".join(traceback.format_stack(frame)[-3:]) if frame else ""
    try:
        log.error("event_loop_stalled", stalled_s=round(stalled_s, 1), where=where)
    finally:
        end_now(EXIT_ENGINE_LOST)


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

    def arrive(self) -> None:
        if not self._arrived.full():
            self._arrived.put_nowait(None)

    async def next(self) -> None:
        await self._arrived.get()


async def _until(step: Awaitable[object], stop_signal: _Signals) -> bool:
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
    """Spare Python's collector of cycles going through what is loaded, which stays: that took 7 % of the gateway's
    time, in pauses that callers' packets felt. What calls leave behind is little; it is looked through so often that
    forty calls' remains are the most there is.
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
