"""Sizes of steps follow from measured times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nlu.engines.llama_cpp.model import ModelOptions, Row
from services.nlu.engines.llama_cpp.pace import LEAST_TOKENS, StepPace, sizes_to_measure
from services.nlu.engines.llama_cpp.worker import measure_pace
from tests.unit.nlu.fake_model import LetterModel

TWO_CORES = {1: 0.045, 8: 0.060, 16: 0.085, 32: 0.140, 64: 0.260, 128: 0.500}
V100S = {1: 0.022, 8: 0.024, 16: 0.025, 32: 0.027, 64: 0.030, 128: 0.036, 256: 0.055, 512: 0.095}


def test_a_gpu_is_not_starved_and_two_cores_do_not_stutter() -> None:
    gpu, cores = StepPace(V100S), StepPace(TWO_CORES)
    assert 120 <= gpu.shared_tokens(1) <= 160
    assert gpu.lone_tokens() == 512
    assert 8 <= cores.shared_tokens(1) <= 12
    assert 60 <= cores.lone_tokens() <= 80


@pytest.mark.parametrize("seconds", [TWO_CORES, V100S])
@pytest.mark.parametrize("n_speaking", [1, 4, 16])
def test_a_shared_step_keeps_to_its_limit(seconds: dict[int, float], n_speaking: int) -> None:
    pace = StepPace(seconds)
    size = pace.shared_tokens(n_speaking)
    limit_s = max(0.040, 1.5 * pace._time_of(n_speaking))
    assert pace._time_of(size + n_speaking) <= limit_s * 1.001 or size == LEAST_TOKENS


def test_the_pace_follows_a_machine_that_gets_busy_and_quiet_again() -> None:
    pace = StepPace(V100S)
    quiet = pace.shared_tokens(1)
    for _ in range(100):
        pace.note(129, 3 * 0.036)
    busy = pace.shared_tokens(1)
    for _ in range(200):
        pace.note(129, 0.036)
    assert busy < 0.75 * quiet
    assert pace.shared_tokens(1) == pytest.approx(quiet, rel=0.05)


def test_a_start_on_a_busy_machine_does_not_leave_it_slow() -> None:
    pace = StepPace({size: 10 * took for size, took in TWO_CORES.items()}, most_tokens=512)
    for _ in range(400):
        pace.note(9, 0.060)
    assert pace.lone_tokens() > 50


def test_without_times_the_sizes_are_the_old_ones() -> None:
    pace = StepPace()
    assert (pace.shared_tokens(4), pace.lone_tokens(), pace.ahead_tokens()) == (32, 64, 24)


@given(st.dictionaries(st.integers(1, 4096), st.floats(0.0001, 10.0), max_size=12), st.integers(1, 256))
def test_any_times_give_sizes_that_let_a_prompt_end(seconds: dict[int, float], n_speaking: int) -> None:
    pace = StepPace(seconds)
    for size in (pace.shared_tokens(n_speaking), pace.lone_tokens(), pace.ahead_tokens()):
        assert LEAST_TOKENS <= size <= max(4096, LEAST_TOKENS)


def test_every_size_up_to_the_largest_step_is_measured_once() -> None:
    assert list(sizes_to_measure(512)) == [1, 8, 16, 32, 64, 128, 256, 512]
    assert list(sizes_to_measure(100)) == [1, 8, 16, 32, 64, 100]


class TimedModel(LetterModel):
    """A model whose steps take a set time by a clock of its own."""

    now = 0.0

    def decode(self, rows: list[Row]) -> bool:  # type: ignore[override]
        self.now += 0.02 + 0.001 * len(rows)
        return True

    def sample(self, row: int) -> int:
        return 1


def test_the_engine_times_its_own_steps_and_stops_where_one_is_long_enough() -> None:
    model = TimedModel()
    options = ModelOptions(context_tokens=4096, n_slots=8, batch_tokens=2048, threads=1, gpu_layers=0, temperature=0.0)
    pace = measure_pace(model, options, lambda: model.now)
    assert pace.shared_tokens(1) == pytest.approx(19, abs=1)
    assert pace.lone_tokens() == pytest.approx(140, abs=2)
    assert model.now < 1.5, "a start must not take long"
