"""Appointments that stand, through a conversation: found for the caller they are of, moved and cancelled once."""

import asyncio
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from services.nlu.outputs import ToolActivity
from services.nlu.tools.clinic.diary import Diary
from services.nlu.tools.clinic.whose import forms_of, is_same_name, number_of
from services.nlu.tools.deed import NotReached
from tests.unit.nlu.desk import Caller, booked, call, stands

TUESDAY, WEDNESDAY, FRIDAY = "2026-12-01T10:00", "2026-12-02T15:00", "2026-12-04T09:00"
ANNA = {"name": "Anna Bell", "phone": "0912345678"}
MOVE = (
    "You'd like Friday, December 4 at 9 a.m. in place of Tuesday, December 1 at 10 a.m. Shall I move your appointment?"
)
CANCEL = "You'd like to cancel your appointment, Tuesday, December 1 at 10 a.m. Shall I cancel it?"
MOVED = "Your appointment is moved: Friday, December 4 at 9 a.m. Is there anything else?"
CANCELLED = "Your appointment is cancelled: Tuesday, December 1 at 10 a.m. Is there anything else?"


def starts(tmp_path: Path) -> list[str]:
    return sorted(row[0] for row in booked(tmp_path))


async def test_the_number_that_calls_moves_its_appointment(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="+84912345678") as rig:
        caller = Caller(rig)
        assert (await caller.say("I need to move my appointment")).startswith("Which of these suits you")
        assert await caller.say("Friday") == MOVE
        assert starts(tmp_path) == [TUESDAY]
        assert await caller.say("Yes, please") == MOVED
        assert not rig.end(caller.turn_id).withheld
    assert starts(tmp_path) == [FRIDAY]


@pytest.mark.parametrize(
    "times", ["from Tuesday to Friday", "to Friday from Tuesday", "to Friday at nine", "to Friday"]
)
async def test_the_new_time_may_be_said_at_once(tmp_path: Path, times: str) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        assert await Caller(rig).say(f"Please move my appointment {times}") == MOVE


async def test_a_name_and_number_find_it_from_another_line(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0999999999") as rig:
        caller = Caller(rig)
        assert await caller.say("I want to cancel") == "Let's find your appointment. What is your telephone number?"
        assert await caller.say("0912 345 678") == "May I have your name, please?"
        assert await caller.say("Anna Bell") == CANCEL
        assert await caller.say("Yes") == CANCELLED
    assert starts(tmp_path) == []


async def test_of_somebody_elses_nothing_is_told_and_nothing_is_done(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0999999999") as rig:
        caller = Caller(rig)
        await caller.say("I want to cancel")
        known = await caller.say("0912 345 678")
        said = await caller.say("John Smith")
        assert said.startswith("I'm sorry, I find no appointment for that name and number.")
        await caller.say("0912 345 678")
        last = await caller.say("John Smith")
        assert "Our staff can look for it." in last
        assert "Tuesday" not in known + said + last
        assert not rig.of(ToolActivity)
    assert starts(tmp_path) == [TUESDAY]
    async with call(tmp_path, caller="0999999999") as rig:  # a number that has none is answered alike
        caller = Caller(rig)
        await caller.say("I want to cancel")
        assert await caller.say("0900 000 000") == known
        assert await caller.say("John Smith") == said


@pytest.mark.parametrize("hears", [None, 0.0, 0.5, 0.93])
async def test_a_yes_into_the_question_cancels_nothing(tmp_path: Path, hears: float | None) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        assert await caller.say("I want to cancel", hears=hears) == CANCEL
        assert await caller.say("Yes") == CANCEL
        assert starts(tmp_path) == [TUESDAY]
        assert await caller.say("Yes") == CANCELLED
    assert starts(tmp_path) == []


@pytest.mark.parametrize(
    "said", ["No wait", "Yes. No wait.", "Yes. Forget it.", "How much is it?", "Yes, but on Friday"]
)
async def test_what_is_no_clear_yes_cancels_nothing(tmp_path: Path, said: str) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("I want to cancel")
        await caller.say(said)
        assert not rig.of(ToolActivity)
    assert starts(tmp_path) == [TUESDAY]


async def test_of_several_the_one_that_is_meant_is_asked_for(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    stands(tmp_path, WEDNESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        assert (await caller.say("I want to cancel")).startswith(
            "Which of your appointments is it: Tuesday, December 1"
        )
        assert "Wednesday, December 2 at 3 p.m." in await caller.say("Wednesday")
        await caller.say("Yes")
    assert starts(tmp_path) == [TUESDAY]


async def test_it_is_told_to_whoever_calls_from_its_number(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="sip:0912345678@example.org") as rig:
        said = await Caller(rig).say("When is my appointment?")
        assert said == "Your appointment is Tuesday, December 1 at 10 a.m. Is there anything else?"
        assert not rig.end(1).withheld


async def test_a_move_before_a_kill_is_told_as_it_is(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("Please move my appointment to Friday")
        before, history = rig.end(caller.turn_id).state, tuple(rig.conversation._history.entries())
        await caller.say("Yes", hears=0.0)
    assert starts(tmp_path) == [FRIDAY]
    async with call(tmp_path, state=before, history=history, caller="0912345678") as rig:
        assert await Caller(rig, turn_id=10).say("Yes") == MOVED
    assert starts(tmp_path) == [FRIDAY]


async def test_a_time_taken_meanwhile_leaves_the_old_one(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("Please move my appointment to Friday")
        stands(tmp_path, FRIDAY, name="B", phone="0900000000")
        assert (await caller.say("Yes")).startswith("I'm sorry, that time has just been taken.")
    assert starts(tmp_path) == [TUESDAY, FRIDAY]


async def test_a_diary_that_does_not_answer_cancels_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*args: object, **options: object) -> str:
        raise NotReached("locked")

    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("I want to cancel")
        with monkeypatch.context() as patch:
            patch.setattr(Diary, "cancel", locked)
            assert "cancelled" not in await caller.say("Yes")
        async with asyncio.timeout(10):
            while starts(tmp_path):
                await asyncio.sleep(0.05)


async def test_vietnamese(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, name="Lan", phone="0912345678")
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("Cho chị dời sang thứ sáu")
        assert (await caller.say("Vâng")).startswith("Dạ, lịch hẹn đã được đổi: thứ Sáu ngày 4 tháng 12 lúc 9 giờ")
        await caller.say("Cho chị hủy")
        assert (await caller.say("Vâng")).startswith("Dạ, lịch hẹn đã được hủy: thứ Sáu ngày 4 tháng 12")
    rows = sqlite3.connect(tmp_path / "clinic" / "diary.sqlite").execute("SELECT starts, state FROM appointments")
    assert rows.fetchall() == [(FRIDAY, "cancelled")]


def test_whose_a_number_and_a_name_are() -> None:
    assert forms_of("+84 912 345 678", "VN") & forms_of("0912345678", "VN")
    assert not forms_of("0912345678", "VN") & forms_of("0912345679", "VN")
    assert number_of("sip:0912345678@10.0.0.1;user=phone") == "0912345678"
    assert number_of("anonymous") == ""
    assert is_same_name("anna bell", "Anna Bell")
    assert is_same_name("Trần Thị Hoà", "Trần Thị Hòa")
    assert not is_same_name("John Bell", "Anna Bell")
    assert not is_same_name("", "Anna Bell")


async def test_a_cancelled_time_is_not_cancelled_for_another(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    diary = Diary(tmp_path / "clinic" / "diary.sqlite")
    at = datetime.fromisoformat(TUESDAY)
    diary.cancel("", at, name="Anna Bell", phones=("0912345678",), key="1")
    stands(tmp_path, TUESDAY, name="B", phone="0900000000")
    diary.cancel("", at, name="Anna Bell", phones=("0912345678",), key="2")
    assert [row[2] for row in booked(tmp_path)] == ["B"]
