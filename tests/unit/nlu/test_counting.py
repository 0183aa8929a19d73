"""For how many people, nights and things something is asked, and what that comes to, in two languages."""

import pytest

from services.nlu.agent.graph.asking import asking
from services.nlu.agent.graph.counting import Counting
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.test_graph_agent import Talk, agent_of

CLINIC = read_agents(NluSettings().agents_dir)["clinic"]
HOTEL = read_agents(NluSettings().agents_dir)["hotel"]


@pytest.mark.parametrize(
    ("code", "said", "n_people"),
    [
        ("en", "a cleaning for me and my husband", 2),
        ("en", "check-ups for me and my two kids", 3),
        ("en", "if my two kids come and all three of us get a check-up", 3),
        ("en", "what would both of us pay", 2),
        ("en", "a filling for my son and a friend", 2),
        ("en", "a filling for my son", 0),
        ("en", "my son is three, is it free for him", 0),
        ("en", "for two people or for three people", 0),
        ("vi", "hai vợ chồng anh lấy cao răng hết bao nhiêu", 2),
        ("vi", "ba mẹ con khám răng", 3),
        ("vi", "khám cho chị và hai đứa con", 3),
        ("vi", "cho tôi với vợ tôi", 2),
        ("vi", "khám cho bé", 0),
    ],
)
def test_people_are_counted(code: str, said: str, n_people: int) -> None:
    words = tuple(said.replace(",", "").split())
    assert Counting(asking(code), code, {""}).people(words) == n_people


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("How much is a cleaning for me and my husband?", "Together that is 70 dollars."),
        ("How much is a check-up for all three of us?", "Together that is 60 dollars."),
    ],
)
async def test_a_price_holds_for_each_person(asked: str, said: str) -> None:
    assert said in await Talk(agent_of(CLINIC)).say(asked)


async def test_one_person_is_no_sum() -> None:
    reply = await Talk(agent_of(CLINIC)).say("How much is a filling for my son?")
    assert "50 dollars" in reply
    assert "Together" not in reply


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("How much is the cheapest room for three nights?", "Together that is 120 dollars."),
        ("How much more is your dearest room than the cheapest?", "The difference is 20 dollars."),
        ("How much is breakfast for two people for three nights?", "Together that is 48 dollars."),
        ("How much is a double room for two people for three nights?", "Together that is 180 dollars."),
    ],
)
async def test_a_hotel_reckons_in_nights_and_people(asked: str, said: str) -> None:
    assert said in await Talk(agent_of(HOTEL)).say(asked)


async def test_nights_count_for_the_room_spoken_of_before() -> None:
    talk = Talk(agent_of(HOTEL))
    await talk.say("How much is a single room?")
    assert "Together that is 160 dollars." in await talk.say("How much is it for four nights?")


async def test_nights_and_guests_add_up_nothing_where_no_room_is_named() -> None:
    assert "Together" not in await Talk(agent_of(HOTEL)).say("How much is it a night for two people?")
