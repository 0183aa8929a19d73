"""Client of the four services for asyncio: a call, speech, hearing and a conversation. docs/CLIENTS.md tells how."""

from clients.python.call import Call
from clients.python.connection import Connection, Options
from clients.python.conversation import Conversation
from clients.python.errors import (
    BadRequestError,
    CapacityError,
    GivenUpError,
    ServerError,
    TokenError,
    TongDaiError,
    UnavailableError,
)
from clients.python.recognition import Recognition
from clients.python.speech import Speech
from clients.python.stream import Stream
from clients.python.wav import Wav, WavError, read_wav, write_wav

__version__ = "1.2.0"
"""Of the protos that it is made for."""

__all__ = [
    "BadRequestError",
    "Call",
    "CapacityError",
    "Connection",
    "Conversation",
    "GivenUpError",
    "Options",
    "Recognition",
    "ServerError",
    "Speech",
    "Stream",
    "TokenError",
    "TongDaiError",
    "UnavailableError",
    "Wav",
    "WavError",
    "read_wav",
    "write_wav",
]
