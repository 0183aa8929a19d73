"""Words that have been heard when so much of the sound has been played."""

import pytest

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding
from services.call_gateway.conversation.events import VoiceAudio, VoiceMark
from services.call_gateway.conversation.voice import Voice

FRAME = 160


def spoken(text: str, marks: list[tuple[int, int]], n_samples: int, *, is_complete: bool = True) -> Voice:
    voice = Voice(2, TELEPHONE, max_held_ms=60_000)
    voice.write(text)
    for offset, sample in marks:
        voice.mark(VoiceMark(2, offset, sample, is_measured=True))
    voice.add_audio(VoiceAudio(2, 0, bytes(n_samples)))
    if is_complete:
        voice.complete()
    return voice


def test_a_word_is_heard_when_its_last_sample_was_played():
    voice = spoken("one two ", [(3, 800), (7, 1600)], 1600)
    assert voice.offset_at(799) == 0
    assert voice.offset_at(800) == 3
    assert voice.offset_at(1599) == 3
    assert voice.offset_at(1600) == 8


def test_between_marks_words_lie_by_length():
    voice = spoken("one two four five", [(17, 17_000)], 17_000)
    assert voice.offset_at(2999) == 0
    assert voice.offset_at(3000) == 3
    assert voice.offset_at(7000) == 7
    assert voice.offset_at(16_999) == 12
    assert voice.offset_at(17_000) == 17


def test_without_marks_everything_is_heard_at_the_end():
    voice = spoken("one two", [], 8000)
    assert voice.offset_at(8000) == 7
    assert voice.offset_at(0) == 0


def test_while_a_measured_mark_is_awaited_no_further_word_has_ended():
    voice = spoken("one two three four five", [(3, 800)], 8000, is_complete=False)
    assert voice.offset_at(8000) == 3


def test_where_marks_are_no_measurements_words_are_guessed_from_an_ordinary_pace():
    voice = spoken("one two three four five six seven eight nine ten", [], 0, is_complete=False)
    voice.mark(VoiceMark(2, 3, 1600, is_measured=False))
    voice.add_audio(VoiceAudio(2, 0, bytes(9600)))
    assert 13 < voice.offset_at(9600) < 48


def test_han_signs_are_heard_one_by_one():
    voice = spoken("你好吗", [(3, 3000)], 3000)
    assert [voice.offset_at(sample) for sample in (999, 1000, 2000, 3000)] == [0, 1, 2, 3]


def test_a_mark_that_goes_back_or_beyond_the_text_is_dropped():
    voice = spoken("one two", [(7, 1600), (3, 1700), (7, 100), (70, 9000)], 1600)
    assert voice.dropped_chunks == 3
    assert voice.offset_at(1600) == 7


def test_the_last_frame_is_padded_with_silence():
    voice = spoken("one", [(3, 200)], 200)
    assert voice.pull(FRAME) == bytes(160)
    assert voice.pull(FRAME) == bytes(40) + TELEPHONE.silence(120)
    assert voice.pull(FRAME) is None
    assert voice.position == 200
    assert voice.is_spent


def test_a_part_of_a_frame_waits_for_the_rest():
    voice = spoken("one", [], 100, is_complete=False)
    assert voice.pull(FRAME) is None
    voice.add_audio(VoiceAudio(2, 100, bytes(60)))
    assert voice.pull(FRAME) == bytes(160)


def test_sound_that_came_twice_is_played_once():
    voice = spoken("one", [], 320, is_complete=False)
    assert not voice.add_audio(VoiceAudio(2, 0, bytes(320)))
    assert voice.received == 320


def test_sound_that_overlaps_is_joined_on_where_it_is_new():
    voice = spoken("one", [], 320, is_complete=False)
    voice.add_audio(VoiceAudio(2, 160, bytes(160) + bytes([7]) * 160))
    assert voice.received == 480
    assert voice.pull(480) == bytes(320) + bytes([7]) * 160


def test_a_small_hole_is_silence_and_a_large_one_is_refused():
    voice = spoken("one", [], 160, is_complete=False)
    assert voice.add_audio(VoiceAudio(2, 240, bytes(80)))
    assert voice.pull(320) == bytes(160) + TELEPHONE.silence(80) + bytes(80)
    assert not voice.add_audio(VoiceAudio(2, 100_000, bytes(80)))


def test_torn_samples_are_refused():
    voice = Voice(2, AudioFormat(Encoding.LINEAR16, 16_000), max_held_ms=1000)
    assert not voice.add_audio(VoiceAudio(2, 0, bytes(3)))


def test_what_is_held_is_bounded_and_cut_at_the_end():
    voice = Voice(2, TELEPHONE, max_held_ms=100)
    assert voice.add_audio(VoiceAudio(2, 0, bytes(800)))
    assert not voice.add_audio(VoiceAudio(2, 800, bytes(1)))
    voice.pull(FRAME)
    assert not voice.add_audio(VoiceAudio(2, 801, bytes(1))), "a hole would be played"


def test_a_broken_word_is_played_again_from_its_start():
    voice = spoken("one two three", [(3, 800), (7, 1600), (13, 3200)], 3200)
    voice.pull(1120)
    assert voice.word_start(voice.position) == 800
    voice.rewind(800)
    assert voice.position == 800
    assert voice.furthest == 1120


def test_a_word_between_marks_is_played_again_from_its_guessed_start():
    voice = spoken("one two four five", [(17, 17_000)], 17_000)
    assert voice.word_start(6500) == 3000
    assert voice.word_start(2000) == 0


def test_a_voice_is_cut_at_the_end_of_a_word():
    voice = spoken("one two three", [(3, 800), (7, 1600), (13, 3200)], 3200)
    voice.pull(960)
    voice.cut(voice.word_end(voice.position))
    assert voice.received == 1600
    assert voice.offset_at(1600) == 7


def test_a_fresh_stream_goes_on_from_the_last_word_heard():
    voice = spoken("one two three", [(3, 800), (7, 1600)], 2400, is_complete=False)
    voice.pull(1120)
    voice.go_on_from(voice.offset_at(voice.furthest))
    assert voice.start_offset == 3
    voice.add_audio(VoiceAudio(2, 0, bytes(1600)))
    voice.mark(VoiceMark(2, 7, 800, is_measured=True))
    voice.mark(VoiceMark(2, 13, 1600, is_measured=True))
    voice.complete()
    assert voice.received == 1120 + 1600
    assert voice.offset_at(1120 + 799) == 3
    assert voice.offset_at(1120 + 800) == 7
    assert voice.offset_at(1120 + 1600) == 13


@pytest.mark.parametrize("sample", range(0, 2000, 125))
def test_words_never_come_back_unsaid_as_time_goes_on(sample: int):
    voice = spoken("a bb ccc dddd eeeee", [(4, 500), (8, 900)], 2000)
    assert voice.offset_at(sample) <= voice.offset_at(sample + 125)


def test_sound_played_long_ago_is_forgotten_and_the_count_goes_on():
    voice = Voice(2, TELEPHONE, max_held_ms=60_000)
    for second in range(40):
        voice.add_audio(VoiceAudio(2, second * 8000, bytes([second]) * 8000))
        for _ in range(50):
            frame = voice.pull(FRAME)
            assert frame == bytes([second]) * FRAME
    assert voice.received == voice.position == 40 * 8000
    voice.rewind(0)
    assert 20 * 8000 <= voice.position <= 30 * 8000, "as far back as is kept"


def test_a_voice_that_has_said_everything_ends_with_its_last_word():
    voice = spoken("one", [(3, 800)], 800)
    assert voice.word_end(800) == 800
    assert voice.word_start(800) == 800
