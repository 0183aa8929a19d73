"""One recording through the STT service, and what came back: words, onsets and when."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from unicode_rbnf import RbnfEngine
from voice.stt.v1 import stt_pb2
from voice.type.v1 import audio_pb2

from services.audio.g711 import encode_mulaw
from services.language.words import normalise
from services.runtime.channels import ChannelSettings, open_channel
from tests.load.hearing.conditions import FRAME, RATE, Line, Sound, frame_levels, to_samples
from tests.load.hearing.recordings import Spoken
from tests.load.vietnamese import PATH, n_errors

LEAD_S, TAIL_S = 1.0, 1.2  # of the line without speech, in which the condition's noise goes on
ONSET_TOLERANCE_S = 0.25


@dataclass(frozen=True, slots=True)
class Result:
    """The recognition of a recording. Delays in seconds; None where nothing came, or the sound was not sent in real
    time.
    """

    text: str
    n_wrong: int
    n_words: int
    n_onsets: int
    n_false_onsets: int  # outside of the speech
    first_partial_s: float | None = None  # after the first sample of speech was sent
    draft_s: float | None = None  # after the last sample of speech was sent
    settled_s: float | None = None  # after utterance_end was sent


def spoken_words(text: str, language_code: str) -> list[str]:
    """The words as they are said: figures in words, signs gone; of a language without spaces each character."""
    words = []
    for word in normalise(text):
        words += _said(word, language_code.split("-", maxsplit=1)[0]).split() if word.isdecimal() else [word]
    return list("".join(words)) if language_code.startswith(("zh", "cmn")) else words


@lru_cache(maxsize=1024)
def _said(figures: str, language: str) -> str:
    try:
        said = RbnfEngine.for_language(language).format_number(int(figures)).text
    except (ValueError, KeyError):
        return figures
    return said.replace("-", " ")


def speech_range(sound: Sound) -> tuple[int, int]:
    """First sample of speech and first one after it, by level: within 35 dB of the loudest 20 ms."""
    loud = np.flatnonzero(frame_levels(sound) > frame_levels(sound).max() / 56)
    return int(loud[0]) * FRAME, (int(loud[-1]) + 1) * FRAME


def on_line(spoken: Spoken, others: Sequence[Sound], line: Line, seed: int) -> tuple[list[bytes | None], int, int]:
    """Packets of 20 ms of mu-law (None: lost), and where speech begins and ends, in samples of the stream."""
    first, last = speech_range(spoken.sound)
    lead, tail = np.zeros(int(LEAD_S * RATE)), np.zeros(int(TAIL_S * RATE))
    sound = line.apply(np.concatenate([lead, spoken.sound, tail]), others, seed)
    content = encode_mulaw(to_samples(sound[: len(sound) // FRAME * FRAME]))
    chance = np.random.default_rng(seed)
    packets = [content[at : at + FRAME] for at in range(0, len(content), FRAME)]
    lost = chance.random(len(packets)) < line.loss
    return (
        [None if is_lost else one for one, is_lost in zip(packets, lost, strict=True)],
        len(lead) + first,
        len(lead) + last,
    )


async def listen(
    target: str, spoken: Spoken, others: Sequence[Sound], line: Line, *, seed: int, realtime: bool
) -> Result:
    """One call with this recording on this line."""
    packets, first, last = on_line(spoken, others, line, seed)
    channel = open_channel(target, ChannelSettings())
    call = channel.stream_stream(
        PATH,
        request_serializer=stt_pb2.StreamingRecognizeRequest.SerializeToString,
        response_deserializer=stt_pb2.StreamingRecognizeResponse.FromString,
    )()
    audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_MULAW, sample_rate_hertz=RATE)
    config = stt_pb2.RecognitionConfig(
        call_id=spoken.name, language_codes=[spoken.language_code], audio_format=audio_format
    )
    await call.write(stt_pb2.StreamingRecognizeRequest(config=config))
    began = time.monotonic()
    texts: list[str] = []
    onsets: list[int] = []
    at: dict[str, float] = {}

    async def read() -> None:
        async for response in call:
            now = time.monotonic()
            match response.WhichOneof("response"):
                case "speech_activity" if response.speech_activity.kind == stt_pb2.SpeechActivity.KIND_BEGIN:
                    onsets.append(response.speech_activity.sample)
                case "transcript" if response.transcript.text:
                    at.setdefault("first", now)
                    if response.transcript.stage == stt_pb2.Transcript.STAGE_SETTLED:
                        texts.append(response.transcript.text)
                        at["settled"] = now
                    elif (
                        response.transcript.stage == stt_pb2.Transcript.STAGE_DRAFT
                        and response.transcript.end_sample > last - RATE // 2
                    ):
                        at.setdefault("draft", now)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        for number, packet in enumerate(packets):
            if realtime:
                await asyncio.sleep(max(0.0, began + number * FRAME / RATE - time.monotonic()))
            if packet is not None:
                chunk = audio_pb2.AudioChunk(start_sample=number * FRAME, content=packet)
                await call.write(stt_pb2.StreamingRecognizeRequest(audio=chunk))
        ended = time.monotonic()
        end = stt_pb2.UtteranceEnd(end_sample=len(packets) * FRAME)
        await call.write(stt_pb2.StreamingRecognizeRequest(utterance_end=end))
        await call.done_writing()
    await channel.close(grace=None)
    wanted = spoken_words(spoken.text, spoken.language_code)
    heard = spoken_words(" ".join(texts), spoken.language_code)
    tolerance = ONSET_TOLERANCE_S * RATE
    n_false = sum(not first - tolerance <= one <= last for one in onsets)
    delays: tuple[float | None, float | None, float | None] = (None, None, None)
    if realtime:
        delays = (
            _since(at.get("first"), began + first / RATE), _since(at.get("draft"), began + last / RATE),
            _since(at.get("settled"), ended),
        )  # fmt: skip
    return Result(" ".join(texts), n_errors(wanted, heard), len(wanted), len(onsets), n_false, *delays)


def _since(when: float | None, start: float) -> float | None:
    return None if when is None else max(0.0, when - start)
