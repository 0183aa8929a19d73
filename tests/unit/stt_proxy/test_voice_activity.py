import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.audio.pcm import Samples
from services.runtime.errors import StartupError
from services.runtime.models import model_dir
from services.stt_proxy.errors import DetectorFailed
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.voice_activity import MOST_CALLS_A_TURN, SMALL_BATCH_CALLS, SileroDetector, SileroNetwork

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def model_file() -> Path:
    return model_dir(SttSettings(_env_file=None).models_dir, "silero-vad") / "silero_vad.onnx"


def voices(n_calls: int, n_windows: int) -> list[list[Samples]]:
    """Pulse trains through a resonance: crude, different voices."""
    calls = []
    for call in range(n_calls):
        pulses = np.zeros(n_windows * 256)
        pulses[:: 55 + 7 * call] = 12_000
        ring = np.exp(-np.arange(80) / 18) * np.cos(2 * np.pi * (600 + 40 * call) * np.arange(80) / 8000)
        sound = np.convolve(pulses, ring)[: n_windows * 256]
        calls.append(list(sound.astype(np.int16).reshape(n_windows, 256)))
    return calls


def test_a_batch_scores_as_each_call_alone(model_file):
    calls = voices(5, 30)
    together = SileroNetwork(model_file, n_slots=5)
    batched = np.array(
        [together.score(list(range(5)), list(range(5)) if n == 0 else [], [c[n] for c in calls]) for n in range(30)]
    )
    for number, call in enumerate(calls):
        alone = SileroNetwork(model_file, n_slots=1)
        single = np.array([alone.score([0], [0] if n == 0 else [], [window])[0] for n, window in enumerate(call)])
        np.testing.assert_allclose(batched[:, number], single, atol=1e-4)


def test_a_fresh_slot_remembers_nothing(model_file):
    [call] = voices(1, 20)
    network = SileroNetwork(model_file, n_slots=1)
    first = [network.score([0], [0] if n == 0 else [], [window])[0] for n, window in enumerate(call)]
    second = [network.score([0], [0] if n == 0 else [], [window])[0] for n, window in enumerate(call)]
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_bytes_that_are_no_network_are_one_line(tmp_path):
    broken = tmp_path / "silero_vad.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(StartupError, match="cannot be loaded"):
        SileroNetwork(broken, n_slots=1)


async def scores_of(detector: SileroDetector, windows: list[Samples]) -> list[float]:
    """Have a call's windows scored, one after the other."""
    scores: list[float] = []
    done = asyncio.get_running_loop().create_future()
    waiting = list(windows)

    def deliver(score: float) -> None:
        scores.append(score)
        if waiting:
            watch.score(waiting.pop(0), is_fresh=False)
        else:
            done.set_result(None)

    watch = detector.watch(deliver, done.set_exception)
    watch.score(waiting.pop(0), is_fresh=True)
    await done
    watch.close()
    return scores


@pytest.mark.parametrize("n_calls", [1, 4, SMALL_BATCH_CALLS + 4])
async def test_calls_side_by_side_get_their_own_scores_in_order(model_file, n_calls):
    """Few on the event loop, many in the thread."""
    detector = SileroDetector(n_slots=n_calls, batch_wait_s=0.001)
    await detector.load(model_file)
    calls = voices(n_calls, 20)
    together = await asyncio.gather(*(scores_of(detector, call) for call in calls))
    for call, scores in zip(calls, together, strict=True):
        np.testing.assert_allclose(await scores_of(detector, call), scores, atol=1e-4)
    detector.close()


async def test_a_large_batch_leaves_the_event_loop_turns_between_its_calls(model_file):
    n_calls = 3 * MOST_CALLS_A_TURN
    detector = SileroDetector(n_slots=n_calls, batch_wait_s=0.001)
    await detector.load(model_file)
    loop, turns, delivered = asyncio.get_running_loop(), [0], []

    def turn() -> None:
        turns[0] += 1
        if len(delivered) < n_calls:
            loop.call_soon(turn)

    watches = [detector.watch(lambda _: delivered.append(turns[0]), delivered.append) for _ in range(n_calls)]
    for watch in watches:
        watch.score(np.zeros(256, dtype=np.int16), is_fresh=True)
    turn()
    async with asyncio.timeout(5):
        while len(delivered) < n_calls:
            await asyncio.sleep(0)
    assert max(map(delivered.count, delivered)) == MOST_CALLS_A_TURN
    detector.close()


@pytest.mark.parametrize("n_calls", [1, SMALL_BATCH_CALLS + 1])
async def test_a_network_that_fails_is_said_to_every_call_in_the_batch(model_file, n_calls):
    detector = SileroDetector(n_slots=n_calls + 1, batch_wait_s=0.001)
    await detector.load(model_file)
    failures: list[Exception] = []
    watches = [detector.watch(lambda score: None, failures.append) for _ in range(n_calls)]
    for watch in watches:
        watch.score(np.zeros(255, dtype=np.int16), is_fresh=True)  # no window of the network's
    async with asyncio.timeout(5):
        while len(failures) < n_calls:
            await asyncio.sleep(0)
    for watch in watches:
        watch.close()
    assert {type(failure) for failure in failures} == {DetectorFailed}
    assert len(await asyncio.wait_for(scores_of(detector, voices(1, 3)[0]), 5)) == 3, "and the next is heard"
    detector.close()


async def test_a_call_that_breaks_over_its_score_is_lost_alone(model_file):
    detector = SileroDetector(n_slots=2, batch_wait_s=0.001)
    await detector.load(model_file)
    failures: list[Exception] = []
    broken = detector.watch(lambda score: 1 // 0, failures.append)  # type: ignore[arg-type]
    broken.score(np.zeros(256, dtype=np.int16), is_fresh=True)
    assert len(await scores_of(detector, voices(1, 3)[0])) == 3
    assert [type(failure) for failure in failures] == [ZeroDivisionError]
    detector.close()


async def test_a_call_that_is_gone_leaves_its_slot_and_hears_no_more(model_file):
    detector = SileroDetector(n_slots=1, batch_wait_s=0.001)
    await detector.load(model_file)
    [call] = voices(1, 5)
    heard: list[float] = []
    gone = detector.watch(heard.append, lambda error: None)
    gone.score(call[0], is_fresh=True)
    gone.close()
    assert len(await scores_of(detector, call)) == 5
    assert heard == []
    detector.close()
