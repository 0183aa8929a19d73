"""The door: what the service makes of a stream of messages, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from voice.nlu.v1 import nlu_pb2
from voice.type.v1 import expectation_pb2, turn_pb2

from services.nlu.__main__ import load_knowledge
from services.nlu.agent.kinds import open_agent
from services.nlu.agent.profile import read_agents
from services.nlu.engine import open_engine
from services.nlu.errors import BadState, HistoryTooLong, InstructionsTooLong, UnknownAgent, UnknownLanguage
from services.nlu.service import FEATURES, NluService
from services.nlu.settings import NluSettings
from services.runtime.errors import FirstMessageNotConfig, RequestError, SecondConfig, root_cause
from services.runtime.lifecycle import Lifecycle
from tests.unit.nlu.rig import script_settings

Request = nlu_pb2.StreamingConverseRequest
Response = nlu_pb2.StreamingConverseResponse
FAST = script_settings(script_first_token_ms=0, script_tokens_per_s=100_000)


NOBODY: Any = None  # where tokens are off the context is not read


async def opened(settings: NluSettings = FAST, lifecycle: Lifecycle | None = None) -> NluService:
    load_knowledge()
    engine = open_engine(settings)
    await engine.load(())
    profiles = read_agents(settings.agents_dir)
    agents = {agent_id: open_agent(profile, engine, settings) for agent_id, profile in profiles.items()}
    return NluService(settings, engine, profiles, agents, lifecycle or Lifecycle())


async def converse(service: NluService, requests: Iterable[Request | float]) -> list[Response]:
    """Send the requests, half-close; a number is a pause in seconds."""

    async def sent() -> AsyncIterator[Request]:
        for request in requests:
            if isinstance(request, float):
                await asyncio.sleep(request)
            else:
                yield request

    return [response async for response in service.StreamingConverse(sent(), NOBODY)]


def config(**fields: object) -> Request:
    return Request(config=nlu_pb2.ConversationConfig(**fields))  # type: ignore[arg-type]


def text(turn_id: int, words: str, **fields: object) -> Request:
    return Request(user_turn=nlu_pb2.UserTurn(turn_id=turn_id, text=words, **fields))  # type: ignore[arg-type]


async def test_the_engine_and_the_agent_come_first() -> None:
    responses = await converse(await opened(), [config()])
    assert [response.WhichOneof("response") for response in responses] == ["engine"]
    engine, agent = responses[0].engine.engine, responses[0].engine.agent
    assert (engine.name, engine.limits.max_history_bytes) == ("script", 16384)
    assert tuple(engine.features) == FEATURES
    assert (agent.agent_id, list(agent.language_codes)) == ("clinic", ["en", "vi"])
    assert len(agent.prompts) == 36


async def test_what_is_sent_before_half_close_is_answered_to_the_end() -> None:
    responses = await converse(await opened(), [config(), text(1, "Hello there.")])
    kinds = [response.WhichOneof("response") for response in responses]
    assert (kinds[0], set(kinds[1:-1]), kinds[-1]) == ("engine", {"reply_text"}, "turn_end")
    assert responses[1].reply_text.timing.since_trigger_us > 0
    assert responses[-1].turn_end.outcome == turn_pb2.TurnEnd.OUTCOME_COMPLETED
    assert responses[-1].turn_end.state


@pytest.mark.parametrize(
    ("fields", "ends_call"), [({}, True), ({"confidence": 0.9}, True), ({"confidence": 0.2}, False)]
)
async def test_a_goodbye_the_stt_stage_is_not_sure_of_ends_no_call(fields: dict[str, float], ends_call: bool) -> None:
    responses = await converse(await opened(), [config(), text(1, "Goodbye.", **fields)])
    assert any(response.HasField("call_action") for response in responses) is ends_call


async def test_every_kind_of_request_is_taken() -> None:
    requests: list[Request | float] = [
        config(),
        text(1, "Phòng khám ở đâu?", is_draft=True, detected_language_code="vi"),
        0.05,
        Request(commit=nlu_pb2.Commit(turn_id=1)),
        0.05,
        Request(playout_report=nlu_pb2.PlayoutReport(turn_id=1, heard_offset=4, is_final=True)),
        Request(transcript_correction=nlu_pb2.TranscriptCorrection(turn_id=1, text="Phòng khám ở đâu vậy?")),
        Request(call_action_result=nlu_pb2.CallActionResult(action_id="1.act-1")),
        Request(user_turn=nlu_pb2.UserTurn(turn_id=2, dtmf="1")),
        0.05,
        Request(user_turn=nlu_pb2.UserTurn(turn_id=3, silence=nlu_pb2.Silence(duration_ms=8000, count=3))),
        0.05,
        Request(user_turn=nlu_pb2.UserTurn(turn_id=4, open=nlu_pb2.Open())),
        0.05,
        Request(cancellation=turn_pb2.Cancellation(turn_id=4)),
        Request(),
    ]
    responses = await converse(await opened(), requests)
    ends = [response.turn_end for response in responses if response.HasField("turn_end")]
    assert [end.turn_id for end in ends] == [1, 2, 3, 4]
    acts = [response.call_action for response in responses if response.HasField("call_action")]
    assert [act.WhichOneof("action") for act in acts] == ["hang_up"]
    assert [act.when for act in acts] == [nlu_pb2.CallAction.WHEN_AFTER_PLAYOUT]


async def test_expectations_acts_and_tools_reach_the_wire() -> None:
    requests: list[Request | float] = [config()]
    names = ("ask number", "transfer", "press keys", "switch language", "clock")
    for turn_id, name in enumerate(names, start=1):
        requests += [text(turn_id, f"say {name}"), 0.05]
    responses = await converse(await opened(), requests)
    (expected,) = [response.expectation for response in responses if response.HasField("expectation")]
    assert expected.expected_input.kind == expectation_pb2.ExpectedInput.KIND_DIGITS
    assert expected.expected_input.length == 10
    acts = [response.call_action for response in responses if response.HasField("call_action")]
    assert [act.WhichOneof("action") for act in acts] == ["transfer", "send_dtmf", "switch_language"]
    tools = [response.tool_activity for response in responses if response.HasField("tool_activity")]
    assert [tool.phase for tool in tools] == [
        nlu_pb2.ToolActivity.PHASE_STARTED,
        nlu_pb2.ToolActivity.PHASE_COMPLETED,
    ]


@pytest.mark.parametrize(
    ("requests", "error", "field"),
    [
        ([text(1, "Hello.")], FirstMessageNotConfig, "config"),
        ([], FirstMessageNotConfig, "config"),
        ([config(), config()], SecondConfig, "config"),
        ([config(agent_id="nobody")], UnknownAgent, "config.agent_id"),
        ([config(language_codes=["xx"])], UnknownLanguage, "config.language_codes"),
        ([config(state=b"nonsense")], BadState, "config.state"),
        ([config(state=b"x" * 20_000)], HistoryTooLong, "config.state"),
        ([config(history=[nlu_pb2.HistoryTurn(user_text="x" * 20_000)])], HistoryTooLong, "config.history"),
        ([config(instructions="x" * 20_000)], InstructionsTooLong, "config.instructions"),
        ([config(fail_stream_on_turn_failure=True), text(1, "\x01")], RequestError, "user_turn.text"),
    ],
)
async def test_a_bad_stream_names_its_field(requests: list[Request], error: type[RequestError], field: str) -> None:
    service = await opened()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - a group of errors or the error itself
        await converse(service, requests)
    cause = root_cause(raised.value)
    assert isinstance(cause, error)
    assert cause.field == field


async def test_a_tenant_that_names_no_agent_does_not_learn_the_name_of_anothers(tmp_path: Path) -> None:
    clinic = (FAST.agents_dir / "clinic.yaml").read_text(encoding="utf-8")
    for name, tenant in (("blue-desk", "blue"), ("red-desk", "red")):
        own = clinic.replace("agent_id: clinic", f"agent_id: {name}\ntenants: [{tenant}]")
        (tmp_path / f"{name}.yaml").write_text(own, encoding="utf-8")
    service = await opened(FAST.model_copy(update={"agents_dir": tmp_path, "default_agent": "blue-desk"}))
    assert await converse(service, [config(tenant_id="blue")])
    for tenant_id in ("red", "grey", ""):
        with pytest.raises(UnknownAgent) as raised:
            await converse(service, [config(tenant_id=tenant_id)])
        assert "blue" not in str(raised.value)
        assert ("red-desk" in str(raised.value)) == (tenant_id == "red")
        assert raised.value.field == "config.agent_id"


async def test_the_history_of_a_stream_opened_in_mid_call_is_read() -> None:
    history = [
        nlu_pb2.HistoryTurn(turn_id=1, heard_text="Hello."),
        nlu_pb2.HistoryTurn(
            turn_id=2, user_text="Hi.", heard_text="Sorry.", origin=nlu_pb2.PlayoutReport.ORIGIN_GATEWAY
        ),
    ]
    responses = await converse(await opened(), [config(history=history), text(3, "Hello again.")])
    assert responses[-1].turn_end.outcome == turn_pb2.TurnEnd.OUTCOME_COMPLETED


async def test_a_draining_server_says_so_on_open_streams() -> None:
    lifecycle = Lifecycle()
    lifecycle.serve()
    service = await opened(lifecycle=lifecycle)

    def requests() -> Iterable[Request | float]:
        yield config()
        lifecycle.drain(5.0)
        yield 0.05
        yield text(1, "Hello there.")

    responses = await converse(service, requests())
    assert responses[1].going_away.deadline_ms > 0
    assert responses[-1].turn_end.outcome == turn_pb2.TurnEnd.OUTCOME_COMPLETED


async def test_describe_engine_lists_the_agents() -> None:
    described = await (await opened()).DescribeEngine(nlu_pb2.DescribeEngineRequest(), NOBODY)
    assert [agent.agent_id for agent in described.agents] == ["clinic", "hotel"]
