"""Computation from typed facts: extremes, comparisons, sums and counts, in two languages."""

import pytest

from services.nlu.agent.graph.asking import asking
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.test_graph_agent import Talk, agent_of

CLINIC = read_agents(NluSettings().agents_dir)["clinic"]
HOTEL = read_agents(NluSettings().agents_dir)["hotel"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("How much is the cheapest one?", "the lowest is that of a check-up: 20 dollars"),
        ("How much is your most expensive service?", "the highest is that of a crown: 250 dollars"),
        (
            "Does a crown cost more than a whitening?",
            "A crown costs 250 dollars, and a whitening costs less: 120 dollars.",
        ),
        ("How much more is a crown than a filling?", "The difference is 200 dollars."),
        ("How much are two fillings and a check-up?", "Together that is 120 dollars."),
        ("How much is a filling or a cleaning?", "A filling costs 50 dollars. A cleaning costs 35 dollars."),
        ("How much can I get for 40 dollars?", "A check-up costs 20 dollars. A cleaning costs 35 dollars."),
        ("How much can I get for less than 35 dollars?", "I know of this. A check-up costs 20 dollars."),
        ("How long is your longest treatment?", "a whitening takes longest: 60 minutes"),
        (
            "How long: which is longer, a whitening or a filling?",
            "A whitening takes 60 minutes, and a filling takes less",
        ),
        ("How many dentists do you have? Who?", "I know of 2: Doctor Tran Mai and Doctor David Lee."),
        ("On which day are you open the shortest?", "On Saturday, we are open from 9 a.m. to 1 p.m."),
        ("Which day do you open the earliest?", "On Monday to Friday, we are open from 8 a.m."),
        ("Are you open before nine on Saturday?", "I'm sorry, we are closed then."),
        ("Are you open after six on Monday?", "I'm sorry, we are closed then."),
        ("Who does crowns, Doctor Mai?", "Not as far as I know. For crown it is Doctor David Lee."),
    ],
)
async def test_an_answer_is_reckoned(asked: str, said: str) -> None:
    assert said in await Talk(agent_of(CLINIC)).say(asked)


async def test_what_has_no_price_is_in_no_sum() -> None:
    reply = await Talk(agent_of(CLINIC)).say("How much are a crown and an implant together?")
    assert "250 dollars" in reply
    assert "Together" not in reply


async def test_the_cheapest_of_a_kind_is_of_that_kind_alone() -> None:
    reply = await Talk(agent_of(HOTEL)).say("How much is the cheapest room?")
    assert "single room: 40 dollars" in reply


@pytest.mark.parametrize("profile", [CLINIC, HOTEL])
@pytest.mark.parametrize("code", ["en", "vi", "ru", "zh"])
def test_every_language_has_the_words(profile: AgentProfile, code: str) -> None:
    assert {"cheapest", "dearest", "longest", "shortest", "earliest", "latest", "how_many"} <= asking(
        code
    ).compares.keys()
