"""Files that are wrong are refused with one line that names the file, the field and what mends it."""

import asyncio
from pathlib import Path

import pytest

from services.nlu.agent.profile import read_agents
from services.nlu.engine import open_engine
from services.nlu.engines.script import ScriptEngine, read_replies
from services.nlu.errors import BadState
from services.nlu.settings import NluSettings
from services.nlu.state import State, read_state, write_state
from services.runtime.errors import StartupError
from tests.unit.nlu.rig import script_settings
from tests.unit.nlu.virtual_time import run

CLINIC = (NluSettings().agents_dir / "clinic.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("agent_id: clinic", "agent_id: ''", "agent_id"),
        ("    farewell: Thank you for", "    fare_well: Thank you for", "personas.en.farewell"),
        ("    vi: Anh chị còn nghe máy không ạ?\n", "", "prompts.still_there: no text for vi"),
        ("en: { rate: 1.0 }", "en: { rate: 9 }", "voices.en.rate"),
        ("tools: [current_time, clinic]", "tools: [teleport]", "tools"),
        ("agent_id: clinic", "agent_id: [", "clinic.yaml"),
    ],
)
def test_a_wrong_agent_file_is_refused(tmp_path: Path, old: str, new: str, names: str) -> None:
    assert old in CLINIC
    (tmp_path / "clinic.yaml").write_text(CLINIC.replace(old, new), encoding="utf-8")
    with pytest.raises(StartupError) as raised:
        read_agents(tmp_path)
    assert names in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_without_agents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="NLU_AGENTS_DIR"):
        read_agents(tmp_path)


def test_two_agents_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text(CLINIC, encoding="utf-8")
    with pytest.raises(StartupError, match="taken"):
        read_agents(tmp_path)


@pytest.mark.parametrize(
    "script",
    ["", "[[reply", '[[reply]]\nname = "sure"', '[[reply]]\nname = "sure"\nparts = [{ dance = true }]'],
)
def test_a_wrong_script_is_refused(tmp_path: Path, script: str) -> None:
    with pytest.raises(StartupError, match="NLU_SCRIPT_FILE"):
        read_replies(script_settings(tmp_path, script or "# empty"))


def test_a_reply_the_script_does_not_have_is_refused() -> None:
    with pytest.raises(StartupError, match="NLU_SCRIPT_REPLY=shout"):
        run(ScriptEngine(script_settings(script_reply="shout")).load(()))


def test_a_model_file_that_is_not_there_is_refused() -> None:
    engine = open_engine(NluSettings(model="/nowhere/model.gguf"))
    with pytest.raises(StartupError, match=r"NLU_MODEL=/nowhere/model.gguf"):
        asyncio.run(engine.load(()))


def test_a_state_comes_back_as_it_was_given() -> None:
    assert read_state(write_state(State("vi"))) == State("vi")
    assert read_state(b"") == State()


def test_a_state_of_a_later_version_says_nothing() -> None:
    assert read_state(b'{"version": 99, "mood": "good"}') == State()


@pytest.mark.parametrize("content", [b"\xff\x00", b"[]", b"{}", b'{"version": 1}'])
def test_a_state_that_was_not_given_is_refused(content: bytes) -> None:
    with pytest.raises(BadState) as raised:
        read_state(content)
    assert raised.value.field == "config.state"
