"""Sums of the caller's money, for how many and how long: the guard itself computes them."""

import pytest

from tests.unit.nlu.test_guard_of_right_clauses import model

ENOUGH = "I've got 40 dollars, is that enough for a cleaning?"


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent", "broken"),
    [
        ("Yes.", ENOUGH, "en", "clinic", ""),
        ("Yes.", "I've got 30 dollars, is that enough for a cleaning?", "en", "clinic", "affirmed_price"),
        ("Yes.", "I've got 40 dollars, is that enough for two cleanings?", "en", "clinic", "affirmed_price"),
        ("Yes.", "I've got 40 dollars, is that enough for an implant?", "en", "clinic", "affirmed_price"),
        ("A cleaning is 35 dollars, so 5 dollars are left.", ENOUGH, "en", "clinic", ""),
        ("A cleaning is 35 dollars, so 15 dollars are left.", ENOUGH, "en", "clinic", "price"),
        ("A cleaning is 5 dollars.", ENOUGH, "en", "clinic", "price"),
        ("Dạ khám răng 200 nghìn, chị còn dư 300 nghìn ạ.", "Chị có 500 nghìn, khám đủ không?", "vi", "clinic", ""),
        (
            "Dạ khám răng 200 nghìn, chị còn dư 400 nghìn ạ.",
            "Chị có 500 nghìn, khám đủ không?",
            "vi",
            "clinic",
            "price",
        ),
        ("A cleaning is 35 dollars each, so 70 dollars for the two of you.", "For us?", "en", "clinic", ""),
        ("A cleaning is 35 dollars each, so 105 dollars for the two of you.", "For us?", "en", "clinic", "price"),
        ("Breakfast for two for four days is 64 dollars.", "Four nights, breakfast for two?", "en", "hotel", ""),
        ("Breakfast for two for six days is 64 dollars.", "Four nights, breakfast for two?", "en", "hotel", "duration"),
    ],
)
def test_money_of_the_caller_is_reckoned(clause: str, asked: str, code: str, agent: str, broken: str) -> None:
    assert model(clause, asked, code, agent) == broken


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent", "broken"),
    [
        ("The cleaning is cheaper by 15 dollars.", "Which is cheaper, a cleaning or a filling?", "en", "clinic", ""),
        (
            "The cleaning is cheaper by 35 dollars.",
            "Which is cheaper, a cleaning or a filling?",
            "en",
            "clinic",
            "price",
        ),
        ("Dạ lấy cao răng rẻ hơn 350 nghìn ạ.", "Lấy cao răng với trám răng cái nào rẻ?", "vi", "clinic", "price"),
        ("Завтрак дешевле на 700 рублей.", "Что дешевле, завтрак или трансфер?", "ru", "hotel", "price"),
        (
            "The cleaning is cheaper, it is 35 dollars.",
            "Which is cheaper, a cleaning or a filling?",
            "en",
            "clinic",
            "",
        ),
    ],
)
def test_what_two_prices_are_apart_is_no_price_of_one(
    clause: str, asked: str, code: str, agent: str, broken: str
) -> None:
    assert model(clause, asked, code, agent) == broken
