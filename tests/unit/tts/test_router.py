import pytest

from services.runtime.errors import StartupError
from services.tts.engine import Voice, make_engine
from services.tts.errors import RateOutOfRange, UnknownLanguage, UnknownVoice
from services.tts.router import Router
from services.tts.sentences import SpeechParameters
from services.tts.settings import TtsSettings
from services.tts.voice_selection import VoiceSelection
from tests.unit.tts.voices import PlainEngine

ENGLISH = PlainEngine(voices=(Voice("joe", ("en-US",)), Voice("ann", ("en-GB",))))
EVERY = PlainEngine(voices=(Voice("x-en", ("en",)), Voice("x-vi", ("vi",)), Voice("x-zh", ("cmn", "zh"))))


def router() -> Router:
    return Router({"en": ENGLISH, "*": EVERY})


@pytest.mark.parametrize(
    ("language", "engine", "voice"),
    [
        ("en-US", ENGLISH, "joe"),
        ("en-GB", ENGLISH, "ann"),
        ("EN-au", ENGLISH, "joe"),
        ("vi-VN", EVERY, "x-vi"),
        ("zh-Hans-CN", EVERY, "x-zh"),
    ],
)
def test_a_language_has_its_engine_and_its_voice(language: str, engine: PlainEngine, voice: str) -> None:
    chosen = router().choose(language)
    assert (chosen.engine, chosen.voice) == (engine, voice)


def test_a_named_voice_wins_over_the_table() -> None:
    chosen = router().choose("en-US", "x-en")
    assert (chosen.engine, chosen.voice) == (EVERY, "x-en")


def test_a_language_no_engine_speaks_is_refused() -> None:
    with pytest.raises(UnknownLanguage, match=r"config\.language_codes"):
        router().choose("tlh", field="config.language_codes")


def test_a_route_to_an_engine_that_does_not_speak_it_does_not_count() -> None:
    with pytest.raises(UnknownLanguage):
        Router({"en": ENGLISH}).choose("vi-VN")


@pytest.mark.parametrize(("language", "voice"), [("en-US", "nobody"), ("vi-VN", "joe")])
def test_a_voice_must_exist_and_speak_the_language(language: str, voice: str) -> None:
    with pytest.raises(UnknownVoice, match="voice"):
        router().choose(language, voice)


def test_the_languages_are_those_the_table_leads_to() -> None:
    assert Router({"en": EVERY}).language_codes() == ["en"]
    assert set(router().language_codes()) == {"en-US", "en-GB", "en", "vi", "cmn", "zh"}


def selection(voice: str = "", rate: float = 0.0) -> VoiceSelection:
    return VoiceSelection(router(), language_codes=["en-US", "vi"], voice=voice, rate=rate)


def test_a_piece_of_text_takes_what_it_leaves_open_from_its_stream() -> None:
    parameters = selection("ann", 1.5).of(language_code="", voice="", rate=0.0, turn_voice="")
    assert parameters == SpeechParameters("en-US", "ann", 1.5)


def test_the_voice_of_the_turn_wins_over_that_of_the_stream() -> None:
    assert selection("ann").of(language_code="", voice="", rate=0.0, turn_voice="x-en").voice == "x-en"


def test_a_language_the_voice_does_not_speak_gets_its_own() -> None:
    assert selection("joe").of(language_code="vi-VN", voice="", rate=0.0, turn_voice="joe").voice == "x-vi"


@pytest.mark.parametrize("rate", [0.4, 2.1, -1.0, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(RateOutOfRange, match="rate"):
        selection().of(language_code="", voice="", rate=rate, turn_voice="")


def test_every_language_of_the_stream_must_be_spoken() -> None:
    with pytest.raises(UnknownLanguage, match=r"config\.language_codes: no engine speaks 'tlh'"):
        VoiceSelection(router(), language_codes=["en-US", "tlh"], voice="", rate=0.0)


def test_an_unknown_voice_of_the_stream_is_refused() -> None:
    with pytest.raises(UnknownVoice, match=r"config\.voice"):
        selection("nobody")


def test_the_table_of_engines_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_ENGINES", " EN = piper , * = espeak ")
    assert TtsSettings().engines == {"en": ("piper",), "*": ("espeak",)}


@pytest.mark.parametrize("value", ["piper", "en=", "=piper", " , "])
def test_a_table_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TTS_ENGINES", value)
    with pytest.raises(ValueError, match="language=engine"):
        TtsSettings()


def test_an_engine_there_is_not_is_named() -> None:
    with pytest.raises(StartupError, match="festival"):
        make_engine("festival", TtsSettings())


def test_an_unknown_voice_is_told_those_of_the_language() -> None:
    voices = tuple(Voice(f"voice-{number}", ("en-US",)) for number in range(11))
    router = Router({"en": PlainEngine(voices=voices), "vi": PlainEngine(voices=(Voice("lan", ("vi-VN",)),))})
    with pytest.raises(UnknownVoice, match=r"vi-VN has lan$"):
        router.choose("vi-VN", "bob")
    with pytest.raises(UnknownVoice, match=r"has voice-0, .*voice-7 and 3 more, which DescribeEngine lists$"):
        router.choose("en-US", "bob")
    with pytest.raises(UnknownVoice, match=r"config\.voice.*lan"):
        VoiceSelection(router, language_codes=["vi-VN"], voice="bob", rate=1.0)
