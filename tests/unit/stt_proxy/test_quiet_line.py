import numpy as np

from services.stt_proxy.quiet_line import QUIET_PEAK, SETTLED_WINDOWS, QuietLine

from .rig import MS, Call

QUIET = np.full(256, QUIET_PEAK, dtype=np.int16)
LOUD = np.full(256, QUIET_PEAK + 1, dtype=np.int16)


def silent(line: QuietLine, n_windows: int, score: float = 0.02) -> None:
    for _ in range(n_windows):
        if not line.observe(QUIET, is_fresh=False):
            line.note(score)


def test_the_detector_hears_the_beginning_of_a_quiet_and_then_no_more():
    line = QuietLine()
    silent(line, SETTLED_WINDOWS - 1)
    assert not line.observe(QUIET, is_fresh=False)
    line.note(0.02)
    assert line.observe(-QUIET, is_fresh=False)


def test_a_window_that_is_not_quiet_is_heard_and_ends_the_quiet():
    line = QuietLine()
    silent(line, 100)
    assert not line.observe(LOUD, is_fresh=False)
    line.note(0.02)
    assert not line.observe(QUIET, is_fresh=False)


def test_quiet_in_which_the_detector_suspects_speech_is_heard_on():
    line = QuietLine()
    silent(line, 100, score=0.4)
    assert not line.observe(QUIET, is_fresh=False)


def test_a_detector_after_a_reset_measures_the_quiet_again():
    line = QuietLine()
    silent(line, 100)
    assert not line.observe(QUIET, is_fresh=True)


async def test_a_silent_caller_costs_the_detector_nothing_and_is_heard_at_once_when_they_speak():
    call = Call()
    await call.be_silent(10_000)
    asked = call.detector.watches[0].n_scored
    assert asked <= SETTLED_WINDOWS + 1
    await call.speak(320)
    begun = [each for each in call.evidence if getattr(each, "is_begin", False)]
    assert [each.sample for each in begun] == [(10_000 // 32) * 32 * MS]
    await call.be_silent(128)
    assert call.detector.watches[0].n_scored > asked + 320 // 32
