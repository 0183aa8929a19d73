import numpy as np
import pytest

from services.audio.pcm import AudioFormat, Encoding, encode
from services.stt_proxy.errors import AudioOverlap, BadSample, ChunkTooLong, TornAudio
from services.stt_proxy.intake import Break, IdleReason, Intake, Silence, Skip, Taken, Window

MULAW = AudioFormat(Encoding.MULAW, 8000)
WIDE = AudioFormat(Encoding.LINEAR16, 48000)


def intake(audio_format: AudioFormat = MULAW, start_sample: int = 0) -> Intake:
    return Intake(audio_format, start_sample=start_sample, max_gap_ms=1000)


def sound(n_samples: int, audio_format: AudioFormat = MULAW) -> bytes:
    return encode(audio_format, np.full(n_samples, 8031, dtype=np.int16))


def places(taken: Taken) -> list[tuple[int, int]]:
    return [(step.start_sample, step.end_sample) for step in taken.steps if isinstance(step, Window)]


def test_windows_tile_the_clock_whatever_the_chunks():
    incoming = intake()
    found = [place for n in range(8) for place in places(incoming.take_audio(n * 160, sound(160)))]
    assert found == [(n * 256, (n + 1) * 256) for n in range(5)]


def test_a_stream_opened_in_mid_call_counts_from_there():
    assert places(intake(start_sample=80_000).take_audio(80_000, sound(256))) == [(80_000, 80_256)]


@pytest.mark.parametrize(("rate", "factor"), [(8000, 1), (16000, 2), (24000, 3), (48000, 6)])
def test_windows_lie_on_the_clock_of_the_call_at_every_rate(rate, factor):
    incoming = intake(AudioFormat(Encoding.LINEAR16, rate))
    content = sound(100 * rate // 1000, AudioFormat(Encoding.LINEAR16, rate))
    taken = [incoming.take_audio(n * 100 * rate // 1000, content) for n in range(4)]
    found = [place for each in taken for place in places(each)]
    assert found[:3] == [(n * 256 * factor, (n + 1) * 256 * factor) for n in range(3)]


def test_only_the_first_window_is_fresh():
    taken = intake().take_audio(0, sound(800))
    assert [step.is_fresh for step in taken.steps] == [True, False, False]


def test_a_gap_up_to_a_second_is_concealed():
    incoming = intake()
    incoming.take_audio(0, sound(160))
    taken = incoming.take_audio(160 + 8000, sound(160))
    assert [(clip.start_sample, len(clip.samples)) for clip in taken.sound] == [(160, 8000), (8160, 160)]
    assert not any(isinstance(step, Break) for step in taken.steps)


def test_a_longer_gap_is_a_reset_and_nothing_of_it_is_allocated():
    incoming = intake()
    incoming.take_audio(0, sound(160))
    taken = incoming.take_audio(1 << 60, sound(256))
    assert taken.steps[0] == Break(1 << 60)
    assert places(taken) == [(1 << 60, (1 << 60) + 256)]
    assert taken.steps[1].is_fresh
    assert sum(len(clip.samples) for clip in taken.sound) == 256


def test_an_overlap_is_refused_and_changes_nothing():
    incoming = intake()
    incoming.take_audio(0, sound(160))
    with pytest.raises(AudioOverlap) as refused:
        incoming.take_audio(159, sound(160))
    assert refused.value.field == "audio.start_sample"
    assert incoming.next_sample == 160


def test_half_a_sample_is_refused():
    with pytest.raises(TornAudio) as refused:
        intake(WIDE).take_audio(0, bytes(961))
    assert refused.value.field == "audio.content"


def test_a_chunk_over_a_second_is_refused():
    with pytest.raises(ChunkTooLong):
        intake().take_audio(0, sound(8001))


def test_no_call_begins_before_its_first_sample():
    with pytest.raises(BadSample):
        intake().take_audio(-160, sound(160))


def test_an_empty_chunk_is_nothing():
    incoming = intake()
    assert incoming.take_audio(0, b"") == Taken()
    assert incoming.next_sample == 0


def test_unexplained_time_counts_as_silence_after_100_ms():
    incoming = intake()
    incoming.take_audio(0, sound(160))
    taken = incoming.take_idle(160, 160 + 2400, IdleReason.UNKNOWN)
    assert taken.steps == (Skip(160 + 800), Silence(160 + 800, 160 + 2400))


def test_unexplained_time_adds_up_over_messages():
    incoming = intake()
    first = incoming.take_idle(0, 480, IdleReason.UNKNOWN)
    second = incoming.take_idle(480, 960, IdleReason.UNKNOWN)
    third = incoming.take_idle(960, 1440, IdleReason.UNKNOWN)
    assert first.steps == (Skip(480),)
    assert second.steps == (Skip(800), Silence(800, 960))
    assert third.steps == (Silence(960, 1440),)


def test_sound_ends_the_doubt():
    incoming = intake()
    incoming.take_idle(0, 480, IdleReason.UNKNOWN)
    incoming.take_audio(480, sound(160))
    assert incoming.take_idle(640, 1120, IdleReason.UNKNOWN).steps == (Skip(1120),)


@pytest.mark.parametrize("reason", [IdleReason.HOLD, IdleReason.DTMF])
def test_hold_and_keys_never_count_as_silence(reason):
    assert intake().take_idle(0, 8000 * 600, reason).steps == (Skip(8000 * 600),)


def test_loss_is_concealed():
    incoming = intake()
    incoming.take_audio(0, sound(160))
    taken = incoming.take_idle(160, 160 + 480, IdleReason.LOSS)
    assert [len(clip.samples) for clip in taken.sound] == [480]
    assert places(taken) == [(0, 256), (256, 512)]


def test_loss_beyond_a_second_is_silence_however_it_is_told():
    incoming = intake()
    told = [incoming.take_idle(n * 4000, (n + 1) * 4000, IdleReason.LOSS) for n in range(4)]
    assert sum(len(clip.samples) for taken in told for clip in taken.sound) == 8000
    assert told[2].steps == (Silence(8000, 12000),)
    assert told[3].steps == (Silence(12000, 16000),)


def test_idle_time_that_overlaps_is_refused():
    incoming = intake()
    incoming.take_audio(0, sound(160))
    with pytest.raises(AudioOverlap) as refused:
        incoming.take_idle(100, 300, IdleReason.HOLD)
    assert refused.value.field == "media_idle.from_sample"


def test_idle_time_that_ends_before_it_begins_is_refused():
    with pytest.raises(BadSample) as refused:
        intake().take_idle(300, 100, IdleReason.HOLD)
    assert refused.value.field == "media_idle.to_sample"


def test_windows_begin_again_after_idle_time():
    incoming = intake()
    incoming.take_audio(0, sound(300))
    incoming.take_idle(300, 1000, IdleReason.HOLD)
    [window] = incoming.take_audio(1000, sound(256)).steps
    assert (window.start_sample, window.is_fresh) == (1000, False)


def test_after_a_second_without_sound_the_detector_forgets():
    incoming = intake()
    incoming.take_audio(0, sound(256))
    incoming.take_idle(256, 256 + 4000, IdleReason.HOLD)
    incoming.take_idle(256 + 4000, 256 + 8000, IdleReason.HOLD)
    [window] = incoming.take_audio(256 + 8000, sound(256)).steps
    assert window.is_fresh


def test_the_last_part_of_a_window_is_heard_at_the_end():
    incoming = intake()
    incoming.take_audio(0, sound(300))
    assert places(incoming.finish()) == [(256, 512)]
    assert incoming.finish() == Taken()
