"""A tool is really called, through real servers: by the script, and by a model that is given it in its own template."""

import json

import pytest
from jsonschema import Draft202012Validator

from clients.conformance.checks.nlu import listed_tools
from clients.conformance.kit import Target
from clients.conformance.replies import ASK_TIME, ask
from tests.conformance.conftest import Start

PERSONA = "You are the receptionist of a clinic. Answer in one short sentence. You do not know the time: call the tool."


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("stage", "engine"), [("nlu", "script"), pytest.param("nlu", "llama_cpp", marks=pytest.mark.models)]
)
async def test_a_tool_is_called_with_arguments_of_its_schema_and_nothing_of_the_call_is_spoken(
    stage: str, engine: str, start: Start
) -> None:
    server = start(stage, engine)
    target = Target(server.target, server.stage, pid=server.process.pid)
    tools = await listed_tools(target)
    async with target.opened(instructions=PERSONA) as stream:
        answer = await ask(stream, 1, ASK_TIME)
    assert answer.outcome == "COMPLETED"
    assert answer.tools, "no tool was called"
    for _, ended in answer.tools.values():
        schema = json.loads(tools[ended.name].parameters_json)
        assert Draft202012Validator(schema).is_valid(json.loads(ended.arguments_json))
    assert not any(sign in answer.text for sign in ("tool_call", "{", "current_time"))
