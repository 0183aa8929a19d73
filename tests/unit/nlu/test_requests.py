"""Several requests of one turn come one behind the other, each with its read-back, and know what the call knows."""

from pathlib import Path

from tests.unit.nlu.desk import Caller, booked, call, stands

ANNA = {"name": "Anna Bell", "phone": "0912345678"}
TUESDAY, WEDNESDAY, FRIDAY = "2026-12-01T10:00", "2026-12-02T15:00", "2026-12-04T09:00"


async def test_three_services_of_one_sentence_are_booked_one_after_the_other(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        reply = await caller.say(
            "An appointment for a cleaning Tuesday at ten, a filling Wednesday at three and a crown Friday at nine"
        )
        assert reply.endswith("May I have your name, please?")
        await caller.say("Anna Bell")
        assert "cleaning, Tuesday, December 1 at 10 a.m., Anna Bell" in await caller.say("0912 345 678")
        assert "filling, Wednesday, December 2 at 3 p.m., Anna Bell, 0912 345 678" in await caller.say("yes")
        assert "crown, Friday, December 4 at 9 a.m., Anna Bell, 0912 345 678" in await caller.say("yes")
        await caller.say("yes")
    assert sorted(row[0] for row in booked(tmp_path)) == [TUESDAY, WEDNESDAY, FRIDAY]


async def test_a_booking_behind_a_cancellation_knows_name_and_number(tmp_path: Path) -> None:
    stands(tmp_path, FRIDAY, **ANNA)
    async with call(tmp_path, caller=ANNA["phone"]) as rig:
        caller = Caller(rig)
        await caller.say("Cancel my Friday appointment and book me a filling on Tuesday at ten")
        assert "filling, Tuesday, December 1 at 10 a.m., Anna Bell, 0912 345 678" in await caller.say("yes")
        await caller.say("yes")
    assert booked(tmp_path) == [(TUESDAY, "filling", "Anna Bell", "0912345678")]


async def test_somebody_else_s_booking_asks_for_their_name_and_keeps_the_number(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        reply = await caller.say("yes, and one for my wife on Wednesday at three")
        assert reply.startswith("Your appointment is booked: Tuesday")
        assert reply.endswith("May I have your name, please?")
        assert "Wednesday, December 2 at 3 p.m., Joan Bell, 0912 345 678" in await caller.say("Joan Bell")
        await caller.say("yes")
    assert [row[2] for row in booked(tmp_path)] == ["Anna Bell", "Joan Bell"]


async def test_the_name_behind_a_relative_is_taken(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        reply = await caller.say("yes, and one for my son Tom on Wednesday at three")
        assert "Wednesday, December 2 at 3 p.m., Tom, 0912 345 678. Shall I book it?" in reply


async def test_what_was_just_booked_is_put_right(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("yes")
        reply = await caller.say("Actually, make that Friday at nine.")
        assert "Friday, December 4 at 9 a.m. in place of Tuesday, December 1 at 10 a.m." in reply
        await caller.say("yes")
    assert [row[0] for row in booked(tmp_path)] == [FRIDAY]


async def test_of_two_moves_with_a_cancellation_between_none_is_lost(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-03T14:00", **ANNA)
    stands(tmp_path, TUESDAY, **ANNA)
    stands(tmp_path, "2026-12-11T14:00", **ANNA)
    async with call(tmp_path, caller=ANNA["phone"]) as rig:
        caller = Caller(rig)
        reply = await caller.say(
            "Move Thursday's to Wednesday at three, cancel Tuesday's and move the eleventh to Friday at nine."
        )
        assert "Wednesday, December 2 at 3 p.m. in place of Thursday, December 3 at 2 p.m." in reply
        assert "Tuesday, December 1 at 10 a.m. Shall I cancel it?" in await caller.say("yes")
        reply = await caller.say("yes")
        assert "Friday, December 4 at 9 a.m. in place of Friday, December 11 at 2 p.m." in reply
        await caller.say("yes")
    assert sorted(row[0] for row in booked(tmp_path)) == [WEDNESDAY, FRIDAY]
