"""Link of a call to one stage: the stream in use, its replacement, and the event of its failure."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.call_gateway.conversation.events import Event, Stage, StageFailed, StageReady
from services.call_gateway.stages.outbox import Outbox, OutboxFull
from services.call_gateway.stages.stream import StageCall, StageRequest, StageStream, StreamFailure, StreamLimits
from services.runtime.logs import get_logger
from services.runtime.metrics import StageMetrics

Request = TypeVar("Request", bound=StageRequest)
Response = TypeVar("Response")

log = get_logger(__name__)
metrics = StageMetrics("call")


@dataclass(frozen=True, slots=True)
class _Ending(Generic[Request, Response]):
    """A stream that was replaced and finishes its turns."""

    stream: StageStream[Request, Response]
    serving: asyncio.Task[None]
    outbox: Outbox[Request]


class StageLink(Generic[Request, Response]):
    """At most one stream in use, and those it has replaced while they end.

    A stream is replaced in two ways: `open` gives the old one up at once, because it failed or stalled; `succeed`
    lets it finish its turns, because its server is going away.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        tasks: asyncio.TaskGroup,
        open_call: Callable[[], StageCall[Request, Response]],
        optional_kinds: frozenset[str],
        on_engine: Callable[[Response], Iterable[str]],
        on_response: Callable[[Response], None],
        on_event: Callable[[Event], None],
        limits: StreamLimits,
    ) -> None:
        self._stage = stage
        self._tasks = tasks
        self._open_call = open_call
        self._optional_kinds = optional_kinds
        self._on_engine = on_engine
        self._on_response = on_response
        self._on_event = on_event
        self._limits = limits
        self._outbox: Outbox[Request] = Outbox()
        self._stream: StageStream[Request, Response] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ending: list[_Ending[Request, Response]] = []

    def open(self, config: Request, outbox: Outbox[Request]) -> None:
        """Open a fresh stream, which will be sent what `outbox` holds. The one before is given up."""
        if self._serving is not None:
            self._serving.cancel()
        self._begin(config, outbox)

    def succeed(self, config: Request, outbox: Outbox[Request]) -> None:
        """Open a fresh stream for the turns to come; the one before may finish its own, and is still heard."""
        if self._stream is not None and self._serving is not None:
            self._stream.finish()
            self._ending.append(_Ending(self._stream, self._serving, self._outbox))
        self._begin(config, outbox)

    def send(self, request: Request, *, push: Callable[[Request], None] | None = None) -> None:
        """Queue a request for the stream in use, last or where `push` puts it in that stream's outbox. Never waits.
        Lost when there is no stream: the news of its death is out already.
        """
        if self._stream is not None and not _queue(request, self._stream, push or self._outbox.push):
            self._fail(StreamFailure("OUTBOX_FULL", "the server takes nothing any more", is_retryable=True))

    def send_to_all(self, request: Request) -> None:
        """Queue a request for the stream in use and for those it replaced: a cancellation reaches every turn."""
        for ending in self._ending:
            if not _queue(request, ending.stream, ending.outbox.push):
                ending.serving.cancel()
        self.send(request)

    def wake(self) -> None:
        """The outbox was given something, or lets something go."""
        if self._stream is not None:
            self._stream.wake()

    async def finish(self) -> None:
        """Half-close, and wait for what the server still says, not longer than the limit."""
        if self._stream is not None:
            self._stream.finish()
        serving = [ending.serving for ending in self._ending]
        if self._serving is not None:
            serving.append(self._serving)
        if serving:
            await asyncio.wait(serving, timeout=self._limits.finish_s)
        for task in serving:
            task.cancel()

    def _begin(self, config: Request, outbox: Outbox[Request]) -> None:
        self._ending = [ending for ending in self._ending if not ending.serving.done()]
        self._outbox = outbox
        # Events of a stream that was given up must not arrive, so each stream has callbacks of its own.
        stream: StageStream[Request, Response] = StageStream(
            self._open_call,
            config=config,
            outbox=outbox,
            optional_kinds=self._optional_kinds,
            on_engine=lambda response: self._opened(stream, response),
            on_response=lambda response: self._heard(stream, response),
            limits=self._limits,
        )
        self._stream = stream
        self._serving = self._tasks.create_task(self._serve(stream))

    async def _serve(self, stream: StageStream[Request, Response]) -> None:
        failure = await stream.run()
        if stream is self._stream:
            self._stream = None
            if failure is not None:
                self._report(failure, was_open=stream.is_open)
        elif failure is not None:
            log.info("replaced_stream_failed", stage=self._stage.value, reason=failure.reason)

    def _fail(self, failure: StreamFailure) -> None:
        if self._serving is not None:
            self._serving.cancel()
        self._stream = None
        self._report(failure, was_open=True)

    def _report(self, failure: StreamFailure, *, was_open: bool) -> None:
        is_request_at_fault = failure.is_request_at_fault and not was_open  # later it is this gateway's fault
        metrics.count_error(failure.reason, is_client_fault=is_request_at_fault)
        log.warning("stage_failed", stage=self._stage.value, reason=failure.reason, **{"pii.message": failure.message})
        self._on_event(StageFailed(self._stage, failure.reason, failure.is_retryable, is_request_at_fault))

    def _opened(self, stream: StageStream[Request, Response], response: Response) -> Iterable[str]:
        features = self._on_engine(response)
        if stream is self._stream:
            self._on_event(StageReady(self._stage))
        return features

    def _heard(self, stream: StageStream[Request, Response], response: Response) -> None:
        if stream is self._stream or any(stream is ending.stream for ending in self._ending):
            self._on_response(response)


def _queue(request: Request, stream: StageStream[Request, Response], push: Callable[[Request], None]) -> bool:
    try:
        push(request)
    except OutboxFull:
        return False
    stream.wake()
    return True
