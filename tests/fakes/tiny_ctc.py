"""A tiny network in a real format, made on the spot: loud sound is the word "yes"."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


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
