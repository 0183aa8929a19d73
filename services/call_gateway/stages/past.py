"""The conversation so far, as a fresh NLU stream is told it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from voice.nlu.v1 import nlu_pb2

from services.call_gateway.conversation.record import HeardTurn
from services.language.words import normalise

DEFAULT_MAX_BYTES = 64 << 10
"""The bound where the server names none."""
WHOLE_TURNS = 4  # the newest, which the next answer is about
LEAST_TOLD_WORDS = 4
QUESTION_MARKS = "?？"


def history_messages(turns: Iterable[HeardTurn], *, max_bytes: int, state_bytes: int) -> list[nlu_pb2.HistoryTurn]:
    """The turns, oldest first, as far as they fit beside the state. `max_bytes` 0: no bound is known.

    Left out first are the agent's words and tools, the oldest first, then what the caller asked or remarked: what they
    said of themselves, such as a name or a number, stays longest. The newest turns stay whole while there is room.
    """
    kept = list(turns)
    sizes = [_size(turn) for turn in kept]
    excess = sum(sizes) + state_bytes - (max_bytes or DEFAULT_MAX_BYTES)
    for index, shorten in _in_order_of_loss(kept):
        if excess <= 0:
            break
        kept[index] = shorten(kept[index])
        excess -= sizes[index] - _size(kept[index])
        sizes[index] = _size(kept[index])
    return [_message(turn) for turn in kept if not _is_empty(turn)]


def _in_order_of_loss(turns: Sequence[HeardTurn]) -> Iterator[tuple[int, Callable[[HeardTurn], HeardTurn]]]:
    old = range(max(len(turns) - WHOLE_TURNS, 0))
    told = [index for index in old if _tells(turns, index)]
    yield from ((index, _without_agent) for index in old)
    yield from ((index, _without_caller) for index in sorted(set(old) - set(told)))
    yield from ((index, _without_caller) for index in told)
    for index in range(len(old), len(turns)):
        yield index, _without_agent
        yield index, _without_caller


def _tells(turns: Sequence[HeardTurn], index: int) -> bool:
    """Return whether the caller answers a question, gives figures, or tells more than a remark in this turn."""
    said = turns[index].user_text
    if any(mark in said for mark in QUESTION_MARKS):
        return False
    asked = turns[index - 1].heard_text if index else ""
    is_answer = any(mark in asked for mark in QUESTION_MARKS) or any(c.isdigit() for c in said)
    return is_answer or len(normalise(said)) >= LEAST_TOLD_WORDS


def _without_agent(turn: HeardTurn) -> HeardTurn:
    return replace(turn, heard_text="", tool_calls=())


def _without_caller(turn: HeardTurn) -> HeardTurn:
    return replace(turn, user_text="")


def _is_empty(turn: HeardTurn) -> bool:
    return not (turn.user_text or turn.heard_text or turn.tool_calls)


def _size(turn: HeardTurn) -> int:
    """Bytes that a turn takes in the message, with its tag and length."""
    return 0 if _is_empty(turn) else _message(turn).ByteSize() + 4


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
