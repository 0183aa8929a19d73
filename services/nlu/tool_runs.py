"""Tool runs, each once: not again for a retried or continued turn, and to the end once begun."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import Counter

from services.nlu.agent.argument_check import ArgumentsRefused, is_misspelt, read_call
from services.nlu.agent.confirmation import SPENT, as_refusal
from services.nlu.agent.tool_results import ResultUnreadable, fit_result
from services.nlu.agent.tools import KnowsItsDeed, Tool, ToolRefused
from services.nlu.engine import ToolSpec, ToolWanted
from services.nlu.history import History, ToolCall
from services.nlu.outputs import Output, ToolActivity, ToolPhase
from services.nlu.tools.outcome import NOT_KNOWN
from services.runtime.json_text import read_json
from services.runtime.logs import get_logger
from services.runtime.tracing import step_span

log = get_logger(__name__)

_STANDING_S = 1.0  # to look up how a deed stands whose result is late

Confirm = Callable[[ToolSpec, Mapping[str, object]], str]
"""The reason why a tool that writes may not be run with these arguments; empty: the caller has confirmed it."""

UNCONFIRMED_TOTAL = Counter(
    "voice_nlu_unconfirmed_deeds_total", "Calls of writing tools that no caller had confirmed, by a model.", ["tool"]
)


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """Limits of one tool: its time, and the length of its result."""

    run_s: float
    result_chars: int


@dataclass(slots=True)
class _Unsaid:
    """Results of a draft's tools, which are not reported before the commit."""

    calls: dict[str, ToolCall] = field(default_factory=dict)
    activities: list[ToolActivity] = field(default_factory=list)


class ToolRuns:
    """The tools of one conversation. They outlive the turn that began them; their results enter the history."""

    def __init__(
        self,
        *,
        tools: Mapping[str, Tool],
        key_fields: tuple[str, ...],
        history: History,
        emit: Callable[[Output], Awaitable[None]],
        tasks: asyncio.TaskGroup,
        limits: ToolLimits,
    ) -> None:
        """`tools`: those the agent may run. `key_fields`: tenant and visit, which with turn and ordinal make the
        idempotency key.
        """
        self._tools, self._key_fields, self._history = tools, key_fields, history
        self._emit, self._tasks, self._limits = emit, tasks, limits
        self._running: dict[str, asyncio.Task[ToolCall]] = {}
        self._unsaid: dict[int, _Unsaid] = {}  # by draft

    def writes(self, name: str) -> bool:
        """Return whether calling it waits for the commit. An unknown tool changes nothing."""
        tool = self._tools.get(name)
        return tool is not None and tool.spec.writes

    def reads(self, name: str) -> bool:
        """Return whether a tool only looks something up."""
        tool = self._tools.get(name)
        return tool is not None and not tool.spec.writes

    def refusal(self, wanted: ToolWanted, confirm: Confirm | None) -> str:
        """Return why a call may not be run now; empty: it may."""
        tool = self._tools.get(wanted.name)
        if tool is None or not tool.spec.writes or confirm is None:
            return ""
        try:
            return confirm(tool.spec, read_call(wanted.arguments_json, tool.spec.parameters_json))
        except ArgumentsRefused as refused:
            return str(refused)

    async def run(self, wanted: ToolWanted, *, family: tuple[int, ...], confirm: Confirm | None = None) -> ToolCall:
        """Run a tool, or wait for the same one begun before; returns it with its result. `confirm` is asked just before
        a tool runs that writes.

        `family`: the turn, behind it the turns it continues, the first one
        last; together they do a thing once. Cancelling this leaves the tool
        running.
        """
        calls = [*self._history.tool_calls(family), *self._unsaid_of(family[0]).calls.values()]
        begun = next((call for call in calls if _is_same(call, wanted) and not as_refusal(call)), None)
        if begun is not None and begun.result_json:
            return begun
        call_id = begun.tool_call_id if begun else self._new_id(family, len(calls))
        task = self._running.get(call_id)
        if task is None:
            call = ToolCall(call_id, wanted.name, wanted.arguments_json)
            if not self._history.stands(family[0]):
                self._unsaid.setdefault(family[0], _Unsaid())
            self._note(family[0], call)
            spent = confirm is not None and any(_is_spent(earlier, wanted.name) for earlier in calls)
            task = self._tasks.create_task(self._run(call, family[0], _spent if spent else confirm))
            self._running[call_id] = task
            task.add_done_callback(lambda _: self._running.pop(call_id, None))
        return await asyncio.shield(task)

    def results_of(self, turn_id: int) -> tuple[ToolCall, ...]:
        """Return the results of one turn's tools so far, of a draft too."""
        calls = [*self._history.tool_calls((turn_id,)), *self._unsaid_of(turn_id).calls.values()]
        return tuple(call for call in calls if call.result_json)

    async def stand(self, turn_id: int) -> None:
        """The turn is part of the conversation: report the results of its draft's tools."""
        unsaid = self._unsaid.pop(turn_id, None)
        if unsaid is None:
            return
        for call in unsaid.calls.values():
            self._history.note_tool(turn_id, call)
        for activity in unsaid.activities:
            await self._emit(activity)

    def drop(self, turn_id: int) -> None:
        """The turn has ended: the results of its draft's tools are not reported any more."""
        self._unsaid.pop(turn_id, None)

    async def _run(self, begun: ToolCall, turn_id: int, confirm: Confirm | None) -> ToolCall:
        name, arguments_json = begun.name, begun.arguments_json
        await self._tell(ToolActivity(turn_id, begun.tool_call_id, name, ToolPhase.STARTED, arguments_json))
        known = name if name in self._tools else ""  # a model may write any arguments
        began_s = time.monotonic()
        with step_span("nlu.tool", {"tool.name": known, "tool.call_id": begun.tool_call_id}) as span:
            phase, result_json = await self._result(begun, confirm)
            took_us = round((time.monotonic() - began_s) * 1e6)
            span.set_attributes({"tool.phase": phase.name, "tool.took_us": took_us})
        call = ToolCall(begun.tool_call_id, name, arguments_json, result_json)
        self._note(turn_id, call)
        await self._tell(ToolActivity(turn_id, call.tool_call_id, name, phase, arguments_json, result_json, took_us))
        log.info("tool_ended", tool=known, phase=phase.name, turn_id=turn_id, took_us=took_us)
        return call

    async def _result(self, call: ToolCall, confirm: Confirm | None) -> tuple[ToolPhase, str]:
        tool = self._tools.get(call.name)
        if tool is None:
            there_are = f"; there are {', '.join(self._tools)}" if self._tools else ""
            return _failed(f"there is no tool {call.name[:64]}{there_are}")
        try:
            arguments = read_call(call.arguments_json, tool.spec.parameters_json)
            if tool.spec.writes and confirm is not None and (why := confirm(tool.spec, arguments)):
                log.warning("deed_unconfirmed", tool=call.name)
                UNCONFIRMED_TOTAL.labels(call.name).inc()
                return _failed(why)
            result = await self._run_tool(tool, arguments, key_of(*self._key_fields, call.tool_call_id))
            return ToolPhase.COMPLETED, fit_result(result, most_chars=self._limits.result_chars)
        except TimeoutError:
            unsure = f": {NOT_KNOWN}" if tool.spec.writes else ""
            return _failed(f"no result after {self._limits.run_s:g} s{unsure}")
        except (ToolRefused, ArgumentsRefused, ResultUnreadable) as refused:
            return _failed(str(refused)[: self._limits.result_chars])
        except Exception:
            log.exception("tool_broke", tool=call.name)
            return _failed("the tool broke")

    async def _run_tool(self, tool: Tool, arguments: Mapping[str, object], key: str) -> str:
        """Return the result; for a late one, the status of the recorded deed. Raises TimeoutError."""
        try:
            async with asyncio.timeout(self._limits.run_s):
                return await tool.run(arguments, idempotency_key=key)
        except TimeoutError:
            if not isinstance(tool, KnowsItsDeed):
                raise
        async with asyncio.timeout(_STANDING_S):
            if standing := await tool.standing(idempotency_key=key):
                return standing
        raise TimeoutError

    def _new_id(self, family: tuple[int, ...], n_calls: int) -> str:
        """Return a new id, of the first turn of the family. A tool of a dropped draft may still run under its id."""
        return next(
            call_id for n in itertools.count(n_calls + 1) if (call_id := f"{family[-1]}.{n}") not in self._running
        )

    def _unsaid_of(self, turn_id: int) -> _Unsaid:
        return self._unsaid.get(turn_id, _Unsaid())

    def _note(self, turn_id: int, call: ToolCall) -> None:
        if self._history.stands(turn_id):
            self._history.note_tool(turn_id, call)
        elif unsaid := self._unsaid.get(turn_id):
            unsaid.calls[call.tool_call_id] = call

    async def _tell(self, activity: ToolActivity) -> None:
        if self._history.stands(activity.turn_id):
            await self._emit(activity)
        elif unsaid := self._unsaid.get(activity.turn_id):
            unsaid.activities.append(activity)


def key_of(*fields: str) -> str:
    """Return the idempotency key of some fields: 128 bits of a hash as 32 hexadecimal digits. Each field is hashed with
    its length before it, so that no two lists of fields give the same input.
    """
    digest = hashlib.sha256()
    for each in fields:
        content = each.encode()
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:32]


def _failed(why: str) -> tuple[ToolPhase, str]:
    return ToolPhase.FAILED, json.dumps({"error": why}, ensure_ascii=False)


def _is_same(call: ToolCall, wanted: ToolWanted) -> bool:
    """Return whether two calls ask for one thing, in whatever order and with whatever spaces their arguments are
    written.
    """
    if call.name != wanted.name:
        return False
    return call.arguments_json == wanted.arguments_json or _plain(call.arguments_json) == _plain(wanted.arguments_json)


def _plain(arguments_json: str) -> str:
    try:
        return json.dumps(read_json(arguments_json or "{}"), sort_keys=True)
    except ValueError:
        return arguments_json


def _is_spent(earlier: ToolCall, name: str) -> bool:
    """Return whether a call of the turn has used its confirmation up: it was run, or it may have been."""
    return earlier.name == name and not as_refusal(earlier) and not is_misspelt(earlier.result_json)


def _spent(spec: ToolSpec, arguments: Mapping[str, object]) -> str:
    del spec, arguments
    return SPENT
