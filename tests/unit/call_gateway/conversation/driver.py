"""Plays a scripted caller, agent and voice against a conversation, on a clock of its own.

Times are milliseconds of the call. The line is 8 kHz mu-law unless told otherwise: 8 samples a millisecond. Every
sample the agent says is made from its turn id, so that a frame tells whose it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from services.audio.pcm import TELEPHONE, AudioFormat
from services.call_gateway import line
from services.call_gateway.conversation import commands as cmd
from services.call_gateway.conversation import events as ev
from services.call_gateway.conversation.conversation import Conversation
from services.call_gateway.conversation.floor import Floor
from services.call_gateway.conversation.record import TurnRecord
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.prompts.book import PromptBook, PromptKind, RenderedPrompt
from services.call_gateway.sound.call_sound import CallSound
from services.call_gateway.stage_pace import StagePace

FRAME_MS = 20
START_S = 1000.0  # the wall's clock begins somewhere else than the call's
PROMPT_MS = 400
PROMPT_BYTE = 0xEE

Kind = TypeVar("Kind")


def prompt_book(prompt_ms: int = PROMPT_MS) -> PromptBook:
    """Every prompt in English, told apart by its words."""
    book = PromptBook()
    for kind in PromptKind:
        book.add(kind, "en", RenderedPrompt(f"prompt {kind.value}", bytes([PROMPT_BYTE]) * prompt_ms * 8))
    return book


@dataclass
class Call:
    """One call under test. Verbs act at the present moment and return the commands that came of it."""

    settings: ConversationSettings = field(default_factory=ConversationSettings)
    audio_format: AudioFormat = TELEPHONE
    prompts: PromptBook = field(default_factory=prompt_book)
    language_codes: tuple[str, ...] = ("en",)
    pace: StagePace | None = None
    has_fallback: bool = False

    def __post_init__(self) -> None:
        self.sound = CallSound(self.audio_format)
        self.conversation = Conversation(
            self.settings,
            language_codes=self.language_codes,
            audio_format=self.audio_format,
            prompts=self.prompts,
            is_echo=self.sound.is_echo,
            pace=self.pace,
            has_fallback=self.has_fallback,
        )
        self.ms = 0
        self.commands: list[cmd.Command] = []
        self.frames: list[tuple[int, bytes | None]] = []  # (when, what) of every pull
        self.is_clock_running = True  # the caller's media clock
        self.is_ear_alive = True
        self.utterance_id = 0
        self._watchers: list[Callable[[], None]] = []

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return START_S + self.ms / 1000

    def sample(self, ms: int | None = None) -> int:
        """A moment on the caller's clock."""
        return (self.ms if ms is None else ms) * self.audio_format.sample_rate_hertz // 1000

    def wait(self, ms: int) -> list[cmd.Command]:
        """Let time pass: frames are pulled, the caller's clock runs, timers fire when they are due."""
        since = len(self.commands)
        for _ in range(ms // FRAME_MS):
            if self.conversation.is_over:
                break
            self.ms += FRAME_MS
            self._fire_timers()
            if self.is_clock_running:
                self.tell(ev.CallerAdvanced(self.sample()))
                if self.is_ear_alive and self.ms % 500 == 0:
                    self.tell(ev.SttProgressed(self.sample()))
            self._pull()
        return self.commands[since:]

    def _fire_timers(self) -> None:
        deadline = self.conversation.next_deadline()
        if deadline is not None and deadline <= self.now:
            self._note(self.conversation.on_timer(now=self.now))

    def _pull(self) -> None:
        content, commands = self.conversation.next_frame(now=self.now)
        self.sound.on_sent(content)
        self.frames.append((self.ms, content))
        self._note(commands)

    def tell(self, event: ev.Event | line.CallerAudio) -> list[cmd.Command]:
        """One event, now, as a session passes it on."""
        commands: list[cmd.Command] = []
        for told in self._as_a_session_tells(event):
            commands += self._note(self.conversation.handle(told, now=self.now))
        return commands

    def _as_a_session_tells(self, event: ev.Event | line.CallerAudio) -> list[ev.Event]:
        match event:
            case line.CallerAudio(start_sample, content):
                _, found = self.sound.on_audio(event)
                end_sample = start_sample + len(content) // self.audio_format.bytes_per_sample
                return [ev.CallerAdvanced(end_sample), *found]
            case line.MediaIdle():
                return [event, self.sound.on_idle(event)]
            case ev.SpeechStopped(sample):
                return [replace(event, speech_end_sample=self.sound.speech_end(sample))]
            case ev.TurnPredicted():
                return [replace(event, speech_end_sample=self.sound.speech_end(event.end_sample))]
        return [event]

    def _note(self, commands: list[cmd.Command]) -> list[cmd.Command]:
        self.commands += commands
        return commands

    # -- the caller ----------------------------------------------------------------------------------------------------

    def answered(self) -> "Call":
        """Answer the call; the greeting is asked for."""
        self.tell(ev.CallAnswered())
        return self

    def greeted(self, text: str = "Hello there. ", ms: int = 400) -> "Call":
        """Answer and greet; the floor is the caller's."""
        self.answered()
        self.reply(1, text, ms=ms)
        self.wait(self.settings.greeting_delay_ms + ms + 2 * FRAME_MS)
        assert self.floor is Floor.LISTENING, self.floor
        self.forget()
        return self

    def begin_speech(self) -> list[cmd.Command]:
        return self.tell(ev.SpeechBegan(self.sample(), 0.9))

    def stop_speech(self) -> list[cmd.Command]:
        return self.tell(ev.SpeechStopped(self.sample(), 0.1))

    def draft(self, text: str, *, confidence: float | None = 0.9, start_ms: int | None = None) -> list[cmd.Command]:
        """The STT stage's text at a pause; it covers everything until now."""
        return self.text(ev.TextStage.DRAFT, text, confidence=confidence, start_ms=start_ms)

    def text(
        self,
        stage: ev.TextStage,
        text: str,
        *,
        confidence: float | None = 0.9,
        start_ms: int | None = None,
        end_ms: int | None = None,
        utterance_id: int | None = None,
        language_code: str = "",
    ) -> list[cmd.Command]:
        return self.tell(
            ev.TranscriptHeard(
                self.utterance_id if utterance_id is None else utterance_id,
                stage,
                text,
                self.sample(max(0, self.ms - 1000) if start_ms is None else start_ms),
                self.sample(end_ms),
                confidence,
                language_code,
            )
        )

    def predict(
        self, wait_ms: int = 256, reason: str = "COMPLETE", *, end_ms: int | None = None, probability: float = 0.9
    ) -> list[cmd.Command]:
        return self.tell(ev.TurnPredicted(self.utterance_id, self.sample(end_ms), probability, wait_ms, reason))

    def settle(self, text: str, *, is_ok: bool = True) -> list[cmd.Command]:
        """The STT stage's answer to the last EndUtterance."""
        end = self.last(cmd.EndUtterance)
        commands: list[cmd.Command] = []
        if is_ok:
            commands += self.tell(
                ev.TranscriptHeard(self.utterance_id, ev.TextStage.SETTLED, text, end.end_sample, end.end_sample)
            )
        commands += self.tell(ev.UtteranceSettled(self.utterance_id, end.end_sample, is_ok))
        return commands

    def say(self, text: str, *, speech_ms: int = 600, with_draft: bool = True) -> list[cmd.Command]:
        """A whole utterance as the STT stage tells it, up to the moment before its end is decided."""
        since = len(self.commands)
        self.utterance_id += 1
        self.begin_speech()
        self.wait(speech_ms)
        end_ms = self.ms
        self.stop_speech()
        self.wait(100)
        if with_draft:
            self.text(ev.TextStage.DRAFT, text, start_ms=end_ms - speech_ms, end_ms=end_ms)
        self.predict(end_ms=end_ms)
        return self.commands[since:]

    def ask(self, text: str) -> int:
        """A whole turn: said, ended, settled. Returns its id."""
        self.say(text)
        self.wait(260)
        self.settle(text)
        assert self.floor in (Floor.THINKING, Floor.SPEAKING), self.floor
        return self.conversation.turn_id

    # -- the agent -----------------------------------------------------------------------------------------------------

    def clause(self, turn_id: int, text: str, *, is_interruptible: bool = True) -> list[cmd.Command]:
        return self.tell(ev.ReplyClause(turn_id, text, "en", is_interruptible, ev.Timing(1000, 2000, 4000)))

    def end_reply(self, turn_id: int, outcome: ev.Outcome = ev.Outcome.COMPLETED, **why: object) -> list[cmd.Command]:
        return self.tell(ev.ReplyEnded(turn_id, outcome, **why))  # type: ignore[arg-type]

    def voice(self, turn_id: int, ms: int, *, start_ms: int = 0) -> list[cmd.Command]:
        """Sound of a turn."""
        content = bytes([turn_id % 200]) * (self.sample(ms) * self.audio_format.bytes_per_sample)
        return self.tell(ev.VoiceAudio(turn_id, self.sample(start_ms), content, ev.Timing(1000, 2000, 4000)))

    def mark(self, turn_id: int, offset: int, ms: int) -> list[cmd.Command]:
        return self.tell(ev.VoiceMark(turn_id, offset, self.sample(ms), True))

    def end_voice(self, turn_id: int, outcome: ev.Outcome = ev.Outcome.COMPLETED, **why: object) -> list[cmd.Command]:
        return self.tell(ev.VoiceEnded(turn_id, outcome, **why))  # type: ignore[arg-type]

    def reply(self, turn_id: int, text: str, *, ms: int) -> list[cmd.Command]:
        """A whole answer, at once: its words lie evenly in its sound."""
        since = len(self.commands)
        self.clause(turn_id, text)
        self.end_reply(turn_id)
        self.mark(turn_id, len(text), ms)
        self.voice(turn_id, ms)
        self.end_voice(turn_id)
        return self.commands[since:]

    def speaking(self, text: str = "one two three four. ", ms: int = 2000) -> int:
        """A turn that is asked and whose answer is being heard since 100 ms. Returns its id."""
        turn_id = self.ask("a question")
        self.reply(turn_id, text, ms=ms)
        self.wait(100)
        assert self.floor is Floor.SPEAKING, self.floor
        self.forget()
        return turn_id

    # -- what came of it -----------------------------------------------------------------------------------------------

    @property
    def floor(self) -> Floor:
        return self.conversation.floor

    def forget(self) -> None:
        """Look only at what comes from here on."""
        self.commands.clear()
        self.frames.clear()

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [command for command in self.commands if isinstance(command, kind)]

    def last(self, kind: type[Kind]) -> Kind:
        found = self.all(kind)
        assert found, f"no {kind.__name__} in {[type(command).__name__ for command in self.commands]}"
        return found[-1]

    def heard_bytes(self) -> set[int]:
        """The voices that were on the line: turn ids, or PROMPT_BYTE. The padding of a last frame is left out."""
        return {content[0] for _, content in self.frames if content is not None}

    def record(self, turn_id: int) -> TurnRecord:
        return next(news.record for news in self.all(cmd.TurnFinished) if news.record.turn_id == turn_id)


def news_left_out(commands: list[cmd.Command]) -> list[cmd.Command]:
    """The commands that do something."""
    return [
        command
        for command in commands
        if not isinstance(command, cmd.FloorMoved | cmd.CallerHeard | cmd.TurnFinished | cmd.StageTroubled)
    ]


__all__ = ["FRAME_MS", "PROMPT_BYTE", "PROMPT_MS", "Call", "line", "news_left_out", "prompt_book"]
