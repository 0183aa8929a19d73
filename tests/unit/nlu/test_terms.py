"""Questions about the terms of a booking, which begin none and cancel none."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.terms import asks_for_terms
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.test_strangers import talk_of

AGENTS = read_agents(NluSettings().agents_dir)
NOW = datetime(2026, 11, 30, 10, 30, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        ("cancel", "en", "What happens if I have to call it off?"),
        ("cancel", "en", "can I cancel if my flight is late"),
        ("cancel", "en", "do you charge anything when someone cancels"),
        ("change", "en", "What if I need another day?"),
        ("change", "en", "Suppose I want to move it, is that a problem?"),
        ("book", "en", "Can I come along without an appointment?"),
        ("book", "en", "do I have to pay a deposit when I book"),
        ("advice", "en", "Can I just walk in or do I need to book?"),
        ("cancel", "vi", "lỡ mình không tới được thì sao em"),
        ("cancel", "vi", "huỷ hẹn có bị phạt không"),
        ("change", "vi", "nếu chị muốn dời ngày thì có tốn phí không"),
        ("book", "vi", "không đặt trước có được không em"),
        ("price", "vi", "hủy thì mất bao nhiêu"),
        ("cancel", "ru", "А если мы не приедем?"),
        ("cancel", "ru", "За отмену брони берёте штраф?"),
        ("book", "ru", "Можно приехать без брони?"),
        ("cancel", "zh", "如果取消要扣钱吗"),
        ("change", "zh", "万一要改日期怎么办"),
        ("book", "zh", "不预订可以直接过来吗"),
    ],
)
def test_a_question_about_terms_asks_for_no_deed(kind: str, code: str, text: str) -> None:
    assert _asks(kind, code, text)


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        ("cancel", "en", "If possible I'd like to cancel my appointment."),
        ("cancel", "en", "I was wondering if I could cancel my booking"),
        ("cancel", "en", "Can I cancel my appointment?"),
        ("change", "en", "If I can't come on Friday, can I come on Monday?"),
        ("change", "en", "What if I come on Friday instead?"),
        ("book", "en", "If you have something on Friday, could you book me in?"),
        ("book", "en", "I need to book a cleaning, can you do Friday?"),
        ("change", "vi", "nếu được thì dời qua thứ sáu cho chị nhé"),
        ("cancel", "vi", "huỷ lịch giúp anh được không"),
        ("cancel", "ru", "Если можно, отмените мою бронь, пожалуйста"),
        ("book", "ru", "Можно забронировать номер на завтра?"),
        ("cancel", "zh", "可以的话我想取消预订，行吗"),
        ("book", "zh", "我想订一间房，可以吗"),
    ],
)
def test_a_polite_request_asks_for_its_deed(kind: str, code: str, text: str) -> None:
    assert not _asks(kind, code, text)


def _asks(kind: str, code: str, text: str) -> bool:
    finder = SlotFinder(AGENTS["hotel" if code in ("ru", "zh") else "clinic"].facts, code)
    return asks_for_terms(kind, finder.find(text, NOW), finder, text)


async def test_the_terms_of_a_cancellation_begin_none() -> None:
    talk = talk_of("clinic", cancel=0.8, unknown=0.3)
    assert "I don't know that" in await talk.say("What happens if I have to cancel?")
    assert not talk.state["wish"]["kind"]  # type: ignore[index] # a mapping


async def test_the_terms_of_a_booking_are_one_question_whatever_joins_their_halves() -> None:
    talk = talk_of("clinic", "vi", book=0.8, price=0.3)
    reply = await talk.say("Cho chị hỏi mình hẹn rồi mà muốn huỷ thì có mất tiền không?")
    assert "không rõ" in reply
    assert "chọn giờ" not in reply


async def test_taking_a_booking_off_cancels_it() -> None:
    talk = talk_of("hotel", "ru", book=0.8, cancel=0.3)
    await talk.say("Хочу снять бронь.")
    assert talk.state["wish"]["kind"] == "cancel"  # type: ignore[index] # a mapping
