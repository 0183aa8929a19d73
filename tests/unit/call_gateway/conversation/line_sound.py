"""The caller's line as sound, frame by frame, for conversations that listen to it."""

import numpy as np

from services.audio.pcm import TELEPHONE, encode
from services.call_gateway.conversation import events as ev
from services.call_gateway.line import CallerAudio
from tests.unit.call_gateway.conversation.driver import FRAME_MS, Call

FRAME = 160  # samples of 20 ms
LOUD = encode(TELEPHONE, (np.sin(np.arange(FRAME)) * 8000).astype(np.int16))
QUIET = TELEPHONE.silence(FRAME)


def talk(call: Call, heard: list[bytes]) -> None:
    """The line in both directions: each frame of the caller's comes as one of the agent's leaves."""
    call.is_clock_running = False
    for content in heard:
        start = call.sample()
        call.wait(FRAME_MS)
        call.tell(CallerAudio(start, content))
        call.tell(ev.SttProgressed(call.sample()))
