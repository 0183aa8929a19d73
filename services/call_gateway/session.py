"""Session: holds one call from the ring to the last report.

Events of the line and of the stages go to the conversation, whose commands are carried out here, in order. Nothing here
waits while a call is up: every callback returns within a fraction of a frame.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace

from services.audio.fades import CutFader
from services.call_gateway.conversation.commands import (
    Command,
    DiscardSent,
    DoAction,
    HangUp,
    News,
    ProbeStage,
    SendOn,
)
from services.call_gateway.conversation.conversation import Conversation
from services.call_gateway.conversation.events import (
    CallAnswered,
    CallerAdvanced,
    CloseAsked,
    Event,
    SpeechStopped,
    Stage,
    StageAlive,
    StageFailed,
    StageReady,
    TurnPredicted,
)
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.edges.edge import IncomingCall, Leg, LegFailed
from services.call_gateway.line import CallerAudio, EndCause, LegEnded, LegEvent, MediaIdle
from services.call_gateway.line_actions import CallTimer, LineActions
from services.call_gateway.opening import Opening
from services.call_gateway.profile import AgentProfile
from services.call_gateway.prompts.book import PromptBook
from services.call_gateway.sound.call_sound import CallSound
from services.call_gateway.stage_pace import StagePace
from services.call_gateway.stages.facts import CallFacts
from services.call_gateway.stages.stages import StageChannels, StageCommand, Stages
from services.call_gateway.stages.stream import StreamLimits
from services.language.destinations import allowed_target, region_of
from services.runtime.logs import get_logger

log = get_logger(__name__)


class Session:
    """Holds one call: its line, its three stages, its conversation."""

    def __init__(
        self,
        leg: Leg,
        call: IncomingCall,
        *,
        channels: StageChannels,
        settings: ConversationSettings,
        limits: StreamLimits,
        profile: AgentProfile,
        prompts: PromptBook,
        on_answered: Callable[[], None],
        on_profile: Callable[[AgentProfile], None],
        on_news: Callable[[News], None],
        on_transfer: Callable[[], None] = lambda: None,
        pace: StagePace | None = None,
    ) -> None:
        """`call`: the leg's own, with the gateway's defaults filled in. `profile` and `prompts`: what is known of the
        agent before its stream is open. The callbacks belong to the gateway and must return at once. `on_transfer` is
        called just before the caller is put through. `pace`: how fast the stages have answered all calls.
        """
        self.call = call
        self.sample = 0
        """The position of the caller's media clock."""
        self.end: LegEnded | None = None
        """The end of the call; None while it lasts."""
        self._sound = CallSound(call.audio_format)
        self._cut_fader = CutFader(call.audio_format)
        self.conversation = Conversation(
            settings,
            language_codes=call.language_codes,
            audio_format=call.audio_format,
            prompts=prompts,
            is_echo=self._sound.is_echo,
            pace=pace,
            has_fallback=leg.has_fallback,
        )
        self._opening = Opening()
        self._leg = leg
        self._channels = channels
        self._limits = limits
        self._profile = profile
        self._on_answered = on_answered
        self._on_profile = on_profile
        self._on_news, self._on_transfer = on_news, on_transfer
        self._tasks: asyncio.TaskGroup | None = None
        self._stages: Stages
        self._nlu_state: Callable[[], bytes] = bytes
        self._pending: deque[Event] = deque()  # events that came while another was being handled
        self._is_handling = False
        self._timer = CallTimer(self._on_timer)
        self._ended = asyncio.Event()
        self._is_over = False
        self._failure: Exception | None = None
        self._line = LineActions(
            leg,
            self._ended,
            is_line_gone=lambda: self.end is not None,
            on_ended=self.on_leg_event,
            on_action=self._tell,
            find_target=self._target,
        )

    @property
    def nlu_state(self) -> bytes:
        """The state that the NLU stage last sent, to be handed back to it; empty before the call is answered."""
        return self._nlu_state()

    async def run(self) -> None:
        """Hold the whole call. Returns when everything is reported and closed. Raises ServiceError when the call was
        not answered, since a stage is full or away: the edge sends the call elsewhere then.
        """
        async with asyncio.TaskGroup() as self._tasks:
            self._stages = self._open_stages(self._tasks)
            refusal = None if self.call.is_recovered else await self._opening.failure(self._stages.reopen)
            self._opening.is_over = True
            if refusal is None:
                await self._converse()
            self._timer.cancel()
            if self._failure is not None:
                log.error("session_broke", exc_info=self._failure)
                await self._line.send_on("the gateway failed")
                self.end = self.end or LegEnded(EndCause.FAILURE, "the gateway failed")
            await self._stages.finish()
        if refusal is not None:
            raise refusal

    async def _converse(self) -> None:
        """Hold the call from the answer to the end of the line."""
        try:
            await self._leg.answer(self)
        except LegFailed as failed:
            log.info("call_not_answered", **{"pii.reason": str(failed)})
        else:
            self._on_answered()
            self._tell(CallAnswered(is_recovered=self.call.is_recovered))
            await self._ended.wait()

    @property
    def failure(self) -> Exception | None:
        """The error that broke the session; None where it has had no error."""
        return self._failure

    @property
    def duration_ms(self) -> int:
        """Return how long the call has lasted, in milliseconds of the caller's audio."""
        return self.sample * 1000 // self.call.audio_format.sample_rate_hertz

    @property
    def agent_id(self) -> str:
        """The agent who answers; empty where that is not known yet."""
        return self._profile.agent_id or self.call.agent_id

    def close(self, cause: EndCause, message: str = "") -> None:
        """End the call after the word that is being spoken."""
        self._tell(CloseAsked(cause, message))

    # -- the line ------------------------------------------------------------------------------------------------------

    def on_leg_event(self, event: LegEvent) -> None:
        """Something happened on the line."""
        if self._is_over:
            return
        try:
            match event:
                case CallerAudio():
                    self._on_audio(event)
                case MediaIdle():
                    self.sample = event.to_sample
                    self._stages.stt.send_idle(event)
                    self._tell(event, self._sound.on_idle(event))
                case LegEnded():
                    self._tell(event)
                    self.end = event
                    self._finish()
                case _:
                    self._tell(event)
        except Exception as error:
            self._fail(error)

    def _on_audio(self, audio: CallerAudio) -> None:
        """Hand a packet of the caller to the STT stage, and what was measured in it to the conversation."""
        self.sample = audio.start_sample + self.call.audio_format.samples_in(audio.content)
        frames, found = self._sound.on_audio(audio)
        self._stages.stt.send_audio(frames)
        self._tell(CallerAdvanced(self.sample), *found)

    def next_frame(self) -> bytes | None:
        """Return the next 20 ms for the caller; None is comfort silence."""
        if self._is_over:
            return None
        try:
            frame, commands = self.conversation.next_frame(now=time.monotonic())
            self._sound.on_sent(frame)
        except Exception as error:
            self._fail(error)
            return None
        if commands:
            self._carry_out_all(commands)
        return self._cut_fader.push(frame)

    # -- the conversation ----------------------------------------------------------------------------------------------

    def _spawn(self, act: Coroutine[None, None, None]) -> None:
        assert self._tasks is not None  # noqa: S101  a call that runs has its tasks
        self._tasks.create_task(act)

    def _tell(self, *events: Event) -> None:
        self._pending.extend(events)
        if not self._is_handling:
            self._carry_out_all(())

    def _carry_out_all(self, commands: Iterable[Command]) -> None:
        # A command may cause an event at once (a stage's queue is full): that event waits until this one is handled.
        if self._failure is not None:
            return
        self._is_handling = True
        try:
            for command in commands:
                self._carry_out(command)
            while self._pending:
                event = self._pending.popleft()
                for command in self.conversation.handle(event, now=time.monotonic()):
                    self._carry_out(command)
        except Exception as error:  # this call ends, and the others go on
            self._fail(error)
        finally:
            self._is_handling = False
        self._set_timer()

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, StageCommand):
            self._stages.perform(command)
            return
        match command:
            case DiscardSent():
                self._leg.discard_sent()
            case DoAction():
                self._spawn(self._line.act(command))
            case ProbeStage(stage):
                self._spawn(self._probe(stage))
            case SendOn(message):
                self._spawn(self._line.send_on(message))
            case HangUp(cause, message):
                self._spawn(self._line.hang_up(cause, message))
            case _:
                self._on_news(command)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._finish()

    def _finish(self) -> None:
        self._is_over = True
        self._ended.set()

    # -- time ----------------------------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        due_s = self.conversation.next_deadline()
        if due_s is not None and not self._is_over:
            self._timer.set(due_s)

    def _on_timer(self) -> None:
        if self._is_over:
            return
        try:
            commands = self.conversation.on_timer(now=time.monotonic())
        except Exception as error:
            self._fail(error)
            return
        self._carry_out_all(commands)

    # -- what takes time -----------------------------------------------------------------------------------------------

    def _target(self, wanted: str) -> str:
        """Return the destination of a transfer as the agent's file lists it; empty when the file does not list it."""
        region = self._profile.region or region_of(self.call.caller, self.conversation.language_code)
        listed = allowed_target(wanted, self._profile.destinations, region=region)
        if listed:
            self._on_transfer()
        return listed

    async def _probe(self, stage: Stage) -> None:
        if await self._stages.is_alive(stage):
            self._tell(StageAlive(stage))

    # -- the stages ----------------------------------------------------------------------------------------------------

    def _open_stages(self, tasks: asyncio.TaskGroup) -> Stages:
        call = self.call
        stages = Stages(
            self._channels,
            CallFacts(
                call.call_id,
                call.tenant_id,
                call.agent_id,
                call.language_codes,
                call.caller,
                call.audio_format,
                call.visit_id,
            ),
            profile=self._profile,
            past=lambda: self.conversation.history,
            tasks=tasks,
            on_event=self._on_stage_event,
            on_profile=self._adopt,
            limits=self._limits,
        )
        self.conversation.adopt(self._profile)
        self._nlu_state = lambda: stages.nlu.state
        stages.open()
        return stages

    def _on_stage_event(self, event: Event) -> None:
        """Take an event of a stage. Until the answer the opening handles a failure, then the conversation."""
        if not self._opening.is_over and not self.call.is_recovered:
            if isinstance(event, StageFailed):
                self._opening.failed(event)
                return
            if isinstance(event, StageReady):
                self._opening.ready(event.stage)
        if isinstance(event, SpeechStopped):
            event = replace(event, speech_end_sample=self._sound.speech_end(event.sample))
        elif isinstance(event, TurnPredicted):
            event = replace(event, speech_end_sample=self._sound.speech_end(event.end_sample))
        self._tell(event)

    def _adopt(self, profile: AgentProfile) -> None:
        if profile == self._profile:
            return
        self._profile = profile
        self.conversation.adopt(profile)
        self._stages.adopt(profile)
        self._on_profile(profile)
