"""Is the ear listening? One that died or stalled is opened anew, and missed only once the caller says something."""

from services.call_gateway.conversation.announcer import Announcer
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.caller import Caller
from services.call_gateway.conversation.events import PromptKind, Stage
from services.call_gateway.conversation.news import StageTroubled
from services.call_gateway.conversation.prospect import STALLED, Prospect
from services.call_gateway.conversation.reopening import Reopening
from services.call_gateway.conversation.turn import Floor


class EarWatch:
    """Watches the STT stage."""

    def __init__(self, state: CallState, caller: Caller, announcer: Announcer, reopening: Reopening) -> None:
        self._state = state
        self._caller = caller
        self._announcer = announcer
        self._reopening = reopening
        self._news_at = 0.0  # when it last gave a sign of life, in seconds
        self._base_sample = 0  # where the caller's clock stood when its stream opened
        self._phrase_at: float | None = None  # the ear is away: when its absence is next spoken of, in seconds
        self._missed_since: float | None = None  # since when the caller waits for it

    @property
    def deadline(self) -> float | None:
        """When `check` has something to do, in seconds."""
        return self._phrase_at

    @property
    def _limit_s(self) -> float:
        return self._state.settings.ear_stall_ms / 1000

    def gave_sign(self) -> None:
        """It said something, whatever it was. One that has listened for a while works."""
        self._news_at = self._state.now
        listened = self._state.clock.sample - self._base_sample
        if listened > self._state.clock.samples(self._state.settings.company_ms) and self._is_open:
            self._reopening.is_over(Stage.STT)
            self._missed_since = None

    def understood(self) -> None:
        """It settled an utterance. What a stream that is gone still said does not bring the stage back."""
        if not self._is_open:
            return
        self._missed_since = None
        self._reopening.is_over(Stage.STT)

    def opened(self, *, was_closed: bool) -> None:
        """Its stream is open, for the first time or again."""
        if was_closed:
            self._caller.ear_is_back()
        self._base_sample, self._news_at = self._state.clock.sample, self._state.now
        self._phrase_at = None

    def failed(self, reason: str) -> Prospect:
        """Its stream is dead or given up."""
        self._caller.ear_was_lost()
        is_missed = reason == STALLED and self._caller.was_unheard and self._state.floor is Floor.LISTENING
        remedy = "apologise" if is_missed else "reopen"
        self._state.command(StageTroubled(Stage.STT, reason, remedy))
        self._reopening.begin(Stage.STT)
        self._phrase_at = self._state.now + self._limit_s
        return self._speak_of_it() if is_missed else Prospect.GOES_ON

    def check(self) -> Prospect:
        """Time has passed. Behind by more than the limit, and without a sign for half of it, the ear is stalled: one
        that is fed a file faster than real time is behind too, but keeps giving signs.
        """
        if self._is_open:
            if self._state.now - self._news_at > self._limit_s / 2 and self._is_behind():
                self._state.open_stages.discard(Stage.STT)
                return self.failed(STALLED)
        elif self._state.floor in (Floor.SPEAKING, Floor.HELD) or not self._is_missed:
            self._phrase_at = max(self._phrase_at or 0.0, self._state.now + self._limit_s)  # not missed yet
        elif self._phrase_at is not None and self._state.now >= self._phrase_at:
            return self._speak_of_it()
        return Prospect.GOES_ON

    @property
    def _is_open(self) -> bool:
        return Stage.STT in self._state.open_stages

    @property
    def _is_missed(self) -> bool:
        return self._missed_since is not None or self._caller.was_unheard

    def _is_behind(self) -> bool:
        heard_sample = max(self._caller.heard_sample, self._base_sample)
        return self._state.clock.sample - heard_sample > self._state.clock.samples(self._limit_s * 1000)

    def _speak_of_it(self) -> Prospect:
        settings, now = self._state.settings, self._state.now
        if self._missed_since is None:
            self._missed_since = now
            phrase = PromptKind.APOLOGY
        elif now - self._missed_since >= settings.give_up_ms / 1000:
            self._state.command(StageTroubled(Stage.STT, STALLED, "goodbye"))
            return Prospect.HOPELESS
        else:
            phrase = PromptKind.STILL_WITH_YOU
        lasts_s = self._announcer.say(phrase)
        self._phrase_at = now + max(settings.company_ms / 1000, lasts_s + 1.0)
        return Prospect.GOES_ON

    def shift(self, held_s: float) -> None:
        """The call was on hold for so long."""
        self._news_at += held_s
        if self._phrase_at is not None:
            self._phrase_at += held_s
        if self._missed_since is not None:
            self._missed_since += held_s
