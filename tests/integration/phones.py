"""Real phones for tests, and what can be told of the sound they hear."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np

from clients.phone.recording import RATE_HERTZ, Recording
from clients.phone.sip_phone import SipCall, SipPhones
from services.audio.pcm import Samples

PHONE_RTP_PORTS = (33000, 33499)
PHONE_SIP_PORTS = range(21000, 22000, 2)  # below those the kernel gives to whoever connects


def _free_sip_port() -> int:
    """A free port whose next port, which the phone takes for TLS, is free too."""
    for port in random.sample(PHONE_SIP_PORTS, len(PHONE_SIP_PORTS)):
        with socket.socket() as sip, socket.socket() as tls, suppress(OSError):
            sip.bind(("127.0.0.1", port))
            tls.bind(("127.0.0.1", port + 1))
            return port
    raise OSError(f"no two free ports in {PHONE_SIP_PORTS}")


@asynccontextmanager
async def running_phones(codec: str = "pcmu") -> AsyncIterator[SipPhones]:
    """Phones on a free port. One stack a process, so one at a time."""
    async with SipPhones(
        sip_port=_free_sip_port(), rtp_first=PHONE_RTP_PORTS[0], rtp_last=PHONE_RTP_PORTS[1], codec=codec
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
    """Wait until so much of a tone has been heard since `from_s`."""
    async with asyncio.timeout(limit_s):
        while seconds_of_tone(call.heard, hertz, from_s=from_s) < seconds:
            await asyncio.sleep(0.05)
