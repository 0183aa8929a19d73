"""A caller who speaks without a pause for longer than the STT stage keeps of one utterance is answered all the same."""

import asyncio
from collections.abc import Iterator

import pytest
from voice.call.v1 import record_pb2

from tests.integration.program_caller import FRAME_S, FRAME_SAMPLES, calling
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.load.clips import load_clips

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONGEST_S = 10  # STT_MAX_UTTERANCE_S
SPOKEN_S = 13
PARTS = ("Say sure, please, part one.", "Say sure, please, part two.")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedStack]:
    settings = {"stt": {"STT_MAX_UTTERANCE_S": str(LONGEST_S)}}
    with scripted_stack(tmp_path_factory.mktemp("stack"), PARTS, settings) as running:
        yield running


async def test_its_turn_is_taken_at_the_limit_and_the_whole_is_answered_at_its_end(stack: ScriptedStack):
    clip = next(one for one in load_clips() if one.kind == "plain")
    words = b"".join(clip.frames)[clip.speech_start_sample : clip.speech_end_sample]
    sound = (words * (SPOKEN_S * 8000 // len(words) + 1))[: SPOKEN_S * 8000]
    async with calling(stack.gateway) as caller:
        await caller.until(lambda caller: caller.turns(by_gateway=False))  # the greeting
        caller._frames.extend(
            (sound[at : at + FRAME_SAMPLES], False, False) for at in range(0, len(sound), FRAME_SAMPLES)
        )
        while caller._frames:
            await asyncio.sleep(FRAME_S)
        await caller.until(lambda caller: len(caller.turns(by_gateway=False)) >= 3)
        closed, answer = caller.turns(by_gateway=False)[1:]
        assert (closed.user_text, closed.end_reason) == (PARTS[0], "too_long")
        assert closed.outcome == record_pb2.TurnRecord.OUTCOME_CONTINUED
        assert answer.user_text == " ".join(PARTS)
        assert answer.outcome == record_pb2.TurnRecord.OUTCOME_COMPLETED
        assert answer.heard_text == "Sure, we have a free chair on Tuesday at ten."
