"""Callers who take the first free time, want one sooner than theirs, put several things right at once, or say more than
a name for their name.
"""

from datetime import date
from pathlib import Path

import pytest

from services.language.values import read_values
from services.nlu.agent.capture.names import NameFinder
from services.nlu.agent.facts import Facts
from services.nlu.agent.graph.asking import asking
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.stays import Rooms, Stays
from services.nlu.agent.graph.timed_wishes import place_in
from services.nlu.agent.grounds import Grounds, read
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.settings import NluSettings
from tests.unit.nlu.desk import NOW, Caller, booked, call, stands

AGENTS = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)
PHONE = "0912345678"
FRIDAY, NEXT_TUESDAY = "2026-12-04T09:00", "2026-12-08T10:00"
HOTEL: AgentProfile = AGENTS["hotel"]


async def test_the_first_free_time_is_taken_where_a_booking_is_wanted(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        assert "name" in await caller.say("I want an appointment for a cleaning, the earliest you have.")
        await caller.say("Anna Bell")
        assert "December 1 at 10" in await caller.say("0912 345 678")
        await caller.say("yes")
    assert booked(tmp_path) == [("2026-12-01T10:00", "cleaning", "Anna Bell", PHONE)]


async def test_the_first_time_of_a_part_of_the_day_is_offered_and_taken_by_a_name(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        offered = await caller.say("What's the soonest afternoon you've got for a filling?")
        assert "December 2 at 3" in offered
        await caller.say("Great, I'll have that.")
        assert "Grace Hopper" in await caller.say("Grace Hopper.")
        await caller.say("0912 345 678")
        await caller.say("yes")
    assert booked(tmp_path) == [("2026-12-02T15:00", "filling", "Grace Hopper", PHONE)]


async def test_only_times_before_their_own_are_told_to_who_wants_a_sooner_one(tmp_path: Path) -> None:
    stands(tmp_path, FRIDAY, name="Anna Bell", phone=PHONE)
    async with call(tmp_path, caller=PHONE) as rig:
        caller = Caller(rig)
        told = await caller.say("Do you have something sooner than mine?")
        assert "December 1" in told
        assert "December 2" in told
        assert "December 11" not in told
        assert "Wednesday, December 2 at 3 p.m. in place of Friday" in await caller.say("The last one.")
        await caller.say("yes")


async def test_who_has_the_first_time_is_told_that_none_is_sooner(tmp_path: Path) -> None:
    stands(tmp_path, "2026-12-01T10:00", name="Anna Bell", phone=PHONE)
    async with call(tmp_path, caller=PHONE) as rig:
        assert "no such free time" in await Caller(rig).say("Could I come any earlier than my appointment?")


async def test_a_day_a_service_and_a_digit_are_put_right_in_one_turn(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        read_back = await caller.say("No, make that a filling on Friday, and the number ends in nine.")
        assert "filling, Friday, December 4 at 9 a.m., Anna Bell, 0912 345 679" in read_back
        await caller.say("yes")
    assert booked(tmp_path) == [(FRIDAY, "filling", "Anna Bell", "0912345679")]


async def test_who_goes_on_with_the_number_has_agreed_to_the_spelling(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I want an appointment on Tuesday")
        assert "Is that right?" in await caller.say("Nguyen, that's N G U Y E N")
        assert "Nguyen, 0912 345 678. Shall I book it?" in await caller.say("0912 345 678")


@pytest.mark.parametrize(
    ("language_code", "said", "name"),
    [
        ("en", "Right. Margaret Hamilton.", "Margaret Hamilton"),
        ("en", "Lovely. Muriel Spark is the name.", "Muriel Spark"),
        ("en", "OK, so, Ann Bell", "Ann Bell"),
        ("vi", "Vâng, Lê Thị Hoa là tên em", "Lê Thị Hoa"),
    ],
)
def test_what_stands_around_a_name_is_no_part_of_it(language_code: str, said: str, name: str) -> None:
    assert NameFinder(language_code, asking(language_code)).name_in(said, is_asked=True) == name


@pytest.mark.parametrize(
    ("said", "digits"), [("零九零八九九一一一一", "0908991111"), ("一三九零零一二三四五六", "13900123456")]
)
def test_zeros_among_digits_said_one_by_one_are_kept(said: str, digits: str) -> None:
    assert [value.digits for value in read_values(said, "zh").values] == [digits]


@pytest.mark.parametrize(("said", "number"), [("一百零五", 105), ("一万零三百", 10300), ("两千零八", 2008)])
def test_a_zero_fills_an_empty_place_behind_a_multiplier(said: str, number: int) -> None:
    assert [value.number for value in read_values(said, "zh").values] == [number]


@pytest.mark.parametrize(
    ("language_code", "said", "place"),
    [
        ("en", "the first one please", 1),
        ("en", "the last one", -1),
        ("en", "I would like to know what the first is", 0),
    ],
)
def test_a_place_among_several_is_named_in_few_words(language_code: str, said: str, place: int) -> None:
    assert place_in(said, language_code) == place


@pytest.mark.parametrize(
    ("language_code", "said"), [("en", "a single room tomorrow, one night"), ("vi", "phòng đơn ngày mai, một đêm")]
)
def test_one_night_is_no_time_of_the_day_after(language_code: str, said: str) -> None:
    when = SlotFinder(HOTEL.facts, language_code).find(said, NOW).when
    assert (when.date, when.times) == (date(2026, 12, 1), ())


@pytest.mark.parametrize(
    ("said", "arrives", "nights"),
    [
        ("a single room from Friday till Sunday", "2026-12-04", 2),
        ("a single room tomorrow for one night", "2026-12-01", 1),
        ("a single room on Friday or Saturday", "", 0),
    ],
)
def test_arrival_and_nights_of_a_stay(said: str, arrives: str, nights: int) -> None:
    finder = SlotFinder(HOTEL.facts, "en")
    stays = Stays(HOTEL, "en", finder, Rooms({"single": 2}, "hotel"))
    taken = stays.take(Part(said, "book", finder.find(said, NOW)), Dialogue(), NOW)
    assert taken is not None
    assert (taken[2].wish.at, taken[2].wish.nights) == (arrives, nights)


def test_a_stay_that_was_read_back_is_put_right_as_a_whole() -> None:
    finder = SlotFinder(HOTEL.facts, "en")
    stays = Stays(HOTEL, "en", finder, Rooms({"single": 2, "double": 2}, "hotel"))
    wish = Wish("book", service="single", at="2026-12-01", when="x", nights=1, name="Ann Bell", phone=PHONE)
    said = "Sorry, it has to be a double from Thursday for three nights."
    taken = stays.take(Part(said, "price", finder.find(said, NOW)), Dialogue(wish=wish, asked="confirm"), NOW)
    assert taken is not None
    assert (taken[2].wish.service, taken[2].wish.at, taken[2].wish.nights) == ("double", "2026-12-03", 3)


@pytest.mark.parametrize(
    ("clause", "caller", "n_values"),
    [
        ("em cảm ơn Ngô Văn Tám ạ.", "Ngô Văn Tám", 0),
        ("em cảm ơn Ngô Văn Tám ạ.", "Ngô Văn Chín", 1),
        ("bên em có tám phòng ạ.", "bên em có tám phòng không", 1),
    ],
)
def test_a_number_in_a_name_that_the_caller_gave_is_no_figure(clause: str, caller: str, n_values: int) -> None:
    grounds = Grounds(Facts(), "vi")
    assert len(grounds.without_given(read(clause, "vi"), [read(caller, "vi")]).values) == n_values
