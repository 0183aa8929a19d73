"""Tiny networks in sherpa-onnx's formats, made on the spot: loud sound is the word "yes".

The transducers and the streaming CTC say the word once a stream, the offline CTC once a stretch of loud sound.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LOUD_NEMO = -9.0  # mean of the log-mel of NeMo's features
LOUD_KALDI = -6.0  # the same of Kaldi's, on sound between -1 and 1
CHUNK = 4  # frames that an online encoder takes at once
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Shape = Sequence[int | str]


def nemo_ctc(folder: Path) -> Path:
    """An offline CTC in NeMo's format: log-mel (N, 80, T) in, (N, T, 2) out; the last one is blank."""
    nodes = _ctc_nodes()
    inputs = {"audio_signal": (FLOAT, ["N", 80, "T"]), "length": (INT64, ["N"])}
    described = {"vocab_size": 1, "subsampling_factor": 1, "normalize_type": "", "model_type": "ctc"}
    _save(folder / "model.onnx", nodes, inputs, {"logprobs": (FLOAT, ["N", "T", 2])}, described)
    return _tokens(folder, "\u2581yes 0\n<blk> 1\n")


def online_nemo_ctc(folder: Path) -> Path:
    """A streaming CTC in NeMo's format, whose caches hold nothing."""
    caches = {
        "cache_last_channel": (FLOAT, ["N", 1, 1, 1]),
        "cache_last_time": (FLOAT, ["N", 1, 1, 1]),
        "cache_last_channel_len": (INT64, ["N"]),
    }
    nodes = [*_ctc_nodes(), helper.make_node("Identity", ["length"], ["encoded_lengths"])]
    nodes += [helper.make_node("Identity", [name], [f"{name}_next"]) for name in caches]
    inputs = {"audio_signal": (FLOAT, ["N", 80, "T"]), "length": (INT64, ["N"]), **caches}
    outputs = {"logprobs": (FLOAT, ["N", "T", 2]), "encoded_lengths": (INT64, ["N"])}
    outputs |= {f"{name}_next": kind for name, kind in caches.items()}
    described: dict[str, object] = {
        f"{cache}_dim{number}": 1 for cache in ("cache_last_channel", "cache_last_time") for number in (1, 2, 3)
    }
    described |= {
        "window_size": CHUNK, "chunk_shift": CHUNK, "subsampling_factor": 1, "vocab_size": 1, "normalize_type": "",
        "model_type": "EncDecCTCModelBPE",
    }  # fmt: skip
    _save(folder / "model.onnx", nodes, inputs, outputs, described)
    return _tokens(folder, "\u2581yes 0\n<blk> 1\n")


def offline_transducer(folder: Path) -> Path:
    """A transducer of icefall: Kaldi's features (N, T, 80) in."""
    nodes = [*_level("x", LOUD_KALDI), helper.make_node("Identity", ["x_lens"], ["encoder_out_lens"])]
    inputs = {"x": (FLOAT, ["N", "T", 80]), "x_lens": (INT64, ["N"])}
    outputs = {"encoder_out": (FLOAT, ["N", "T", 1]), "encoder_out_lens": (INT64, ["N"])}
    _save(folder / "encoder.onnx", nodes, inputs, outputs, {"model_type": "zipformer2"})
    return _rest_of_transducer(folder)


def online_transducer(folder: Path) -> Path:
    """A streaming transducer of icefall with an LSTM's encoder, whose states hold nothing."""
    states = {"h": (FLOAT, [1, "N", 1]), "c": (FLOAT, [1, "N", 1])}
    nodes = _level("x", LOUD_KALDI)
    nodes += [helper.make_node("Identity", [name], [f"next_{name}"]) for name in states]
    outputs = {"encoder_out": (FLOAT, ["N", "T", 1]), **{f"next_{name}": kind for name, kind in states.items()}}
    described = {
        "model_type": "lstm", "num_encoder_layers": 1, "T": CHUNK, "decode_chunk_len": CHUNK, "rnn_hidden_size": 1,
        "d_model": 1,
    }  # fmt: skip
    _save(folder / "encoder.onnx", nodes, {"x": (FLOAT, ["N", CHUNK, 80]), **states}, outputs, described)
    return _rest_of_transducer(folder)


TINY = {
    "offline_nemo_ctc": nemo_ctc,
    "offline_transducer": offline_transducer,
    "online_nemo_ctc": online_nemo_ctc,
    "online_transducer": online_transducer,
}
"""Makers of a model's folder, by STT_SHERPA_KIND."""


def _ctc_nodes() -> list[onnx.NodeProto]:
    """Mel bands to the log probabilities of the word and of the blank."""
    return [
        _constant("mel_axis", np.array([1], np.int64)),
        _constant("last_axis", np.array([2], np.int64)),
        _constant("threshold", np.array(LOUD_NEMO, np.float32)),
        helper.make_node("ReduceMean", ["audio_signal", "mel_axis"], ["level"], keepdims=0),
        helper.make_node("Sub", ["level", "threshold"], ["over"]),
        helper.make_node("Unsqueeze", ["over", "last_axis"], ["yes"]),
        helper.make_node("Neg", ["yes"], ["blank"]),
        helper.make_node("Concat", ["yes", "blank"], ["both"], axis=2),
        helper.make_node("LogSoftmax", ["both"], ["logprobs"], axis=2),
    ]


def _level(name: str, threshold: float) -> list[onnx.NodeProto]:
    """An encoder: how far the mean of the bands lies over the threshold."""
    return [
        _constant("bands", np.array([2], np.int64)),
        _constant("threshold", np.array(threshold, np.float32)),
        helper.make_node("ReduceMean", [name, "bands"], ["level"], keepdims=1),
        helper.make_node("Sub", ["level", "threshold"], ["encoder_out"]),
    ]


def _rest_of_transducer(folder: Path) -> Path:
    """The decoder says whether the last token was the word; the joiner lets no second one follow it."""
    decoder = [
        _constant("word", np.array(1, np.int64)),
        _constant("last", np.array([-1], np.int64)),
        _constant("axis", np.array([1], np.int64)),
        _constant("end", np.array([2**31], np.int64)),
        helper.make_node("Slice", ["y", "last", "end", "axis"], ["newest"]),
        helper.make_node("Equal", ["newest", "word"], ["is_word"]),
        helper.make_node("Cast", ["is_word"], ["decoder_out"], to=FLOAT),
    ]
    _save(
        folder / "decoder.onnx", decoder, {"y": (INT64, ["N", 2])}, {"decoder_out": (FLOAT, ["N", 1])},
        {"vocab_size": 2, "context_size": 2},
    )  # fmt: skip
    joiner = [
        _constant("much", np.array(1000.0, np.float32)),
        helper.make_node("Mul", ["decoder_out", "much"], ["against"]),
        helper.make_node("Sub", ["encoder_out", "against"], ["yes"]),
        helper.make_node("Neg", ["yes"], ["blank"]),
        helper.make_node("Concat", ["blank", "yes"], ["logit"], axis=1),
    ]
    inputs = {"encoder_out": (FLOAT, ["N", 1]), "decoder_out": (FLOAT, ["N", 1])}
    _save(folder / "joiner.onnx", joiner, inputs, {"logit": (FLOAT, ["N", 2])}, {"joiner_dim": 1})
    return _tokens(folder, "<blk> 0\n\u2581yes 1\n")


def _constant(name: str, value: np.ndarray[Any, Any]) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, tuple[int, Shape]],
    described: Mapping[str, object],
) -> None:
    path.parent.mkdir(exist_ok=True)
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    for key, value in described.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.save(model, path)


def _tokens(folder: Path, lines: str) -> Path:
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")
    return folder
