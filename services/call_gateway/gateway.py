"""The gateway: takes calls from every edge and holds them. It alone knows all calls of the process."""

import asyncio
import time
import uuid
from dataclasses import replace

from voice.nlu.v1.nlu_pb2_grpc import NluServiceStub
from voice.type.v1 import analysis_pb2

from services.call_gateway.agents import AgentBook
from services.call_gateway.analysis import CallAnalyser, Wanted, content_of, event_of
from services.call_gateway.calls import CallTable, LiveCall
from services.call_gateway.conversation.barge_in import backchannels, stop_commands
from services.call_gateway.conversation.commands import News, TurnFinished
from services.call_gateway.conversation.events import Stage
from services.call_gateway.conversation.record import TurnOutcome
from services.call_gateway.edges import open_edge
from services.call_gateway.edges.edge import Edge, IncomingCall, Leg
from services.call_gateway.edges.pacing import Pacer
from services.call_gateway.edges.program import ProgramEdge
from services.call_gateway.line import EndCause, LegEnded
from services.call_gateway.opening import CallRefused, StageAway
from services.call_gateway.prompts.library import PromptLibrary
from services.call_gateway.prompts.recorded import shipped
from services.call_gateway.reporting import Reporter, count_failed_call
from services.call_gateway.session import Session
from services.call_gateway.settings import GatewaySettings, SharedStages
from services.call_gateway.stage_limits import find_call_limit
from services.call_gateway.stage_pace import StagePace
from services.call_gateway.stages.stages import SERVICE_NAMES, StageChannels, check_agent, is_stage_alive
from services.call_gateway.watching import CallAnalysed, CallBegan, CallNews, CallOver, EventBus
from services.call_gateway.webhook import Webhook
from services.call_gateway.webhook_file import WebhookFile
from services.runtime.errors import CapacityError, Draining, ServiceError
from services.runtime.lifecycle import Lifecycle
from services.runtime.logs import bind_call, get_logger
from services.runtime.renewed_channels import RenewedChannels

MAX_LABEL_CHARS = 64
LOOK_AT_DOORS_S = 0.5
LOOK_AT_STAGES_S = 2.0
SLOWEST_START_S = 3.0
"""Median time to a reply's first words or sound beyond which the gateway takes no more calls."""

log = get_logger(__name__)


class Gateway:
    """Holds every call of the process, and what calls share: channels, the pacer, prompts, the event bus."""

    def __init__(self, settings: GatewaySettings, lifecycle: Lifecycle) -> None:
        self.calls = CallTable()
        self.news = EventBus()
        self._settings = settings
        self._lifecycle = lifecycle
        self._pace = StagePace()
        self._max_calls = settings.max_calls
        self._pacer: Pacer
        self._is_loaded = False
        self.analyser: CallAnalyser
        self._webhook: Webhook | None = None
        self._renewed: RenewedChannels
        self._channels: StageChannels
        self._agents: AgentBook
        self.program: ProgramEdge
        self._edges: list[Edge]

    async def load(self) -> None:
        """Open what all calls share. The stages need not be up: a call without a stage hears an apology."""
        recorded = await asyncio.to_thread(shipped)
        await asyncio.to_thread(backchannels)  # read before the first call, never in one
        await asyncio.to_thread(stop_commands)
        self._renewed = renewed = await asyncio.to_thread(RenewedChannels, self._settings.stage_channel)
        self._channels = StageChannels(
            stt=renewed.open(self._settings.stt_target, health_service=SERVICE_NAMES[Stage.STT]),
            nlu=renewed.open(self._settings.nlu_target, health_service=SERVICE_NAMES[Stage.NLU]),
            tts=renewed.open(self._settings.tts_target, health_service=SERVICE_NAMES[Stage.TTS]),
        )
        self._is_loaded = True
        file: WebhookFile | None = None
        if self._settings.webhook_url:
            secret = await asyncio.to_thread(self._settings.read_webhook_secret)
            path = self._settings.webhook_file
            file = await asyncio.to_thread(WebhookFile, path) if path is not None else None
            self._webhook = Webhook(self._settings.webhook_url, secret, file=file)
        self.analyser = CallAnalyser(
            NluServiceStub(self._channels.nlu),
            on_answer=self._analysed,
            limit_s=self._settings.analysis_limit_s,
            file=file,
            on_late_answer=self._post_analysis,
        )
        self._agents = AgentBook(self._channels.nlu, PromptLibrary(self._channels.tts, recorded))
        self._pacer = Pacer()
        self.program = ProgramEdge(self._pacer)
        self._edges = [self._open_edge(name) for name in self._settings.edge_names]
        self.news.subscribe(Reporter())

    async def serve(self) -> None:
        """Take calls through every door until cancelled. When the process drains, the calls that are up go on."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pacer.run())
            tasks.create_task(self._agents.run())
            tasks.create_task(self._find_limit())
            tasks.create_task(self._renewed.watch())
            tasks.create_task(self.analyser.run())
            if self._webhook is not None:
                tasks.create_task(self._webhook.run())
            for edge in self._edges:
                tasks.create_task(edge.serve(self.take_call))
            watching = [tasks.create_task(self._watch_doors()), tasks.create_task(self._watch_stages())]
            await self._lifecycle.draining()
            for watch in watching:
                watch.cancel()
            for edge in self._edges:
                edge.stop_taking_calls()

    async def drained(self) -> None:
        """Return when the last call is over, its analysis is there, and its post is delivered, or on disk."""
        await self.calls.emptied()
        await self.analyser.emptied()
        if self._webhook is not None:
            await self._webhook.emptied()

    async def _watch_doors(self) -> None:
        """Say in health which doors are open, until cancelled: `edge.ari` beside the service's own name."""
        while True:
            for name, edge in zip(self._settings.edge_names, self._edges, strict=True):
                self._lifecycle.set_part(f"edge.{name}", is_ready=edge.is_ready)
            await asyncio.sleep(LOOK_AT_DOORS_S)

    async def _watch_stages(self) -> None:
        """Say in health which stages serve, until cancelled: `stage.stt` and its sisters."""
        while True:
            for stage, is_alive in zip(
                Stage,
                await asyncio.gather(*(is_stage_alive(self._channels.of(stage), stage) for stage in Stage)),
                strict=True,
            ):
                self._lifecycle.set_part(f"stage.{stage.value}", is_ready=is_alive)
            await asyncio.sleep(LOOK_AT_STAGES_S)

    async def _find_limit(self) -> None:
        def lower(calls: int) -> None:
            self._max_calls = calls

        settings = self._settings
        await find_call_limit(
            self._channels, max_calls=settings.max_calls, processes=SharedStages().processes, on_limit=lower
        )

    async def close(self) -> None:
        """The process ends, perhaps before it has loaded."""
        if self._is_loaded:
            await self._channels.close()

    async def check_agent(self, agent_id: str, *, tenant_id: str) -> None:
        """Raise UnknownAgent when an agent is named that the NLU stage does not know, or not for the tenant."""
        if agent_id:
            limit_s = self._settings.first_response_s
            await check_agent(self._channels.nlu, agent_id, tenant_id=tenant_id, limit_s=limit_s)

    async def take_call(self, leg: Leg) -> None:
        """Hold a call to its end. Raises CapacityError, Draining: nothing was done, send it elsewhere."""
        self._check_room()
        if not leg.call.is_recovered:  # the call was let in before this process started
            self._settings.quotas.check(leg.call, [call.session.call for call in self.calls])
        bind_call(leg.call.call_id)
        try:
            await self._hold(leg)
        except ServiceError:
            raise  # refused before the answer: the edge sends it elsewhere
        except Exception:
            log.exception("call_failed")  # this call ends, and the others go on
            await leg.hang_up(EndCause.FAILURE, message="the gateway failed")

    async def _hold(self, leg: Leg) -> None:
        incoming = self._with_defaults(leg.call)
        agent = (incoming.tenant_id, incoming.agent_id)
        session = Session(
            leg,
            incoming,
            channels=self._channels,
            settings=self._settings.conversation,
            limits=self._settings.stream_limits,
            profile=self._agents.profile(agent),
            prompts=self._agents.prompts(agent, incoming.audio_format),
            on_answered=lambda: self._began(call),
            on_profile=lambda profile: self._agents.learn(agent, profile),
            on_news=lambda news: self._tell(call, news),
            on_transfer=lambda: self._hand_over(call),
            pace=self._pace,
        )
        call = self.calls.add(session)
        failure: Exception | None = None
        try:
            await session.run()
            failure = session.failure
        except Exception as error:
            failure = error
            raise
        finally:
            self.calls.remove(call)
            self._over(call)
            if not call.is_answered and _is_ours(failure, incoming.edge):
                count_failed_call()

    def new_call_id(self, label: str = "") -> str:
        """An id that no other call has or had, from the caller's own name for it."""
        name = "".join(c for c in label[:MAX_LABEL_CHARS] if c.isalnum() or c in "-_") or "call"
        return f"{name}-{uuid.uuid4().hex[:12]}"

    def _with_defaults(self, call: IncomingCall) -> IncomingCall:
        agent_id = call.agent_id or self._settings.agent_id
        return replace(call, agent_id=agent_id, language_codes=call.language_codes or self._settings.languages)

    def _open_edge(self, name: str) -> Edge:
        return self.program if name == "program" else open_edge(name, self._pacer)

    def _check_room(self) -> None:
        if self._lifecycle.drain_deadline_ms:
            raise Draining("this gateway takes no calls now: call another one")
        slow = self._pace.overloaded(SLOWEST_START_S, now=time.monotonic())
        if slow is not None and len(self.calls):
            raise CapacityError(f"{slow} answers too slowly for one more call: call another gateway")
        if len(self.calls) >= self._max_calls:
            raise CapacityError(f"{len(self.calls)} calls are up, as many as this gateway holds: call another one")

    # -- news of one call ----------------------------------------------------------------------------------------------

    def _began(self, call: LiveCall) -> None:
        call.answered()
        self._tell(call, CallBegan(call.session.call.edge, call.session.agent_id))

    def _over(self, call: LiveCall) -> None:
        session, conversation = call.session, call.session.conversation
        end = session.end or LegEnded(EndCause.FAILURE, "the gateway failed" if call.is_answered else "never answered")
        is_handed_over = call.is_handed_over and end.cause is EndCause.TRANSFER
        is_to_be_analysed = call.is_answered and not is_handed_over and self._have_analysed(call)
        over = CallOver(
            end.cause,
            end.message,
            session.duration_ms,
            call.turns_answered,
            conversation.is_echo_suspected,
            is_to_be_analysed,
        )
        self._tell(call, over)
        log.info("call_counted", **{f"n.{name}": count for name, count in conversation.counters.items()})

    def _hand_over(self, call: LiveCall) -> None:
        """The caller is put through to a person, who is to have the summary."""
        call.is_handed_over = self._have_analysed(call, is_handed_over=True)

    def _have_analysed(self, call: LiveCall, *, is_handed_over: bool = False) -> bool:
        """Ask for the analysis of a call as it stands. False: there will be none."""
        try:
            wanted = self._wanted(call, is_handed_over=is_handed_over)
            return bool(self._settings.analysis_limit_s) and self.analyser.submit(wanted)
        except Exception:  # the call is told to be over all the same
            log.exception("analysis_failed")
            return False

    def _wanted(self, call: LiveCall, *, is_handed_over: bool) -> Wanted:
        session = call.session
        return Wanted(
            call.call_id,
            call.tenant_id,
            session.call.agent_id,
            session.call.caller,
            session.conversation.language_code,
            session.conversation.history,
            session.nlu_state,
            session.sample,
            is_transferred=is_handed_over or (session.end is not None and session.end.cause is EndCause.TRANSFER),
            is_over=not is_handed_over,
        )

    def _analysed(self, wanted: Wanted, analysis: analysis_pb2.CallAnalysis | None) -> None:
        self.news.publish(
            CallNews(wanted.call_id, wanted.tenant_id, wanted.sample, CallAnalysed(analysis, is_last=wanted.is_over))
        )
        self._post_analysis(wanted, analysis)

    def _post_analysis(self, wanted: Wanted, analysis: analysis_pb2.CallAnalysis | None) -> None:
        if analysis is not None and self._webhook is not None:
            handed_over = () if wanted.is_over else (str(wanted.sample),)  # handed over twice is two
            key = (wanted.tenant_id, wanted.call_id, *handed_over)
            self._webhook.post(event_of(wanted, analysis), content_of(wanted, analysis), key=key, settles=wanted.id)

    def _tell(self, call: LiveCall, news: News | CallBegan | CallOver) -> None:
        if isinstance(news, TurnFinished) and not news.record.is_gateway_prompt:
            call.turns_answered += news.record.outcome in (TurnOutcome.COMPLETED, TurnOutcome.INTERRUPTED)
        if isinstance(news, TurnFinished | CallOver):
            call.tally.tell(call.session.conversation.counters)
        self.news.publish(CallNews(call.call_id, call.tenant_id, call.session.sample, news))


def _is_ours(failure: Exception | None, edge: str) -> bool:
    """Return whether a fault on our side kept a call from being answered: a stage that is away, an error, or an agent
    that no stage serves, unless a program asked for it. A gateway that is full or drains has not failed.
    """
    if isinstance(failure, CallRefused):
        return edge != "program"
    return isinstance(failure, StageAway) or (failure is not None and not isinstance(failure, ServiceError))
