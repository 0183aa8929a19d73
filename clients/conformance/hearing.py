"""A caller's sound, and what an STT stream made of it."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from voice.stt.v1.stt_pb2 import SpeechActivity, Transcript

from clients.conformance.streams import Stream, kind_of
from services.audio.pcm import AudioFormat, Encoding, Samples, decode, encode

EXAMPLE = Path(__file__).parents[2] / "clients" / "grpcurl" / "stt.jsonl"
RATE = 8000
SILENCE = b"\xff"  # mu-law
CHUNK = 160  # 20 ms
KEYPAD = ("123A", "456B", "789C", "*0#D")
KEY_ROWS_HERTZ, KEY_COLUMNS_HERTZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
AUDIBLE = 500  # of 32768: -36 dBFS
EDGE_TOLERANCE = RATE // 4  # of a detector's edge, against where the speaker's sound begins and ends
BEGIN, END = SpeechActivity.KIND_BEGIN, SpeechActivity.KIND_END


def example() -> bytes:
    """The documented example's sound: 8 kHz mu-law, "I would like to make an appointment, please."."""
    lines = [json.loads(line) for line in EXAMPLE.read_text(encoding="utf-8").splitlines()]
    return b"".join(base64.b64decode(line["audio"]["content"]) for line in lines if "audio" in line)


def example_samples() -> Samples:
    """The same as int16 at 8 kHz."""
    return decode(AudioFormat(Encoding.MULAW, RATE), example())


def _audible() -> tuple[int, int]:
    places = np.flatnonzero(np.abs(example_samples().astype(np.int32)) > AUDIBLE)
    return int(places[0]), int(places[-1]) + 1


SPEECH_START, SPEECH_END = _audible()
"""Begin and end of the example's speech: half a second of silence before, more than a second after."""


def pressed(keys: str) -> bytes:
    """Keys as they sound (ITU-T Q.23), 100 ms each and 100 ms apart, between silences; mu-law."""
    at = np.arange(RATE // 10) / RATE
    gap = np.zeros(RATE // 10)
    parts = [np.zeros(RATE // 2)]
    for key in keys:
        row = next(number for number, row in enumerate(KEYPAD) if key in row)
        tones = (KEY_ROWS_HERTZ[row], KEY_COLUMNS_HERTZ[KEYPAD[row].index(key)])
        parts += [sum((4000 * np.sin(2 * np.pi * hertz * at) for hertz in tones), np.zeros(len(at))), gap]
    sound = np.concatenate([*parts, np.zeros(RATE)]).astype(np.int16)
    return encode(AudioFormat(Encoding.MULAW, RATE), sound)


async def play(stream: Stream, sound: bytes, start_sample: int = 0, *, chunk: int = CHUNK) -> int:
    """Send mu-law sound as fast as it goes. Returns the first sample after it."""
    for offset in range(0, len(sound), chunk):
        content = sound[offset : offset + chunk]
        await stream.send(audio={"start_sample": start_sample + offset, "content": content})
    return start_sample + len(sound)


async def settle(stream: Stream, end_sample: int) -> Any:
    """End the utterance and wait until it is settled."""
    await stream.send(utterance_end={"end_sample": end_sample})
    response = await stream.until(
        lambda one: kind_of(one) == "utterance_settled" and one.utterance_settled.end_sample == end_sample
    )
    return response.utterance_settled


def transcripts(stream: Stream, stage: "Transcript.Stage.ValueType | None" = None) -> list[Any]:
    """The transcripts heard so far, of one stage or of all."""
    found = [one.transcript for one in stream.heard if kind_of(one) == "transcript"]
    return [one for one in found if stage is None or one.stage == stage]


def activities(stream: Stream) -> list[Any]:
    """The edges of speech heard so far."""
    return [one.speech_activity for one in stream.heard if kind_of(one) == "speech_activity"]


def progress(stream: Stream) -> list[int]:
    """Return how far the engine has listened, as it said."""
    return [one.progress.processed_sample for one in stream.heard if kind_of(one) == "progress"]


def evidence(stream: Stream, *, has_words: bool = True) -> list[tuple[object, ...]]:
    """Return what was said of the caller, without what depends on the clock of the server.

    `has_words` is false where the sound is in no language of the server's: of such sound an engine may make other words
    with every way of cutting it.
    """
    found: list[tuple[object, ...]] = []
    for one in stream.heard:
        kind = kind_of(one)
        if kind == "speech_activity":
            found.append((kind, one.speech_activity.kind, one.speech_activity.sample))
        elif kind == "transcript" and one.transcript.stage == Transcript.STAGE_SETTLED:
            found.append(
                (kind, one.transcript.utterance_id, one.transcript.text if has_words else "", one.transcript.end_sample)
            )
        elif kind == "utterance_settled":
            settled = one.utterance_settled
            found.append((kind, settled.utterance_id, settled.end_sample, settled.outcome))
    return found
