"""The accuracy of endpointing: false cut-offs and waits on the labelled set, by setting and engine.

    python -m tests.data.make_clips --set endpointing      makes the set, once
    python -m tests.load.endpointing [--engine script,faster_whisper] [--parts fresh] [--in-step] [--replay]

The real STT service hears every clip in real time over gRPC; what it said is kept in out/ and judged by the gateway's
own rule, at the default waits and at others. `--replay` judges the recordings there are without making new ones.
`--in-step` records engine `script` in this process, frame by frame, so that no figure depends on the machine's load.
Whisper is given the clips it understands: English by the natural voice. A turn taken before the caller's last word is a
false cut-off; else its wait is counted from the true end of speech.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import uvloop

from tests.load import stt_recording
from tests.load.endpointing_plot import Dot, draw
from tests.load.endpointing_table import HEAD, line, reasons, row
from tests.load.report import OUT_DIR, machine_speed
from tests.load.stack import Service, run_stack
from tests.load.stt_recording import Heard, Item, load_items
from tests.load.stt_replay import AS_SERVED, Outcome, judge_recording, settings
from tests.load.stt_steps import record_in_step

CLIPS = OUT_DIR / "endpointing-clips"
PLOT = Path(__file__).parents[2] / "docs" / "endpointing.svg"
PORT = 50966
STREAMS = {"script": 16, "faster_whisper": 2}  # calls at once: what two cores follow without drafts being late
TARGET_CUT_OFF_PERCENT = 5.0
TARGET_WAIT_MS = 350.0
UNDERSTOOD = {"faster_whisper": ("default", "en-")}  # voices and languages, where an engine does not take them all
IN_STEP = 0  # streams of a recording that was made so: what it was told came when the sound did, and was of no use
KNOWS_WORDS = ("script",)
PARTS = ("known_1", "known_2", "unseen", "blind")
LATER_PARTS = ("development", "fresh")  # in no total: what was chosen on them, or is to be decided by them
WHOLE_SET = "whole set"
SHOWN_PARTS = ("known_1", "known_2")  # whose faults may be looked at while rules are improved


def _service(engine: str, items: Sequence[Item]) -> Service:
    script = OUT_DIR / "endpointing-script.txt"
    script.write_text("\n".join(item.clip.text for item in items) + "\n", encoding="utf-8")
    environment = {
        "STT_PORT": str(PORT), "STT_METRICS_PORT": "0", "STT_ENGINE": engine, "STT_SCRIPT_FILE": str(script),
        "STT_LOG_LEVEL": "warning",
    }  # fmt: skip
    return Service("stt_proxy", f"127.0.0.1:{PORT}", environment)


def _is_understood(engine: str, item: Item) -> bool:
    voice, language = UNDERSTOOD.get(engine, ("", ""))
    return item.voice.startswith(voice) and item.clip.language_code.startswith(language)


def _recording(engine: str) -> Path:
    return OUT_DIR / f"endpointing-{engine}.json"


async def _record_in_step(engine: str, items: Sequence[Item]) -> None:
    calls = await record_in_step(items)
    stt_recording.save(calls, _recording(engine), {"machine": machine_speed(), "streams": IN_STEP, "features": []})


async def _record(engine: str, items: Sequence[Item], streams: int) -> None:
    service = _service(engine, items)
    async with run_stack([service], OUT_DIR / "logs" / "endpointing"):
        features = await stt_recording.features_of(service.target)
        chosen = [item for item in items if _is_understood(engine, item)]
        calls = await stt_recording.record(chosen, service.target, streams=streams)
    stt_recording.save(
        calls, _recording(engine), {"machine": machine_speed(), "streams": streams, "features": features}
    )


def _judge(
    engine: str, calls: list[list[Heard]], *, punctuates: bool, shows_faults: bool, in_step: bool
) -> tuple[dict[str, Any], list[Dot]]:
    """Print the tables of one engine; its rows by part and setting, and its dots on the plot."""
    by_setting = {
        setting: list(judge_recording(calls, setting, knows_words=engine in KNOWS_WORDS))
        for setting in settings(punctuates=punctuates)
        if setting is not AS_SERVED or not in_step
    }
    served = {outcome.item.number: outcome.is_cut_off for outcome in by_setting.get(AS_SERVED, ())}
    rows: dict[str, Any] = {}
    for part in _parts_of(heard.item for call in calls for heard in call):
        rows[part] = {}
        print(f"\n{engine}, {part}: {sum(_is_in(part, heard.item) for call in calls for heard in call)} clips\n{HEAD}")
        for setting, every_outcome in by_setting.items():
            outcomes = [outcome for outcome in every_outcome if _is_in(part, outcome.item)]
            figures = rows[part][setting.name] = row(outcomes)
            print(line(setting.name, figures), flush=True)
            if setting.name == "default":
                if served:
                    differing = sum(served[outcome.item.number] != outcome.is_cut_off for outcome in outcomes)
                    figures["differs_from_served"] = differing
                if shows_faults and part in SHOWN_PARTS:
                    _show_faults(outcomes)
        print(reasons(rows[part]["default"]))
    dots = [
        Dot(engine, name, figures["wait_ms"]["p50"], figures["cut_off_percent"])
        for name, figures in rows.get(WHOLE_SET, {}).items()
        if name != AS_SERVED.name
    ]
    return rows, dots


def _is_in(part: str, item: Item) -> bool:
    return part == item.part or (part == WHOLE_SET and item.part in PARTS)


def _parts_of(items: Iterable[Item]) -> list[str]:
    """Return the parts that were heard, and the whole set where all of its parts were."""
    heard = {item.part for item in items}
    whole = [WHOLE_SET] if heard.issuperset(PARTS) else []
    return [part for part in (*PARTS, *LATER_PARTS) if part in heard] + whole


def _show_faults(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        clip = outcome.item.clip
        pauses = "/".join(f"{(end - begin) // 8}" for begin, end in clip.pauses)
        if outcome.is_cut_off:
            print(f"    cut off  {outcome.reason:<20} {pauses:<9} {clip.text!r} heard {outcome.text!r}")
        elif outcome.wait_ms > 600:
            print(f"    slow {outcome.wait_ms:4.0f} {outcome.reason:<19} {outcome.text!r} {outcome.item.voice}")


def run(engines: Sequence[str], parts: Sequence[str], asked: argparse.Namespace) -> bool:
    """Record, judge, print, write. Whether every engine keeps the promise at the default waits."""
    items = [item for item in load_items(CLIPS) if not parts or item.part in parts]
    report: dict[str, Any] = {"machine": machine_speed(), "engines": {}}
    dots: list[Dot] = []
    for engine in engines:
        if asked.in_step:
            asyncio.run(_record_in_step(engine, items))
        elif not asked.replay:
            uvloop.run(_record(engine, items, asked.streams or STREAMS.get(engine, 3)))
        calls, facts = stt_recording.load(_recording(engine), items)
        punctuates = "punctuation" in facts["features"]
        rows, its_dots = _judge(
            engine, calls, punctuates=punctuates, shows_faults=asked.faults, in_step=facts["streams"] == IN_STEP
        )
        print(f"\nmachine: {facts['machine']}")
        unsettled = sum(not heard.settled_text for call in calls for heard in call)
        report["engines"][engine] = {**facts, "without_text": unsettled, "rows": rows}
        dots += its_dots
    (OUT_DIR / "endpointing.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if dots:
        PLOT.write_text(draw(dots, limit_percent=TARGET_CUT_OFF_PERCENT, limit_ms=TARGET_WAIT_MS), encoding="utf-8")
    return all([_is_kept(engine, facts["rows"]) for engine, facts in report["engines"].items()])


def _is_kept(engine: str, rows: dict[str, Any]) -> bool:
    """Print whether the default waits keep the promise, part by part; whether they do on the last, the whole set."""
    is_met = False
    for part in rows:
        percent, wait_ms = rows[part]["default"]["cut_off_percent"], rows[part]["default"]["wait_ms"]["p50"]
        is_met = percent <= TARGET_CUT_OFF_PERCENT and wait_ms <= TARGET_WAIT_MS
        print(f"{engine}, {part}: {percent} % at a median of {wait_ms} ms ({'met' if is_met else 'MISSED'}: "
              f"<= {TARGET_CUT_OFF_PERCENT} % at <= {TARGET_WAIT_MS} ms)")  # fmt: skip
    return is_met


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="script,faster_whisper", help="engines by name, separated by commas")
    parser.add_argument("--parts", default="", help="of the set, by comma; without it all that was made")
    parser.add_argument("--streams", type=int, default=0, help="calls at once; 0 is what suits the engine")
    parser.add_argument("--in-step", action="store_true", help="by the caller's clock, whatever the machine does")
    parser.add_argument("--replay", action="store_true", help="judge the recordings in out/")
    parser.add_argument(
        "--faults",
        action="store_true",
        help="list the clips cut off and those that waited long, but only of the known parts",
    )
    asked = parser.parse_args()
    if not (CLIPS / "labels.json").exists():
        print("no set to play: python -m tests.data.make_clips --set endpointing", file=sys.stderr)
        return 2
    engines = [name for name in asked.engine.split(",") if name]
    parts = [name for name in asked.parts.split(",") if name]
    if asked.in_step and engines != ["script"]:
        parser.error("--in-step is for --engine script, whose words are the labels'")
    return 0 if run(engines, parts, asked) else 1


if __name__ == "__main__":
    sys.exit(main())
