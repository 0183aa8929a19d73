"""The table of what is spoken: every line of tests/data/reading, and what the package promises of any language."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.language import data
from services.language.reading.normalizer import Normalizer, Pronunciation, load

TABLES = sorted((Path(__file__).parents[2] / "data" / "reading").glob("*.toml"))
CASES = [
    (table["language_code"], written, spoken)
    for path in TABLES
    for table in [tomllib.loads(path.read_text(encoding="utf-8"))]
    for written, spoken in table["cases"].items()
]


@pytest.mark.parametrize(("language_code", "written", "spoken"), CASES)
def test_a_line_is_spoken_as_the_table_says(language_code: str, written: str, spoken: str) -> None:
    assert Normalizer().speak(written, language_code).text == spoken


@pytest.mark.parametrize(("language", "fewest"), [("en", 150), ("vi", 150), ("ru", 30), ("zh", 30)])
def test_the_table_is_long_enough(language: str, fewest: int) -> None:
    assert sum(1 for code, _, _ in CASES if data.primary(code) == language) >= fewest


@pytest.fixture
def fifth_language(tmp_path: Path) -> Iterator[str]:
    """Ukrainian, made of one folder: the data of Russian with two words changed."""
    shutil.copytree(data.PACKAGED / "ru", tmp_path / "uk")
    path = tmp_path / "uk" / "reading.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('minus = "минус"', 'minus = "мінус"').replace('"$" = ["доллар"', '"$" = ["долар"'))
    data.add_root(tmp_path)
    yield "uk"
    data.remove_root(tmp_path)


def test_a_fifth_language_is_one_folder(fifth_language: str) -> None:
    assert fifth_language in data.languages()
    assert Normalizer().speak("-2", "uk-UA").text == "мінус два"
    assert Normalizer().speak("$21", "uk").text == "двадцять один долар"


def test_a_folder_without_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "eo").mkdir()
    data.add_root(tmp_path)
    try:
        with pytest.raises(data.LanguageDataError, match=r"eo/reading\.toml is missing"):
            Normalizer().speak("5", "eo")
    finally:
        data.remove_root(tmp_path)


def test_a_word_that_stands_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "eo").mkdir()
    (tmp_path / "eo" / "list.toml").write_text('words = ["jes", "Jes"]', encoding="utf-8")
    data.add_root(tmp_path)
    try:
        with pytest.raises(data.LanguageDataError, match=r"eo/list\.toml: 'Jes' stands twice in 'words'"):
            data.words("eo", "list", "words")
    finally:
        data.remove_root(tmp_path)


def test_nothing_is_compiled_in_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    lexicon = [Pronunciation(f"word{number}", "spoken") for number in range(500)]

    def compiled(*_: object, **__: object) -> None:
        raise AssertionError("a pattern was compiled in a call")

    monkeypatch.setattr(re, "compile", compiled)
    spoken = Normalizer(lexicon).speak("Word7 costs $5 at 9:30", "en-US")
    assert spoken.text == "spoken costs five dollars at nine thirty"


@pytest.mark.parametrize("language_code", ["en-US", "vi-VN", "ru-RU", "zh-CN"])
@pytest.mark.parametrize(
    "text",
    [
        "1" * 40,
        "1.2.3.4",
        "5 😀 6",
        "5😀6",
        "giá 5 đô la price 5 цена 5 价格5",
        "cafe\u0301 7",
        "café 7",
        "½½½",
        "#*#*",
        "-",
        "",
    ],
)
def test_no_text_breaks_it_and_no_digit_is_lost(language_code: str, text: str) -> None:
    spoken = Normalizer().speak(text, language_code)
    assert not re.search(r"[0-9]", spoken.text)
    assert spoken.source_end(len(spoken.text)) == len(text)


@pytest.mark.parametrize("language", ["", "..", "../en", "xx", "en/.."])
def test_what_is_no_language_gets_the_fallback(language: str) -> None:
    assert data.folder_of(language) == data.PACKAGED / data.FALLBACK
