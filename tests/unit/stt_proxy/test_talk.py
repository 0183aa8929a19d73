"""Sentences that weights are learnt from, and a check that the shipped weights are the ones that the command makes."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.language.words import normalise
from services.stt_proxy.end_of_turn.ending_model import ending_model_of
from services.stt_proxy.end_of_turn.train import PAUSE, TALK, main, read_talk, train

DATA = Path(__file__).parents[2] / "data"
LANGUAGES = sorted(file.stem for file in TALK.glob("*.txt"))
RUN_WORDS = 5
SAME_WEIGHT = 0.06  # another processor may round the last sums another way


def runs_of(text: str) -> set[tuple[str, ...]]:
    """Every five words in a row."""
    words = normalise(text.replace(PAUSE, " "))
    return {words[at : at + RUN_WORDS] for at in range(len(words) - RUN_WORDS + 1)}


def measured_sentences(language: str) -> Iterator[str]:
    """The sentences of the clips that ends of turns are measured on, of every part and of the bench."""
    parts = tomllib.loads((DATA / "endpointing_sentences.toml").read_text(encoding="utf-8"))
    parts["bench"] = tomllib.loads((DATA / "sentences.toml").read_text(encoding="utf-8"))
    for languages in parts.values():
        for sentences in languages.get(language, {}).values():
            yield from sentences


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_shares_five_words_in_a_row_with_a_sentence_it_is_measured_on(language: str):
    measured = {run for sentence in measured_sentences(language) for run in runs_of(sentence)}
    shared = [line for line in read_talk(language) if runs_of(line) & measured]
    assert not shared


def test_the_sentences_it_is_measured_on_are_found():
    assert len(list(measured_sentences("en"))) > 200
    assert runs_of("one two | three four five six") == {
        ("one", "two", "three", "four", "five"), ("two", "three", "four", "five", "six"),
    }  # fmt: skip


@pytest.mark.parametrize("language", ["ru", "zh"])  # the others are older than the talk, see docs/ENDPOINTING.md
def test_the_weights_are_those_the_command_learns(language: str):
    model = ending_model_of(language)
    assert model is not None
    learnt = train(language)
    for feature in learnt.keys() | model.weights.keys():
        assert learnt.get(feature, 0.0) == pytest.approx(model.weights.get(feature, 0.0), abs=SAME_WEIGHT)


def test_no_weights_are_written_over_unless_their_language_is_named(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([])
    assert "languages" in capsys.readouterr().err
