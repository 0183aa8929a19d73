"""What a text of the facts denies is not allowed by a model, in any language and whatever words it uses."""

import pytest

from tests.unit.nlu.test_guard_of_right_clauses import model

ASKED = {
    "en": "Can I bring my dog?",
    "vi": "Mang chó theo được không?",
    "ru": "Можно с собакой?",
    "zh": "可以带狗吗？",
}


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("We don't mind dogs at all.", "en"),
        ("Your dog is no trouble.", "en"),
        ("Dogs are welcome, but not in the restaurant.", "en"),
        ("Dạ, mang chó theo không sao đâu ạ.", "vi"),
        ("С собакой нет проблем.", "ru"),
        ("Мы не против собак.", "ru"),
        ("Мы не против кошек.", "ru"),
        ("Конечно, приезжайте с собакой.", "ru"),
        ("Собаки разрешены.", "ru"),
        ("Да.", "ru"),
        ("带狗没问题。", "zh"),
        ("小狗可以进房间。", "zh"),
        ("小型犬可以的。", "zh"),
        ("可以的。", "zh"),
    ],
)
def test_a_denied_thing_is_not_allowed(clause: str, code: str) -> None:
    assert model(clause, ASKED[code], code, "hotel") != ""


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("I'm sorry, dogs are not allowed.", "en"),
        ("Dạ, bên em không nhận chó mèo ạ.", "vi"),
        ("С собаками, к сожалению, нельзя.", "ru"),
        ("Извините, кошек мы не принимаем.", "ru"),
        ("对不起，不能带狗。", "zh"),
        ("很抱歉，我们酒店不允许携带宠物。", "zh"),
    ],
)
def test_a_denied_thing_is_denied(clause: str, code: str) -> None:
    assert model(clause, ASKED[code], code, "hotel") == ""


def test_a_question_without_a_word_of_asking_asks_for_a_yes() -> None:
    assert model("Да.", "Собаку можно?", "ru", "hotel") == "affirmed_denied"
    assert model("Да.", "Wi-Fi в номере есть?", "ru", "hotel") == ""


@pytest.mark.parametrize(
    ("clause", "asked", "code", "broken"),
    [
        ("I'm not sure about that, but we usually accept cards.", "Do you take cards?", "en", "thing"),
        ("I don't know that price, but the dentist can tell you.", "How much is an implant?", "en", ""),
        ("I don't have the price, but an implant is 900 dollars.", "How much is an implant?", "en", "price"),
        ("Dạ em không chắc ạ, nhưng bên em nhận thẻ ạ.", "Có quẹt thẻ không?", "vi", "thing"),
        ("I haven't been told anything about walk-ins.", "Do you take walk-ins?", "en", ""),
        ("I'm not certain how payment works here.", "How do I pay?", "en", ""),
        ("We have nothing but the newest x-rays.", "Do you x-ray?", "en", "thing"),
    ],
)
def test_what_stands_behind_i_do_not_know_is_held_to_the_facts(clause: str, asked: str, code: str, broken: str) -> None:
    assert model(clause, asked, code) == broken


def test_i_have_no_information_about_something_is_said_in_chinese() -> None:
    assert model("抱歉，我没有关于游泳池的信息。", "有游泳池吗？", "zh", "hotel") == ""
    assert model("我们有关于游泳池的信息。", "有游泳池吗？", "zh", "hotel") == "thing"


@pytest.mark.parametrize(
    ("clause", "asked", "code", "broken"),
    [
        ("Спортзал у нас на третьем этаже.", "Есть спортзал?", "ru", "thing"),
        ("Про спортзал я, к сожалению, не знаю.", "Есть спортзал?", "ru", ""),
        ("Курить можно на балконе.", "Где курить?", "ru", "thing"),
        ("Заехать можно с 14:00.", "Когда можно заехать?", "ru", ""),
        ("餐厅就在大堂旁边。", "有餐厅吗？", "zh", "thing"),
        ("阳台上可以抽烟。", "哪里抽烟？", "zh", "thing"),
        ("对不起，这个我不清楚。", "有餐厅吗？", "zh", ""),
    ],
)
def test_nothing_is_said_of_a_thing_that_no_fact_has_where_the_world_is_open(
    clause: str, asked: str, code: str, broken: str
) -> None:
    assert model(clause, asked, code, "hotel") == broken
