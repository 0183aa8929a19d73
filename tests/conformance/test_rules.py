"""Every check of the conformance kit, on every server and every engine."""

from dataclasses import replace

import pytest

from clients.conformance.kit import Check, NotApplicableError, Target, checks_of
from clients.conformance.rules import RULES
from clients.conformance.stages import STAGES
from tests.conformance.conftest import Start
from tests.conformance.servers import ENGINES, LANGUAGES, ROOT, SCRIPTED, WITH_MODELS


def on_every_engine() -> list[object]:
    """Each check with each engine of its stages; those that load a model carry the mark `models`."""
    return [
        pytest.param(
            one,
            stage,
            engine,
            id=f"{stage}-{engine}-{one.name}",
            marks=pytest.mark.models if engine in WITH_MODELS else [],
        )
        for stage in STAGES
        for one in checks_of(stage)
        for engine in ENGINES[stage]
    ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("one", "stage", "engine"), on_every_engine())
async def test_a_server_keeps_the_rule(one: Check, stage: str, engine: str, start: Start) -> None:
    server = start(stage, engine)
    target = Target(server.target, server.stage, pid=server.process.pid)
    if stage == "stt" and engine in LANGUAGES:
        target = replace(target, word="")
    try:
        await one.run(target)
    except NotApplicableError:
        if stage != "call":  # a gateway has no engine to describe; of a model server everything can be asked
            raise


@pytest.mark.parametrize("stage", ["stt", "nlu", "tts"])
async def test_our_servers_list_every_request_of_the_contract(stage: str, start: Start) -> None:
    server = start(stage, SCRIPTED[stage])
    features = await Target(server.target, server.stage).features()
    bare = {"config", "audio", "text", "user_turn"}
    assert {field.name for field in server.stage.request.DESCRIPTOR.fields} - bare <= features
    assert {need for one in checks_of(stage) for need in one.needs} <= features


def test_the_kit_knows_every_rule_by_its_number() -> None:
    lines = (ROOT / "protos/README.md").read_text(encoding="utf-8").splitlines()
    numbers = [int(line.split(".")[0]) for line in lines if line.split(".")[0].isdigit()]
    assert [rule.number for rule in RULES] == numbers
    checked = {number for stage in STAGES for one in checks_of(stage) for number in one.rules}
    assert {rule.number for rule in RULES if not rule.unchecked} <= checked
