"""Missing parts of a language are named; a fifth language is one folder for every service."""

import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from services.call_gateway.conversation.barge_in import backchannels, stop_commands
from services.language import calendar_words, claims, clauses, data, number_words, outcome_words
from services.language.numerals import read_number
from services.language.reading import normalizer
from services.language.reading.normalizer import RULES, Normalizer
from services.language.script import script_of
from services.nlu.agent.farewell_lists import load_farewells
from services.nlu.agent.graph.asking import asking
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.phrases import load_languages, phrases_of
from services.nlu.clauses import ClauseCutter
from services.stt_proxy.end_of_turn.ending_model import load_ending_models
from services.stt_proxy.end_of_turn.evidence import Evidence, Reason
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import Hints
from services.stt_proxy.grammar import grammar_of, load_grammars
from services.stt_proxy.inventions import load_inventions
from services.stt_proxy.phrasebook import load_phrasebooks, phrasebook_of

READING_TABLES = Path(__file__).parents[2] / "data" / "reading"

PARTS = {
    "language": ("name", "is_spaced", "tokens_per_s"),
    "reading": (
        "digits",
        "point",
        "plus",
        "minus",
        "range",
        "hash",
        "keys",
        "signs",
        "address_signs",
        "currencies",
        "units",
    ),
    "inventions": ("never_said", "said_too"),
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
        "stop_commands",
        "negations",
        "negated_verbs",
        *("expectation.requests", "expectation.digits", "expectation.spelling", "expectation.yes_no"),
    ),
    "farewells": (
        *("anything_else", "farewells", "greetings", "finished", "refusals", "fillers", "leavings", "affirmations"),
        *("meetings", "moments", "requests", "sayings", "endings", "offer_words", "closing_words"),
    ),
    "answers": (
        *("is_spaced", "yes_no", "courtesies", "fillers", "unfinished_endings", "linking_words"),
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
    "claims": (*claims.LISTS, "honest", "common", "frame", "endings", "is_closed_world"),
    "deeds": (*claims.DEED_LISTS, "deeds"),
    "outcomes": outcome_words.KEYS,
    "numbers": (
        *("units", "multipliers", "tails", "digit_words", "repeats", "ones", "one_and_halves", "joiners", "halves"),
        *(
            "after_tens",
            "doubtful",
            "ordinals",
            "ordinal_endings",
            "zero_fills",
            "bare",
            "halves_before",
            "and_halves",
            "points",
            "parts",
        ),
    ),
}

BY_DATA_ALONE = ("point_signs", "times.plain", "times.low", "times.sharp")  # without a module of its own


def keys_of(table: Mapping[str, object], but: tuple[str, ...] = ()) -> Iterator[str]:
    """Every key of a file, "say.price" of what stands in a table; of those in `but` the table alone."""
    for key, value in table.items():
        if isinstance(value, Mapping) and key not in but:
            yield from (f"{key}.{name}" for name in value)
        else:
            yield key


def graph_parts() -> dict[str, tuple[str, ...]]:
    """The parts that an agent of kind graph needs besides: those that English has."""
    names_things = ("currencies", "languages", "people_counted")
    return {name: tuple(keys_of(data.read("en", name), names_things)) for name in ("asking", "answering")}


def missing_parts(language: str) -> list[str]:
    """Files and keys that a language's folder lacks."""
    missing = []
    for name, keys in (PARTS | graph_parts()).items():
        by_data_alone = BY_DATA_ALONE if name == "reading" and language not in RULES else ()
        try:
            data.read(language, name)
        except data.LanguageDataError as error:
            missing.append(str(error))
        else:
            missing += [
                f"{language}/{name}.toml: {key}" for key in (*keys, *by_data_alone) if lacks(language, name, key)
            ]
    return missing


def lacks(language: str, name: str, key: str) -> bool:
    try:
        data.value(language, name, key)
    except data.LanguageDataError:
        return True
    return False


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
    assert sum("is missing" in line for line in missing) == len(PARTS | graph_parts()) - 1


def test_a_key_that_a_call_would_miss_is_named(folder: Path) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    for name, key in (("answering", "closed_on"), ("asking", "take_backs"), ("conversation", "spelling")):
        path = folder / "eo" / f"{name}.toml"
        path.write_text(path.read_text(encoding="utf-8").replace(f"\n{key} =", f"\n{key}_ =", 1), encoding="utf-8")
    data.forget()
    lines = [line for line in missing_parts("eo") if "reading" not in line]
    assert lines == [
        "eo/conversation.toml: expectation.spelling",
        "eo/asking.toml: wishes.take_backs",
        "eo/answering.toml: say.closed_on",
    ]
    with pytest.raises(data.LanguageDataError, match=r"eo/answering\.toml: 'say\.closed_on' is missing"):
        Templates("eo")
    with pytest.raises(data.LanguageDataError, match=r"eo/asking\.toml: 'wishes\.take_backs' is missing"):
        asking("eo")


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


def test_endings_of_a_language_without_learnt_weights_are_heard(folder: Path) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    (folder / "eo" / "ending_weights.tsv").unlink()
    data.forget()
    heard = {
        text: judge(Evidence(text, phrasebook_of("eo-XX"), Hints()), Waits()).reason
        for text in ("I would come tomorrow or maybe", "I would come tomorrow")
    }
    assert list(heard.values()) == [Reason.UNFINISHED, Reason.COMPLETE]


READING = """
digits = ["nul", "unu", "du", "tri", "kvar", "kvin", "ses", "sep", "ok", "naŭ"]
point = "komo"
point_signs = ","
plus = "plus"
minus = "minus"
range = " ĝis "
hash = "numero"
percent = ["elcento", "elcentoj"]

[times]
plain = "{hour} kaj {minute}"
low = "{hour} kaj {minute}"
sharp = "{hour} horo"

[currencies]
"€" = ["eŭro", "eŭroj"]

[units]
"km" = ["kilometro", "kilometroj"]

[keys]
"#" = "krado"

[signs]
"+" = "plus"

[address_signs]
"@" = "ĉe"
"." = "punkto"
"-" = "streko"
"_" = "substreko"
"/" = "oblikvo"
"""


def test_the_keys_that_are_asked_for_are_enough_to_read_any_text(folder: Path) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    (folder / "eo" / "reading.toml").write_text(READING, encoding="utf-8")
    data.forget()
    assert missing_parts("eo") == []
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in READING_TABLES.glob("*.toml")]
    spoken = {line: Normalizer().speak(line, "eo").text for table in tables for line in table["cases"]}
    assert [line for line, said in spoken.items() if any("0" <= sign <= "9" for sign in said)] == []
    assert spoken["5%"] == "kvin elcentoj"
    assert Normalizer().speak("2,5 km je 9:30", "eo").text == "du komo kvin kilometroj je naŭ kaj tridek"


def test_a_language_says_which_sign_parts_its_thousands(folder: Path) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    reading = READING.replace('point_signs = ","', 'point_signs = ","\nthousands_sign = "."')
    (folder / "eo" / "reading.toml").write_text(reading, encoding="utf-8")
    data.forget()
    spoken = [Normalizer().speak(text, "eo").text for text in ("1.500", "1.500,5 km", "2.000.000", "9,50", "1.5.2")]
    assert spoken == [
        "mil kvincent",
        "mil kvincent komo kvin kilometroj",
        "du milionoj",
        "naŭ komo kvin nul",
        "unu punkto kvin punkto du",
    ]


def test_a_pattern_that_does_not_compile_is_named(folder: Path) -> None:
    (folder / "eo").mkdir()
    (folder / "eo" / "language.toml").write_text('name = "x"\nletters = "["\n', encoding="utf-8")
    with pytest.raises(data.LanguageDataError, match=r"eo/language\.toml: 'letters' is no pattern"):
        script_of("eo")


def copy_languages(folder: Path) -> None:
    """A language without rules of its own: Russian read aloud, all else English."""
    shutil.copytree(data.PACKAGED / "en", folder)
    shutil.copy(data.PACKAGED / "ru" / "reading.toml", folder / "reading.toml")


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
    ("inventions", "never_said = [", 'never_said = ["the end",', r"inventions\.toml: 'the end' stands twice in"),
    ("farewells", "meetings =", "meeting =", r"farewells\.toml: 'meetings' is missing"),
    ("reading", "\ncode_words = [", '\ncode_words = ["Рейс",', r"reading\.toml: 'рейс' stands twice in 'code_words'"),
    ("reading", "code_links = [", 'code_links = ["(",', r"reading\.toml: '\(' in 'code_links' does not compile"),
    ("reading", 'hash = "номер"', "", r"reading\.toml: hash is missing"),
    ("reading", 'minus = "минус"', "", r"reading\.toml: minus is missing"),
    ("reading", '"км" = ["', '"км" = ["a", "', r"reading\.toml: 'units.км' has one, two or four forms"),
    ("reading", 'digits = ["ноль", ', "digits = [", r"reading\.toml: 'digits' has ten words"),
    ("reading", "[units]", '[units]\n"км" = ["x", "y"]', r"reading\.toml is no TOML"),
    ("reading", "[units]", '[units]\n"" = ["x"]', r"reading\.toml: 'units' has an empty word"),
    ("reading", '"№" = "номер"\n"&"', '"№" = 5\n"&"', r"reading\.toml: 'signs' says of '№' no words, but 5"),
    (
        "reading",
        'plain = "{hour} {minute}"',
        'plain = "{hour} {minuet}"',
        r"reading\.toml: times.plain has no part {minuet}",
    ),
    ("reading", 'километров", "m"]', 'километров", "x"]', r"reading\.toml: 'units.км' has the gender 'x', which"),
    ("reading", "[units]", '[units]\n"эл" = 7', r"reading\.toml: 'units.эл' is a word or a list of its forms, not 7"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), BAD)
def test_what_is_wrong_is_named_when_a_service_loads(folder: Path, name: str, old: str, new: str, message: str) -> None:
    copy_languages(folder / "eo")
    path = folder / "eo" / f"{name}.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    data.forget()
    with pytest.raises(data.LanguageDataError, match="eo/" + message):
        load_all()


def test_a_line_of_weights_without_one_is_named(folder: Path) -> None:
    shutil.copytree(data.PACKAGED / "en", folder / "eo")
    (folder / "eo" / "ending_weights.tsv").write_text("bias\t0.5\nlast=please\n", encoding="utf-8")
    data.forget()
    with pytest.raises(data.LanguageDataError, match=r"eo/ending_weights\.tsv: line 2 has no weight"):
        load_all()


@pytest.mark.parametrize("name", [*PARTS])
def test_a_missing_file_is_named_when_a_service_loads(folder: Path, name: str) -> None:
    copy_languages(folder / "eo")
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
    """Load the languages, as the services do."""
    backchannels()
    stop_commands()
    load_languages()
    load_phrasebooks()
    load_grammars()
    load_inventions()
    load_farewells()
    load_ending_models()
    clauses.load()
    number_words.load()
    normalizer.load()


@pytest.mark.parametrize("language", data.languages())
def test_no_list_of_a_conversation_has_a_word_twice(language: str) -> None:
    for name, keys in {
        "conversation": (
            *("farewells", "refusals", "thanks", "fillers", "offers", "backchannels", "stop_commands"),
            *("negations", "negated_verbs"),
            *(f"expectation.{key}" for key in ("requests", "digits", "spelling", "yes_no")),
        ),
        "clauses": PARTS["clauses"],
        "farewells": PARTS["farewells"],
        "answers": ("yes_no", "courtesies", "fillers", "unfinished_endings", "number_nouns", "whole_endings"),
    }.items():
        for key in keys:
            data.words(language, name, key)


@pytest.mark.parametrize("language", data.languages())
def test_every_sign_of_an_address_has_its_words(language: str) -> None:
    assert set("@.-_/?=&+%#") <= data.read(language, "reading")["address_signs"].keys()
