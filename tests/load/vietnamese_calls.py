"""Six Vietnamese speakers on a real telephone: `python -m tests.load.vietnamese_calls [ENGINES] [--rounds 2]`.

The recordings of `tests.load.vietnamese` are spoken by a SIP phone through a real Asterisk to four services of their
own, one behind another in one call. The agent's replies are scripted and one syllable long, so that it hardly speaks
over a caller who pauses within a sentence. What the caller was understood to say is read from WatchCalls: the settled
texts of the utterances, and beside them the words that the turns were answered on. Printed are the words that are
wrong in either, for each clip and for all.
"""

import argparse
import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from voice.call.v1 import record_pb2

from clients.phone.sip_phone import SipCall
from clients.phone.watch import CallWatch
from deploy.model_sources import SourceFailed
from services.audio.pcm import Samples
from tests.integration.asterisk import number, running_pbx, wait_empty
from tests.integration.phones import running_phones
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.load.hearing.__main__ import machine
from tests.load.hearing.recordings import Spoken, vietnamese
from tests.load.vietnamese import n_errors, spoken_words

ENGINES = "vi=viet_asr,*=script"
GREETING_LIMIT_S = 15.0
OVER_LIMIT_S = 15.0  # from the clip's end to the end of its last turn
REST_S = 1.0  # without anything new: what was said of a clip is complete
AGENT = """\
agent_id: quiet
personas:
  vi:
    greeting: "Dạ."
    farewell: "Dạ."
    instructions: "Dạ."
    examples: []
prompts:
  apology: { vi: "Dạ." }
  goodbye: { vi: "Dạ." }
  still_there: { vi: "Dạ." }
  silence_goodbye: { vi: "Dạ." }
  recovered: { vi: "Dạ." }
endpointing: { silence_prompt_ms: 15000 }
"""
REPLIES = """\
[[reply]]
name = "quiet"
parts = [{ text = "Dạ." }]
"""


@dataclass(frozen=True, slots=True)
class Understood:
    """The recognition of a clip in a call."""

    name: str
    utterances: tuple[str, ...]  # settled texts, in order
    turns: tuple[str, ...]  # what the agent answered on, turns that a later one continues left out
    n_wrong: int  # in the utterances
    n_wrong_in_turns: int
    n_words: int


def at_telephone_rate(spoken: Spoken) -> Samples:
    """(n_samples,) int16 at 8 kHz."""
    samples: Samples = np.clip(np.rint(spoken.sound), -32768, 32767).astype(np.int16)
    return samples


def settled_texts(events: list[record_pb2.CallEvent]) -> list[str]:
    """The texts of the caller's utterances, in order; of one that was corrected, the newest."""
    texts = {event.caller_text.utterance_id: event.caller_text for event in events if event.HasField("caller_text")}
    return [texts[one].text for one in sorted(texts) if texts[one].is_settled and texts[one].text]


def answered_texts(events: list[record_pb2.CallEvent]) -> list[str]:
    """Return what turns were answered on; a turn that a later one continues has its words in that one."""
    turns = [event.turn for event in events if event.HasField("turn")]
    continued = record_pb2.TurnRecord.OUTCOME_CONTINUED
    return [turn.user_text for turn in turns if turn.user_text and turn.outcome != continued]


async def quiet_again(watch: CallWatch, limit_s: float) -> bool:
    """Wait until the caller has the floor and nothing new was told for a moment; False: that did not come in time."""
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + limit_s
    n_seen, since_s = len(watch.events), loop.time()
    while loop.time() < give_up_s:
        if len(watch.events) != n_seen or watch.has_agent_floor():
            n_seen, since_s = len(watch.events), loop.time()
        elif loop.time() - since_s >= REST_S:
            return True
        await asyncio.sleep(0.05)
    return False


async def say(call: SipCall, watch: CallWatch, spoken: Spoken) -> Understood:
    """One clip in a call, and what was understood of it: nothing, where the call is over."""
    n_before = len(watch.events)
    call.say(at_telephone_rate(spoken))
    while call.is_saying and not call.is_over:
        await asyncio.sleep(0.02)
    await asyncio.sleep(REST_S)
    await quiet_again(watch, OVER_LIMIT_S)
    events = list(watch.events[n_before:])
    utterances, turns = settled_texts(events), answered_texts(events)
    wanted = spoken_words(spoken.text)
    return Understood(
        spoken.name, tuple(utterances), tuple(turns), n_errors(wanted, spoken_words(" ".join(utterances))),
        n_errors(wanted, spoken_words(" ".join(turns))), len(wanted),
    )  # fmt: skip


async def call_once(stack: ScriptedStack, dial: str, clips: list[Spoken]) -> list[Understood]:
    """One call with all clips. Raises AssertionError when the agent does not greet."""
    async with (
        running_phones() as phones,
        grpc.aio.insecure_channel(stack.gateway) as channel,
        CallWatch(channel) as watch,
    ):
        call = await phones.call(dial)
        async with asyncio.timeout(GREETING_LIMIT_S):
            while not any(event.HasField("turn") for event in watch.events):
                await asyncio.sleep(0.05)
        await quiet_again(watch, GREETING_LIMIT_S)
        understood = [await say(call, watch, one) for one in clips]
        await call.hang_up()
        await watch.wait_ended()
        return understood


async def measure(engines: str, rounds: int, clips: list[Spoken], folder: Path) -> list[Understood]:
    """So many calls, each with all clips; Asterisk, services and their logs in `folder`."""
    agents = folder / "agents"
    agents.mkdir(parents=True)
    (agents / "quiet.yaml").write_text(AGENT, encoding="utf-8")
    (folder / "replies.toml").write_text(REPLIES, encoding="utf-8")
    async with running_pbx(folder / "pbx") as pbx:
        settings = {
            "stt": {"STT_ENGINES": engines},
            "nlu": {
                "NLU_AGENTS_DIR": str(agents),
                "NLU_DEFAULT_AGENT": "quiet",
                "NLU_SCRIPT_FILE": str(folder / "replies.toml"),
                "NLU_SCRIPT_REPLY": "quiet",
            },
            "call": {
                "GATEWAY_EDGES": "ari,program",
                "GATEWAY_ARI_URL": pbx.ari_url,
                "GATEWAY_LANGUAGE_CODES": "vi-VN",
            },
        }
        starting = scripted_stack(folder / "stack", ["Dạ."], settings)
        stack = await asyncio.to_thread(starting.__enter__)
        try:
            understood = []
            for _ in range(rounds):
                understood += await call_once(stack, number(pbx), clips)
                await wait_empty(pbx)
            return understood
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)


def rates(understood: list[Understood]) -> tuple[float, float]:
    """Per cent of words wrong: in the utterances, and in what turns were answered on."""
    n_words = sum(one.n_words for one in understood)
    in_utterances, in_turns = (
        sum(one.n_wrong for one in understood), sum(one.n_wrong_in_turns for one in understood)
    )  # fmt: skip
    return 100 * in_utterances / n_words, 100 * in_turns / n_words


def report(understood: list[Understood]) -> list[str]:
    """A line for each clip, its utterances parted by a bar, and the sums."""
    lines = []
    for one in understood:
        lines.append(f"{one.n_wrong:3d} of {one.n_words:3d}  {one.name}: {' | '.join(one.utterances)}")
        if one.n_wrong_in_turns != one.n_wrong:
            lines.append(f"{one.n_wrong_in_turns:3d} of {one.n_words:3d}    in turns: {' | '.join(one.turns)}")
    in_utterances, in_turns = rates(understood)
    n_words = sum(one.n_words for one in understood)
    lines.append(f"{in_utterances:.1f} % of {n_words} words wrong in what was heard, {in_turns:.1f} % in the turns")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.vietnamese_calls", description=__doc__)
    parser.add_argument("engines", nargs="?", default=ENGINES, help="STT_ENGINES of the service")
    parser.add_argument("--rounds", type=int, default=1, help="calls, each with all six clips")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps the services' logs")
    asked = parser.parse_args()
    try:
        clips = vietnamese()
    except SourceFailed as failure:
        raise SystemExit(f"the recordings could not be fetched: {failure}") from failure
    with tempfile.TemporaryDirectory() as folder:
        kept = asked.keep or Path(folder) / "calls"
        understood = asyncio.run(measure(asked.engines, asked.rounds, clips, kept))
    print(f"machine: {machine()}, load {os.getloadavg()[0]:.1f}; engines {asked.engines}")
    print("\n".join(report(understood)))


if __name__ == "__main__":
    main()
