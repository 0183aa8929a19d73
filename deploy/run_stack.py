"""`make run-stack`: the services under supervisor, in the foreground, until Ctrl-C.

Says how far each is until all serve, then where they are; says when one dies and when it is back. A service that cannot
start at first ends the command with that service's own line and exit status 1; one that fails later on does not end the
calls of the others. With --one-process the four are one process, which lives and dies as a whole.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from deploy.fetch_models import fetch_models
from deploy.gateways import GatewayProcesses
from deploy.processes import STACK, Process, one_process, stack_processes
from deploy.settings import read_stack_settings
from deploy.stack import HealthWatch, check_ports
from deploy.supervision import FOUR_PROCESSES, ONE_PROCESS, STANDBY, ProcessState, Supervision
from services.nlu.settings import NluSettings
from services.runtime.errors import StartupError
from services.runtime.models import read_models
from services.runtime.settings import read_settings

_LOGS = Path(__file__).parents[1] / "out" / "logs"
_DATA = Path(__file__).parents[1] / "out" / "data"
_START_LIMIT_S = 180.0
_LOOK_EVERY_S = 0.25
_TRY_AGAIN_S = 15.0
_STARTS = 4  # as supervisor's startretries: the first and three more


class Stopped(Exception):
    """The user ends the command."""


@dataclass(slots=True)
class Watched:
    """One process, as the command has last seen it."""

    process: Process
    health: HealthWatch
    is_serving: bool = False
    pids: dict[str, int] = field(default_factory=dict)  # of the process, and of its standby
    n_failed_starts: int = 0  # since it last served

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def process_name(self) -> str:
        """Of the whole process, for people."""
        return STACK if self.process.supervised_name == STACK else self.name


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        _run(is_one_process="--one-process" in sys.argv[1:])
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped:
        print("  stopped", flush=True)
    return 0


def _run(*, is_one_process: bool) -> None:
    began = time.monotonic()
    _keep_data()
    processes = one_process() if is_one_process else stack_processes()
    for process in processes:
        check_ports(process.service, process.settings)
    fetch_models(_wanted_models(processes), read_stack_settings(), _say)
    drain_s = max(each.settings.drain_s for each in processes)
    watched = [Watched(each, HealthWatch(each.service, each.settings)) for each in processes]
    n_gateways = sum(each.service.name == "call_gateway" for each in processes)
    config = ONE_PROCESS if is_one_process else FOUR_PROCESSES
    stop_s = 2 * drain_s if is_one_process else drain_s  # the gateway drains before the stages
    has_standby = read_settings(GatewayProcesses).standby
    with Supervision(_LOGS, stop_s, n_gateways=n_gateways, has_standby=has_standby, config=config) as supervision:
        try:
            _say(f"starting {_counted(processes)}; logs in {_LOGS}")
            _wait_until_serving(supervision, watched, began)
            _show_addresses(processes, time.monotonic() - began)
            _keep_watch(supervision, watched)
        except Stopped:
            _say(f"draining: calls may go on for {drain_s:g} s")
            raise


def _keep_data() -> None:
    """Give the agents' tools a folder to write in, where no setting names one: what is booked stays there."""
    if read_settings(NluSettings).data_dir is None:
        os.environ["NLU_DATA_DIR"] = str(_DATA)


def _wanted_models(processes: Sequence[Process]) -> Sequence[str]:
    """The models of the table that some setting of some service names."""
    values = {value for each in processes for value in vars(each.settings).values() if isinstance(value, str)}
    return sorted(values & read_models().keys())


def _wait_until_serving(supervision: Supervision, watched: Sequence[Watched], began: float) -> None:
    """Wait until all serve. Any process that ends before that ends the command: it will not start either next time."""
    next_word = time.monotonic() + 5.0
    while not all(each.is_serving for each in watched):
        for state in supervision.states():
            for each in _of(watched, state):
                first_pid = each.pids.setdefault(state.name, state.pid) or state.pid
                each.pids[state.name] = first_pid
                if state.state in {"BACKOFF", "EXITED", "FATAL"} or state.pid not in {0, first_pid}:
                    raise StartupError(f"{each.process_name} does not start: {_why_it_ended(supervision, each, state)}")
        if not supervision.is_alive:
            raise StartupError(f"supervisor does not start: {supervision.last_word('supervisor')}")
        for each in watched:
            if not each.is_serving and each.health.is_serving():
                each.is_serving = True
                _say(f"{each.name:<15} SERVING on {each.health.address} after {time.monotonic() - began:.1f} s")
            elif not each.is_serving and (why := each.health.why_never()):
                raise StartupError(f"{each.name} cannot serve: {why}")
        if time.monotonic() >= next_word:
            next_word += 5.0
            _say(f"waiting for {', '.join(each.name for each in watched if not each.is_serving)}")
        if time.monotonic() - began > _START_LIMIT_S:
            late = next(each for each in watched if not each.is_serving)
            raise StartupError(
                f"{late.name} has not served within {_START_LIMIT_S:g} s: {_last_word(supervision, late)}"
            )
        time.sleep(_LOOK_EVERY_S)


def _keep_watch(supervision: Supervision, watched: Sequence[Watched]) -> None:
    """Say when a service dies and when it is back. One that cannot be started again is tried again now and then: what
    the others hold, calls among it, goes on. Ends with StartupError when supervisor itself is gone.
    """
    tried_at: dict[str, float] = {}
    while supervision.is_alive:
        for state in supervision.states():
            each, *_ = here = _of(watched, state)
            # One that takes long to fail is never given up by supervisor, which thinks that it had started.
            has_failed = state.state == "FATAL" or each.n_failed_starts >= _STARTS
            if has_failed and time.monotonic() - tried_at.get(state.name, -_TRY_AGAIN_S) >= _TRY_AGAIN_S:
                tried_at[state.name] = time.monotonic()
                why = _why_it_ended(supervision, each, state)
                others = "the others go on, and " if len(here) < len(watched) else ""
                _say(f"{each.process_name:<15} cannot be started: {why}; {others}it is tried again")
                if state.state == "FATAL":
                    supervision.restart(state.name)
            for each in here:
                _note_change(each, state)
        time.sleep(2 * _LOOK_EVERY_S)
    raise StartupError(f"supervisor is gone; see {_LOGS}")


def _note_change(each: Watched, state: ProcessState) -> None:
    """A standby serves as soon as the other is gone, and the other is the standby then."""
    known_pid = each.pids.get(state.name)
    standby = STANDBY if state.name.endswith(STANDBY) else ""
    if known_pid and state.pid != known_pid and (each.is_serving or standby):
        each.is_serving, each.pids[state.name] = False, 0
        _say(f"{each.name + standby:<15} died; supervisor starts it again")
    if state.pid:
        each.n_failed_starts += state.pid != known_pid
        each.pids[state.name] = state.pid
    if not each.is_serving and state.pid and each.health.is_serving():
        each.is_serving, each.n_failed_starts = True, 0
        _say(f"{each.name:<15} SERVING again")


def _why_it_ended(supervision: Supervision, each: Watched, state: ProcessState) -> str:
    """Return the last words of a process, or that it had none: a process that a signal ends says nothing."""
    if signal_name := supervision.ended_by(state.name):
        return f"{signal_name} ended it: a library crashed or memory ran out; see also {_LOGS}"
    return _last_word(supervision, each)


def _last_word(supervision: Supervision, each: Watched) -> str:
    """The last line of a process, without the stage it begins with where the process is that stage's alone."""
    said = supervision.last_word(each.process.supervised_name)
    stage = each.process.service.full_name.split(".")[1]
    return said if each.process_name == STACK else said.removeprefix(f"{stage}: ")


def _of(watched: Sequence[Watched], state: ProcessState) -> list[Watched]:
    """The services of the process: one, or all of them."""
    return [each for each in watched if each.process.supervised_name == state.name.removesuffix(STANDBY)]


def _counted(processes: Sequence[Process]) -> str:
    n_processes = len({each.supervised_name for each in processes})
    return "one process" if n_processes == 1 else f"{n_processes} processes"


def _show_addresses(processes: Sequence[Process], took_s: float) -> None:
    print(f"\n  The stack serves, after {took_s:.1f} s.\n")
    print(f"  {'':<15} {'gRPC':<22} Prometheus")
    for process in processes:
        own = process.settings
        metrics = f"http://{own.metrics_host}:{own.metrics_port}/metrics" if own.metrics_port else "off"
        print(f"  {process.name:<15} {f'{own.host}:{own.port}':<22} {metrics}")
    print(f"\n  What is booked is kept in {read_settings(NluSettings).data_dir}")
    print(
        "\n  In another terminal:\n"
        "    make pbx              a private Asterisk to call through\n"
        "    make call             a phone calls, speaks and prints what happened\n"
        "    make call EDGE=grpc   the same without Asterisk\n"
        "    make call SCENARIO=booking   the phone books an appointment\n"
        "  Ctrl-C drains and stops.\n",
        flush=True,
    )


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # once is enough: draining is under way
    raise Stopped


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
