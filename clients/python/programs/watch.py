"""`watch`: every turn of every call as it ends, one JSON line each."""

import json
import sys

import grpc
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from clients.python.connection import Connection
from clients.python.errors import TongDaiError, error_of
from clients.python.programs.flags import Given
from clients.python.programs.names import name_of


async def watch(connection: Connection, given: Given) -> int:
    """Run the program."""
    n_turns = 0
    has_begun = False

    async def on(channel: grpc.aio.Channel) -> TongDaiError | None:
        nonlocal n_turns, has_begun
        request = call_pb2.WatchCallsRequest(call_id=given.text("call"))
        try:
            async for response in call_pb2_grpc.CallGatewayServiceStub(channel).WatchCalls(request):
                has_begun = True
                if response.dropped_events:
                    print(f"watch: {response.dropped_events} events lost", file=sys.stderr)
                if response.event.WhichOneof("event") == "turn":
                    print(line_of(response.event), flush=True)
                    n_turns += 1
                    if n_turns == given.whole("count"):
                        return None
        except grpc.aio.AioRpcError as error:
            if not has_begun:
                raise
            return error_of(error)  # what has been told is not told again by another replica
        return None

    if broken := await connection.on_replica(on):
        raise broken
    return 0


def line_of(event: record_pb2.CallEvent) -> str:
    """The JSON line of a turn; its keys and their order are docs/CLIENTS.md's."""
    turn = event.turn
    fields = {
        "call_id": event.call_id,
        "turn_id": turn.turn_id,
        "outcome": name_of(record_pb2.TurnRecord.Outcome, turn.outcome, "OUTCOME_"),
        "user_text": turn.user_text,
        "heard_text": turn.heard_text,
        "end_reason": turn.end_reason,
        "stop_reason": turn.stop_reason,
        "is_gateway_prompt": turn.is_gateway_prompt,
        "latency_ms": turn.latency_us // 1000,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
