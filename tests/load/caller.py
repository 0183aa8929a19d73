"""A caller who speaks clips, listens, and remembers when the agent was heard."""

import asyncio
import time
from dataclasses import dataclass, field

from tests.load.clips import Clip
from tests.load.line_echo import LineEcho
from tests.load.stand_in_pbx import Line
from tests.load.wire import FRAME_S, SILENT_FRAME, HeardFrame

QUIET_S = 0.4
"""The agent is taken to have finished when nothing was audible for this long."""
PAUSE_S = 0.2
"""Silence inside the agent's speech that counts as having stopped."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A moment at which the agent was audible."""

    arrived_s: float
    frame: HeardFrame


@dataclass(slots=True)
class Caller:
    """Sends a frame every 20 ms from a phase of its own, whatever else it does; reads what came since the last."""

    line: Line
    phase_s: float
    echo: LineEcho | None = None  # of a line that returns what it is sent
    n_asked: int = 0  # clips said so far, for scenarios that say them in order
    sounds: list[Sound] = field(default_factory=list)
    _due_s: float = 0.0

    def __post_init__(self) -> None:
        self._due_s = time.time() + self.phase_s

    @property
    def has_ended(self) -> bool:
        return self.line.ended.is_set()

    async def frame(self, payload: bytes | None = None) -> float:
        """Send one frame when it is due; the time it left."""
        self._due_s += FRAME_S
        await asyncio.sleep(max(0.0, self._due_s - time.time()))
        if self.echo is not None:
            payload = self.echo.mix(payload or SILENT_FRAME)
        left_s = self.line.wire.send(payload, due_s=self._due_s)
        for heard in self.line.wire.receive():
            if self.echo is not None:
                self.echo.receive(heard.sequence, heard.payload)
            if heard.is_audible:
                self.sounds.append(Sound(heard.arrived_s, heard))
        return left_s

    async def wait(self, seconds: float) -> None:
        """Stay silent."""
        for _ in range(round(seconds / FRAME_S)):
            await self.frame()

    async def say(self, clip: Clip) -> tuple[float, float]:
        """Speak the clip to its last word; when the first and the last speech sample left."""
        began_s = ended_s = 0.0
        for index, payload in enumerate(clip.frames[: clip.end_frame + 1]):
            ended_s = await self.frame(payload)
            if index == clip.start_frame:
                began_s = ended_s
        return began_s, ended_s

    async def tail(self, clip: Clip) -> None:
        """Send what follows the last word: the room, not speech."""
        for payload in clip.frames[clip.end_frame + 1 :]:
            await self.frame(payload)

    def first_sound_after(self, moment_s: float) -> Sound | None:
        """The first audible packet that arrived later than a moment."""
        for sound in reversed(self.sounds):
            if sound.arrived_s <= moment_s:
                break
        else:
            return self.sounds[0] if self.sounds else None
        index = self.sounds.index(sound)
        return self.sounds[index + 1] if index + 1 < len(self.sounds) else None

    def last_sound_before_silence(self, moment_s: float) -> float | None:
        """Return when the agent, heard around a moment, was last audible before its silence. None: not heard since."""
        last_s = None
        for sound in self.sounds:
            if sound.arrived_s < moment_s - PAUSE_S:
                continue
            if last_s is not None and sound.arrived_s - last_s > PAUSE_S:
                break
            last_s = sound.arrived_s
        return last_s

    async def wait_for_answer(self, since_s: float, limit_s: float) -> Sound | None:
        """Listen in silence until the agent is heard; None when it is not within the limit."""
        while (sound := self.first_sound_after(since_s)) is None:
            if self.has_ended or time.time() - since_s > limit_s:
                return None
            await self.frame()
        return sound

    async def wait_for_quiet(self, limit_s: float, quiet_s: float = QUIET_S) -> bool:
        """Listen until the agent has said nothing for a while; False when it goes on beyond the limit."""
        begun_s = time.time()
        while time.time() - begun_s < limit_s:
            if self.has_ended:
                return True
            last_s = self.sounds[-1].arrived_s if self.sounds else begun_s
            if time.time() - max(last_s, begun_s) > quiet_s:
                return True
            await self.frame()
        return False
