"""The guard takes amounts that follow from the facts, and no others."""

from datetime import datetime

import pytest

from services.nlu.agent.evidence import Evidence
from tests.load.guard import guards

NOW = datetime(2026, 11, 30, 9, 0)
GUARDS = guards()


def passes(agent: str, language: str, asked: str, clause: str) -> bool:
    evidence = Evidence(caller=(asked,), now=NOW, is_written_by_model=True)
    return GUARDS[agent].check(clause, language=language, evidence=evidence).ok


@pytest.mark.parametrize(
    ("agent", "language", "asked", "right", "false"),
    [
        ("clinic", "en", "I need two fillings.", "Two fillings come to 100 dollars.", "Two fillings cost 50 dollars."),
        (
            "clinic",
            "en",
            "What do a crown and whitening cost?",
            "A crown and whitening together are 370 dollars.",
            "A crown and whitening together are 250 dollars.",
        ),
        (
            "clinic",
            "vi",
            "Trám mắc hơn khám bao nhiêu?",
            "Dạ trám răng mắc hơn khám răng 300 nghìn đồng ạ.",
            "Dạ trám răng mắc hơn khám răng 200 nghìn đồng ạ.",
        ),
        (
            "hotel",
            "en",
            "What are two singles for three nights?",
            "Two singles for three nights come to 240 dollars.",
            "Two singles for three nights come to 220 dollars.",
        ),
        ("hotel", "zh", "双人间两晚多少钱?", "两晚一共840元。", "两晚一共800元。"),
        ("clinic", "en", "How much is a filling?", "A filling costs 50 dollars.", "A filling costs 50 euros."),
        (
            "clinic",
            "en",
            "What do they cost?",
            "Whitening is 120 dollars and a check-up is 20 dollars.",
            "Whitening is 20 dollars and a check-up is 120 dollars.",
        ),
    ],
)
def test_a_sum_is_held_against_the_prices(agent: str, language: str, asked: str, right: str, false: str):
    assert passes(agent, language, asked, right)
    assert not passes(agent, language, asked, false)


@pytest.mark.parametrize(
    ("language", "right", "false"),
    [
        ("en", "Check-out is by 12 noon.", "Check-out is by 2 p.m."),
        ("vi", "Dạ trả phòng trước 12 giờ trưa ạ.", "Dạ trả phòng trước 2 giờ chiều ạ."),
        ("ru", "Выезд до двенадцати часов дня.", "Выезд до двух часов дня."),
        ("zh", "请在中午十二点之前退房。", "请在下午两点之前退房。"),
    ],
)
def test_a_time_of_a_text_may_be_said_in_other_words_of_the_same_thing(language: str, right: str, false: str):
    assert passes("hotel", language, "?", right)
    assert not passes("hotel", language, "?", false)


def test_no_free_time_of_a_weekday_is_offered_on_a_holiday():
    assert not passes("clinic", "en", "Do you open on New Year's Day?", "We are open on January 1st from nine.")


def test_nothing_is_said_to_be_included_that_no_fact_includes():
    assert not passes("hotel", "vi", "Có gồm ăn sáng không?", "Dạ giá phòng đã gồm ăn sáng rồi ạ.")
    assert not passes("hotel", "zh", "含早餐吗?", "房价已经包含早餐。")


def test_a_room_is_not_said_to_be_booked_in_chinese():
    assert not passes("hotel", "zh", "我要订五号的房间。", "已经为您订好五号的房间了。")
