"""Whatever is wrong in a language's folder is one line that names file and key, before the first call."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.call_gateway.conversation.barge_in import backchannels, stop_commands
from services.language import calendar_words, claims, clauses, data, number_words, outcome_words, script, value_words
from services.language.reading import normalizer
from services.nlu.agent.farewell_lists import load_farewells
from services.nlu.agent.graph.asking import asking
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.outcomes import load_outcomes
from services.nlu.agent.phrases import phrases_of
from services.nlu.agent.waiting_words import load_waiting_words
from services.stt_proxy.grammar import load_grammars
from services.stt_proxy.inventions import load_inventions
from services.stt_proxy.phrasebook import load_phrasebooks

from .test_missing_parts import PARTS, copy_languages

ROOT = Path(__file__).parents[3]
LOADS: dict[str, Callable[[], object]] = {
    "language": script.load,
    "reading": normalizer.load,
    "inventions": load_inventions,
    "clauses": clauses.load,
    "conversation": lambda: (phrases_of("eo"), backchannels(), stop_commands()),
    "farewells": load_farewells,
    "answers": load_phrasebooks,
    "sentence_ends": load_grammars,
    "dates": calendar_words.load,
    "values": value_words.load,
    "claims": claims.load,
    "deeds": claims.load,
    "numbers": number_words.load,
    "outcomes": outcome_words.load,
    "call_actions": lambda: (load_outcomes(), load_waiting_words()),
    "asking": lambda: asking("eo"),
    "answering": lambda: Templates("eo"),
}
REFERENCE = "en"  # asking and answering are held against it
OPTIONAL = {("language", "name")}  # for who reads the file


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fifth language alone with the one for all others, so that nothing else is read again and again."""
    copy_languages(tmp_path / "eo")
    shutil.copytree(data.PACKAGED / data.FALLBACK, tmp_path / data.FALLBACK)
    if getattr(request.node, "callspec", None) and request.node.callspec.params.get("name") in ("asking", "answering"):
        shutil.copytree(data.PACKAGED / REFERENCE, tmp_path / REFERENCE)
    monkeypatch.setattr(data, "_roots", [tmp_path])
    data.forget()
    yield tmp_path / "eo"
    monkeypatch.undo()
    data.forget()


def written(table: object) -> str:
    """A value in TOML, whose strings and lists are JSON's."""
    if isinstance(table, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {written(value)}" for key, value in table.items()) + "}"
    if isinstance(table, list):
        return "[" + ", ".join(map(written, table)) + "]"
    return json.dumps(table)


def fault(folder: Path, name: str, table: dict[str, object]) -> str:
    """The message of loading the file with these keys; empty: all is well."""
    text = "\n".join(f"{json.dumps(key)} = {written(value)}" for key, value in table.items())
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    data.forget()
    try:
        LOADS[name]()
    except data.LanguageDataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", LOADS)
def test_a_value_of_a_wrong_type_is_named(folder: Path, name: str) -> None:
    table = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    assert fault(folder, name, table) == "", "the file is well without a change"
    unnamed = {}
    for key, value in table.items():
        if (name, key) in OPTIONAL:
            continue
        wrongs: tuple[object, ...] = ("foo" if not isinstance(value, str) else 5, {"a": {"b": [{}]}}, [["a"]], [{}])
        for wrong in wrongs:
            said = fault(folder, name, {**table, key: wrong})
            if f"eo/{name}.toml" not in said or key not in said or "\n" in said:
                unnamed[key, str(wrong)] = said
    assert unnamed == {}


@pytest.mark.parametrize("name", [name for name in LOADS if name != "reading"])
def test_a_list_entry_that_says_nothing_or_twice_the_same_is_named(folder: Path, name: str) -> None:
    table = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    unnamed = {}
    for key, value in table.items():
        if not isinstance(value, list) or not value or not isinstance(value[0], str):
            continue
        for entry in (value[0], "...", " ", ""):
            said = fault(folder, name, {**table, key: [*value, entry]})
            if f"eo/{name}.toml" not in said or key not in said or "\n" in said:
                unnamed[key, entry] = said
    assert unnamed == {}


@pytest.mark.parametrize(
    ("name", "key", "word", "value"),
    [
        ("dates", "weekdays", "monday", 7),
        ("dates", "months", "may", 13),
        ("dates", "months", "may", 0),
        ("dates", "ordinals", "first", 32),
        ("dates", "relative_days", "tomorrow", True),
        ("dates", "relative_days", "tomorrow", 1e9),
        ("dates", "weekday_groups", "weekend", 5),
        ("dates", "weekday_groups", "weekend", [5, 7]),
        ("dates", "weekday_groups", "weekend", []),
        ("dates", "day_parts", "morning", "dawn"),
        ("dates", "day_parts", "morning", []),
        ("dates", "times", "noon", "12"),
        ("dates", "times", "noon", "25:00"),
        ("dates", "times", "noon", "12:75"),
        ("dates", "holidays", "christmas", "13-25"),
        ("dates", "holidays", "christmas", "12-32"),
        ("values", "currencies", "dollar", 5),
        ("values", "currencies", "dollar", ""),
        ("numbers", "units", "one", -1),
        ("numbers", "units", "one", True),
        ("numbers", "units", "one", "eins"),
        ("language", "tokens_per_s", None, 0),
        ("language", "tokens_per_s", None, float("inf")),
        ("farewells", "anything_else", None, []),
        ("claims", "honest", None, ""),
        ("call_actions", "done", None, []),
        ("asking", "now", "words", "today"),
        ("asking", "kinds", "price", []),
        ("answering", "say", "price", "{service} costs {price}."),
        ("answering", "say", "price", "{price"),
        ("answering", "say", "price", "{}"),
        ("answering", "time", None, "{hour}:{second}"),
        ("answering", "weekdays", None, ["Monday"]),
        ("answering", "currencies", "USD", []),
        ("answering", "currencies", "USD", "dollar"),
        ("answering", "languages", "vi", 5),
        ("answering", "articles", None, ["a"]),
        ("sentence_ends", "patterns", "opened", ["x"]),
    ],
)
def test_a_value_out_of_its_range_is_named(folder: Path, name: str, key: str, word: str | None, value: object) -> None:
    table = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    changed = {**table, key: value} if word is None else {**table, key: {**table[key], word: value}}
    if value == float("inf"):
        (folder / f"{name}.toml").write_text("is_spaced = true\ntokens_per_s = inf\n", encoding="utf-8")
        data.forget()
        with pytest.raises(data.LanguageDataError, match=f"{key!r}"):
            LOADS[name]()
        return
    said = fault(folder, name, changed)
    assert said.startswith(f"eo/{name}.toml: ")
    assert key in said or repr(word) in said


@pytest.mark.parametrize("name", [*PARTS])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfen\x00a\x00", "is not written in UTF-8: line 1"),
        (
            "# ok\nx = 1\nname = 'Tiếng Việt'\n".encode("cp1258", "replace") + b"\xe9\xe8\n",
            "is not written in UTF-8: line",
        ),
        (b"[[[", "is no TOML"),
        (b"x = " + b"[" * 20_000, "is no TOML"),
        (b"", "is missing"),
    ],
    ids=["utf-16", "cp1258", "broken", "deep", "empty"],
)
def test_a_file_that_cannot_be_read_is_named(folder: Path, name: str, content: bytes, expected: str) -> None:
    (folder / f"{name}.toml").write_bytes(content)
    data.forget()
    if name == "language" and not content:
        return  # every key of it has a value of its own
    with pytest.raises(data.LanguageDataError) as raised:
        LOADS[name]()
    assert f"eo/{name}.toml" in str(raised.value)
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_in_place_of_a_file_is_named(folder: Path) -> None:
    (folder / "clauses.toml").unlink()
    (folder / "clauses.toml").mkdir()
    data.forget()
    with pytest.raises(data.LanguageDataError, match=r"eo/clauses\.toml cannot be read: Is a directory"):
        clauses.load()


def test_a_mark_that_an_editor_begins_a_file_with_is_no_fault(folder: Path) -> None:
    path = folder / "clauses.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    data.forget()
    clauses.load()
    assert clauses.unfinished_by_a_dot("eo")


START = """
import sys
from pathlib import Path
from services.language import data
data.add_root(Path(sys.argv[1]))
from services.tts.__main__ import main
main()
"""


def test_a_service_with_a_broken_language_ends_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_languages(tmp_path / "eo")
    path = tmp_path / "eo" / "clauses.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("joints =", "joint ="), encoding="utf-8")
    monkeypatch.setenv("TTS_PORT", "0")
    monkeypatch.setenv("TTS_METRICS_PORT", "0")
    monkeypatch.setenv("TTS_ENGINES", "en=tone")
    ended = subprocess.run(
        [sys.executable, "-c", START, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert [line for line in ended.stderr.splitlines() if not line.startswith("{")] == [
        "tts: eo/clauses.toml: 'joints' is missing"
    ]
