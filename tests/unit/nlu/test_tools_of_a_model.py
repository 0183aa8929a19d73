"""Tools that a model calls, as the client of a conversation sees it: in virtual time, with a script for the model."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from services.nlu.agent.confirmation import Confirmation
from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_agent import MAX_TOOL_ROUNDS, PromptAgent
from services.nlu.agent.tools import Tool, ToolRefused
from services.nlu.engine import NluEngine, ReplyPart, ReplyRequest, TextMade, ToolSpec, ToolWanted
from services.nlu.inputs import Cancellation, Commit, Text, UserTurn
from services.nlu.outputs import CallAction, Outcome, ReplyText, ToolActivity, ToolPhase
from services.nlu.settings import NluSettings
from tests.unit.nlu.rig import Rig, WatchedScript, opened, script_settings
from tests.unit.nlu.virtual_time import run

SCHEMA = json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False})


class Told:
    """A tool that does what its test says, and keeps the arguments it was run with."""

    def __init__(self, name: str, result: Callable[[], Awaitable[str]], *, writes: bool = False) -> None:
        self.spec = ToolSpec(name, f"Does {name}.", SCHEMA, writes=writes)
        self.runs: list[Mapping[str, object]] = []
        self._result = result

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        self.runs.append(arguments)
        return await self._result()


def giving(result: str, *, after_s: float = 0.0) -> Callable[[], Awaitable[str]]:
    async def give() -> str:
        await asyncio.sleep(after_s)
        return result

    return give


def refusing(why: str) -> Callable[[], Awaitable[str]]:
    async def refuse() -> str:
        raise ToolRefused(why)

    return refuse


def with_tools(*tools: Told) -> Callable[[AgentProfile, NluEngine, NluSettings], PromptAgent]:
    class Tooled(PromptAgent):
        def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
            return {tool.spec.name: tool for tool in tools}

    return Tooled


def agreed_with_tools(*tools: Told) -> Callable[[AgentProfile, NluEngine, NluSettings], PromptAgent]:
    """An agent whose caller has agreed to every deed; test_confirmed_deeds.py is about those who have not."""

    class Agreed(PromptAgent):
        def tools_of(self, tenant_id: str) -> Mapping[str, Tool]:
            return {tool.spec.name: tool for tool in tools}

        def unconfirmed(self, spec: ToolSpec, arguments: Mapping[str, object], given: Confirmation) -> str:
            return ""

    return Agreed


def script(tmp_path: Path, *parts: str, **changes: object) -> NluSettings:
    return script_settings(tmp_path, f'[[reply]]\nname = "sure"\nparts = [{", ".join(parts)}]', **changes)


def said(turn_id: int = 1, *, is_draft: bool = False) -> UserTurn:
    return UserTurn(turn_id, Text("What is it?"), is_draft=is_draft)


def results(rig: Rig) -> list[str]:
    return [each.result_json for each in rig.of(ToolActivity) if each.phase is not ToolPhase.STARTED]


CALL_A, CALL_B, TEXT = '{ tool = "a" }', '{ tool = "b", arguments = { n = 1 } }', '{ text = "It is so." }'


def test_calls_of_one_reply_run_at_the_same_time(tmp_path: Path) -> None:
    tools = Told("a", giving('{"a": 1}', after_s=0.4)), Told("b", giving('{"b": 2}', after_s=0.4))

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, CALL_B, TEXT), factory=with_tools(*tools)) as rig:
            await rig.send(said(), wait_s=5)
        phases = [(at, each.tool_call_id, each.phase) for at, each in rig.timed if isinstance(each, ToolActivity)]
        assert [phase for _, _, phase in phases] == [ToolPhase.STARTED] * 2 + [ToolPhase.COMPLETED] * 2
        assert phases[3][0] - phases[0][0] == pytest.approx(0.4, abs=0.01)
        assert {call_id for _, call_id, _ in phases} == {"1.1", "1.2"}
        assert rig.said(1) == "It is so."
        assert rig.prompt()[-2:] == ['tool: a: {"a": 1}', 'tool: b: {"b": 2}']
        assert len(rig.engine.requests) == 2

    run(scene())


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ('{ tool = "fly" }', "there is no tool fly"),
        ('{ tool = "a", arguments = { n = "one" } }', "n: 'one' is not of type 'integer'"),
        ('{ tool = "a", arguments = { m = 1 } }', "there is no 'm'"),
    ],
)
def test_what_cannot_be_run_is_told_to_the_model_and_never_run(tmp_path: Path, part: str, why: str) -> None:
    tool = Told("a", giving("{}"))

    async def scene() -> None:
        async with opened(script(tmp_path, part, TEXT), factory=with_tools(tool)) as rig:
            await rig.send(said(), wait_s=5)
        assert tool.runs == []
        assert why in rig.prompt()[-1]
        assert [each.phase for each in rig.of(ToolActivity)] == [ToolPhase.STARTED, ToolPhase.FAILED]
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(scene())


def test_a_failed_tool_is_told_to_the_model_with_its_reason(tmp_path: Path) -> None:
    tool = Told("a", refusing("the diary is closed"))

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, TEXT), factory=with_tools(tool)) as rig:
            await rig.send(said(), wait_s=5)
        assert rig.prompt()[-1] == 'tool: a: {"error": "the diary is closed"}'

    run(scene())


@pytest.mark.parametrize(
    ("result", "told", "phase"),
    [
        (json.dumps([{"id": n, "name": "x" * 100} for n in range(8000)]), "more", ToolPhase.COMPLETED),
        (json.dumps({"text": "y" * 1_000_000}), "yyy...", ToolPhase.COMPLETED),
        (json.dumps({f"k{n}": n for n in range(100_000)}), "more", ToolPhase.COMPLETED),
        (json.dumps({"k" * 1_000_000: 1}), "too long", ToolPhase.COMPLETED),
        ('{"cut off": [1, 2', "no JSON", ToolPhase.FAILED),
        ("", "no JSON", ToolPhase.FAILED),
        ("[" * 100_000, "no JSON", ToolPhase.FAILED),
        (
            "<!DOCTYPE html><html><script>x()</script><h1>502 Bad&nbsp;Gateway</h1></html>",
            "502 Bad Gateway",
            ToolPhase.FAILED,
        ),
        ("<html>" + "<p>no</p>" * 200_000, "a web page", ToolPhase.FAILED),
    ],
)
def test_a_result_that_no_model_can_read_is_cut_and_told(
    tmp_path: Path, result: str, told: str, phase: ToolPhase
) -> None:
    tool = Told("a", giving(result))

    async def scene() -> None:
        settings = script(tmp_path, CALL_A, TEXT)
        async with opened(settings, factory=with_tools(tool)) as rig:
            await rig.send(said(), wait_s=5)
        (kept,) = results(rig)
        assert rig.of(ToolActivity)[-1].phase is phase
        assert told in kept
        assert len(kept) <= settings.tool_result_chars
        json.loads(kept)
        assert "script" not in kept
        assert rig.said(1) == "It is so."

    run(scene())


class Looping(WatchedScript):
    """Calls a tool whatever it is told."""

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(request)
        yield ToolWanted("a", json.dumps({"n": len(self.requests)}))


def test_a_model_that_goes_round_in_circles_is_stopped_after_four_rounds() -> None:
    tool, asked = Told("a", giving("{}")), list[Looping]()

    def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> PromptAgent:
        asked.append(Looping(settings))
        return with_tools(tool)(profile, asked[0], settings)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await rig.send(said(), wait_s=5)
        assert MAX_TOOL_ROUNDS == 4
        assert len(tool.runs) == 4
        assert len(asked[0].requests) == 5
        assert "No more tools" in asked[0].requests[-1].messages[-1].text
        assert rig.said(1), "the caller is told something"
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(scene())


class Repeating(WatchedScript):
    """Calls the same tool again as long as it is told of one."""

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(request)
        yield ToolWanted("a") if request.tools else TextMade("It is seven.")


def test_a_model_that_asks_again_for_what_it_was_given_is_made_to_answer() -> None:
    tool, asked = Told("a", giving('{"n": 7}')), list[Repeating]()

    def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> PromptAgent:
        asked.append(Repeating(settings))
        return with_tools(tool)(profile, asked[0], settings)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await rig.send(said(), wait_s=5)
        assert len(tool.runs) == 1
        assert len(asked[0].requests) == 3
        assert any('{"n": 7}' in message.text for message in asked[0].requests[-1].messages)
        assert rig.said(1) == "It is seven."

    run(scene())


class Mumbling(WatchedScript):
    """Writes what no caller may hear, so many times; then it answers."""

    parts: tuple[str, ...] = ('```json\n{"time": "02:53"}', "It is so.")

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(request)
        yield TextMade(self.parts[min(len(self.requests), len(self.parts)) - 1])


class MumblingOnly(Mumbling):
    parts = ('```json\n{"time": "02:53"}',)


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        (Mumbling, "It is so."),
        (MumblingOnly, "I'm sorry, I don't know that. Is there anything else I can help you with?"),
    ],
)
def test_a_model_that_writes_nothing_to_be_heard_is_asked_once_more_and_then_the_truth_is_told(
    kind: type[Mumbling], heard: str
) -> None:
    asked = list[Mumbling]()

    def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> PromptAgent:
        asked.append(kind(settings))
        return with_tools(Told("a", giving("{}")))(profile, asked[0], settings)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await rig.send(said(), wait_s=5)
        assert len(asked[0].requests) == 2
        assert not asked[0].requests[-1].tools
        assert rig.said(1) == heard
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(scene())


class Boasting(Mumbling):
    """Looks something up, says what it cannot know, and corrects itself when it is told."""

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(request)
        match len(self.requests):
            case 1:
                yield ToolWanted("a")
            case 2:
                yield TextMade("It is seven.")
            case _:
                yield TextMade("It is so.")


def test_a_model_that_must_mend_its_words_has_the_results_of_its_tools_before_it() -> None:
    tool, asked = Told("a", giving('{"n": "x"}')), list[Boasting]()

    def make(profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> PromptAgent:
        asked.append(Boasting(settings))
        return with_tools(tool)(profile, asked[0], settings)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await rig.send(said(), wait_s=5)
        assert len(tool.runs) == 1
        *_, result, objection = asked[0].requests[2].messages
        assert result.text == 'a: {"n": "x"}'
        assert objection.text.startswith("objection: ")
        assert rig.said(1) == "It is so."

    run(scene())


@pytest.mark.parametrize(
    ("parts", "heard", "is_over"),
    [
        (('{ text = "Goodbye!" }', '{ tool = "hang_up" }'), "Goodbye!", True),
        (('{ text = "It is so." }', '{ tool = "hang_up" }'), "It is so.", False),
        (('{ tool = "hang_up" }',), "I'm sorry, I don't know that.", False),
    ],
)
def test_a_model_hangs_up_only_behind_its_own_goodbye(
    tmp_path: Path, parts: tuple[str, ...], heard: str, is_over: bool
) -> None:
    async def scene() -> None:
        async with opened(script(tmp_path, *parts), factory=with_tools()) as rig:
            await rig.send(said(), wait_s=5)
        assert rig.said(1).startswith(heard)
        assert bool(rig.of(CallAction)) == is_over

    run(scene())


def clauses(rig: Rig, turn_id: int = 1) -> list[tuple[float, str]]:
    return [
        (round(at, 1), each.text.strip())
        for at, each in rig.timed
        if isinstance(each, ReplyText) and each.turn_id == turn_id
    ]


def test_a_slow_tool_brings_a_filler_and_then_a_phrase_every_five_seconds(tmp_path: Path) -> None:
    tool = Told("a", giving("{}", after_s=11.5))

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, TEXT, tool_limit_s=20.0), factory=with_tools(tool)) as rig:
            await rig.send(said(), wait_s=30)
        begun = next(at for at, each in rig.timed if isinstance(each, ToolActivity))
        spoken = [(round(at - begun, 1), text) for at, text in clauses(rig)]
        assert spoken[:2] == [(0.6, "One moment, please."), (5.6, "I'm still with you. Thank you for waiting.")]
        assert spoken[2][0] == 10.6
        assert spoken[2][1] not in dict.fromkeys(text for _, text in spoken[:2]), "not the same words again"
        assert spoken[-1][1] == "It is so."
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(scene())


def test_a_quick_tool_brings_no_filler_and_the_limit_is_a_setting(tmp_path: Path) -> None:
    async def scene(limit_ms: int) -> list[str]:
        tool = Told("a", giving("{}", after_s=0.5))
        async with opened(script(tmp_path, CALL_A, TEXT, tool_filler_ms=limit_ms), factory=with_tools(tool)) as rig:
            await rig.send(said(), wait_s=5)
        return [text for _, text in clauses(rig)]

    assert run(scene(600)) == ["It is so."]
    assert run(scene(300)) == ["One moment, please.", "It is so."]


def test_the_time_of_tools_is_not_the_replys(tmp_path: Path) -> None:
    tool = Told("a", giving("{}", after_s=4.0))

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, TEXT, turn_limit_s=3.0), factory=with_tools(tool)) as rig:
            await rig.send(said(), wait_s=10)
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(scene())


def test_a_caller_who_interrupts_leaves_the_tool_running_and_its_result_is_known_later(tmp_path: Path) -> None:
    tool = Told("a", giving('{"found": 7}', after_s=3.0), writes=True)

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, TEXT), factory=agreed_with_tools(tool)) as rig:
            await rig.send(said(), wait_s=1.5)
            await rig.send(Cancellation(1), wait_s=3)
            assert rig.end(1).outcome is Outcome.CANCELLED
            assert rig.of(ToolActivity)[-1].phase is ToolPhase.COMPLETED
            await rig.send(said(2), wait_s=8)
        assert any('{"found": 7}' in line for line in rig.prompt())

    run(scene())


def test_a_draft_runs_what_only_reads_and_tells_nothing_of_it_before_its_commit(tmp_path: Path) -> None:
    reads, writes = Told("a", giving('{"free": 3}')), Told("b", giving("{}"), writes=True)

    async def scene() -> None:
        settings = script(tmp_path, CALL_A, '{ text = "Three. " }', CALL_B, TEXT)
        async with opened(settings, factory=agreed_with_tools(reads, writes)) as rig:
            await rig.send(said(is_draft=True), wait_s=5)
            assert (len(reads.runs), len(writes.runs)) == (1, 0)
            assert rig.said(1) == "Three."
            assert rig.of(ToolActivity) == []
            await rig.send(Commit(1), wait_s=2)
            assert (len(reads.runs), len(writes.runs)) == (1, 1)
        assert [(each.tool_call_id, each.phase) for each in rig.of(ToolActivity)] == [
            ("1.1", ToolPhase.STARTED),
            ("1.1", ToolPhase.COMPLETED),
            ("1.2", ToolPhase.STARTED),
            ("1.2", ToolPhase.COMPLETED),
        ]
        assert rig.said(1) == "Three. It is so."

    run(scene())


def test_a_draft_that_comes_to_nothing_leaves_nothing_of_its_tools(tmp_path: Path) -> None:
    reads = Told("a", giving('{"free": 3}', after_s=0.5))

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, TEXT), factory=with_tools(reads)) as rig:
            await rig.send(said(is_draft=True), wait_s=0.3)
            await rig.send(Cancellation(1), wait_s=3)
            await rig.send(said(2), wait_s=5)
        assert [each.turn_id for each in rig.of(ToolActivity)] == [2, 2]
        assert not any("free" in line for line in rig.prompt()[:-1])

    run(scene())


def test_no_waiting_line_is_said_before_the_commit(tmp_path: Path) -> None:
    reads = Told("a", giving("{}", after_s=4.0))

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, TEXT), factory=with_tools(reads)) as rig:
            await rig.send(said(is_draft=True), wait_s=2.0)
            assert rig.said(1) == ""
            await rig.send(Commit(1), wait_s=5)
        assert [text for _, text in clauses(rig)] == ["One moment, please.", "It is so."]
        assert clauses(rig)[0][0] == pytest.approx(2.0, abs=0.1)

    run(scene())


def test_a_call_written_as_text_is_never_spoken(tmp_path: Path) -> None:
    leaks = (
        '<tool_call>\\n{\\"name\\": \\"a\\", \\"arguments\\": {}}\\n</tool_call>',
        '[a(n=1, text=\\"x]y\\")]',
        "<|python_start|>[a(n=1)]<|python_end|>",
        '{\\"name\\": \\"a\\", \\"parameters\\": {}}',
    )

    async def scene(leak: str) -> str:
        parts = (f'{{ text = "Yes. {leak} It is so." }}',)
        async with opened(script(tmp_path, *parts), factory=with_tools(Told("a", giving("{}")))) as rig:
            await rig.send(said(), wait_s=5)
        return rig.said(1)

    for leak in leaks:
        assert run(scene(leak)).replace("  ", " ") == "Yes. It is so.", leak


class Late(Told):
    """A deed that is noted, and whose system answers after the limit."""

    async def standing(self, *, idempotency_key: str) -> str:
        return json.dumps({"status": "pending", "reference": idempotency_key})


@pytest.mark.parametrize(
    ("kind", "phase", "told"),
    [(Late, ToolPhase.COMPLETED, '"pending"'), (Told, ToolPhase.FAILED, "whether it was done is not known")],
)
def test_a_deed_that_is_noted_when_its_result_is_late_has_not_failed(
    tmp_path: Path, kind: type[Told], phase: ToolPhase, told: str
) -> None:
    tool = kind("a", giving('{"status": "done"}', after_s=30.0), writes=True)

    async def scene() -> None:
        async with opened(script(tmp_path, CALL_A, TEXT), factory=agreed_with_tools(tool)) as rig:
            await rig.send(said(), wait_s=15)
        assert rig.of(ToolActivity)[-1].phase is phase
        assert told in results(rig)[0]

    run(scene())
