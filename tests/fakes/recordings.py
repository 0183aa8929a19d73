"""Recordings of a voice for tests, spoken by espeak-ng: WAV files with 16-bit PCM at 22050 Hz."""

import io
import wave
from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.tts.espeak.process import EspeakProcess

RATE_HERTZ = 22050
SENTENCES = (
    "The ferry to the island leaves every morning at half past seven from the old harbour.",
    "My grandmother kept bees behind the house, and we had honey for breakfast all summer.",
    "Please leave the parcel with the neighbours if nobody opens the door in the afternoon.",
    "It rained for three days, so the river is much higher than it was last week.",
)


@cache
def spoken(text: str, *, voice: str = "en-us", pitch: float = 0.0) -> NDArray[np.int16]:
    """A sentence at about half of full scale."""
    process = EspeakProcess(None, None)
    process.start()
    try:
        samples, _ = process.speak(text, voice=voice, rate=1.0, pitch=pitch)
    finally:
        process.close()
    scaled = samples.astype(np.float64) * (16000 / max(1, int(np.abs(samples.astype(np.int32)).max())))
    quiet = np.zeros(RATE_HERTZ // 5)
    return np.rint(np.concatenate((quiet, scaled, quiet))).astype(np.int16)


def wav(samples: NDArray[np.int16], *, rate_hertz: int = RATE_HERTZ, channels: int = 1) -> bytes:
    """A WAV file; each channel gets the same."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hertz)
        file.writeframes(np.repeat(samples.astype("<i2"), channels).tobytes())
    return buffer.getvalue()


def recordings(number: int = 3, *, pitch: float = 0.0) -> list[bytes]:
    """So many recordings of one voice, of different sentences."""
    return [wav(spoken(text, pitch=pitch)) for text in SENTENCES[:number]]
