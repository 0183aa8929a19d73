"""A deed is done for a whole yes to its own read-back, heard to its end, and for nothing less."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.tools import Tool
from services.nlu.engine import NluEngine
from services.nlu.inputs import Commit, PlayoutReport, Text, UserTurn
from services.nlu.outputs import TurnEnd
from services.nlu.settings import NluSettings
from tests.unit.nlu.desk import Caller, booked, call, stands
from tests.unit.nlu.rig import opened, script_settings
from tests.unit.nlu.test_confirmed_deeds import WISH, Eager, Writing


@pytest.mark.parametrize(
    "said",
    [
        "Hmm",
        "Well",
        "Yes, if my boss lets me.",
        "Okay, is that at ten?",
        "Yes, but why?",
        "Yes, cancel it.",
        "Yes, 3",
        "Okay if it is near.",
        "Yes, will Anna be there?",
    ],
)
async def test_less_than_a_whole_yes_books_nothing(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say(said)
    assert booked(tmp_path) == []


@pytest.mark.parametrize(
    "said", ["Mm, yes, okay", "Mhm", "Yes, book it.", "Yes please, thank you.", "Okay, go ahead.", "Yes, that's right."]
)
async def test_a_whole_yes_books(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say(said)
    assert len(booked(tmp_path)) == 1


@pytest.mark.parametrize(("said", "n_left"), [("Yes, book it.", 1), ("Yes, cancel it.", 0)])
async def test_an_order_of_another_deed_is_no_yes(tmp_path: Path, said: str, n_left: int) -> None:
    stands(tmp_path, "2026-12-01T10:00", name="Anna Bell", phone="0912345678")
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        assert "Shall I cancel it?" in await caller.say("Please cancel my time")
        await caller.say(said)
    assert len(booked(tmp_path)) == n_left


@pytest.mark.parametrize(("share", "n_booked"), [(1.0, 1), (0.2, 0)])
async def test_what_was_heard_at_the_commit_counts_and_not_at_the_draft(
    tmp_path: Path, share: float, n_booked: int
) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        question = await caller.come_to_the_question(hears=None)
        asked, yes = caller.turn_id, caller.turn_id + 1
        guessed = PlayoutReport(asked, len(question))
        await rig.send(UserTurn(yes, Text("Yes"), "", is_draft=True, provisional_playout=guessed))
        await asyncio.sleep(0.2)
        assert booked(tmp_path) == []
        await rig.send(PlayoutReport(asked, int(len(question) * share), is_final=True), Commit(yes))
        async with asyncio.timeout(10):
            while not rig.of(TurnEnd, yes):
                await asyncio.sleep(0.005)
    assert len(booked(tmp_path)) == n_booked


async def test_a_model_behind_the_graphs_persona_does_nothing_unconfirmed() -> None:
    tool = Writing()

    def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> GraphAgent:
        class Clinic(GraphAgent):
            def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
                return {tool.spec.name: tool}

        return Clinic(profile, Eager(settings), settings)

    async with opened(settings=script_settings(agent_kind="graph"), factory=make) as rig:
        await Caller(rig).say(WISH)
    assert tool.runs == []
