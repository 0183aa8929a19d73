"""Makes the data files of `make load`: `python -m deploy.load.make_data [question.wav]`.

Each file is one stream: a JSON array of request messages, which ghz sends as it is. The caller's audio is a recorded
question (8 kHz, 16 bit, mono) as mu-law in 20 ms chunks, between two stretches of digital silence.
"""

import base64
import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np

from services.audio.g711 import MULAW_SILENCE, encode_mulaw

_HERE = Path(__file__).parent
_QUESTION = _HERE.parents[1] / "clients" / "phone" / "questions" / "en-US-1.wav"
_CHUNK_SAMPLES = 160
_MULAW = {"encoding": "AUDIO_ENCODING_MULAW", "sample_rate_hertz": 8000}


def caller_audio(question: bytes, *, before_ms: int, after_ms: int) -> list[dict[str, Any]]:
    """Requests that carry `question` (mu-law) between silences, in 20 ms chunks."""
    silence = bytes([MULAW_SILENCE])
    content = silence * (8 * before_ms) + question + silence * (8 * after_ms)
    content += silence * (-len(content) % _CHUNK_SAMPLES)
    return [
        {
            "audio": {
                "start_sample": start,
                "content": base64.b64encode(content[start : start + _CHUNK_SAMPLES]).decode(),
            }
        }
        for start in range(0, len(content), _CHUNK_SAMPLES)
    ]


def make_data(question: bytes) -> dict[str, list[dict[str, Any]]]:
    """The requests of one stream, by stage."""
    heard = caller_audio(question, before_ms=200, after_ms=600)
    end_sample = _CHUNK_SAMPLES * len(heard)
    return {
        "stt": [
            {"config": {"language_codes": ["en-US"], "audio_format": _MULAW, "fail_stream_on_turn_failure": True}},
            *heard,
            {"utterance_end": {"end_sample": end_sample}},
        ],
        "nlu": [
            {"config": {"language_codes": ["en-US"], "fail_stream_on_turn_failure": True}},
            {"user_turn": {"turn_id": 1, "text": "What are your opening hours?"}},
        ],
        "tts": [
            {
                "config": {
                    "language_codes": ["en-US"],
                    "audio_format": _MULAW,
                    "max_lead_ms": 0,
                    "fail_stream_on_turn_failure": True,
                }
            },
            {"text": {"turn_id": 1, "text": "We are open on weekdays. "}},
            {"text": {"turn_id": 1, "text": "Would you like to make an appointment?"}},
            {"text_end": {"turn_id": 1}},
        ],
        "gateway": [
            {"config": {"language_codes": ["en-US"], "audio_format": _MULAW, "fail_stream_on_turn_failure": True}},
            *caller_audio(question, before_ms=5000, after_ms=1500),
        ],
    }


def read_question(path: Path) -> bytes:
    """A WAV of 8 kHz, 16 bit, mono as mu-law, without the near-silence around the words."""
    with wave.open(str(path), "rb") as recording:
        if (recording.getframerate(), recording.getsampwidth(), recording.getnchannels()) != (8000, 2, 1):
            raise SystemExit(f"{path}: must be 8 kHz, 16 bit, mono")
        samples = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > np.abs(samples.astype(np.int32)).max() // 50)
    return encode_mulaw(samples[loud[0] : loud[-1] + 1])


def main() -> None:
    question = read_question(Path(sys.argv[1]) if len(sys.argv) > 1 else _QUESTION)
    for stage, requests in make_data(question).items():
        lines = ",\n".join(json.dumps(request) for request in requests)
        (_HERE / f"{stage}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
