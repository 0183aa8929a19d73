"""CallGatewayService: programs as callers, and the list of the calls that are up."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import copy_context

import grpc
from voice.call.v1 import call_pb2, call_pb2_grpc

from services.call_gateway.call_messages import audio_format_of, end_of, event_of, info_of
from services.call_gateway.calls import CallNotFound, LiveCall
from services.call_gateway.conversation.commands import TurnFinished
from services.call_gateway.conversation.record import TurnOutcome
from services.call_gateway.edges.edge import IncomingCall
from services.call_gateway.edges.program import LAST_WORDS_S, ProgramLeg
from services.call_gateway.gateway import Gateway
from services.call_gateway.line import EndCause
from services.call_gateway.watching import CallAnalysed, CallBegan, CallNews, CallOver, Watcher
from services.runtime.errors import EngineFailed
from services.runtime.identity import Scope, caller_may_act_for, caller_name, check_tenant
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics
from services.runtime.streams import exchange, first_config, later_requests

FULL_NAME = "voice.call.v1.CallGatewayService"
SCOPES = {
    "ConnectCall": Scope.CONNECT,
    "ListCalls": Scope.WATCH,
    "GetCall": Scope.WATCH,
    "WatchCalls": Scope.WATCH,
    "EndCall": Scope.END,
}
"""The scope that a token needs for each method."""
MAX_REASON_CHARS = 200

log = get_logger(__name__)

Request = call_pb2.ConnectCallRequest
Response = call_pb2.ConnectCallResponse


class TurnLost(EngineFailed):
    """A turn was never answered, and the caller wants that as a status."""

    reason = "TURN_FAILED"


class CallGatewayService(call_pb2_grpc.CallGatewayServiceServicer):
    """Serves `voice.call.v1.CallGatewayService`. The calls themselves are the gateway's."""

    def __init__(self, gateway: Gateway, lifecycle: Lifecycle) -> None:
        self._gateway = gateway
        self._lifecycle = lifecycle
        self._metrics = StageMetrics("call")

    async def ConnectCall(  # noqa: N802 - the proto's name
        self, request_iterator: AsyncIterator[Request], context: grpc.aio.ServicerContext[Request, Response]
    ) -> AsyncIterator[Response]:
        """A program is the caller."""
        config = (await first_config(request_iterator)).config
        check_tenant(context, config.tenant_id)
        incoming = self._incoming(config)
        await self._gateway.check_agent(config.agent_id, tenant_id=config.tenant_id)
        leg = self._gateway.program.leg(incoming)
        told = _CallEvents(self._gateway, leg, fails_with_turn=config.fail_stream_on_turn_failure)

        async def handle(requests: AsyncIterator[Request]) -> None:
            self._gateway.news.subscribe(told)
            try:
                await self._gateway.program.converse(leg, later_requests(requests, self._metrics))
            finally:
                self._gateway.news.unsubscribe(told)
            if told.last_words is not None:
                async with asyncio.timeout(LAST_WORDS_S):
                    await leg.outbox.put(told.last_words)

        async for response in exchange(request_iterator, handle, leg.outbox):
            yield response

    async def ListCalls(  # noqa: N802 - the proto's name
        self,
        request: call_pb2.ListCallsRequest,
        context: grpc.aio.ServicerContext[call_pb2.ListCallsRequest, call_pb2.ListCallsResponse],
    ) -> call_pb2.ListCallsResponse:
        """The calls that are up, oldest first."""
        page, next_page_token = self._gateway.calls.page(
            size=request.page_size, token=request.page_token, may_see=caller_may_act_for
        )
        return call_pb2.ListCallsResponse(calls=map(info_of, page), next_page_token=next_page_token)

    async def GetCall(  # noqa: N802 - the proto's name
        self,
        request: call_pb2.GetCallRequest,
        context: grpc.aio.ServicerContext[call_pb2.GetCallRequest, call_pb2.GetCallResponse],
    ) -> call_pb2.GetCallResponse:
        """One call that is up."""
        return call_pb2.GetCallResponse(call=info_of(self._call(request.call_id)))

    async def EndCall(  # noqa: N802 - the proto's name
        self,
        request: call_pb2.EndCallRequest,
        context: grpc.aio.ServicerContext[call_pb2.EndCallRequest, call_pb2.EndCallResponse],
    ) -> call_pb2.EndCallResponse:
        """Hang up, after the word being spoken."""
        call = self._call(request.call_id)
        log.info(
            "operator_ended_call",
            call_id=call.call_id,
            tenant_id=call.tenant_id,
            who=caller_name(),
            peer=context.peer(),
            **{"pii.reason": request.reason[:MAX_REASON_CHARS]},
        )
        call.session.close(EndCause.OPERATOR, request.reason[:MAX_REASON_CHARS])
        return call_pb2.EndCallResponse()

    async def WatchCalls(  # noqa: N802 - the proto's name
        self,
        request: call_pb2.WatchCallsRequest,
        context: grpc.aio.ServicerContext[call_pb2.WatchCallsRequest, call_pb2.WatchCallsResponse],
    ) -> AsyncIterator[call_pb2.WatchCallsResponse]:
        """Everything that happens from now on; of one call to its end, or of all until the gateway drains."""
        if request.call_id:
            self._call(request.call_id)
        asker = copy_context()  # news is published in other contexts, which have another caller's identity
        watcher = Watcher(
            lambda news: request.call_id in ("", news.call_id) and asker.run(caller_may_act_for, news.tenant_id),
            is_last=lambda news: bool(request.call_id) and _is_last(news.news),
        )
        self._gateway.news.subscribe(watcher)
        watched = {"watched_call_id": request.call_id, "who": caller_name(), "peer": context.peer()}
        log.info("watch_began", **watched)
        await context.send_initial_metadata(())  # the watcher may know from when on it watches
        draining = asyncio.create_task(self._close_when_idle(watcher))
        try:
            async for news, dropped in watcher:
                if isinstance(news.news, CallAnalysed) and news.news.analysis is None:
                    continue
                yield call_pb2.WatchCallsResponse(event=event_of(news), dropped_events=dropped)
        finally:
            draining.cancel()
            self._gateway.news.unsubscribe(watcher)
            log.info("watch_ended", **watched)

    async def _close_when_idle(self, watcher: Watcher) -> None:
        """End every watch: watchers must not hold up a drain longer than the calls they watch."""
        await self._lifecycle.draining()
        await self._gateway.calls.emptied()
        await self._gateway.analyser.emptied()
        watcher.close()

    def _incoming(self, config: call_pb2.CallConfig) -> IncomingCall:
        return IncomingCall(
            call_id=self._gateway.new_call_id(config.call_id),
            edge="program",
            tenant_id=config.tenant_id,
            agent_id=config.agent_id,
            language_codes=tuple(config.language_codes),
            caller=config.caller,
            audio_format=audio_format_of(config),
        )

    def _call(self, call_id: str) -> LiveCall:
        call = self._gateway.calls.get(call_id)
        if not caller_may_act_for(call.tenant_id):
            raise CallNotFound.of(call_id)  # other tenants must not learn that the call exists
        return call


def _is_last(news: object) -> bool:
    """Return whether nothing more is told of a call behind it."""
    if isinstance(news, CallOver):
        return not news.is_to_be_analysed
    return isinstance(news, CallAnalysed) and news.is_last


class _CallEvents:
    """A listener of the event bus: tells a program caller what happens on its own call."""

    def __init__(self, gateway: Gateway, leg: ProgramLeg, *, fails_with_turn: bool) -> None:
        self.last_words: Response | None = None
        self._gateway = gateway
        self._leg = leg
        self._fails_with_turn = fails_with_turn

    def __call__(self, call_news: CallNews) -> None:
        leg = self._leg
        if call_news.call_id != leg.call.call_id:
            return
        match call_news.news:
            case CallOver() as over:
                self.last_words = Response(end=end_of(over))
                return
            case CallAnalysed():
                return  # for those who watch, not for the caller
            case CallBegan():
                leg.respond(Response(call=info_of(self._gateway.calls.get(call_news.call_id))))
        leg.respond(Response(event=event_of(call_news)))
        if isinstance(call_news.news, TurnFinished) and self._fails_with_turn:
            record = call_news.news.record
            if record.outcome == TurnOutcome.FAILED:
                leg.failure = TurnLost(f"turn {record.turn_id} failed: {record.stop_reason}")
                leg.end(EndCause.FAILURE, leg.failure.message)
