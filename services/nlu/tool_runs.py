"""Runs tools so that each is run once: not again for a retried or continued turn, and to its end once it has begun."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable

from services.nlu.agent.acts import read_arguments
from services.nlu.agent.tools import Tool, ToolRefused
from services.nlu.engine import ToolWanted
from services.nlu.history import History, ToolCall
from services.nlu.outputs import Output, ToolActivity, ToolPhase
from services.runtime.logs import get_logger

log = get_logger(__name__)


class ToolRuns:
    """The tools of one conversation. They outlive the turn that began them; their results enter the history."""

    def __init__(
        self,
        *,
        tools: dict[str, Tool],
        key_fields: tuple[str, ...],
        history: History,
        emit: Callable[[Output], Awaitable[None]],
        tasks: asyncio.TaskGroup,
        limit_s: float,
    ) -> None:
        """`tools`: those the agent may run. `key_fields`: tenant and visit, which with turn and ordinal make the
        idempotency key.
        """
        self._tools, self._key_fields, self._history = tools, key_fields, history
        self._emit, self._tasks, self._limit_s = emit, tasks, limit_s
        self._running: dict[str, asyncio.Task[ToolCall]] = {}

    async def run(self, wanted: ToolWanted, *, family: tuple[int, ...]) -> ToolCall:
        """Run a tool, or wait for the same one begun before; returns it with its result.

        `family`: the turn, behind it the turns it continues, the first one
        last; together they do a thing once. Cancelling this leaves the tool
        running.
        """
        calls = self._history.tool_calls(family)
        begun = next((call for call in calls if _is_same(call, wanted)), None)
        if begun is not None and begun.result_json:
            return begun
        call_id = begun.tool_call_id if begun else f"{family[-1]}.{len(calls) + 1}"
        task = self._running.get(call_id)
        if task is None:
            task = self._tasks.create_task(self._run(call_id, wanted, family[0]))
            self._running[call_id] = task
        return await asyncio.shield(task)

    async def _run(self, call_id: str, wanted: ToolWanted, turn_id: int) -> ToolCall:
        name, arguments_json = wanted.name, wanted.arguments_json
        self._history.note_tool(turn_id, ToolCall(call_id, name, arguments_json))
        await self._emit(ToolActivity(turn_id, call_id, name, ToolPhase.STARTED, arguments_json))
        phase, result_json = await self._result(call_id, wanted)
        call = ToolCall(call_id, name, arguments_json, result_json)
        self._history.note_tool(turn_id, call)
        await self._emit(ToolActivity(turn_id, call_id, name, phase, arguments_json, result_json))
        known = name if name in self._tools else ""  # what a model makes up may be anything
        log.info("tool_ended", tool=known, phase=phase.name, turn_id=turn_id)
        return call

    async def _result(self, call_id: str, wanted: ToolWanted) -> tuple[ToolPhase, str]:
        tool = self._tools.get(wanted.name)
        if tool is None:
            return ToolPhase.FAILED, json.dumps({"error": f"there is no tool {wanted.name}"})
        try:
            arguments = read_arguments(wanted.name, wanted.arguments_json)
            async with asyncio.timeout(self._limit_s):
                result = await tool.run(arguments, idempotency_key=key_of(*self._key_fields, call_id))
        except TimeoutError:
            return ToolPhase.FAILED, json.dumps({"error": f"no result after {self._limit_s:g} s"})
        except ToolRefused as refused:
            return ToolPhase.FAILED, json.dumps({"error": str(refused)})
        except Exception:
            log.exception("tool_broke", tool=wanted.name)
            return ToolPhase.FAILED, json.dumps({"error": "the tool broke"})
        return ToolPhase.COMPLETED, result


def key_of(*fields: str) -> str:
    """128 bits as 32 hexadecimal digits that no other fields give: each goes in with its length before it, so that
    what a client puts into one never reads as another.
    """
    digest = hashlib.sha256()
    for field in fields:
        content = field.encode()
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:32]


def _is_same(call: ToolCall, wanted: ToolWanted) -> bool:
    return call.name == wanted.name and call.arguments_json == wanted.arguments_json
