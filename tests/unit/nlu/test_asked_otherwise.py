"""Questions in words of another kind: a word that decides what is asked wins over a kind that is likelier."""

from __future__ import annotations

import pytest

from tests.unit.nlu.test_strangers import talk_of


@pytest.mark.parametrize(
    ("said", "code", "rate"),
    [
        ("How much is a single for the weekend?", "en", "40 dollars a night"),
        ("Phòng đôi từ thứ hai tới thứ năm bao nhiêu tiền?", "vi", "1.500.000 đồng mỗi đêm"),
        ("Сколько стоит одноместный с пятницы по воскресенье?", "ru", "3500 рублей за ночь"),
        ("单人间从周五到周一多少钱", "zh", "每晚280元"),
        ("How much is the transfer for six of us?", "en", "15 dollars per trip"),
        ("How much is the transfer for three?", "en", "15 dollars per trip"),
    ],
)
async def test_a_price_is_told_with_what_it_is_for_one_of(said: str, code: str, rate: str) -> None:
    reply = await talk_of("hotel", code, price=0.9, free=0.1).say(said)
    assert rate in reply
    assert "Together" not in reply


async def test_what_a_room_and_its_nights_come_to_is_a_price() -> None:
    talk = talk_of("hotel", unknown=0.6, price=0.2)
    assert "40 dollars a night" in await talk.say("what's a single from the 3rd to the 6th of December")


async def test_what_a_number_of_people_come_to_is_a_price() -> None:
    talk = talk_of("clinic", who=0.48, price=0.3)
    assert "60 dollars" in await talk.say("If I bring all three kids in for a check-up, what am I looking at?")


async def test_a_word_of_money_asks_for_a_price_and_for_nobody() -> None:
    talk = talk_of("clinic", "vi", who=0.6, price=0.3)
    assert "200.000" in await talk.say("khám tổng quát có mất tiền không")


async def test_a_word_that_compares_names_what_is_compared() -> None:
    reply = await talk_of("clinic", duration=0.3, price=0.28).say("Which one is dearer, the crown or the implant?")
    assert "250 dollars" in reply
    assert "takes" not in reply


async def test_the_cheapest_for_a_night_is_a_room() -> None:
    assert "single room" in await talk_of("hotel", price=0.6, free=0.1).say("what's the cheapest thing for one night")


async def test_an_unknown_room_is_compared_with_none() -> None:
    talk = talk_of("hotel", price=0.6, free=0.1)
    assert "40" not in await talk.say("your cheapest room for two nights or the family room for one?")


@pytest.mark.parametrize(("said", "code"), [("Is he in on Mondays?", "en"), ("Cô ấy thứ bảy có làm không?", "vi")])
async def test_the_hours_of_the_house_are_those_of_no_person(said: str, code: str) -> None:
    reply = await talk_of("clinic", code, hours=0.8, free=0.1).say(said)
    assert not {"8", "9"} & set(reply)


async def test_a_number_behind_a_length_asks_no_price() -> None:
    talk = talk_of("clinic", price=0.5, free=0.1)
    talk.state = {"kind": "duration", "service": "filling"}
    reply = await talk.say("and two of them")
    assert "don't know exactly" in reply
    assert "dollars" not in reply


@pytest.mark.parametrize(
    ("agent", "said", "code", "before", "total"),
    [
        ("clinic", "for the four of us", "en", {"kind": "price", "service": "checkup"}, "80"),
        ("hotel", "那我们四个人呢", "zh", {"kind": "price", "service": "breakfast"}, "224"),
    ],
)
async def test_a_number_of_people_goes_on_with_a_price(
    agent: str, said: str, code: str, before: dict[str, object], total: str
) -> None:
    talk = talk_of(agent, code, unknown=0.5, price=0.1)
    talk.state = before
    assert total in await talk.say(said)


async def test_a_room_with_a_property_is_not_answered_with_the_rooms() -> None:
    assert "single" not in await talk_of("hotel", unknown=0.5, free=0.1).say("Which of your rooms is the biggest?")


@pytest.mark.parametrize(
    ("said", "code"), [("what's a cab from the airport cost", "en"), ("đi taxi từ sân bay về hết bao nhiêu tiền", "vi")]
)
async def test_a_text_without_a_price_says_so_where_one_is_asked(said: str, code: str) -> None:
    reply = await talk_of("hotel", code, **{"text:from-the-airport": 0.8, "price": 0.3}).say(said)
    assert "40" in reply
    assert "don't know exactly" in reply or "không rõ" in reply


async def test_a_service_that_is_asked_for_is_known_however_strange_the_sentence() -> None:
    assert "airport transfer" in await talk_of("hotel", unknown=0.9, free=0.1).say("Do you have a shuttle?")


async def test_a_person_is_no_language_of_the_agent() -> None:
    talk = talk_of("clinic", language=0.9, free=0.1)
    assert "I don't know that" in await talk.say("Does Doctor Lee speak Vietnamese?")


async def test_what_both_come_to_is_one_question() -> None:
    talk = talk_of("clinic", price=0.9, free=0.1)
    reply = await talk.say("I'd need two crowns and a cleaning, what would that set me back?")
    assert "Together that is 535 dollars" in reply


@pytest.mark.parametrize("said", ["Half past two on Wednesday, please.", "I need a filling. Wednesday around two?"])
async def test_a_moment_that_is_wanted_is_no_question_after_hours(said: str) -> None:
    talk = talk_of("clinic", hours=0.5, price=0.3)
    await talk.say(said)
    assert talk.state["wish"]["kind"] == "book"  # type: ignore[index] # a mapping


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("could we squeeze in between two of them", "book"),
        ("If the crown breaks within a year, is that on me?", "price"),
    ],
)
async def test_what_is_only_a_little_like_a_kind_is_unknown(said: str, kind: str) -> None:
    assert "I don't know that" in await talk_of("clinic", **{kind: 0.2, "duration": 0.2}).say(said)


@pytest.mark.parametrize("kind", ["hours", "free"])
@pytest.mark.parametrize(
    ("said", "code"),
    [("cô đó thứ sáu có ở đó không", "vi"), ("is it the man doctor or the lady doctor on Friday", "en")],
)
async def test_no_day_of_the_house_is_that_of_somebody(said: str, code: str, kind: str) -> None:
    reply = await talk_of("clinic", code, **{kind: 0.8, "who": 0.1}).say(said)
    assert "don't know" in reply or "không rõ" in reply


async def test_a_room_that_is_left_on_a_day_is_no_price() -> None:
    reply = await talk_of("hotel", "vi", price=0.8, free=0.1).say("Còn phòng đơn thứ bảy này không em?")
    assert "đồng" not in reply


async def test_two_things_held_against_each_other_by_what_no_fact_has_make_no_sum() -> None:
    reply = await talk_of("clinic", "vi", price=0.8, free=0.1).say("Trám với bọc sứ cái nào bền hơn?")
    assert "Tổng cộng" not in reply
