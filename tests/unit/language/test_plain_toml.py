"""The reader of plain TOML agrees with tomllib on every file, and leaves faults to it."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language import data, plain_toml

ROOT = Path(__file__).parents[3]
FILES = [path for root in ("services", "tests/data", "deploy") for path in sorted((ROOT / root).rglob("*.toml"))]

FAULTS = [
    'a = "1"\na = "2"\n',
    '[t]\na = "1"\n[t]\nb = "2"\n',
    '[t.u]\n[t]\nu = "1"\n',
    '[t]\nu = "1"\n[t.u]\n',
    '[t]\n[[t]]\n',
    't = []\n[[t]]\n',
    'a = ["1" "2"]\n',
    'a = ["1",, "2"]\n',
    'a = ["1"\n',
    'a = "1" "2"\n',
    'a = "1\n2"\n',
    'a = """1\n',
    "a = 01\n",
    "a = True\n",
    "a = \n",
    "a\n",
    '[t\n',
    '[[t]\n',
    'a = "\\q"\n',
    'a = "\x01"\n',
    "# \x01\n",
    'é = "1"\n',
    "a = { b = 1\n}\n",
]  # fmt: skip

READ = [
    "",
    "\n\n# nothing\n",
    'a = ""\nb = \'\'\nc = """\n"""\n"" = "d"\n',
    'a = "#"\nb = \'"\'\nc = ["#", "]", \'"\',] # end\n',
    'a = [\n  "1", # one\n  "2" # two "3"\n]\n',
    'a = "\\u00e9\\"x\\\\"\nb = [1, 2]\nc = { d = "e", f = [["g"]] }\nd = -1.5\ne = 2024-05-06\n',
    '[a]\nb = 0\n[a.b-c]\nd = true\n[[e]]\nf = 1\n[[e]]\nf = 2\n',
    'a.b = "dotted"\n',
    "a = '''x'''\n",
    'a = """x"y"""\n',
    '[[a.b]]\nc = 1\n',
    'a = [\n  ["1"],\n]\n',
    'a = "x"\r\nb = "y"\r\n',
]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_what_tomllib_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8-sig")
    assert repr(plain_toml.loads(text)) == repr(tomllib.loads(text))


def test_every_file_of_a_language_is_plain() -> None:
    for language in data.languages():
        for path in data.folder_of(language).glob("*.toml"):
            assert plain_toml._plain(path.read_text(encoding="utf-8-sig")) is not None, path


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_told_as_tomllib_tells_it(text: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as expected:
        tomllib.loads(text)
    with pytest.raises(tomllib.TOMLDecodeError) as found:
        plain_toml.loads(text)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("text", READ)
def test_what_is_right_is_read(text: str) -> None:
    assert repr(plain_toml.loads(text)) == repr(tomllib.loads(text))


PIECES = (
    "a",
    "b",
    "=",
    " ",
    "\n",
    '"',
    "'",
    '"""',
    "#",
    "[",
    "]",
    "[[",
    "]]",
    ",",
    "\\",
    "1",
    "0",
    "true",
    "{",
    "}",
    ".",
    '"x"',
)


@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_no_text_is_read_otherwise(text: str) -> None:
    try:
        expected = repr(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        with pytest.raises(tomllib.TOMLDecodeError):
            plain_toml.loads(text)
        return
    assert repr(plain_toml.loads(text)) == expected
