"""Hours that are those of a part of the house, and questions after the times of something else."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.language.dates import read_moment
from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.profile import read_agents
from services.nlu.agent.understanding import Guess
from services.nlu.engine import open_engine
from services.nlu.settings import NluSettings
from tests.unit.nlu.test_graph_agent import SETTINGS, Talk, agent_of

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


class Guessed:
    """Understands every sentence as these kinds, the likeliest first."""

    def __init__(self, **scores: float) -> None:
        self._guesses = tuple(Guess(kind.replace("check_in", "text:check-in"), score) for kind, score in scores.items())

    async def load(self) -> None: ...

    async def understand(self, text: str, language_code: str) -> tuple[Guess, ...]:
        return self._guesses


async def told(asked: str, code: str, **scores: float) -> str:
    """The answer of the hotel's agent to a sentence that is understood so."""
    agent = GraphAgent(HOTEL, open_engine(SETTINGS), SETTINGS, clock=lambda: NOW, understanding=Guessed(**scores))
    return await Talk(agent, code).say(asked)


async def test_a_time_is_told_of_a_text_only_where_its_topic_is_named() -> None:
    guesses = {"check_in": 0.52, "free": 0.27, "duration": 0.2}
    assert "12 noon" not in await told("From when to when can we eat in the morning?", "en", **guesses)
    assert "12 noon" in await told("Could we hang on to the room till two on the last day?", "en", **guesses)


@pytest.mark.parametrize(
    ("asked", "code", "guesses"),
    [
        ("Во сколько завтрак?", "ru", {"price": 0.52, "offered": 0.34}),
        ("Завтрак со скольки до скольки?", "ru", {"check_in": 0.54, "price": 0.32}),
        ("早餐几点到几点？", "zh", {"price": 0.31, "check_in": 0.23, "offered": 0.21}),
        ("早餐供应到几点？", "zh", {"offered": 0.32, "price": 0.31, "unknown": 0.3}),
        ("Until what time do they serve breakfast?", "en", {"hours": 0.36, "offered": 0.3, "who": 0.21}),
    ],
)
async def test_a_time_of_a_service_is_no_price_and_no_other_time(
    asked: str, code: str, guesses: dict[str, float]
) -> None:
    reply = await told(asked, code, **guesses)
    assert reply
    assert not any(known in reply for known in ("700", "14:00", "56", "是的", "6 a.m.", "Do you mean"))


async def test_a_price_is_one_though_its_word_for_how_much_asks_for_times_too() -> None:
    assert "700" in await told("Во сколько обойдётся завтрак?", "ru", price=0.9, offered=0.3)


async def test_a_service_between_what_there_is_and_its_price_is_what_there_is() -> None:
    assert "机场接送" in await told("能去机场接一趟吗？", "zh", offered=0.39, price=0.36, book=0.21)


async def test_weakly_understood_hours_are_not_told_of_a_part_that_is_not_named() -> None:
    reply = await told("Chị ở lại thêm tới hai giờ chiều mới đi được không?", "vi", hours=0.45, unknown=0.24)
    assert "11 giờ tối" not in reply


@pytest.mark.parametrize(
    ("asked", "code", "has"),
    [
        ("Are you open tomorrow or Sunday?", "en", ("On Tuesday", "closed on Sunday")),
        ("Are you open on Sunday or tomorrow?", "en", ("On Tuesday", "closed on Sunday")),
        ("Mở cửa ngày mai hay chủ nhật?", "vi", ("thứ Ba", "Chủ nhật bên em nghỉ")),
        ("Are you open on the twenty-fifth and the twenty-sixth of December?", "en", ("Christmas", "December 26")),
    ],
)
async def test_each_of_two_days_is_answered(asked: str, code: str, has: tuple[str, str]) -> None:
    agent = GraphAgent(
        CLINIC, open_engine(SETTINGS), SETTINGS, clock=lambda: NOW, understanding=Guessed(hours=0.9, who=0)
    )
    reply = await Talk(agent, code).say(asked)
    assert all(text in reply for text in has)


async def test_a_time_said_once_is_of_both_days() -> None:
    reply = await Talk(agent_of(CLINIC)).say("Are you open at seven in the morning tomorrow or on Friday?")
    assert reply.count("closed then") == 2


@pytest.mark.parametrize(("asked", "follows"), [("What time does it start?", "And on Sunday?"), ("When is it?", "")])
async def test_the_hours_of_the_desk_are_none_of_the_thing_spoken_of(asked: str, follows: str) -> None:
    guesses = {"hours": 0.7, "price": 0.1}
    agent = GraphAgent(HOTEL, open_engine(SETTINGS), SETTINGS, clock=lambda: NOW, understanding=Guessed(**guesses))
    talk = Talk(agent)
    talk.state = {"kind": "price", "service": "breakfast"}
    for said in filter(None, (asked, follows)):
        reply = await talk.say(said)
        assert "don't know the times of that" in reply
        assert HOURS not in reply


async def test_a_pronoun_is_asked_the_times_of_whatever_else_the_words_are_like() -> None:
    guesses = {"price": 0.49, "check_in": 0.45}
    agent = GraphAgent(HOTEL, open_engine(SETTINGS), SETTINGS, clock=lambda: NOW, understanding=Guessed(**guesses))
    talk = Talk(agent, "ru")
    talk.state = {"kind": "price", "service": "breakfast"}
    reply = await talk.say("А во сколько он?")
    assert "14:00" not in reply
    assert "700" not in reply
