"""The voices that are played, and far sides that report how much they have played."""

from services.audio.pcm import TELEPHONE
from services.call_gateway.conversation.events import VoiceAudio
from services.call_gateway.conversation.playout import Playout
from services.call_gateway.conversation.voice import Voice

FRAME = 160


def voice_of(turn_id: int, ms: int, *, is_complete: bool = True) -> Voice:
    voice = Voice(turn_id, TELEPHONE, max_held_ms=60_000)
    voice.write("one two three")
    voice.add_audio(VoiceAudio(turn_id, 0, bytes([turn_id]) * ms * 8))
    if is_complete:
        voice.complete()
    return voice


def playing(*voices: Voice) -> Playout:
    playout = Playout(TELEPHONE, frame_ms=20)
    for voice in voices:
        playout.enqueue(voice)
    return playout


def pull(playout: Playout, n_frames: int) -> None:
    for _ in range(n_frames):
        playout.pull()


def test_voices_are_heard_one_after_the_other():
    playout = playing(voice_of(1, 40), voice_of(2, 40))
    assert [(pulled.content or b"?")[0] for pulled in (playout.pull() for _ in range(4))] == [1, 1, 2, 2]


def test_a_voice_may_go_first():
    playout = playing(voice_of(1, 40))
    playout.enqueue(voice_of(2, 20), first=True)
    assert [(pulled.content or b"?")[0] for pulled in (playout.pull() for _ in range(3))] == [2, 1, 1]


def test_a_voice_enqueued_twice_is_played_once():
    voice = voice_of(1, 20)
    playout = playing(voice, voice)
    pull(playout, 1)
    assert playout.pull().finished == (voice,)
    assert playout.current is None


def test_the_first_frame_and_the_end_are_told():
    voice = voice_of(1, 40)
    playout = playing(voice)
    first, second, third = (playout.pull() for _ in range(3))
    assert (first.began, second.began) == (voice, None)
    assert (second.finished, third.finished) == ((), (voice,))
    assert third.content is None


def test_a_voice_that_was_taken_off_is_not_heard():
    voice = voice_of(1, 40)
    playout = playing(voice)
    playout.remove(voice)
    assert playout.pull().content is None


def test_running_dry_in_mid_voice_is_an_underrun_and_waiting_for_its_start_is_none():
    voice = voice_of(1, 20, is_complete=False)
    playout = playing(voice_of(2, 0, is_complete=False))
    playout.pull()
    assert playout.underruns == 0
    playout = playing(voice)
    pull(playout, 2)
    assert playout.underruns == 1
    assert playout.is_dry


def test_sent_is_played_where_the_far_side_does_not_report():
    voice = voice_of(1, 100)
    playout = playing(voice)
    pull(playout, 3)
    assert playout.played(voice) == 3 * FRAME
    assert not playout.discard_sent()


def test_a_far_side_is_believed():
    voice = voice_of(1, 100)
    playout = playing(voice)
    playout.played_up_to(0)
    pull(playout, 3)
    playout.played_up_to(200)
    assert playout.played(voice) == 200


def test_silence_counts_on_the_line_and_not_in_the_voice():
    voice = voice_of(1, 100)
    playout = playing()
    playout.played_up_to(0)
    pull(playout, 5)
    playout.enqueue(voice)
    pull(playout, 2)
    playout.played_up_to(5 * FRAME + 100)
    assert playout.played(voice) == 100


def test_what_was_discarded_before_it_was_played_is_said_again():
    voice = voice_of(1, 200)
    playout = playing(voice)
    playout.played_up_to(0)
    pull(playout, 5)
    playout.played_up_to(2 * FRAME)
    assert playout.discard_sent()
    assert voice.position == 2 * FRAME
    pull(playout, 1)
    assert voice.position == 3 * FRAME


def test_a_far_side_that_jumps_past_what_was_discarded_has_not_played_it():
    voice = voice_of(1, 200)
    playout = playing(voice)
    playout.played_up_to(0)
    pull(playout, 5)
    playout.played_up_to(2 * FRAME)
    playout.discard_sent()
    playout.pass_silence()
    playout.played_up_to(6 * FRAME)
    assert playout.played(voice) == 2 * FRAME


def test_a_far_side_that_went_on_until_the_discard_reached_it_is_believed():
    voice = voice_of(1, 200)
    playout = playing(voice)
    playout.played_up_to(0)
    pull(playout, 5)
    playout.played_up_to(2 * FRAME)
    playout.discard_sent()
    playout.played_up_to(3 * FRAME)
    assert playout.played(voice) == 3 * FRAME


def test_a_voice_is_heard_out_when_the_far_side_has_played_it():
    voice = voice_of(1, 40)
    playout = playing(voice)
    playout.played_up_to(0)
    pull(playout, 4)
    assert playout.current is voice
    playout.played_up_to(2 * FRAME)
    assert playout.pull().finished == (voice,)


def test_a_far_side_that_falls_silent_does_not_hold_up_the_call():
    voice = voice_of(1, 40)
    playout = playing(voice)
    playout.played_up_to(0)
    pull(playout, 2 + 2000 // 20)
    assert playout.current is voice
    pull(playout, 2)
    assert playout.current is None


def test_a_far_side_cannot_have_played_what_was_not_sent():
    voice = voice_of(1, 100)
    playout = playing(voice)
    playout.played_up_to(0)
    pull(playout, 1)
    playout.played_up_to(10**9)
    assert playout.played(voice) == FRAME
    pull(playout, 1)
    assert playout.played(voice) == FRAME


def test_a_far_side_that_begins_to_report_in_mid_voice_is_believed_from_there():
    voice = voice_of(1, 200)
    playout = playing(voice)
    pull(playout, 5)
    playout.played_up_to(3 * FRAME)
    assert playout.played(voice) == 3 * FRAME
