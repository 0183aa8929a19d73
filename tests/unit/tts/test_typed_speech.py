"""What a text carries beside its words: what it is, its pitch, the pause before it."""

import numpy as np
import pytest

from services.audio.pcm import TELEPHONE, decode
from services.language.reading.normalizer import Normalizer
from services.tts.errors import PitchOutOfRange
from services.tts.espeak.process import EspeakProcess
from services.tts.manners import Manners
from services.tts.router import Router
from services.tts.say_as import SayAs, read_as
from services.tts.sentences import ClauseGatherer, Manner
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.track import Chunk, ChunkLengths
from services.tts.turn import TextLimits, Turn, TurnText
from tests.unit.tts.voices import PlainEngine


def said(text: str, language_code: str, say_as: SayAs) -> str:
    spoken = read_as(text, language_code, say_as)
    assert spoken is not None
    return spoken.text


@pytest.mark.parametrize(
    ("language_code", "say_as", "text", "wished"),
    [
        ("en-US", SayAs.DIGITS, "1200", "one two zero zero"),
        ("en-US", SayAs.DIGITS, "room 42 b", "room four two b"),
        ("vi-VN", SayAs.DIGITS, "305", "ba không năm"),
        ("en-US", SayAs.SPELLING, "Linh", "L, I, N, H"),
        ("en-US", SayAs.SPELLING, "AB-12 ok", "A, B, one, two O, K"),
        ("vi-VN", SayAs.SPELLING, "VN7", "V, N, bảy"),
        ("en-US", SayAs.TELEPHONE, "555-0142", "five five five, zero one four two"),
        (
            "en-US",
            SayAs.TELEPHONE,
            "+84 912 345 678",
            "plus eight four, nine one two, three four five, six seven eight",
        ),
        ("vi-VN", SayAs.TELEPHONE, "0912345678", "không chín một, hai ba bốn, năm sáu bảy tám"),
    ],
)
def test_a_text_is_read_as_what_it_is(language_code: str, say_as: SayAs, text: str, wished: str) -> None:
    assert said(text, language_code, say_as) == wished


def test_marks_of_such_a_text_point_into_it_as_sent() -> None:
    spoken = read_as("Call 12 now", "en-US", SayAs.DIGITS)
    assert spoken is not None
    assert spoken.text == "Call one two now"
    assert spoken.source_end(len("Call one two")) == len("Call 12")


def test_a_language_without_reading_data_reads_it_by_its_words() -> None:
    assert read_as("12", "fr-FR", SayAs.DIGITS) is None


@pytest.mark.parametrize("pitch", [-12.5, 13.0, float("nan")])
def test_a_pitch_of_over_an_octave_is_refused(pitch: float) -> None:
    manners = Manners(Router({"en": PlainEngine()}), language_codes=["en-US"], voice="", rate=1.0)
    with pytest.raises(PitchOutOfRange):
        manners.of(language_code="", voice="", rate=0, turn_voice="", pitch=pitch)
    assert manners.of(language_code="", voice="", rate=0, turn_voice="", pitch=-12).pitch == -12


def test_espeak_speaks_higher_and_lower() -> None:
    espeak = EspeakProcess(None, None)
    espeak.start()

    def hertz(pitch: float) -> float:
        sound = espeak.speak("mama mama mama", voice="vi", rate=1.0, pitch=pitch)[0].astype(float)
        windows = [sound[at : at + 1024] - sound[at : at + 1024].mean() for at in range(4096, len(sound) - 4096, 512)]
        found = []
        for window in windows:
            likeness = np.correlate(window, window, "full")[1023:]
            found.append(espeak.sample_rate_hertz / (60 + int(np.argmax(likeness[60:300]))))
        return float(np.median(found))

    low, own, high = (hertz(pitch) for pitch in (-5.0, 0.0, 5.0))
    espeak.close()
    assert 12 * np.log2(high / own) == pytest.approx(5, abs=3)
    assert 12 * np.log2(low / own) == pytest.approx(-5, abs=3)


def test_a_pause_ends_the_clause_before_it_and_lies_before_its_own_only() -> None:
    gatherer, manner = ClauseGatherer(), Manner("en-US", "plain", 1.0)
    clauses = gatherer.append("Hello there ", manner)
    clauses += gatherer.append("again. And more. ", manner, pause_ms=700)
    clauses += gatherer.flush()
    assert [(clause.text, clause.pause_ms) for clause in clauses] == [
        ("Hello there ", None),
        ("again. ", 700),
        ("And more. ", None),
    ]


@pytest.mark.parametrize("pause_ms", [0, 600])
async def test_a_pause_is_as_long_as_it_was_asked_for(pause_ms: int) -> None:
    pauses = Pauses(sentence_ms=220, phrase_ms=110, joint_ms=30)
    router = Router({"en": PlainEngine()})
    lengths = ChunkLengths(20, 100)
    speaker = TurnSpeaker(router, Normalizer(), TELEPHONE, lengths=lengths, pauses=pauses, max_lead_ms=0)
    turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(1000, 200)))
    manner = Manner("en-US", "plain", 1.0)
    turn.text.append("Hello there.", manner, flush=False, pause_ms=5000)  # nothing has sounded before it
    turn.text.append("Good day.", manner, flush=False, pause_ms=pause_ms)
    turn.text.end()
    sound = b"".join([out.content async for out in speaker.speak(turn) if isinstance(out, Chunk)])
    loud = np.flatnonzero(np.abs(decode(TELEPHONE, sound).astype(int)) > 500)
    assert loud[0] < 200
    longest_ms = int(np.diff(loud).max()) / 8
    assert longest_ms == pytest.approx(pause_ms, abs=25)


async def test_the_engine_is_told_the_pitch() -> None:
    engine = PlainEngine()
    lengths, pauses = ChunkLengths(20, 100), Pauses(sentence_ms=220, phrase_ms=110, joint_ms=30)
    speaker = TurnSpeaker(
        Router({"en": engine}), Normalizer(), TELEPHONE, lengths=lengths, pauses=pauses, max_lead_ms=0
    )
    turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(1000, 200)))
    turn.text.append("Room 12.", Manner("en-US", "plain", 1.0, pitch=3.0, say_as=SayAs.DIGITS), flush=False)
    turn.text.end()
    assert [out async for out in speaker.speak(turn)]
    assert [(line.text, line.pitch) for line in engine.lines] == [("Room one two.", 3.0)]
