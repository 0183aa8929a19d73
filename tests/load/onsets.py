"""The delay of the detector's onsets, with and without the common level: `python -m tests.load.onsets`.

Labelled clips (the bench's, and `--set endpointing` where it was made) are put behind two seconds of line at several
levels and through G.711, as calls of their own; the network, the gate and the rest on a quiet line work as in a call.
Told is when the window ended with which the onset was told, begins is the sample that it names, both after the true
beginning of the words, in ms of sound: nothing here depends on the machine. A false onset lies before the words.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.audio.g711 import decode_mulaw, encode_mulaw
from services.audio.pcm import Samples
from services.runtime.models import model_dir
from services.stt_proxy.detector_level import WINDOW_SAMPLES, DetectorLevel
from services.stt_proxy.engine import Hints
from services.stt_proxy.quiet_line import QuietLine
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.speech_gate import GateThresholds, SpeechBegan, SpeechGate
from services.stt_proxy.voice_activity import SileroNetwork
from tests.load.clips import CLIPS_DIR, Clip, load_clips
from tests.load.hearing.recordings import spread_over
from tests.load.report import OUT_DIR, percentile

RATE = 8000
LEAD_S = 2.0
PEAKS_DBFS = (-6, -20, -33, -45)
LINES = {"silent line": 0.0, "noise at -64 dBFS": 20.0}
EARLY_MS = 100  # an onset so far before the words, or farther, is a false one


@dataclass(frozen=True, slots=True)
class Onset:
    """The onset of a clip; None where nothing was told."""

    told_ms: float | None
    begins_ms: float | None
    n_false: int


def network() -> SileroNetwork:
    settings = SttSettings(_env_file=None)
    return SileroNetwork(model_dir(settings.models_dir, settings.vad_model) / "silero_vad.onnx", n_slots=1)


def on_line(clip: Clip, peak_dbfs: float, noise_rms: float, seed: int) -> tuple[Samples, int]:
    """The clip from its first word on, behind a line without speech; and where the words begin."""
    words = decode_mulaw(b"".join(clip.frames)).astype(np.float64)[clip.speech_start_sample :]
    lead = int(LEAD_S * RATE)
    whole = np.concatenate([np.zeros(lead), words * (32768 * 10 ** (peak_dbfs / 20) / np.abs(words).max())])
    whole += np.random.default_rng(seed).normal(0, noise_rms, len(whole))
    return decode_mulaw(encode_mulaw(np.clip(whole, -32768, 32767).astype(np.int16))), lead


def onset_of(detector: SileroNetwork, sound: Samples, first: int, *, has_level: bool) -> Onset:
    """The first onset that is told of the words, whose first sample is `first`."""
    level, quiet, hints = DetectorLevel(), QuietLine(), Hints()
    gate = SpeechGate(pause_samples=512, thresholds=GateThresholds())
    n_false = 0
    for at in range(0, len(sound) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        window, end, score = sound[at : at + WINDOW_SAMPLES], at + WINDOW_SAMPLES, 0.0
        if not quiet.observe(window, is_fresh=at == 0) or gate.is_open:
            brought = level.bring(window, hints) if has_level else window
            score = float(detector.score([0], [0] if at == 0 else [], [brought])[0])
        quiet.note(score)
        if isinstance(edge := gate.observe(at, end, score), SpeechBegan):
            if edge.sample >= first - EARLY_MS * RATE // 1000:
                return Onset(1000 * (end - first) / RATE, 1000 * (edge.sample - first) / RATE, n_false)
            n_false += 1
    return Onset(None, None, n_false)


def onsets(
    detector: SileroNetwork, clips: Sequence[Clip], peak_dbfs: float, noise_rms: float, *, has_level: bool
) -> list[Onset]:
    """Of every clip, each in a call of its own."""
    made = (on_line(clip, peak_dbfs, noise_rms, number) for number, clip in enumerate(clips))
    return [onset_of(detector, sound, first, has_level=has_level) for sound, first in made]


def spoken_clips(folder: Path) -> list[Clip]:
    return [clip for clip in load_clips(folder) if clip.text]


def _row(name: str, found: Sequence[Onset]) -> str:
    told = [one.told_ms for one in found if one.told_ms is not None]
    begins = [one.begins_ms for one in found if one.begins_ms is not None]
    spread = [f"{percentile(lags, 0.5):.0f} / {percentile(lags, 0.95):.0f}" if lags else "" for lags in (told, begins)]
    return f"| {name} | {len(told)} of {len(found)} | {spread[0]} | {spread[1]} | {sum(one.n_false for one in found)} |"


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.onsets", description=__doc__)
    parser.add_argument("--set", choices=("bench", "endpointing"), default="bench")
    parser.add_argument("--most", type=int, default=100, help="clips, taken evenly")
    asked = parser.parse_args()
    clips = spread_over(spoken_clips(CLIPS_DIR if asked.set == "bench" else OUT_DIR / "endpointing-clips"), asked.most)
    detector = network()
    print(f"{len(clips)} clips; p50 / p95 in ms of sound")
    print(
        "| loudest sample, line, detector hears | told | told after | begins after | false |\n|---|---:|---:|---:|---:|"
    )
    for peak_dbfs in PEAKS_DBFS:
        for line, noise_rms in LINES.items():
            for has_level in (False, True):
                found = onsets(detector, clips, peak_dbfs, noise_rms, has_level=has_level)
                hears = "one level" if has_level else "the line"
                print(_row(f"{peak_dbfs} dBFS, {line}, {hears}", found), flush=True)


if __name__ == "__main__":
    main()
