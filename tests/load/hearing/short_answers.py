"""Lone short answers: "yes", "no" and the like in four languages, by several voices, each cut to 200 to 300 ms.

A call asks, the agent falls silent, and 0 to 300 ms later the answer comes: the line before it holds nothing that the
voice detector could warm up on. Speech that is longer than 300 ms is shortened by speaking faster, never by cutting.
"""

import grpc
import numpy as np
from voice.tts.v1 import tts_pb2_grpc

from tests.data.make_clips import RATE_HERTZ, Speaker, Voice, trim
from tests.load.hearing.recordings import Spoken
from tests.load.stack import ROOT, Service, run_stack

TTS_PORT = 50978
LONGEST_MS, SHORTEST_MS = 300, 200
RATES = (1.0, 1.2, 1.4, 1.6, 1.75)
ANSWERS = {
    "en-US": ("Yes.", "No."),
    "vi-VN": ("Vâng.", "Dạ.", "Ừ."),
    "ru-RU": ("Да.",),
    "zh-CN": ("对。",),
}
VOICES = {
    "en-US": ("", "espeak-en-us", "espeak-en-gb"),
    "vi-VN": ("", "espeak-vi-vn-x-south", "espeak-vi-vn-x-central"),
    "ru-RU": ("",),
    "zh-CN": ("",),
}
PITCHES = (1.0, 1.18, 0.88)


async def short_answers() -> list[Spoken]:
    """Each answer by each voice and pitch."""
    environment = {"TTS_PORT": str(TTS_PORT), "TTS_METRICS_PORT": "0", "TTS_PIPER_SEED": "20"}
    service = Service("tts", f"127.0.0.1:{TTS_PORT}", environment)
    made: list[Spoken] = []
    async with (
        run_stack([service], ROOT / "out" / "short-answers"),
        grpc.aio.insecure_channel(service.target) as channel,
    ):
        speaker = Speaker(tts_pb2_grpc.TtsServiceStub(channel))
        for language_code, texts in ANSWERS.items():
            for voice in VOICES[language_code]:
                for pitch in PITCHES:
                    for text in texts:
                        sound = await _short(speaker, voice, language_code, pitch, text)
                        made.append(Spoken(f"{text} {voice} {pitch}", text, language_code, sound))
    return made


async def _short(speaker: Speaker, voice: str, language_code: str, pitch: float, text: str) -> np.ndarray:
    """The answer in 200 to 300 ms, or as near as the voice comes."""
    best = None
    for rate in RATES:
        spoken = trim(await speaker.speak(Voice(voice, language_code, rate, pitch), text))
        length_ms = 1000 * len(spoken) / RATE_HERTZ
        if best is None or abs(length_ms - 250) < abs(1000 * len(best) / RATE_HERTZ - 250):
            best = spoken
        if SHORTEST_MS <= length_ms <= LONGEST_MS:
            break
    assert best is not None, "there is at least one rate"
    return best.astype(np.float64)
