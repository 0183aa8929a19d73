"""Choice of the call's language: single words leave the call in its language, longer speech that is sure changes it."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
import soxr

from services.audio.pcm import AudioFormat, Encoding, Samples, decode, encode
from services.stt_proxy.engine import Heard, Hints, Report, Span, Speech, Unheard
from services.stt_proxy.engines.faster_whisper import FasterWhisperEngine
from services.stt_proxy.language_choice import LONG_SPEECH_S, SURE_SHARE, choose_language, may_change
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.settings import SttSettings
from services.tts.espeak.process import EspeakProcess

WORDS = {
    "vi": (
        "ok", "continue", "hello", "taxi", "email", "sorry", "bye", "thank you", "yes", "no", "stop", "wifi", "video",
        "facebook", "check", "card", "visa", "hotel", "please", "monday",
    ),
    "en": (
        "alo", "Hà Nội", "Sài Gòn", "Đà Nẵng", "dạ", "vâng", "ừ", "cảm ơn", "chào", "không", "phở", "Huế", "xin lỗi",
        "một", "hai", "ba", "anh", "chị", "em", "được",
    ),
}  # fmt: skip
"""Single words of another language, by the language of the call they are said in."""


def test_a_sure_language_heard_for_long_is_believed():
    assert choose_language("vi", {"vi": 0.05, "en": 0.9}, LONG_SPEECH_S) == "en"


@pytest.mark.parametrize("speech_s", [0.2, 0.6, 0.9, LONG_SPEECH_S - 0.01])
def test_a_word_changes_no_language_however_sure_it_seems(speech_s: float):
    assert choose_language("vi", {"vi": 0.001, "en": 0.999}, speech_s) == "vi"
    assert not may_change(speech_s)


def test_in_doubt_the_language_stays():
    assert choose_language("vi", {"vi": 1 - SURE_SHARE + 0.01, "en": SURE_SHARE - 0.01}, 10.0) == "vi"


def test_the_shares_are_those_of_the_languages_of_the_call():
    assert choose_language("vi", {"vi": 0.01, "en": 0.2}, 3.0) == "en"


def test_where_nothing_is_known_the_likeliest_is_believed():
    assert choose_language("", {"vi": 0.4, "en": 0.6}, 0.3) == "en"
    assert choose_language("vi", {}, 5.0) == "vi"


RATE = 8000
SETTINGS = SttSettings(_env_file=None)
SENTENCE = "I would like to make an appointment for tomorrow morning, please."


class Speaker:
    """espeak-ng on a telephone."""

    def __init__(self) -> None:
        self.process = EspeakProcess(None, None)
        self.process.start()
        codes = {code.lower(): voice.name for voice in self.process.voices for code in voice.language_codes}
        self.voices = {language: codes.get(f"{language}-us") or codes[language] for language in ("en", "vi")}

    def say(self, text: str, language: str) -> Speech:
        sound, _ = self.process.speak(text, voice=self.voices[language], rate=1.0)
        narrow = soxr.resample(sound, self.process.sample_rate_hertz, RATE)
        loud = np.flatnonzero(np.abs(narrow.astype(np.int32)) > 300)
        quiet: Samples = np.zeros(RATE // 5, np.int16)
        telephone = AudioFormat(Encoding.MULAW, RATE)
        heard = decode(telephone, encode(telephone, np.concatenate((quiet, narrow, quiet))))
        span = Span(int(loud[0]) + len(quiet), int(loud[-1]) + len(quiet))
        return Speech(1, 1, (span,), (Clip(0, heard),), RATE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whisper() -> AsyncIterator[FasterWhisperEngine]:
    engine = FasterWhisperEngine(SETTINGS)
    await engine.load()
    yield engine
    await engine.close()


async def language_heard(engine: FasterWhisperEngine, speech: Speech, codes: tuple[str, ...]) -> str:
    answered: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
    engine_call = engine.listen(
        call_id="test", recording=Recording(limit_samples=RATE), sample_rate_hertz=RATE,
        hints=Hints(language_codes=codes), report=answered.set_result,
    )  # fmt: skip
    engine_call.recognize(speech, is_final=True)
    report = await answered
    engine_call.close()
    assert isinstance(report, Heard), report
    assert not isinstance(report, Unheard)
    return report.language_code.split("-")[0]


@pytest.mark.models
@pytest.mark.timeout(300)
@pytest.mark.asyncio(loop_scope="module")
async def test_forty_single_words_of_another_language_change_none(whisper: FasterWhisperEngine):
    speaker = Speaker()
    changed = []
    for language, other in (("vi", "en"), ("en", "vi")):
        assert len(WORDS[language]) == 20
        for word in WORDS[language]:
            speech = speaker.say(word, other)
            codes = (f"{language}-VN", f"{other}-US") if language == "vi" else ("en-US", "vi-VN")
            if await language_heard(whisper, speech, codes) != language:
                changed.append(word)
    assert changed == []


@pytest.mark.models
@pytest.mark.asyncio(loop_scope="module")
async def test_a_sentence_of_another_language_changes_it(whisper: FasterWhisperEngine):
    assert await language_heard(whisper, Speaker().say(SENTENCE, "en"), ("vi-VN", "en-US")) == "en"
