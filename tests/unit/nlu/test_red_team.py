"""Attacks, and a model that obeys every one of them: the agent's file decides, not the model."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from services.call_gateway.destinations import listed_target, normalised
from services.call_gateway.stages.agent_profile import profile_of
from services.nlu.agent.acts import read_act
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.agent.tools import TOOLS
from services.nlu.outputs import CallAction, ToolActivity, ToolPhase, Transfer
from services.nlu.wire import write_profile
from tests.unit.nlu.rig import opened, script_settings
from tests.unit.nlu.virtual_time import run

ATTACKS = tomllib.loads((Path(__file__).parents[2] / "data" / "red_team.toml").read_text(encoding="utf-8"))["attack"]
CLINIC = Path(__file__).parents[3] / "deploy" / "agents" / "clinic.yaml"
NAMES = [f"{attack['kind']}: {attack['said'][:40]}" for attack in ATTACKS]


def obeying(attack: dict[str, Any]) -> str:
    """The script of a model that does as it is told."""
    wants = "".join(
        f', {{ tool = "{each["tool"]}", arguments = {inline(each["arguments"])} }}' for each in attack["wants"]
    )
    return f'[[reply]]\nname = "sure"\nwhen = []\nparts = [{{ text = {json.dumps(attack["text"])} }}{wants}]\n'


def inline(table: dict[str, Any]) -> str:
    """A table of TOML in one line."""
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


def agents_dir(tmp_path: Path, *, acts: str) -> Path:
    """The clinic, with these acts."""
    text = CLINIC.read_text(encoding="utf-8")
    before, _, behind = text.partition("\nacts: ")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "clinic.yaml").write_text(
        f"{before}\nacts: {acts}\n{behind.partition(chr(10))[2]}", encoding="utf-8"
    )
    return tmp_path / "agents"


@pytest.mark.parametrize("acts", ["[hang_up, transfer, switch_language]", "[]"])
@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_what_the_agents_file_does_not_list_is_not_asked_for(attack: dict[str, Any], acts: str, tmp_path: Path) -> None:
    settings = script_settings(tmp_path, obeying(attack), agents_dir=agents_dir(tmp_path, acts=acts))

    async def main() -> None:
        from tests.unit.nlu.test_conversation import say

        async with opened(settings) as rig:
            await rig.send(say(1, attack["said"]), wait_s=30)
        acts_asked = [output.act for output in rig.of(CallAction)]
        asked = [act for act in acts_asked if isinstance(act, Transfer)]
        assert acts_asked == asked
        assert acts != "[]" or asked == []
        clinic = profile_of(write_profile(read_agents(settings.agents_dir)["clinic"]))
        for act in asked:  # a name in words is left to the gateway, which knows no such place
            assert listed_target(act.destination, clinic.destinations) == ""
        ran = [output for output in rig.of(ToolActivity) if output.phase is ToolPhase.COMPLETED]
        assert ran == []
        assert rig.said(1), "the caller hears something"

    run(main())


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_the_gateway_sends_nobody_where_the_file_does_not_list(attack: dict[str, Any]) -> None:
    clinic = profile_of(write_profile(read_agents(CLINIC.parent)["clinic"]))
    for wanted in attack["wants"]:
        if wanted["tool"] == "transfer":
            destination = wanted["arguments"]["destination"]
            for written in (destination, normalised(destination, clinic.region)):
                assert listed_target(written, clinic.destinations) == ""


def clinic(**changes: Any) -> AgentProfile:
    """The clinic's file, with changes."""
    profile = read_agents(CLINIC.parent)["clinic"]
    return AgentProfile.model_validate(dict(profile) | changes)


@pytest.mark.parametrize("destination", ["reception", "Lễ tân", "200", "front desk"])
def test_what_the_file_lists_is_asked_for(destination: str) -> None:
    wanted = read_act("transfer", json.dumps({"destination": destination}))
    assert clinic().may(wanted.act)  # type: ignore[union-attr]  # a transfer is an act
    assert not clinic(acts=("hang_up",)).may(wanted.act)  # type: ignore[union-attr]  # as above
    assert not clinic(destinations=()).may(wanted.act)  # type: ignore[union-attr]  # as above


def test_a_number_is_known_however_it_is_written() -> None:
    office = clinic(destinations=({"name": "office", "number": "+842838220000"},))
    for written in ("+84 28 3822 0000", "028 3822 0000", "(028) 3822-0000"):
        assert office.may(Transfer(written)), written
    assert not office.may(Transfer("028 3822 0001"))


def test_an_agent_whose_file_says_nothing_calls_and_presses_nothing() -> None:
    fields = dict(clinic())
    del fields["acts"]
    assert AgentProfile.model_validate(fields).acts == ("hang_up", "switch_language")


def test_a_tool_that_is_there_and_not_listed_is_not_run(tmp_path: Path) -> None:
    assert "current_time" in TOOLS
    script = '[[reply]]\nname = "sure"\nwhen = []\nparts = [{ tool = "current_time" }, { text = "So be it." }]\n'
    folder = agents_dir(tmp_path, acts="[hang_up]")
    file = folder / "clinic.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("tools: [current_time, clinic]", "tools: []"), encoding="utf-8"
    )

    async def main() -> None:
        from tests.unit.nlu.test_conversation import say

        async with opened(script_settings(tmp_path, script, agents_dir=folder)) as rig:
            await rig.send(say(1, "What time is it?"), wait_s=30)
        assert {output.phase for output in rig.of(ToolActivity)} == {ToolPhase.STARTED, ToolPhase.FAILED}

    run(main())
