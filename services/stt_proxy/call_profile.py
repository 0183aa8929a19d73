"""What the first message of a stream fixes for a call."""

from dataclasses import dataclass

from services.audio.pcm import AudioFormat
from services.stt_proxy.engine import Hints
from services.stt_proxy.utterance import Endpointing


@dataclass(frozen=True, slots=True)
class CallProfile:
    """What is fixed for the stream."""

    call_id: str
    audio_format: AudioFormat
    start_sample: int
    hints: Hints
    endpointing: Endpointing
    draft_pause_ms: int
    max_gap_ms: int
    max_utterance_s: int
    settle_limit_s: float
