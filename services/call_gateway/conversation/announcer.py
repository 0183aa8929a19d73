"""The gateway's own words: apologies, questions into the silence, goodbyes.

Each is a turn of its own with an id of its own, reported with its text, so that the agent learns what the caller heard.
"""

from services.audio.pcm import AudioFormat
from services.call_gateway.conversation.call_state import CallState
from services.call_gateway.conversation.commands import ReportPlayout
from services.call_gateway.conversation.events import PromptKind, VoiceAudio
from services.call_gateway.conversation.history import HeardTurn, History
from services.call_gateway.conversation.news import TurnFinished
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.prompts import PromptBook
from services.call_gateway.conversation.record import TurnNotes
from services.call_gateway.conversation.voice import Voice


class Announcer:
    """Says prompts before anything else that is on the air."""

    def __init__(
        self, state: CallState, *, playout: Playout, history: History, prompts: PromptBook, audio_format: AudioFormat
    ) -> None:
        self._state = state
        self._playout = playout
        self._history = history
        self._prompts = prompts
        self._format = audio_format
        self._voices: list[Voice] = []

    @property
    def is_speaking(self) -> bool:
        """Something is being said, or about to be."""
        return bool(self._voices)

    def say(self, kind: PromptKind) -> float:
        """Say it now. Returns how long it takes, in seconds; 0 when there is no such prompt."""
        prompt = self._prompts.find(kind, self._state.language_code)
        if prompt is None:
            self._state.counters["missing_prompts"] += 1
            return 0.0
        n_samples = len(prompt.content) // self._format.bytes_per_sample
        duration_ms = n_samples * 1000 // self._format.sample_rate_hertz
        voice = Voice(self._state.new_turn_id(), self._format, max_held_ms=duration_ms + 1)
        voice.write(prompt.text)
        voice.sound(VoiceAudio(voice.turn_id, 0, prompt.content[: n_samples * self._format.bytes_per_sample]))
        voice.complete()
        self._voices.append(voice)
        self._playout.air(voice, first=True)
        return duration_ms / 1000

    def finish(self, voice: Voice, *, outcome: str = "completed") -> bool:
        """Nothing more of these words will be heard. False when they are not the gateway's."""
        if voice not in self._voices:
            return False
        self._voices.remove(voice)
        self._playout.take_off(voice)
        heard = voice.text[: voice.offset_at(self._playout.played(voice))]
        if heard:
            self._state.command(ReportPlayout(voice.turn_id, len(heard), is_final=True, gateway_text=heard))
            self._history.add(HeardTurn(voice.turn_id, "", heard, is_gateway=True))
        record = TurnNotes().finished(voice.turn_id, outcome=outcome, heard_text=heard, is_gateway=True)
        self._state.command(TurnFinished(record))
        return True

    def hush(self) -> None:
        """Stop in mid-word."""
        for voice in tuple(self._voices):
            self.finish(voice, outcome="interrupted")
