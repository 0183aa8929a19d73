"""Call analysis: has the NLU stage analyse conversations (AnalyzeCall), and reports the results.

A conversation is handed over at the end of the call, or when the caller is put through to a person. The queue is short.
A conversation that does not fit, is late or is refused leaves its call without an analysis; calls that are up are not
affected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.protobuf.json_format import MessageToDict
from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.type.v1 import analysis_pb2

from services.call_gateway.conversation.record import HeardTurn
from services.call_gateway.stages.past import history_messages
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

log = get_logger(__name__)

CALLBACK = "callback"  # the deed of a caller who is to be called back
MOST_WAITING = 64
WORKERS = 2
_metrics = StageMetrics("call")
_metrics.queue_dropped_total("analysis")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One conversation that is to be analysed."""

    call_id: str
    tenant_id: str
    agent_id: str
    caller: str
    language_code: str
    history: tuple[HeardTurn, ...]
    state: bytes
    sample: int  # where on the caller's media clock
    is_transferred: bool = False
    is_over: bool = True  # else the call goes on


Answer = Callable[[Wanted, analysis_pb2.CallAnalysis | None], None]


class CallAnalyser:
    """Asks for analyses one after the other, `WORKERS` at once."""

    def __init__(self, stub: nlu_pb2_grpc.NluServiceAsyncStub, *, on_answer: Answer, limit_s: float) -> None:
        """`on_answer` is told of each that was taken, with None where there is no analysis."""
        self._stub, self._on_answer, self._limit_s = stub, on_answer, limit_s
        self._waiting: asyncio.Queue[Wanted] = asyncio.Queue(MOST_WAITING)
        self._is_served = True  # until the stage answers that it has no such method

    def submit(self, wanted: Wanted) -> bool:
        """Queue a conversation. Returns False when it will not be analysed."""
        if not self._is_served or not wanted.history:
            return False
        try:
            self._waiting.put_nowait(wanted)
        except asyncio.QueueFull:
            _metrics.queue_dropped_total("analysis").inc()
            return False
        return True

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WORKERS):
                tasks.create_task(self._work())

    async def emptied(self) -> None:
        """Return when nothing waits, or after the limit of one analysis."""
        try:
            async with asyncio.timeout(self._limit_s):
                await self._waiting.join()
        except TimeoutError:
            log.warning("analysis_late")

    async def _work(self) -> None:
        while True:
            wanted = await self._waiting.get()
            try:
                self._on_answer(wanted, await self._analysis(wanted) if self._is_served else None)
            finally:
                self._waiting.task_done()

    async def _analysis(self, wanted: Wanted) -> analysis_pb2.CallAnalysis | None:
        request = nlu_pb2.AnalyzeCallRequest(
            call_id=wanted.call_id,
            tenant_id=wanted.tenant_id,
            agent_id=wanted.agent_id,
            language_code=wanted.language_code,
            history=history_messages(wanted.history, max_bytes=0, state_bytes=len(wanted.state)),
            state=wanted.state,
            is_transferred=wanted.is_transferred,
        )
        try:
            response = await self._stub.AnalyzeCall(request, timeout=self._limit_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._is_served = False
                log.info("analysis_unknown", hint="the NLU stage makes no analyses; no call is analysed")
            else:
                log.warning("analysis_failed", call_id=wanted.call_id, code=error.code().name)
            return None
        return response.analysis


def event_of(wanted: Wanted, analysis: analysis_pb2.CallAnalysis) -> str:
    """Return why an analysis is posted: the operator's people have to act on the first two reasons."""
    if not wanted.is_over:
        return "hand_over"
    return "callback_requested" if any(deed.name == CALLBACK for deed in analysis.deeds) else "call_analysed"


def content_of(wanted: Wanted, analysis: analysis_pb2.CallAnalysis) -> dict[str, object]:
    """Return an analysis as it is posted, in the JSON names of the contract, with the tenant and agent of the call."""
    return {
        "call_id": wanted.call_id,
        "tenant_id": wanted.tenant_id,
        "agent_id": wanted.agent_id,
        "caller": wanted.caller,
        "analysis": MessageToDict(
            analysis, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        ),
    }
