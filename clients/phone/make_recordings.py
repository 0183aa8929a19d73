"""Make what is recorded: the demo caller's questions, and the apology of the dialplan's fallback.

python -m clients.phone.make_recordings 127.0.0.1:50054             (a running TTS service)
python -m clients.phone.make_recordings 127.0.0.1:50054 remarks     (only what SCENARIO= needs)
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import grpc
import numpy as np
from voice.tts.v1 import tts_pb2, tts_pb2_grpc
from voice.type.v1 import audio_pb2

from clients.phone.booking import SAYINGS
from clients.phone.recording import RATE_HERTZ, write_wav
from services.audio.pcm import Samples

_HERE: Final = Path(__file__).parent
_SOUNDS: Final = _HERE.parents[1] / "deploy/asterisk/sounds"

QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "en-US": (
        "Hello, what are your opening hours?",
        "And how much is a cleaning?",
        "Thank you very much. Goodbye.",
    ),
    "vi-VN": (
        "Xin chào, phòng khám mở cửa lúc mấy giờ?",
        "Lấy cao răng bao nhiêu tiền?",
        "Cảm ơn. Tạm biệt.",
    ),
}
"""The questions of the demo caller, by language; file `questions/<language>-<n>.wav`."""

REMARKS: Final[dict[str, dict[str, str]]] = {
    "en-US": {
        "interruption": "Excuse me, how much is a cleaning?",
        "backchannel": "Uh-huh.",
        "pause": "I would like to | book a cleaning for Tuesday.",
    },
    "vi-VN": {
        "interruption": "Xin lỗi, lấy cao răng bao nhiêu tiền?",
        "backchannel": "Vâng.",
        "pause": "Tôi muốn | đặt lịch khám răng.",
    },
}
"""The other utterances of the scenarios; file `remarks/<language>-<name>.wav`. At `|` the caller pauses."""

INNER_PAUSE_MS: Final = 600

APOLOGIES: Final = {
    "en-US": "We are sorry. Nobody can take your call right now. Please call again later.",
    "vi-VN": "Rất tiếc, hiện không ai nghe máy được. Xin quý khách vui lòng gọi lại sau.",
}

_AUDIBLE: Final = 330  # -40 dBFS
_PAUSE: Final = np.zeros(RATE_HERTZ // 2, dtype=np.int16)


async def speak(target: str, language_code: str, text: str) -> Samples:
    """The text as 8 kHz samples."""
    audio_format = audio_pb2.AudioFormat(encoding=audio_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=RATE_HERTZ)

    async def requests() -> AsyncIterator[tts_pb2.StreamingSynthesizeRequest]:
        yield tts_pb2.StreamingSynthesizeRequest(
            config=tts_pb2.SynthesisConfig(
                language_codes=[language_code],
                audio_format=audio_format,
                max_lead_ms=0,
                fail_stream_on_turn_failure=True,
            )
        )
        yield tts_pb2.StreamingSynthesizeRequest(text=tts_pb2.TurnText(turn_id=1, text=text))

    async with grpc.aio.insecure_channel(target) as channel:
        responses = tts_pb2_grpc.TtsServiceStub(channel).StreamingSynthesize(requests(), timeout=60)
        content = b"".join([response.audio.chunk.content async for response in responses])
    return np.frombuffer(content, dtype="<i2")


async def speak_with_pauses(target: str, language_code: str, text: str) -> Samples:
    """The same with a pause of INNER_PAUSE_MS at each `|`, from the last sound before it to the first behind."""
    pause = np.zeros(RATE_HERTZ * INNER_PAUSE_MS // 1000, dtype=np.int16)
    parts = [_trimmed(await speak(target, language_code, part.strip())) for part in text.split("|")]
    return np.concatenate([part for spoken in parts for part in (pause, spoken)][1:])


def _trimmed(samples: Samples) -> Samples:
    """Without the silence around it."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _AUDIBLE)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


async def make_remarks(target: str) -> None:
    """Write what the scenarios say."""
    sayings = {code: {**remarks, **SAYINGS[code]} for code, remarks in REMARKS.items()}
    for language_code, remarks in sayings.items():
        for name, text in remarks.items():
            samples = await speak_with_pauses(target, language_code, text)
            write_wav(_HERE / f"remarks/{language_code}-{name}.wav", samples)


async def make(target: str) -> None:
    """Write every file."""
    await make_remarks(target)
    for language_code, texts in QUESTIONS.items():
        for n, text in enumerate(texts, start=1):
            write_wav(_HERE / f"questions/{language_code}-{n}.wav", await speak(target, language_code, text))
    parts = [await speak(target, language_code, text) for language_code, text in APOLOGIES.items()]
    write_wav(_SOUNDS / "unavailable.wav", np.concatenate([parts[0], _PAUSE, parts[1]]))


if __name__ == "__main__":
    asyncio.run(make_remarks(sys.argv[1]) if sys.argv[2:] == ["remarks"] else make(sys.argv[1]))
