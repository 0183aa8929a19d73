import asyncio

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.runtime.errors import StartupError
from services.stt_proxy.end_of_turn.smart_turn import (
    CONTEXT_S,
    MAX_WAITING,
    MODEL,
    MODEL_FILE,
    RATE_HERTZ,
    SmartTurn,
    last_seconds,
)
from services.stt_proxy.end_of_turn.sound import NoModel, make_end_of_turn_model
from services.stt_proxy.engine import Span, Speech
from services.stt_proxy.recording import Clip
from services.stt_proxy.settings import SttSettings


def said(ms: int, rate_hertz: int = 8000) -> Speech:
    samples = np.random.default_rng(7).integers(-8000, 8000, ms * rate_hertz // 1000, dtype=np.int16)
    return Speech(1, 1, (Span(0, len(samples)),), (Clip(0, samples),), rate_hertz)


@pytest.fixture
def network(tmp_path):
    """A network of Smart Turn's shape: the mean of the last 100 frames, times 40, through a sigmoid."""
    nodes = [
        helper.make_node("Slice", ["input_features", "starts", "ends", "axes"], ["tail"]),
        helper.make_node("ReduceMean", ["tail"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "gain"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(values, dtype=kind), name)
        for name, values, kind in [
            ("starts", [700], np.int64), ("ends", [800], np.int64), ("axes", [2], np.int64),
            ("gain", [40.0], np.float32),
        ]
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input_features", TensorProto.FLOAT, [1, 80, 800])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])],
        constants,
    )
    file = tmp_path / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), file)
    return file


async def judged(model: SmartTurn, speech: Speech) -> float:
    answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    model.judge(speech, answered.set_result)
    return await asyncio.wait_for(answered, 10)


async def test_the_network_hears_how_the_utterance_ends(network):
    model = make_end_of_turn_model(SttSettings(end_of_turn="smart_turn", end_of_turn_model=network))
    await model.load()
    loud = await judged(model, said(3000))
    trailing = said(3000)
    trailing.clips[0].samples[-12000:] = 0
    quiet = await judged(model, trailing)
    await model.close()
    assert 0 <= quiet < 0.5 < loud <= 1


async def test_more_questions_than_it_can_answer_are_dropped(network):
    model = SmartTurn(SttSettings(end_of_turn="smart_turn", end_of_turn_model=network))
    await model.load()
    answers: list[float] = []
    for _ in range(MAX_WAITING + 5):
        model.judge(said(500), answers.append)
    while len(answers) < MAX_WAITING:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    await model.close()
    assert len(answers) == MAX_WAITING


def test_it_hears_the_last_eight_seconds_with_silence_before_a_short_utterance():
    short = last_seconds(said(1000))
    assert short.shape == (CONTEXT_S * RATE_HERTZ,)
    assert np.ptp(short[: 6 * RATE_HERTZ]) == 0
    assert abs(float(short.mean())) < 1e-3
    assert float(short.std()) == pytest.approx(1, abs=1e-2)
    assert np.ptp(last_seconds(said(11_000))[:RATE_HERTZ]) > 1


@pytest.mark.parametrize("content", [b"", b"no network at all"])
async def test_a_file_that_is_no_network_is_named(tmp_path, content):
    file = tmp_path / "broken.onnx"
    file.write_bytes(content)
    with pytest.raises(StartupError, match="is no Smart Turn network"):
        await SmartTurn(SttSettings(end_of_turn="smart_turn", end_of_turn_model=file)).load()


async def test_a_network_of_another_shape_is_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["sound"], ["out"])],
        "other",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])],
    )
    file = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), file)
    with pytest.raises(StartupError, match="is no Smart Turn network"):
        await SmartTurn(SttSettings(end_of_turn="smart_turn", end_of_turn_model=file)).load()


async def test_without_its_file_it_says_how_to_get_one(tmp_path):
    with pytest.raises(StartupError, match=r"make models MODELS=smart-turn.*STT_END_OF_TURN_MODEL"):
        await SmartTurn(SttSettings(end_of_turn="smart_turn", models_dir=tmp_path)).load()


async def test_the_fetched_network_is_taken_where_none_is_named_and_only_if_it_is_right(tmp_path):
    (tmp_path / MODEL).mkdir()
    (tmp_path / MODEL / MODEL_FILE).write_bytes(b"something else")
    with pytest.raises(StartupError, match="fetch it again with: make models MODELS=smart-turn"):
        SmartTurn(SttSettings(end_of_turn="smart_turn", models_dir=tmp_path))


async def test_by_default_nothing_is_asked():
    model = make_end_of_turn_model(SttSettings())
    assert isinstance(model, NoModel)
    await model.load()
    model.judge(said(500), pytest.fail)
    await model.close()


def test_an_unknown_model_is_named():
    with pytest.raises(StartupError, match="STT_END_OF_TURN=guess is not known: use one of none, smart_turn"):
        make_end_of_turn_model(SttSettings(end_of_turn="guess"))
