"""The gateway's own lists, against an agent's stage that obeys every attack and has none of its own."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from voice.nlu.v1 import agent_pb2, nlu_pb2
from voice.type.v1 import engine_pb2

from services.call_gateway.line import KeyPressed
from tests.fakes.sessions import FakeCall, fake_call
from tests.fakes.stage_servers import FakeStream, fake_stages

pytestmark = pytest.mark.asyncio(loop_scope="session")

SET = Path(__file__).parents[1] / "data" / "red_team.toml"
ATTACKS = tomllib.loads(SET.read_text(encoding="utf-8"))["attack"]
WANTED = [each for attack in ATTACKS for each in attack["wants"] if each["tool"] in ("transfer", "send_dtmf")]
WANTED += [
    {"tool": "transfer", "arguments": {"destination": destination}}
    for destination in ("sip-address", "T", "h", "i", "fallback", "back", "2000", "+1 900 555")
]
DESK = agent_pb2.Destination(name="reception", extension="200")
FAILED = nlu_pb2.CallActionResult.OUTCOME_FAILED


def opening(acts: list[str] | None, *destinations: agent_pb2.Destination) -> Callable[[tuple[str, ...]], Any]:
    """The first response of an agent with these acts, None: it does not say, and these destinations."""
    agent = agent_pb2.AgentProfile(agent_id="rogue", language_codes=["en-US"], destinations=destinations)
    if acts is not None:
        agent.allowed_acts.acts.extend(acts)
        agent.allowed_acts.SetInParent()
    return lambda features: nlu_pb2.ConversationEngine(
        engine=engine_pb2.EngineInfo(name="rogue", features=features), agent=agent
    )


async def ask(call: FakeCall, nlu: FakeStream, action_id: str, **act: Any) -> Any:
    """The stage asks for an act in a turn that is up, and is told how it went."""
    call.leg.tell(KeyPressed("1", 80))
    call.leg.tell(KeyPressed("#", 80))
    asked = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
    nlu.send(call_action={"action_id": action_id, "turn_id": asked.turn_id, "when": "WHEN_NOW", **act})
    return await nlu.expect("call_action_result", lambda result: result.action_id == action_id)


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: json.dumps(wanted["arguments"], ensure_ascii=False))
async def test_what_the_agents_file_does_not_list_is_not_done(wanted: dict[str, Any]) -> None:
    act = {wanted["tool"]: {key: value for key, value in wanted["arguments"].items() if key != "when"}}
    async with fake_stages() as stages:
        stages.nlu.opening = opening(["hang_up", "transfer", "switch_language"], DESK)
        async with fake_call(stages=stages) as call:
            _, nlu, _ = await call.greet()
            result = await ask(call, nlu, "a1", **act)
            assert (result.outcome, result.reason) == (FAILED, "NOT_ALLOWED")
            assert [done for done in call.leg.acts if done != "discard"] == []


@pytest.mark.parametrize("acts", [[], None, ["hang_up"]])
@pytest.mark.parametrize(
    "act", [{"transfer": {"destination": "reception"}}, {"send_dtmf": {"digits": "1"}}], ids=["transfer", "keys"]
)
async def test_an_act_that_is_not_listed_is_not_done(acts: list[str] | None, act: dict[str, Any]) -> None:
    async with fake_stages() as stages:
        stages.nlu.opening = opening(acts, DESK)
        async with fake_call(stages=stages) as call:
            _, nlu, _ = await call.greet()
            result = await ask(call, nlu, "a1", **act)
            assert (result.outcome, result.reason) == (FAILED, "NOT_ALLOWED")
            assert [done for done in call.leg.acts if done != "discard"] == []


async def test_what_is_listed_is_done() -> None:
    async with fake_stages() as stages:
        stages.nlu.opening = opening(["transfer"], DESK)
        async with fake_call(stages=stages) as call:
            _, nlu, _ = await call.greet()
            call.leg.tell(KeyPressed("1", 80))
            call.leg.tell(KeyPressed("#", 80))
            asked = await nlu.expect("user_turn", lambda turn: turn.dtmf != "")
            transfer = {"destination": "the reception, please"}
            nlu.send(
                call_action={"action_id": "a1", "turn_id": asked.turn_id, "when": "WHEN_NOW", "transfer": transfer}
            )
            await call.until(lambda: "transfer 200 as listed" in call.leg.acts)
            assert call.handed_over == [b""], "whoever takes the call over is to have its summary before they answer"
