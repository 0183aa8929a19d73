"""Translation of `voice.nlu.v1` to plain values and back; beside service.py the only module that uses its messages."""

from __future__ import annotations

from collections.abc import Iterable

from voice.nlu.v1 import agent_pb2, nlu_pb2
from voice.type.v1 import expectation_pb2, turn_pb2

from services.nlu.agent.profile import AgentProfile, Destination, PromptKind
from services.nlu.history import Entry, ToolCall
from services.nlu.inputs import (
    ActionEnded,
    CallActionResult,
    Cancellation,
    Commit,
    Config,
    Dtmf,
    Input,
    Open,
    PlayoutReport,
    Silence,
    Text,
    TranscriptCorrection,
    TurnInput,
    UserTurn,
)
from services.nlu.outputs import (
    Act,
    ActionOutcome,
    CallAction,
    Expectation,
    HangUp,
    Output,
    ReplyText,
    SendDtmf,
    SwitchLanguage,
    ToolActivity,
    Transfer,
    TurnEnd,
)
from services.runtime.tracing import TraceContext

_ORIGIN_GATEWAY = nlu_pb2.PlayoutReport.ORIGIN_GATEWAY


def read_config(config: nlu_pb2.ConversationConfig, *, call_id: str) -> Config:
    """Read the config of a stream; `call_id` as the server names the call."""
    return Config(
        call_id=call_id,
        visit_id=config.visit_id,
        tenant_id=config.tenant_id,
        agent_id=config.agent_id,
        caller=config.caller,
        language_codes=tuple(config.language_codes),
        instructions=config.instructions.strip(),
        history=tuple(read_entry(turn) for turn in config.history),
        state=config.state,
        fails_stream_on_turn_failure=config.fail_stream_on_turn_failure,
    )


def read_request(request: nlu_pb2.StreamingConverseRequest) -> Input:
    """Read a request after the config; its oneof is set."""
    match request.WhichOneof("request"):
        case "user_turn":
            return _read_user_turn(request.user_turn)
        case "commit":
            return Commit(request.commit.turn_id)
        case "cancellation":
            cancellation = request.cancellation
            return Cancellation(cancellation.turn_id, cancellation.scope == turn_pb2.Cancellation.SCOPE_ONLY)
        case "playout_report":
            return _read_report(request.playout_report)
        case "transcript_correction":
            return TranscriptCorrection(request.transcript_correction.turn_id, request.transcript_correction.text)
        case _:
            result = request.call_action_result
            return CallActionResult(result.action_id, _read_outcome(result.outcome), result.reason)


def write_output(output: Output) -> nlu_pb2.StreamingConverseResponse:
    """Write a response."""
    match output:
        case ReplyText():
            text = nlu_pb2.ReplyText(
                turn_id=output.turn_id,
                text=output.text,
                language_code=output.language_code,
                timing=output.timing.to_proto() if output.timing else None,
            )
            return nlu_pb2.StreamingConverseResponse(reply_text=text)
        case ToolActivity():
            activity = nlu_pb2.ToolActivity(
                turn_id=output.turn_id,
                tool_call_id=output.tool_call_id,
                name=output.name,
                phase=nlu_pb2.ToolActivity.Phase.Value(f"PHASE_{output.phase.name}"),
                arguments_json=output.arguments_json,
                result_json=output.result_json,
                took_us=output.took_us,
            )
            return nlu_pb2.StreamingConverseResponse(tool_activity=activity)
        case CallAction():
            return nlu_pb2.StreamingConverseResponse(call_action=_write_action(output))
        case Expectation():
            expected = expectation_pb2.ExpectedInput(
                kind=expectation_pb2.ExpectedInput.Kind.Value(f"KIND_{output.kind.name}"),
                length=output.length,
                phrases=output.phrases,
            )
            expectation = nlu_pb2.Expectation(turn_id=output.turn_id, expected_input=expected)
            return nlu_pb2.StreamingConverseResponse(expectation=expectation)
        case TurnEnd():
            end = turn_pb2.TurnEnd(
                turn_id=output.turn_id,
                outcome=turn_pb2.TurnEnd.Outcome.Value(f"OUTCOME_{output.outcome.name}"),
                reason=output.reason,
                message=output.message,
                is_retryable=output.is_retryable,
                retry_delay_ms=output.retry_delay_ms,
                timing=output.timing.to_proto(),
                state=output.state,
                withheld=[turn_pb2.WithheldClause(rule=each.rule, text=each.text) for each in output.withheld],
                engine=output.engine,
            )
            return nlu_pb2.StreamingConverseResponse(turn_end=end)


def write_profile(profile: AgentProfile, *, tenants: Iterable[str] = ()) -> agent_pb2.AgentProfile:
    """Write the profile of an agent for the other stages. `tenants`: those of the agent that the client may know of."""
    return agent_pb2.AgentProfile(
        agent_id=profile.agent_id,
        voices=[
            agent_pb2.AgentVoice(language_code=code, voice=voice.voice, rate=voice.rate)
            for code, voice in profile.voices.items()
        ],
        language_codes=profile.language_codes,
        prompts=[
            agent_pb2.Prompt(kind=_prompt_kind(kind), language_code=code, text=text)
            for kind, texts in profile.prompts.items()
            for code, text in texts.items()
        ],
        region=profile.region,
        lexicon=[agent_pb2.LexiconEntry(**entry.model_dump()) for entry in profile.lexicon],
        endpointing=agent_pb2.AgentEndpointing(**profile.endpointing.model_dump()),
        barge_in=agent_pb2.AgentBargeIn(**profile.barge_in.model_dump()),
        phrases=profile.phrases,
        destinations=[_write_destination(destination) for destination in profile.destinations],
        allowed_acts=agent_pb2.AllowedActs(acts=profile.acts),
        tenants=tenants,
        fixed_texts=[
            agent_pb2.FixedText(language_code=code, text=text)
            for code, persona in profile.personas.items()
            for text in (persona.greeting, persona.farewell)
        ],
    )


def _write_destination(destination: Destination) -> agent_pb2.Destination:
    message = agent_pb2.Destination(name=destination.name, aliases=destination.aliases)
    if destination.number:
        message.number = destination.number
    elif destination.sip:
        message.sip_uri = destination.sip
    else:
        message.extension = destination.extension
    return message


def read_entry(turn: nlu_pb2.HistoryTurn) -> Entry:
    """Read a turn of the conversation so far."""
    is_gateway = turn.origin == _ORIGIN_GATEWAY
    return Entry(
        turn_id=turn.turn_id,
        user_text=turn.user_text,
        heard_text="" if is_gateway else turn.heard_text,
        gateway_text=turn.heard_text if is_gateway else "",
        tool_calls=tuple(
            ToolCall(call.tool_call_id, call.name, call.arguments_json, call.result_json) for call in turn.tool_calls
        ),
    )


def _read_user_turn(turn: nlu_pb2.UserTurn) -> UserTurn:
    return UserTurn(
        turn_id=turn.turn_id,
        input=_read_input(turn),
        language_code=turn.detected_language_code,
        is_draft=turn.is_draft,
        continues_turn_id=turn.continues_turn_id,
        provisional_playout=_read_report(turn.provisional_playout) if turn.HasField("provisional_playout") else None,
        trace_context=TraceContext(turn.trace_context.traceparent, turn.trace_context.tracestate)
        if turn.HasField("trace_context")
        else None,
    )


def _read_input(turn: nlu_pb2.UserTurn) -> TurnInput | None:
    match turn.WhichOneof("input"):
        case "text":
            return Text(turn.text, turn.confidence if turn.HasField("confidence") else None)
        case "open":
            return Open()
        case "dtmf":
            return Dtmf(turn.dtmf)
        case "silence":
            return Silence(turn.silence.duration_ms, turn.silence.count)
        case "action_ended":
            return _read_action_ended(turn.action_ended)
        case _:
            return None


def _read_action_ended(ended: nlu_pb2.ActionEnded) -> ActionEnded | None:
    act = _read_act(ended.action)
    if act is None:
        return None
    return ActionEnded(act, _read_outcome(ended.result.outcome), ended.result.reason)


def _read_act(action: nlu_pb2.CallAction) -> Act | None:
    match action.WhichOneof("action"):
        case "hang_up":
            return HangUp()
        case "transfer":
            return Transfer(action.transfer.destination)
        case "send_dtmf":
            return SendDtmf(action.send_dtmf.digits)
        case "switch_language":
            return SwitchLanguage(action.switch_language.language_code)
        case _:
            return None


def _read_report(report: nlu_pb2.PlayoutReport) -> PlayoutReport:
    gateway_text = report.text if report.origin == _ORIGIN_GATEWAY else None
    return PlayoutReport(report.turn_id, report.heard_offset, gateway_text, report.is_final)


def _read_outcome(outcome: nlu_pb2.CallActionResult.Outcome.ValueType) -> ActionOutcome:
    match outcome:
        case nlu_pb2.CallActionResult.OUTCOME_DONE:
            return ActionOutcome.DONE
        case nlu_pb2.CallActionResult.OUTCOME_CANCELLED:
            return ActionOutcome.CANCELLED
        case _:
            return ActionOutcome.FAILED


def _write_action(action: CallAction) -> nlu_pb2.CallAction:
    when = nlu_pb2.CallAction.WHEN_NOW if action.is_now else nlu_pb2.CallAction.WHEN_AFTER_PLAYOUT
    message = nlu_pb2.CallAction(action_id=action.action_id, turn_id=action.turn_id, when=when)
    _write_act(message, action.act)
    return message


def _write_act(message: nlu_pb2.CallAction, act: Act) -> None:
    match act:
        case HangUp():
            message.hang_up.SetInParent()
        case Transfer(destination):
            message.transfer.destination = destination
        case SendDtmf(digits):
            message.send_dtmf.digits = digits
        case SwitchLanguage(language_code):
            message.switch_language.language_code = language_code


def _prompt_kind(kind: PromptKind) -> agent_pb2.Prompt.Kind.ValueType:
    return agent_pb2.Prompt.Kind.Value(f"KIND_{kind.name}")
