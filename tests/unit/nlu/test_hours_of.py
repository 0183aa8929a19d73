"""Hours that are those of a part of the house, and questions after the times of something else."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.language.dates import read_moment
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.test_graph_agent import Talk, agent_of

CLINIC = read_agents(NluSettings().agents_dir)["clinic"]
HOTEL = read_agents(NluSettings().agents_dir)["hotel"]
NOW = datetime(2026, 11, 30, 10, 30, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
HOURS = "from 6 a.m. to 11 p.m."


@pytest.mark.parametrize("asked", ["When are you open?", "Is the front desk open on Sunday?"])
async def test_it_is_said_whose_hours_they_are(asked: str) -> None:
    reply = await Talk(agent_of(HOTEL)).say(asked)
    assert "front desk" in reply
    assert HOURS in reply


@pytest.mark.parametrize("asked", ["When is breakfast open?", "Is the pool open?", "When does the restaurant open?"])
async def test_the_times_of_something_else_are_not_known(asked: str) -> None:
    reply = await Talk(agent_of(HOTEL)).say(asked)
    assert "I don't know the times of that" in reply
    assert HOURS not in reply


async def test_the_hours_of_a_whole_house_are_those_of_its_services() -> None:
    reply = await Talk(agent_of(CLINIC)).say("Are you open for a cleaning on Saturday?")
    assert "from 9 a.m. to 1 p.m." in reply
    assert "don't know" not in reply


async def test_a_time_at_which_it_is_never_open_is_refused_without_a_day() -> None:
    reply = await Talk(agent_of(HOTEL)).say("Is the front desk open at three in the morning?")
    assert "closed then" in reply


@pytest.mark.parametrize(
    ("said", "code", "at"),
    [("three in the morning", "en", "03:00"), ("ba giờ sáng", "vi", "03:00"), ("nine in the morning", "en", "09:00")],
)
def test_the_small_hours_are_of_the_morning(said: str, code: str, at: str) -> None:
    moment = read_moment(said, code, now=NOW)
    assert moment is not None
    assert moment.iso == at


async def test_what_is_not_known_is_not_asked_of_the_house() -> None:
    reply = await Talk(agent_of(HOTEL)).say("Do they serve drinks at the pool and when is it open?")
    assert HOURS not in reply
