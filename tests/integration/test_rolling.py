"""A stage of two replicas is replaced, one after the other, while calls go on: no turn is lost."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from voice.call.v1 import record_pb2

from tests.conformance.servers import CALL, ENGINES, SCRIPTED, Server, running, spawn, stop, wait_until_serving
from tests.integration.program_caller import ProgramCaller, calling
from tests.integration.scripted_stack import STAGES
from tests.integration.waiting import until
from tests.load.clips import load_clips

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(420)]  # a minute on an idle machine

N_CALLS = 3
N_QUESTIONS = 10
DRAIN_S = 15
TURN_LIMIT_S = 60  # of one question and its answer, on a machine that is shared by many
HERE = Path(__file__).parent
SETTINGS = {
    "stt": {"STT_SCRIPT_TEXTS": "\\n".join(["Say sure, please."] * 40)},
    "nlu": {
        "NLU_AGENTS_DIR": str(HERE / "agents"),
        "NLU_DEFAULT_AGENT": "quick",
        "NLU_SCRIPT_FILE": str(HERE / "replies.toml"),
    },
    "tts": {"TTS_TONE_MS_PER_CHAR": "10"},
}


async def roll(
    replicas: list[Server], settings: dict[str, str], stack: ExitStack, folder: Path, callers: list[ProgramCaller]
) -> None:
    """Each in turn is told to stop, ends in good order, and a new process takes its place; the next is told
    once every caller has been answered again.
    """
    for number, old in enumerate(replicas):
        old.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(old.process.wait, DRAIN_S + 10) == 0
        log_file = folder / f"new-{number}.log"
        _, process = spawn(old.stage, settings, log_file, port=int(old.target.rpartition(":")[2]))
        stack.callback(stop, process)
        await asyncio.to_thread(wait_until_serving, Server(old.stage, old.engine, old.target, process, log_file))
        await all_answered(callers)


async def all_answered(callers: list[ProgramCaller]) -> None:
    """Wait until each call has one more turn."""
    before = [len(caller.turns(by_gateway=False)) for caller in callers]
    for caller, n_turns in zip(callers, before, strict=True):
        await caller.until(lambda caller, n=n_turns: len(caller.turns(by_gateway=False)) > n, TURN_LIMIT_S)


async def talk(caller: ProgramCaller, is_over: asyncio.Event) -> int:
    """Ask, hear the answer, ask again, until the replicas are replaced; returns how many questions were asked."""
    clip = next(clip for clip in load_clips() if clip.kind == "plain")
    await caller.until(lambda caller: caller.turns(by_gateway=False), TURN_LIMIT_S)
    n_asked = 0
    while not is_over.is_set() or n_asked < N_QUESTIONS:
        await caller.say(clip)
        n_asked += 1
        await caller.until(lambda caller, n=n_asked: len(caller.turns(by_gateway=False)) > n, TURN_LIMIT_S)
    return n_asked


@pytest.mark.parametrize("name", ["stt", "nlu", "tts"])
async def test_a_stage_rolled_under_calls_loses_no_turn(tmp_path: Path, name: str) -> None:
    drain = {"TONG_DAI_DRAIN_S": str(DRAIN_S)}
    with ExitStack() as stack:

        def start(stage: str, number: int = 0) -> Server:
            folder = tmp_path / f"{stage}-{number}"
            settings = drain | SETTINGS[stage]
            return stack.enter_context(running(STAGES[stage], SCRIPTED[stage], folder, settings=settings))

        replicas = [start(name, number) for number in range(2)]
        others = tuple(start(other) for other in SETTINGS if other != name)
        target = {f"GATEWAY_{name.upper()}_TARGET": "ipv4:" + ",".join(each.target for each in replicas)}
        gateway = stack.enter_context(running(CALL, "script", tmp_path, settings=target, backing=others))
        is_over = asyncio.Event()
        callers: list[ProgramCaller] = []

        async def one_call() -> tuple[int, ProgramCaller]:
            async with calling(gateway.target) as caller:
                callers.append(caller)
                return await talk(caller, is_over), caller

        async with asyncio.timeout(400), asyncio.TaskGroup() as tasks:  # a call that fails ends the test with its story
            calls = [tasks.create_task(one_call()) for _ in range(N_CALLS)]
            await until(lambda: len(callers) == N_CALLS, TURN_LIMIT_S)
            await all_answered(callers)  # the greeting
            await all_answered(callers)
            settings = drain | ENGINES[name][SCRIPTED[name]] | SETTINGS[name]
            await roll(replicas, settings, stack, tmp_path, callers)
            is_over.set()
    for n_asked, caller in (call.result() for call in calls):
        turns = caller.turns(by_gateway=False)[1:]
        assert len(turns) == n_asked, caller.story()
        assert {turn.outcome for turn in turns} == {record_pb2.TurnRecord.OUTCOME_COMPLETED}, caller.story()
        assert caller.troubles() == [], caller.story()
        assert caller.turns(by_gateway=True) == [], caller.story()
