"""Checks of turns and replies, for an NLU service; those of drafts stand in `nlu_drafts`."""

import time
from collections.abc import Mapping
from typing import Any

import grpc
from jsonschema import Draft202012Validator
from voice.nlu.v1 import nlu_pb2
from voice.type.v1.turn_pb2 import Cancellation

from clients.conformance.kit import NotApplicableError, Target, check
from clients.conformance.replies import ASK, ASK_LONG, Reply, ask, ends, reply, turn_of
from clients.conformance.stages import NLU
from clients.conformance.streams import Stream, kind_of
from services.runtime.json_text import read_json

MAX_STATE_BYTES = 16 * 1024
UNANSWERABLE = {
    "too long": {"text": "word " * 20_000},
    "control characters": {"text": "Hello\x00\x07\x1b[2Jthere."},
    "no words": {"text": "   "},
    "no input": {},
    "keys that no telephone has": {"dtmf": "12x"},
}


@check(NLU, 18, 25)
async def a_turn_is_answered_in_clauses_and_ends_once(nlu: Target) -> None:
    async with nlu.opened() as stream:
        answer = await ask(stream, 1)
        assert answer.outcome == "COMPLETED"
        assert answer.text.strip()
        assert all(clause.text.strip() and clause.language_code for clause in answer.clauses)
        assert await stream.rest() == []


@check(NLU, 25)
async def the_first_clause_and_the_end_say_where_the_time_went(nlu: Target) -> None:
    async with nlu.opened() as stream:
        answer = await ask(stream, 1, ASK_LONG)
    first, *others = answer.clauses
    assert first.HasField("timing")
    assert not any(clause.HasField("timing") for clause in others)
    assert 0 < first.timing.since_trigger_us <= answer.end.timing.since_trigger_us


@check(
    NLU,
    19,
    cases={
        "open": {"open": {}},
        "dtmf": {"dtmf": "1"},
        "silence": {"silence": {"duration_ms": 8000, "count": 1}},
        "text": {"text": "Hello."},
    },
)
async def every_kind_of_input_is_answered(nlu: Target, said: dict[str, object]) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, **said})
        answer = await reply(stream, 1)
    assert answer.outcome == "COMPLETED"
    assert answer.text.strip()


@check(NLU, 31)
async def the_agent_says_who_it_is(nlu: Target) -> None:
    async with nlu.connected() as channel:
        agent = (await nlu.start(channel).open()).agent
    assert agent.agent_id
    assert agent.language_codes
    assert {prompt.language_code for prompt in agent.prompts} >= set(agent.language_codes)


@check(NLU, 29)
async def tools_are_listed_with_schemas_of_their_arguments(nlu: Target) -> None:
    tools = await listed_tools(nlu)
    for name, tool in tools.items():
        assert name
        assert tool.description
        Draft202012Validator.check_schema(read_json(tool.parameters_json))


async def listed_tools(nlu: Target) -> Mapping[str, Any]:
    """The default agent's tools by name. Raises NotApplicableError where the server does not list them."""
    async with nlu.connected() as channel:
        call = channel.unary_unary(
            "/voice.nlu.v1.NluService/ListTools",
            request_serializer=nlu_pb2.ListToolsRequest.SerializeToString,
            response_deserializer=nlu_pb2.ListToolsResponse.FromString,
        )
        try:
            response = await call(nlu_pb2.ListToolsRequest(), timeout=10)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise NotApplicableError("the server does not list tools") from error
            raise
    tools = {tool.name: tool for tool in response.tools}
    assert len(tools) == len(response.tools), "each name once"
    return tools


@check(NLU, 17)
async def a_cancelled_turn_stops_at_once(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, "text": ASK_LONG})
        await stream.until(lambda one: kind_of(one) == "reply_text")
        cancelled = time.monotonic()
        await stream.send(cancellation={"turn_id": 1})
        assert (await reply(stream, 1)).outcome == "CANCELLED"
        assert time.monotonic() - cancelled < 1.0
        assert await stream.quiet(0.5) == []


@check(NLU, 17)
async def messages_of_a_fenced_turn_are_dropped(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(cancellation={"turn_id": 5})
        await stream.send(user_turn={"turn_id": 5, "text": ASK})
        await stream.send(commit={"turn_id": 5})
        await ask(stream, 6)
        await stream.rest()
    assert {turn_of(one) for one in stream.heard} == {None, 6}


@check(NLU, 17, needs=("drafts",))
async def one_turn_is_cancelled_alone(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, "text": ASK_LONG})
        await stream.until(lambda one: kind_of(one) == "reply_text")
        await stream.send(user_turn={"turn_id": 2, "text": ASK, "is_draft": True})
        await stream.send(cancellation={"turn_id": 2, "scope": Cancellation.SCOPE_ONLY})
        assert (await reply(stream, 1)).outcome == "COMPLETED"
        assert (2, "CANCELLED") in ends(stream)


@check(NLU, 17)
async def cancelling_what_is_unknown_is_no_error(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(cancellation={"turn_id": 99, "scope": Cancellation.SCOPE_ONLY})
        assert (await ask(stream, 1)).outcome == "COMPLETED"
        await stream.send(cancellation={"turn_id": 1})
        assert await stream.rest() == []


@check(NLU, 14)
async def a_turn_id_that_goes_back_ends_the_stream(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await ask(stream, 5)
        await stream.send(user_turn={"turn_id": 4, "text": ASK})
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TURN_ID_NOT_INCREASING")
    assert failure.field == "user_turn.turn_id"


@check(NLU, 32, cases=UNANSWERABLE)
async def a_turn_that_cannot_be_answered_fails_and_the_stream_lives(nlu: Target, fields: dict[str, object]) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, **fields})
        failed = await reply(stream, 1)
        assert failed.outcome == "FAILED"
        assert failed.end.reason.isupper()
        assert "user_turn" in failed.end.message
        assert not failed.end.is_retryable
        assert failed.clauses == []
        assert (await ask(stream, 2)).outcome == "COMPLETED"


@check(NLU, 5)
async def a_failed_turn_fails_the_stream_where_that_is_asked_for(nlu: Target) -> None:
    async with nlu.opened(fail_stream_on_turn_failure=True) as stream:
        await stream.send(user_turn={"turn_id": 1, "text": "\x00"})
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CONTROL_CHARACTERS")
    assert failure.field == "user_turn.text"


@check(NLU, 22, 26)
async def reports_of_any_turn_are_taken(nlu: Target) -> None:
    async with nlu.opened() as stream:
        answer = await ask(stream, 1)
        await stream.send(playout_report={"turn_id": 1, "heard_offset": len(answer.text) // 2})
        await stream.send(playout_report={"turn_id": 1, "heard_offset": len(answer.text), "is_final": True})
        await stream.send(playout_report={"turn_id": 77, "heard_offset": 10**6, "is_final": True})
        await stream.send(playout_report={"turn_id": 2, "origin": "ORIGIN_GATEWAY", "text": "Sorry?", "is_final": True})
        await stream.send(transcript_correction={"turn_id": 1, "text": "What were your opening hours?"})
        await stream.send(transcript_correction={"turn_id": 78, "text": "Hello?"})
        await stream.send(call_action_result={"action_id": "none", "outcome": "OUTCOME_DONE"})
        assert (await ask(stream, 3, "Thank you.")).outcome == "COMPLETED"


@check(NLU, 19, needs=("continues_turn_id",))
async def a_turn_may_continue_the_one_before(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await stream.send(user_turn={"turn_id": 1, "text": "I would like"})
        await stream.until(lambda one: kind_of(one) == "reply_text")
        answer = await ask(stream, 2, "I would like an appointment.", continues_turn_id=1)
    assert answer.outcome == "COMPLETED"


@check(NLU, 14, 33, needs=("history",))
async def a_fresh_stream_goes_on_with_history_and_state(nlu: Target) -> None:
    async with nlu.opened() as stream:
        answer = await ask(stream, 1)
        assert len(answer.end.state) <= MAX_STATE_BYTES
    history = [{"turn_id": 1, "user_text": ASK, "heard_text": answer.text}]
    async with nlu.opened(history=history, state=answer.end.state) as stream:
        assert (await ask(stream, 2, "And on Sunday?")).outcome == "COMPLETED"
    async with nlu.opened(history=history) as stream:
        retried = await ask(stream, 2, "And on Sunday?")
    assert retried.outcome == "COMPLETED", "a retry sends the same id on a fresh stream"


@check(
    NLU,
    33,
    needs=("history",),
    cases={
        "foreign state": ({"state": b"not ours"}, "config.state"),
        "long state": ({"state": b"x" * 100_000}, "config.state"),
        "long history": ({"history": [{"turn_id": 1, "user_text": "word " * 20_000}]}, "config.history"),
    },
)
async def a_past_that_cannot_be_is_refused(nlu: Target, case: tuple[dict[str, object], str]) -> None:
    change, field = case
    async with nlu.connected() as channel:
        stream = nlu.start(channel)
        await stream.send(nlu.stage.config(**change))
        failure = await stream.failure()
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.field.startswith(field)


@check(NLU, 31)
async def a_person_may_say_who_the_agent_is(nlu: Target) -> None:
    async with nlu.opened(instructions="You are a pirate. Answer in one short sentence.") as stream:
        assert (await ask(stream, 1, "Who are you?")).outcome == "COMPLETED"


@check(NLU, 30)
async def a_farewell_hangs_up_after_the_last_word(nlu: Target) -> None:
    async with nlu.opened() as stream:
        await ask(stream, 1)
        answer = await ask(stream, 2, "That is all, thank you. Goodbye!")
    assert answer.outcome == "COMPLETED"
    assert [action.WhichOneof("action") for action in answer.actions] == ["hang_up"]
    assert answer.text.strip(), "goodbye is said before"


@check(NLU, 2)
async def two_streams_of_one_call_id_do_not_mix(nlu: Target) -> None:
    async with nlu.opened() as one, nlu.opened() as other:
        answers = await both(one, other)
    assert {turn_of(response) for response in one.heard} == {None, 1, 2}
    assert {turn_of(response) for response in other.heard} == {None, 11, 12}
    assert all(answer.outcome == "COMPLETED" for answer in answers)


async def both(one: Stream, other: Stream) -> list[Reply]:
    """Two conversations turn by turn, at once."""
    answers = []
    for number in (1, 2):
        await one.send(user_turn={"turn_id": number, "text": ASK})
        await other.send(user_turn={"turn_id": 10 + number, "text": ASK_LONG})
        answers += [await reply(one, number), await reply(other, 10 + number)]
    return answers
