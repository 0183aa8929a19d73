"""Real phones for tests, and what can be told of the sound they hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from clients.phone.recording import RATE_HERTZ, Recording
from clients.phone.sip_phone import SipCall, SipPhones
from services.audio.pcm import Samples
from tests.integration.asterisk import free_port

PHONE_RTP_PORTS = (33000, 33499)


@asynccontextmanager
async def running_phones(codec: str = "pcmu") -> AsyncIterator[SipPhones]:
    """Phones on a free port. One stack a process, so one at a time."""
    async with SipPhones(
        sip_port=free_port(), rtp_first=PHONE_RTP_PORTS[0], rtp_last=PHONE_RTP_PORTS[1], codec=codec
    ) as phones:
        yield phones


def tone(hertz: float, seconds: float) -> Samples:
    """A sine of -12 dBFS at 8 kHz."""
    times = np.arange(int(seconds * RATE_HERTZ)) / RATE_HERTZ
    return (8000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def seconds_of_tone(heard: Recording, hertz: float, *, from_s: float = 0.0) -> float:
    """For how long a tone is the loudest thing heard, in seconds."""
    samples = heard.samples()[round(from_s * RATE_HERTZ) :].astype(np.float64)
    window = RATE_HERTZ // 25
    n = 0
    for start in range(0, len(samples) - window + 1, window):
        part = samples[start : start + window]
        if np.sqrt((part**2).mean()) < 500:
            continue
        spectrum = np.abs(np.fft.rfft(part * np.hanning(window), n=RATE_HERTZ))  # one bin a hertz
        n += abs(int(spectrum.argmax()) - hertz) <= 10
    return n * window / RATE_HERTZ


async def hear_tone(call: SipCall, hertz: float, *, seconds: float, limit_s: float = 5.0, from_s: float = 0.0) -> None:
    """Until so much of a tone has been heard since `from_s`."""
    async with asyncio.timeout(limit_s):
        while seconds_of_tone(call.heard, hertz, from_s=from_s) < seconds:
            await asyncio.sleep(0.05)
