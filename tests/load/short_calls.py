"""Short answers in whole calls, with the agent's voice coming back: `python -m tests.load.short_calls`.

The lone answers of `tests.load.hearing.short_answers` are spoken through the gateway in real time, one behind another
in calls at four levels. The agent speaks with espeak-ng's voice, and the line returns it, delayed and fainter. One half
of the answers begins 0 to 300 ms after the agent has stopped, the other half while it speaks. Engine `script`: what
counts is that something was heard, not which word. After the agent an answer is heard when it becomes a turn or text of
the caller; during its speech also when the agent yields for a moment. False are words where the caller was silent.
"""

import argparse
import asyncio
import random
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from services.audio.g711 import decode_mulaw, encode_mulaw
from tests.integration.program_caller import FRAME_SAMPLES, ProgramCaller
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.load.hearing.__main__ import machine
from tests.load.hearing.recordings import Spoken
from tests.load.hearing.short_answers import short_answers

RATE = 8000
PEAKS_DBFS = (-6.0, -20.0, -33.0, -45.0)
ECHO_DELAY_SAMPLES = 640  # 80 ms: a mobile network and a hybrid
FLOOR_LIMIT_S = 25.0
HEARD_LIMIT_S = 4.0
PER_CALL = 17  # answers
LISTENING, SPEAKING = record_pb2.FLOOR_LISTENING, record_pb2.FLOOR_SPEAKING


class EchoingCaller(ProgramCaller):
    """A caller on whose line the agent's voice returns."""

    def __init__(self, echo_db: float | None) -> None:
        super().__init__()
        self._factor = 0.0 if echo_db is None else 10 ** (echo_db / 20)
        self._echo: dict[int, np.ndarray] = {}  # by the frame it is sent in

    async def _take_in(self, response: call_pb2.ConnectCallResponse) -> None:
        if response.WhichOneof("response") == "audio" and self._factor:
            at = response.audio.start_sample + ECHO_DELAY_SAMPLES
            sound = decode_mulaw(response.audio.content) * self._factor
            for offset in range(0, len(sound), FRAME_SAMPLES):
                self._echo[(at + offset) // FRAME_SAMPLES] = sound[offset : offset + FRAME_SAMPLES]
        await super()._take_in(response)

    def sent(self, content: bytes, start_sample: int) -> bytes:
        echo = self._echo.pop(start_sample // FRAME_SAMPLES, None)
        if echo is None:
            return content
        mixed = decode_mulaw(content).astype(np.float64)
        mixed[: len(echo)] += echo
        return encode_mulaw(np.clip(np.round(mixed), -32768, 32767).astype(np.int16))

    async def speak(self, sound: np.ndarray) -> None:
        """Say a sound; returns when its last frame has left."""
        content = encode_mulaw(np.pad(sound, (0, -len(sound) % FRAME_SAMPLES)))
        self._frames += [(content[at : at + FRAME_SAMPLES], False, False) for at in range(0, len(content), 160)]
        while self._frames:
            await asyncio.sleep(0.02)

    def floor(self) -> int:
        changes = [one.floor_change for one in self.events if one.WhichOneof("event") == "floor_change"]
        return changes[-1].to if changes else LISTENING

    def words(self) -> int:
        """In how many utterances the caller was put into words so far."""
        texts = [one.caller_text for one in self.events if one.WhichOneof("event") == "caller_text"]
        return len({text.utterance_id for text in texts if text.text})

    def yields(self) -> int:
        """Return how often the agent stopped for them."""
        causes = ("caller_sounded", "caller_insisted")
        return sum(
            one.WhichOneof("event") == "floor_change" and one.floor_change.cause in causes for one in self.events
        )


@dataclass(slots=True)
class Tally:
    """The results of the answers at one level."""

    heard: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    said: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    n_false: int = 0
    missed: list[str] = field(default_factory=list)


def at_peak(spoken: Spoken, dbfs: float) -> np.ndarray:
    scaled: np.ndarray = (spoken.sound * (32768 * 10 ** (dbfs / 20) / np.abs(spoken.sound).max())).astype(np.int16)
    return scaled


async def until(is_so: Any, limit_s: float) -> bool:
    """Return whether it became so in time."""
    try:
        async with asyncio.timeout(limit_s):
            while not is_so():
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True


async def converse(
    stack: ScriptedStack,
    answers: list[Spoken],
    dbfs: float,
    tally: Tally,
    chance: random.Random,
    *,
    echo_db: float | None,
) -> None:
    """One call: each answer once, in turn after the agent's words and during them."""
    caller = EchoingCaller(echo_db)
    async with AsyncExitStack() as closing:
        channel = await closing.enter_async_context(grpc.aio.insecure_channel(stack.gateway))
        call = call_pb2_grpc.CallGatewayServiceStub(channel).ConnectCall()
        caller._requests.put_nowait(call_pb2.ConnectCallRequest(config=call_pb2.CallConfig()))
        tasks = await closing.enter_async_context(asyncio.TaskGroup())
        running = tasks.create_task(caller.run(call))
        for number, answer in enumerate(answers):
            is_during = bool(number % 2)
            silent_words = caller.words()
            if not await until(lambda: caller.floor() == SPEAKING, FLOOR_LIMIT_S):
                tally.missed.append(f"the agent did not speak before {answer.name}")
                continue
            if is_during:
                await asyncio.sleep(chance.uniform(0.5, 1.2))
            else:
                await until(lambda: caller.floor() == LISTENING, FLOOR_LIMIT_S)
                await asyncio.sleep(chance.uniform(0.0, 0.3))
            tally.n_false += caller.words() - silent_words
            words, yields = caller.words(), caller.yields()
            await caller.speak(at_peak(answer, dbfs))
            is_heard = await until(
                lambda words=words, yields=yields, is_during=is_during: (
                    caller.words() > words or (is_during and caller.yields() > yields)
                ),
                HEARD_LIMIT_S,
            )
            tally.said[is_during] += 1
            tally.heard[is_during] += is_heard
            if not is_heard:
                tally.missed.append(f"{answer.name} at {dbfs} dBFS, {'during' if is_during else 'after'}")
                caller.press("1#")  # so that the agent speaks again; loud speech would change the level for the next
            await asyncio.sleep(1.5)  # its turn comes to its end
        caller.hang_up()
        await asyncio.wait([running], timeout=5)
        call.cancel()


async def measure(asked: argparse.Namespace) -> None:
    """All answers at all levels, the levels at once."""
    answers = await short_answers()
    if asked.most:
        answers = answers[:: max(1, len(answers) // asked.most)]
    settings = {"tts": {"TTS_ENGINES": "*=espeak"}}
    echo_db = None if asked.echo == "none" else float(asked.echo)
    with tempfile.TemporaryDirectory() as folder:
        says = ["Say sure, please."] * 2000
        stack = await asyncio.to_thread(
            lambda: (context := scripted_stack(Path(folder), says, settings), context.__enter__())
        )
        try:
            tallies = {dbfs: Tally() for dbfs in PEAKS_DBFS}

            async def level(dbfs: float) -> None:
                chance = random.Random(int(-dbfs))
                for at in range(0, len(answers), PER_CALL):
                    await converse(stack[1], answers[at : at + PER_CALL], dbfs, tallies[dbfs], chance, echo_db=echo_db)

            async with asyncio.TaskGroup() as tasks:
                for dbfs in PEAKS_DBFS:
                    tasks.create_task(level(dbfs))
        finally:
            await asyncio.to_thread(stack[0].__exit__, None, None, None)
    print(f"machine: {machine()}; {len(answers)} answers a level, echo {asked.echo} dB after 80 ms")
    print("| loudest sample | after the agent | while it speaks | false |\n|---|---:|---:|---:|")
    for dbfs, tally in tallies.items():
        cells = [f"{tally.heard[is_during]} of {tally.said[is_during]}" for is_during in (False, True)]
        print(f"| {dbfs:g} dBFS | {cells[0]} | {cells[1]} | {tally.n_false} |")
    for tally in tallies.values():
        for line in tally.missed:
            print(f"    missed: {line}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.short_calls", description=__doc__)
    parser.add_argument("--echo", default="-25", help="dB of the agent's voice that returns, or none")
    parser.add_argument("--most", type=int, default=0, help="answers a level; 0: all")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
