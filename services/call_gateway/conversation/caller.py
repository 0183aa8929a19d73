"""The caller's side: the ear's news, and who deals with it.

Evidence on the utterance under way goes to `Endpointing`; `TurnTaking` makes turns of it; `Interruptions` judges sounds
over the agent's voice; `Corrections` takes what comes after the turn was taken.
"""

from collections.abc import Callable

from services.call_gateway.conversation.agent import Agent
from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.barge_in import Verdict
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import DiscardUtterance
from services.call_gateway.conversation.corrections import Corrections
from services.call_gateway.conversation.endpointing import Endpointing
from services.call_gateway.conversation.events import (
    EarProgressed,
    SpeechBegan,
    SpeechStopped,
    Stage,
    TextStage,
    TranscriptHeard,
    TurnPredicted,
    UtteranceSettled,
)
from services.call_gateway.conversation.history import History
from services.call_gateway.conversation.interruptions import Interruptions
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.recordings import Recordings
from services.call_gateway.conversation.turn import Floor
from services.call_gateway.conversation.turn_taking import TurnTaking
from services.call_gateway.line import EnergyFell, EnergyRose
from services.language.words import has_words

CLICK_MS = 60
"""Loud sound that is shorter is no speech."""

EarNews = SpeechBegan | SpeechStopped | TranscriptHeard | TurnPredicted | UtteranceSettled | EarProgressed


class Caller:
    """What the caller does with their voice."""

    def __init__(
        self,
        state: CallState,
        *,
        agent: Agent,
        announcer: Announcer,
        playout: Playout,
        history: History,
        is_echo: Callable[[int, int], bool],
        recordings: Recordings,
    ) -> None:
        self._state = state
        self._loud_since: int | None = None  # in samples; None: the line is not loud
        self._loud_until = 0  # in samples: where loud sound last ended
        self._was_unheard = False
        self._endpointing = Endpointing(state.settings, state.clock)
        self._corrections = Corrections(state, agent, history)
        self._turns = TurnTaking(
            state,
            agent,
            endpointing=self._endpointing,
            corrections=self._corrections,
            announcer=announcer,
            recordings=recordings,
        )
        self._interruptions = Interruptions(
            state,
            agent=agent,
            announcer=announcer,
            playout=playout,
            is_echo=is_echo,
            endpointing=self._endpointing,
            turns=self._turns,
        )

    # -- what others ask -----------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """The caller says something, or said something that no turn has taken yet."""
        return self._endpointing.is_open or self._turns.settlement is not None

    @property
    def is_sounding(self) -> bool:
        """The ear hears speech now, or what it takes for it."""
        return self._endpointing.is_sounding

    @property
    def has_words(self) -> bool:
        """Something in the utterance under way, or the one being settled, was understood."""
        settlement = self._turns.settlement
        return has_words(self._endpointing.utterance.text) or (
            settlement is not None and has_words(settlement.best_text)
        )

    @property
    def last_settled_sample(self) -> int:
        """Everything before needs no listening to any more."""
        settlement = self._turns.settlement
        return settlement.after_sample if settlement is not None else self._endpointing.ended_sample

    @property
    def was_unheard(self) -> bool:
        """The caller has said something since the ear was lost, or as it was lost."""
        return self._was_unheard or self._endpointing.is_open

    @property
    def heard_sample(self) -> int:
        """How far the ear has said to have come."""
        return self._endpointing.heard_sample

    @property
    def deadline(self) -> float | None:
        """When `on_timer` has something to decide, in seconds."""
        overlap, settlement = self._interruptions.overlap, self._turns.settlement
        deadlines = [overlap.deadline] if overlap is not None else []
        if settlement is not None and settlement.is_awaited:
            deadlines.append(settlement.deadline)
        return min(deadlines, default=None)

    # -- the ear's news ------------------------------------------------------------------------------------------------

    def hear(self, news: EarNews) -> None:
        """Take in what the ear says."""
        match news:
            case EarProgressed(processed_sample):
                self._endpointing.hear_progress(processed_sample)
            case SpeechBegan() | SpeechStopped():
                self._hear_speech(news)
            case TranscriptHeard(stage=TextStage.CORRECTED):
                self._corrections.hear(news)
            case TranscriptHeard(stage=TextStage.SETTLED):
                self._turns.hear_settled_text(news)
            case TranscriptHeard():
                self._hear_text(news)
            case TurnPredicted():
                if not self._endpointing.hear_prediction(news):
                    self._state.refuse(news)
            case UtteranceSettled():
                self._turns.hear_settled(news)
        self._turns.decide()

    def _hear_speech(self, news: SpeechBegan | SpeechStopped) -> None:
        overlap = self._interruptions.overlap
        if self._state.floor is Floor.HELD or not self._endpointing.hear_speech(news):
            self._state.refuse(news)
        elif isinstance(news, SpeechStopped):
            if overlap is not None:
                overlap.speech_stopped(news.sample)
        elif overlap is None and self._interruptions.veto_echo(news.sample):
            return
        elif overlap is not None:
            overlap.speech_began(news.sample)
        elif self._state.floor is Floor.LISTENING:
            self._turns.drop_draft()  # it answered less than they will have said
        else:
            self._interruptions.begin()

    def _hear_text(self, news: TranscriptHeard) -> None:
        is_draft = news.stage is TextStage.DRAFT
        if not self._endpointing.hear_text(news, is_draft=is_draft):
            self._state.refuse(news)
            return
        self._turns.note_text(news)
        if not is_draft:
            return
        if self._state.floor is Floor.LISTENING:
            self._turns.try_draft(news.text, news.start_sample, news.end_sample)
        else:
            self._interruptions.hear_words(news)

    def on_energy(self, event: EnergyRose | EnergyFell) -> None:
        """The caller's line became loud, or quiet again. It stands for speech only while the STT stage is lost."""
        is_rise = isinstance(event, EnergyRose)
        if is_rise:
            self._loud_since = event.sample
        else:
            self._loud_since, self._loud_until = None, event.sample
        if Stage.STT in self._state.open_stages or self._state.floor is Floor.HELD:
            return
        if is_rise and self._state.floor is Floor.LISTENING:
            self._was_unheard = True  # there is nothing to silence, and no words will come
        else:
            self._hear_speech(SpeechBegan(event.sample, 0.5) if is_rise else SpeechStopped(event.sample, 0.5))

    @property
    def _was_loud_unheard(self) -> bool:
        """The line is loud, or was for longer than a click, since the STT stage last said how far it has listened."""
        least = self._endpointing.heard_sample + self._state.clock.samples(CLICK_MS)
        return self._loud_since is not None or self._loud_until > least

    # -- time ----------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """The caller's clock went on."""
        self._interruptions.advance()
        self._turns.decide()

    def excuse(self, n_samples: int) -> None:
        """So much of the caller's clock was hold or a pressed key: no silence."""
        self._endpointing.excuse(n_samples)

    def on_timer(self) -> None:
        """A deadline may have come."""
        self._interruptions.on_timer()
        settlement = self._turns.settlement
        if settlement is not None and settlement.is_awaited and self._state.now >= settlement.deadline:
            self._turns.give_up_waiting()

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long."""
        if self._turns.settlement is not None:
            self._turns.settlement.deadline += held_s

    # -- what happens elsewhere ----------------------------------------------------------------------------------------

    def adapt(self) -> None:
        """The settings have changed: the agent's own came."""
        self._endpointing.settings = self._turns.desk.settings = self._state.settings

    def put_on_hold(self) -> None:
        """A doubt cannot be settled on hold."""
        self._interruptions.resume(Verdict.HOLD)

    def stop_agent_for_key(self) -> None:
        """A key means more than a sound."""
        self._interruptions.stop_agent(Verdict.KEY)

    def abandon_turn(self) -> None:
        """The call ends: what was being said is void."""
        self._interruptions.overlap = None
        self._turns.abandon()

    def give_way_to_keys(self) -> None:
        """Keys became the turn: what was being said is void, and must not become the next."""
        self.abandon_turn()
        began = self._endpointing.utterance.began_sample
        if began is not None:
            self._endpointing.forget(self._state.clock.sample)
            self._state.command(DiscardUtterance(began, self._state.clock.sample))

    def draft_failed(self) -> None:
        """A stage could not make the draft."""
        self._turns.drop_draft()

    def ear_is_back(self) -> None:
        """A fresh ear hears again what the old one had not settled; what is judged by now it must not take for new."""
        self._was_unheard = False
        self._endpointing.forget_evidence()
        if self.last_settled_sample > 0:
            self._state.command(DiscardUtterance(0, self.last_settled_sample))
        self._turns.ear_is_back()

    def ear_was_lost(self) -> None:
        """The ear died; what it knew of the utterance under way, and of one it had not settled, a fresh one will hear
        again.
        """
        self._was_unheard = self._endpointing.is_open or self._was_loud_unheard
        self._endpointing.forget_evidence()
        self._turns.ear_was_lost()
