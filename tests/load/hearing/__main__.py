"""Measures recognition: `python -m tests.load.hearing --engines faster_whisper,viet_asr --sets english,vietnamese`.

Each engine is started as a service of its own and hears each set on each line. Printed are the words that are wrong,
speech told where there was none, and, with --realtime, when the first words, the draft and the settled text were there;
and the CPU the service took. A folder of WAV files with a .txt beside each is a set: --folder PATH --language vi-VN.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from deploy.model_sources import SourceFailed
from tests.load.hearing import recordings
from tests.load.hearing.conditions import LINES, RATE, Line
from tests.load.hearing.listening import Result, listen
from tests.load.hearing.recordings import NotThere, Spoken
from tests.load.hearing.short_answers import short_answers
from tests.load.stack import Running, Service, run_stack

PORT = 50980
SETS = ("english", "vietnamese", "prompts-en", "prompts-ru", "short-answers")
COLUMNS = (
    "| engine | set | line | clips | with words | words wrong % | false onsets "
    "| first words ms | draft ms | settled ms | CPU s / s |"
)


async def _read_set(name: str, asked: argparse.Namespace) -> list[Spoken]:
    match name:
        case "english":
            return recordings.english()
        case "vietnamese":
            return recordings.vietnamese()
        case "prompts-en":
            return recordings.prompts("en-US")
        case "prompts-ru":
            return recordings.prompts("ru-RU")
        case "short-answers":
            return await short_answers()
        case "folder":
            return recordings.folder_of(asked.folder, asked.language)
    raise NotThere(f"no set is called {name}: {', '.join(SETS)}, or --folder")


async def _measure(running: Running, spoken: Sequence[Spoken], line: Line, asked: argparse.Namespace) -> list[Result]:
    gate = asyncio.Semaphore(asked.streams)
    sounds = [one.sound for one in spoken]

    async def one(number: int) -> Result:
        others = [sound for place, sound in enumerate(sounds) if place != number]
        async with gate:
            return await listen(
                running.service.target, spoken[number], others[:12], line, seed=number, realtime=asked.realtime
            )

    return list(await asyncio.gather(*(one(number) for number in range(len(spoken)))))


def _row(engine: str, name: str, line: Line, results: Sequence[Result], cpu_share: float) -> str:
    n_words = sum(one.n_words for one in results)
    wrong = 100 * sum(one.n_wrong for one in results) / max(1, n_words)
    delays = [
        _middle([getattr(one, field) for one in results]) for field in ("first_partial_s", "draft_s", "settled_s")
    ]
    n_false = sum(one.n_false_onsets for one in results)
    figures = " | ".join(delays)
    n_heard = sum(bool(one.text) for one in results)
    return (
        f"| {engine} | {name} | {line.name} | {len(results)} | {n_heard} | {wrong:.1f} | {n_false} "
        f"| {figures} | {cpu_share:.2f} |"
    )


def _middle(delays: Sequence[float | None]) -> str:
    """p50 and p95 in milliseconds."""
    known = sorted(one for one in delays if one is not None)
    if not known:
        return ""
    return f"{1000 * median(known):.0f} / {1000 * known[min(len(known) - 1, int(0.95 * len(known)))]:.0f}"


def machine() -> str:
    """The machine and how busy it is, for the head of a table."""
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip()
    except (OSError, IndexError):
        model = platform.processor()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{model}, {len(os.sched_getaffinity(0))} cores, load {load}"


async def run(asked: argparse.Namespace) -> int:
    names = [*asked.sets.split(",")] if asked.sets else []
    if asked.folder is not None:
        names.append("folder")
    sets: dict[str, list[Spoken]] = {}
    for name in names:
        try:
            sets[name] = recordings.spread_over(await _read_set(name, asked), asked.most)
        except (NotThere, SourceFailed) as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
    lines = list(LINES.values()) if asked.lines == "all" else [LINES[one] for one in asked.lines.split(",")]
    pace = "real time" if asked.realtime else "as fast as it goes"
    print(f"machine: {machine()}; {asked.streams} streams at once, {pace}")
    print(COLUMNS + "\n|" + "---|" * (COLUMNS.count("|") - 1), flush=True)
    for engine in asked.engines.split(","):
        with tempfile.TemporaryDirectory() as folder:
            settings = {
                "STT_PORT": str(PORT), "STT_METRICS_PORT": "0", "STT_ENGINE": engine, "STT_ENGINES": "",
                "STT_SETTLE_LIMIT_S": "60",
            }  # fmt: skip
            service = Service("stt_proxy", f"127.0.0.1:{PORT}", settings)
            async with run_stack([service], Path(folder)) as stack:
                running = stack["stt_proxy"]
                for name, spoken in sets.items():
                    for line in lines:
                        cpu_before = running.cpu_s()
                        results = await _measure(running, spoken, line, asked)
                        heard_s = sum(len(one.sound) for one in spoken) / RATE
                        print(_row(engine, name, line, results, (running.cpu_s() - cpu_before) / heard_s), flush=True)
                        if asked.texts:
                            for one, result in zip(spoken, results, strict=True):
                                print(f"    {one.name}: {one.text} -> {result.text!r} {result.n_onsets} onsets")
    return 0 if sets else 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.hearing", description=__doc__)
    parser.add_argument("--engines", default=os.environ.get("ENGINE") or "faster_whisper", help="by comma")
    parser.add_argument("--sets", default="english", help=f"by comma: {', '.join(SETS)}")
    parser.add_argument("--lines", default="clean", help=f"all, or by comma: {', '.join(LINES)}")
    parser.add_argument("--folder", type=Path, help="of WAV files with texts")
    parser.add_argument("--language", default="en-US", help="of the folder")
    parser.add_argument("--most", type=int, default=40, help="recordings of a set, taken evenly")
    parser.add_argument("--streams", type=int, default=1, help="at once")
    parser.add_argument("--realtime", action="store_true", help="send sound as it is spoken, and print delays")
    parser.add_argument("--texts", action="store_true", help="print what was said and heard")
    asked = parser.parse_args(arguments)
    if asked.lines != "all" and (unknown := set(asked.lines.split(",")) - LINES.keys()):
        parser.error(f"no line is called {', '.join(sorted(unknown))}")
    return asyncio.run(run(asked))


if __name__ == "__main__":
    sys.exit(main())
