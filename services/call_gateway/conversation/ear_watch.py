"""Is the ear listening? One that died or stalled is opened anew, and missed only once the caller says something."""

from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.commands import ReopenStage
from services.call_gateway.conversation.events import PromptKind, Stage
from services.call_gateway.conversation.news import StageTroubled
from services.call_gateway.conversation.prospect import STALLED, Prospect
from services.call_gateway.conversation.turn import Floor

MAX_APOLOGIES = 1  # before something was understood again


class EarWatch:
    """Watches the STT stage."""

    def __init__(self, state: CallState, caller: Caller, announcer: Announcer) -> None:
        self._state = state
        self._caller = caller
        self._announcer = announcer
        self._news_at = 0.0  # when it last gave a sign of life, in seconds
        self._base_sample = 0  # where the caller's clock stood when its stream opened
        self._missed_since: float | None = None  # in seconds; None: it listens
        self._apologies = 0

    @property
    def deadline(self) -> float | None:
        """When `check` has something to do, in seconds."""
        return None if self._missed_since is None else self._missed_since + self._limit_s

    @property
    def _limit_s(self) -> float:
        return self._state.settings.ear_stall_ms / 1000

    def gave_sign(self) -> None:
        """It said something, whatever it was."""
        self._news_at = self._state.now

    def understood(self) -> None:
        """It settled an utterance."""
        self._apologies = 0

    def opened(self, *, was_closed: bool) -> None:
        """Its stream is open, for the first time or again."""
        if was_closed:
            self._caller.ear_is_back()
        self._base_sample, self._news_at = self._state.clock.sample, self._state.now
        self._missed_since = None

    def failed(self, reason: str) -> Prospect:
        """Its stream is dead or given up."""
        words_are_lost = self._caller.ear_was_lost()
        was_waited_for = reason == STALLED and self._caller.was_unheard and self._state.floor is Floor.LISTENING
        is_missed = words_are_lost or was_waited_for
        remedy = "apologise" if is_missed else "reopen"
        self._state.command(StageTroubled(Stage.STT, reason, remedy), ReopenStage(Stage.STT))
        self._missed_since = self._state.now
        return self._apologise() if is_missed else Prospect.GOES_ON

    def check(self) -> Prospect:
        """Time has passed. Behind by more than the limit, and without a sign for half of it, the ear is stalled: one
        that is fed a file faster than real time is behind too, but keeps giving signs.
        """
        if Stage.STT in self._state.open_stages:
            if self._state.now - self._news_at > self._limit_s / 2 and self._is_behind():
                self._state.open_stages.discard(Stage.STT)
                return self.failed(STALLED)
        elif self._state.floor in (Floor.SPEAKING, Floor.HELD) or not (self._apologies or self._caller.was_unheard):
            self._missed_since = self._state.now  # not missed yet
        elif self.deadline is not None and self._state.now >= self.deadline:
            return self._apologise()
        return Prospect.GOES_ON

    def _is_behind(self) -> bool:
        heard_sample = max(self._caller.heard_sample, self._base_sample)
        return self._state.clock.sample - heard_sample > self._state.clock.samples(self._limit_s * 1000)

    def _apologise(self) -> Prospect:
        if self._apologies >= MAX_APOLOGIES:
            self._state.command(StageTroubled(Stage.STT, STALLED, "goodbye"))
            return Prospect.HOPELESS
        self._apologies += 1
        self._missed_since = self._state.now + self._announcer.say(PromptKind.APOLOGY)
        return Prospect.GOES_ON

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long."""
        self._news_at += held_s
        if self._missed_since is not None:
            self._missed_since += held_s
