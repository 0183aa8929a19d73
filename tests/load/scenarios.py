"""The scenarios of the callers in a benchmark, and the measurements at the socket."""

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.load.caller import Caller
from tests.load.clips import Clip

ANSWER_LIMIT_S = 5.0
REPLY_LIMIT_S = 20.0
LONG_REPLY_LIMIT_S = 60.0
GREETING_LIMIT_S = 10.0
UNASKED_LIMIT_S = 2.5
"""An echo taken for a question would have its answer by then."""


@dataclass(slots=True)
class Measured:
    """The measurements of one caller; times in seconds, a missed turn is infinite."""

    turn_s: list[float] = field(default_factory=list)
    barge_in_s: list[float] = field(default_factory=list)
    cut_offs: int = 0  # the agent spoke before the caller had finished
    utterances: int = 0
    resumed: int = 0  # the agent went on after a sound that was no interruption
    disturbances: int = 0
    unasked: int = 0  # times the agent spoke though the caller had said nothing

    def add(self, other: "Measured") -> None:
        """Take another caller's figures in."""
        self.turn_s += other.turn_s
        self.barge_in_s += other.barge_in_s
        self.cut_offs += other.cut_offs
        self.utterances += other.utterances
        self.resumed += other.resumed
        self.disturbances += other.disturbances
        self.unasked += other.unasked


async def _ask(caller: Caller, clip: Clip, measured: Measured) -> bool:
    """Say a clip and time the answer. False when the call is over or the agent cut the caller off."""
    began_s, ended_s = await caller.say(clip)
    measured.utterances += 1
    early = caller.first_sound_after(began_s)
    if early is not None and early.arrived_s < ended_s:
        measured.cut_offs += 1
        await caller.wait_for_quiet(REPLY_LIMIT_S)
        return not caller.has_ended
    answer = await caller.wait_for_answer(ended_s, ANSWER_LIMIT_S)
    measured.turn_s.append(math.inf if answer is None else answer.arrived_s - ended_s)
    return answer is not None


async def greet(caller: Caller) -> None:
    """Wait until the greeting has been heard to its end."""
    await caller.wait_for_answer(0.0, GREETING_LIMIT_S)
    await caller.wait_for_quiet(REPLY_LIMIT_S)


async def plain_turns(caller: Caller, clips: Sequence[Clip], turns: int, chance: random.Random) -> Measured:
    """Ask, hear the answer to its end, wait a moment of random length, ask again. Clips come in order."""
    measured = Measured()
    for _ in range(turns):
        await caller.wait(chance.uniform(0.0, 0.5))
        await _ask(caller, clips[caller.n_asked % len(clips)], measured)
        caller.n_asked += 1
        await caller.wait_for_quiet(REPLY_LIMIT_S)
        if caller.has_ended:
            break
    return measured


async def _disturb(caller: Caller, question: Clip, sound: Clip, chance: random.Random) -> float | None:
    """Ask, then make a sound while the agent answers; when its first speech sample left. None: no answer came."""
    if not await _ask(caller, question, Measured()):
        return None
    await caller.wait(chance.uniform(0.5, 1.2))
    began_s, _ = await caller.say(sound)
    return began_s


async def barge_ins(
    caller: Caller, questions: Sequence[Clip], sounds: Sequence[Clip], turns: int, chance: random.Random
) -> Measured:
    """Interrupt the agent; from the first speech sample to its last audible one."""
    measured = Measured()
    for _ in range(turns):
        began_s = await _disturb(caller, chance.choice(questions), chance.choice(sounds), chance)
        await caller.wait(0.6)
        if began_s is None:
            measured.barge_in_s.append(math.inf)
        elif (silent_s := caller.last_sound_before_silence(began_s)) is not None:
            measured.barge_in_s.append(max(0.0, silent_s - began_s))
        await caller.wait_for_quiet(REPLY_LIMIT_S, quiet_s=1.0)
        if caller.has_ended:
            break
    return measured


async def disturbances(
    caller: Caller, questions: Sequence[Clip], sounds: Sequence[Clip], turns: int, chance: random.Random
) -> Measured:
    """Cough or agree while the agent speaks: it should go on within a second and a half."""
    measured = Measured()
    for _ in range(turns):
        began_s = await _disturb(caller, chance.choice(questions), chance.choice(sounds), chance)
        await caller.wait(1.5)
        if began_s is not None:
            measured.disturbances += 1
            measured.resumed += caller.sounds[-1].arrived_s > began_s + 0.6
        await caller.wait_for_quiet(REPLY_LIMIT_S, quiet_s=1.0)
        if caller.has_ended:
            break
    return measured


async def echoed_turns(caller: Caller, clips: Sequence[Clip], turns: int, chance: random.Random) -> Measured:
    """Ask, and say nothing while the line returns the answer: nothing more must come of it."""
    measured = Measured()
    for _ in range(turns):
        await caller.wait(chance.uniform(0.0, 0.5))
        await _ask(caller, clips[caller.n_asked % len(clips)], measured)
        caller.n_asked += 1
        await caller.wait_for_quiet(LONG_REPLY_LIMIT_S, quiet_s=1.0)
        said_s = caller.sounds[-1].arrived_s if caller.sounds else 0.0
        await caller.wait(UNASKED_LIMIT_S)
        measured.unasked += caller.first_sound_after(said_s) is not None
        if caller.has_ended:
            break
    return measured


Play = Callable[[Caller, int, random.Random], Awaitable[Measured]]
"""A scenario with its clips bound: (caller, turns, chance) to what was measured."""
