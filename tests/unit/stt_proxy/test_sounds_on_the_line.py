import re

import numpy as np
import pytest
import pytest_asyncio

from services.stt_proxy.events import SpeechActivity, UtteranceSettled

from .real_stt import SOUNDS, RealStt, clip, music, noise, settled_text, silence, texts, tones

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module")]

PHRASES = ("Sunrise Dental Clinic", "Doctor Tran Mai", "whitening", "nha khoa Bình Minh", "lấy cao răng")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stt():
    real = RealStt()
    await real.load()
    yield real
    await real.engine.close()
    real.detector.close()


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize("language_code", ["en-US", "vi-VN"])
@pytest.mark.parametrize("name", SOUNDS)
async def test_ten_seconds_of_it_are_no_words(stt, name, language_code):
    assert texts(await stt.recognise(SOUNDS[name](), language_code, phrases=PHRASES)) == []


@pytest.mark.parametrize("before", ["music", "a tone"])
@pytest.mark.parametrize("gap_s", [0.3, 1, 3])
@pytest.mark.parametrize("line_noise", [0, 60])
async def test_the_first_word_after_music_or_a_tone_is_heard(stt, before, gap_s, line_noise):
    played = music(12) if before == "music" else tones(12, (440, 480))
    gap = noise(gap_s, line_noise) if line_noise else silence(gap_s)
    said = clip("Where are you?")
    evidence = await stt.recognise(np.concatenate([played, gap, said, silence(1)]), "en-US")
    began = next(each.sample for each in evidence if isinstance(each, SpeechActivity) and each.is_begin)
    assert abs(began - len(played) - len(gap)) < 100 * 8
    assert words(settled_text(evidence)) == "where are you"


async def test_speech_longer_than_one_piece_is_one_turn_with_all_its_words(stt):
    said = (
        "Excuse me, can I say something?",
        "My tooth hurts.",
        "I want to cancel my visit.",
        "How much is a check up?",
        "Do you work on Saturday?",
        "I need an appointment.",
        "Where are you?",
        "Do you take insurance?",
        "Can I park there?",
        "What are your opening hours?",
        "Stop please, I have another question.",
    )
    sound = np.concatenate([np.concatenate([clip(text), silence(0.2)]) for text in (*said, *said)])
    assert len(sound) > 28 * 8000
    evidence = await stt.recognise(np.concatenate([silence(0.5), sound, silence(1)]), "en-US")
    heard = words(settled_text(evidence)).split()
    assert sum(isinstance(each, UtteranceSettled) for each in evidence) == 1
    missing = [
        word for word in ("something", "visit", "appointment", "insurance", "park", "opening") if heard.count(word) < 2
    ]
    assert not missing, " ".join(heard)
    assert len(heard) > 0.85 * sum(len(words(text).split()) for text in (*said, *said))
