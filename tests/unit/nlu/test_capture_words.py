"""Every sentence of a capture passes the guard of every agent here, and has the places that code fills."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from string import Formatter

import pytest

from services.language.capture_words import capture_words, has_capture
from services.nlu.agent.evidence import Evidence
from services.nlu.agent.guarding import guard_of
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.settings import NluSettings

AGENTS = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)
LANGUAGES = ("en", "vi", "ru", "zh")
VALUE = "0 9 1 2, 3 4 5, 6 7 8"


def sentences(language: str) -> list[str]:
    words = capture_words(language)
    return [text.format(value=VALUE, n=4) for text in (*words.asks.values(), *words.says.values())]


@pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_passes_the_guard(agent: AgentProfile, language: str) -> None:
    tag = next((tag for tag in agent.language_codes if tag.startswith(language)), None)
    if tag is None:
        return
    guard = guard_of(agent)
    evidence = Evidence(caller=(VALUE, "no"), now=datetime(2026, 11, 30, 10, 30, tzinfo=agent.zone))
    evidence = replace(evidence, computed=tuple(map(Decimal, range(10))))
    withheld = [
        (text, verdict.rule, verdict.offending)
        for text in sentences(language)
        if not (verdict := guard.check(text, language=tag, evidence=evidence)).ok
    ]
    assert withheld == []


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_sentences_and_places(language: str) -> None:
    first, second = capture_words(LANGUAGES[0]), capture_words(language)
    for one, other in ((first.asks, second.asks), (first.says, second.says)):
        assert one.keys() == other.keys()
        for key, text in one.items():
            assert places(text) == places(other[key]), key


def test_a_language_without_the_words_captures_nothing() -> None:
    assert not has_capture("xx")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_that_can_be_named_can_be_read_back(language: str) -> None:
    words = capture_words(language)
    named = {letter for _, letters in words.letter_names for letter in letters}
    assert named - set(words.letters_said) == set()
    assert set("abcdefghijklmnopqrstuvwxyz") <= set(words.letters_said)
    assert {mark for _, mark in words.marks} - set(words.marks_said) == set()
