"""The words of a language stand in its folder: no service holds letters or words of one."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.language import data
from services.language.words import normalise

SERVICES = Path(__file__).parents[3] / "services"
LANGUAGE = SERVICES / "language"
FEWEST_WORDS = 3  # that make a list of words

ALLOWED = {
    "tts/vits/phonemes.py": "stress and length marks of the phonetic alphabet, which is no language's",
}


def modules() -> list[Path]:
    return [path for path in SERVICES.rglob("*.py") if LANGUAGE not in path.parents]


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every string of a module but its docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def foreign_letters(source: str) -> list[str]:
    """The literals with a letter that is no plain Latin one."""
    found = literals(ast.parse(source))
    return [node.value for node in found if any(c.isalpha() and not c.isascii() for c in node.value)]


def word_lists(source: str, known: frozenset[str]) -> list[list[str]]:
    """Lists, sets, tables and strings to be split whose words are mostly those of a language's data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.Dict(keys=parts):
                words = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="split")):
                words = text.split()
            case _:
                continue
        n_known = sum(word in known for word in words)
        if n_known >= FEWEST_WORDS and n_known * 2 > len(words):
            found.append(words)
    return found


def vocabulary() -> frozenset[str]:
    """Every word and phrase in the lists of every language."""
    found: set[str] = set()

    def gather(value: object) -> None:
        match value:
            case str():
                found.update((value, " ".join(normalise(value))))
            case list():
                for each in value:
                    gather(each)
            case Mapping():
                for key, each in value.items():
                    if isinstance(each, int | str):
                        gather(key)
                    else:
                        gather(each)

    for language in data.languages():
        for name in ("conversation", "answers", "clauses", "sentence_ends", "numbers"):
            gather(data.read(language, name))
    return frozenset(found)


def test_no_service_has_letters_of_a_language():
    found = {
        str(path.relative_to(SERVICES)): letters
        for path in modules()
        if (letters := foreign_letters(path.read_text(encoding="utf-8")))
    }
    assert {name: letters for name, letters in found.items() if name not in ALLOWED} == {}
    assert found.keys() >= ALLOWED.keys(), "an exception that none needs any more"


def test_no_service_has_a_list_of_words():
    known = vocabulary() - set(data.table("en", "asking", "kinds"))  # of questions: names, in every language
    found = {
        str(path.relative_to(SERVICES)): lists
        for path in modules()
        if (lists := word_lists(path.read_text(encoding="utf-8"), known))
    }
    assert found == {}


def test_both_are_found_where_they_are():
    known = vocabulary()
    assert foreign_letters('"""Đây là lời."""\nx = "đừng"\ny = "?！"') == ["đừng"]
    for source in ('{"uh", "um", "hmm"}', 'x = ["yes", "no", "maybe", "sure"]', '"and but or because".split()'):
        assert word_lists(source, known), source
    assert word_lists('("host", "port", "yes")', known) == []


def test_no_service_has_data_of_languages_beside_its_code():
    """Texts and scripts that a service says are no knowledge of a language: the gateway's prompts, a test engine's."""
    beside = {str(path.relative_to(SERVICES)) for path in SERVICES.rglob("*.toml") if LANGUAGE not in path.parents}
    assert beside == {"call_gateway/prompts/texts.toml", "nlu/engines/script.toml"}
