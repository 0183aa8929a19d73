"""Calls that share one model, kept apart: `python -m tests.load.isolation [--calls 200] [--at-once 12] [--long 12]`

Starts the NLU service with the embedded model, an agent of the kind `prompt` and, but for the limits of time, every
setting at its default. First `--long` calls at once of fifteen turns each: no turn may fail. Then `--calls` calls,
`--at-once` of them interleaved: each tells a secret word and is asked for it in a later turn; no reply may hold the
word of another call. Prints what was lost, shown and remembered; exit status 1 when a turn was lost or a word shown.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvloop

from clients.python.connection import Connection, Options
from clients.python.conversation import Conversation
from clients.python.errors import TongDaiError
from tests.fakes.ports import free_port
from tests.load.report import OUT_DIR
from tests.load.stack import Service, run_stack

LONG_TURNS = 15
SAYINGS = (
    "Hello, when are you open on Saturday?",
    "And how much is a check-up?",
    "How long does it take?",
    "Where can I park?",
    "Can I pay by card?",
)
_SYLLABLES = ("ba", "do", "fu", "ki", "le", "mo", "nu", "pa", "ri", "so", "ta", "ve", "wo", "zi")


@dataclass(slots=True)
class Counts:
    """Counts of the turns of all calls, by their outcome."""

    n_turns: int = 0
    lost: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)  # replies with another call's word
    n_remembered: int = 0  # replies with the call's own word


def secret_words(count: int) -> list[str]:
    """Invented words of four syllables, no one a part of another; the same ones each time."""
    draw = random.Random(11)
    words: set[str] = set()
    while len(words) < count:
        words.add("".join(draw.choices(_SYLLABLES, k=4)))
    return sorted(words)


async def _say(talk: Conversation, text: str, counts: Counts) -> str:
    counts.n_turns += 1
    try:
        return "".join([response.reply_text.text async for response in talk.say(text)])
    except TongDaiError as error:
        counts.lost.append(f"{text!r}: {error}")
        return ""


async def _long_call(connection: Connection, number: int, counts: Counts) -> None:
    talk = await Conversation.open(connection, call_id=f"long-{number}", language_codes=["en"])
    for turn in range(LONG_TURNS):
        await _say(talk, f"{SAYINGS[(number + turn) % len(SAYINGS)]} That is my question number {turn + 1}.", counts)
    await talk.close()


async def _secret_call(connection: Connection, own: str, others: list[str], counts: Counts) -> None:
    talk = await Conversation.open(connection, call_id=f"secret-{own}", language_codes=["en"])
    replies = [
        await _say(talk, f"My secret word is {own}. Please remember it.", counts),
        await _say(talk, random.choice(SAYINGS), counts),
        await _say(talk, "What is my secret word?", counts),
    ]
    await talk.close()
    said = " ".join(replies).lower()
    counts.n_remembered += own in replies[-1].lower()
    counts.shown += [f"{own} was told {other}: {said!r}" for other in others if other != own and other in said]


async def measure(n_calls: int, n_at_once: int, n_long: int) -> Iterator[Counts]:
    """Run both parts; the counts of each, the long calls first."""
    port = free_port()
    service = Service(
        "nlu",
        f"127.0.0.1:{port}",
        {
            "NLU_PORT": str(port),
            "NLU_METRICS_PORT": str(free_port()),
            "NLU_ENGINE": "llama_cpp",
            "NLU_AGENT_KIND": "prompt",
            "NLU_TURN_LIMIT_S": "600",
            "NLU_REPLY_LIMIT_S": "500",
        },
    )
    long, secret = Counts(), Counts()
    words = secret_words(n_calls)
    gate = asyncio.Semaphore(n_at_once)
    async with run_stack([service], OUT_DIR / "isolation"), Connection(Options((service.target,))) as connection:
        async with asyncio.TaskGroup() as calls:
            for number in range(n_long):
                calls.create_task(_long_call(connection, number, long))

        async def one(own: str) -> None:
            async with gate:
                await _secret_call(connection, own, words, secret)
                if (n_done := secret.n_turns // 3) % 20 == 0:
                    print(f"  {n_done} calls", file=sys.stderr, flush=True)

        async with asyncio.TaskGroup() as calls:
            for own in words:
                calls.create_task(one(own))
    return iter((long, secret))


async def main() -> int:
    """Print both parts; 1 when a turn was lost or a word shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=12)
    parser.add_argument("--long", type=int, default=12)
    options = parser.parse_args()
    began_s = time.monotonic()
    long, secret = await measure(options.calls, options.at_once, options.long)
    print(f"{options.long} calls of {LONG_TURNS} turns at once: {len(long.lost)} of {long.n_turns} turns lost")
    print(
        f"{options.calls} calls, {options.at_once} interleaved: {len(secret.shown)} showed another's word, "
        f"{len(secret.lost)} of {secret.n_turns} turns lost; {secret.n_remembered} told their own; "
        f"{time.monotonic() - began_s:.0f} s in all"
    )
    for line in [*long.lost, *secret.lost, *secret.shown]:
        print(f"  {line}")
    return 1 if long.lost or secret.lost or secret.shown else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
