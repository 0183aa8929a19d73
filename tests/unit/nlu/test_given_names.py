"""Details that callers correct or give early while an appointment is taken down: they are kept, read back, and nothing
else is done.
"""

from pathlib import Path

import pytest

from services.language.dictation import Dictation
from services.nlu.agent.capture.names import NameFinder, NameForm
from services.nlu.agent.graph.asking import asking
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.given_names import GivenNames
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.seen import Seen
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.standing import StandingBookings
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.desk import NOW, Caller, booked, call, stands

TUESDAY, FRIDAY = "2026-12-01T10:00", "2026-12-04T09:00"
ANNA = {"name": "Anna Bell", "phone": "0912345678"}


def given(language_code: str) -> GivenNames:
    profile = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)["clinic"]
    finder = SlotFinder(profile.facts, language_code)
    return GivenNames(language_code, finder, NameFinder(language_code, finder.words))


@pytest.mark.parametrize(
    ("language_code", "said", "name"),
    [
        ("en", "Book a cleaning for Tuesday, Theo Gogh, 0908 515 253.", "Theo Gogh"),
        ("en", "0908 515 253, Ines Ortega", "Ines Ortega"),
        ("en", "Tuesday, a cleaning, 0908 515 253", ""),
        ("en", "Please, the number is 0908 515 253, thank you", ""),
        ("vi", "Đặt lấy cao răng thứ ba, Trịnh Công Hậu, 0908 515 253.", "Trịnh Công Hậu"),
        ("vi", "thứ ba nhé, 0908 515 253", ""),
    ],
)
def test_a_name_stands_beside_its_number(language_code: str, said: str, name: str) -> None:
    assert given(language_code).beside_number(said, NOW) == name


@pytest.mark.parametrize(
    ("language_code", "said", "before", "name"),
    [
        ("en", "Not Joan, Jean Miller.", "Joan Miller", "Jean Miller"),
        ("en", "not Joan, Jean", "Joan Miller", "Jean Miller"),
        ("en", "It's Jean, not Joan.", "Joan Miller", "Jean Miller"),
        ("en", "not on Tuesday, Friday", "Joan Miller", ""),
        ("en", "that is not right", "Joan Miller", ""),
        ("vi", "Không phải Loan, chị tên Oanh.", "Loan", "Oanh"),
        ("vi", "chị tên Oanh chứ không phải Loan", "Loan", "Oanh"),
    ],
)
def test_a_name_is_put_right(language_code: str, said: str, before: str, name: str) -> None:
    assert given(language_code).corrected(said, before, NOW) == name


async def test_a_name_that_is_put_right_at_the_question_is_the_one_that_is_booked(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert "Anne Bell" in await caller.say("Not Anna, Anne Bell.")
        assert booked(tmp_path) == []
        await caller.say("Yes")
    assert [row[2] for row in booked(tmp_path)] == ["Anne Bell"]


async def test_a_yes_with_thanks_books(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert "is booked" in await caller.say("Yes, thank you.")
    assert len(booked(tmp_path)) == 1


async def test_thanks_without_a_yes_book_nothing(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("Thank you.")
        await caller.say("Okay, I see.")
    assert booked(tmp_path) == []


async def test_another_service_at_the_question_changes_the_wish(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        reply = await caller.say("Move that to a filling")
        assert "staff" not in reply
        assert "filling" in reply
        await caller.say("Yes")
    assert booked(tmp_path) == [(TUESDAY, "filling", "Anna Bell", "0912345678")]


async def test_no_to_the_read_back_keeps_name_and_number(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert await caller.say("no wait") == "What should I change?"
        reply = await caller.say("Friday")
        assert "Anna Bell" in reply
        assert "0912 345 678" in reply
        await caller.say("Yes")
    assert [row[0] for row in booked(tmp_path)] == [FRIDAY]


async def test_another_day_turns_what_was_to_be_cancelled_into_a_move(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        assert "Shall I cancel it?" in await caller.say("I have to cancel")
        assert "Shall I move" in await caller.say("Or could I come on Friday instead?")
        assert [row[0] for row in booked(tmp_path)] == [TUESDAY]
        await caller.say("Yes")
    assert [row[0] for row in booked(tmp_path)] == [FRIDAY]


async def test_a_name_before_its_number_finds_the_appointment(tmp_path: Path) -> None:
    stands(tmp_path, TUESDAY, **ANNA)
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want to cancel")
        assert await caller.say("Anna Bell") == "What is your telephone number?"
        assert "Shall I cancel it?" in await caller.say("0912 345 678")
        await caller.say("Yes")
    assert booked(tmp_path) == []


async def test_the_number_that_was_offered_may_be_pointed_at(tmp_path: Path) -> None:
    async with call(tmp_path, caller="0912345678") as rig:
        caller = Caller(rig)
        await caller.say("I want an appointment for a cleaning")
        await caller.say("Tuesday")
        assert "calling from" in await caller.say("Anna Bell")
        assert "Shall I book it?" in await caller.say("The number I'm calling from.")
        await caller.say("Yes")
    assert [row[3] for row in booked(tmp_path)] == ["0912345678"]


@pytest.mark.parametrize(
    ("language_code", "said", "name"),
    [
        ("vi", "Hoàng Thị Dạ Thảo", "Hoàng Thị Dạ Thảo"),
        ("vi", "Ngô Thị Em", "Ngô Thị Em"),
        ("vi", "Ngô Thị Lan em", "Ngô Thị Lan"),
        ("vi", "Đinh Văn Được", "Đinh Văn Được"),
        ("en", "Carl Hold", "Carl Hold"),
        ("en", "Please hold", ""),
        ("en", "Not Today", ""),
        ("ru", "Пётр Сколько", "Пётр Сколько"),
    ],
)
def test_a_name_in_capitals_is_whole_whatever_its_words_mean(language_code: str, said: str, name: str) -> None:
    agent = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)["hotel"]
    finder = SlotFinder(agent.facts, language_code)
    assert NameFinder(language_code, finder.words).name_in(said, is_asked=True) == name


@pytest.mark.parametrize("name", ["Hoàng Bảo Anh", "Carl Book"])
async def test_a_name_that_sounds_like_a_booking_is_taken_once(tmp_path: Path, name: str) -> None:
    profile = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)["clinic"]
    finder = SlotFinder(profile.facts, "en")
    bookings = StandingBookings(profile, "en", finder, Templates("en"))
    moment = NOW.replace(tzinfo=profile.zone)
    part = Part(name, "book", finder.find(name, moment), 0.4)
    bookings.see(Seen(free=(NOW,), said=name, parts=(part,), now=moment))
    taken = bookings.take(part, Dialogue(wish=Wish("book", when="then", at=TUESDAY)), moment)
    assert taken is not None
    assert taken[2].wish.name == name


@pytest.mark.parametrize(
    ("language_code", "said", "name"),
    [
        ("en", "It's Bond, James Bond.", "James Bond"),
        ("en", "My name's Karen, Karen Doyle", "Karen Doyle"),
        ("vi", "Cô tên Hoa, Ngô Thị Hoa", "Ngô Thị Hoa"),
        ("vi", "Lưu Thuỳ Dung, Dung là D, U, N, G", "Lưu Thuỳ Dung"),
        ("en", "Kathryn with a K", "Kathryn"),
        ("en", "Stephen with a P H, Stephen Hale", "Stephen Hale"),
        ("en", "Sara without an H, Sara Lane", "Sara Lane"),
        ("zh", "我不想说", ""),
    ],
)
def test_a_name_is_taken_whole_and_without_remarks_on_its_letters(language_code: str, said: str, name: str) -> None:
    assert NameFinder(language_code, asking(language_code)).name_in(said, is_asked=True) == name


@pytest.mark.parametrize(
    ("language_code", "said", "name"),
    [
        ("en", "It's Kathryn with a K", "Kathryn"),
        ("en", "No, John with an H: J, O, H, N.", "John"),
        ("vi", "Lưu Thuỳ Dung, Dung là D, U, N, G", "Lưu Thuỳ Dung"),
        ("en", "that's spelled K E A N E", "Keane"),
    ],
)
def test_spelled_letters_are_of_the_name_and_no_part_of_it(language_code: str, said: str, name: str) -> None:
    form = NameForm(Dictation(language_code), NameFinder(language_code, asking(language_code)))
    assert form.read(said)[0] == name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("It's Ned, not Ted, and I meant a filling.", "Ned Fox"),
        ("it's Ned not Ted, N E D, and make it two o'clock", "Ned Fox"),
        ("not Ted but I meant Friday", ""),
    ],
)
def test_a_name_is_put_right_in_its_clause_alone(said: str, name: str) -> None:
    assert given("en").corrected(said, "Ted Fox", NOW) == name
