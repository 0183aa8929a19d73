"""Requests for more than a booking is of: the caller hears it before the read-back; what is added comes behind it."""

from datetime import datetime, time
from pathlib import Path

import pytest

from services.nlu.agent.graph.several import SeveralWanted
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.timed_wishes import bare_hours
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.desk import Caller, booked, call, stands

NOW = datetime.fromisoformat("2026-11-30T10:30")  # a Monday
PROFILES = read_agents(NluSettings().agents_dir)
ROSA = "0912334455"
NOTICE = "Only one appointment at a time, please"


def several(agent: str, language_code: str) -> SeveralWanted:
    return SeveralWanted(SlotFinder(PROFILES[agent].facts, language_code), language_code)


@pytest.mark.parametrize(
    ("agent", "language_code", "said", "is_several"),
    [
        ("hotel", "en", "We'd take five singles from Monday, two nights", True),
        ("hotel", "en", "Thirty doubles for a wedding on Saturday", True),
        ("hotel", "en", "Four rooms for one night, please", True),
        ("hotel", "en", "One double and one single from Monday", True),
        ("hotel", "en", "A double for three nights, for two people", False),
        ("hotel", "en", "A single or a double on the fifth?", False),
        ("hotel", "en", "Not a single, a double", False),
        ("hotel", "en", "Tuesday at two, double room", False),
        ("hotel", "vi", "Lấy cho anh bốn phòng đơn thứ ba", True),
        ("hotel", "vi", "Một phòng đơn với một phòng đôi nha em", True),
        ("hotel", "vi", "Thứ hai phòng đôi hai đêm", False),
        ("hotel", "vi", "Phòng hai giường, ba đêm", False),
        ("hotel", "ru", "Четыре одноместных номера на субботу", True),
        ("hotel", "ru", "Одноместный номер на две ночи", False),
        ("hotel", "zh", "订五间单人间", True),
        ("hotel", "zh", "单人间，住三晚，两个人", False),
        ("clinic", "en", "A check-up each Monday at ten", True),
        ("clinic", "en", "Three appointments on Friday", True),
        ("clinic", "en", "A cleaning for me and my brother", True),
        ("clinic", "en", "A cleaning for my brother at two", False),
        ("clinic", "en", "Friday at nine, then", False),
        ("clinic", "vi", "Khám răng cho năm người", True),
        ("clinic", "vi", "Tuần nào cũng khám thứ ba", True),
        ("clinic", "vi", "Trám hai cái răng thứ ba lúc hai giờ", False),
    ],
)
def test_more_than_one_booking_is_wanted(agent: str, language_code: str, said: str, is_several: bool) -> None:
    assert several(agent, language_code).is_in(said, NOW) is is_several


async def test_the_caller_hears_that_one_goes_at_a_time(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        assert (await caller.say("I want an appointment for a cleaning for two people")).startswith(NOTICE)
        assert NOTICE not in await caller.say("Tuesday")
        assert (await caller.say("Anna Bell, each Tuesday")).startswith(NOTICE)


async def test_one_more_beside_a_yes_comes_behind_what_was_read_back(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        said = await caller.say("Yes, and a filling appointment for my son on Friday as well.")
        assert said.startswith("Your appointment is booked: Tuesday, December 1 at 10 a.m.")
        assert booked(tmp_path) == [("2026-12-01T10:00", "cleaning", "Anna Bell", "0912345678")]
        assert "name" in said


async def test_one_more_without_a_yes_changes_nothing_of_what_was_read_back(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        said = await caller.say("Another appointment on Friday for my son.")
        assert "cleaning, Tuesday, December 1 at 10 a.m., Anna Bell" in said
    assert booked(tmp_path) == []


@pytest.mark.parametrize("said", ["Yes, could you hold it for me until Friday?", "Can you keep the slot until Friday?"])
async def test_a_day_until_which_it_is_to_be_held_is_none_of_the_booking(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert "cleaning, Tuesday, December 1 at 10 a.m., Anna Bell" in await caller.say(said)
    assert booked(tmp_path) == []


async def test_a_day_that_is_named_limits_all(tmp_path: Path) -> None:
    async with call(tmp_path, caller=ROSA) as rig:
        for starts in ("2026-12-01T10:00", "2026-12-04T09:00"):
            stands(tmp_path, starts, name="Rosa Lind", phone=ROSA)
        caller = Caller(rig)
        assert "Tuesday, December 1" in await caller.say("Please cancel all my appointments of Tuesday")
        said = await caller.say("Yes")
        assert said == "Your appointment is cancelled: Tuesday, December 1 at 10 a.m. Is there anything else?"


async def test_an_appointment_that_is_told_before_it_is_moved_is_no_second_wish(tmp_path: Path) -> None:
    async with call(tmp_path, caller=ROSA) as rig:
        stands(tmp_path, "2026-12-01T10:00", name="Rosa Lind", phone=ROSA)
        caller = Caller(rig)
        said = await caller.say("I have an appointment on Tuesday. Please move it to Friday at nine.")
        assert "Friday, December 4 at 9 a.m. in place of Tuesday" in said
        assert (await caller.say("Yes")).endswith("9 a.m. Is there anything else?")


@pytest.mark.parametrize("said", ["The surname's wrong, it's Anna Hall.", "The name isn't right. It's Anna Hall."])
async def test_the_name_behind_one_that_is_wrong_is_taken(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert "cleaning, Tuesday, December 1 at 10 a.m., Anna Hall" in await caller.say(said)
    assert booked(tmp_path) == []


async def test_another_time_behind_a_booking_moves_it(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("Yes")
        assert "Friday, December 4 at 9 a.m. in place of Tuesday" in await caller.say("Oh, make that Friday at nine.")
        await caller.say("Yes")
    assert [row[0] for row in booked(tmp_path)] == ["2026-12-04T09:00"]


async def test_a_question_for_the_hour_of_the_told_appointment_is_told_it_again(tmp_path: Path) -> None:
    async with call(tmp_path, caller=ROSA) as rig:
        stands(tmp_path, "2026-12-04T09:00", name="Rosa Lind", phone=ROSA)
        caller = Caller(rig)
        await caller.say("When is my appointment?")
        said = await caller.say("Is it at ten?")
    assert said == "Your appointment is Friday, December 4 at 9 a.m. Is there anything else?"


@pytest.mark.parametrize(("said", "first"), [("chín rưỡi", (9, 30)), ("hai rưỡi", (2, 30)), ("chín", (9, 0))])
def test_a_half_behind_a_bare_hour_counts(said: str, first: tuple[int, int]) -> None:
    assert bare_hours(said, "vi")[0] == time(*first)
