"""Words with their places, segments with confidences, and the settings of engine faster_whisper."""

import asyncio

import numpy as np
import pytest

from services.runtime.cpu import has_busy_cores, usable_cpus
from services.runtime.models import model_dir
from services.stt_proxy.engine import Hints, Partial, Span, Speech, Word
from services.stt_proxy.engines.faster_whisper import FasterWhisperEngine
from services.stt_proxy.recording import Clip, Recording
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.whisper_decoding import ShortContextWhisper
from services.stt_proxy.whisper_model import WhisperOptions
from services.stt_proxy.whisper_words import placed_words, segments_of, word_groups

from .real_stt import SETTINGS, clip, silence

MS = 8


def folder():
    return model_dir(SETTINGS.models_dir, SETTINGS.whisper_model)


def speech_of(text: str) -> Speech:
    sound = clip(text)
    lead, tail = silence(0.3), silence(0.2)
    whole = np.concatenate([lead, sound, tail])
    return Speech(1, 1, (Span(len(lead), len(lead) + len(sound)),), (Clip(0, whole),), 8000)


def test_tokens_are_joined_to_words_where_a_script_has_spaces():
    assert word_groups([1, 2, 3], [" where", " a", "re"], is_spaced=True) == [[0], [1, 2]]
    assert word_groups([1, 2], ["a", "b"], is_spaced=False) == [[0], [1]]


def test_words_lie_in_order_and_say_how_sure_they_are():
    steps = [(0, 5), (0, 10), (1, 20), (2, 24)]
    words = placed_words([" where", " are"], [[0], [1, 2]], steps, [0.5, 0.9, 0.4], place=lambda step: step * 160)
    assert [(word.text, word.start_sample, word.end_sample) for word in words] == [
        ("where", 1600, 1760),
        ("are", 3200, 4000),
    ]
    assert words[0].confidence == pytest.approx(0.5)
    assert words[1].confidence == pytest.approx(0.6)


def test_each_span_has_its_words_and_their_mean_confidence():
    words = [Word("yes,", 0, 800, 0.9), Word("please", 9000, 9900, 0.4)]
    [first, second] = segments_of(words, (Span(0, 1000), Span(8800, 10000)), "en", with_words=True)
    assert (first.text, second.text) == ("yes,", "please")
    assert (first.confidence, second.confidence) == (pytest.approx(0.9), pytest.approx(0.4))
    assert second.words == (words[1],)


def test_cores_are_busy_where_the_kernel_says_so_or_says_nothing(tmp_path):
    load = tmp_path / "loadavg"
    load.write_text("0.10 0.10 0.10 1/300 999\n")
    assert has_busy_cores(load) is (usable_cpus() == 1)
    load.write_text(f"0.10 0.10 0.10 {usable_cpus()}/300 999\n")
    assert has_busy_cores(load)
    assert has_busy_cores(tmp_path / "nothing")


@pytest.mark.models
def test_a_decode_says_where_its_words_lie():
    whisper = ShortContextWhisper(folder(), n_workers=1, options=WhisperOptions(says_words=True, beam_size=2))
    speech = speech_of("Where are you?")
    decoded = whisper.decode(speech, ("en",))
    [segment] = decoded.segments
    assert [word.text.lower().strip("?.,") for word in segment.words] == ["where", "are", "you"]
    starts = [word.start_sample for word in segment.words]
    assert starts == sorted(starts)
    assert speech.spans[0].start_sample - 160 * MS <= starts[0]
    assert segment.words[-1].end_sample <= speech.spans[0].end_sample + 200 * MS
    assert segment.confidence is not None
    assert 0.3 < segment.confidence <= 1


@pytest.mark.models
def test_several_threads_recognise_the_same_as_one(monkeypatch):
    monkeypatch.setattr("services.stt_proxy.whisper_decoding.has_busy_cores", lambda: False)
    monkeypatch.setattr("services.stt_proxy.whisper_decoding.usable_cpus", lambda: 2)
    lone = ShortContextWhisper(folder(), n_workers=1, options=WhisperOptions(lone_threads=2))
    with lone._chosen() as first, lone._chosen() as second:
        assert first is not second, "only one text at a time has the other cores"
    assert lone.decode(speech_of("Where are you?"), ("en",)).text.lower().startswith("where are you")


@pytest.mark.models
@pytest.mark.asyncio
async def test_live_partials_come_while_the_caller_speaks():
    engine = FasterWhisperEngine(SttSettings(_env_file=None, whisper_live_ms=600, whisper_model=str(folder())))
    assert {"partial"} <= set(engine.features)
    await engine.load()
    reports = []
    engine_call = engine.listen(
        call_id="one",
        recording=Recording(limit_samples=8000),
        sample_rate_hertz=8000,
        hints=Hints(language_codes=("en-US",)),
        report=reports.append,
    )
    engine_call.prepare(speech_of("Stop please, I have another question."))
    async with asyncio.timeout(60):
        while not reports:
            await asyncio.sleep(0.01)
    engine_call.close()
    await engine.close()
    assert isinstance(reports[0], Partial)
    assert "question" in reports[0].text.lower()
