"""The figures compare like with like."""

from tests.clients.figures import last_frame_at, percentile
from tests.load.clips import Clip


def test_the_clock_of_the_program_caller_starts_with_the_last_frame_of_the_clip() -> None:
    clip = Clip("x", "", "en-US", "plain", (b"\xff" * 160,) * 84, 1600, 78 * 160 + 1, ())
    assert clip.end_frame == 78
    assert round(last_frame_at(5.0, clip), 9) == 5.1, "five more frames, 20 ms each, whenever the caller looked"


def test_of_ten_values_the_95th_percentile_is_the_greatest() -> None:
    assert percentile(range(10), 0.95) == 9
    assert percentile(range(100), 0.95) == 94
