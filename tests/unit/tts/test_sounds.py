"""Words of other languages and sounds written in IPA, as espeak-ng and Piper say them."""

from collections.abc import Iterator, Sequence

import espeakng_loader  # type: ignore[import-untyped]  # it brings no types
import numpy as np
import pytest

from services.language.phonetics import fitted, no_ipa
from services.language.reading.spoken import Stretch
from services.tts.espeak.markup import marked_up
from services.tts.espeak.process import EspeakProcess
from services.tts.espeak.worker import PHONEMES, Espeak
from services.tts.vits.phonemes import phoneme_ids

IDS = {character: [number] for number, character in enumerate("_^$ ,.?abcdefghijklmnopqrstuvwxyzəˈː")}
NAMES = {number: character for character, (number,) in IDS.items()}


@pytest.fixture(scope="module")
def espeak() -> Iterator[EspeakProcess]:
    process = EspeakProcess(None, None)
    process.start()
    yield process
    process.close()


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        ("en-us", "hello schedule queue thirteen measure church judge through bird little water"),
        ("en-gb", "garage tomato either lieutenant"),
        ("vi", "xin chào Nguyễn Linh cảm đường phở nghiêng được quý khách"),
        ("ru", "щука жизнь объект спасибо"),
        ("de", "Straße Mädchen zwölf"),
    ],
)
def test_what_espeak_says_in_ipa_it_says_again_from_ipa(voice: str, words: str) -> None:
    espeak = Espeak(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    espeak._use(voice)
    writer = espeak._writer()
    for word in words.split():
        espeak._speak(".", 1.0, 0.0)
        ipa = espeak._phonemes(word)
        espeak._speak(".", 1.0, 0.0, PHONEMES)
        assert espeak._phonemes(f"[[{writer.write(ipa)}]]") == ipa, word
        espeak._speak(".", 1.0, 0.0)


def test_ipa_sounds_as_the_word_that_is_read_so(espeak: EspeakProcess) -> None:
    word, _ = espeak.speak("schedule", voice="en-us", rate=1.0)
    [ipa] = espeak.phonemes(["schedule"], voice="en-us")
    sounds, words = espeak.speak("internationally", voice="en-us", rate=1.0, stretches=[Stretch(0, 15, ipa=ipa)])
    other, _ = espeak.speak("internationally", voice="en-us", rate=1.0)
    assert [(one.text_offset, one.length) for one in words] == [(0, 15)]
    assert abs(len(sounds) - len(word)) < 0.15 * len(word)
    assert abs(len(other) - len(word)) > 0.15 * len(word)


def test_english_words_in_a_vietnamese_sentence_are_not_spelled(espeak: EspeakProcess) -> None:
    text = "Anh mở Google Meet nhé."
    spelled, _ = espeak.speak(text, voice="vi", rate=1.0)
    said, words = espeak.speak(text, voice="vi", rate=1.0, stretches=[Stretch(7, 18, language_code="en")])
    assert len(said) < 0.8 * len(spelled)
    assert [text[one.text_offset : one.text_offset + one.length] for one in words] == [
        "Anh", "mở", "Google", "Meet", "nhé"
    ]  # fmt: skip
    assert list(np.diff([one.sample for one in words]) > 0) == [True] * 4


@pytest.mark.parametrize("text", ['a <b> & [[c]] "d"', "]]>", "</voice> x"])
def test_no_text_is_markup(espeak: EspeakProcess, text: str) -> None:
    plain, _ = espeak.speak(text.replace("[", " ").replace("]", " "), voice="en-us", rate=1.0)
    whole = f"{text} Nguyễn"
    samples, words = espeak.speak(
        whole, voice="en-us", rate=1.0, stretches=[Stretch(len(text) + 1, len(whole), language_code="vi")]
    )
    assert words[-1].text_offset == len(text) + 1
    assert len(samples) > len(plain) * 0.8


def test_places_in_markup_are_places_in_the_text() -> None:
    markup = marked_up([("a ", "", ""), ("b", "en", ""), (" & ", "", ""), ("cd", "", "x")], lambda ipa: f"p:{ipa}")
    assert markup.text == 'a <voice xml:lang="en">b</voice> &amp;  [[p:x]] '
    found = markup.words([[0, 1, 0], [markup.text.index("b<"), 1, 10], [markup.text.index("p:x"), 9, 20]])
    assert found == [[0, 1, 0], [2, 1, 10], [6, 2, 20]]


def letters(texts: Sequence[str], language: str) -> list[str]:
    """Phonemes are letters, between "q" for another language."""
    sounds = ["".join(one for one in text.lower() if one.isalpha() or one == " ") for text in texts]
    return [f"q{sound}" if language else sound for sound in sounds]


def said(ids: Sequence[int]) -> str:
    return "".join(NAMES[one] for one in ids if NAMES[one] not in "^_$")


def test_a_piper_voice_reads_each_part_in_its_language_and_knows_where_words_end() -> None:
    text = "ab cd ef, gh."
    read = phoneme_ids(text, letters, IDS, stretches=[Stretch(3, 8, language_code="en")])
    assert said(read.ids) == "ab qcd ef, gh."
    assert [end for end, _ in read.word_ends] == sorted(end for end, _ in read.word_ends)
    assert {2, 5, 9, 13} <= {end for end, _ in read.word_ends}


def test_a_piper_voice_says_sounds_in_place_of_words() -> None:
    read = phoneme_ids("ab XYZ. Q cd", letters, IDS, stretches=[Stretch(3, 9, ipa="hˈəː")])
    assert said(read.ids) == "ab hˈəː.  cd"


def test_a_sound_that_a_voice_lacks_becomes_the_nearest() -> None:
    assert fitted("ɓaŋ", "abn".__contains__) == "ban"
    assert fitted("ɓˈa6", "ab".__contains__) == "bˈa"


def test_ipa_is_told_from_other_text() -> None:
    assert no_ipa("ŋwˈiɛ5n tʃʰɑ̃ː") == ""
    assert no_ipa("həl😀") == "😀"
    assert no_ipa("Hello") == "H"


def test_a_language_that_espeak_names_itself_is_not_spoken() -> None:
    read = phoneme_ids("ab", lambda texts, _: ["(en)hi(vi)" for _ in texts], IDS)
    assert said(read.ids) == "hi"
