"""Call analysis: has the NLU stage analyse conversations (AnalyzeCall), and reports the results.

A conversation is handed over at the end of the call, or when the caller is put through to a person. The queue is short.
A conversation that does not fit, is late or is refused leaves its call without an analysis; calls that are up are not
affected. With the webhook's file a conversation is on disk before it is handed over: conversations that a killed
process, or a stage that was away, has left there are analysed later, for their post alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.protobuf.json_format import MessageToDict
from voice.nlu.v1 import nlu_pb2, nlu_pb2_grpc
from voice.type.v1 import analysis_pb2

from services.call_gateway.conversation.record import HeardTurn
from services.call_gateway.stages.past import history_messages
from services.call_gateway.webhook import delivery_id
from services.call_gateway.webhook_file import KeptAnalysis, WebhookFile
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

log = get_logger(__name__)

LOOK_S = 2.0  # between two looks for conversations that were left behind
KEPT_LIMIT_S = 86_400.0  # then a conversation is given up
_AT_ONCE = 4  # of those left behind
_LEAST_LEASE_S = 5.0  # beyond the limit of one analysis, before another process takes a conversation up
_LATER = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED})
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

    @property
    def id(self) -> str:
        """The name of its analysis, which every process gives it."""
        return delivery_id("analysis", self.tenant_id, self.call_id, str(self.sample))


Answer = Callable[[Wanted, analysis_pb2.CallAnalysis | None], None]


class CallAnalyser:
    """Asks for analyses one after the other, `WORKERS` at once."""

    def __init__(
        self,
        stub: nlu_pb2_grpc.NluServiceAsyncStub,
        *,
        on_answer: Answer,
        limit_s: float,
        file: WebhookFile | None = None,
        on_late_answer: Answer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`on_answer` is told of each that was taken, with None where there is no analysis; `on_late_answer` of those
        that were left in the `file`. `clock` gives seconds since 1970.
        """
        self._stub, self._on_answer, self._limit_s = stub, on_answer, limit_s
        self._file, self._on_late_answer, self._clock = file, on_late_answer, clock
        self._under_way: set[str] = set()
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
            if self._file is not None:
                tasks.create_task(self._take_up(self._file))

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
            self._under_way.add(wanted.id)
            try:
                request = request_of(wanted)
                is_kept = await self._note(wanted, request)
                analysis, is_final = await self._ask(request)
                if is_kept and analysis is None and is_final:
                    await self._forget(wanted.id)
                self._on_answer(wanted, analysis)
            finally:
                self._under_way.discard(wanted.id)
                self._waiting.task_done()

    async def _note(self, wanted: Wanted, request: nlu_pb2.AnalyzeCallRequest) -> bool:
        """Put a conversation on disk. False: it is not there."""
        if self._file is None or not self._is_served:
            return False
        now = self._clock()
        kept = KeptAnalysis(wanted.id, request.SerializeToString(), wanted.caller, wanted.sample, wanted.is_over)
        try:
            await self._file.note_analysis(kept, now=now, until=now + self._lease_s)
        except sqlite3.Error as error:
            log.warning("analysis_not_kept", call_id=wanted.call_id, why=str(error))
            return False
        return True

    async def _forget(self, analysis_id: str) -> None:
        if self._file is not None:
            try:
                await self._file.end_analysis(analysis_id)
            except sqlite3.Error as error:
                log.warning("analysis_not_kept", why=str(error))

    async def _take_up(self, file: WebhookFile) -> None:
        """Have those analysed that were left behind, until cancelled."""
        while True:
            try:
                now = self._clock()
                left = await file.claim_analyses(now, until=now + self._lease_s, limit=_AT_ONCE)
            except sqlite3.Error as error:
                log.warning("webhook_file_unreadable", why=str(error))
                left = []
            for kept in left:
                if kept.id not in self._under_way:
                    await self._take_one_up(kept)
            if len(left) < _AT_ONCE:
                await asyncio.sleep(LOOK_S)

    async def _take_one_up(self, kept: KeptAnalysis) -> None:
        request = nlu_pb2.AnalyzeCallRequest.FromString(kept.request)
        analysis, is_final = await self._ask(request)
        if analysis is None:
            if is_final or self._clock() - kept.noted >= KEPT_LIMIT_S:
                log.warning("analysis_given_up", call_id=request.call_id)
                await self._forget(kept.id)
            return
        log.info("analysis_taken_up", call_id=request.call_id)
        if self._on_late_answer is not None:
            self._on_late_answer(_wanted_of(kept, request), analysis)

    @property
    def _lease_s(self) -> float:
        return self._limit_s + _LEAST_LEASE_S

    async def _ask(self, request: nlu_pb2.AnalyzeCallRequest) -> tuple[analysis_pb2.CallAnalysis | None, bool]:
        """The analysis, and whether it would be the same at another time."""
        if not self._is_served:
            return None, True
        try:
            response = await self._stub.AnalyzeCall(request, timeout=self._limit_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._is_served = False
                log.info("analysis_unknown", hint="the NLU stage makes no analyses; no call is analysed")
            else:
                log.warning("analysis_failed", call_id=request.call_id, code=error.code().name)
            return None, error.code() not in _LATER
        return response.analysis, True


def request_of(wanted: Wanted) -> nlu_pb2.AnalyzeCallRequest:
    """Return the AnalyzeCall request of a conversation."""
    return nlu_pb2.AnalyzeCallRequest(
        call_id=wanted.call_id,
        tenant_id=wanted.tenant_id,
        agent_id=wanted.agent_id,
        language_code=wanted.language_code,
        history=history_messages(wanted.history, max_bytes=0, state_bytes=len(wanted.state)),
        state=wanted.state,
        is_transferred=wanted.is_transferred,
    )


def _wanted_of(kept: KeptAnalysis, request: nlu_pb2.AnalyzeCallRequest) -> Wanted:
    """The conversation's ids and circumstances, without its words: these stay in the request."""
    return Wanted(
        request.call_id,
        request.tenant_id,
        request.agent_id,
        kept.caller,
        request.language_code,
        (),
        b"",
        kept.sample,
        is_transferred=request.is_transferred,
        is_over=kept.is_over,
    )


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
