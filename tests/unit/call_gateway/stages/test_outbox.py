"""Outbox of a stage: nothing is lost but the oldest sound."""

import pytest

from services.call_gateway.stages.outbox import MAX_WAITING_REQUESTS, Outbox, OutboxFull, SoundOutbox


def sound_outbox(*, max_waiting: int = 1000, max_ahead: int = 10_000) -> SoundOutbox[str]:
    return SoundOutbox(start_sample=0, max_waiting_samples=max_waiting, max_ahead_samples=max_ahead)


def emptied(outbox: Outbox[str]) -> list[str]:
    taken = []
    while (request := outbox.pop()) is not None:
        taken.append(request)
    return taken


def test_requests_leave_in_order():
    outbox: Outbox[str] = Outbox()
    outbox.push("first")
    outbox.push("second")
    assert emptied(outbox) == ["first", "second"]


def test_a_full_outbox_refuses_and_keeps_what_it_has():
    outbox: Outbox[str] = Outbox()
    for number in range(MAX_WAITING_REQUESTS):
        outbox.push(str(number))
    with pytest.raises(OutboxFull):
        outbox.push("one too many")
    assert len(emptied(outbox)) == MAX_WAITING_REQUESTS


def test_over_the_bound_the_oldest_sound_is_dropped_and_counted():
    outbox = sound_outbox(max_waiting=320)
    for number in range(4):
        outbox.push_sound(f"sound {number}", end_sample=160 * (number + 1), n_samples=160)
    assert outbox.dropped_chunks == 2
    assert emptied(outbox) == ["sound 2", "sound 3"]


def test_what_is_no_sound_is_never_dropped_and_keeps_its_place():
    outbox = sound_outbox(max_waiting=160)
    outbox.push_sound("old", end_sample=160, n_samples=160)
    outbox.push("end of utterance")
    outbox.push_sound("new", end_sample=320, n_samples=160)
    assert emptied(outbox) == ["end of utterance", "new"]


def test_sound_is_held_back_while_the_stt_stage_is_too_far_behind():
    outbox = sound_outbox(max_ahead=200)
    outbox.push_sound("near", end_sample=160, n_samples=160)
    outbox.push_sound("far", end_sample=320, n_samples=160)
    outbox.push("after it")
    assert emptied(outbox) == ["near"]
    outbox.listened(160)
    assert emptied(outbox) == ["far", "after it"]


def test_the_stt_position_never_goes_back():
    outbox = sound_outbox(max_ahead=200)
    outbox.listened(400)
    outbox.listened(100)
    outbox.push_sound("sound", end_sample=560, n_samples=160)
    assert emptied(outbox) == ["sound"]


def test_idle_time_waits_without_weight():
    outbox = sound_outbox(max_waiting=160)
    outbox.push_sound("a long hold", end_sample=80_000, n_samples=0)
    outbox.push_sound("sound", end_sample=80_160, n_samples=160)
    assert outbox.dropped_chunks == 0
