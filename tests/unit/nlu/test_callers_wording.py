"""Questions as callers word them: counts that follow, oaths, strangers, holidays, in the languages of the hotel."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.nlu.agent.evidence import Evidence
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.follow_ups import follow_up_kind
from services.nlu.agent.graph.naming import places_of
from services.nlu.agent.graph.sentences import splits, without_oaths, without_preamble
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.strangers import asks_whether_there_is, names_a_stranger
from services.nlu.agent.guarding import guard_of
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.settings import NluSettings

NOW = datetime(2026, 11, 30, 9, 0)
PRICED = Dialogue(kind="price", service="double")


@pytest.fixture(scope="module")
def hotel() -> AgentProfile:
    return read_agents(NluSettings().agents_dir)["hotel"]


@pytest.mark.parametrize(
    ("language", "text", "nights"),
    [("en", "and for three nights?", 3), ("vi", "Thế hai đêm thì sao?", 2), ("zh", "那住三晚呢？", 3)],
)
def test_nights_alone_ask_for_the_price_of_what_was_spoken_of(
    hotel: AgentProfile, language: str, text: str, nights: int
) -> None:
    finder = SlotFinder(hotel.facts, language)
    slots = finder.find(text, NOW)
    assert slots.periods == {"night": nights}
    assert follow_up_kind(slots, finder, PRICED) == "price"
    assert follow_up_kind(slots, finder, Dialogue()) != "price"


def test_a_bare_number_counts_what_was_spoken_of(hotel: AgentProfile) -> None:
    finder = SlotFinder(hotel.facts, "en")
    assert finder.find("times three?", NOW).n_bare == 3
    assert finder.find("at three tomorrow?", NOW).n_bare == 0
    assert finder.find("three double rooms?", NOW).n_bare == 0


@pytest.mark.parametrize(
    ("language", "text", "plain"),
    [
        ("en", "What's your damn phone number?", "What's your phone number?"),
        ("vi", "Mẹ kiếp, nhà hàng mở mấy giờ?", "nhà hàng mở mấy giờ?"),
        ("zh", "他妈的，早餐到底多少钱？", "早餐到底多少钱？"),
        ("en", "Damn it!", "Damn it!"),
    ],
)
def test_oaths_make_no_question_another(hotel: AgentProfile, language: str, text: str, plain: str) -> None:
    assert without_oaths(text, SlotFinder(hotel.facts, language).words.oaths, language) == plain


def test_a_preamble_of_a_script_without_spaces_is_left_out(hotel: AgentProfile) -> None:
    preambles = SlotFinder(hotel.facts, "zh").words.preambles
    assert without_preamble("请问双人间一晚多少钱", preambles, "zh") == "双人间一晚多少钱"


def test_a_joint_inside_a_short_question_joins_nothing(hotel: AgentProfile) -> None:
    words = SlotFinder(hotel.facts, "zh").words
    assert splits("午夜的时候前台还有人吗", words, "zh") == []
    assert ("双人间多少钱", "早餐几点开始") in splits("双人间多少钱还有早餐几点开始", words, "zh")


@pytest.mark.parametrize(
    ("language", "text", "halves"),
    [
        ("vi", "Trưa thứ tư còn giờ nào không chị?", []),
        ("vi", "Em bọc răng sứ tuần trước vẫn còn ê thì làm sao?", []),
        ("vi", "Cuối tuần này bên mình còn phòng gia đình không?", []),
        ("vi", "Phòng đơn giá sao còn phòng gia đình thì sao?", ["Phòng đơn giá sao"]),
        ("zh", "后天晚上你们还有房间可以订吗", []),
    ],
)
def test_what_is_still_there_is_no_second_question(
    hotel: AgentProfile, language: str, text: str, halves: list[str]
) -> None:
    words = SlotFinder(hotel.facts, language).words
    assert [left for left, _ in splits(text, words, language)] == halves


@pytest.mark.parametrize(
    "text", ["Can you pick us up at the airport?", "could somebody pick me up from your airport", "airport pickup?"]
)
def test_small_words_inside_a_long_name_may_be_others(hotel: AgentProfile, text: str) -> None:
    assert [one.id for one in SlotFinder(hotel.facts, "en").find(text, NOW).services] == ["transfer"]


def test_a_short_name_needs_each_of_its_words() -> None:
    common = frozenset({"up", "on", "the"})
    assert places_of(("check", "the", "room"), ("check", "up"), common) == []


@pytest.mark.parametrize(
    ("language", "text", "is_asked"),
    [
        ("vi", "Bên mình có hồ bơi không, mở cửa đến mấy giờ?", True),
        ("en", "is there a pool", True),
        ("en", "is there breakfast", False),
    ],
)
def test_a_thing_that_is_not_known_is_told_by_how_it_is_asked_for(
    hotel: AgentProfile, language: str, text: str, *, is_asked: bool
) -> None:
    finder = SlotFinder(hotel.facts, language)
    assert asks_whether_there_is(finder.find(text, NOW), finder) is is_asked


@pytest.mark.parametrize(
    ("language", "text", "is_stranger"),
    [
        ("en", "Has Mr Brown checked out?", True),
        ("en", "When do I check out?", False),
        ("vi", "Cô Lan đã trả phòng chưa em?", True),
        ("vi", "Chị muốn trả phòng trễ", False),
        ("vi", "chị Hoa có trả phòng giúp không", False),
        ("zh", "史密斯先生退房了吗", True),
    ],
)
def test_somebody_who_is_no_member_of_staff_is_a_stranger(
    hotel: AgentProfile, language: str, text: str, *, is_stranger: bool
) -> None:
    finder = SlotFinder(hotel.facts, language)
    assert names_a_stranger(text, finder.find(text, NOW), finder.words.titles, language) is is_stranger


@pytest.mark.parametrize(
    ("language", "asked", "reply"),
    [
        ("en", "Are you open during Tet?", "I'm sorry, we are closed on Lunar New Year."),
        ("ru", "Вы работаете на Тет?", "К сожалению, Лунный Новый год – выходной, мы закрыты."),
        ("zh", "春节你们营业吗？", "对不起，春节我们休息。"),
    ],
)
def test_a_holiday_is_the_one_of_the_file(hotel: AgentProfile, language: str, asked: str, reply: str) -> None:
    guard = guard_of(hotel)
    evidence = Evidence(caller=(asked,), now=NOW)
    assert guard.check(reply, language=language, evidence=evidence).ok
    false = {
        "en": "Yes, we are open on Lunar New Year.",
        "ru": "В Лунный Новый год мы открыты.",
        "zh": "春节我们营业。",
    }
    assert not guard.check(false[language], language=language, evidence=evidence).ok


def test_an_appointment_needs_a_result_that_tells_it() -> None:
    guard = guard_of(read_agents(NluSettings().agents_dir)["clinic"])
    reply = "Your appointment is on Tuesday at 10 a.m."
    told = Evidence(caller=("When is my appointment?",), now=NOW, is_written_by_model=True)
    assert guard.check(reply, language="en", evidence=told).rule == "appointment"
    asked = "So your appointment is on Tuesday at 10 a.m., is that right?"
    assert guard.check(asked, language="en", evidence=told).ok


def test_a_holiday_that_is_past_is_told_with_its_line_and_field(tmp_path: Path) -> None:
    written = (NluSettings().agents_dir / "clinic.yaml").read_text(encoding="utf-8")
    past = written.replace("date: 2027-01-01", "date: 2020-01-01")
    (tmp_path / "clinic.yaml").write_text(past, encoding="utf-8")
    line = next(n for n, text in enumerate(past.splitlines(), start=1) if "2020-01-01" in text)
    with capture_logs() as logs:
        read_agents(tmp_path)
    told = [entry["hint"] for entry in logs if entry["event"] == "exception_past" and entry["date"] == "2020-01-01"]
    assert len(told) == 1
    assert told[0].startswith(f"line {line}: facts.hours.exceptions.1.date")


def test_hours_of_a_part_of_the_house_yield_to_a_text_of_the_file(hotel: AgentProfile) -> None:
    assert SlotFinder(hotel.facts, "en").has_hours_of_a_part
    clinic = read_agents(NluSettings().agents_dir)["clinic"]
    assert not SlotFinder(clinic.facts, "en").has_hours_of_a_part
