"""What a language lacks is named; a fifth language is one folder for every service."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.call_gateway.conversation.backchannels import backchannels
from services.language import clauses, data
from services.language.numerals import read_number
from services.language.reading.normalizer import RULES, Normalizer
from services.language.script import script_of
from services.nlu.agent.wording import phrases_of
from services.nlu.clauses import ClauseCutter
from services.stt_proxy.grammar import grammar_of
from services.stt_proxy.phrasebook import phrasebook_of

PARTS = {
    "language": ("name", "is_spaced", "tokens_per_s"),
    "reading": ("keys", "signs", "address_signs", "currencies", "units"),
    "clauses": ("unfinished_by_a_dot", "joints", "phrase_openings"),
    "conversation": ("farewells", "refusals", "thanks", "fillers", "offers", "backchannels", "expectation"),
    "answers": (
        *("language", "is_spaced", "yes_no", "courtesies", "fillers", "unfinished_endings", "linking_words"),
        *("linked_subjects", "number_nouns", "whole_endings", "digit_words", "tens_words", "repeat_words"),
        *("letter_words", "whole_number_lengths"),
    ),
    "sentence_ends": ("is_spaced", "classes", "patterns"),
    "numbers": ("units", "multipliers", "joiners", "halves", "zero_fills"),
}

BY_DATA_ALONE = ("digits", "point", "point_signs", "plus", "minus", "range", "times")  # without a module of its own


def missing_parts(language: str) -> list[str]:
    """Files and keys that a language's folder lacks."""
    missing = []
    for name, keys in PARTS.items():
        try:
            table = data.read(language, name)
        except data.LanguageDataError as error:
            missing.append(str(error))
        else:
            missing += [f"{language}/{name}.toml: {key}" for key in keys if key not in table]
    if language not in RULES and not any("reading.toml is" in line for line in missing):
        missing += [
            f"{language}/reading.toml: {key}" for key in BY_DATA_ALONE if key not in data.read(language, "reading")
        ]
    return missing


def test_no_language_lacks_a_part() -> None:
    assert [missing for language in data.languages() for missing in missing_parts(language)] == []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    data.add_root(tmp_path)
    yield tmp_path
    data.remove_root(tmp_path)


def test_every_missing_file_and_key_is_named(folder: Path) -> None:
    (folder / "eo").mkdir()
    (folder / "eo" / "language.toml").write_text('name = "Esperanto"\nis_spaced = true\n', encoding="utf-8")
    missing = missing_parts("eo")
    assert "eo/language.toml: tokens_per_s" in missing
    assert sum("is missing" in line for line in missing) == len(PARTS) - 1


def test_a_fifth_language_is_one_folder_for_every_service(folder: Path) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    shutil.copy(data.PACKAGED / "ru" / "reading.toml", folder / "eo" / "reading.toml")
    for name, old, new in (
        ("conversation", "backchannels = [\n", 'backchannels = [\n  "jes ja",\n'),
        ("conversation", "farewells = [", 'farewells = [ "ĝis revido",'),
        ("clauses", "joints = [\n", 'joints = [\n  "kaj",\n'),
        ("clauses", "unfinished_by_a_dot = [\n", 'unfinished_by_a_dot = [\n  "d-ro",\n'),
        ("answers", "yes_no = [\n", 'yes_no = [\n  "jes",\n'),
        ("numbers", "[units]\n", '[units]\n"dek" = 10\n'),
        ("language", 'name = "English"', 'name = "Esperanto"\nletters = "[ĉĝĥĵŝŭ]"'),
    ):
        path = folder / "eo" / f"{name}.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text, (name, old)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    data.forget()
    assert missing_parts("eo") == []
    assert ("jes", "ja") in backchannels()
    assert "ĝis revido" in phrases_of("eo").farewells
    assert "kaj" in clauses.joints()
    assert "d-ro" in clauses.unfinished_by_a_dot("eo-XX")
    assert phrasebook_of("eo").is_yes_or_no(("jes",))
    assert grammar_of("eo").is_spaced
    assert read_number("dek", "eo") == 10
    assert script_of("eo").letters is not None
    assert Normalizer().speak("5 км", "eo").text == "kvin километров"  # CLDR knows it
    assert [clause.text for clause in ClauseCutter().push("Bone, ")] == ["Bone, "]


def test_a_pattern_that_does_not_compile_is_named(folder: Path) -> None:
    (folder / "eo").mkdir()
    (folder / "eo" / "language.toml").write_text('name = "x"\nletters = "["\n', encoding="utf-8")
    with pytest.raises(data.LanguageDataError, match=r"eo/language\.toml: 'letters' is no pattern"):
        script_of("eo")


@pytest.mark.parametrize("language", data.languages())
def test_no_list_of_a_conversation_has_a_word_twice(language: str) -> None:
    for name, keys in {
        "conversation": (
            *("farewells", "refusals", "thanks", "fillers", "offers", "backchannels"),
            *(f"expectation.{key}" for key in ("requests", "digits", "spelling", "yes_no")),
        ),
        "clauses": ("joints", "phrase_openings", "unfinished_by_a_dot"),
        "answers": ("yes_no", "courtesies", "fillers", "unfinished_endings", "number_nouns", "whole_endings"),
    }.items():
        for key in keys:
            data.words(language, name, key)
