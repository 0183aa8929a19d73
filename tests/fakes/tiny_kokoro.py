"""A tiny network with the inputs and outputs of Kokoro 82M, with its files beside it, made on the spot."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from services.tts.engines.kokoro import MOST_TOKENS, STYLE_SIZE

SAMPLES_A_TOKEN = 600
VOCABULARY = {sign: number for number, sign in enumerate(" ,.!ˈəɪɹʤʧAIOWYbdfhijklmnpstuvwzæðŋɑɔɛɜʃʊʌʒθ", 1)}


def _network(path: Path) -> None:
    """The style's mean times the number of each token, 600 samples long; Kokoro's inputs and output."""
    nodes = [
        helper.make_node("Cast", ["tokens"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["style"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["numbers", "mean"], ["loudness"]),
        helper.make_node("Div", ["loudness", "speed"], ["paced"]),
        helper.make_node("Reshape", ["paced", "column"], ["rows"]),
        helper.make_node("Tile", ["rows", "repeats"], ["tiled"]),
        helper.make_node("Reshape", ["tiled", "flat"], ["audio"]),
    ]
    constants = {"column": [-1, 1], "repeats": [1, SAMPLES_A_TOKEN], "flat": [-1]}
    graph = helper.make_graph(
        nodes,
        "kokoro",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "n"]),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, STYLE_SIZE]),
            helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["length"])],
        [helper.make_tensor(name, TensorProto.INT64, [len(value)], value) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def tiny_kokoro(folder: Path) -> Path:
    """A folder for TTS_KOKORO_MODEL: the network, its vocabulary, and three voices, one of an unknown language."""
    (folder / "voices").mkdir(parents=True)
    _network(folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps({"vocab": VOCABULARY}), encoding="utf-8")
    for name in ("af_one", "bm_two", "zf_three"):
        styles = np.repeat(np.arange(1, MOST_TOKENS + 1, dtype="<f4")[:, None] * 1e-5, STYLE_SIZE, axis=1)
        (folder / "voices" / f"{name}.bin").write_bytes(styles.tobytes())
    return folder
