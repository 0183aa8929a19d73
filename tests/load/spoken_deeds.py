"""Deeds that are spoken: python -m tests.load.spoken_deeds [--languages en] [--only NAME] [--most N] [--show]

Each dialogue of tests/data/dialogues with `deeds:` is a call through the gateway's program edge: a voice speaks the
caller's turns at 8 kHz, Whisper hears them (viet_asr Vietnamese, with --viet), the clinic answers with a diary of its
own. A caller answers what they are asked: where the agent asks again, they say the last thing again; where a piece is
read back they say yes to a right one and no to a wrong one; asked for name or number out of turn, they give it. A name
counts as right where it sounds like the one that was said: "Annabelle" is not spelled unless asked. Printed are the
calls that reached exactly the deeds of their file, and the deeds that were in none, with the machine's load. The exit
status is 1 where a wrong deed was done.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
from voice.tts.v1 import tts_pb2_grpc

from clients.phone.caller import hear_out, wait_until
from clients.phone.program_line import ProgramLine
from clients.phone.watch import CallWatch
from services.audio.pcm import Samples
from services.runtime.channels import ChannelSettings, open_channel
from tests.conformance.servers import CALL, NLU, STT, TTS, running, wait_until_serving
from tests.data.make_clips import VOICES, Speaker
from tests.load.deed_dialogues import Deed, Played, prepare_diary, rows_of, story_of
from tests.load.dialogue_files import Script, read_scripts
from tests.load.spoken_caller import SpokenCaller, deeds_of, said_since, sounds_alike, taken_since
from tests.load.spoken_desk import SPOKEN_NOW

MS_PER_CHAR = 12  # of the agent's tone, which the caller need not understand
GREETING_LIMIT_S = 30.0
ANSWER_LIMIT_S = 25.0
SETTLE_S = 0.5  # the record of a turn comes behind its last sound
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Stack:
    """The addresses of the services."""

    gateway: str
    speaker: Speaker
    data: Path


async def play(script: Script, stack: Stack) -> tuple[Played, list[str]]:
    """One call; what came of it, and its lines."""
    caller = SpokenCaller(script)
    played = Played(script)
    channel = grpc.aio.insecure_channel(stack.gateway)
    line = ProgramLine(
        channel, language_codes=(script.language,), caller=script.calls_from, tenant_id=tenant_of(script)
    )
    async with channel, CallWatch(channel) as watch, line:
        await hear_out(line, from_s=0.0, limit_s=GREETING_LIMIT_S, has_agent_floor=watch.has_agent_floor)
        n_told = len(watch.events)
        while not line.is_over and (turn := caller.next_turn()) is not None:
            from_s = line.now_s()
            if turn.text:
                line.say(await spoken(turn.text, script.language, stack.speaker))
                await wait_until(lambda: line.is_over or not line.is_saying, 60.0)
                from_s = line.now_s()
            if turn.hears < 1.0:  # they speak into the answer, or hang up in it
                await begins_to_speak(line, from_s)
                await asyncio.sleep(turn.hears)
                n_told = len(watch.events)
                continue
            await hear_out(line, from_s=from_s, limit_s=ANSWER_LIMIT_S, has_agent_floor=watch.has_agent_floor)
            await asyncio.sleep(SETTLE_S)
            heard = taken_since(watch.events, n_told)
            caller.on_answer(said_since(watch.events, n_told), heard=heard, told=turn.text)
            n_told = len(watch.events)
    played.deeds = [
        as_meant(one, script) for one in deeds_of(stack.data / script.agent / "outbox.sqlite", tenant_of(script))
    ]
    played.rows = rows_of(stack.data / script.agent / "diary.sqlite", tenant_of(script))
    return played, caller.lines


def as_meant(deed: Deed, script: Script) -> Deed:
    """The deed with a name as its file writes it, where the one that was heard sounds like it."""
    name = deed.arguments.get("name", "")
    meant = [one.arguments["name"] for one in script.deeds or () if "name" in one.arguments]
    alike = next((one for one in meant if sounds_alike(name, one)), name)
    return Deed(deed.tool, {**deed.arguments, "name": alike})


async def begins_to_speak(line: ProgramLine, from_s: float) -> None:
    """Wait until the agent is heard."""
    await wait_until(lambda: line.is_over or line.heard.first_sound_s(from_s=from_s) is not None, ANSWER_LIMIT_S)


def tenant_of(script: Script) -> str:
    """Each call is of a tenant of its own, so that no call sees another's appointments."""
    return script.name.replace(".", "-")[:60]


async def spoken(text: str, language: str, speaker: Speaker) -> Samples:
    """A turn in a voice, 8 kHz."""
    return await speaker.speak(VOICES[language][0], text)


async def play_all(scripts: list[Script], languages: list[str], *, with_viet: bool, shows: bool) -> int:
    """Play them one after the other; the number of wrong deeds."""
    wrong, reached = 0, {language: 0 for language in languages}
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        data = folder / "data"
        for name in ("stt", "nlu", "tts", "callers", "gateway"):
            (folder / name).mkdir()
        for script in scripts:
            (data / script.agent).mkdir(parents=True, exist_ok=True)
            prepare_diary(data / script.agent / "diary.sqlite", script, tenant_of(script))
        stack = Stack(*start(folder, data, scripts, open_things, with_viet=with_viet), data)
        for script in scripts:
            played, lines = await play(script, stack)
            reached[script.language] += played.is_reached
            wrong += len(played.wrong_deeds)
            print(f"{'reached' if played.is_reached else 'MISSED '} {script.name}", flush=True)
            if played.wrong_deeds or (shows and not played.is_reached):
                print(*(f"    {each}" for each in lines), *story_of(played), sep="\n", flush=True)
    for language in languages:
        n = sum(script.language == language for script in scripts)
        print(f"{language}: {reached[language]} of {n} spoken calls reached their deeds")
    print(f"{wrong} wrong deeds; load average {os.getloadavg()[0]:.1f}")
    return wrong


def start(
    folder: Path, data: Path, scripts: list[Script], open_things: ExitStack, *, with_viet: bool
) -> tuple[str, Speaker]:
    """The four services, and a voice for the callers; the gateway's address and the voice."""
    now = scripts[0].now
    assert now is not None
    nlu = {
        "NLU_AGENT_KIND": "tests.load.spoken_desk:make",
        "NLU_AGENTS_DIR": str(ROOT / "deploy/agents"),
        "NLU_DEFAULT_AGENT": "clinic",
        "NLU_DATA_DIR": str(data),
        SPOKEN_NOW: f"{now:%Y-%m-%dT%H:%M}",
    }
    stt = {"STT_ENGINES": "vi=viet_asr,*=faster_whisper"} if with_viet else {}
    started = [
        open_things.enter_context(running(stage, engine, folder / name, settings=settings, is_awaited=False))
        for name, stage, engine, settings in (
            ("stt", STT, "faster_whisper", stt),
            ("nlu", NLU, "script", nlu),
            ("tts", TTS, "tone", {"TTS_TONE_MS_PER_CHAR": str(MS_PER_CHAR)}),
            ("callers", TTS, "piper", {"TTS_ENGINES": "en=piper,*=espeak"}),
        )
    ]
    targets = {f"GATEWAY_{server.stage.name.upper()}_TARGET": server.target for server in started[:3]}
    gateway = open_things.enter_context(
        running(
            CALL,
            "script",
            folder / "gateway",
            settings={"GATEWAY_EDGES": "program", **targets},
            backing=tuple(started[:3]),
            is_awaited=False,
        )
    )
    for server in (*started, gateway):
        wait_until_serving(server)
    return gateway.target, Speaker(tts_pb2_grpc.TtsServiceStub(open_channel(started[3].target, ChannelSettings())))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", default="en")
    parser.add_argument("--viet", action="store_true", help="hear Vietnamese with the engine viet_asr")
    parser.add_argument("--only", default="", help="dialogues whose name has this")
    parser.add_argument("--most", type=int, default=0, help="so many, spread evenly over all; 0: all")
    parser.add_argument("--show", action="store_true", help="every line of the calls that missed their deeds")
    options = parser.parse_args()
    languages = options.languages.split(",")
    found = [one for one in read_scripts() if one.deeds is not None and one.language in languages]
    found = [one for one in found if options.only in one.name]
    if options.most and len(found) > options.most:
        found = [found[at * len(found) // options.most] for at in range(options.most)]
    wrong = asyncio.run(play_all(found, languages, with_viet=options.viet, shows=options.show))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
