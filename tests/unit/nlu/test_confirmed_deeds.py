"""A writing tool that a model calls, as the client of a conversation sees it: in virtual time, with a model that wants
to do everything at once.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.agent.tools import Tool
from services.nlu.engine import NluEngine, ReplyPart, ReplyRequest, Role, TextMade, ToolSpec, ToolWanted
from services.nlu.inputs import Commit, PlayoutReport, Text, UserTurn
from services.nlu.outputs import ToolActivity, ToolPhase
from services.nlu.settings import NluSettings
from tests.unit.nlu.rig import Rig, WatchedScript, opened
from tests.unit.nlu.virtual_time import run

TOMORROW = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date() + timedelta(days=1)
BOOKING = {"starts": f"{TOMORROW}T10:00", "name": "Anna Bell", "phone": "0912345678"}
WISH = "Please book me tomorrow at ten, my name is Anna Bell and my number is 0912345678."
QUESTION = "Shall I book tomorrow at ten for Anna Bell, number 0912345678?"
SCHEMA = json.dumps({"type": "object", "properties": {name: {"type": "string"} for name in BOOKING}})


class Writing:
    """A tool that writes, and counts."""

    def __init__(self, name: str = "clinic_book") -> None:
        self.spec = ToolSpec(name, "Books.", SCHEMA, writes=True)
        self.runs: list[Mapping[str, object]] = []

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        self.runs.append(arguments)
        return '{"status": "done"}'


class Eager(WatchedScript):
    """Calls its tools before anything else, again and again in one turn, and asks when it is told to."""

    calls: tuple[ToolWanted, ...] = (ToolWanted("clinic_book", json.dumps(BOOKING)),)
    n_rounds = 1

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(request)
        since_caller = next(n for n, each in enumerate(reversed(request.messages)) if each.role is Role.CALLER)
        told = request.messages[len(request.messages) - since_caller :]
        if request.messages[0].tools and len(told) < self.n_rounds * len(self.calls):
            for call in self.calls:
                yield call
        elif any('"done"' in each.text for each in told):
            yield TextMade("It is booked.")
        else:
            yield TextMade(QUESTION)


def clinic_with(
    tool: Writing, model: type[Eager] = Eager
) -> tuple[list[Eager], Callable[[AgentProfile, NluEngine, NluSettings], PromptAgent]]:
    asked: list[Eager] = []

    def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> PromptAgent:
        class Clinic(PromptAgent):
            def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
                return {tool.spec.name: tool}

        asked.append(model(settings))
        return Clinic(profile, asked[0], settings)

    return asked, make


async def ask(rig: Rig, *, heard: int | None = None) -> None:
    """The caller's wish, and the question as far as it is heard."""
    await rig.send(UserTurn(1, Text(WISH)), wait_s=5)
    assert rig.said(1).strip() == QUESTION
    await rig.send(PlayoutReport(1, len(rig.said(1)) if heard is None else heard, is_final=True))


def phases(rig: Rig, turn_id: int) -> list[ToolPhase]:
    return [each.phase for each in rig.of(ToolActivity, turn_id) if each.phase is not ToolPhase.STARTED]


def test_a_deed_runs_when_the_caller_has_agreed_to_its_read_back_and_not_before() -> None:
    tool = Writing()
    asked, make = clinic_with(tool)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await ask(rig)
            assert tool.runs == []
            assert phases(rig, 1) == [ToolPhase.FAILED]
            assert "Read the arguments back" in asked[0].requests[1].messages[-1].text
            await rig.send(UserTurn(2, Text("Yes, please.")), wait_s=5)
            assert tool.runs == [BOOKING]
            assert phases(rig, 2) == [ToolPhase.COMPLETED]
            assert rig.said(2).strip() == "It is booked."

    run(scene())


def test_a_barge_in_into_the_question_is_no_confirmation() -> None:
    tool = Writing()
    _, make = clinic_with(tool)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await ask(rig, heard=len(QUESTION) - 12)
            await rig.send(UserTurn(2, Text("Yes, please.")), wait_s=5)
            assert tool.runs == []
            assert rig.said(2).strip() == QUESTION, "it is asked again"
            await rig.send(PlayoutReport(2, len(rig.said(2)), is_final=True), UserTurn(3, Text("Yes.")), wait_s=5)
            assert tool.runs == [BOOKING]

    run(scene())


def test_a_draft_does_nothing_and_what_was_heard_counts_at_its_commit() -> None:
    tool = Writing()
    _, make = clinic_with(tool)

    async def scene(*, heard: int) -> list[Mapping[str, object]]:
        tool.runs.clear()
        async with opened(factory=make) as rig:
            await rig.send(UserTurn(1, Text(WISH)), wait_s=5)
            guessed = PlayoutReport(1, len(rig.said(1)))
            await rig.send(UserTurn(2, Text("Yes."), is_draft=True, provisional_playout=guessed), wait_s=5)
            assert tool.runs == []
            await rig.send(PlayoutReport(1, heard, is_final=True), Commit(2), wait_s=5)
        return list(tool.runs)

    assert run(scene(heard=len(QUESTION) + 1)) == [BOOKING]
    assert run(scene(heard=20)) == [], "the caller had spoken into the question"


class Stubborn(Eager):
    n_rounds = 3


def test_a_model_that_asks_again_in_the_same_turn_is_refused_again() -> None:
    tool = Writing()
    asked, make = clinic_with(tool, Stubborn)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await rig.send(UserTurn(1, Text(WISH)), wait_s=5)
            assert len(asked[0].requests) > 1
            assert tool.runs == []
            await rig.send(PlayoutReport(1, len(rig.said(1))), UserTurn(2, Text("How much is it?")), wait_s=5)
            assert tool.runs == []

    run(scene())


class Doubling(Eager):
    """Calls the same deed three times, written in other ways."""

    calls = (
        ToolWanted("clinic_book", json.dumps(BOOKING)),
        ToolWanted("clinic_book", json.dumps(dict(reversed(BOOKING.items())), indent=1)),
        ToolWanted("clinic_book", json.dumps({**BOOKING, "phone": "+84 912 345 678"})),
    )


def test_one_confirmation_is_for_one_deed() -> None:
    tool = Writing()
    _, make = clinic_with(tool, Doubling)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await ask(rig)
            await rig.send(UserTurn(2, Text("Yes.")), wait_s=5)
            assert tool.runs == [BOOKING]
            heard = PlayoutReport(2, len(rig.said(2)), is_final=True)
            await rig.send(heard, UserTurn(3, Text("Yes, great.")), wait_s=5)
            assert tool.runs == [BOOKING], "a yes behind the deed asks for no second one"

    run(scene())


def test_it_holds_for_tools_of_whatever_name() -> None:
    for name in ("crm_create_lead", "calendar_book", "message_sms", "rooms_reserve", "x"):
        tool = Writing(name)

        class Other(Eager):
            calls = (ToolWanted(name, json.dumps(BOOKING)),)

        _, make = clinic_with(tool, Other)

        async def scene(tool: Writing, make: Callable[[AgentProfile, NluEngine, NluSettings], PromptAgent]) -> None:
            async with opened(factory=make) as rig:
                await rig.send(UserTurn(1, Text("Yes.")), wait_s=5)
            assert tool.runs == []

        run(scene(tool, make))
