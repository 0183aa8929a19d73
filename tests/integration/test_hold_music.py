"""Hold music with announcements, heard by the real recogniser: it does not become a conversation again and again."""

import asyncio
import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from voice.call.v1 import record_pb2

from services.audio.g711 import decode_mulaw, encode_mulaw
from services.audio.pcm import Samples
from tests.integration.program_caller import ProgramCaller, calling
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.load.clips import Clip, load_clips

pytestmark = pytest.mark.timeout(400)

ANNOUNCEMENTS = [clip for clip in load_clips() if clip.kind == "plain" and clip.language_code.startswith("en")]
CHORDS = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))  # C, A minor, F, G
CHORD_S = 1.2


def music(seconds: float) -> Samples:
    """Chords that are struck and fade, one after another, about as loud as speech."""
    t = np.arange(int(seconds * 8000)) / 8000
    nth = (t / CHORD_S).astype(int) % len(CHORDS)
    fading = 0.4 + 0.6 * np.exp(-3 * (t % CHORD_S))
    tune = sum(np.sin(2 * np.pi * np.array([chord[voice] for chord in CHORDS])[nth] * t) for voice in range(3))
    return np.asarray(2500 * fading * tune, dtype=np.int16)


def speech(clip: Clip) -> Samples:
    return decode_mulaw(b"".join(clip.frames[clip.start_frame : clip.end_frame + 1]))


def as_clip(samples: Samples) -> Clip:
    content = encode_mulaw(samples[: len(samples) // 160 * 160])
    frames = tuple(content[at : at + 160] for at in range(0, len(content), 160))
    return dataclasses.replace(
        ANNOUNCEMENTS[0], frames=frames, speech_start_sample=0, speech_end_sample=len(content), pauses=()
    )


def answered(caller: ProgramCaller) -> list[str]:
    """The caller's texts that the agent answered."""
    return [turn.user_text for turn in caller.turns(by_gateway=False) if turn.user_text]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedStack]:
    settings = {"stt": {"STT_ENGINE": "faster_whisper"}}
    with scripted_stack(tmp_path_factory.mktemp("stack"), (), settings) as running:
        yield running


async def hear_announcements(caller: ProgramCaller, *, is_repeated: bool) -> None:
    await caller.until_floor(record_pb2.FLOOR_LISTENING)
    for nth in range(6):
        words = speech(ANNOUNCEMENTS[0 if is_repeated else nth])
        await caller.say(as_clip(np.concatenate([music(14.0), words, music(2.0)])))
    story = "\n".join(" ".join(str(turn).split()) for turn in caller.turns())
    assert len(answered(caller)) <= 2, story
    prompts = [turn.heard_text for turn in caller.turns(by_gateway=True)]
    assert prompts.count("Are you still there?") <= 4, story


async def test_announcements_in_hold_music_are_left_alone(stack: ScriptedStack) -> None:
    """In two calls at once: the same announcement again and again, and different ones."""
    async with calling(stack.gateway) as first, calling(stack.gateway) as second, asyncio.TaskGroup() as tasks:
        tasks.create_task(hear_announcements(first, is_repeated=True))
        tasks.create_task(hear_announcements(second, is_repeated=False))
