"""Values captured by the letter, through a whole conversation: corrected, joined, offered, guarded, given up."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.nlu.agent.capture.slots import Slot, SlotKind
from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.profile import AgentProfile
from services.nlu.analysis.analysis import CallOutcome, DeedStanding, Past
from services.nlu.analysis.rules import analysis_of
from services.nlu.engine import NluEngine
from services.nlu.history import Entry
from services.nlu.inputs import Config, Dtmf, Text, UserTurn
from services.nlu.outputs import CallAction, Expectation, ExpectedKind, TurnEnd
from services.nlu.settings import NluSettings
from tests.unit.nlu.desk import KINDS, Caller, booked, make
from tests.unit.nlu.rig import opened

SLOTS = (
    Slot(name="email", kind=SlotKind.EMAIL),
    Slot(name="member", kind=SlotKind.CODE, pattern="[A-Z]{2}[0-9]{4}", min_length=6, max_length=6),
)


def with_slots(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> GraphAgent:
    return make(profile.model_copy(update={"slots": SLOTS}), engine, settings)


def with_people(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> GraphAgent:
    return make(profile.model_copy(update={"handover": profile.destinations[0].name}), engine, settings)


@asynccontextmanager
async def call(tmp_path: Path, *, caller: str = "", factory: Callable[..., GraphAgent] = make) -> AsyncIterator[Caller]:
    settings = NluSettings.model_validate({"engine": "script", "data_dir": tmp_path})
    config = Config(call_id="call", visit_id="1" * 32, tenant_id="tenant", caller=caller)
    async with opened(settings, config, factory=factory) as rig:
        yield Caller(rig)
        assert not [clause for end in rig.of(TurnEnd) for clause in end.withheld]


async def asked_for_number(caller: Caller) -> str:
    await caller.say("I want an appointment for a cleaning")
    await caller.say("Tuesday")
    return await caller.say("Anna Bell")


async def test_the_last_question_is_corrected_in_part_and_books_what_was_meant(tmp_path: Path) -> None:
    async with call(tmp_path) as caller:
        await caller.come_to_the_question()
        assert "0912 345 642. Shall I book it?" in await caller.say("No, four two at the end.")
        assert "Anna Ball, 0912 345 642" in await caller.say("No, it's spelled B A L L")
        await caller.say("Yes")
    assert [row[2:] for row in booked(tmp_path)] == [("Anna Ball", "0912345642")]


async def test_a_number_in_pieces_is_joined_and_a_question_between_does_not_lose_it(tmp_path: Path) -> None:
    async with call(tmp_path) as caller:
        await asked_for_number(caller)
        assert await caller.say("oh nine one two") == "Go on, please."
        (expected,) = caller.rig.of(Expectation, caller.turn_id)
        assert (expected.kind, expected.length) == (ExpectedKind.DIGITS, 6)
        assert "35 dollars" in await caller.say("How much is it?")
        await caller.say("three four five")
        assert "0912 345 678. Shall I book it?" in await caller.say("six seven eight")


async def test_a_number_that_is_none_is_asked_for_in_groups_then_keyed(tmp_path: Path) -> None:
    async with call(tmp_path) as caller:
        await asked_for_number(caller)
        assert "Let's take it in parts." in await caller.say("0112 345 678")
        caller.turn_id += 1
        await caller.rig.send(UserTurn(caller.turn_id, Dtmf("0912345678#")), wait_s=0.5)
        assert caller.rig.said(caller.turn_id) == "0 9 1 2, 3 4 5, 6 7 8. Is that right?"
        assert "Shall I book it?" in await caller.say("Yes")


async def test_what_is_never_understood_goes_to_a_person(tmp_path: Path) -> None:
    async with call(tmp_path, factory=with_people) as caller:
        await asked_for_number(caller)
        nonsense = ("blue as the sky", "green as grass", "red as wine", "black as coal", "white as snow", "grey as ash")
        said: list[str] = []
        for words in (*nonsense, "pink as a rose", "brown as a bear"):
            said.append(await caller.say(words))
            if caller.rig.of(CallAction):
                break
        assert "put you through" in said[-1]
        assert caller.rig.of(CallAction)
        assert all(said.count(one) == 1 for one in said)


@pytest.mark.parametrize(
    ("answer", "then", "number"), [("Yes", None, "0987654321"), ("No", "0912 345 678", "0912345678")]
)
async def test_the_number_they_call_from_is_offered(tmp_path: Path, answer: str, then: str | None, number: str) -> None:
    async with call(tmp_path, caller="+84987654321") as caller:
        assert "the number you are calling from, 0 9 8 7, 6 5 4, 3 2 1?" in await asked_for_number(caller)
        said = await caller.say(answer)
        said = await caller.say(then) if then else said
        assert "Shall I book it?" in said
        await caller.say("Yes")
    assert [row[3] for row in booked(tmp_path)] == [number]


async def test_slots_of_the_agents_file_are_asked_for_before_the_confirmation(tmp_path: Path) -> None:
    async with call(tmp_path, factory=with_slots) as caller:
        assert await caller.come_to_the_question() == "What is your e-mail address?"
        assert await caller.say("anna dot bell at gmail dot com") == "What is the code?"
        said = await caller.say("Alpha Bravo one two three four")
        assert "anna dot bell at gmail dot com" in said
        assert "B as in Bravo, 1 2 3 4. Shall I book it?" in said
        assert "D as in Delta, 1 2 3 4" in await caller.say("No, the second letter is D")


async def test_a_name_that_was_badly_heard_is_read_back_letter_by_letter(tmp_path: Path) -> None:
    async with call(tmp_path) as caller:
        await caller.say("I want an appointment for a cleaning")
        await caller.say("Tuesday")
        caller.turn_id += 1
        await caller.rig.send(UserTurn(caller.turn_id, Text("Mai", confidence=0.3)), wait_s=0.5)
        assert caller.rig.said(caller.turn_id).startswith("Mai: M as in Mike, A as in Alfa, I as in India.")
        assert "telephone number" in await caller.say("Yes")


def calling_back(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> GraphAgent:
    return make(profile.model_copy(update={"callbacks": True}), engine, settings)


async def test_a_call_back_is_taken_down_and_is_a_deed_that_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "call me back", "callback")
    async with call(tmp_path, factory=calling_back) as caller:
        assert await caller.say("Can someone call me back?") == "All right. May I have your name, please?"
        await caller.say("Anna Bell")
        read_back = await caller.say("oh nine one two, three four five, six seven eight")
        assert read_back == "You'd like a call back, Anna Bell, 0912 345 678. Is that right?"
        assert (await caller.say("Yes")).startswith("Thank you. Nothing is fixed yet")
        agent = caller.rig.conversation._agent
        state = caller.rig.conversation._states.last
        known = await agent.known_of(Past("en", (), state=state))
        found = analysis_of(Past("en", (Entry(1, "Can someone call me back?"),)), known)
    assert [(deed.name, deed.standing) for deed in found.deeds] == [("callback", DeedStanding.PENDING)]
    assert found.outcome is CallOutcome.FOLLOW_UP
    assert "0912 345 678" in found.summary
