"""Checks of draft turns and their commits, for an NLU service."""

from jsonschema import Draft202012Validator
from voice.nlu.v1 import nlu_pb2

from clients.conformance.checks.nlu import listed_tools
from clients.conformance.kit import Target, check
from clients.conformance.replies import ASK, ASK_LONG, ASK_TIME, ask, draft, ends, reply
from clients.conformance.stages import NLU
from clients.conformance.streams import kind_of
from services.runtime.json_text import read_json

LOOK_S = 1.5  # for what must not follow, at a server that answers at once
STEPS_OF_A_TOOL = 3  # the call of the tool, its result, the reply: each as long as a reply takes to begin


@check(NLU, 16, needs=("drafts",))
async def a_draft_does_not_complete_before_its_commit(nlu: Target) -> None:
    async with nlu.opened() as stream:
        began_after_s = await draft(stream, 1)
        await stream.quiet(LOOK_S + began_after_s)
        assert ends(stream) == []
        await stream.send(commit={"turn_id": 1})
        assert (await reply(stream, 1)).outcome == "COMPLETED"


@check(NLU, 16, needs=("drafts",))
async def a_commit_may_come_before_the_reply(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, "text": ASK, "is_draft": True})
        await stream.send(commit={"turn_id": 1})
        assert (await reply(stream, 1)).outcome == "COMPLETED"


@check(NLU, 16, 29, needs=("drafts",))
async def a_tool_is_told_from_its_beginning_to_its_end_and_not_before_the_commit(nlu: Target) -> None:
    tools = await listed_tools(nlu)
    async with nlu.opened() as stream:
        began_after_s = await draft(stream, 1)
        await stream.send(user_turn={"turn_id": 2, "text": ASK_TIME, "is_draft": True})
        await stream.quiet(LOOK_S + STEPS_OF_A_TOOL * began_after_s)
        assert not [one for one in stream.heard if kind_of(one) == "tool_activity"]
        await stream.send(commit={"turn_id": 2})
        answer = await reply(stream, 2)
    assert answer.outcome == "COMPLETED"
    for told in answer.tools.values():
        first, last = told[0], told[-1]
        assert [one.phase for one in told] in (
            [nlu_pb2.ToolActivity.PHASE_STARTED, nlu_pb2.ToolActivity.PHASE_COMPLETED],
            [nlu_pb2.ToolActivity.PHASE_STARTED, nlu_pb2.ToolActivity.PHASE_FAILED],
        )
        assert first.name == last.name
        assert not first.result_json
        read_json(last.result_json)
        if last.phase == nlu_pb2.ToolActivity.PHASE_COMPLETED:
            schema = read_json(tools[last.name].parameters_json)
            assert Draft202012Validator(schema).is_valid(read_json(last.arguments_json))


@check(NLU, 15, needs=("drafts",))
async def a_newer_draft_replaces_the_older_one(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await draft(stream, 1)
        await draft(stream, 2, "And where are you?")
        await stream.send(commit={"turn_id": 2})
        assert (await reply(stream, 2)).outcome == "COMPLETED"
        assert ends(stream) == [(1, "CANCELLED"), (2, "COMPLETED")]


@check(NLU, 15, needs=("drafts",))
async def a_draft_does_not_disturb_the_committed_turn(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, "text": ASK_LONG})
        await stream.until(lambda one: kind_of(one) == "reply_text")
        await stream.send(user_turn={"turn_id": 2, "text": ASK, "is_draft": True})
        await stream.send(user_turn={"turn_id": 3, "text": ASK, "is_draft": True})
        committed = await reply(stream, 1)
        assert committed.outcome == "COMPLETED"
        assert [end for end in ends(stream) if end[0] != 1] in ([], [(2, "CANCELLED")])


@check(NLU, 15, needs=("drafts",))
async def a_commit_supersedes_the_committed_turn(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, "text": ASK_LONG})
        await stream.until(lambda one: kind_of(one) == "reply_text")
        await stream.send(user_turn={"turn_id": 2, "text": ASK, "is_draft": True})
        await stream.send(commit={"turn_id": 2})
        assert (await reply(stream, 2)).outcome == "COMPLETED"
        assert ends(stream) == [(1, "CANCELLED"), (2, "COMPLETED")]


@check(NLU, 16, needs=("drafts",))
async def a_commit_that_crosses_an_end_is_ignored(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(commit={"turn_id": 9})
        await draft(stream, 1)
        await stream.send(cancellation={"turn_id": 1})
        await stream.send(commit={"turn_id": 1})
        await ask(stream, 2)
        await stream.send(commit={"turn_id": 2})
        assert await stream.rest() == []
        assert ends(stream) == [(1, "CANCELLED"), (2, "COMPLETED")]


@check(NLU, 3, needs=("drafts",))
async def an_uncommitted_draft_ends_cancelled_at_half_close(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await draft(stream, 1)
        await stream.rest()
    assert ends(stream) == [(1, "CANCELLED")]


@check(NLU, 3, needs=("drafts",))
async def a_committed_turn_finishes_after_half_close(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, "text": ASK})
        await stream.rest()
    assert ends(stream) == [(1, "COMPLETED")]


@check(NLU, 16, needs=("drafts", "provisional_playout"))
async def a_draft_may_say_what_was_heard_so_far(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await ask(stream, 1, ASK_LONG)
        await stream.send(
            user_turn={
                "turn_id": 2,
                "text": "Stop, what does it cost?",
                "is_draft": True,
                "provisional_playout": {"turn_id": 1, "heard_offset": 12},
            }
        )
        await stream.send(playout_report={"turn_id": 1, "heard_offset": 14, "is_final": True})
        await stream.send(commit={"turn_id": 2})
        assert (await reply(stream, 2)).outcome == "COMPLETED"


@check(NLU, 16, needs=("drafts",))
async def a_draft_does_not_act_before_its_commit(nlu: Target) -> None:
    async with nlu.opened() as stream:
        began_after_s = await draft(stream, 1, "That is all, thank you. Goodbye!")
        await stream.quiet(LOOK_S + began_after_s)
        assert [kind_of(one) for one in stream.heard if kind_of(one) == "call_action"] == []
        await stream.send(commit={"turn_id": 1})
        assert [action.WhichOneof("action") for action in (await reply(stream, 1)).actions] == ["hang_up"]
