"""Checks, the rules they hold a server to, and a run of all that concern one service."""

import asyncio
import linecache
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import grpc

from clients.conformance import streams
from clients.conformance.rules import RULES
from clients.conformance.stages import STAGES, Stage
from clients.conformance.streams import PLAIN, Stream, lost_statuses, start_stream
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.errors import RpcFailure, rpc_failure

CHECK_LIMIT_S: Final = 180.0
LOST_STATUS_TRIES: Final = 3
"""Attempts at a check whose failures come with a status that the client library lost."""
MODULES: Final = ("opening", "stt", "stt_sound", "nlu", "nlu_drafts", "tts", "tts_turns", "gateway")


class NotApplicableError(Exception):
    """The check does not concern this server; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is checked."""

    address: str
    """"host:port", or any gRPC name."""
    stage: Stage
    channel: ChannelSettings = PLAIN
    word: str = "appointment"
    """A word that an STT server must find in "I would like to make an appointment, please." """
    pid: int | None = None
    """The server's process, where it runs on this machine: its memory is looked at."""

    def opened(self, **change: Any) -> AbstractAsyncContextManager[Stream]:
        """A stream whose config was accepted. `change`: fields of the config."""
        return streams.opened(self.stage, self.address, self.channel, **change)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[grpc.aio.Channel]:
        """A channel for the time of the body."""
        channel = open_channel(self.address, self.channel)
        try:
            yield channel
        finally:
            await channel.close(grace=None)

    def start(self, channel: grpc.aio.Channel) -> Stream:
        """Open a stream; nothing has been sent on it."""
        return start_stream(self.stage, channel)

    async def describe(self, channel: grpc.aio.Channel) -> Any:
        """The answer of the service's unary method (DescribeEngine; ListCalls on the gateway)."""
        call = channel.unary_unary(
            self.stage.describe_path,
            request_serializer=type(self.stage.describe_request).SerializeToString,
            response_deserializer=self.stage.describe_response.FromString,
        )
        return await call(self.stage.describe_request, timeout=10)

    async def features(self) -> frozenset[str]:
        """Return what the server says it understands; nothing on the gateway."""
        async with self.connected() as channel:
            opening = await self.start(channel).open()
        if self.stage.name == "call":
            return frozenset()
        return frozenset(opening.engine.features if self.stage.name == "nlu" else opening.features)

    def resident_kb(self) -> int:
        """Resident memory of the server's process, in kilobytes; 0 where it is not known."""
        if self.pid is None:
            return 0
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


Body = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a server does right or wrong."""

    stages: tuple[str, ...]
    rules: tuple[int, ...]
    name: str
    body: Body
    needs: frozenset[str] = frozenset()
    """Features without which it does not apply."""
    case: tuple[Any, ...] = ()
    """The further argument of a check that is made with several."""

    async def run(self, target: Target) -> None:
        """Raises AssertionError, grpc.aio.AioRpcError or TimeoutError where the server is wrong, NotApplicableError."""
        await again_where_a_status_is_lost(lambda: self._run_once(target))

    async def _run_once(self, target: Target) -> None:
        async with asyncio.timeout(CHECK_LIMIT_S):
            await self.body(target, *self.case)


CHECKS: list[Check] = []


def check(
    stage: Stage | None, *rules: int, needs: Iterable[str] = (), cases: Mapping[str, Any] | None = None
) -> Callable[[Body], Body]:
    """Register a check of one stage, or of all four, for rules by their numbers. With `cases` it is made once for each
    value, which the function takes behind the target.
    """
    stages = tuple(STAGES) if stage is None else (stage.name,)

    def register(body: Body) -> Body:
        name = body.__name__
        named = [(name, ())] if cases is None else [(f"{name}[{key}]", (value,)) for key, value in cases.items()]
        CHECKS.extend(Check(stages, rules, full, body, frozenset(needs), case) for full, case in named)
        return body

    return register


def checks_of(stage: str) -> list[Check]:
    """Every check of a stage, in the order of the modules."""
    for module in MODULES:
        import_module(f"clients.conformance.checks.{module}")
    return [one for one in CHECKS if stage in one.stages]


class Outcome(StrEnum):
    """The result of a check or a rule."""

    PASSED = "pass"
    FAILED = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check, run once."""

    check: Check
    outcome: Outcome
    detail: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule and the checks that stand for it."""

    number: int
    outcome: Outcome
    detail: str
    checks: tuple[CheckResult, ...] = field(default=())


async def run_check(one: Check, target: Target, features: frozenset[str]) -> CheckResult:
    """Run a check; nothing is raised but what ends the program."""
    if missing := one.needs - features:
        return CheckResult(one, Outcome.NOT_APPLICABLE, f"the server does not list {', '.join(sorted(missing))}", 0.0)
    began = time.monotonic()
    outcome, detail = Outcome.PASSED, ""
    try:
        await one.run(replace(target))
    except NotApplicableError as reason:
        outcome, detail = Outcome.NOT_APPLICABLE, str(reason)
    except grpc.aio.AioRpcError as error:
        failure = rpc_failure(error)
        outcome, detail = Outcome.FAILED, f"status {failure.code.name} {failure.reason}: {failure.message}"
    except TimeoutError as error:
        outcome, detail = Outcome.FAILED, f"nothing came in time, {place_of(error.__traceback__)}"
    except Exception as error:
        said = f": {error}" if str(error) else ""
        outcome, detail = Outcome.FAILED, f"{type(error).__name__}{said}, {place_of(error.__traceback__)}"
    return CheckResult(one, outcome, detail, time.monotonic() - began)


def place_of(traceback: TracebackType | None) -> str:
    """The line of a check where it broke off."""
    place = "in no check"
    while traceback is not None:
        code, line = traceback.tb_frame.f_code, traceback.tb_lineno
        if "conformance" in code.co_filename and "checks" in code.co_filename:
            source = linecache.getline(code.co_filename, line).strip()
            place = f"at {Path(code.co_filename).name}:{line}: {source}"
        traceback = traceback.tb_next
    return place


def judge(stage: str, results: Iterable[CheckResult], only: frozenset[int] = frozenset()) -> list[RuleResult]:
    """The rules in their order; a rule fails with any of its checks and passes with one that applies."""
    done = list(results)
    judged = []
    for rule in RULES:
        if only and rule.number not in only:
            continue
        mine = tuple(one for one in done if rule.number in one.check.rules)
        failed = [one for one in mine if one.outcome is Outcome.FAILED]
        passed = [one for one in mine if one.outcome is Outcome.PASSED]
        if failed:
            judged.append(RuleResult(rule.number, Outcome.FAILED, f"{failed[0].check.name}: {failed[0].detail}", mine))
        elif passed:
            judged.append(RuleResult(rule.number, Outcome.PASSED, f"{len(passed)} checks", mine))
        else:
            reason = mine[0].detail if mine else rule.unchecked or f"it does not concern {stage}"
            judged.append(RuleResult(rule.number, Outcome.NOT_APPLICABLE, reason, mine))
    return judged


async def again_where_a_status_is_lost(body: Callable[[], Awaitable[None]]) -> None:
    """Make a check, and make it again on fresh streams where it fails and a status was lost; the last time counts.

    grpc.aio loses the server's status where a write meets the end of the stream, which says nothing of the server.
    """
    for _ in range(LOST_STATUS_TRIES - 1):
        lost: list[str] = []
        before = lost_statuses.set(lost)
        try:
            await body()
            return
        except NotApplicableError:
            raise
        except Exception:
            if not lost:
                raise
        finally:
            lost_statuses.reset(before)
    await body()


async def refusal(call: Awaitable[Any]) -> RpcFailure:
    """Return how a call failed; a call that does not fail is an AssertionError."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return rpc_failure(error)
    raise AssertionError("the call was answered")


@dataclass(frozen=True, slots=True, eq=False)
class Approximately:
    """Equal to any number that lies near."""

    value: float
    tolerance: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and abs(other - self.value) <= self.tolerance

    __hash__ = None  # type: ignore[assignment]  # two that are equal need not be near the same number

    def __repr__(self) -> str:
        return f"{self.value} +- {self.tolerance}"


def approx(value: float, *, abs: float | None = None, rel: float | None = None) -> Approximately:
    """A number with a tolerance, in its own unit or as a share of it."""
    return Approximately(value, abs if abs is not None else (rel or 1e-6) * value)
