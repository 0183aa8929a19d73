"""A caller who waits their turn: listens until the agent has finished, speaks, and listens again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients.phone.line import CallerLine
from services.audio.pcm import Samples

_SPEECH_DBFS: Final = -40.0
_FINISHED_AFTER_S: Final = 1.5
_GREETING_LIMIT_S: Final = 10.0
_ANSWER_LIMIT_S: Final = 12.0
_LONGEST_ANSWER_S: Final = 40.0
_GOODBYE_LIMIT_S: Final = 8.0
_LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Question:
    """A recorded question of the caller's."""

    file: Path
    samples: Samples  # 8 kHz


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and its answer. Seconds since the call was answered, by the phone's own recordings."""

    name: str
    speech_end_s: float  # the last sample of the question above -40 dBFS
    answer_s: float | None  # the first sample of the answer above -40 dBFS; None when there was none

    @property
    def latency_ms(self) -> float | None:
        return None if self.answer_s is None else (self.answer_s - self.speech_end_s) * 1000


def nobody_tells() -> bool:
    """Report that the floor is not known: silence must do."""
    return False


async def converse(
    line: CallerLine,
    questions: list[Question],
    say: Callable[[str], None],
    *,
    has_agent_floor: Callable[[], bool] = nobody_tells,
) -> list[Asked]:
    """Ask everything, then let the agent hang up, or do it. Ends early when the agent hangs up."""
    say("connected; waiting for the greeting")
    await hear_out(line, from_s=0.0, limit_s=_GREETING_LIMIT_S, has_agent_floor=has_agent_floor)
    asked = []
    for question in questions:
        if line.is_over:
            break
        say(f"asking {question.file.name}")
        asked.append(await ask(line, question))
        latency_ms = asked[-1].latency_ms
        say("no answer" if latency_ms is None else f"answered after {latency_ms:.0f} ms on the wire")
        await hear_out(line, from_s=asked[-1].speech_end_s, limit_s=_LOOK_EVERY_S, has_agent_floor=has_agent_floor)
    if not await wait_until(lambda: line.is_over, _GOODBYE_LIMIT_S):
        say("the agent stays; hanging up")
        await line.hang_up()
    else:
        say("the agent hung up")
    return asked


async def ask(line: CallerLine, question: Question) -> Asked:
    """Say it, and wait until the answer begins or none comes."""
    from_s = line.said.length_s
    line.say(question.samples)
    await wait_until(lambda: line.is_over or not line.is_saying, len(question.samples) / 8000 + 2.0)
    end_s = line.said.last_sound_s(from_s=from_s) or line.now_s()
    await wait_until(
        lambda: line.is_over or line.heard.first_onset_s(from_s=end_s, above_dbfs=_SPEECH_DBFS) is not None,
        _ANSWER_LIMIT_S,
    )
    return Asked(question.file.name, end_s, line.heard.first_onset_s(from_s=end_s, above_dbfs=_SPEECH_DBFS))


async def hear_out(
    line: CallerLine, *, from_s: float, limit_s: float, has_agent_floor: Callable[[], bool] = nobody_tells
) -> None:
    """Wait until the agent has spoken and been silent for a while; `limit_s` is how long it may take to begin. A slow
    model makes longer pauses between clauses than a person: silence while the agent has the floor is no end.
    """
    if not await wait_until(lambda: line.is_over or line.heard.first_sound_s(from_s=from_s) is not None, limit_s):
        return

    def has_finished() -> bool:
        last_s = line.heard.last_sound_s(from_s=from_s)
        is_silent = last_s is not None and line.now_s() - last_s > _FINISHED_AFTER_S
        return line.is_over or (is_silent and not has_agent_floor())

    await wait_until(has_finished, _LONGEST_ANSWER_S)


async def wait_until(is_so: Callable[[], bool], limit_s: float) -> bool:
    """Return whether it came to be within the limit."""
    deadline_s = asyncio.get_running_loop().time() + limit_s
    while not is_so():
        if asyncio.get_running_loop().time() > deadline_s:
            return False
        await asyncio.sleep(_LOOK_EVERY_S)
    return True
