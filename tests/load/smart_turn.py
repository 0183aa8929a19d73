"""The voice's evidence on the end of a turn, alone and beside the words: Smart Turn on telephone sound.

    python -m deploy.fetch_models smart-turn
    python -m tests.load.smart_turn [--model path/to/another.onnx] [--part development] [--most 160]

Each sentence of the labelled set is spoken up to each `|` with a comma there, and once as a whole, by one voice of the
TTS service, so that the melody at a pause is one that goes on; it goes through G.711 and is judged 64 ms after the last
sample of speech, as a call's draft is. `human` judges Asterisk's English speaker instead: the pauses of 160 ms and more
inside a prompt against its end, without words. The tables are those of `tests.load.end_of_turn`: shares of turns cut
off with their intervals, the waits, and what livekit's eot-bench counts.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import grpc
import numpy as np
from voice.tts.v1 import tts_pb2_grpc

from services.audio.g711 import decode_mulaw, encode_mulaw
from services.audio.pcm import Samples
from services.stt_proxy.end_of_turn import predictor as members
from services.stt_proxy.end_of_turn import wait_curve
from services.stt_proxy.end_of_turn.countable import counted
from services.stt_proxy.end_of_turn.evidence import Doubt, Evidence
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.predictor import EvidenceMember, Predictor, SumOfLogOdds
from services.stt_proxy.end_of_turn.smart_turn import SmartTurn
from services.stt_proxy.engine import Span, Speech
from services.stt_proxy.phrasebook import phrasebook_of
from services.stt_proxy.recording import Clip
from services.stt_proxy.settings import SttSettings
from tests.data.make_clips import RATE_HERTZ, Speaker, Voice
from tests.load import end_of_turn as texts
from tests.load.end_of_turn import COMMON, Even, Pause
from tests.load.hearing import recordings
from tests.load.hearing.conditions import frame_levels, to_samples
from tests.load.stack import ROOT, Service, run_stack

TTS_PORT = 50976
LEAD_S, PAUSE_S = 0.3, 0.064  # of silence before and behind what is judged
GAP_FRAMES, GAP_SHARE = 8, 0.03  # of 20 ms: a pause inside a prompt, and what is silence beside its loudest frame
VOICES = {"en": Voice("", "en-US"), "vi": Voice("", "vi-VN")}
SHARES = (0.25, 0.5, 1.0)  # of the voice's own log odds, added to those of the words
EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Weighed:
    """The voice as a member whose log odds count by a share."""

    share: float

    def log_odds(self, evidence: Evidence) -> float:
        said = evidence.doubt.sounds_over
        return 0.0 if said is None else self.share * wait_curve.log_odds(said)


WORDS: tuple[EvidenceMember, ...] = (members.Words(), members.SentencePatterns(), *COMMON)
PREDICTORS: dict[str, Predictor] = {
    "words (as served)": SumOfLogOdds(WORDS),
    "voice alone": SumOfLogOdds((Weighed(1.0),)),
    "words, voice below 0.3 (as served with it)": SumOfLogOdds((*WORDS, members.Voice())),
    **{f"words, {share:g} of the voice": SumOfLogOdds((*WORDS, Weighed(share))) for share in SHARES},
    "nothing": SumOfLogOdds((Even(),)),
}


def on_line(sound: Samples) -> Speech:
    """The sound with silence around it, through G.711."""
    lead, tail = (np.zeros(int(seconds * RATE_HERTZ), dtype=np.int16) for seconds in (LEAD_S, PAUSE_S))
    heard = decode_mulaw(encode_mulaw(np.concatenate([lead, sound, tail])))
    return Speech(1, 1, (Span(len(lead), len(lead) + len(sound)),), (Clip(0, heard),), RATE_HERTZ)


async def probability(model: SmartTurn, speech: Speech, took_ms: list[float]) -> float:
    """Return how likely the turn is over by its sound."""
    answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    began = time.perf_counter()
    model.judge(speech, answered.set_result)
    found = await asyncio.wait_for(answered, 60)
    took_ms.append(1000 * (time.perf_counter() - began))
    return found


async def spoken(model: SmartTurn, listed: Sequence[tuple[str, str]], took_ms: list[float]) -> list[list[float]]:
    """The probabilities of each sentence: at its pauses and, last, at its end."""
    tts = Service("tts", f"127.0.0.1:{TTS_PORT}", {
        "TTS_PORT": str(TTS_PORT), "TTS_METRICS_PORT": "0", "TTS_PIPER_SEED": "20",
    })  # fmt: skip
    found = []
    async with run_stack([tts], ROOT / "out" / "smart-turn"), grpc.aio.insecure_channel(tts.target) as channel:
        speaker = Speaker(tts_pb2_grpc.TtsServiceStub(channel))
        for language, sentence in listed:
            parts = [part.strip() for part in sentence.split("|")]
            said = [f"{', '.join(parts[:n])}," for n in range(1, len(parts))] + [", ".join(parts)]
            sounds = [await speaker.speak(VOICES[language], text) for text in said]
            found.append([await probability(model, on_line(sound), took_ms) for sound in sounds])
    return found


def judged(language: str, sentence: str, voices: Sequence[float], predictor: Predictor) -> list[Pause]:
    """The pauses of a sentence and its end, by words and voice."""
    parts = [part.strip() for part in sentence.split("|")]
    found = []
    for n_parts, sounds_over in enumerate(voices, 1):
        evidence = Evidence(" ".join(parts[:n_parts]), phrasebook_of(language))
        heard = replace(evidence, doubt=Doubt(sounds_over=sounds_over))
        is_counted = counted(evidence) is not None
        odds = wait_curve.log_odds(predictor.probability(heard))
        found.append(Pause(judge(heard, texts.WAITS, predictor).wait_ms, None if is_counted else odds))
    return found


def area(ends: Sequence[float], pauses: Sequence[float]) -> float:
    """Under the curve of hits over false alarms: how often an end scores above a pause."""
    high, low = np.array(ends)[:, None], np.array(pauses)[None, :]
    return float((high > low).mean() + 0.5 * (high == low).mean())


def show_voice(ends: Sequence[float], pauses: Sequence[float]) -> None:
    """Show what the voice alone tells apart."""
    right = sum(one > EVEN for one in ends) + sum(one <= EVEN for one in pauses)
    print(
        f"voice alone: {len(ends)} ends, {len(pauses)} pauses; area under the curve {area(ends, pauses):.3f}; "
        f"right at 0.5: {100 * right / (len(ends) + len(pauses)):.1f} %, "
        f"ends {100 * np.mean([one > EVEN for one in ends]):.0f} %, "
        f"pauses {100 * np.mean([one <= EVEN for one in pauses]):.0f} %"
    )


def cuts(sound: Samples) -> Iterator[int]:
    """Yield where speech stops for a pause inside a recording, in samples."""
    levels = frame_levels(sound.astype(np.float64))
    is_silent = levels < GAP_SHARE * levels.max()
    voiced = np.flatnonzero(~is_silent)
    for last, following in pairwise(voiced):
        if following - last > GAP_FRAMES:
            yield int(last + 1) * (RATE_HERTZ // 50)


async def human(model: SmartTurn, most: int, took_ms: list[float]) -> None:
    """Asterisk's English speaker."""
    ends, pauses = [], []
    for one in recordings.spread_over(recordings.prompts("en-US"), most):
        sound = to_samples(one.sound)
        voiced = np.flatnonzero(frame_levels(one.sound) > GAP_SHARE * frame_levels(one.sound).max())
        end = int(voiced[-1] + 1) * (RATE_HERTZ // 50)
        ends.append(await probability(model, on_line(sound[:end]), took_ms))
        pauses += [await probability(model, on_line(sound[:cut]), took_ms) for cut in cuts(sound[:end])]
    show_voice(ends, pauses)


async def run(asked: argparse.Namespace) -> None:
    model = SmartTurn(SttSettings(end_of_turn="smart_turn", end_of_turn_model=asked.model))
    await model.load()
    took_ms: list[float] = []
    if asked.part == "human":
        await human(model, asked.most, took_ms)
    else:
        listed = recordings.spread_over(list(texts.sentences(asked.part.split(","))), asked.most)
        voices = await spoken(model, listed, took_ms)
        show_voice([one[-1] for one in voices], [each for one in voices for each in one[:-1]])
        show_turns(listed, voices)
    await model.close()
    print(f"\na judgement took {median(took_ms):.0f} ms p50, {np.percentile(took_ms, 95):.0f} ms p95")


def show_turns(listed: Sequence[tuple[str, str]], voices: Sequence[Sequence[float]]) -> None:
    """The table of turns, and eot-bench's measures."""
    print("\n| members | cut off, % | beside words alone | wait p50 / p95 | as eot-bench counts |")
    print("|---|---:|---:|---:|---|")
    base = None
    for name, predictor in PREDICTORS.items():
        turns = [judged(*one, voice, predictor) for one, voice in zip(listed, voices, strict=True)]
        cut, waits = texts.outcomes(turns, lambda pause: pause.wait_ms)
        base = cut if base is None else base
        figures = f"{np.median(waits):.0f} / {np.percentile(waits, 95):.0f}"
        shares = f"{texts.interval(cut)} | {texts.interval(cut - base)}"
        print(f"| {name} | {shares} | {figures} | {texts.eot_measures(turns)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="another network of its shape; none: the one fetched")
    parser.add_argument("--part", default="development", help="parts of the set, separated by commas; or human")
    parser.add_argument("--most", type=int, default=1000, help="sentences or prompts, taken evenly")
    asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
