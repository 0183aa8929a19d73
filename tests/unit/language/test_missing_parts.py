"""What a language lacks is named; a fifth language is one folder for every service."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.call_gateway.conversation.backchannels import backchannels
from services.language import calendar_words, claims, clauses, data, numerals
from services.language.numerals import read_number
from services.language.reading.normalizer import RULES, Normalizer
from services.language.script import script_of
from services.nlu.agent.wording import load_languages, phrases_of
from services.nlu.clauses import ClauseCutter
from services.stt_proxy.grammar import grammar_of, load_grammars
from services.stt_proxy.phrasebook import load_phrasebooks, phrasebook_of

PARTS = {
    "language": ("name", "is_spaced", "tokens_per_s"),
    "reading": ("keys", "signs", "address_signs", "currencies", "units"),
    "clauses": (
        *("unfinished_by_a_dot", "unfinished_in_a_capital", "unfinished_before_a_digit"),
        *("joints", "phrase_openings"),
    ),
    "conversation": (
        "farewells",
        "refusals",
        "thanks",
        "fillers",
        "offers",
        "backchannels",
        "negations",
        "negated_verbs",
        "expectation",
    ),
    "answers": (
        *("language", "is_spaced", "yes_no", "courtesies", "fillers", "unfinished_endings", "linking_words"),
        *("linked_subjects", "number_nouns", "whole_endings", "digit_words", "tens_words", "repeat_words"),
        *("letter_words", "whole_number_lengths"),
    ),
    "sentence_ends": ("is_spaced", "classes", "patterns"),
    "dates": (
        *calendar_words.LISTS,
        *("weekdays", "weekday_groups", "months", "relative_days", "day_parts", "times", "ordinals", "holidays"),
        "day_first",
    ),
    "values": (
        *("currencies", "small_currencies", "percent", "percent_before", "money_multipliers", "free_of_charge"),
        *("not_numbers", "large_is_money"),
    ),
    "claims": (*claims.LISTS, "honest", "common", "endings", "is_closed_world"),
    "deeds": (*claims.DEED_LISTS, "deeds"),
    "numbers": (
        *("units", "multipliers", "tails", "digit_words", "repeats", "ones", "one_and_halves", "joiners", "halves"),
        *("after_tens", "doubtful", "zero_fills", "bare"),
    ),
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


BAD = [
    (
        "conversation",
        'offers = ["',
        'offers = ["Anything Else", "',
        r"conversation\.toml: 'anything else' stands twice in",
    ),
    ("conversation", 'offers = ["', 'offers = ["", "', r"conversation\.toml: 'offers' is a list of words"),
    ("conversation", "offers =", "offer =", r"conversation\.toml: 'offers' is missing"),
    ("conversation", "[expectation]", "[expectation", r"conversation\.toml is no TOML"),
    ("answers", "fillers = [", 'fillers = ["um",', r"answers\.toml: 'um' stands twice in 'fillers'"),
    ("answers", 'five = "5"', 'five = "V"', r"answers\.toml: 'five' in 'digit_words' has no whole number"),
    ("answers", "is_spaced = true", 'is_spaced = "yes"', r"answers\.toml: 'is_spaced' is true or false"),
    ("sentence_ends", "aside = [", 'aside = ["um",', r"sentence_ends\.toml: 'um' stands twice in 'classes\.aside'"),
    (
        "sentence_ends",
        "open = [",
        'open = ["{nothing} x",',
        r"sentence_ends\.toml: patterns\.open: .*no class 'nothing'",
    ),
    (
        "sentence_ends",
        "open = [",
        'open = ["{~determiner x",',
        r"sentence_ends\.toml: patterns\.open: .*does not compile",
    ),
    (
        "sentence_ends",
        "aside = [",
        'aside = ["{nothing}",',
        r"sentence_ends\.toml: classes\.aside: there is no other class",
    ),
    ("clauses", "joints = [", 'joints = ["and",', r"clauses\.toml: 'and' stands twice in 'joints'"),
    ("numbers", '"five" = 5', '"five" = "V"', r"numbers\.toml: 'five' in 'units' has no whole number"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), BAD)
def test_what_is_wrong_is_named_when_a_service_loads(folder: Path, name: str, old: str, new: str, message: str) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    path = folder / "eo" / f"{name}.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    data.forget()
    with pytest.raises(data.LanguageDataError, match="eo/" + message):
        load_all()


@pytest.mark.parametrize("name", ["language", "conversation", "answers", "sentence_ends", "clauses", "numbers"])
def test_a_missing_file_is_named_when_a_service_loads(folder: Path, name: str) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    (folder / "eo" / f"{name}.toml").unlink()
    data.forget()
    with pytest.raises(data.LanguageDataError, match=rf"eo/{name}\.toml is missing"):
        load_all()


def test_a_word_in_two_forms_of_unicode_stands_twice(folder: Path) -> None:
    (folder / "eo").mkdir()
    (folder / "eo" / "clauses.toml").write_text(
        'joints = ["\u0111\u01b0\u1ee3c", "\u0111\u01b0\u01a1\u0323c"]', encoding="utf-8"
    )
    with pytest.raises(data.LanguageDataError, match="stands twice"):
        data.words("eo", "clauses", "joints")


def load_all() -> None:
    """As the services load."""
    backchannels()
    load_languages()
    load_phrasebooks()
    load_grammars()
    numerals.load()


@pytest.mark.parametrize("language", data.languages())
def test_no_list_of_a_conversation_has_a_word_twice(language: str) -> None:
    for name, keys in {
        "conversation": (
            *("farewells", "refusals", "thanks", "fillers", "offers", "backchannels", "negations", "negated_verbs"),
            *(f"expectation.{key}" for key in ("requests", "digits", "spelling", "yes_no")),
        ),
        "clauses": PARTS["clauses"],
        "answers": ("yes_no", "courtesies", "fillers", "unfinished_endings", "number_nouns", "whole_endings"),
    }.items():
        for key in keys:
            data.words(language, name, key)
