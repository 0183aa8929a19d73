"""Runs a compiled LangGraph graph for one turn, and makes steps of what its nodes return.

A node says and does by the keys it returns: `say` is spoken, `act` is done to the call, `memory` is remembered. A draft
runs up to the first node with side effects (`interrupt_before` of the graph) and stops there until its commit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from decimal import Decimal
from typing import Any, TypedDict

from langgraph.errors import GraphRecursionError

from services.nlu.agent.acts import WantedAct, WantedInput, read_act
from services.nlu.agent.interface import Act, AwaitCommit, Expect, Remember, Say, Step
from services.runtime.errors import TurnFailed
from services.runtime.logs import get_logger

log = get_logger(__name__)

MAX_NODES = 25  # that one turn may run through


class CallState(TypedDict, total=False):
    """The state of a graph: its input for a turn, and what its nodes may return. A graph of one's own adds keys."""

    said: str  # by the caller
    language_code: str
    history: list[dict[str, str]]  # {"role": "user" or "assistant", "content": ...}, oldest first
    objection: str  # why an earlier reply to this turn was not spoken
    memory: dict[str, Any]  # as the turn before left it; what JSON can hold
    say: str  # more of the reply
    captured: str  # what callers gave by the letter, as `say` says it again
    expect: dict[str, Any]  # what they will say next: {"kind": "DIGITS", "length": 10, "phrases": []}
    computed: list[str]  # numbers in `say` that the node has reckoned: sums and differences
    looked_up: list[str]  # what the node has looked up for `say`, as JSON
    act: dict[str, Any]  # {"name": "hang_up"}, {"name": "transfer", "destination": "200"}; see agent/acts.py


async def steps_of_graph(
    graph: Any,  # a CompiledStateGraph, or whatever streams updates as it does
    given: Mapping[str, object],
    *,
    thread: str,
    committed: asyncio.Event,
    interrupt_before: tuple[str, ...] = (),
    context: object = None,
) -> AsyncGenerator[Step, None]:
    """The steps of one turn. `thread` keys the graph's checkpoints, where it keeps them; `interrupt_before` are nodes
    with side effects beside those the graph was compiled with.

    Raises TurnFailed where the graph raises, or runs in a circle.
    """
    config = {"configurable": {"thread_id": thread}, "recursion_limit": MAX_NODES}
    graph_input: object = dict(given)
    try:
        while True:
            is_interrupted = False
            options: dict[str, Any] = {"stream_mode": "updates"}
            if context is not None:
                options["context"] = context
            if interrupt_before and not committed.is_set():
                options |= {"interrupt_before": list(interrupt_before), "durability": "exit"}
            async with aclosing(graph.astream(graph_input, config, **options)) as updates:
                async for update in updates:
                    is_interrupted = is_interrupted or "__interrupt__" in update
                    for step in _steps(update):
                        yield step
            if not is_interrupted:
                return
            yield AwaitCommit()
            graph_input = None  # go on where it was interrupted
    except GraphRecursionError as error:
        raise TurnFailed("ENGINE_FAILED", f"the agent's graph ran through more than {MAX_NODES} nodes") from error
    except (TurnFailed, GeneratorExit, asyncio.CancelledError):
        raise
    except Exception as error:
        log.exception("graph_broke", thread=thread)
        raise TurnFailed("ENGINE_FAILED", f"the agent's graph broke: {type(error).__name__}") from error


def _steps(update: Mapping[str, Any]) -> list[Step]:
    steps: list[Step] = []
    for node, values in update.items():
        if node == "__interrupt__" or not isinstance(values, Mapping):
            continue
        if said := values.get("say"):
            computed = tuple(Decimal(number) for number in values.get("computed", ()))
            looked_up = tuple(map(str, values.get("looked_up", ())))
            captured = str(values.get("captured", ""))
            steps.append(Say(str(said).rstrip() + " ", computed=computed, looked_up=looked_up, captured=captured))
        if act := values.get("act"):
            wanted = read_act(str(act.get("name")), json.dumps(act))
            if isinstance(wanted, WantedAct):
                steps.append(Act(wanted.act, wanted.is_now))
        if "memory" in values:
            steps.append(Remember(values["memory"]))
        if expect := values.get("expect"):
            expected = read_act("expect", json.dumps(expect))
            if isinstance(expected, WantedInput):
                steps.append(Expect(expected.kind, expected.length, expected.phrases))
    return steps
