"""The telephone lines of tests.load.hearing do what their names say."""

import numpy as np
import pytest

from tests.load.hearing.conditions import LINES, RATE, Line, frame_levels, speech_level
from tests.load.hearing.listening import on_line, speech_range, spoken_words
from tests.load.hearing.recordings import NotThere, Spoken, folder_of, spread_over

SPEECH = np.concatenate([np.zeros(RATE), 6000 * np.sin(np.arange(RATE) * 0.3), np.zeros(RATE)])
OTHERS = [4000 * np.sin(np.arange(RATE) * 0.2)]


@pytest.mark.parametrize("name", LINES)
def test_a_line_keeps_the_length_and_is_the_same_each_time(name):
    line: Line = LINES[name]
    first, again = (line.apply(SPEECH.copy(), OTHERS, 7) for _ in range(2))
    assert len(first) == len(SPEECH)
    assert np.array_equal(first, again)


@pytest.mark.parametrize(("name", "snr_db"), [("street 10 dB", 10), ("street 0 dB", 0), ("speech 0 dB", 0)])
def test_noise_lies_as_far_below_speech_as_its_name_says(name, snr_db):
    noise = LINES[name].apply(SPEECH.copy(), OTHERS, 7) - SPEECH
    level = speech_level(noise) if "speech" in name else np.sqrt((noise**2).mean())
    assert 20 * np.log10(speech_level(SPEECH) / level) == pytest.approx(snr_db, abs=1)


def test_a_level_is_that_of_the_loudest_sample():
    quiet = LINES["level -45 dBFS"].apply(SPEECH.copy(), OTHERS, 7)
    assert 20 * np.log10(np.abs(quiet).max() / 32768) == pytest.approx(-45, abs=0.1)
    assert frame_levels(quiet).max() < 200


def test_loss_takes_packets_and_speech_is_placed_behind_the_lead():
    spoken = Spoken("one", "", "en-US", SPEECH)
    packets, first, last = on_line(spoken, OTHERS, LINES["5 % loss"], 3)
    assert 0 < sum(one is None for one in packets) < len(packets) / 5
    assert (first, last) == (2 * RATE, 3 * RATE)
    assert speech_range(SPEECH) == (RATE, 2 * RATE)


def test_figures_count_as_the_words_they_are_said_as():
    assert spoken_words("Press 21.", "en-US") == ["press", "twenty", "one"]
    assert spoken_words("对。", "zh-CN") == ["对"]


def test_a_folder_without_texts_is_said_to_be_none(tmp_path):
    with pytest.raises(NotThere):
        folder_of(tmp_path, "en-US")
    assert spread_over([Spoken(str(n), "", "en-US", SPEECH) for n in range(10)], 2)[1].name == "5"
