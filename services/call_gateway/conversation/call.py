"""The state of one call: the time, the floor, what is playing, the reply, the user's turn, the history.

Functions below it do what a policy may do on any floor: say a prompt, or open a stage's stream again.
"""

from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.commands import (
    Command,
    HangUp,
    ReopenStage,
    ReportPlayout,
    SendOn,
    TurnFinished,
)
from services.call_gateway.conversation.endpointing import Endpointing
from services.call_gateway.conversation.events import (
    Action,
    ActionAsked,
    ActionEnded,
    Event,
    ExpectedKind,
    HangUpCall,
    InputExpected,
    PressKeys,
    Stage,
    SwitchLanguage,
    TransferCall,
    VoiceAudio,
)
from services.call_gateway.conversation.floor import Floor, FloorTable
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.record import HeardTurn, History, TurnNotes, TurnOutcome
from services.call_gateway.conversation.reply import Reply, Speculation
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.conversation.user_turn import EndedTurn, Overlap, UserTurn
from services.call_gateway.conversation.voice import Voice
from services.call_gateway.line import EndCause
from services.call_gateway.media_clock import MediaClock
from services.call_gateway.profile import ALL_ACTS, AgentProfile
from services.call_gateway.prompts.book import PromptBook, PromptKind

MAX_OUTCOMES = 16  # that wait to be told; of more the oldest is forgotten

_KINDS: dict[type[Action], str] = {
    HangUpCall: "hang_up",
    TransferCall: "transfer",
    PressKeys: "send_dtmf",
    SwitchLanguage: "switch_language",
}


class CallClock(MediaClock):
    """The clock of one call: wall time, time without holds, time without holds and pauses, and the media clock.

    Times are in seconds. A deadline is kept on the reading that stands still while the caller cannot act, so that no
    deadline is ever shifted.
    """

    def __init__(self, sample_rate_hertz: int) -> None:
        super().__init__(sample_rate_hertz)
        self.wall = 0.0  # monotonic
        self.now = 0.0  # stands still on hold
        self.waiting = 0.0  # stands still on hold, and while the caller makes a sound over the agent
        self._floor = Floor.LISTENING
        self._held_s = 0.0  # the sum of all holds
        self._stopped_s = 0.0  # the sum of all holds and pauses

    def set(self, wall: float) -> None:
        """Let time go on to `wall`, in seconds, monotonic."""
        passed, self.wall = wall - self.wall, wall
        if self._floor is Floor.HELD:
            self._held_s += passed
        if self._floor in (Floor.HELD, Floor.PAUSED):
            self._stopped_s += passed
        self.now, self.waiting = wall - self._held_s, wall - self._stopped_s

    def follow(self, floor: Floor) -> None:
        """The floor has changed."""
        self._floor = floor

    def wall_of(self, deadline: float) -> float:
        """Return the `wall` time at which `now` reaches `deadline`, in seconds. The call must not be on hold."""
        return deadline + self._held_s

    def wall_of_waiting(self, deadline: float) -> float:
        """Return the `wall` time at which `waiting` reaches `deadline`, in seconds. The call must not be on hold or
        paused.
        """
        return deadline + self._stopped_s


class StagePhase(Enum):
    """The phase of the stream to a stage."""

    OPEN = "open"
    REOPENING = "reopening"  # a fresh stream is being opened
    LOST = "lost"  # a fresh stream will be opened later


@dataclass(slots=True)
class StreamState:
    """The stream to one stage. An incident lasts from a failure until the stage has done its work again."""

    phase: StagePhase = StagePhase.OPEN
    has_incident: bool = False
    tries: int = 0  # streams opened in this incident
    due_at: float | None = None  # by the wall: when the next stream is opened; None: a stream is open or being opened

    def end_incident(self) -> None:
        """The stage works again."""
        self.has_incident, self.tries, self.due_at = False, 0, None


@dataclass(slots=True)
class Closing:
    """The way in which a call ends."""

    cause: EndCause
    last_command: HangUp | SendOn
    prompt: PromptKind | None = None  # the last words
    is_after_word: bool = False  # the word being spoken is the last
    deadline: float = 0.0  # by the wall: for the last words, then for the tail behind them
    is_all_heard: bool = False


@dataclass(slots=True)
class PendingHangUp:
    """A hang-up that waits until the last words are heard; the caller may still go on. Times are on CallClock.now."""

    cause: EndCause
    turn_id: int  # the last turn begun when the hang-up was decided
    until: float  # a sound without words is waited for until then
    asked: ActionAsked | None = None  # by the agent
    at: float | None = None  # when the line is hung up; None: the caller or the agent speaks
    unheard: EndedTurn | None = None  # the last turn whose words were given up, when the hang-up was decided
    message: str = ""  # for readers of the log


class Call:
    """The facts of one call. This object decides nothing."""

    def __init__(
        self, settings: ConversationSettings, language_code: str, *, audio_format: AudioFormat, prompts: PromptBook
    ) -> None:
        self.settings = settings
        self.audio_format = audio_format
        self.prompts = prompts
        self.has_fallback = False  # the dialplan takes a caller whose call cannot go on
        self.clock = CallClock(audio_format.sample_rate_hertz)
        self.table = FloorTable()
        self.playout = Playout(audio_format, frame_ms=settings.frame_ms)
        self.history = History(settings.history_turns)
        self.user_turn = UserTurn(Endpointing(settings, self.clock))
        self.overlap: Overlap | None = None  # not None while the floor is PAUSED
        self.closing: Closing | None = None  # not None while the floor is CLOSING
        self.hang_up: PendingHangUp | None = None
        self.reply: Reply | None = None  # the committed reply
        self.speculation = Speculation()
        self.prompt_voices: list[Voice] = []  # prompts that are being said or wait to be said
        self.expected = InputExpected(0, ExpectedKind.OPEN)  # from the caller
        self.actions: dict[str, ActionAsked] = {}  # that are being done, by id
        self.outcomes: deque[tuple[ActionAsked, ActionEnded]] = deque(maxlen=MAX_OUTCOMES)  # not told to the caller
        self.stages = {stage: StreamState() for stage in Stage}  # the session makes the first opening
        self.language_code = language_code  # BCP-47, spoken now
        self.spoken: tuple[str, ...] = ()  # BCP-47 tags of the agent's languages; empty: not known
        self.acts = ALL_ACTS  # what the agent may do to the call; its profile comes before anything it asks for
        self.answered_at: float | None = None  # when media began to flow, by the wall
        self.is_over = False
        self.turn_id = 0  # the last turn begun
        self.counters: Counter[str] = Counter()
        self._commands: list[Command] = []

    @property
    def floor(self) -> Floor:
        """Return who has the floor; only the table changes it."""
        return self.table.floor

    @property
    def resting_floor(self) -> Floor:
        """The floor; on a pause or a hold, the floor that it leads back to."""
        return self.table.covered if self.table.floor in (Floor.PAUSED, Floor.HELD) else self.table.floor

    @property
    def is_gateway_speaking(self) -> bool:
        """A prompt is being said, or about to be."""
        return bool(self.prompt_voices)

    def is_open(self, stage: Stage) -> bool:
        """Return whether the stage can be spoken to."""
        return self.stages[stage].phase is StagePhase.OPEN

    def adopt(self, profile: AgentProfile) -> None:
        """The agent's profile has become known."""
        self.settings = self.settings.adapted(profile)
        self.user_turn.evidence.settings = self.settings
        self.spoken = profile.language_codes
        self.acts = profile.acts
        if not self.language_code and profile.language_codes:
            self.language_code = profile.language_codes[0]

    def speaks(self, language_code: str) -> bool:
        """Return whether the agent has the language, in whichever country's form."""
        primary = language_code.partition("-")[0].lower()
        return not self.spoken or any(code.partition("-")[0].lower() == primary for code in self.spoken)

    def allows(self, action: Action) -> bool:
        """Return whether the agent's file allows the kind of act."""
        return _KINDS[type(action)] in self.acts

    def find_reply(self, turn_id: int) -> Reply | None:
        """The live reply of that id, committed or speculative."""
        for reply in (self.reply, self.speculation.reply):
            if reply is not None and reply.turn_id == turn_id:
                return reply
        return None

    def new_turn_id(self) -> int:
        """Ids rise by one: of replies, of speculative ones and of the gateway's own words alike."""
        self.turn_id += 1
        return self.turn_id

    def new_voice(self, turn_id: int) -> Voice:
        """Speech of that turn, still empty."""
        return Voice(turn_id, self.audio_format, max_held_ms=self.settings.max_held_audio_ms)

    def command(self, *commands: Command) -> None:
        """Add commands for the session to carry out, in order."""
        self._commands.extend(commands)

    @property
    def has_commands(self) -> bool:
        """Commands wait for the session."""
        return bool(self._commands)

    def take_commands(self) -> list[Command]:
        """Return the commands since the last call of this method."""
        commands, self._commands = self._commands, []
        return commands

    def refuse(self, event: Event) -> None:
        """Count an event that came too late, twice or out of place. Such an event has no effect."""
        self.counters[f"late_{type(event).__name__}"] += 1


# -- the gateway's own words, each a turn with an id of its own --------------------------------------------------------


def say(call: Call, kind: PromptKind) -> float:
    """Say a prompt before anything else. Returns how long it takes, in seconds; 0 when there is no such prompt."""
    prompt = call.prompts.find(kind, call.language_code)
    if prompt is None:
        call.counters["missing_prompts"] += 1
        return 0.0
    audio_format = call.audio_format
    n_samples = len(prompt.content) // audio_format.bytes_per_sample
    duration_ms = n_samples * 1000 // audio_format.sample_rate_hertz
    voice = Voice(call.new_turn_id(), audio_format, max_held_ms=duration_ms + 1)
    voice.write(prompt.text)
    voice.add_audio(VoiceAudio(voice.turn_id, 0, prompt.content[: n_samples * audio_format.bytes_per_sample]))
    voice.complete()
    call.prompt_voices.append(voice)
    call.playout.enqueue(voice, first=True)
    return duration_ms / 1000


def finish_prompt(call: Call, voice: Voice, *, outcome: TurnOutcome = TurnOutcome.COMPLETED) -> bool:
    """Finish a prompt: no more of it will be heard. Returns False when the voice is not a prompt's."""
    if voice not in call.prompt_voices:
        return False
    call.prompt_voices.remove(voice)
    call.playout.remove(voice)
    heard = voice.text[: voice.offset_at(call.playout.played(voice))]
    if heard:
        call.command(ReportPlayout(voice.turn_id, len(heard), is_final=True, gateway_text=heard))
        call.history.add(HeardTurn(voice.turn_id, "", heard, is_gateway=True))
    record = TurnNotes().finished(voice.turn_id, outcome=outcome, heard_text=heard, is_gateway=True)
    call.command(TurnFinished(record))
    return True


def stop_prompts(call: Call) -> None:
    """Stop the gateway's own words in mid-word."""
    for voice in tuple(call.prompt_voices):
        finish_prompt(call, voice, outcome=TurnOutcome.INTERRUPTED)


# -- the streams to the stages ----------------------------------------------------------------------------------------


def reopen(call: Call, stage: Stage) -> None:
    """Give a stage's stream up for a fresh one: the first time at once, then after pauses that grow. Does nothing when
    a fresh stream is due already.
    """
    stream = call.stages[stage]
    stream.has_incident = True
    if stream.phase is StagePhase.OPEN:
        stream.phase = StagePhase.LOST
    if stream.due_at is not None:
        return
    if stream.tries:
        reopen_later(call, stage)
    else:
        open_stream(call, stage)


def reopen_later(call: Call, stage: Stage) -> None:
    """The stage could not be reached: try after a pause, twice as long each time."""
    stream, settings = call.stages[stage], call.settings
    stream.has_incident = True
    if stream.due_at is None:
        doubled = settings.reopen_pause_ms << min(max(stream.tries - 1, 0), 8)
        stream.due_at = call.clock.wall + min(doubled, settings.longest_reopen_pause_ms) / 1000
    if stream.phase is not StagePhase.OPEN:
        stream.phase = StagePhase.LOST


def open_stream(call: Call, stage: Stage) -> None:
    """Open a fresh stream now."""
    stream = call.stages[stage]
    stream.tries += 1
    stream.due_at = None
    if stream.phase is not StagePhase.OPEN:
        stream.phase = StagePhase.REOPENING
    call.command(ReopenStage(stage, call.user_turn.settled_sample if stage is Stage.STT else 0))
