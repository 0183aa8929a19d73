import numpy as np

from services.stt_proxy.recording import Recording


def ramp(first: int, last: int) -> np.ndarray:
    return np.arange(first, last, dtype=np.int16)


def recording(*stretches: tuple[int, int], limit: int = 10_000) -> Recording:
    held = Recording(limit_samples=limit)
    for first, last in stretches:
        held.add(first, ramp(first, last))
    return held


def test_a_cut_across_chunks_is_one_clip():
    [clip] = recording((0, 160), (160, 320)).cut(100, 300)
    assert clip.start_sample == 100
    np.testing.assert_array_equal(clip.samples, ramp(100, 300))


def test_a_hole_parts_the_clips():
    clips = recording((0, 160), (400, 560)).cut(0, 1000)
    assert [(clip.start_sample, len(clip.samples)) for clip in clips] == [(0, 160), (400, 160)]


def test_a_cut_where_nothing_is_held_is_empty():
    assert recording((0, 160)).cut(500, 600) == ()


def test_released_sound_is_gone_and_no_other():
    held = recording((0, 160), (160, 320))
    held.release(200)
    [clip] = held.cut(0, 320)
    assert clip.start_sample == 160


def test_past_the_limit_the_oldest_goes_and_is_counted():
    held = recording((0, 160), (160, 320), (320, 480), limit=320)
    [clip] = held.cut(0, 480)
    assert clip.start_sample == 160
    assert held.dropped_samples == 160
