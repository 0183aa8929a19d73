"""Lines that return what they are sent, for the tests of echoes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from services.audio.pcm import TELEPHONE, decode, encode
from services.call_gateway import line
from services.call_gateway.sound.echo import EchoGuard
from services.call_gateway.sound.track import Track
from tests.load.clips import Clip, load_clips
from tests.load.line_echo import Signal
from tests.unit.call_gateway.conversation.line_sound import FRAME

LEVEL = 3000.0  # root mean square of a voice: -21 dBFS


NOISE = 18.0  # of the line: -65 dBFS


def rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal**2)))


@cache
def voices() -> tuple[tuple[Clip, Signal], ...]:
    """Whole sentences without much noise, each at the same level, from the first word to the last."""
    found = []
    for clip in load_clips():
        if clip.kind in ("plain", "pause", "interruption"):
            samples = decode(TELEPHONE, b"".join(clip.frames)).astype(np.float64)
            speech = samples[clip.speech_start_sample : clip.speech_end_sample]
            found.append((clip, speech * LEVEL / rms(speech)))
    return tuple(found)


def agent_speech(chance: np.random.Generator, seconds: float, *, but: Clip | None = None) -> Signal:
    """Sentences with short pauses between them, none of them the caller's."""
    parts: list[Signal] = []
    while sum(map(len, parts)) < seconds * 8000:
        clip, speech = voices()[chance.integers(len(voices()))]
        if but is None or clip.text != but.text:
            parts += [speech, np.zeros(chance.integers(800, 3200))]
    return on_the_wire(np.concatenate(parts)[: int(seconds * 8000) // FRAME * FRAME])


def on_the_wire(signal: Signal) -> Signal:
    """The signal as G.711 leaves it."""
    return decode(TELEPHONE, wire(signal)).astype(np.float64)


def wire(signal: Signal) -> bytes:
    return encode(TELEPHONE, np.clip(np.round(signal), -32768, 32767).astype(np.int16))


def frames(signal: Signal) -> list[bytes]:
    content = wire(signal)
    return [content[at : at + FRAME] for at in range(0, len(content) - FRAME + 1, FRAME)]


def noise(chance: np.random.Generator, n_samples: int) -> Signal:
    return chance.normal(0, NOISE, n_samples)


@dataclass
class Line:
    """Both directions of a call, up to a moment, and the guard that watches them."""

    sent: Signal
    heard: Signal
    guard: EchoGuard = field(init=False)
    at: int = 0
    ahead: int = 0  # frames that have left and whose place on the heard clock has not come yet

    def __post_init__(self) -> None:
        self._track = Track(TELEPHONE)
        self._left = 0
        self.guard = EchoGuard(self._track)

    def is_echo(self, began: int, *, told_after_ms: int = 80) -> bool:
        """The guard's judgement of speech that began there, once the guard is told."""
        now = min((began + told_after_ms * 8) // FRAME * FRAME + FRAME, len(self.sent) // FRAME * FRAME)
        for index, back in enumerate(frames(self.heard[self.at : now])):
            self._track.add_received(line.CallerAudio(self.at + index * FRAME, back))
        self.at = now
        until = min(len(self.sent) // FRAME * FRAME, max(self._left, now + self.ahead * FRAME))
        for out in frames(self.sent[self._left : until]):
            self._track.add_sent(out)
        self._left = until
        return self.guard.is_echo(began, now)


def rises(signal: Signal, *, after: int = 4000) -> Iterator[int]:
    """The samples at which a listener would say that speech begins: louder than in the 60 ms before."""
    powers = (signal[: len(signal) // 80 * 80].reshape(-1, 80) ** 2).mean(1)
    loud = powers.max() / 100
    last = 0
    for place in range(after // 80, len(powers) - 12):
        is_rise = powers[place : place + 8].mean() > loud and powers[place - 6 : place].mean() < 0.3 * loud
        if is_rise and place - last > 20:
            last = place
            yield place * 80


def from_first_sound(speech: Signal) -> Signal:
    powers = (speech[: len(speech) // 80 * 80].reshape(-1, 80) ** 2).mean(1)
    return speech[int((powers > powers.max() / 100).argmax()) * 80 :]


def share(verdicts: list[bool]) -> float:
    assert len(verdicts) >= 20, "too few to tell"
    return sum(verdicts) / len(verdicts)
