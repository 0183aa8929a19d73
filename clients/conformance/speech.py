"""The responses of a TTS stream, grouped for assertions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from voice.type.v1.turn_pb2 import TurnEnd

from clients.conformance.streams import Stream, kind_of
from services.audio.pcm import AudioFormat, Encoding, Samples, decode

SAMPLE_RATE = 8000
TELEPHONE = AudioFormat(Encoding.MULAW, SAMPLE_RATE)
SENTENCE = "Good morning, this is the dental clinic. How can I help you today?"
LONG = "We are open from Monday to Friday, from eight in the morning until six in the evening. " * 3


@dataclass(frozen=True, slots=True)
class Spoken:
    """Everything one turn brought, in the order of its arrival."""

    responses: list[Any]

    @property
    def end(self) -> Any:
        """The turn's end; there must be exactly one, and it must be last."""
        ends = [number for number, one in enumerate(self.responses) if kind_of(one) == "turn_end"]
        assert ends == [len(self.responses) - 1]
        return self.responses[-1].turn_end

    @property
    def audio(self) -> list[Any]:
        """The turn's audio messages."""
        return [one.audio for one in self.responses if kind_of(one) == "audio"]

    @property
    def marks(self) -> list[Any]:
        """The turn's marks."""
        return [one.spoken_text for one in self.responses if kind_of(one) == "spoken_text"]

    def samples(self, audio_format: AudioFormat = TELEPHONE) -> Samples:
        """The turn's sound; it must be contiguous from 0."""
        pieces: list[Samples] = []
        next_sample = 0
        for message in self.audio:
            assert message.chunk.start_sample == next_sample
            pieces.append(decode(audio_format, message.chunk.content))
            next_sample += len(pieces[-1])
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int16)


def turn_of(response: Any) -> int | None:
    """The turn a response belongs to; None for those of the stream."""
    kind = kind_of(response)
    return getattr(response, kind).turn_id if kind in ("audio", "spoken_text", "turn_end") else None


async def say(stream: Stream, turn_id: int, *texts: str, is_whole: bool = True, **first: Any) -> None:
    """Send a turn's text in pieces. `first`: further fields of the first piece."""
    for number, text in enumerate(texts):
        await stream.send(text={"turn_id": turn_id, "text": text, **(first if number == 0 else {})})
    if is_whole:
        await stream.send(text_end={"turn_id": turn_id})


async def spoken(stream: Stream, turn_id: int, limit_s: float | None = None) -> Spoken:
    """Listen up to the end of a turn."""
    await stream.turn_end(turn_id, limit_s)
    return Spoken([one for one in stream.heard if turn_of(one) == turn_id])


async def speak(stream: Stream, turn_id: int, *texts: str, **first: Any) -> Spoken:
    """Say a whole turn and listen to its end."""
    await say(stream, turn_id, *texts, **first)
    return await spoken(stream, turn_id)


def completed(turn: Spoken) -> bool:
    """Return whether the turn was spoken to its end."""
    return bool(turn.end.outcome == TurnEnd.OUTCOME_COMPLETED)


def is_audio_of(turn_id: int) -> Callable[[Any], bool]:
    """A test for sound of one turn."""
    return lambda one: kind_of(one) == "audio" and one.audio.turn_id == turn_id
