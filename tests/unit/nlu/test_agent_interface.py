"""Contract of every agent: a draft has no side effects, and the state is that of the turns that stand."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

import pytest

from services.nlu.agent.interface import (
    MAX_STATE_BYTES,
    Act,
    AgentState,
    AgentTurn,
    Call,
    CallTool,
    Remember,
    Say,
    Step,
)
from services.nlu.agent.kinds import open_agent
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.engine import NluEngine, open_engine
from services.nlu.errors import BadState
from services.nlu.history import Entry
from services.nlu.inputs import Cancellation, Commit, Config, Text, UserTurn
from services.nlu.outputs import CallAction, HangUp, Outcome, ToolActivity, ToolPhase
from services.nlu.settings import NluSettings
from services.nlu.state import AgentStates, State, read_state, write_state
from services.runtime.errors import StartupError
from tests.unit.nlu.rig import opened, script_settings
from tests.unit.nlu.virtual_time import run


class Counting:
    """Counts the turns; on "act" it runs a tool and hangs up between its words."""

    def __init__(self, profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> None:
        self.closed: list[int] = []

    async def load(self) -> None: ...

    async def prepare(self, call: Call, history: Sequence[Entry], *, language_code: str, state: AgentState) -> None: ...

    async def respond(
        self, turn: AgentTurn, history: Sequence[Entry], *, committed: asyncio.Event
    ) -> AsyncGenerator[Step, None]:
        n = int(str(turn.state.get("n", 0))) + 1
        yield Remember({"n": n})
        yield Say(f"Turn {'abcdef'[n - 1]}. ")
        if isinstance(turn.input, Text) and turn.input.text == "act":
            tool = CallTool("current_time", '{"time_zone": "UTC"}')
            yield tool
            assert tool.result is not None
            yield Say("It has a date." if "date" in json.loads(tool.result.result_json) else "It has none.")
            yield Act(HangUp())
        if isinstance(turn.input, Text) and turn.input.text == "wait":
            try:
                await asyncio.Event().wait()
            finally:
                self.closed.append(turn.turn_id)


def say(turn_id: int, text: str = "Hello.", **more: object) -> UserTurn:
    return UserTurn(turn_id, Text(text), **more)  # type: ignore[arg-type]


def test_a_draft_of_any_agent_acts_only_after_its_commit() -> None:
    async def main() -> None:
        async with opened(factory=Counting) as rig:
            await rig.send(say(1, "act", is_draft=True), wait_s=1)
            assert rig.said(1) == "Turn a. It has a date.", "the tool only reads"
            assert rig.of(ToolActivity) == []
            assert rig.of(CallAction) == []
            await rig.send(Commit(1), wait_s=1)
        assert [news.phase for news in rig.of(ToolActivity)] == [ToolPhase.STARTED, ToolPhase.COMPLETED]
        assert [action.act for action in rig.of(CallAction)] == [HangUp()]
        assert rig.said(1) == "Turn a. It has a date."
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())


def test_what_a_draft_remembers_counts_when_it_is_committed() -> None:
    async def main() -> None:
        async with opened(factory=Counting) as rig:
            await rig.send(say(1, is_draft=True), say(2, is_draft=True), Commit(2), wait_s=1)
            await rig.send(say(3), wait_s=1)
        assert rig.said(2) == "Turn a."
        assert rig.said(3) == "Turn b."

    run(main())


def test_a_turn_that_is_continued_is_answered_from_the_state_before_it() -> None:
    async def main() -> None:
        async with opened(factory=Counting) as rig:
            await rig.send(say(1), wait_s=1)
            await rig.send(say(2), wait_s=1)
            await rig.send(say(3, continues_turn_id=2), wait_s=1)
            await rig.send(say(4), wait_s=1)
        assert [rig.said(turn_id) for turn_id in (2, 3, 4)] == ["Turn b.", "Turn b.", "Turn c."]

    run(main())


def test_a_fresh_stream_goes_on_with_what_the_agent_remembered() -> None:
    async def main() -> None:
        async with opened(factory=Counting) as rig:
            await rig.send(say(1), wait_s=1)
        state = rig.end(1).state
        async with opened(config=Config(call_id="call", state=state), factory=Counting) as rig:
            await rig.send(say(2), wait_s=1)
        assert rig.said(2) == "Turn b."

    run(main())


def test_a_cancelled_turn_closes_the_agents_generator() -> None:
    async def main() -> None:
        made: list[Counting] = []

        def factory(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> Counting:
            made.append(Counting(profile, engine, settings))
            return made[0]

        async with opened(factory=factory) as rig:
            await rig.send(say(1, "wait"), wait_s=1)
            await rig.send(Cancellation(1), wait_s=0.1)
            assert made[0].closed == [1]
        assert rig.end(1).outcome is Outcome.CANCELLED

    run(main())


def test_a_state_too_long_to_hand_over_is_not_kept() -> None:
    states = AgentStates({"n": 1})
    states.stand(1, {"n": "x" * MAX_STATE_BYTES})
    assert states.last == {"n": 1}


@pytest.mark.parametrize("content", [b'{"version":1,"language_code":"en","agent":[1]}', b"[]"])
def test_a_state_of_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(BadState):
        read_state(content)


def test_a_state_written_before_agents_remembered_is_read() -> None:
    assert read_state(b'{"version":1,"language_code":"vi"}') == State("vi")
    assert read_state(write_state(State("vi", {"name": "Hoa"}))) == State("vi", {"name": "Hoa"})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("no such", "none of graph, prompt"),
        ("no.such.module:Agent", "needs the package no"),
        ("tests.unit.nlu.rig:NoAgent", "tests.unit.nlu.rig has no NoAgent"),
    ],
)
def test_a_kind_that_cannot_be_made_is_refused_at_the_start(kind: str, said: str) -> None:
    settings = script_settings(agent_kind=kind)
    profile = read_agents(settings.agents_dir)["clinic"]
    with pytest.raises(StartupError, match=said):
        open_agent(profile, open_engine(settings), settings)
