"""Keyword spotting: which phrases of the hints are told of which text, and when."""

import pytest

from services.stt_proxy.engine import Corrected, Hints, Partial
from services.stt_proxy.events import Keyword, TextStage, Transcript, TurnPrediction
from services.stt_proxy.keywords import KeywordSpotter
from services.stt_proxy.steps import HintsUpdate
from tests.unit.stt_proxy.rig import Call, spoken

PHRASES = ("root canal", "Ann", "Dr. Lee", "răng khôn", "根管", "имплант")


def spotted(
    spotter: KeywordSpotter, text: str, stage: TextStage = TextStage.DRAFT, *, utterance_id: int = 1
) -> list[str]:
    transcript = Transcript(utterance_id, stage, text, 0, 8000, confidence=0.5)
    return [keyword.phrase for keyword in spotter.spot(transcript, PHRASES)]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("I need a root canal, please.", ["root canal"]),
        ("the ROOT  canal with dr lee", ["root canal", "Dr. Lee"]),
        ("Em muốn nhổ răng khôn ạ", ["răng khôn"]),
        ("我要做根管治疗", ["根管"]),
        ("сколько стоит имплант?", ["имплант"]),
        ("the canal has a root", []),
        ("annually", []),
        ("", []),
    ],
)
def test_a_phrase_is_found_by_its_words(text: str, phrases: list[str]):
    assert spotted(KeywordSpotter(), text) == phrases


def test_a_keyword_says_which_text_has_it():
    transcript = Transcript(3, TextStage.DRAFT, "a root canal", 0, 8000, confidence=0.5)
    assert list(KeywordSpotter().spot(transcript, PHRASES)) == [Keyword(3, "root canal", 8000, TextStage.DRAFT, 0.5)]


def test_a_phrase_is_told_once_for_each_utterance():
    spotter = KeywordSpotter()
    assert spotted(spotter, "a root canal. A root canal!") == ["root canal"]
    assert spotted(spotter, "a root canal. A root canal!", TextStage.SETTLED) == []
    assert spotted(spotter, "a root canal", utterance_id=2) == ["root canal"]


def test_a_phrase_at_the_very_end_of_a_partial_waits_for_the_next_text():
    spotter = KeywordSpotter()
    assert spotted(spotter, "my name is Ann", TextStage.PARTIAL) == []
    assert spotted(spotter, "my name is Annabel", TextStage.PARTIAL) == []
    assert spotted(spotter, "my name is Annabel, and Ann", TextStage.PARTIAL) == []
    assert spotted(spotter, "my name is Annabel, and Ann is", TextStage.PARTIAL) == ["Ann"]


def test_a_phrase_at_the_end_of_a_partial_counts_when_a_draft_ends_with_it():
    spotter = KeywordSpotter()
    assert spotted(spotter, "a root canal", TextStage.PARTIAL) == []
    assert spotted(spotter, "a root canal") == ["root canal"]


def test_a_phrase_inside_a_partial_is_told_at_once():
    assert spotted(KeywordSpotter(), "a root canal would", TextStage.PARTIAL) == ["root canal"]


async def test_a_call_tells_a_keyword_behind_the_first_text_that_has_it():
    call = Call()
    call.listening.update(HintsUpdate(0, phrases=("appointment", "filling")))
    call.engine_call.text = "I would like to make an appointment, and a filling."
    await call.speak(640)
    call.engine_call.report(Partial("I would like to make an appointment, and", call.at, "en"))
    await call.be_silent(200)
    await call.end()
    told = [one for one in call.evidence if isinstance(one, Transcript | Keyword | TurnPrediction)]
    assert [one.stage for one in told if not isinstance(one, TurnPrediction)] == [
        *(TextStage.PARTIAL, TextStage.PARTIAL, TextStage.DRAFT, TextStage.DRAFT, TextStage.SETTLED)
    ]
    assert [one.phrase for one in call.told(Keyword)] == ["appointment", "filling"]
    first = call.told(Keyword)[0]
    assert told[told.index(first) - 1].text == "I would like to make an appointment, and"


async def test_a_correction_may_have_a_keyword_of_its_own():
    call = Call()
    call.listening.update(HintsUpdate(0, phrases=("filling",)))
    await spoken(call)
    await call.end()
    call.engine_call.report(Corrected(1, "I would like a filling.", "en"))
    assert [(one.phrase, one.stage) for one in call.told(Keyword)] == [("filling", TextStage.CORRECTED)]


async def test_what_was_an_echo_hides_no_keyword_of_the_caller():
    call = Call()
    call.listening.update(HintsUpdate(0, phrases=("appointment",)))
    await spoken(call)
    call.listening.discard(0, call.at)
    await call.settle()
    await spoken(call)
    assert [one.utterance_id for one in call.told(Keyword)] == [1, 1]


def test_without_phrases_nothing_is_told():
    transcript = Transcript(1, TextStage.DRAFT, "a root canal", 0, 8000)
    assert list(KeywordSpotter().spot(transcript, Hints().phrases)) == []
