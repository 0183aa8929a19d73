"""Windows of a spectrogram that join without a seam, and who shares a batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tts.nemo.plan import CHUNK_FRAMES, Agenda, Step, Window, Windows, bucket_of


def windows_of(n_frames: int, margin: int, begin: int = 0) -> list[Window]:
    windows, out = Windows(n_frames, margin, begin=begin), []
    while not windows.is_done:
        out.append(windows.peek())
        windows.advance()
    return out


@given(st.integers(1, 900), st.integers(0, 60), st.integers(0, 400))
def test_windows_cover_every_frame_once_and_each_has_its_margin(n_frames: int, margin: int, begin: int) -> None:
    begin = min(begin, n_frames)
    out = windows_of(n_frames, margin, begin)
    assert [frame for window in out for frame in range(window.begin, window.end)] == list(range(begin, n_frames))
    for window in out:
        assert 0 <= window.low <= window.begin < window.end <= window.high <= n_frames
        assert window.low == 0 or window.begin - window.low >= margin
        assert window.high == n_frames or window.high - window.end >= margin


@given(st.integers(1, 900), st.integers(0, 60))
def test_chunks_of_a_network_with_that_field_equal_the_whole(n_frames: int, margin: int) -> None:
    mel = np.random.default_rng(n_frames).normal(size=n_frames)
    kernel = np.random.default_rng(1).normal(size=2 * margin + 1)
    whole = np.convolve(mel, kernel, mode="same") if n_frames >= len(kernel) else None
    if whole is None:
        return
    for window in windows_of(n_frames, margin):
        part = np.convolve(np.pad(mel[window.low : window.high], margin), kernel, mode="valid")
        kept = part[window.begin - window.low : window.end - window.low]
        assert kept == pytest.approx(whole[window.begin : window.end])


def test_windows_of_different_clauses_have_few_lengths() -> None:
    lengths = {window.n_frames for n_frames in range(200, 800) for window in windows_of(n_frames, 38)}
    assert len(lengths) == 1 + len(CHUNK_FRAMES[1:])


def test_the_first_window_is_small_and_waits_for_no_more_than_its_margin() -> None:
    first = windows_of(500, 38)[0]
    assert (first.end - first.begin, first.n_frames) == (CHUNK_FRAMES[0], CHUNK_FRAMES[0] + 38)


@pytest.mark.parametrize("n_tokens", [1, 32, 33, 64, 65, 200, 256, 257, 900])
def test_a_text_shares_a_batch_with_texts_of_at_most_twice_its_length(n_tokens: int) -> None:
    same = [other for other in range(33, 257) if bucket_of(other) == bucket_of(n_tokens)]
    assert not same or max(same) <= 2 * min(same)


def step(key: str, due_s: float, asked_s: float = 0.0, *, gathers: bool = False) -> Step[str, str]:
    return Step(key, due_s, asked_s, f"{key}{due_s:g}", gathers)


def test_the_step_due_first_is_taken_with_others_that_can_share_its_batch() -> None:
    agenda: Agenda[str, str] = Agenda(gather_s=0.003)
    for each in (step("a", 5), step("b", 1), step("a", 2), step("b", 9), step("b", 3)):
        agenda.add(each)
    assert agenda.take(2) == ["b1", "b3"]
    assert agenda.take(8) == ["a2", "a5"]
    assert agenda.take(8) == ["b9"]
    assert agenda.take(8) == []


def test_texts_wait_a_moment_for_others_only_while_nothing_else_is_to_be_done() -> None:
    agenda: Agenda[str, str] = Agenda(gather_s=0.003)
    assert agenda.wait_s(0.0) is None
    agenda.add(step("text", 1, asked_s=10.0, gathers=True))
    assert agenda.wait_s(10.001) == pytest.approx(0.002)
    assert agenda.wait_s(10.004) == 0.0
    agenda.add(step("chunk", 2, asked_s=10.001))
    assert agenda.wait_s(10.001) == 0.0
