"""The conversation so far, as a fresh NLU stream is told it."""

from collections.abc import Iterable

from voice.nlu.v1 import nlu_pb2

from services.call_gateway.conversation.record import HeardTurn

DEFAULT_MAX_BYTES = 64 << 10
"""Where the server names no bound."""


def history_messages(turns: Iterable[HeardTurn], *, max_bytes: int, state_bytes: int) -> list[nlu_pb2.HistoryTurn]:
    """The turns, oldest first; as many of the last ones as fit beside the state. `max_bytes` 0: no bound is known."""
    room = (max_bytes or DEFAULT_MAX_BYTES) - state_bytes
    messages: list[nlu_pb2.HistoryTurn] = []
    for turn in reversed(list(turns)):
        message = _message(turn)
        room -= message.ByteSize() + 4  # its tag and length
        if room < 0:
            break
        messages.append(message)
    return messages[::-1]


def _message(turn: HeardTurn) -> nlu_pb2.HistoryTurn:
    origin = nlu_pb2.PlayoutReport.ORIGIN_GATEWAY if turn.is_gateway else nlu_pb2.PlayoutReport.ORIGIN_AGENT
    return nlu_pb2.HistoryTurn(
        turn_id=turn.turn_id,
        user_text=turn.user_text,
        heard_text=turn.heard_text,
        origin=origin,
        tool_calls=[
            nlu_pb2.ToolCall(
                tool_call_id=tool.tool_call_id,
                name=tool.name,
                arguments_json=tool.arguments_json,
                result_json=tool.result_json,
            )
            for tool in turn.tool_calls
        ],
    )
