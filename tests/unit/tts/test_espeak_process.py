"""The pipe to espeak-ng, with the real one behind it."""

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from grpc._cython import cygrpc

from services.runtime.errors import EngineFailed, NotServing, StartupError
from services.tts.espeak.process import EspeakProcess


@pytest.fixture(scope="module")
def espeak() -> Iterator[EspeakProcess]:
    process = EspeakProcess(None, None)
    process.start()
    yield process
    process.close()


def test_it_knows_the_languages_of_its_voices(espeak: EspeakProcess) -> None:
    languages = {code for voice in espeak.voices for code in voice.language_codes}
    assert {"en-us", "vi", "ru", "cmn"} <= languages
    assert espeak.sample_rate_hertz == 22050


def test_it_gives_phonemes_for_each_text(espeak: EspeakProcess) -> None:
    assert espeak.phonemes(["Hello.", "of the"], voice="en-us") == ["həlˈoʊ", "ʌvðə"]


def test_it_speaks_and_says_where_words_begin(espeak: EspeakProcess) -> None:
    samples, words = espeak.speak("Xin chào bạn.", voice="vi", rate=1.0)
    assert np.abs(samples.astype(np.int32)).max() > 3000
    assert [word.text_offset for word in words] == [0, 4, 9]
    assert [word.sample for word in words] == sorted(word.sample for word in words)


def test_a_higher_rate_is_shorter(espeak: EspeakProcess) -> None:
    slow, _ = espeak.speak("How can I help you?", voice="en-us", rate=1.0)
    fast, _ = espeak.speak("How can I help you?", voice="en-us", rate=2.0)
    assert len(fast) < 0.7 * len(slow)


def test_an_unknown_voice_fails_that_request_only(espeak: EspeakProcess) -> None:
    with pytest.raises(EngineFailed, match="no-such-voice"):
        espeak.phonemes(["Hello."], voice="no-such-voice")
    assert espeak.phonemes(["Hello."], voice="en-us") == ["həlˈoʊ"]


def test_a_process_that_dies_fails_one_request_and_is_replaced(espeak: EspeakProcess) -> None:
    assert espeak.pid is not None
    os.kill(espeak.pid, signal.SIGKILL)
    with pytest.raises(EngineFailed, match="failed"):
        espeak.phonemes(["Hello."], voice="en-us")
    assert espeak.phonemes(["Hello."], voice="en-us") == ["həlˈoʊ"]


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StartupError, match=r"pip install '\.\[tts-espeak\]'.*apt-get install libespeak-ng1"):
        EspeakProcess(None, None)


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(StartupError, match="TTS_ESPEAK_LIBRARY=/nowhere"):
        EspeakProcess(Path("/nowhere"), None)


def test_a_library_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    library = tmp_path / "libespeak-ng.so"
    library.write_bytes(b"not a library")
    with pytest.raises(StartupError, match="TTS_ESPEAK_LIBRARY"):
        EspeakProcess(library, None).start()


def test_a_library_of_another_kind_stays_so_until_a_person_mends_it() -> None:
    library = Path(cygrpc.__file__)
    with pytest.raises(NotServing, match="TTS_ESPEAK_LIBRARY"):
        EspeakProcess(library, None).start()
