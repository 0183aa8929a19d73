"""Truth of the agent's words about tools: a look-up has done nothing, and neither has a pending deed."""

from pathlib import Path

import pytest

from tests.unit.nlu.rig import opened
from tests.unit.nlu.test_tools_of_a_model import Told, agreed_with_tools, giving, said, script
from tests.unit.nlu.virtual_time import run

NOTED = "I have noted it."


@pytest.mark.parametrize(
    ("name", "writes", "result", "is_said"),
    [
        ("crm_create_lead", True, '{"status": "done", "result": {"lead_id": "1"}}', True),
        ("crm_create_lead", True, '{"status": "pending"}', False),
        ("crm_find_contact", False, '{"contacts": [{"id": "1"}]}', False),
        ("crm_find_contact", False, '{"contacts": []}', False),
    ],
)
def test_noted_is_said_of_what_was_written_alone(
    tmp_path: Path, name: str, writes: bool, result: str, is_said: bool
) -> None:
    tool = Told(name, giving(result), writes=writes)

    async def scene() -> str:
        settings = script(tmp_path, f'{{ tool = "{name}" }}', f'{{ text = "{NOTED}" }}')
        async with opened(settings, factory=agreed_with_tools(tool)) as rig:
            await rig.send(said(), wait_s=5)
        assert len(tool.runs) == 1
        return rig.said(1)

    assert (NOTED in run(scene())) is is_said
