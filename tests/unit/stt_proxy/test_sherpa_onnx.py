"""Engine `sherpa_onnx` on tiny networks that are made here: loud sound is the word "yes"."""

import asyncio
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.runtime.errors import StartupError
from services.stt_proxy.engine import Heard, Hints, Report, Span, Speech
from services.stt_proxy.engines.sherpa_onnx import SherpaEngine
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.settings import SttSettings

RATE = 8000


def nemo_ctc(folder: Path) -> Path:
    """An offline CTC in NeMo's format: log-mel (1, 80, n_frames) in, (1, n_frames, 2) out; the last one is blank."""
    audio = helper.make_tensor_value_info("audio_signal", TensorProto.FLOAT, ["N", 80, "T"])
    length = helper.make_tensor_value_info("length", TensorProto.INT64, ["N"])
    logits = helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, ["N", "T", 2])
    constants = [
        numpy_helper.from_array(np.array([1], np.int64), "mel_axis"),
        numpy_helper.from_array(np.array([2], np.int64), "last_axis"),
        numpy_helper.from_array(np.array(-9.0, np.float32), "threshold"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["audio_signal", "mel_axis"], ["level"], keepdims=0),
        helper.make_node("Sub", ["level", "threshold"], ["over"]),
        helper.make_node("Unsqueeze", ["over", "last_axis"], ["yes"]),
        helper.make_node("Neg", ["yes"], ["blank"]),
        helper.make_node("Concat", ["yes", "blank"], ["both"], axis=2),
        helper.make_node("LogSoftmax", ["both"], ["logprobs"], axis=2),
    ]
    graph = helper.make_graph(nodes, "tiny", [audio, length], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    for key, value in {"vocab_size": "1", "subsampling_factor": "1", "normalize_type": "", "model_type": "ctc"}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "tokens.txt").write_text("\u2581yes 0\n<blk> 1\n", encoding="utf-8")
    return folder


def settings(folder: Path, kind: str = "offline_nemo_ctc") -> SttSettings:
    return SttSettings(_env_file=None, engine="sherpa_onnx", sherpa_model=str(folder), sherpa_kind=kind)


async def heard(engine: SherpaEngine, sound: np.ndarray) -> str:
    answered: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
    ear = engine.listen(
        call_id="test", recording=Recording(limit_samples=RATE), sample_rate_hertz=RATE,
        hints=Hints(language_codes=("en",)), report=answered.set_result,
    )  # fmt: skip
    ear.recognize(Speech(1, 1, (Span(0, len(sound)),), (Clip(0, sound),), RATE), is_final=True)
    report = await answered
    ear.close()
    assert isinstance(report, Heard), report
    return report.text


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 8000, int(seconds * RATE)).clip(-32768, 32767).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.int16)


async def test_an_offline_ctc_decodes_each_stretch(tmp_path: Path):
    engine = SherpaEngine(settings(nemo_ctc(tmp_path / "tiny")))
    await engine.load()
    try:
        assert await heard(engine, np.concatenate((silence(0.5), noise(0.4), silence(0.5)))) == "yes"
        assert await heard(engine, silence(1.0)) == ""
    finally:
        await engine.close()


@pytest.mark.parametrize("missing", ["tokens.txt", "model.onnx"])
async def test_a_model_folder_with_a_file_missing_is_named(tmp_path: Path, missing: str):
    folder = nemo_ctc(tmp_path / "tiny")
    (folder / missing).unlink()
    engine = SherpaEngine(settings(folder))
    with pytest.raises(StartupError, match=missing.split(".", maxsplit=1)[0]):
        await engine.load()
    await engine.close()


async def test_an_unknown_kind_is_refused_with_those_there_are(tmp_path: Path):
    engine = SherpaEngine(settings(tmp_path, "whisper"))
    with pytest.raises(StartupError, match="online_transducer"):
        await engine.load()
    await engine.close()
