"""The share of spoken values that is captured: python -m tests.load.capture_spoken [--languages en,vi] [--show]

Voices of espeak-ng dictate numbers, addresses, names and codes at 8 kHz to an STT
service with Whisper. The caller answers as a caller does: yes to what was read back rightly, else no, and then what is
asked for: a group, one sign, the spelling, the keys. Printed are the captures at the first read-back, those at the end
without keys and with them, those that went to a person, and those that were confirmed wrongly, with the machine's load.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from voice.tts.v1 import tts_pb2_grpc

from clients.conformance.stages import TTS
from services.audio.pcm import Samples
from services.nlu.agent.capture.capturing import Capture
from services.nlu.agent.capture.questions import Captured
from services.nlu.agent.capture.slots import Ended, Slot, SlotKind, Step
from services.runtime.channels import ChannelSettings, open_channel
from tests.conformance.servers import running
from tests.data.make_clips import VOICES, Speaker
from tests.load.capture_hearing import Listener, listening

MOST_TURNS = 40
CODE = {"pattern": "[A-Z]{2}[0-9]{4}", "min_length": 6, "max_length": 6}
WANTED: dict[str, tuple[tuple[SlotKind, str], ...]] = {
    "en": (
        *((SlotKind.PHONE, number) for number in ("0912345678", "0987206143", "0369558017", "02838229451")),
        *((SlotKind.EMAIL, address) for address in ("anna.bell@gmail.com", "peter_99@yahoo.com")),
        *((SlotKind.NAME, name) for name in ("Anna Bell", "Peter Novak")),
        *((SlotKind.CODE, code) for code in ("AB1234", "TX7093")),
    ),
    "vi": (
        *((SlotKind.PHONE, number) for number in ("0912345678", "0987206143", "0369558017", "02838229451")),
        *((SlotKind.EMAIL, address) for address in ("lan.nguyen@gmail.com", "minh_99@yahoo.com")),
        *((SlotKind.NAME, name) for name in ("Lan", "Minh")),
        *((SlotKind.CODE, code) for code in ("BD1234", "TX7093")),
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one value."""

    kind: SlotKind
    wanted: str
    value: str
    ended: Ended
    is_first: bool  # the first read-back was right
    used_keys: bool
    lines: tuple[str, ...]


class SpokenListener(Listener):
    """Says each turn in a voice."""

    def __init__(self, target: str, language: str, speaker: Speaker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(target, language, "spoken", "VN")
        self._speaker, self._voice, self._loop = speaker, VOICES[language][-1], loop

    def sound_of(self, text: str) -> Samples:
        return asyncio.run_coroutine_threadsafe(self._speaker.speak(self._voice, text), self._loop).result()


def dictated(kind: SlotKind, piece: str, capture: Capture, language: str) -> str:
    """Return how a caller says a value, or a piece of it."""
    if kind is SlotKind.PHONE:
        return ", ".join(" ".join(group) for group in capture.form.groups(piece))
    if kind is SlotKind.CODE:
        return capture.form.said(piece, is_spelled=True)
    if kind is SlotKind.EMAIL:
        return capture.form.said(piece, is_spelled=False).partition(":")[0]
    return piece


def answer(kind: SlotKind, wanted: str, now: Captured, capture: Capture, language: str) -> str:
    """The caller's answer to the open question."""
    words = {"en": ("Yes, that's right.", "No."), "vi": ("Đúng rồi ạ.", "Không phải.")}[language]
    state = now.state
    if state.is_confirming:
        return words[0] if state.value == wanted else words[1]
    rest = wanted.removeprefix(state.value) if state.value else wanted
    if state.value and not wanted.startswith(state.value):
        before = state.value.removesuffix(state.pending)
        rest = wanted.removeprefix(before) if wanted.startswith(before) else wanted
        return f"{words[1]} {dictated(kind, _piece(rest, now, capture), capture, language)}"
    if not rest:
        return words[1]  # all of it was said, and more is asked for
    if state.step is Step.SPELLING and kind is SlotKind.NAME:
        return ", ".join(capture.form.said(wanted, is_spelled=True).partition(": ")[2].split("; "))
    return dictated(kind, _piece(rest, now, capture), capture, language)


def _piece(rest: str, now: Captured, capture: Capture) -> str:
    if now.state.step is Step.GROUPS and capture.slot.kind is SlotKind.EMAIL:
        local, at, _ = rest.partition("@")
        return local if at and local else rest
    if now.state.step in (Step.GROUPS, Step.SINGLES) and capture.form.sizes:
        size = 1 if now.state.step is Step.SINGLES else now.expected.length or capture.form.sizes[0]
        return rest[:size]
    return rest


async def capture_one(kind: SlotKind, wanted: str, language: str, listener: SpokenListener) -> Outcome:
    """One value from the first question to its end."""
    fields = CODE if kind is SlotKind.CODE else {}
    capture = Capture(Slot.model_validate({"name": "slot", "kind": kind, **fields}), language, region="VN")
    now, lines, first, used_keys = capture.open(), list[str](), "", False
    for _ in range(MOST_TURNS):
        lines.append(f"agent:  {now.text}")
        first = first or (now.state.value if now.state.is_confirming else "")
        if now.state.ended:
            break
        if now.state.step is Step.KEYS and not now.state.is_confirming:
            used_keys = True
            now = capture.take(now.state, wanted, is_keys=True)
            continue
        said = answer(kind, wanted, now, capture, language)
        heard = await listener.recognise(said, now.expected)
        lines.append(f"caller: {said!r}, heard as {heard!r}")
        now = capture.take(now.state, heard)
    return Outcome(kind, wanted, now.value, now.state.ended, first == wanted, used_keys, tuple(lines))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", default="en,vi")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        voices = running(TTS, "espeak", folder, settings={"TTS_ENGINES": "*=espeak"})
        server = await asyncio.to_thread(voices.__enter__)
        open_things.callback(voices.__exit__, None, None, None)
        speaker = Speaker(tts_pb2_grpc.TtsServiceStub(open_channel(server.target, ChannelSettings())))
        target = await open_things.enter_async_context(listening({"STT_ENGINE": "faster_whisper"}, folder))
        for language in options.languages.split(","):
            listener = SpokenListener(target, language, speaker, loop)
            found = [await capture_one(kind, wanted, language, listener) for kind, wanted in WANTED[language]]
            report(language, found, shows_all=options.show)
    print(f"load average {os.getloadavg()[0]:.1f}")


def report(language: str, found: list[Outcome], *, shows_all: bool) -> None:
    """Print what came of one language's values."""
    for one in found:
        how = "keys" if one.used_keys else one.ended or "-"
        print(f"{language} {one.kind}: {one.wanted} -> {one.value or '-'} ({'first' if one.is_first else how})")
        if shows_all or one.value not in ("", one.wanted):
            print(*(f"    {line}" for line in one.lines), sep="\n")
    right = [one for one in found if one.value == one.wanted]
    print(
        f"{language}: {sum(one.is_first for one in found)} of {len(found)} right at the first read-back, "
        f"{sum(not one.used_keys for one in right)} without keys, {len(right)} with them; "
        f"{sum(one.ended is Ended.HUMAN for one in found)} to a person, "
        f"{sum(bool(one.value) and one.value != one.wanted for one in found)} confirmed wrongly"
    )


if __name__ == "__main__":
    asyncio.run(main())
