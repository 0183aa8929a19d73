"""A caller who narrows the times down turn by turn is told times that fit everything they said."""

from pathlib import Path

import pytest

from tests.unit.nlu.desk import Caller, call, clinic_with_many_times, stands


async def test_an_hour_of_a_week_is_told_for_each_day_of_it(tmp_path: Path) -> None:
    async with call(tmp_path, agents_dir=clinic_with_many_times(tmp_path)) as rig:
        caller = Caller(rig)
        await caller.say("An appointment for a check-up next week, please.")
        said = await caller.say("An appointment at three o'clock.")
        assert "at 3 p.m." in said
        assert "at 9 a.m." not in said
        assert (await caller.say("An appointment on Tuesday.")).endswith("May I have your name, please?")


async def test_another_day_keeps_the_part_of_the_day(tmp_path: Path) -> None:
    async with call(tmp_path, agents_dir=clinic_with_many_times(tmp_path)) as rig:
        caller = Caller(rig)
        await caller.say("An appointment for a check-up on Tuesday afternoon, please.")
        said = await caller.say("An appointment on Thursday would be better.")
        assert "Thursday, December 3 at 2 p.m." in said
        assert "a.m." not in said


@pytest.mark.parametrize(
    "wish",
    [
        "Move my Friday morning appointment to four that afternoon, please.",
        "Please move my Friday morning appointment to four in the afternoon.",
    ],
)
async def test_an_hour_of_that_afternoon_is_a_time(tmp_path: Path, wish: str) -> None:
    stands(tmp_path, "2026-12-04T09:00", name="Anna Bell", phone="0912345678")
    async with call(tmp_path, caller="0912345678", agents_dir=clinic_with_many_times(tmp_path)) as rig:
        said = await Caller(rig).say(wish)
    assert "Friday, December 4 at 4 p.m. in place of Friday, December 4 at 9 a.m." in said


async def test_what_is_free_is_told_once_where_a_new_time_is_not(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-04T09:00", name="Anna Bell", phone="0912345678")
    async with call(tmp_path, caller="0912345678", agents_dir=clinic_with_many_times(tmp_path)) as rig:
        said = await Caller(rig).say("Move my Friday morning appointment to half past three that day, please.")
    assert said.count("Which") == 1
    assert "December 11" not in said
