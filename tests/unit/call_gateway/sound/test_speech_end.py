"""End of speech, looked up in the sound itself."""

import numpy as np
import pytest

from services.audio.pcm import TELEPHONE, encode
from services.call_gateway.line import CallerAudio
from services.call_gateway.sound.track import Track

FRAME = 160
RATE = 8000
END = 12_000  # of the voice: a second and a half


def heard(*, noise: float = 0.0, without: int | None = None) -> Track:
    """A voice that swells up and down, then a second of what is left; `without`: that frame never came."""
    chance = np.random.default_rng(1)
    at = np.arange(2 * RATE + 4000)
    sound = 8000 * np.sin(at) * (0.6 + 0.4 * np.sin(at / 700)) * (at < END) + noise * chance.standard_normal(len(at))
    track = Track(TELEPHONE)
    for index, start in enumerate(range(0, len(sound), FRAME)):
        if index != without:
            track.add_received(CallerAudio(start, encode(TELEPHONE, sound[start : start + FRAME].astype(np.int16))))
    return track


@pytest.mark.parametrize("noise", [0.0, 30.0, 300.0])
def test_the_end_of_speech_is_found_to_within_5_ms_near_the_end_the_stt_stage_reports(noise: float):
    assert abs(heard(noise=noise).speech_end(END + 500) - END) <= 40


def test_a_right_end_from_the_stt_stage_is_kept():
    assert abs(heard().speech_end(END) - END) <= 40


def test_without_the_sound_the_stt_stage_is_believed():
    assert Track(TELEPHONE).speech_end(END) == END
    assert heard(without=80).speech_end(END + 500) == END + 500


def test_what_was_noise_all_along_has_the_end_the_stt_stage_says():
    assert heard(noise=6000.0).speech_end(END + 500) > END
