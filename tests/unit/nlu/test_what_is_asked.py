"""Subject of a question: things left out of it, numbers that count, days by another's name, kinds by their words."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from services.nlu.agent.graph.asking import UNKNOWN, asking
from services.nlu.agent.graph.counting import Counting
from services.nlu.agent.graph.deed_kinds import in_open_wish
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.follow_ups import follow_up_kind
from services.nlu.agent.graph.kind_rules import (
    asks_which_there_are,
    beside_time_clause,
    by_evidence,
    weigh,
)
from services.nlu.agent.graph.mentions import are_joined
from services.nlu.agent.graph.sentences import tells_only_when, without_time_clause
from services.nlu.agent.graph.slots import SlotFinder
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.agent.understanding import Guess
from services.nlu.settings import NluSettings

NOW = datetime(2026, 11, 30, 9, 0)


@pytest.fixture(scope="module")
def agents() -> dict[str, AgentProfile]:
    return read_agents(NluSettings().agents_dir)


@pytest.mark.parametrize(
    ("agent", "language", "text", "named"),
    [
        ("hotel", "en", "a double for three nights without breakfast", ["double"]),
        ("hotel", "en", "one single, no laundry please", ["single"]),
        ("hotel", "vi", "phòng đơn hai đêm không kèm ăn sáng", ["single"]),
        ("hotel", "vi", "phòng đơn có ăn sáng không", ["single", "breakfast"]),
        ("hotel", "ru", "одноместный на ночь без завтрака", ["single"]),
        ("hotel", "zh", "早饭不要，双人间住两晚多少钱", ["double"]),
        ("clinic", "en", "skip the whitening, only a filling", ["filling"]),
        ("clinic", "en", "a check-up rather than a crown", ["checkup"]),
    ],
)
def test_what_is_left_out_is_not_asked_about(
    agents: dict[str, AgentProfile], agent: str, language: str, text: str, named: list[str]
) -> None:
    found = SlotFinder(agents[agent].facts, language).find(text, NOW).services
    assert [one.id for one in found] == named


def test_things_that_nothing_joins_have_no_price_together(agents: dict[str, AgentProfile]) -> None:
    finder = SlotFinder(agents["clinic"].facts, "en")
    for text, joined in (
        ("a crown and a filling", True),
        ("a crown, a filling", True),
        ("I had a crown, can I switch to a filling", False),
    ):
        slots = finder.find(text, NOW)
        assert are_joined(slots.services, text, slots.words, finder.words) is joined


@pytest.mark.parametrize(
    ("language", "text", "has_hour"),
    [
        ("en", "is one left on Thursday", False),
        ("en", "two places on Friday", False),
        ("en", "Friday nine please", True),
        ("en", "on Friday at nine", True),
        ("vi", "thứ năm còn hai chỗ không", False),
        ("vi", "thứ năm lúc chín giờ", True),
    ],
)
def test_a_number_that_counts_is_no_hour(
    agents: dict[str, AgentProfile], language: str, text: str, has_hour: bool
) -> None:
    assert bool(SlotFinder(agents["clinic"].facts, language).find(text, NOW).when.times) is has_hour


@pytest.mark.parametrize(
    ("language", "text", "nights"),
    [
        ("en", "a double for a week", 7),
        ("en", "a single for two weeks", 14),
        ("en", "a double in two weeks", None),
        ("vi", "phòng đôi một tuần", 7),
        ("ru", "двухместный на неделю", 7),
        ("zh", "单人间住一周", 7),
    ],
)
def test_a_week_is_seven_nights(agents: dict[str, AgentProfile], language: str, text: str, nights: int | None) -> None:
    assert SlotFinder(agents["hotel"].facts, language).find(text, NOW).periods.get("night") == nights


@pytest.mark.parametrize(
    ("language", "text", "n_people"),
    [("ru", "завтрак на четверых", 4), ("ru", "нас трое", 3), ("en", "breakfast for four", 4), ("zh", "我们俩", 2)],
)
def test_people_are_counted_by_one_word(language: str, text: str, n_people: int) -> None:
    words = tuple(text.split()) if language != "zh" else tuple(text)
    assert Counting(asking(language), language, {"person"}).people(words) == n_people


@pytest.mark.parametrize(
    ("language", "text", "day"),
    [
        ("en", "are you in on Christmas Eve", date(2026, 12, 24)),
        ("en", "the day after Christmas", date(2026, 12, 26)),
        ("en", "open on Christmas Day", date(2026, 12, 25)),
        ("vi", "mùng một tết dương lịch", date(2027, 1, 1)),
    ],
)
def test_a_day_beside_a_holiday_is_not_the_holiday(
    agents: dict[str, AgentProfile], language: str, text: str, day: date
) -> None:
    assert SlotFinder(agents["clinic"].facts, language).find(text, NOW).when.date == day


@pytest.mark.parametrize(
    ("agent", "text", "kind", "score", "decided"),
    [
        ("clinic", "what should I take along to my visit", "price", 0.3, UNKNOWN),
        ("clinic", "what does a filling cost", "price", 0.9, "price"),
        ("clinic", "can you give me some pills by phone", "private", 0.4, UNKNOWN),
        ("clinic", "when is my wife's appointment", "private", 0.7, "private"),
        ("clinic", "do I have to book before a check-up?", "book", 0.5, UNKNOWN),
        ("clinic", "is the doctor working on Thursday", "who", 0.5, "hours"),
        ("hotel", "will I be paid back", "complaint", 0.3, UNKNOWN),
        ("hotel", "could somebody take us to the airport on Monday", "free", 0.5, "offered"),
        ("hotel", "which rooms have you got", UNKNOWN, 0.5, "offered"),
    ],
)
def test_a_kind_needs_words_that_speak_for_it(  # noqa: PLR0917 - one case
    agents: dict[str, AgentProfile], agent: str, text: str, kind: str, score: float, decided: str
) -> None:
    finder = SlotFinder(agents[agent].facts, "en")
    guesses = (Guess(kind, score), Guess("chat", 0.1))
    assert by_evidence((kind, ()), guesses, finder.find(text, NOW), finder, text)[0] == decided


@pytest.mark.parametrize(
    ("agent", "language", "text", "named"),
    [
        ("clinic", "en", "would you check whether a crown takes long", ["crown"]),
        ("clinic", "en", "I'm still checking with my boss", []),
        ("clinic", "en", "what would a check be", ["checkup"]),
        ("clinic", "en", "two checkups and a cleaning", ["checkup", "cleaning"]),
        ("hotel", "en", "is an airport pick-up possible", ["transfer"]),
        ("hotel", "en", "do your airport pick ups run at night", ["transfer"]),
        ("hotel", "en", "pick a room for me", []),
    ],
)
def test_a_verb_is_no_name_and_one_word_may_be_said_as_two(
    agents: dict[str, AgentProfile], agent: str, language: str, text: str, named: list[str]
) -> None:
    found = SlotFinder(agents[agent].facts, language).find(text, NOW).services
    assert [one.id for one in found] == named


@pytest.mark.parametrize(
    ("agent", "language", "text", "weekday"),
    [
        ("clinic", "en", "a crown on Friday, no sorry, I meant Thursday", 3),
        ("clinic", "vi", "thứ tư em nhé, à nhầm, thứ năm", 3),
        ("hotel", "ru", "в субботу, точнее, в пятницу", 4),
        ("hotel", "zh", "星期六，不对，星期五", 4),
    ],
)
def test_of_a_day_and_the_one_said_instead_the_later_counts(
    agents: dict[str, AgentProfile], agent: str, language: str, text: str, weekday: int
) -> None:
    assert SlotFinder(agents[agent].facts, language).find(text, NOW).when.weekdays == (weekday,)


@pytest.mark.parametrize(
    ("agent", "language", "text", "kind", "decided"),
    [
        ("hotel", "zh", "后天还有双人间吗", "offered", "free"),
        ("hotel", "ru", "на пятницу остались одноместные номера", "offered", "free"),
        ("clinic", "vi", "thứ tư còn khám răng được nữa không", "hours", "free"),
        ("clinic", "en", "is anything left for a crown on Friday", "hours", "free"),
        ("clinic", "en", "are you open for a crown on Friday", "hours", "hours"),
        ("clinic", "en", "do you do crowns on Friday", "offered", "offered"),
    ],
)
def test_what_is_still_there_on_a_day_asks_for_free_times(  # noqa: PLR0917 - one case
    agents: dict[str, AgentProfile], agent: str, language: str, text: str, kind: str, decided: str
) -> None:
    finder = SlotFinder(agents[agent].facts, language)
    guesses = (Guess(kind, 0.5), Guess("chat", 0.1))
    assert by_evidence((kind, ()), guesses, finder.find(text, NOW), finder, text)[0] == decided


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a single from Monday till Thursday", False),
        ("could we move the single to Thursday", True),
        ("that Thursday of mine, you know", True),
    ],
)
def test_a_thing_and_a_time_fit_a_change_only_beside_a_word_of_one(
    agents: dict[str, AgentProfile], text: str, fits: bool
) -> None:
    finder = SlotFinder(agents["hotel"].facts, "en")
    weighed = weigh([Guess("change", 0.35), Guess("chat", 0.1)], finder.find(text, NOW), finder)
    assert (weighed[0].score > 0.35) is fits


def test_which_there_are_is_asked_by_the_word_that_names_share(agents: dict[str, AgentProfile]) -> None:
    for language, text, asks in (
        ("en", "what kinds of rooms are there", True),
        ("vi", "có mấy loại phòng", True),
        ("ru", "какие у вас номера", True),
        ("en", "what kinds of pools are there", False),
    ):
        finder = SlotFinder(agents["hotel"].facts, language)
        assert asks_which_there_are(finder.find(text, NOW), finder) is asks


def test_a_clause_that_only_says_when_is_not_what_is_asked() -> None:
    en, vi = asking("en"), asking("vi")
    assert without_time_clause("can we leave our bags after we check out", en, "en") == "can we leave our bags"
    assert without_time_clause("After lunch, where can we sit?", en, "en") == "where can we sit?"
    assert not without_time_clause("when can I check in", en, "en")
    assert tells_only_when("trả phòng", "trả phòng rồi gửi đồ được không", vi, "vi")
    assert not tells_only_when("mấy giờ trả phòng", "mấy giờ trả phòng rồi gửi đồ được không", vi, "vi")
    assert beside_time_clause(("text:check-in", ()), (Guess(UNKNOWN, 0.4),)) == (UNKNOWN, ())
    assert beside_time_clause(("text:check-in", ()), (Guess("text:check-in", 0.4),)) == ("text:check-in", ())


@pytest.mark.parametrize(
    ("language", "text", "kind", "decided"),
    [
        ("en", "is there a room free on Friday", "free", "free"),
        ("en", "do you have any rooms available", UNKNOWN, "free"),
        ("en", "is a single left", UNKNOWN, "free"),
        ("vi", "thứ sáu này còn phòng không em", "hours", "free"),
        ("ru", "номера ещё остались", UNKNOWN, "free"),
        ("en", "is the room cheap", UNKNOWN, UNKNOWN),
        ("en", "have you got a double free from Saturday for two nights", "price", "book"),
        ("vi", "cho chị phòng đôi hai đêm từ thứ bảy", "hours", "book"),
        ("zh", "双人间周六起两晚", "price", "book"),
        ("en", "a double for two nights, please", "price", "book"),
        ("en", "what's a double from Friday for two nights", "price", "price"),
        ("vi", "phòng đôi hai đêm từ thứ bảy bao nhiêu", "price", "price"),
    ],
)
def test_rooms_are_asked_for_and_wanted_without_the_word_for_it(
    agents: dict[str, AgentProfile], language: str, text: str, kind: str, decided: str
) -> None:
    finder = SlotFinder(agents["hotel"].facts, language)
    guesses = (Guess(kind, 0.5), Guess("chat", 0.1))
    assert by_evidence((kind, ()), guesses, finder.find(text, NOW), finder, text)[0] == decided


@pytest.mark.parametrize(
    ("text", "kind", "wish", "decided"),
    [
        ("I suppose so", "check", "book", UNKNOWN),
        ("I don't want to give my number", "change", "book", UNKNOWN),
        ("please cancel it", "cancel", "book", "cancel"),
        ("let me see", "check", "find", "check"),
        ("when is my appointment", "check", "book", "check"),
        ("I suppose so", "check", "", "check"),
    ],
)
def test_an_open_wish_is_left_for_another_deed_by_words_of_it_alone(
    agents: dict[str, AgentProfile], text: str, kind: str, wish: str, decided: str
) -> None:
    finder = SlotFinder(agents["clinic"].facts, "en")
    guesses = (Guess(kind, 0.5), Guess("chat", 0.1))
    assert in_open_wish((kind, ()), guesses, wish, finder.find(text, NOW), finder)[0] == decided


@pytest.mark.parametrize(
    ("text", "named"), [("that's grand", []), ("for my grandson", ["children"]), ("a grand daughter", ["children"])]
)
def test_the_first_half_of_a_compound_is_not_the_compound(
    agents: dict[str, AgentProfile], text: str, named: list[str]
) -> None:
    found = SlotFinder(agents["clinic"].facts, "en").find(text, NOW).topics
    assert [one.id for one in found] == named


@pytest.mark.parametrize(
    ("agent", "language", "text", "before", "kind"),
    [
        ("clinic", "en", "A cleaning, please.", "", "book"),
        ("clinic", "vi", "chị muốn lấy cao răng", "", ""),
        ("clinic", "en", "and a cleaning, please", "price", "price"),
        ("clinic", "en", "A cleaning.", "", "price"),
        ("hotel", "en", "A double room, please.", "", "book"),
        ("hotel", "en", "Breakfast, please.", "", "price"),
    ],
)
def test_a_thing_that_is_named_alone_is_wanted_with_a_word_of_wanting(  # noqa: PLR0917 - one case
    agents: dict[str, AgentProfile], agent: str, language: str, text: str, before: str, kind: str
) -> None:
    finder = SlotFinder(agents[agent].facts, language)
    assert follow_up_kind(finder.find(text, NOW), finder, Dialogue(kind=before)) == kind
