"""Turns that put an open booking off: what the caller will do later is no slot of it, and nothing is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from services.nlu.agent.graph.asking import UNKNOWN
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.seen import Seen
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.standing import StandingBookings
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.desk import Caller, booked, call, stands

NOW = datetime.fromisoformat("2026-11-30T10:30")  # a Monday
PROFILES = read_agents(NluSettings().agents_dir)
DROPPED = "All right, I'll leave it. Is there anything else?"
READ_BACK = "You'd like cleaning, Tuesday, December 1 at 10 a.m., Anna Bell, 0912 345 678. Shall I book it?"
WISH = Wish("book", service="cleaning", when="then", at="2026-12-01T10:00", name="Ann", phone="0912345678")


@pytest.mark.parametrize(
    "said",
    [
        "No, hold off, I'll phone you on Friday.",
        "Please don't book it just now. I'll ask my mother about the whitening and call you back.",
        "Not just yet, I'm away until Wednesday and I'll let you know.",
        "Oh, leave it. On Friday I'm working.",
    ],
)
async def test_a_refusal_is_no_correction_whatever_it_names(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert await caller.say(said) == DROPPED
        await caller.say("Yes")
    assert booked(tmp_path) == []


async def test_a_refusal_drops_a_booking_before_it_is_read_back(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want an appointment for a cleaning")
        assert await caller.say("I'll have a think and ring back on Friday") == DROPPED


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Don't book that, I've changed my mind: a filling, please.", "You'd like filling, Tuesday"),
        ("Wait, make it a filling please, no cleaning", "You'd like filling, Tuesday"),
        ("Let me check with my boss. Friday is better.", "You'd like cleaning, Friday, December 4 at 9 a.m."),
    ],
)
async def test_what_is_wanted_beside_a_refusal_counts(tmp_path: Path, said: str, wanted: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert (await caller.say(said)).startswith(wanted)
    assert booked(tmp_path) == []


async def test_a_remark_changes_nothing_and_its_yes_is_asked_for_again(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert (await caller.say("Let me check my diary for Friday. Yes, all fine.")).endswith(READ_BACK)
        assert booked(tmp_path) == []
        await caller.say("Yes")
    assert booked(tmp_path) == [("2026-12-01T10:00", "cleaning", "Anna Bell", "0912345678")]


@pytest.mark.parametrize(
    ("language_code", "said", "is_dropped"),
    [
        ("vi", "Chưa em ơi, để anh hỏi mẹ anh rồi thứ sáu anh gọi lại", True),
        ("vi", "Thôi khoan đã, thứ bảy anh mới rảnh", True),
        ("vi", "Khoan đặt, làm thứ sáu nhé", False),
        ("ru", "Нет, пока не записывайте, я в пятницу сама перезвоню", True),
        ("ru", "Мне надо посоветоваться с мужем до субботы", True),
        ("zh", "先别订，我星期五再打给你们", True),
        ("zh", "我要跟家里人商量，星期六给你答复", True),
    ],
)
def test_so_it_is_in_other_languages(language_code: str, said: str, *, is_dropped: bool) -> None:
    profile = PROFILES["clinic" if language_code in PROFILES["clinic"].language_codes else "hotel"]
    finder = SlotFinder(profile.facts, language_code)
    bookings = StandingBookings(profile, language_code, finder, Templates(language_code))
    bookings.see(Seen(free=(NOW, datetime.fromisoformat(WISH.at)), said=said, now=NOW))
    dialogue = Dialogue(wish=replace(WISH, service=profile.facts.services[0].id))
    parts = bookings.as_one(said, (Part(said, UNKNOWN, finder.find(said, NOW)),), dialogue, NOW)
    dropped = [taken for part in parts if (taken := bookings.take(part, dialogue, NOW)) and not taken[2].wish.kind]
    assert bool(dropped) is is_dropped


async def test_what_a_caller_does_behind_a_cancellation_is_no_move(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-01T10:00", name="Anna Bell", phone="0912345678")
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("I must cancel my visit")
        reply = await caller.say("Yes, and I'll make a new appointment on Friday.")
        assert reply.startswith("Your appointment is cancelled")
    assert booked(tmp_path) == []


@pytest.mark.parametrize("said", ["Yes, but I'll think about it", "Yes, I'll ask my mother and ring you on Friday"])
async def test_a_yes_that_puts_a_cancellation_off_cancels_nothing(tmp_path: Path, said: str) -> None:
    stands(tmp_path, "2026-12-01T10:00", name="Anna Bell", phone="0912345678")
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("I must cancel my visit")
        await caller.say(said)
    assert len(booked(tmp_path)) == 1


async def test_another_time_in_place_of_a_cancellation_is_a_move(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-01T10:00", name="Anna Bell", phone="0912345678")
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("I must cancel my visit")
        reply = await caller.say("Oh, do not cancel it, would Friday at nine be possible?")
        assert "Friday, December 4 at 9 a.m. in place of" in reply
        await caller.say("Yes")
    assert [row[0] for row in booked(tmp_path)] == ["2026-12-04T09:00"]
