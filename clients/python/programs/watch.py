"""`watch`: every turn of every call as it ends, one JSON line each."""

import argparse
import json
import sys

from voice.call.v1 import record_pb2

from clients.python import call
from clients.python.connection import Connection


async def watch(connection: Connection, given: argparse.Namespace) -> int:
    """Run the program."""
    n_turns = 0
    async for response in call.watch(connection, given.call):
        if response.dropped_events:
            print(f"watch: {response.dropped_events} events lost", file=sys.stderr)
        if response.event.WhichOneof("event") != "turn":
            continue
        print(line_of(response.event), flush=True)
        n_turns += 1
        if n_turns == given.count:
            return 0
    return 0


def line_of(event: record_pb2.CallEvent) -> str:
    """The JSON line of a turn; its keys and their order are docs/CLIENTS.md's."""
    turn = event.turn
    fields = {
        "call_id": event.call_id,
        "turn_id": turn.turn_id,
        "outcome": record_pb2.TurnRecord.Outcome.Name(turn.outcome).removeprefix("OUTCOME_"),
        "user_text": turn.user_text,
        "heard_text": turn.heard_text,
        "end_reason": turn.end_reason,
        "stop_reason": turn.stop_reason,
        "is_gateway_prompt": turn.is_gateway_prompt,
        "latency_ms": turn.latency_us // 1000,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
