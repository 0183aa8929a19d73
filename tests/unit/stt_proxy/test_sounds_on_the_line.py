import re

import numpy as np
import pytest
import pytest_asyncio

from services.stt_proxy.events import SpeechActivity

from .real_ear import SOUNDS, RealEar, clip, music, noise, settled_text, silence, texts, tones

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module")]

PHRASES = ("Sunrise Dental Clinic", "Doctor Tran Mai", "whitening", "nha khoa Bình Minh", "lấy cao răng")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ear():
    real = RealEar()
    await real.load()
    yield real
    await real.engine.close()
    real.detector.close()


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize("language_code", ["en-US", "vi-VN"])
@pytest.mark.parametrize("name", SOUNDS)
async def test_ten_seconds_of_it_are_no_words(ear, name, language_code):
    assert texts(await ear.hear(SOUNDS[name](), language_code, phrases=PHRASES)) == []


@pytest.mark.parametrize("before", ["music", "a tone"])
@pytest.mark.parametrize("gap_s", [0.3, 1, 3])
@pytest.mark.parametrize("line_noise", [0, 60])
async def test_the_first_word_after_music_or_a_tone_is_heard(ear, before, gap_s, line_noise):
    played = music(12) if before == "music" else tones(12, (440, 480))
    gap = noise(gap_s, line_noise) if line_noise else silence(gap_s)
    said = clip("Where are you?")
    evidence = await ear.hear(np.concatenate([played, gap, said, silence(1)]), "en-US")
    began = next(each.sample for each in evidence if isinstance(each, SpeechActivity) and each.is_begin)
    assert abs(began - len(played) - len(gap)) < 100 * 8
    assert words(settled_text(evidence)) == "where are you"
