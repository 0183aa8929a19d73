"""A turn read as one statement: what is wanted and what is refused of each slot, in four languages."""

from __future__ import annotations

from datetime import datetime

import pytest

from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.graph.whole_turn import WholeTurn
from services.nlu.agent.profile import read_agents
from services.nlu.settings import NluSettings

NOW = datetime.fromisoformat("2026-11-30T10:30")  # a Monday
PROFILES = read_agents(NluSettings().agents_dir)
TUESDAY, WEDNESDAY, FRIDAY, SATURDAY, SUNDAY = 1, 2, 4, 5, 6


def read(agent: str, language_code: str, text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The services and the weekdays that are wanted."""
    slots = WholeTurn(SlotFinder(PROFILES[agent].facts, language_code), language_code).read(text, NOW).slots
    return tuple(one.id for one in slots.services), slots.when.weekdays


@pytest.mark.parametrize(
    ("text", "services", "weekdays"),
    [
        ("Monday's bad for me. Wednesday, perhaps. Oh no, Friday suits me better.", (), (FRIDAY,)),
        ("Not a crown, it's an implant I want.", ("implant",), ()),
        ("I can't make Tuesday but I could do Wednesday", (), (WEDNESDAY,)),
        ("Wednesday rather than Friday, if that's all right", (), (WEDNESDAY,)),
        ("I'm out of town on Friday, so Tuesday", (), (TUESDAY,)),
        ("a check-up. On Friday.", ("checkup",), (FRIDAY,)),
    ],
)
def test_what_is_refused_or_said_before_is_not_wanted(
    text: str, services: tuple[str, ...], weekdays: tuple[int, ...]
) -> None:
    assert read("clinic", "en", text) == (services, weekdays)


@pytest.mark.parametrize(
    ("language_code", "text", "weekdays"),
    [
        ("vi", "thứ Sáu tôi đi công tác, chủ nhật nhé", (SUNDAY,)),
        ("vi", "không phải chủ nhật, thứ Bảy", (SATURDAY,)),
        ("ru", "в воскресенье не получится, в субботу", (SATURDAY,)),
        ("ru", "не в пятницу, а в субботу", (SATURDAY,)),
        ("zh", "不是星期五，是星期六", (SATURDAY,)),
        ("zh", "星期六没空，星期日吧", (SUNDAY,)),
    ],
)
def test_so_it_is_in_other_languages(language_code: str, text: str, weekdays: tuple[int, ...]) -> None:
    assert read("hotel", language_code, text)[1] == weekdays


def test_an_hour_that_comes_behind_a_day_is_on_that_day() -> None:
    when = WholeTurn(SlotFinder(PROFILES["clinic"].facts, "en"), "en").read("Friday. At nine a.m.", NOW).slots.when
    assert when.weekdays == (FRIDAY,)
    assert [at.hour for at in when.times] == [9]


def test_a_greeting_names_no_part_of_the_day() -> None:
    for language_code, text in (("en", "Good evening, Friday please"), ("vi", "chào buổi sáng, thứ Sáu nhé")):
        assert not SlotFinder(PROFILES["clinic"].facts, language_code).find(text, NOW).when.part
    assert SlotFinder(PROFILES["clinic"].facts, "en").find("Good morning, Friday afternoon", NOW).when.part
