"""What the gateway can say when every stage is down."""

import pytest

from services.audio.pcm import TELEPHONE, AudioFormat, Encoding, decode
from services.call_gateway.conversation.events import PromptKind
from services.call_gateway.prompts.recorded import recordings, rendered

LANGUAGES = ("en", "vi", "ru", "zh")


def test_every_prompt_is_recorded_in_every_language():
    assert {(recording.kind, recording.language_code) for recording in recordings()} == {
        (kind, language) for kind in PromptKind for language in LANGUAGES
    }


@pytest.mark.parametrize("recording", recordings(), ids=lambda each: f"{each.language_code}-{each.kind.value}")
def test_a_recording_is_audible_and_short(recording):
    samples = decode(TELEPHONE, recording.content)
    assert 0.9 < len(samples) / 8000 < 7.0
    assert abs(samples.astype(int)).max() > 3000


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_a_recording_lasts_as_long_in_another_format(rate: int):
    recording = recordings()[0]
    audio_format = AudioFormat(Encoding.LINEAR16, rate)
    prompt = rendered(recording, audio_format)
    assert len(prompt.content) / 2 / rate == pytest.approx(len(recording.content) / 8000, abs=0.02)
