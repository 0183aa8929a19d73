"""Attributes of a text beside its words: its kind, its pitch, the pause before it."""

import numpy as np
import pytest
from voice.tts.v1 import tts_pb2

from services.audio.pcm import TELEPHONE, decode
from services.language.reading.normalizer import Normalizer, Pronunciation
from services.tts.engine import Line, Voice
from services.tts.errors import BadPhonemes, PitchOutOfRange
from services.tts.espeak.process import EspeakProcess
from services.tts.router import Router
from services.tts.say_as import SayAs, read_as
from services.tts.sentences import ClauseGatherer, SpeechParameters
from services.tts.speaker import Pauses, TurnSpeaker
from services.tts.track import Chunk, ChunkLengths
from services.tts.turn import TextLimits, Turn, TurnText
from services.tts.voice_selection import Emphasis, VoiceSelection
from services.tts.wire import lexicon, text_piece
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
        ("en-US", SayAs.DIGITS, "room 4-07B", "room four-zero seven B"),
        ("en-US", SayAs.DIGITS, "A19", "A one nine"),
        ("en-US", SayAs.DIGITS, "4,000.", "four, zero zero zero."),
        ("vi-VN", SayAs.DIGITS, "12.5", "một hai, năm"),
        ("zh-CN", SayAs.DIGITS, "房间208号", "房间二零八号"),
        ("ru-RU", SayAs.TELEPHONE, "тел8 (495) 123", "тел восемь, четыре девять пять, один два три"),
        ("en-US", SayAs.SPELLING, "Linh", "L, I, N, H"),
        ("en-US", SayAs.SPELLING, "AB-12 ok", "A, B, one, two O, K"),
        ("vi-VN", SayAs.SPELLING, "VN7", "V, N, bảy"),
        ("en-US", SayAs.SPELLING, "b_1@c.io", "B, underscore, one, at, C, dot, I, O"),
        ("vi-VN", SayAs.SPELLING, "b@c.vn", "B, a còng, C, chấm, V, N"),
        ("ru-RU", SayAs.SPELLING, "b@c.ru", "B, собака, C, точка, R, U"),
        ("zh-CN", SayAs.SPELLING, "b@c.cn", "B, 艾特, C, 点, C, N"),
        ("en-US", SayAs.SPELLING, "U.S.A. a/b", "U, S, A. A, slash, B"),
        ("en-US", SayAs.ADDRESS, "1204/7 Oak Street", "twelve oh four slash seven Oak Street"),
        ("en-US", SayAs.ADDRESS, "No.1235A / 12 Oak Street", "number twelve thirty-five A slash twelve Oak Street"),
        ("en-US", SayAs.ADDRESS, "1200/3", "one thousand two hundred slash three"),
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


@pytest.mark.parametrize(
    ("language_code", "say_as", "text", "wished"),
    [
        ("en-US", SayAs.TIME, "1030", "ten thirty"),
        ("en-GB", SayAs.TIME, "at 9.05", "at nine oh five"),
        ("en-US", SayAs.TIME, "7.30pm", "seven thirty PM"),
        ("en-US", SayAs.TIME, "by 1015am, please", "by ten fifteen AM, please"),
        ("en-GB", SayAs.TIME, "9.05 pm", "nine oh five PM"),
        ("en-US", SayAs.TIME, "7.30 p.m. today", "seven thirty PM today"),
        ("ru-RU", SayAs.TIME, "9.01ч", "девять ноль один ч"),
        ("zh-CN", SayAs.TIME, "8.05分", "八点零五分"),
        ("vi-VN", SayAs.TIME, "1445", "mười bốn giờ bốn mươi lăm"),
        ("ru-RU", SayAs.TIME, "18.20", "восемнадцать двадцать"),
        ("zh-CN", SayAs.TIME, "8.05", "八点零五分"),
        ("en-US", SayAs.DATE, "3/4", "March fourth"),
        ("en-GB", SayAs.DATE, "3/4", "April third"),
        ("en-US", SayAs.DATE, "20250131", "January thirty-first, twenty twenty-five"),
        ("en-US", SayAs.DATE, "25/12", "December twenty-fifth"),
        ("vi-VN", SayAs.DATE, "3/4", "ngày ba tháng tư"),
        ("ru-RU", SayAs.DATE, "3/4", "третье апреля"),
        ("zh-CN", SayAs.DATE, "3/4", "三月四日"),
        ("en-US", SayAs.DATE, "45/46", "forty-five slash forty-six"),
        ("en-US", SayAs.MONEY, "2345000", "two million three hundred forty-five thousand"),
        ("en-US", SayAs.MONEY, "$3.05", "three dollars and five cents"),
        ("vi-VN", SayAs.MONEY, "12.500.000", "mười hai triệu năm trăm nghìn"),
        ("zh-CN", SayAs.MONEY, "共2300000", "共二百三十万"),
        ("en-US", SayAs.ADDRESS, "742 Elm St, 90210", "seven forty-two Elm Street, nine zero two one zero"),
        ("en-US", SayAs.ADDRESS, "308C", "three oh eight C"),
        ("vi-VN", SayAs.ADDRESS, "7/8 Lý Thái Tổ", "bảy trên tám Lý Thái Tổ"),
        ("ru-RU", SayAs.ADDRESS, "Мира 7/8", "Мира семь дробь восемь"),
        ("zh-CN", SayAs.ADDRESS, "人民路7/8号", "人民路七 杠 八号"),
    ],
)
def test_times_dates_sums_and_addresses_need_nothing_around_them(
    language_code: str, say_as: SayAs, text: str, wished: str
) -> None:
    assert said(text, language_code, say_as) == wished


def test_a_lexicon_holds_in_such_a_text_too() -> None:
    reads = Normalizer([Pronunciation("Lý Thái Tổ", "phố Lý", "vi")])
    spoken = read_as("7/8 Lý Thái Tổ", "vi-VN", SayAs.ADDRESS, reads)
    assert spoken is not None
    assert spoken.text == "bảy trên tám phố Lý"


def test_marks_of_such_a_text_point_into_it_as_sent() -> None:
    spoken = read_as("Call 12 now", "en-US", SayAs.DIGITS)
    assert spoken is not None
    assert spoken.text == "Call one two now"
    assert spoken.source_end(len("Call one two")) == len("Call 12")


def test_a_language_without_reading_data_reads_it_by_its_words() -> None:
    assert read_as("12", "fr-FR", SayAs.DIGITS) is None


@pytest.mark.parametrize("pitch", [-12.5, 13.0, float("nan")])
def test_a_pitch_of_over_an_octave_is_refused(pitch: float) -> None:
    selection = VoiceSelection(Router({"en": PlainEngine()}), language_codes=["en-US"], voice="", rate=1.0)
    with pytest.raises(PitchOutOfRange):
        selection.of(language_code="", voice="", rate=0, turn_voice="", pitch=pitch)
    assert selection.of(language_code="", voice="", rate=0, turn_voice="", pitch=-12).pitch == -12


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
    gatherer, parameters = ClauseGatherer(), SpeechParameters("en-US", "plain", 1.0)
    clauses = gatherer.append("Hello there ", parameters)
    clauses += gatherer.append("again. And more. ", parameters, pause_ms=700)
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
    parameters = SpeechParameters("en-US", "plain", 1.0)
    turn.text.append("Hello there.", parameters, flush=False, pause_ms=5000)  # nothing has sounded before it
    turn.text.append("Good day.", parameters, flush=False, pause_ms=pause_ms)
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
    turn.text.append("Room 12.", SpeechParameters("en-US", "plain", 1.0, pitch=3.0, say_as=SayAs.DIGITS), flush=False)
    turn.text.end()
    assert [out async for out in speaker.speak(turn)]
    assert [(line.text, line.pitch) for line in engine.lines] == [("Room one two.", 3.0)]


async def lines_of(engine: PlainEngine, *pieces: tuple[str, SpeechParameters]) -> list[Line]:
    """The lines that the engine is asked to say for a turn."""
    lengths, pauses = ChunkLengths(20, 100), Pauses(sentence_ms=220, phrase_ms=110, joint_ms=30)
    speaker = TurnSpeaker(Router({"*": engine}), Normalizer(), TELEPHONE, lengths=lengths, pauses=pauses, max_lead_ms=0)
    turn = Turn(1, TurnText(start_offset=0, limits=TextLimits(1000, 200)))
    for text, parameters in pieces:
        turn.text.append(text, parameters, flush=False)
    turn.text.end()
    assert [out async for out in speaker.speak(turn)]
    return engine.lines


async def test_the_engine_is_told_the_sounds_of_a_text_and_no_clause_is_cut_from_it() -> None:
    plain = SpeechParameters("en-US", "plain", 1.0)
    sounds = SpeechParameters("en-US", "plain", 1.0, ipa="dˌɒktə kəˈvɑː")
    lines = await lines_of(PlainEngine(), ("I am ", plain), ("Dr. Q. Kava! ", sounds), ("Hello.", plain))
    assert [line.text for line in lines] == ["I am ", "Dr. Q. Kava! ", "Hello."]
    assert [[(one.start, one.end, one.ipa) for one in line.stretches] for line in lines] == [
        [],
        [(0, 11, "dˌɒktə kəˈvɑː")],
        [],
    ]


async def test_the_engine_is_told_which_words_are_foreign() -> None:
    engine = PlainEngine(voices=(Voice("plain", ("vi-VN",)),))
    lines = await lines_of(engine, ("Anh mở Zoom Meetings giúp em.", SpeechParameters("vi-VN", "plain", 1.0)))
    assert [(line.text[one.start : one.end], one.language_code) for line in lines for one in line.stretches] == [
        ("Zoom Meetings", "en")
    ]


@pytest.mark.parametrize("ipa", ["HELLO", "h3ll@", "привет", "a" * 501])
def test_sounds_that_are_no_ipa_are_refused(ipa: str) -> None:
    selection = VoiceSelection(Router({"en": PlainEngine()}), language_codes=["en-US"], voice="", rate=1.0)
    with pytest.raises(BadPhonemes):
        selection.of(language_code="", voice="", rate=0, turn_voice="", ipa=ipa)
    assert selection.of(language_code="", voice="", rate=0, turn_voice="", ipa=" həˈləʊ ").ipa == "həˈləʊ"


def test_what_stands_out_is_slower_and_higher_and_stays_in_bounds() -> None:
    selection = VoiceSelection(Router({"en": PlainEngine()}), language_codes=["en-US"], voice="", rate=1.0)

    def parameters(emphasis: Emphasis, rate: float = 1.0, pitch: float = 0.0) -> tuple[float, float]:
        found = selection.of(language_code="", voice="", rate=rate, turn_voice="", pitch=pitch, emphasis=emphasis)
        return found.rate, found.pitch

    by_weight = [parameters(one) for one in (Emphasis.REDUCED, Emphasis.NONE, Emphasis.MODERATE, Emphasis.STRONG)]
    assert by_weight[1] == (1.0, 0.0)
    assert by_weight == sorted(by_weight, key=lambda one: -one[0])
    assert by_weight == sorted(by_weight, key=lambda one: one[1])
    assert parameters(Emphasis.STRONG, rate=0.5, pitch=12.0) == (0.5, 12.0)


def test_a_message_carries_all_of_it() -> None:
    message = tts_pb2.TurnText(
        turn_id=1, text="x", phonemes="ks", emphasis=tts_pb2.EMPHASIS_STRONG, say_as=tts_pb2.SAY_AS_MONEY
    )
    piece = text_piece(message)
    assert (piece.ipa, piece.emphasis, piece.say_as) == ("ks", Emphasis.STRONG, SayAs.MONEY)
    for kind in tts_pb2.SayAs.values()[1:]:
        assert text_piece(tts_pb2.TurnText(turn_id=1, text="x", say_as=kind)).say_as is not None
    for weight in tts_pb2.Emphasis.values()[1:]:
        assert text_piece(tts_pb2.TurnText(turn_id=1, text="x", emphasis=weight)).emphasis is not Emphasis.NONE


def test_a_lexicon_takes_sounds_and_a_language() -> None:
    words = lexicon(
        [
            tts_pb2.Pronunciation(written="Kiwa", ipa="ˈkiːvə"),
            tts_pb2.Pronunciation(written="Grab", spoken_language_code="en", language_code="vi"),
        ]
    )
    spoken = Normalizer(words).speak("gọi Grab tới Kiwa", "vi-VN")
    assert spoken.text == "gọi Grab tới Kiwa"
    assert [(spoken.text[one.start : one.end], one.ipa, one.language_code) for one in spoken.stretches] == [
        ("Grab", "", "en"),
        ("Kiwa", "ˈkiːvə", ""),
    ]
    with pytest.raises(BadPhonemes, match=r"lexicon\[0\].ipa"):
        lexicon([tts_pb2.Pronunciation(written="Kiwa", ipa="KIWA")])
