"""Chunks of the caller's sound, and those kept on the way to the STT stage."""

import numpy as np
import pytest
from voice.stt.v1 import stt_pb2

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, encode
from services.call_gateway.line import CallerAudio, IdleReason, MediaIdle
from services.call_gateway.sound.chunk_policy import ChunkLimit, ChunkPolicy
from services.call_gateway.sound.chunks import KEPT_S, Chunk, Chunker
from services.call_gateway.sound.track import Track
from services.call_gateway.stages.stt import audio_message

FRAME = 160
SILENCE = TELEPHONE.silence(FRAME)


def voice(amplitude: int, audio_format: AudioFormat = TELEPHONE) -> bytes:
    wave = amplitude * np.sin(np.arange(FRAME) * 2 * np.pi * 300 / 8000)
    return encode(audio_format, wave.astype(np.int16))


class CallerSound(Chunker):
    """Cuts what a track makes of each packet."""

    def __init__(self, audio_format: AudioFormat) -> None:
        super().__init__(audio_format)
        self._track = Track(audio_format)

    def add(self, audio: CallerAudio, *, is_agent_speaking: bool, is_voice_heard: bool = False) -> Chunk | None:
        frames = self._track.add_received(audio)
        return self.feed(frames, is_agent_speaking=is_agent_speaking, is_voice_heard=is_voice_heard)


def quiet_sound() -> tuple[CallerSound, int]:
    """A line that has been silent for a while, and its next sample."""
    sound = CallerSound(TELEPHONE)
    for number in range(50):
        sound.add(CallerAudio(number * FRAME, SILENCE), is_agent_speaking=False)
    sound.flush()
    return sound, 50 * FRAME


def lengths(stretches: list[Chunk | None]) -> list[int]:
    return [0 if stretch is None else stretch.to_sample - stretch.from_sample for stretch in stretches]


def silence(sound: CallerSound, start: int, frames: int, *, is_agent_speaking: bool = False) -> list[int]:
    """A silent line; how much went on after each frame."""
    given = [
        sound.add(CallerAudio(start + number * FRAME, SILENCE), is_agent_speaking=is_agent_speaking)
        for number in range(frames)
    ]
    return lengths(given)


def test_on_a_quiet_line_ten_frames_go_as_one():
    sound, start = quiet_sound()
    assert silence(sound, start, 11) == [0] * 9 + [1600, 0]


def test_in_steady_sound_two_frames_go_as_one():
    sound, start = noisy_line()
    given = [sound.add(CallerAudio(start + number * FRAME, voice(300)), is_agent_speaking=False) for number in range(4)]
    assert lengths(given) == [0, 320, 0, 320]


def noisy_line(*, seconds: int = 1) -> tuple[CallerSound, int]:
    """A line with a steady noise, and its next sample."""
    sound = CallerSound(TELEPHONE)
    for number in range(50 * seconds):
        sound.add(CallerAudio(number * FRAME, voice(300)), is_agent_speaking=False)
    sound.flush()
    return sound, 50 * seconds * FRAME


def test_while_the_agent_speaks_every_sound_goes_at_once():
    sound, start = noisy_line()
    given = [sound.add(CallerAudio(start + number * FRAME, voice(300)), is_agent_speaking=True) for number in range(3)]
    assert lengths(given) == [160, 160, 160]


def test_what_is_heard_all_the_time_is_the_lines_noise_and_in_no_hurry():
    sound, start = noisy_line(seconds=30)
    given = [sound.add(CallerAudio(start + number * FRAME, voice(300)), is_agent_speaking=True) for number in range(10)]
    assert lengths(given) == [0] * 9 + [1600]


def test_speech_above_the_noise_of_the_line_is_sent_at_once():
    sound, start = noisy_line(seconds=30)
    given = sound.add(CallerAudio(start, voice(900)), is_agent_speaking=True)
    assert lengths([given]) == [160]


def over_the_agent(sound: CallerSound, start: int, frames: int) -> list[int]:
    """A voice while the agent speaks; how much went on after each frame."""
    given = [
        sound.add(CallerAudio(start + number * FRAME, voice(8000)), is_agent_speaking=True) for number in range(frames)
    ]
    return lengths(given)


def test_what_completes_no_step_of_the_ears_waits_for_what_does():
    sound = CallerSound(TELEPHONE)
    sound.begin(0)
    sound.follow_steps(32)
    assert over_the_agent(sound, 0, 8) == [0, 320, 0, 320, 160, 0, 320, 160]  # complete: 2 frames, 4, 5, ...


def test_a_fresh_stream_counts_steps_from_where_it_begins():
    sound = CallerSound(TELEPHONE)
    over_the_agent(sound, 0, 1)
    sound.begin(160)
    sound.follow_steps(32)
    assert over_the_agent(sound, 160, 5) == [0, 320, 0, 320, 160]


def test_after_idle_time_steps_are_counted_from_zero():
    sound = CallerSound(TELEPHONE)
    sound.follow_steps(32)
    over_the_agent(sound, 0, 2)
    sound.on_idle(MediaIdle(320, 1600, IdleReason.UNKNOWN))
    assert over_the_agent(sound, 1600, 5) == [0, 320, 0, 320, 160]


def test_after_a_loss_they_go_on():
    sound = CallerSound(TELEPHONE)
    sound.follow_steps(32)
    over_the_agent(sound, 0, 2)
    sound.on_idle(MediaIdle(320, 480, IdleReason.LOSS))
    assert over_the_agent(sound, 480, 4) == [160, 160, 0, 320]


def test_an_stt_stage_that_does_not_say_its_step_gets_every_frame():
    sound = CallerSound(TELEPHONE)
    sound.follow_steps(0)
    assert over_the_agent(sound, 0, 3) == [160, 160, 160]


def test_a_quiet_line_is_in_no_hurry_even_then():
    sound, start = quiet_sound()
    assert silence(sound, start, 10, is_agent_speaking=True) == [0] * 9 + [1600]


def test_a_change_of_level_goes_at_once_and_takes_along_what_was_held():
    sound, start = quiet_sound()
    assert sound.add(CallerAudio(start, SILENCE), is_agent_speaking=False) is None
    given = sound.add(CallerAudio(start + FRAME, voice(8000)), is_agent_speaking=False)
    assert given is not None
    assert (given.from_sample, given.to_sample) == (start, start + 2 * FRAME)


def test_when_speech_begins_chunks_stay_short_for_a_while():
    sound, start = quiet_sound()
    sound.add(CallerAudio(start, voice(8000)), is_agent_speaking=False)
    given = [
        sound.add(CallerAudio(start + number * FRAME, voice(8000)), is_agent_speaking=False) for number in range(1, 5)
    ]
    assert lengths(given) == [160] * 4


def test_when_speech_ends_chunks_stay_short_until_its_pause_is_counted():
    sound, start = quiet_sound()
    for number in range(40):
        sound.add(CallerAudio(start + number * FRAME, voice(8000)), is_agent_speaking=False)
    sound.flush()
    assert silence(sound, start + 40 * FRAME, 14) == [160] * 14


def test_once_the_stt_stage_has_judged_the_pause_chunks_are_long_again():
    sound, start = quiet_sound()
    for number in range(40):
        sound.add(CallerAudio(start + number * FRAME, voice(8000)), is_agent_speaking=False)
    sound.flush()
    start += 40 * FRAME
    assert silence(sound, start, 7) == [160] * 7
    sound.on_pause_judged()
    assert silence(sound, start + 7 * FRAME, 10) == [0] * 9 + [1600]


def test_a_dip_within_speech_shortens_no_chunk():
    sound, start = quiet_sound()
    for number in range(40):
        sound.add(CallerAudio(start + number * FRAME, voice(8000)), is_agent_speaking=False)
    sound.flush()
    assert sound.add(CallerAudio(start + 40 * FRAME, voice(4000)), is_agent_speaking=False) is None


def heard_voice() -> tuple[CallerSound, int]:
    """A voice that the STT stage hears, and its next sample."""
    sound, start = quiet_sound()
    for number in range(40):
        sound.add(CallerAudio(start + number * FRAME, voice(8000)), is_agent_speaking=False, is_voice_heard=True)
    sound.flush()
    return sound, start + 40 * FRAME


def test_speech_the_stt_stage_has_detected_is_sent_in_long_chunks_however_its_level_rises():
    sound, start = heard_voice()
    given = [
        sound.add(
            CallerAudio(start + number * FRAME, voice(8000 + 4000 * number)),
            is_agent_speaking=False,
            is_voice_heard=True,
        )
        for number in range(5)
    ]
    assert lengths(given) == [0, 0, 0, 0, 800]


def after_the_voice(sound: CallerSound, start: int, *frames: bytes) -> list[int]:
    """The lengths that go on after each frame while the STT stage still hears the voice."""
    given = [
        sound.add(CallerAudio(start + number * FRAME, frame), is_agent_speaking=False, is_voice_heard=True)
        for number, frame in enumerate(frames)
    ]
    return lengths(given)


def test_its_end_goes_on_as_soon_as_it_is_longer_than_a_dip_with_what_was_held():
    sound, start = heard_voice()
    assert after_the_voice(sound, start, voice(8000), *[SILENCE] * 6) == [0, 0, 0, 0, 800, 160, 160]


def test_chunks_are_short_for_300_ms_then_longer_until_the_stt_stage_has_reported():
    sound, start = heard_voice()
    given = after_the_voice(sound, start, *[SILENCE] * 40)
    assert given[:14] == [0] * 3 + [640] + [160] * 10
    assert sorted(given[-4:]) == [0, 0, 320, 320]


def test_the_end_of_speech_softer_than_that_before_it_is_sent_in_short_chunks_too():
    sound, start = heard_voice()
    soft = after_the_voice(sound, start, *[voice(200)] * 28)
    assert sorted(soft[-4:]) == [0, 0, 320, 320]
    sound.flush()
    assert after_the_voice(sound, start + 28 * FRAME, *[SILENCE] * 5) == [160] * 5


def test_speech_that_returns_after_longer_is_a_new_onset():
    sound, start = heard_voice()
    given = after_the_voice(sound, start, *[SILENCE] * 5, *[voice(8000)] * 10)
    assert given == [0, 0, 0, 640, 160] + [160] * 5 + [0] * 4 + [800]


def test_a_dip_to_silence_shortens_no_chunk():
    sound, start = heard_voice()
    assert after_the_voice(sound, start, *[SILENCE] * 3, *[voice(8000)] * 3) == [0, 0, 0, 0, 800, 0]


def test_flushing_gives_what_is_held_once():
    sound, start = quiet_sound()
    sound.add(CallerAudio(start, SILENCE, concealed_samples=40), is_agent_speaking=False)
    held = sound.flush()
    assert held is not None
    assert audio_message(held).audio.concealed_samples == 40
    assert sound.flush() is None


def test_a_fresh_stream_hears_again_what_was_not_settled():
    sound, start = quiet_sound()
    for number in range(10):
        sound.add(CallerAudio(start + number * FRAME, voice(8000)), is_agent_speaking=True)
    kept = sound.kept_since(start + 4 * FRAME)
    assert kept[0].from_sample == start + 4 * FRAME
    assert kept[-1].to_sample == sound.next_sample == start + 10 * FRAME


def test_no_more_than_the_last_seconds_are_kept():
    sound = CallerSound(TELEPHONE)
    for number in range(50 * (KEPT_S + 5)):
        sound.add(CallerAudio(number * FRAME, SILENCE), is_agent_speaking=True)
    kept = sound.kept_since(0)
    assert sound.next_sample - kept[0].from_sample <= KEPT_S * 8000 + 10 * FRAME


def test_idle_time_keeps_its_reason():
    sound = CallerSound(TELEPHONE)
    stretch = sound.on_idle(MediaIdle(0, 800, IdleReason.HOLD))
    assert audio_message(stretch).media_idle.reason == stt_pb2.MediaIdle.REASON_HOLD
    assert stretch.sound_samples == 0


@pytest.mark.parametrize("encoding", list(Encoding))
def test_loudness_is_followed_in_every_encoding(encoding: Encoding):
    audio_format = AudioFormat(encoding, 8000)
    track, policy = Track(audio_format), ChunkPolicy(8000)

    def urgency(amplitude: int, at: int) -> ChunkLimit:
        (frame,) = track.add_received(CallerAudio(at * FRAME, voice(amplitude, audio_format)))
        return policy.observe(frame, is_voice_heard=False, is_agent_speaking=False)

    assert [urgency(500, at) for at in range(20)][6:] == [ChunkLimit.SOON] * 14
    assert urgency(4000, 20) is ChunkLimit.AT_ONCE
    assert [urgency(4000, at) for at in range(21, 41)][-1] is ChunkLimit.SOON
    assert urgency(2000, 41) is ChunkLimit.SOON
    assert urgency(0, 42) is ChunkLimit.AT_ONCE
    assert [urgency(0, at) for at in range(43, 83)][-1] is ChunkLimit.QUIET
