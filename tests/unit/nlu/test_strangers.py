"""People and things that stand in no file: asked after, wished for, and what was asked of the thing before."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.graph.answers import _OF_REQUESTS, _words_of
from services.nlu.agent.graph.slots import SlotFinder, unexplained
from services.nlu.agent.graph.strangers import begins_with_unknown, names_unknown_staff, wants_what_is_unknown
from services.nlu.agent.profile import read_agents
from services.nlu.engine import open_engine
from services.nlu.settings import NluSettings
from tests.unit.nlu.test_graph_agent import SETTINGS, Talk, agent_of
from tests.unit.nlu.test_hours_of import Guessed

AGENTS = read_agents(NluSettings().agents_dir)
NOW = datetime(2026, 11, 30, 10, 30, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))


def talk_of(agent: str, code: str = "en", **scores: float) -> Talk:
    """A call with a shipped agent that understands every sentence so."""
    understanding = Guessed(**scores)
    graph = GraphAgent(AGENTS[agent], open_engine(SETTINGS), SETTINGS, clock=lambda: NOW, understanding=understanding)
    return Talk(graph, code)


@pytest.mark.parametrize(
    ("agent", "language", "text", "is_unknown"),
    [
        ("clinic", "en", "I want to book a tooth extraction", True),
        ("clinic", "en", "could I get an ultrasound there", True),
        ("clinic", "en", "I'd like an appointment for braces", True),
        ("clinic", "en", "I'd like an appointment for Karen Doyle", False),
        ("clinic", "en", "I need an early appointment", False),
        ("clinic", "en", "can I book a cleaning", False),
        ("clinic", "en", "I want an appointment for my boy", False),
        ("clinic", "vi", "anh muốn đặt lịch niềng răng", True),
        ("clinic", "vi", "chị đặt lịch khám cho bé nhé", False),
        ("clinic", "vi", "anh muốn hẹn thứ tư", False),
        ("clinic", "en", "an appointment for my rabbit", True),
        ("clinic", "en", "I'd like an appointment for my denture", True),
        ("clinic", "en", "Can I make an appointment for my nephew?", False),
        ("clinic", "en", "put me down for a night splint on Wednesday", True),
        ("clinic", "en", "I'd like a night appointment", False),
        ("clinic", "vi", "đặt lịch cho con chó nhà anh", True),
        ("hotel", "en", "book a massage for tomorrow", True),
        ("hotel", "vi", "đặt giúp chị suất ăn trưa", True),
        ("hotel", "ru", "хочу на маникюр завтра", True),
        ("hotel", "zh", "订明天的一日游", True),
        ("hotel", "en", "I need a room for two tonight", False),
        ("hotel", "ru", "хочу забронировать люкс", True),
        ("hotel", "ru", "хочу забронировать номер", False),
        ("hotel", "zh", "我想预约按摩", True),
        ("hotel", "zh", "我想订明天晚上的房间", False),
    ],
)
def test_a_wish_may_be_for_what_the_file_does_not_name(
    agent: str, language: str, text: str, *, is_unknown: bool
) -> None:
    finder = SlotFinder(AGENTS[agent].facts, language)
    known = frozenset().union(*(_words_of(language, kind) for kind in _OF_REQUESTS))
    assert wants_what_is_unknown(text, finder.find(text, NOW), finder, known) is is_unknown


@pytest.mark.parametrize(
    ("language", "text", "is_unknown"),
    [
        ("en", "A table for three tonight", True),
        ("en", "Tuesday works for me", False),
        ("en", "A room for two, please", False),
        ("en", "Karen Doyle, Friday", False),
        ("ru", "билеты на завтра, пожалуйста", True),
        ("ru", "номер на завтра, пожалуйста", False),
        ("zh", "明天的温泉", True),
        ("zh", "明天晚上的房间", False),
    ],
)
def test_a_wish_may_begin_with_what_the_file_does_not_name(language: str, text: str, *, is_unknown: bool) -> None:
    finder = SlotFinder(AGENTS["hotel"].facts, language)
    known = frozenset().union(*(_words_of(language, kind) for kind in _OF_REQUESTS))
    assert begins_with_unknown(text, finder.find(text, NOW), finder, known) is is_unknown


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Do you have a family room on Saturday?", "en"),
        ("Have you got a quiet room for tomorrow?", "en"),
        ("cuối tuần này còn phòng gia đình không em", "vi"),
        ("Есть семейный номер на выходные?", "ru"),
        ("这周末有家庭房吗？", "zh"),
    ],
)
async def test_no_room_is_offered_of_a_kind_unknown(said: str, code: str) -> None:
    talk = talk_of("hotel", code, free=0.8, book=0.1)
    await talk.say(said)
    assert not talk.state["wish"]["kind"]  # type: ignore[index] # a mapping


async def test_a_room_for_a_day_is_no_question_after_hours() -> None:
    reply = await talk_of("hotel", hours=0.5, free=0.2).say("Do you have a room for tonight, just me?")
    assert reply == "I'm sorry, I don't know which times are free."  # no rooms are kept without a data directory


@pytest.mark.parametrize(
    ("language", "text", "is_unknown"),
    [
        ("en", "Is Doctor Novak in on Tuesday?", True),
        ("en", "Is Doctor Lee in on Tuesday?", False),
        ("en", "Is the doctor in on Tuesday?", False),
        ("en", "This is Doctor Novak, I need an appointment", False),
        ("en", "Is a doctor there Tuesday?", False),
        ("vi", "Bác sĩ Phúc có làm thứ ba không?", True),
        ("vi", "bác sĩ Mai có làm thứ ba không?", False),
        ("vi", "bác sĩ có làm thứ ba không?", False),
    ],
)
def test_somebody_of_the_staff_may_stand_in_no_file(language: str, text: str, *, is_unknown: bool) -> None:
    finder = SlotFinder(AGENTS["clinic"].facts, language)
    assert names_unknown_staff(text, finder.find(text, NOW), finder) is is_unknown


@pytest.mark.parametrize(
    ("said", "kind"),
    [("Is Doctor Novak free on Friday at nine?", "free"), ("I'd like to see Doctor Novak on Friday", "book")],
)
async def test_no_time_is_told_for_somebody_unknown(said: str, kind: str) -> None:
    reply = await talk_of("clinic", **{kind: 0.8, "who": 0.1}).say(said)
    assert "don't know anybody of that name" in reply
    assert "9 a.m." not in reply


async def test_no_booking_begins_for_a_thing_unknown() -> None:
    talk = talk_of("clinic", book=0.8, free=0.1)
    reply = await talk.say("I want to book a tooth extraction on Friday")
    assert "don't know whether we do that" in reply
    assert "Would you like an appointment?" in reply
    assert not talk.state["wish"]["kind"]  # type: ignore[index] # a mapping


async def test_a_wish_for_somebody_who_does_another_thing_says_so() -> None:
    reply = await talk_of("clinic", book=0.8, free=0.1).say("I'd like a crown with Doctor Mai")
    assert "David Lee" in reply
    assert "May I have your name" in reply or "Which of these" in reply


@pytest.mark.parametrize(
    ("before", "said", "code", "never"),
    [
        ({"kind": "unknown", "n_unknown": 1}, "What's the price?", "en", "40"),
        ({"kind": "text:check-in"}, "要加钱吗？", "zh", "280"),
        ({"kind": "unknown", "n_unknown": 1}, "Почём?", "ru", "3500"),
    ],
)
async def test_a_price_without_its_thing_is_of_what_was_asked_about(
    before: dict[str, object], said: str, code: str, never: str
) -> None:
    talk = talk_of("hotel", code, price=0.9, free=0.1)
    talk.state = before
    assert never not in await talk.say(said)


async def test_every_price_is_told_behind_anything() -> None:
    talk = talk_of("hotel", price=0.9, free=0.1)
    talk.state = {"kind": "unknown", "n_unknown": 1}
    assert "40 dollars" in await talk.say("What are your prices?")


@pytest.mark.parametrize(
    ("said", "code", "total"),
    [
        ("How much is a single room for two nights plus three breakfasts?", "en", "104"),
        ("How much is a single room for two nights and breakfast for two people?", "en", "112"),
        ("How much is one night for two adults with breakfast?", "en", ""),
        ("What would two of us pay for a night with breakfast?", "en", ""),
        ("How much is a double room with breakfast?", "en", ""),
        ("Двухместный номер с завтраком сколько стоит?", "ru", ""),
        ("A double room for three nights with breakfast for two, what is the total?", "en", "228"),
        ("phòng đôi với hai phần ăn sáng bao nhiêu tiền", "vi", "1.900.000"),
        ("双人间加两份早餐多少钱", "zh", "532"),
    ],
)
async def test_breakfasts_that_are_counted_are_not_multiplied(said: str, code: str, total: str) -> None:
    reply = await talk_of("hotel", code, price=0.9, free=0.1).say(said)
    assert (total in reply) if total else not any(word in reply for word in ("Together", "Всего"))


async def test_the_length_of_several_is_not_that_of_one() -> None:
    reply = await talk_of("clinic", duration=0.9, free=0.1).say("How long do three fillings take?")
    assert "don't know exactly" in reply


def test_a_tooth_is_no_implant_though_it_sounds_alike() -> None:
    finder = SlotFinder(AGENTS["clinic"].facts, "vi")
    assert finder.find("nhổ một cái răng mất bao nhiêu tiền", NOW).services == ()
    assert [one.id for one in finder.find("trồng răng hết bao nhiêu", NOW).services] == ["implant"]
    assert [one.id for one in finder.find("tẩy chắng răng bao nhiêu", NOW).services] == ["whitening"]


async def test_how_many_people_a_thing_takes_is_not_asked_of_the_staff() -> None:
    talk = talk_of("hotel", "zh", who=0.9, free=0.1)
    assert "阿花" not in await talk.say("家庭房能住几个人？")


@pytest.mark.parametrize(
    ("said", "code", "yes"),
    [
        ("Are you closed right now?", "en", "Yes"),
        ("Bây giờ bên mình đóng cửa chưa em?", "vi", "Dạ có"),
        ("Are you open right now?", "en", ""),
    ],
)
async def test_an_open_house_is_no_yes_to_whether_it_is_closed(said: str, code: str, yes: str) -> None:
    reply = await talk_of("clinic", code, hours=0.9, free=0.1).say(said)
    assert "6" in reply
    assert (yes not in reply) if yes else ("Yes" in reply)


async def test_the_date_of_a_weekday_is_that_of_the_next() -> None:
    assert "December 4" in await talk_of("clinic", today=0.9, free=0.1).say("What's the date on Friday?")


async def test_a_price_of_the_text_before_is_that_text() -> None:
    talk = talk_of("hotel", price=0.9, free=0.1)
    talk.state = {"kind": "text:wifi"}
    assert "Wi-Fi is free" in await talk.say("How much is it?")


async def test_the_hours_of_an_unknown_thing_are_not_those_of_the_desk() -> None:
    talk = talk_of("hotel", "vi", hours=0.9, free=0.1)
    talk.state = {"kind": "unknown", "n_unknown": 1}
    assert "11 giờ tối" not in await talk.say("Mấy giờ mở cửa?")


@pytest.mark.parametrize("said", ["A letter came. Can a person ring me about it?", "A letter came. Repeat that?"])
async def test_a_request_behind_what_is_not_understood_is_heard(said: str) -> None:
    reply = await Talk(agent_of(AGENTS["clinic"])).say(said)
    assert ("put you through" in reply) is ("person" in said)


async def test_a_price_for_one_person_says_so() -> None:
    assert "8 dollars per person" in await talk_of("hotel", price=0.9, free=0.1).say("How much is breakfast?")


async def test_another_service_behind_a_price_is_no_mere_courtesy() -> None:
    talk = talk_of("clinic", thanks=0.4, price=0.3)
    talk.state = {"kind": "price", "service": "checkup"}
    assert "35 dollars" in await talk.say("And a cleaning on top of that?")


@pytest.mark.parametrize(
    ("said", "code"), [("trồng răng implant bao nhiêu", "vi"), ("How much is an implant, a dental implant?", "en")]
)
async def test_two_names_of_one_service_are_that_service(said: str, code: str) -> None:
    finder = SlotFinder(AGENTS["clinic"].facts, code)
    slots = finder.find(said, NOW)
    assert [one.id for one in slots.services] == ["implant"]
    assert not unexplained(slots, slots.services, finder.words.common | {"bao", "nhiêu"})


async def test_a_question_after_somebody_is_none_after_an_appointment() -> None:
    reply = await talk_of("clinic", who=0.34, book=0.28).say("My husband needs a crown, who'd be doing that?")
    assert "David Lee" in reply
