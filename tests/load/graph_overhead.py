"""The cost of LangGraph itself in a turn, nodes' work and embeddings left out: python -m tests.load.graph_overhead"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Mapping
from typing import Any

from services.nlu.agent.graph.agent import GraphAgent
from services.nlu.agent.interface import AgentTurn, Call
from services.nlu.agent.profile import read_agents
from services.nlu.agent.understanding import Guess
from services.nlu.engine import open_engine
from services.nlu.inputs import Text
from services.nlu.settings import NluSettings

TURNS = 400
LIMIT_MS = 5.0


class AtOnce:
    """Understands without any work."""

    async def load(self) -> None: ...

    async def understand(self, text: str, language_code: str) -> tuple[Guess, ...]:
        return Guess("address", 0.9), Guess("chat", 0.0)


async def _measure(*, is_draft: bool) -> list[float]:
    settings = NluSettings.model_validate({"engine": "script"})
    profile = read_agents(settings.agents_dir)["clinic"]
    agent = GraphAgent(profile, open_engine(settings), settings, understanding=AtOnce())
    worked_s = 0.0

    def timed(method: Any) -> Any:
        def run(*arguments: Any) -> Any:
            nonlocal worked_s
            began = time.process_time()
            try:
                return method(*arguments)
            finally:
                worked_s += time.process_time() - began

        return run

    def timed_async(method: Any) -> Any:
        async def run(*arguments: Any, **options: Any) -> Any:
            nonlocal worked_s
            began = time.process_time()
            try:
                return await method(*arguments, **options)
            finally:
                worked_s += time.process_time() - began

        return run

    gc.collect()
    gc.freeze()  # as the service does when it has loaded
    agent._reader.read = timed_async(agent._reader.read)  # type: ignore[method-assign]
    for answers in agent._answers.values():
        answers.answer = timed(answers.answer)  # type: ignore[method-assign]
    state: Mapping[str, object] = {}
    committed = asyncio.Event()
    overheads = []
    for turn_id in range(1, TURNS + 1):
        committed.clear() if is_draft else committed.set()
        turn = AgentTurn(Call("call", ("en",)), turn_id, Text("Where are you?"), "en", state)
        worked_s, began = 0.0, time.process_time()
        async for _ in agent.respond(turn, [], committed=committed):
            pass
        overheads.append((time.process_time() - began - worked_s) * 1000)
    return sorted(overheads)


def main() -> int:
    """Exit status 1 where the p95 is above the limit."""
    worst = 0.0
    for is_draft in (False, True):
        times = asyncio.run(_measure(is_draft=is_draft))
        p50, p95 = times[len(times) // 2], times[int(0.95 * len(times))]
        worst = max(worst, p95)
        print(f"{'draft' if is_draft else 'committed':<10} p50 {p50:.2f} ms  p95 {p95:.2f} ms of CPU ({TURNS} turns)")
    return int(worst > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
