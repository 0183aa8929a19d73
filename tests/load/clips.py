"""Recorded speech with labels: where each clip's speech begins, pauses and ends, to the sample."""

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.audio.g711 import encode_mulaw
from tests.load.wire import FRAME_SAMPLES

CLIPS_DIR = Path(__file__).parents[1] / "data" / "clips"


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance at 8 kHz. Samples count from the clip's first."""

    name: str
    text: str  # with `|` where a pause lies
    language_code: str
    kind: str  # "plain", "pause", "unfinished", "interruption", "backchannel", "cough"
    frames: tuple[bytes, ...]  # mu-law, 20 ms each
    speech_start_sample: int
    speech_end_sample: int  # first sample after the last word
    pauses: tuple[tuple[int, int], ...]  # inner silences of 300 ms or more

    @property
    def end_frame(self) -> int:
        """The frame that carries the last speech sample."""
        return (self.speech_end_sample - 1) // FRAME_SAMPLES

    @property
    def start_frame(self) -> int:
        """The frame that carries the first speech sample."""
        return self.speech_start_sample // FRAME_SAMPLES


def _frames(path: Path) -> tuple[bytes, ...]:
    with wave.open(str(path)) as recording:
        if (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) != (8000, 1, 2):
            raise ValueError(f"{path} is not 8 kHz mono 16-bit; make the clips again with tests/data/make_clips.py")
        samples = np.frombuffer(recording.readframes(recording.getnframes()), dtype=np.int16)
    content = encode_mulaw(np.pad(samples, (0, -len(samples) % FRAME_SAMPLES)))
    return tuple(content[at : at + FRAME_SAMPLES] for at in range(0, len(content), FRAME_SAMPLES))


def load_clips(directory: Path = CLIPS_DIR) -> list[Clip]:
    """Every labelled clip of a directory, in the order of its label file."""
    labels = json.loads((directory / "labels.json").read_text(encoding="utf-8"))
    return [
        Clip(
            name=label["file"].removesuffix(".wav"),
            text=label["text"],
            language_code=label["language_code"],
            kind=label["kind"],
            frames=_frames(directory / label["file"]),
            speech_start_sample=label["speech_start_sample"],
            speech_end_sample=label["speech_end_sample"],
            pauses=tuple((begin, end) for begin, end in label["pauses"]),
        )
        for label in labels
    ]
