"""Attacks, and a model that obeys every one of them: the agent's file decides, not the model."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.call_gateway.stages.agent_profile import profile_of
from services.language.destinations import allowed_target
from services.nlu.agent.acts import read_act
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.agent.tools import TOOLS
from services.nlu.outputs import CallAction, ToolActivity, ToolPhase, Transfer
from services.nlu.wire import write_profile
from tests.unit.nlu.rig import opened, say, script_settings
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
    """The agents' folder with the clinic, with these acts, and no person who takes callers over."""
    text = CLINIC.read_text(encoding="utf-8").replace("\nhandover: reception\n", "\n")
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
        async with opened(settings) as rig:
            await rig.send(say(1, attack["said"]), wait_s=30)
        acts_asked = [output.act for output in rig.of(CallAction)]
        assert acts_asked == []
        ran = [output for output in rig.of(ToolActivity) if output.phase is ToolPhase.COMPLETED]
        assert ran == []
        assert rig.said(1), "the caller hears something"

    run(main())


@pytest.mark.parametrize("attack", ATTACKS, ids=NAMES)
def test_the_gateway_transfers_only_to_targets_of_the_file(attack: dict[str, Any]) -> None:
    clinic = profile_of(write_profile(read_agents(CLINIC.parent)["clinic"]))
    for wanted in attack["wants"]:
        if wanted["tool"] == "transfer":
            destination = wanted["arguments"]["destination"]
            assert allowed_target(destination, clinic.destinations, region=clinic.region) == ""


def clinic(**changes: Any) -> AgentProfile:
    """The clinic's file, with changes."""
    profile = read_agents(CLINIC.parent)["clinic"]
    return AgentProfile.model_validate(dict(profile) | {"handover": ""} | changes)


@pytest.mark.parametrize("destination", ["reception", "Lễ tân", "200", "front desk"])
def test_what_the_file_lists_is_asked_for(destination: str) -> None:
    wanted = read_act("transfer", json.dumps({"destination": destination}))
    assert clinic().may(wanted.act)  # type: ignore[union-attr]  # a transfer is an act
    assert not clinic(acts=("hang_up",)).may(wanted.act)  # type: ignore[union-attr]  # as above
    assert not clinic(destinations=()).may(wanted.act)  # type: ignore[union-attr]  # as above


@pytest.mark.parametrize(
    "wanted",
    ["PJSIP/trunk/0900123456", "1-800-FLOWERS", "${SHELL(id)}", "sip-address", "900,1&Dial(PJSIP/9@trunk)", "the bank"],
)
def test_letters_make_no_place_of_what_is_not_listed(wanted: str) -> None:
    assert not clinic().may(Transfer(wanted))


def test_the_agent_asks_for_a_place_where_the_gateway_finds_it_and_nowhere_else() -> None:
    places = (
        {"name": "office", "number": "+84 28 3822 0000"},
        {"name": "front desk", "extension": "2-00"},
        {"name": "on-call doctor", "sip": "sip:doctor@example.com"},
    )
    profile = clinic(destinations=places)
    sent = profile_of(write_profile(profile))
    for wanted, is_listed in {
        "028 3822 0000": True,
        "+842838220000": True,
        "+84 28 3822 0000": True,
        "200": True,
        "the front desk, please": True,
        "frontdesk": True,
        "SIP:Doctor@example.com": True,
        "sip:doctor@attacker.example": False,
        "office or front desk": False,
        "+842838220001": False,
        "2": False,
    }.items():
        assert profile.may(Transfer(wanted)) == is_listed, wanted
        assert bool(allowed_target(wanted, sent.destinations, region=sent.region)) == is_listed, wanted


@pytest.mark.parametrize(
    "changes",
    [{"acts": ()}, {"acts": ("hang_up",)}, {"destinations": ()}, {"handover": "+19005550123"}, {"handover": "bank"}],
)
def test_a_handover_that_the_gateway_would_refuse_is_refused_at_the_start(changes: dict[str, Any]) -> None:
    assert clinic(handover="200").may(Transfer("200"))
    with pytest.raises(ValidationError, match=r"handover|cannot be reached"):
        clinic(**{"handover": "200"} | changes)


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
        async with opened(script_settings(tmp_path, script, agents_dir=folder)) as rig:
            await rig.send(say(1, "What time is it?"), wait_s=30)
        assert {output.phase for output in rig.of(ToolActivity)} == {ToolPhase.STARTED, ToolPhase.FAILED}

    run(main())
