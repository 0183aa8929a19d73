"""Plays labelled clips to an STT server as callers would and keeps what it said, each word with the moment it came.

Moments are samples of the caller's clock: how much had been sent when the word arrived. So a recording can be judged
afterwards with other waits, as often as one likes.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import grpc
from voice.stt.v1 import stt_pb2, stt_pb2_grpc
from voice.type.v1 import audio_pb2

from tests.load.clips import Clip, load_clips

FRAME_SAMPLES = 160
FRAME_S = 0.02
LEAD_FRAMES = slice(1, 9)  # of a clip: the line's own noise
TAIL_FRAMES = 50  # one second behind the clip
HOLD_SAMPLES = 16000  # between two clips; on hold, which is no silence
SETTLE_LIMIT_S = 15.0
CLIPS_A_CALL = 9

Said = dict[str, Any]  # one message of the server: "kind", "at" (samples sent when it came), and its own figures


@dataclass(frozen=True, slots=True)
class Item:
    """A clip with what its label says beyond it."""

    number: int  # in the set, from 1
    clip: Clip
    part: str
    voice: str
    noise_db: int


@dataclass(slots=True)
class Heard:
    """The server's responses for one clip."""

    item: Item
    start_sample: int  # where the clip began on the call's clock
    sent_sample: int = 0  # where its sound ended, the noise behind it included
    said: list[Said] = field(default_factory=list)
    settled_text: str = ""


def load_items(directory: Path) -> list[Item]:
    """The set in its order."""
    labels = json.loads((directory / "labels.json").read_text(encoding="utf-8"))
    return [
        Item(int(label["file"].split("-")[0]) + 1, clip, label["part"], label["voice"], label["noise_db"])
        for clip, label in zip(load_clips(directory), labels, strict=True)
    ]


def calls_of(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Calls of one voice each, some clips long."""
    for _, group in groupby(items, key=lambda item: (item.part, item.voice, item.clip.language_code)):
        clips = list(group)
        for at in range(0, len(clips), CLIPS_A_CALL):
            yield clips[at : at + CLIPS_A_CALL]


class _Caller:
    """One call: says its clips one after the other, each answered before the next."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._sent = 0
        self._is_settled = asyncio.Event()
        self.heard: list[Heard] = []

    async def call(self, stub: "stt_pb2_grpc.SttServiceAsyncStub") -> None:
        async for response in stub.StreamingRecognize(self._speak()):
            self._keep(response)

    async def _speak(self) -> AsyncIterator[stt_pb2.StreamingRecognizeRequest]:
        yield stt_pb2.StreamingRecognizeRequest(
            config=stt_pb2.RecognitionConfig(
                call_id=f"endpointing#{self._items[0].number}",
                language_codes=[self._items[0].clip.language_code],
                audio_format=audio_pb2.AudioFormat(
                    encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=8000
                ),
            )
        )  # fmt: skip
        for item in self._items:
            self._is_settled.clear()
            self.heard.append(Heard(item, self._sent))
            noise = item.clip.frames[LEAD_FRAMES]
            frames = [*item.clip.frames, *(noise[index % len(noise)] for index in range(TAIL_FRAMES))]
            due_s = time.monotonic()
            for frame in frames:
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                due_s += FRAME_S
                yield stt_pb2.StreamingRecognizeRequest(
                    audio=audio_pb2.AudioChunk(content=frame, start_sample=self._sent)
                )
                self._sent += FRAME_SAMPLES
            self.heard[-1].sent_sample = self._sent
            yield stt_pb2.StreamingRecognizeRequest(utterance_end=stt_pb2.UtteranceEnd(end_sample=self._sent))
            with suppress(TimeoutError):  # then its text stays empty, and the report says so
                await asyncio.wait_for(self._is_settled.wait(), SETTLE_LIMIT_S)
            yield stt_pb2.StreamingRecognizeRequest(
                media_idle=stt_pb2.MediaIdle(
                    from_sample=self._sent,
                    to_sample=self._sent + HOLD_SAMPLES,
                    reason=stt_pb2.MediaIdle.REASON_HOLD,
                )
            )
            self._sent += HOLD_SAMPLES

    def _keep(self, response: stt_pb2.StreamingRecognizeResponse) -> None:
        if response.HasField("utterance_settled"):
            self._is_settled.set()
        elif (said := _said(response, self._sent)) is not None and self.heard:
            self.heard[-1].said.append(said)
            if said["kind"] == "text" and said["stage"] == stt_pb2.Transcript.STAGE_SETTLED:
                self.heard[-1].settled_text = said["text"]


def _said(response: stt_pb2.StreamingRecognizeResponse, at: int) -> Said | None:
    match response.WhichOneof("response"):
        case "speech_activity":
            activity = response.speech_activity
            kind = "begin" if activity.kind == stt_pb2.SpeechActivity.KIND_BEGIN else "end"
            return {"kind": kind, "at": at, "sample": activity.sample, "score": round(activity.score, 3)}
        case "transcript":
            text = response.transcript
            return {
                "kind": "text", "at": at, "stage": text.stage, "text": text.text, "start": text.start_sample,
                "end": text.end_sample, "language": text.language_code,
                "confidence": round(text.confidence, 3) if text.HasField("confidence") else None,
            }  # fmt: skip
        case "turn_prediction":
            seen = response.turn_prediction
            return {
                "kind": "prediction", "at": at, "end": seen.end_sample, "wait_ms": seen.wait_ms,
                "reason": seen.reason, "probability": round(seen.probability, 3),
            }  # fmt: skip
        case "progress":
            return {"kind": "progress", "at": at, "sample": response.progress.processed_sample}
    return None


async def features_of(target: str) -> list[str]:
    """Return what the server's engine says it can do."""
    async with grpc.aio.insecure_channel(target) as channel:
        described = await stt_pb2_grpc.SttServiceStub(channel).DescribeEngine(stt_pb2.DescribeEngineRequest())
        return list(described.engine.features)


async def record(items: Sequence[Item], target: str, *, streams: int) -> list[list[Heard]]:
    """Play every clip in real time, `streams` calls at once; what was heard, call by call."""
    callers = [_Caller(call) for call in calls_of(items)]
    room = asyncio.Semaphore(streams)
    async with grpc.aio.insecure_channel(target) as channel:
        stub = stt_pb2_grpc.SttServiceStub(channel)

        async def place(caller: _Caller) -> None:
            async with room:
                await caller.call(stub)

        async with asyncio.TaskGroup() as tasks:
            for caller in callers:
                tasks.create_task(place(caller))
    return [caller.heard for caller in callers]


def save(calls: Sequence[Sequence[Heard]], path: Path, facts: dict[str, Any]) -> None:
    """Keep a recording."""
    kept = [
        [
            {
                "number": heard.item.number, "start_sample": heard.start_sample, "sent_sample": heard.sent_sample,
                "settled_text": heard.settled_text, "said": heard.said,
            }
            for heard in call
        ]
        for call in calls
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**facts, "calls": kept}, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path, items: Sequence[Item]) -> tuple[list[list[Heard]], dict[str, Any]]:
    """Read a recording of the same set."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    by_number = {item.number: item for item in items}
    calls = [
        [
            Heard(
                by_number[one["number"]], one["start_sample"], one["sent_sample"], one["said"], one["settled_text"]
            )
            for one in call
        ]
        for call in facts.pop("calls")
    ]  # fmt: skip
    return calls, facts
