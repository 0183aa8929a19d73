"""Settings of the speaking stage that are lists written in one line."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.runtime.errors import StartupError
from services.tts.engine import make_engine
from services.tts.engines.nemo import NemoEngine
from services.tts.settings import TtsSettings


def settings(monkeypatch: pytest.MonkeyPatch, **more: str) -> TtsSettings:
    for name, value in more.items():
        monkeypatch.setenv(f"TTS_{name.upper()}", value)
    return TtsSettings(_env_file=None)  # type: ignore[call-arg]


def test_a_fastpitch_is_named_for_each_language(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(
        monkeypatch, nemo_acoustic="en=tts_en_fastpitch, VI = /models/vi.nemo", nemo_devices="cuda:0, cuda:3"
    )
    assert read.nemo_acoustic == {"en": "tts_en_fastpitch", "vi": "/models/vi.nemo"}
    assert read.nemo_devices == ("cuda:0", "cuda:3")


@pytest.mark.parametrize("value", ["tts_en_fastpitch", "en=", "=model", "en=a,vi"])
def test_what_names_no_language_or_no_model_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(ValidationError, match="write language=model"):
        settings(monkeypatch, nemo_acoustic=value)


def test_recordings_have_one_engine_a_language_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch).recording_engines == {}
    assert settings(monkeypatch, recording_engines="").recording_engines == {}
    assert settings(monkeypatch, recording_engines="en=piper").recording_engines == {"en": ("piper",)}
    with pytest.raises(ValidationError, match="one engine a language"):
        settings(monkeypatch, recording_engines="en=piper>espeak")


def test_the_folder_of_kept_speech_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, cache_dir="~/speech").cache_dir == Path.home() / "speech"


async def test_nemo_without_a_model_or_its_environment_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine("nemo", settings(monkeypatch))
    assert isinstance(engine, NemoEngine)
    with pytest.raises(StartupError, match="TTS_NEMO_ACOUSTIC names no FastPitch"):
        await engine.load()
    with pytest.raises(StartupError, match=r"deploy/nemo/environment\.sh|there is no file"):
        await make_engine("nemo", settings(monkeypatch, nemo_acoustic="en=/nowhere/en.nemo")).load()
