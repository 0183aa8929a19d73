"""Reported progress of listening to a call: in steps of sound, and in smaller ones where those take long."""

from services.stt_proxy.events import Progress
from services.stt_proxy.progress import ProgressSteps

MS = 8  # samples


def steps() -> ProgressSteps:
    return ProgressSteps(0, samples_per_ms=MS)


def told(progress: ProgressSteps, reached_ms: int, now_s: float) -> list[int]:
    """The progress that is reported, in milliseconds of the call's clock."""
    made = list(progress.due(reached_ms * MS, now_s=now_s))
    assert all(isinstance(one, Progress) for one in made)
    return [one.processed_sample // MS for one in made]


def test_at_the_pace_of_speech_it_is_told_every_400_ms():
    progress = steps()
    times = [(at, number * 0.032) for number, at in enumerate(range(0, 2000, 32))]
    found = [one for at, now_s in times for one in told(progress, at, now_s)]
    assert found == [416, 832, 1248, 1664]


def test_a_recogniser_slower_than_speech_gives_a_sign_whenever_it_came_on():
    progress = steps()
    told(progress, 0, 0.0)
    silences, last_s = [], 0.0
    for number in range(1, 31):
        now_s = number * 0.5  # 100 ms of sound in half a second
        if told(progress, number * 100, now_s):
            silences.append(now_s - last_s)
            last_s = now_s
    assert max(silences) <= 0.5
    assert len(silences) == 30


def test_one_that_does_not_come_on_gives_no_sign():
    progress = steps()
    told(progress, 0, 0.0)
    assert told(progress, 100, 0.5) == [100]
    assert [told(progress, 100, number * 0.1) for number in range(6, 60)] == [[]] * 54
    assert told(progress, 200, 6.0) == [200]


def test_what_was_caught_up_is_told_step_by_step():
    progress = steps()
    told(progress, 0, 0.0)
    assert told(progress, 1300, 3.0) == [400, 800, 1300]
