"""The rules of turns on every kind of agent, and on a LangGraph graph of one's own: 16, 18, 29, 30, 33."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from clients.conformance.replies import ask, draft, ends, reply
from clients.conformance.streams import kind_of, opened
from tests.conformance.servers import NLU, ROOT, Server, running

SURVEY = {"NLU_AGENT_KIND": "", "NLU_AGENTS_DIR": str(ROOT / "tests/data/agents"), "NLU_DEFAULT_AGENT": "survey"}


@dataclass(frozen=True, slots=True)
class Kind:
    """An agent under test: its settings, something it answers, and something that makes it act."""

    settings: dict[str, str]
    question: str
    acting: str


KINDS = {
    "prompt": Kind({"NLU_AGENT_KIND": "prompt"}, "What are your opening hours?", "say hang up"),
    "graph": Kind({"NLU_AGENT_KIND": "graph"}, "What are your opening hours?", "Can we speak Vietnamese?"),
    "own-graph": Kind(SURVEY, "I like it.", "That is enough."),
}


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Kind]]:
    kind = KINDS[request.param]
    with running(NLU, "script", tmp_path_factory.mktemp(request.param), settings=kind.settings) as server:
        yield server, kind


async def test_a_question_is_answered_and_ends_once(served: tuple[Server, Kind]) -> None:
    server, kind = served
    async with opened(NLU, server.target) as stream:
        answer = await ask(stream, 1, kind.question)
        assert answer.outcome == "COMPLETED"
        assert answer.text.strip()
        assert await stream.rest() == []


async def test_a_draft_does_not_complete_before_its_commit(served: tuple[Server, Kind]) -> None:
    server, kind = served
    async with opened(NLU, server.target) as stream:
        await draft(stream, 1, kind.question)
        await stream.quiet(0.5)
        assert ends(stream) == []
        await stream.send(commit={"turn_id": 1})
        assert (await reply(stream, 1)).outcome == "COMPLETED"


async def test_a_draft_does_not_act_before_its_commit(served: tuple[Server, Kind]) -> None:
    server, kind = served
    async with opened(NLU, server.target, language_codes=[]) as stream:
        await stream.send(user_turn={"turn_id": 1, "text": kind.acting, "is_draft": True})
        await stream.quiet(1.5)
        assert [one for one in stream.heard if kind_of(one) in ("call_action", "turn_end")] == []
        await stream.send(commit={"turn_id": 1})
        answer = await reply(stream, 1)
    assert answer.outcome == "COMPLETED"
    assert len(answer.actions) == 1


async def test_a_newer_draft_replaces_the_older_one(served: tuple[Server, Kind]) -> None:
    server, kind = served
    async with opened(NLU, server.target) as stream:
        await stream.send(user_turn={"turn_id": 1, "text": kind.acting, "is_draft": True})
        await draft(stream, 2, kind.question)
        await stream.send(commit={"turn_id": 2})
        answer = await reply(stream, 2)
        assert answer.outcome == "COMPLETED"
        assert answer.actions == []
        assert ends(stream) == [(1, "CANCELLED"), (2, "COMPLETED")]


async def test_the_call_is_greeted_and_a_goodbye_hangs_up(served: tuple[Server, Kind]) -> None:
    server, _ = served
    async with opened(NLU, server.target) as stream:
        await stream.send(user_turn={"turn_id": 1, "open": {}})
        assert (await reply(stream, 1)).text.strip()
        answer = await ask(stream, 2, "That is all, thank you. Goodbye!")
    assert [action.WhichOneof("action") for action in answer.actions] == ["hang_up"]


async def test_a_fresh_stream_goes_on_with_history_and_state(served: tuple[Server, Kind]) -> None:
    server, kind = served
    async with opened(NLU, server.target) as stream:
        answer = await ask(stream, 1, kind.question)
    history = [{"turn_id": 1, "user_text": kind.question, "heard_text": answer.text}]
    async with opened(NLU, server.target, history=history, state=answer.end.state) as stream:
        assert (await ask(stream, 2, "And on Sunday?")).outcome == "COMPLETED"
