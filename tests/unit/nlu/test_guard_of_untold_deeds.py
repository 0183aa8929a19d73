"""A deed that nothing speaks for is stopped in words without a verb of it, and of others than the agent."""

import pytest

from tests.unit.nlu.test_guard_of_deeds import rule


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("That's done, the suite is now yours.", "en"),
        ("It's settled.", "en"),
        ("The slot has been set aside.", "en"),
        ("Your cab has set off.", "en"),
        ("A colleague is ringing you this minute.", "en"),
        ("The shuttle is on the way to you.", "en"),
        ("Dạ chỗ đó thuộc về chị ạ.", "vi"),
        ("Dạ suất này đứng tên anh ạ.", "vi"),
        ("Dạ tài xế đang qua đón anh ạ.", "vi"),
        ("Dạ xe xuất phát rồi ạ.", "vi"),
        ("Место ваше.", "ru"),
        ("Всё улажено.", "ru"),
        ("Водитель едет к вам.", "ru"),
        ("Такси уже в пути.", "ru"),
        ("这个位子是您的了。", "zh"),
        ("办妥了。", "zh"),
        ("师傅正在赶来。", "zh"),
        ("车去接您了。", "zh"),
        ("花已经给您送好了。", "zh"),
    ],
)
def test_a_deed_is_claimed_without_its_verb(clause: str, code: str) -> None:
    agent = "clinic" if code == "vi" else "hotel"
    assert rule(clause, agent, code, caller=("Book it." if code == "en" else "",)) == "deed"


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("You can call on your way here.", "en"),
        ("Is it settled then?", "en"),
        ("It is not done yet.", "en"),
        ("Dạ chưa xong ạ.", "vi"),
        ("Номер ещё не готов.", "ru"),
        ("还没办好。", "zh"),
    ],
)
def test_a_deed_that_is_denied_or_asked_is_none(clause: str, code: str) -> None:
    assert rule(clause, "clinic" if code in ("en", "vi") else "hotel", code) != "deed"


@pytest.mark.parametrize(
    ("clause", "asked", "code"),
    [
        ("No appointment is needed for a filling.", "Must I book for a filling?", "en"),
        ("You won't feel anything.", "Does a filling hurt?", "en"),
        ("Dạ trám răng không cần đặt trước ạ.", "Trám răng có cần đặt không?", "vi"),
    ],
)
def test_what_no_fact_bears_out_is_not_assured(clause: str, asked: str, code: str) -> None:
    assert rule(clause, "clinic", code, caller=(asked,)) == "assurance"


@pytest.mark.parametrize(
    ("clause", "code", "broken"),
    [
        ("У нас есть двухместные номера и апартаменты.", "ru", "thing"),
        ("На крыше находится бассейн.", "ru", "thing"),
        ("我们有双人间、单人间和家庭套间。", "zh", "thing"),
        ("酒店设有健身中心。", "zh", "thing"),
        ("У нас есть двухместные номера.", "ru", ""),
        ("К вашим услугам одноместные и двухместные номера.", "ru", ""),
        ("我们提供早餐和洗衣服务。", "zh", ""),
        ("Бассейн? К сожалению, не знаю, есть ли он у нас.", "ru", ""),
    ],
)
def test_nothing_is_there_that_no_fact_has(clause: str, code: str, broken: str) -> None:
    assert rule(clause, "hotel", code, caller=({"ru": "Что у вас есть?", "zh": "你们有什么？"}[code],)) == broken


@pytest.mark.parametrize(
    ("clause", "ordered", "code"),
    [
        ("Right, you're on Friday now.", "Please move me to Friday.", "en"),
        ("The dentist knows about it.", "Tell the dentist I'll be late.", "en"),
        ("Your old one is gone.", "Cancel my appointment.", "en"),
        ("Dạ thứ Sáu ổn rồi ạ.", "Dời qua thứ Sáu giúp anh.", "vi"),
        ("Dạ lễ tân nắm rồi ạ.", "Báo lễ tân giúp anh.", "vi"),
        ("Врач в курсе.", "Предупредите врача.", "ru"),
        ("Записи больше нет.", "Отмените запись.", "ru"),
        ("医生已经知道了。", "告诉医生我晚到。", "zh"),
        ("好了，改到周五了。", "帮我改到周五。", "zh"),
    ],
)
def test_what_was_ordered_is_not_told_as_done_by_now(clause: str, ordered: str, code: str) -> None:
    agent = "hotel" if code in ("ru", "zh") else "clinic"
    given = {"caller": (ordered,), "is_written_by_model": True}
    assert rule(clause, agent, code, **given) == "deed"
    assert rule(clause, agent, code, **given, done=frozenset({"clinic_move", "clinic_cancel", "notify"})) != "deed"


@pytest.mark.parametrize(
    ("clause", "ordered", "code"),
    [
        ("I can't do that from here now.", "Please move me to Friday.", "en"),
        ("Dạ em hiểu rồi ạ.", "Dời qua thứ Sáu giúp anh.", "vi"),
        ("Dạ thứ Sáu kín rồi ạ.", "Đặt thứ Sáu giúp anh.", "vi"),
        ("我明白了。", "帮我改到周五。", "zh"),
    ],
)
def test_an_order_that_is_understood_or_cannot_be_met_is_not_told_as_done(clause: str, ordered: str, code: str) -> None:
    agent = "hotel" if code == "zh" else "clinic"
    assert rule(clause, agent, code, caller=(ordered,), is_written_by_model=True) != "deed"
