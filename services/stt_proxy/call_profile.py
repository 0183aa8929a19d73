"""Profile of a call: the values that the first message of its stream fixes."""

from dataclasses import dataclass

from services.audio.pcm import AudioFormat
from services.stt_proxy.engine import Hints
from services.stt_proxy.utterance import Endpointing


@dataclass(frozen=True, slots=True)
class CallProfile:
    """The values that hold for the whole stream."""

    call_id: str
    audio_format: AudioFormat
    start_sample: int
    hints: Hints
    endpointing: Endpointing
    draft_pause_ms: int
    max_gap_ms: int
    max_utterance_s: int
    settle_limit_s: float
