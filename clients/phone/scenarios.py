"""The scenarios of turn-taking: interrupt, agree, hesitate, echo, put on hold."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clients.phone.booking import KEYS, NUMBER, WISH, Booked, answer_to, booked_in, is_told
from clients.phone.caller import Asked, Question, ask, hear_out, wait_until
from clients.phone.echo_path import EchoPath
from clients.phone.evidence import Remark, sounds_of
from clients.phone.line import CallerLine, HoldingLine
from clients.phone.recording import RATE_HERTZ, read_wav

_HERE: Final = Path(__file__).parent
_GREETING_LIMIT_S: Final = 10.0
_UNDER_WAY_S: Final = 1.2  # of sound, before the caller does anything to it
_UNDER_WAY_LIMIT_S: Final = 12.0
_SOUNDING_WINDOWS: Final = 3  # of 10 ms: the agent speaks now
_HOLD_S: Final = 3.0
_ECHO_GAIN_DB: Final = -12.0
_ECHO_DELAY_MS: Final = 120
_ANSWER_S: Final = 12.0
_MOST_ANSWERS: Final = 12  # of a caller who books
_IN_DIARY_S: Final = 3.0  # until what was told as booked can be read there


@dataclass(slots=True)
class ScenarioCaller:
    """A caller on a line, and what it did."""

    line: CallerLine
    language: str
    say: Callable[[str], None]
    has_agent_floor: Callable[[], bool]  # as the gateway tells
    asked: list[Asked] = field(default_factory=list)
    last_heard: Callable[[], str] = str  # what the agent said last, as the gateway tells
    diary: Path | None = None  # of the agent, where it is on this machine
    remarks: list[Remark] = field(default_factory=list)
    booked: list[Booked] = field(default_factory=list)  # what came into the diary in this call

    async def hear_greeting(self) -> None:
        await self._hear_out(from_s=0.0, limit_s=_GREETING_LIMIT_S)

    async def ask(self, name: str, file: Path) -> Asked:
        """Say a recording and wait until the answer begins."""
        self.say(f"asking {file.name}")
        from_s = self.line.said.length_s
        asked = await ask(self.line, Question(file, read_wav(file)))
        self.asked.append(asked)
        start_s = self.line.said.first_sound_s(from_s=from_s) or from_s
        sounds = tuple(
            sound for sound in sounds_of(self.line.said, from_s=from_s) if sound.start_s < asked.speech_end_s
        )
        self.remarks.append(Remark(name, start_s, asked.speech_end_s, sounds))
        return asked

    async def ask_question(self, n: int = 1) -> Asked:
        """One of the recorded questions; the first is answered at length."""
        return await self.ask(f"question {n}", _HERE / f"questions/{self.language}-{n}.wav")

    async def until_under_way(self, asked: Asked) -> bool:
        """Wait until the agent has spoken for a while and is speaking now. False: it said too little."""

        def is_speaking() -> bool:
            loud = self.line.heard.levels_dbfs(from_s=asked.answer_s or 0.0) > -40.0
            return loud.sum() * 0.010 >= _UNDER_WAY_S and bool(loud[-_SOUNDING_WINDOWS:].all())

        return asked.answer_s is not None and await wait_until(is_speaking, _UNDER_WAY_LIMIT_S)

    async def remark(self, name: str) -> None:
        """Say one of the recorded remarks, whoever speaks."""
        samples = read_wav(_HERE / f"remarks/{self.language}-{name}.wav")
        self.say(f"saying {self.language}-{name}.wav over the agent")
        from_s = self.line.said.length_s
        self.line.say(samples)
        await wait_until(lambda: self.line.is_over or not self.line.is_saying, len(samples) / RATE_HERTZ + 2.0)
        start_s = self.line.said.first_sound_s(from_s=from_s) or from_s
        end_s = self.line.said.last_sound_s(from_s=from_s) or self.line.now_s()
        self.remarks.append(Remark(name, start_s, end_s, sounds_of(self.line.said, from_s=from_s)))

    async def press(self, digits: str) -> None:
        """Press keys, one after the other."""
        self.say(f"pressing {digits}")
        await self.line.press(digits)

    async def hear_answer(self, *, from_s: float) -> None:
        """Wait until the agent has finished."""
        await self._hear_out(from_s=from_s, limit_s=_ANSWER_S)

    async def _hear_out(self, *, from_s: float, limit_s: float) -> None:
        await hear_out(self.line, from_s=from_s, limit_s=limit_s, has_agent_floor=self.has_agent_floor)


async def _barge_in(caller: ScenarioCaller) -> None:
    if await caller.until_under_way(await caller.ask_question()):
        await caller.remark("interruption")
        await caller.hear_answer(from_s=caller.line.now_s())


async def _backchannel(caller: ScenarioCaller) -> None:
    asked = await caller.ask_question()
    if await caller.until_under_way(asked):
        await caller.remark("backchannel")
        await asyncio.sleep(1.0)  # the longest pause of an agent in doubt
        await caller.hear_answer(from_s=asked.speech_end_s)


async def _pause(caller: ScenarioCaller) -> None:
    asked = await caller.ask("pause", _HERE / f"remarks/{caller.language}-pause.wav")
    await caller.hear_answer(from_s=asked.speech_end_s)


async def _echo(caller: ScenarioCaller) -> None:
    for n in (1, 2):
        asked = await caller.ask_question(n)
        await caller.hear_answer(from_s=asked.speech_end_s)


async def _hold(caller: ScenarioCaller) -> None:
    asked = await caller.ask_question()
    if not isinstance(caller.line, HoldingLine) or not await caller.until_under_way(asked):
        return
    caller.say(f"putting the call on hold for {_HOLD_S:g} s")
    start_s = caller.line.now_s()
    await caller.line.hold()
    await asyncio.sleep(_HOLD_S)
    await caller.line.resume()
    end_s = caller.line.now_s()
    caller.remarks.append(Remark("hold", start_s, end_s))
    caller.say("taking it back")
    await caller.hear_answer(from_s=end_s)


async def _booking(caller: ScenarioCaller) -> None:
    """Ask for an appointment and answer what is asked, until it is told as booked."""
    diary = caller.diary or Path()
    before = booked_in(diary)
    name, n_numbers = WISH, 0
    for _ in range(_MOST_ANSWERS):
        n_numbers += name == NUMBER
        if name == NUMBER and n_numbers > 1:  # it was not understood
            from_s = caller.line.now_s()
            await caller.press(KEYS)
        else:
            asked = await caller.ask(name, _HERE / f"remarks/{caller.language}-{name}.wav")
            from_s = asked.speech_end_s
        await caller.hear_answer(from_s=from_s)
        await asyncio.sleep(0.3)  # the record of the turn
        if is_told(caller.last_heard(), caller.language) or caller.line.is_over:
            break
        name = answer_to(caller.last_heard(), caller.language) or name
    await wait_until(lambda: booked_in(diary) != before, _IN_DIARY_S)
    caller.booked += [each for each in booked_in(diary) if each not in before]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: its steps, and the check of what was seen."""

    about: str
    play: Callable[[ScenarioCaller], Awaitable[None]]
    has_echo: bool = False
    needs_phone: bool = False  # a program's line cannot do it


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "barge-in": Scenario("the caller interrupts: the agent stops and answers that", _barge_in),
    "backchannel": Scenario('the caller says "uh-huh" over the agent, who goes on', _backchannel),
    "pause": Scenario("the caller pauses in mid-sentence, and the agent waits", _pause),
    "echo": Scenario(
        f"the line returns the agent's voice ({_ECHO_GAIN_DB:g} dB, {_ECHO_DELAY_MS} ms)", _echo, has_echo=True
    ),
    "echo-barge-in": Scenario("the same line, and the caller interrupts: that is no echo", _barge_in, has_echo=True),
    "booking": Scenario("the caller books an appointment, and the diary has it afterwards, once", _booking),
    "hold": Scenario("the caller puts the call on hold in mid-answer", _hold, needs_phone=True),
}


async def play(name: str, caller: ScenarioCaller) -> None:
    """From the greeting to the hang-up."""
    scenario = SCENARIOS[name]
    caller.say(f"{name}: {scenario.about}")
    if scenario.has_echo:
        caller.line.echo_through(EchoPath(gain_db=_ECHO_GAIN_DB, delay_ms=_ECHO_DELAY_MS))
    await caller.hear_greeting()
    await scenario.play(caller)
    await asyncio.sleep(0.3)  # the record of the last turn
    caller.say("hanging up")
    await caller.line.hang_up()
