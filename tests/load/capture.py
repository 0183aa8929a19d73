"""Plays the dialogues of exact capture: python -m tests.load.capture --help.

Each dialogue of tests/data/capture is one slot of an agent, from its question to a value or to a person. With `script`
each turn is heard by an STT service with the engine `script`, over its own stream, with the agent's expectation; with
`text` it is taken as it is written. The last line is how many are right; the exit status is 1 where one is not.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.nlu.agent.capture.capturing import Capture
from services.nlu.agent.capture.questions import Captured, Expected
from services.nlu.agent.capture.slots import Ended, Slot
from tests.load.capture_hearing import Listener, listening

FOLDER = Path(__file__).parents[1] / "data" / "capture"
Recognise = Callable[[str, Expected], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn: what the caller says or presses, and what must stand in the reply to it."""

    say: str = ""
    keys: str = ""
    replies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One capture."""

    name: str
    part: str
    language: str
    slot: Slot
    region: str
    known: str
    turns: tuple[Turn, ...]
    captured: str  # empty: it must end with a person


@dataclass(frozen=True, slots=True)
class Played:
    """The result of a dialogue."""

    dialogue: Dialogue
    lines: tuple[str, ...]
    value: str
    ended: Ended
    missing: tuple[str, ...]  # of the replies

    @property
    def is_right(self) -> bool:
        wanted = Ended.CAPTURED if self.dialogue.captured else Ended.HUMAN
        return self.ended is wanted and self.value == self.dialogue.captured and not self.missing


def read_dialogues(*, parts: Sequence[str] = ()) -> list[Dialogue]:
    """Return the dialogues of the folder, of some parts or of all."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [_dialogue(one, content["language"]) for one in content["dialogues"]]
    return [one for one in found if not parts or one.part in parts]


def _dialogue(written: dict[str, Any], language: str) -> Dialogue:
    turns = [Turn(say=turn) if isinstance(turn, str) else _turn(turn) for turn in written["turns"]]
    return Dialogue(
        f"{language} {written['id']}",
        written["part"],
        language,
        Slot.model_validate(written["slot"]),
        written.get("region", "VN"),
        written.get("known", ""),
        tuple(turns),
        written.get("captured", ""),
    )


def _turn(written: dict[str, Any]) -> Turn:
    return Turn(written.get("say", ""), written.get("keys", ""), tuple(written.get("replies", ())))


async def play(dialogue: Dialogue, recognise: Recognise) -> Played:
    """Play one. What follows after its end is not said."""
    capture = Capture(dialogue.slot, dialogue.language, region=dialogue.region)
    now = capture.open(known=dialogue.known)
    lines, missing = [f"agent:  {now.text}"], []
    for turn in dialogue.turns:
        if now.state.ended:
            missing.append("an end after the last turn")
            break
        now = await _take(capture, now, turn, recognise, lines)
        lines.append(f"agent:  {now.text}")
        missing += [reply for reply in turn.replies if reply not in now.text]
    return Played(dialogue, tuple(lines), now.value, now.state.ended, tuple(missing))


async def _take(capture: Capture, now: Captured, turn: Turn, recognise: Recognise, lines: list[str]) -> Captured:
    if turn.keys:
        lines.append(f"caller: [{turn.keys}]")
        return capture.take(now.state, turn.keys, is_keys=True)
    heard = await recognise(turn.say, now.expected)
    lines.append(f"caller: {heard}")
    return capture.take(now.state, heard)


async def as_written(text: str, expected: Expected) -> str:
    """Recognise what is said exactly as it is written."""
    return text


@asynccontextmanager
async def heard_by_script(dialogues: Sequence[Dialogue]) -> AsyncIterator[Callable[[Dialogue], Recognise]]:
    """An STT service with the engine `script`, which knows every turn; a stream a dialogue."""
    texts = [turn.say for dialogue in dialogues for turn in dialogue.turns if turn.say]
    firsts, n = {}, 1
    for dialogue in dialogues:
        firsts[dialogue.name] = n
        n += sum(bool(turn.say) for turn in dialogue.turns)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.txt"
        file.write_text("\n".join(texts) + "\n", encoding="utf-8")
        async with listening({"STT_ENGINE": "script", "STT_SCRIPT_FILE": str(file)}, Path(folder)) as target:

            def recogniser_of(dialogue: Dialogue) -> Recognise:
                listener = Listener(target, dialogue.language, f"capture#{firsts[dialogue.name]}", dialogue.region)
                return listener.recognise

            yield recogniser_of


async def play_all(dialogues: Sequence[Dialogue], heard: str) -> list[Played]:
    """Play them one after the other."""
    if heard == "text":
        return [await play(dialogue, as_written) for dialogue in dialogues]
    async with heard_by_script(dialogues) as recogniser_of:
        return [await play(dialogue, recogniser_of(dialogue)) for dialogue in dialogues]


def report(played: Sequence[Played], *, shows_all: bool) -> int:
    """Print them; returns how many are wrong."""
    for one in played:
        print(f"{'right' if one.is_right else 'WRONG'}  {one.dialogue.name}: {one.value or one.ended or '-'}")
        if shows_all or not one.is_right:
            print(*(f"         {line}" for line in one.lines), sep="\n")
            if one.missing:
                print(f"         missing: {', '.join(one.missing)}")
    n_right = sum(one.is_right for one in played)
    print(f"{n_right} of {len(played)} captures are right")
    return len(played) - n_right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heard", choices=("text", "script"), default="script")
    parser.add_argument("--part", action="append", default=[], choices=("rules", "sight", "fresh"))
    parser.add_argument("--show", action="store_true", help="every line of every dialogue")
    options = parser.parse_args()
    played = asyncio.run(play_all(read_dialogues(parts=options.part), options.heard))
    sys.exit(1 if report(played, shows_all=options.show) else 0)


if __name__ == "__main__":
    main()
