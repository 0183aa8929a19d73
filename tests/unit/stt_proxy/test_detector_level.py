"""Level of the sound in front of the speech detector, which finds short words of quiet and of loud callers."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from services.audio.g711 import decode_mulaw, encode_mulaw
from services.runtime.models import model_dir
from services.stt_proxy.detector_level import MOST_GAIN, MOST_GAIN_BESIDE_AGENT, TARGET_PEAK, DetectorLevel
from services.stt_proxy.engine import Hints
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.speech_gate import GateThresholds, SpeechBegan, SpeechGate
from services.stt_proxy.voice_activity import SileroNetwork
from tests.load.clips import CLIPS_DIR
from tests.load.hearing.recordings import spread_over
from tests.load.onsets import network, onsets, spoken_clips

WINDOW = 256
CLIPS = Path(__file__).parents[2] / "data" / "clips"
SHORT_SAMPLES = 2400  # 300 ms


def at_peak(peak: float, n_windows: int = 1) -> np.ndarray:
    wave_ = np.sin(2 * np.pi * 300 * np.arange(WINDOW * n_windows) / 8000)
    return (wave_ * peak).astype(np.int16)


def brought(level: DetectorLevel, sound: np.ndarray, hints: Hints) -> np.ndarray:
    return np.concatenate([level.bring(sound[at : at + WINDOW], hints) for at in range(0, len(sound), WINDOW)])


def peak_of(sound: np.ndarray) -> float:
    return float(np.abs(sound.astype(float)).max())


@pytest.mark.parametrize("dbfs", [-45, -33, -20])
def test_quiet_callers_come_near_one_level(dbfs: int):
    peak = 32768 * 10 ** (dbfs / 20)
    heard = peak_of(brought(DetectorLevel(), at_peak(peak), Hints()))
    assert heard == pytest.approx(min(TARGET_PEAK, peak * MOST_GAIN), rel=0.1)


def test_loud_callers_are_left_as_they_are_and_never_clipped():
    heard = brought(DetectorLevel(), at_peak(30000), Hints())
    assert np.abs(heard.astype(float) - at_peak(30000)).max() < 120


def test_a_pause_behind_a_loud_caller_is_not_made_loud():
    level = DetectorLevel()
    brought(level, at_peak(20000), Hints())
    assert peak_of(brought(level, at_peak(50, n_windows=30), Hints())) < 150


def test_the_agents_echo_is_raised_less():
    heard = peak_of(brought(DetectorLevel(), at_peak(150), Hints(agent_is_speaking=True)))
    assert heard == pytest.approx(150 * MOST_GAIN_BESIDE_AGENT, rel=0.2)


def test_what_the_agents_echo_came_to_does_not_make_a_quiet_caller_quieter():
    level, quiet, echo = DetectorLevel(), 32768 * 10 ** (-45 / 20), 2000
    brought(level, at_peak(echo, n_windows=60), Hints(agent_is_speaking=True))
    beside = peak_of(brought(level, at_peak(quiet, n_windows=4), Hints()))
    assert beside < quiet * MOST_GAIN_BESIDE_AGENT * 1.2, "its last echo is still on the line"
    after = peak_of(brought(level, at_peak(quiet, n_windows=4), Hints()))
    assert after == pytest.approx(min(TARGET_PEAK, quiet * MOST_GAIN), rel=0.1)


def words_of(label: dict) -> np.ndarray:
    """The first 300 ms of a clip's speech: as long as a lone short answer."""
    with wave.open(str(CLIPS / label["file"])) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(float)
    start = label["speech_start_sample"]
    return samples[start : start + SHORT_SAMPLES]


def is_heard(network: SileroNetwork, sound: np.ndarray) -> bool:
    level, gate = DetectorLevel(), SpeechGate(pause_samples=512, thresholds=GateThresholds())
    edges = []
    for number, at in enumerate(range(0, len(sound) - WINDOW + 1, WINDOW)):
        [score] = network.score([0], [0] if number == 0 else [], [level.bring(sound[at : at + WINDOW], Hints())])
        edges.append(gate.observe(at, at + WINDOW, float(score)))
    return any(isinstance(edge, SpeechBegan) for edge in edges)


@pytest.mark.models
@pytest.mark.parametrize("noise_rms", [0, 20])
@pytest.mark.parametrize("dbfs", [-45, -33, -20, -6])
def test_three_hundred_milliseconds_of_speech_are_heard_at_every_level(dbfs: int, noise_rms: int):
    settings = SttSettings(_env_file=None)
    network = SileroNetwork(model_dir(settings.models_dir, settings.vad_model) / "silero_vad.onnx", n_slots=1)
    labels = [one for one in json.loads((CLIPS / "labels.json").read_text()) if one["text"]]
    missed = []
    for number, label in enumerate(labels):
        words = words_of(label)
        silence = np.zeros(4000)
        whole = np.concatenate([silence, words * (32768 * 10 ** (dbfs / 20) / np.abs(words).max()), silence])
        whole += np.random.default_rng(number).normal(0, noise_rms, len(whole))
        heard = decode_mulaw(encode_mulaw(np.clip(whole, -32768, 32767).astype(np.int16)))
        if not is_heard(network, heard):
            missed.append(label["text"])
    assert not missed


@pytest.mark.models
def test_noise_without_speech_is_not_made_speech():
    settings = SttSettings(_env_file=None)
    network = SileroNetwork(model_dir(settings.models_dir, settings.vad_model) / "silero_vad.onnx", n_slots=1)
    for dbfs in (-60, -50, -40):
        noise = np.random.default_rng(3).normal(0, 32768 * 10 ** (dbfs / 20), 160_000).astype(np.int16)
        assert not is_heard(network, noise), dbfs


@pytest.mark.models
@pytest.mark.parametrize("noise_rms", [0, 20])
@pytest.mark.parametrize("dbfs", [-45, -20, -6])
def test_onsets_are_told_no_later_than_of_the_line_as_it_is(dbfs: int, noise_rms: int):
    clips, detector = spread_over(spoken_clips(CLIPS_DIR), 14), network()
    plain, levelled = (
        [one.told_ms for one in onsets(detector, clips, dbfs, noise_rms, has_level=has_level)]
        for has_level in (False, True)
    )
    assert None not in levelled
    heard = [one for one in plain if one is not None]
    assert np.median(levelled) <= np.median(heard)
    assert np.percentile(levelled, 95) <= np.percentile(heard, 95)
