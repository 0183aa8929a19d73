import json
import wave
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from services.language.words import normalise
from services.runtime.errors import StartupError
from services.runtime.models import model_dir
from services.stt_proxy.decoding import Stopped
from services.stt_proxy.engine import Span, Speech
from services.stt_proxy.long_speech import DecodedPieces
from services.stt_proxy.recording import Clip
from services.stt_proxy.settings import SttSettings
from services.stt_proxy.whisper_decoding import ShortContextWhisper

CLIPS = Path(__file__).parents[2] / "data" / "clips"

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def whisper() -> ShortContextWhisper:
    return ShortContextWhisper(model_dir(SttSettings(_env_file=None).models_dir, "whisper-base"), n_workers=1)


FIRST_NAMES = ("Ana", "Bob", "Carl", "Dina", "Ed", "Flora", "Gus", "Hana", "Ivo", "Jana")
LAST_NAMES = ("Novak", "Petrov", "Quist", "Rossi", "Suzuki", "Thorne", "Ueda", "Vance", "Wyatt", "Young")


def labelled(text: str) -> tuple[np.ndarray, Span]:
    """The clean clip that says this, and where its speech lies."""
    labels = json.loads((CLIPS / "labels.json").read_text(encoding="utf-8"))
    label = next(each for each in labels if each["text"] == text)
    with wave.open(str(CLIPS / label["file"])) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
    return samples, Span(label["speech_start_sample"], label["speech_end_sample"])


def speech(*pieces: tuple[np.ndarray, Span], gap_samples: int = 0) -> Speech:
    """The pieces one after the other on one clock."""
    clips, spans, at = [], [], 0
    for samples, span in pieces:
        clips.append(Clip(at, samples))
        spans.append(Span(at + span.start_sample, at + span.end_sample))
        at += len(samples) + gap_samples
    return Speech(1, 1, tuple(spans), tuple(clips), 8000)


def test_a_telephone_sentence_is_understood(whisper):
    decoded = whisper.decode(speech(labelled("What are your opening hours?")), ("en",))
    assert {"opening", "hours"} <= set(normalise(decoded.text))
    assert decoded.language == "en"
    assert decoded.confidence is not None
    assert 0.4 < decoded.confidence <= 1


def test_a_batch_has_the_words_of_each_speech_decoded_alone(whisper):
    asked = [
        speech(labelled("What are your opening hours?")),
        speech(labelled("What are your opening hours?"), (np.zeros(4000, dtype=np.int16), Span(0, 4000))),
        speech((np.zeros(8000, dtype=np.int16), Span(2000, 6000))),
    ]
    together = whisper.decode_together([(one, ("en",), (), "en") for one in asked])
    alone = [whisper.decode(one, ("en",)) for one in asked]
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.confidence for one in together] == pytest.approx([one.confidence for one in alone], abs=0.05)


def test_the_words_are_laid_on_the_stretches_they_were_said_in(whisper):
    first, second = labelled("What are your opening hours?"), labelled("Where are you?")
    asked = speech(first, second, gap_samples=16_000)
    decoded = whisper.decode(asked, ("en",))
    assert [(each.start_sample, each.end_sample) for each in decoded.segments] == [
        (span.start_sample, span.end_sample) for span in asked.spans
    ]
    assert "hours" in normalise(decoded.segments[0].text)
    assert "where" in normalise(decoded.segments[1].text)


def test_the_language_is_detected_among_those_the_call_may_speak(whisper):
    assert whisper.decode(speech(labelled("What are your opening hours?")), ("vi", "en")).language == "en"


def test_speech_longer_than_one_go_is_decoded_in_pieces(whisper):
    said = ("What are your opening hours?", "I need an appointment.", "Where are you?", "Do you take insurance?")
    asked = speech(*(labelled(text) for text in said * 4), gap_samples=6_000)
    assert asked.end_sample > 30 * 8000
    decoded = whisper.decode(asked, ("en",))
    words = normalise(decoded.text)
    assert "hours" in words
    assert "insurance" in words
    assert decoded.segments[-1].end_sample == asked.end_sample


def test_the_beginning_of_long_speech_is_decoded_once(whisper, monkeypatch):
    said = ("What are your opening hours?", "I need an appointment.", "Where are you?", "Do you take insurance?")
    asked = speech(*(labelled(text) for text in said * 4), gap_samples=2_000)
    pieces = DecodedPieces()
    whisper.decode_ahead(asked, ("en",), phrases=(), pieces=pieces, stop=Event())
    known = pieces.within(asked)
    assert known
    lengths: list[float] = []
    encode = whisper._encode

    def encoding(model: object, sound: np.ndarray) -> object:
        lengths.append(len(sound) / 16_000)
        return encode(model, sound)

    monkeypatch.setattr(whisper, "_encode", encoding)
    decoded = whisper.decode(asked, ("en",), pieces=pieces)
    assert sum(lengths) <= 15
    assert decoded.text.startswith(known[0].text)
    assert normalise(decoded.text).count("insurance") == 4


def test_a_decode_that_is_not_awaited_stops(whisper):
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        whisper.decode(speech(labelled("Where are you?")), ("en",), stop=stop)


def test_phrases_are_favoured_and_never_written_unasked(whisper):
    pain = speech(labelled("I am calling because | my son is in pain."))
    phrases = ("Sunrise Dental Clinic", "Linh", "Doctor Tran Mai", "Doctor David Lee", "nha khoa Bình Minh")
    assert "mai" not in normalise(whisper.decode(pain, ("en",), phrases=phrases).text)
    miller = speech(labelled("My name is | Joe Miller."))
    assert "Joe Miller" in whisper.decode(miller, ("en",), phrases=("Joe Miller",)).text
    price = speech(labelled("How much is a check up?"))
    assert "check up" not in whisper.decode(price, ("en",)).text.lower()
    assert "check up" in whisper.decode(price, ("en",), phrases=("check up",)).text.lower()


def test_a_phrase_far_down_a_long_list_reaches_whisper_too(whisper, monkeypatch):
    directory = tuple(f"Doctor {first} {last}" for first in FIRST_NAMES for last in LAST_NAMES)
    prompts = []
    generate = whisper._generate

    def spy(model, encoded, sounds, phrases=()):
        prompts.append(whisper._tokenizer.decode(whisper._favour(phrases)))
        return generate(model, encoded, sounds, phrases)

    monkeypatch.setattr(whisper, "_generate", spy)
    price = speech(labelled("How much is a check up?"))
    assert "check up" in whisper.decode(price, ("en",), phrases=(*directory, "check up")).text.lower()
    assert "check up" in prompts[1]
    pain = speech(labelled("I am calling because | my son is in pain."))
    assert "doctor" not in normalise(whisper.decode(pain, ("en",), phrases=directory).text)


def test_hiss_has_no_words(whisper):
    hiss = np.random.default_rng(3).normal(0, 60, 8000).astype(np.int16)
    decoded = whisper.decode(Speech(1, 1, (Span(0, 8000),), (Clip(0, hiss),), 8000), ("en",))
    assert decoded.confidence is None or decoded.confidence < 0.5


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(StartupError, match="cannot be loaded"):
        ShortContextWhisper(tmp_path, n_workers=1)
