"""`make load STAGE=nlu ENGINE=llama_cpp`: chats of several turns at once, on our scheduler and on others beside it.

The contenders run in turns, each in a process of its own, on the same model, questions and threads: the engine; one
`llama_cpp.Llama` behind a lock, as a naive server has it; and `llama-server`, where its binary is on PATH or named in
LLAMA_SERVER (`python -m deploy.llama_server` builds it). CHATS="1,2,4,8" (or STREAMS) and TURNS=3 make it shorter
or longer. Up to eight chats the contenders take turns three times (ROUNDS), so that what else the machine does meets
all of them: first tokens are those of all rounds, the other figures medians. CPU is what a token cost, whoever else was
busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from deploy.llama_server.__main__ import binary_of
from deploy.llama_wheel import read_lock
from services.nlu.engine import Began, Message, NluEngine, ReplyRequest, Role, TextMade, open_engine
from services.nlu.settings import NluSettings
from services.runtime.cpu import usable_cpus
from services.runtime.models import model_dir
from tests.load.report import OUT_DIR

_SYSTEM = (
    "You answer the telephone of a dental clinic. Answer in one or two short sentences. The clinic is open from eight "
    "to five on weekdays and from nine to noon on Saturdays. A check-up takes half an hour and costs forty dollars. "
    "You may make, move and cancel appointments. Be friendly, and never give medical advice."
)
_QUESTIONS = (
    "Hello, when are you open on Saturday?",
    "And how much is a check-up?",
    "Can I come tomorrow at ten?",
    "How long will it take?",
    "Thank you. Where can I park?",
)
_MOST_TOKENS = 32
_TOKENS_A_CHAT = 1024
_CONTENDERS = ("engine", "lock", "llama-server")
_ROUNDS, _MANY_CHATS = 3, 8  # above so many chats one round is long enough
_TICKS_S = os.sysconf("SC_CLK_TCK")


class Contender(Protocol):
    """Something that answers chats."""

    def reply(self, chat: str, messages: tuple[Message, ...]) -> AsyncGenerator[str | None, None]:
        """None once it is taken up, then the pieces of the answer; closing cancels."""


class _Engine:
    def __init__(self, engine: NluEngine) -> None:
        self._engine = engine

    async def reply(self, chat: str, messages: tuple[Message, ...]) -> AsyncGenerator[str | None, None]:
        async with aclosing(self._engine.reply(ReplyRequest(chat, 1, messages, "en"))) as parts:
            async for part in parts:
                if isinstance(part, Began):
                    yield None
                elif isinstance(part, TextMade):
                    yield part.text


class _Lock:
    """One Llama, one request at a time, in the order they come."""

    def __init__(self, path: Path) -> None:
        import llama_cpp

        self._llama: Any = llama_cpp.Llama(str(path), n_ctx=4096, n_threads=usable_cpus(), verbose=False)
        self._lock = asyncio.Lock()

    async def reply(self, chat: str, messages: tuple[Message, ...]) -> AsyncGenerator[str | None, None]:
        async with self._lock:
            yield None
            loop, pieces, stop = asyncio.get_running_loop(), asyncio.Queue[str | None](), threading.Event()

            def run() -> None:
                asked = [{"role": message.role.value, "content": message.text} for message in messages]
                for chunk in self._llama.create_chat_completion(
                    asked, max_tokens=_MOST_TOKENS, temperature=0.0, stream=True
                ):
                    if text := chunk["choices"][0]["delta"].get("content"):
                        loop.call_soon_threadsafe(pieces.put_nowait, text)
                    if stop.is_set():
                        break
                loop.call_soon_threadsafe(pieces.put_nowait, None)

            running = loop.run_in_executor(None, run)
            try:
                while (piece := await pieces.get()) is not None:
                    yield piece
            finally:
                stop.set()
                await running


@asynccontextmanager
async def _open(name: str, model: str, n_chats: int) -> AsyncIterator[tuple[Contender, int]]:
    """The contender, and the id of the process that computes."""
    settings = NluSettings()
    path = Path(model) if model.endswith(".gguf") else model_dir(settings.models_dir, model) / "model.gguf"
    if name == "lock":
        yield _Lock(path), os.getpid()
        return
    with contextlib.ExitStack() as stack:
        change: dict[str, object] = {
            "engine": "llama_cpp",
            "model": model,
            "max_reply_tokens": _MOST_TOKENS,
            "context_tokens": max(4096, _TOKENS_A_CHAT * (n_chats + 1)),
            "slots": max(8, 2 * n_chats + 4),
        }
        process = os.getpid()
        if name == "llama-server":
            port, process = stack.enter_context(_llama_server(path, n_chats))
            base_url = f"http://127.0.0.1:{port}/v1"
            change = {"engine": "openai", "openai_base_url": base_url, "max_reply_tokens": _MOST_TOKENS}
            change["remote_stall_limit_s"] = 600.0
        engine = open_engine(NluSettings.model_validate(change))
        await engine.load(((Message(Role.SYSTEM, _SYSTEM),),))
        try:
            yield _Engine(engine), process
        finally:
            await engine.close()


@contextlib.contextmanager
def _llama_server(path: Path, n_chats: int) -> Iterator[tuple[int, int]]:
    """Start a llama-server; yields its port and its process."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = int(trial.getsockname()[1])
    command = [
        _server_binary(), "-m", str(path), "--port", str(port), "-np", str(n_chats), "-cb",
        "-c", str(_TOKENS_A_CHAT * n_chats), "-t", str(usable_cpus()), "--log-disable",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                break
            time.sleep(0.2)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _server_binary() -> str:
    built = binary_of(read_lock().version)
    return os.environ.get("LLAMA_SERVER") or shutil.which("llama-server") or (str(built) if built.is_file() else "")


async def measure(name: str, model: str, n_chats: int, n_turns: int) -> dict[str, Any]:
    """All chats at once, each turn after the one before; then a cancel among them."""
    firsts: list[float] = []
    rates: list[float] = []
    n_tokens = 0

    async def chat(contender: Contender, number: int) -> None:
        nonlocal n_tokens
        messages: tuple[Message, ...] = (Message(Role.SYSTEM, f"{_SYSTEM} You speak with caller {number}."),)
        for question in _QUESTIONS[:n_turns]:
            messages += (Message(Role.CALLER, question),)
            asked_s, first_s, pieces = time.monotonic(), 0.0, list[str]()
            async with aclosing(contender.reply(f"chat-{number}", messages)) as parts:
                async for piece in parts:
                    if piece is not None:
                        first_s = first_s or time.monotonic()
                        pieces.append(piece)
            if not pieces:
                raise RuntimeError(f"{name} said nothing")
            firsts.append(first_s - asked_s)
            n_tokens += len(pieces)
            if len(pieces) > 1:
                rates.append((len(pieces) - 1) / max(time.monotonic() - first_s, 1e-6))
            messages += (Message(Role.AGENT, "".join(pieces)),)

    async with _open(name, model, n_chats) as (contender, process):
        began_s, began_cpu_s = time.monotonic(), _cpu_s(process)
        async with asyncio.TaskGroup() as chats:
            for number in range(n_chats):
                chats.create_task(chat(contender, number))
        took_s, took_cpu_s = time.monotonic() - began_s, _cpu_s(process) - began_cpu_s
        cancel_s = [await _cancel(contender, number) for number in range(5)]
        memory_mb = _memory_mb(process)
    return {
        "contender": name,
        "chats": n_chats,
        "first_s": firsts,
        "tokens_s": round(n_tokens / took_s, 1),
        "tokens_s_each": round(sum(rates) / max(len(rates), 1), 1),
        "cancel_ms": round(1000 * max(cancel_s)),
        "memory_mb": memory_mb,
        "cpu_ms_token": round(1000 * took_cpu_s / max(n_tokens, 1), 1),
    }


def _in_all(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of several rounds."""
    ordered = sorted(first for row in rounds for first in row["first_s"])
    found = {"contender": rounds[0]["contender"], "chats": rounds[0]["chats"], "rounds": len(rounds)}
    found["first_ms"] = {
        f"p{part}": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * part // 100)]) for part in (50, 95, 99)
    }
    names = ("tokens_s", "tokens_s_each", "cancel_ms", "memory_mb", "cpu_ms_token")
    return found | {name: median(row[name] for row in rounds) for name in names}


async def _cancel(contender: Contender, number: int) -> float:
    """From the closing of an answer under way to when another request is taken up."""
    question = Message(Role.CALLER, "Count from one to one hundred.")
    async with aclosing(contender.reply(f"cancelled-{number}", (question,))) as parts:
        async for piece in parts:
            if piece is not None:
                break
        closed_s = time.monotonic()
    async with aclosing(contender.reply(f"after-{number}", (Message(Role.CALLER, "Hi"),))) as parts:
        async for _ in parts:
            break
    return time.monotonic() - closed_s


def _memory_mb(process: int) -> int:
    """The most that a process held, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def _cpu_s(process: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def run(model: str, counts: Sequence[int], n_turns: int) -> int:
    """Every contender at every count; a table, the ratios, and out/load-chats.json."""
    names = [name for name in _CONTENDERS if name != "llama-server" or _server_binary()]
    if "llama-server" not in names:
        print("  llama-server is not to be had here: put it on PATH or name it in LLAMA_SERVER")
    print(f"  {model}, {n_turns} turns a chat, at most {_MOST_TOKENS} tokens an answer, {usable_cpus()} threads")
    print(
        f"  {'':<14}{'chats':>6}{'first token ms p50':>20}{'p95':>8}{'p99':>8}{'tokens/s':>10}{'each':>7}"
        f"{'cancel ms':>11}{'MB':>7}{'CPU ms/token':>14}"
    )
    rows: list[dict[str, Any]] = []
    for n_chats in counts:
        n_rounds = int(os.environ.get("ROUNDS") or (_ROUNDS if n_chats <= _MANY_CHATS else 1))
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for number in range(n_rounds):
            for name in names if number % 2 == 0 else reversed(names):
                rounds[name].append(_in_process(name, model, n_chats, n_turns))
        for name in names:
            row = _in_all(rounds[name])
            rows.append(row)
            first = row["first_ms"]
            print(
                f"  {name:<14}{n_chats:>6}{first['p50']:>20}{first['p95']:>8}{first['p99']:>8}{row['tokens_s']:>10}"
                f"{row['tokens_s_each']:>7}{row['cancel_ms']:>11}{row['memory_mb']:>7}{row['cpu_ms_token']:>14}",
                flush=True,
            )
        found = {row["contender"]: row for row in rows if row["chats"] == n_chats}
        for other in names[1:]:
            faster = found["engine"]["tokens_s"] / max(found[other]["tokens_s"], 0.01)
            sooner = found["engine"]["first_ms"]["p95"] / max(found[other]["first_ms"]["p95"], 1)
            cheaper = found["engine"]["cpu_ms_token"] / max(found[other]["cpu_ms_token"], 0.1)
            print(
                f"  {'':<14}{n_chats:>6}  engine / {other}: {faster:.2f} x the tokens/s, {sooner:.2f} x the p95, "
                f"{cheaper:.2f} x the CPU a token"
            )
    OUT_DIR.mkdir(parents=True, exist_ok=True)
    path = OUT_DIR / "load-chats.json"
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(f"  written to {path}")
    return 0


def _in_process(name: str, model: str, n_chats: int, n_turns: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.load.chats", name, model, str(n_chats), str(n_turns)]
    quiet = os.environ | {"OMP_WAIT_POLICY": "passive"}  # the same for all: threads that spin starve a shared machine
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=quiet)
    if done.returncode:
        raise RuntimeError(f"{name} failed at {n_chats} chats")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=_CONTENDERS)
    parser.add_argument("model")
    parser.add_argument("n_chats", type=int)
    parser.add_argument("n_turns", type=int)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.name, given.model, given.n_chats, given.n_turns))))
