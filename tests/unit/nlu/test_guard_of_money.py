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
        ("Breakfast for two for six days is 64 dollars.", "Four nights, breakfast for two?", "en", "hotel", "price"),
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


@pytest.mark.parametrize(
    ("clause", "asked", "code", "agent", "broken"),
    [
        ("Yes, it is.", "Is the crown over 200?", "en", "clinic", ""),
        ("Yes, it is.", "Is the crown over 300?", "en", "clinic", "affirmed_price"),
        ("Yes, a filling is 50 dollars.", "Is a filling less than 60 dollars?", "en", "clinic", ""),
        ("Yes.", "Is a filling less than 50 dollars?", "en", "clinic", "affirmed_price"),
        ("A filling is over 60 dollars.", "What is a filling?", "en", "clinic", "price"),
        ("Yes, it's thirty-five dollars.", "Is a cleaning more than thirty?", "en", "clinic", ""),
        ("Dạ có ạ.", "Trám răng có hơn 400 nghìn không?", "vi", "clinic", ""),
        ("Dạ có ạ.", "Trám răng có hơn 600 nghìn không?", "vi", "clinic", "affirmed_price"),
        ("Dạ, tổng cộng bọc hai cái răng sứ là 6 triệu đồng ạ.", "Bọc hai cái răng sứ?", "vi", "clinic", ""),
        ("Dạ, tổng cộng bọc hai cái răng sứ là 3 triệu đồng ạ.", "Bọc hai cái răng sứ?", "vi", "clinic", "price"),
        ("За три ночи выйдет 10500 рублей.", "Сколько стоят три ночи в одноместном номере?", "ru", "hotel", ""),
        ("За три ночи выйдет 10400 рублей.", "Сколько стоят три ночи в одноместном номере?", "ru", "hotel", "price"),
        ("We offer free Wi-Fi throughout the hotel.", "Do you have Wi-Fi?", "en", "hotel", ""),
        ("We offer free laundry.", "Do you have laundry?", "en", "hotel", "price"),
        ("It takes an hour.", "Is whitening quick?", "en", "clinic", ""),
        ("It takes half an hour.", "Is whitening quick?", "en", "clinic", "duration"),
        ("The transfer is $15 per trip, and the ride takes about 40 minutes.", "The airport?", "en", "hotel", ""),
        (
            "The transfer is $15 per trip, and the ride takes about 30 minutes.",
            "The airport?",
            "en",
            "hotel",
            "duration",
        ),
    ],
)
def test_an_amount_of_the_question_is_compared_and_one_of_the_answer_is_held(
    clause: str, asked: str, code: str, agent: str, broken: str
) -> None:
    assert model(clause, asked, code, agent) == broken
