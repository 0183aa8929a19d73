"""Partial texts in a whole call: four real processes, a recogniser of Google's protocol, a program as caller."""

from collections.abc import Iterator

import pytest
import yaml
from voice.call.v1 import record_pb2

from tests.conformance.servers import ROOT, start_fake, stop
from tests.integration.program_caller import calling
from tests.integration.scripted_stack import scripted_stack
from tests.load.clips import load_clips

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAYS = "Stop, stop, root canal, say long, please."  # a word for each 200 ms of loud sound, from its beginning on
SUSTAINED_S = 0.6  # sound that lasts so long is an interruption whatever it says


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stack whose recogniser gives partial texts, with an agent that has a phrase."""
    folder = tmp_path_factory.mktemp("partial-words")
    agent = yaml.safe_load((ROOT / "tests/integration/agents/quick.yaml").read_text(encoding="utf-8"))
    (folder / "agents").mkdir()
    agent["phrases"] = ["root canal", "rhododendron"]
    (folder / "agents/quick.yaml").write_text(yaml.safe_dump(agent), encoding="utf-8")
    google, where = start_fake("google_speech", SAYS, {"STT_GOOGLE_ENDPOINT": "127.0.0.1:{port}"})
    recogniser = {"STT_ENGINE": "google", "STT_GOOGLE_PROJECT": "test", "STT_GOOGLE_IS_PLAINTEXT": "true"}
    settings = {"stt": recogniser | where, "nlu": {"NLU_AGENTS_DIR": str(folder / "agents")}}
    try:
        with scripted_stack(folder, (SAYS,), settings) as stack:
            yield stack.gateway
    finally:
        stop(google)


async def test_stop_ends_the_reply_while_the_caller_still_speaks(gateway: str):
    clip = next(clip for clip in load_clips() if clip.kind == "plain")
    async with calling(gateway) as caller:
        await caller.until(lambda caller: caller.turns(by_gateway=False))
        await caller.say(clip)
        await caller.until_floor(record_pb2.FLOOR_SPEAKING, after=len(caller.events))
        before = len(caller.events)
        await caller.say(clip)
        await caller.until(lambda caller: len(caller.turns(by_gateway=False)) >= 2)
        interrupted = caller.turns(by_gateway=False)[1]
        assert interrupted.outcome == record_pb2.TurnRecord.OUTCOME_INTERRUPTED, caller.story()
        assert interrupted.stop_reason == "stop_command", caller.story()
        stopped_at = next(
            at
            for at, event in list(zip(caller.event_times, caller.events, strict=True))[before:]
            if event.floor_change.to == record_pb2.FLOOR_LISTENING
        )
        assert stopped_at - caller.spoke_first_at < SUSTAINED_S, caller.story()


async def test_a_phrase_of_the_agents_is_told_before_the_caller_pauses(gateway: str):
    clip = max((clip for clip in load_clips() if clip.kind == "plain"), key=lambda clip: clip.end_frame)
    async with calling(gateway) as caller:
        await caller.until(lambda caller: caller.turns(by_gateway=False))
        await caller.say(clip)
        await caller.until(lambda caller: len(caller.turns(by_gateway=False)) >= 2)
        told = [(event.WhichOneof("event"), event) for event in caller.events]
        [at] = [number for number, (kind, _) in enumerate(told) if kind == "caller_keyword"]
        keyword = told[at][1].caller_keyword
        assert keyword.phrase == "root canal"
        settled = next(
            n for n, (kind, event) in enumerate(told) if kind == "caller_text" and event.caller_text.is_settled
        )
        assert at < settled, caller.story()
        assert keyword.utterance_id == told[settled][1].caller_text.utterance_id
        assert told[at][1].sample < caller.turns(by_gateway=False)[1].speech_end_sample, caller.story()
