"""Calls held to the grammar of their tools, with llama.cpp's own grammars on a tiny model's letters."""

import json
import time
from collections.abc import Iterator
from typing import Any

import llama_cpp as llama
import pytest
from jsonschema import Draft202012Validator

from services.nlu.engine import Message, Role, ToolSpec
from services.nlu.engines.llama_cpp.constrained import ConstrainedCalls
from services.nlu.engines.llama_cpp.engine import options_of
from services.nlu.engines.llama_cpp.grammar import grammar_of
from services.nlu.engines.llama_cpp.model import LlamaModel, Row
from services.nlu.engines.llama_cpp.prompt import PromptTokens
from services.nlu.engines.llama_cpp.schemas import plain_schema
from services.nlu.settings import NluSettings
from services.nlu.tool_calls import ToolCallReader
from services.nlu.tool_form import ToolForm, beginning_of
from services.nlu.tools.clinic.tools import Book, Find, FreeTimes
from tests.unit.nlu.gguf_files import write_tiny_llama4

ODD = {
    "type": "object",
    "properties": {
        "kind": {"enum": ['a"b', "c\\d", "ủ"]},
        "size": {"$ref": "#/$defs/Size"},
        "code": {"type": "string", "pattern": "^[A-Z]{2}\\d{3}$"},
        "mail": {"type": "string", "pattern": "^[^@]+@[^@]+$"},
        "note": {"anyOf": [{"type": "string", "maxLength": 500}, {"type": "null"}]},
        "list": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
        "deep": {"$ref": "#/$defs/Loop"},
        "any": {},
        "on": {"type": "boolean"},
    },
    "required": ["kind"],
    "$defs": {
        "Size": {"const": "large"},
        "Loop": {"type": "object", "properties": {"loop": {"$ref": "#/$defs/Loop"}}},
    },
}
TOOLS = (Book.spec, Find.spec, FreeTimes.spec, ToolSpec("odd", "Is odd.", json.dumps(ODD)))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    path = write_tiny_llama4(tmp_path_factory.mktemp("tiny") / "tiny.gguf")
    opened = LlamaModel(path, options_of(NluSettings(model=str(path), context_tokens=2048)))
    yield opened
    opened.close()


def accepts(model: LlamaModel, form: ToolForm, text: str, tools: tuple[ToolSpec, ...] = TOOLS) -> bool:
    grammar = model.open_grammar(grammar_of(tools, form))
    try:
        for token in model.tokenize(text, is_template=True):
            if not grammar.allows(token):
                return False
            grammar.accept(token)
        return grammar.is_complete
    finally:
        grammar.close()


def hermes(name: str, arguments: object) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}\n</tool_call>"


BOOKING = {"starts": "2026-12-01T10:00", "name": "Anna", "phone": "0912"}


@pytest.mark.parametrize(
    ("arguments", "is_right"),
    [
        (BOOKING, True),
        (BOOKING | {"service": "cleaning"}, True),
        ({"starts": "tomorrow", "name": "Anna", "phone": "0912"}, False),
        ({"starts": "2026-12-01T10:00", "phone": "0912"}, False),
        (BOOKING | {"price": 1}, False),
        (BOOKING | {"name": 1}, False),
        (BOOKING | {"name": "line\nbreak"}, True),  # escaped
        ([], False),
    ],
)
def test_only_arguments_of_the_schema_are_in_the_grammar(model: LlamaModel, arguments: object, is_right: bool) -> None:
    assert accepts(model, ToolForm.HERMES, hermes("clinic_book", arguments)) is is_right


def test_only_tools_there_are_may_be_called(model: LlamaModel) -> None:
    assert accepts(model, ToolForm.HERMES, hermes("clinic_free_times", {}))
    assert not accepts(model, ToolForm.HERMES, hermes("clinic_sell", {}))
    assert not accepts(model, ToolForm.HERMES, hermes("clinic_free_times", {"day": 1}))


@pytest.mark.parametrize(
    ("arguments", "is_right"),
    [
        ({"kind": 'a"b'}, True),
        ({"kind": "c\\d"}, True),
        (
            {"kind": "ủ", "size": "large", "code": "AB123", "note": None, "list": [1, 2], "any": [True, {"a": None}]},
            True,
        ),
        ({"kind": "x"}, False),
        ({"kind": "ủ", "size": "small"}, False),
        ({"kind": "ủ", "code": "A123"}, False),
        ({"kind": "ủ", "list": [1, 2, 3]}, False),
        ({"kind": "ủ", "mail": "a@b.example", "deep": {"loop": {"loop": {}}}, "on": True}, True),
    ],
)
def test_every_kind_of_schema_has_a_grammar(model: LlamaModel, arguments: object, is_right: bool) -> None:
    assert accepts(model, ToolForm.HERMES, hermes("odd", arguments)) is is_right


@pytest.mark.parametrize(
    "text", ["{", '{"type": "object", "properties": {"a": {"type": "dozen"}}}', "[]", '{"$ref": "http://x.example/y"}']
)
def test_a_schema_that_is_none_still_gives_a_grammar(model: LlamaModel, text: str) -> None:
    tools = (ToolSpec("broken", "Is broken.", text),)
    assert grammar_of(tools, ToolForm.HERMES)
    model.open_grammar(grammar_of(tools, ToolForm.PYTHONIC)).close()
    model.open_grammar(grammar_of(tools, ToolForm.LLAMA_JSON)).close()


def test_llamas_two_forms(model: LlamaModel) -> None:
    call = {"name": "clinic_find", "parameters": {"name": "Lan", "phone": "0912"}}
    assert accepts(model, ToolForm.LLAMA_JSON, json.dumps(call))
    assert accepts(model, ToolForm.LLAMA_JSON, f"<|python_start|>{json.dumps(call)}")
    assert not accepts(model, ToolForm.LLAMA_JSON, json.dumps({"name": "clinic_find", "parameters": {}}))
    pythonic = '[clinic_find(name="Lan", phone="0912"), odd(kind="ủ", on=True)]'
    assert accepts(model, ToolForm.PYTHONIC, pythonic)
    assert accepts(model, ToolForm.PYTHONIC, f"<|python_start|>{pythonic}")
    assert accepts(model, ToolForm.PYTHONIC, "[clinic_free_times()]")
    assert not accepts(model, ToolForm.PYTHONIC, "[odd(on=True)]")
    assert not accepts(model, ToolForm.PYTHONIC, '[odd(kind="ủ", on=true)]')


def test_references_are_followed_and_those_elsewhere_are_not_fetched() -> None:
    assert plain_schema(ODD)["properties"]["size"] == {"const": "large"}
    assert plain_schema({"type": "object", "properties": {"a": {"$ref": "http://x.example/y"}}})["properties"]["a"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", ToolForm)
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {f"p{n}": {"$ref": "#"} for n in range(50)}},
        {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#"}] * 50}}},
        {"allOf": [{"$ref": "#"}] * 50},
        {"type": "object", "properties": {f"p{n}": {"type": "integer"} for n in range(5000)}},
    ],
)
def test_a_schema_of_somebody_else_is_a_grammar_in_bounded_time(schema: dict[str, Any], form: ToolForm) -> None:
    began = time.process_time()
    assert len(grammar_of((ToolSpec("odd", "Is odd.", json.dumps(schema)),), form)) < 1_000_000
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize("form", ToolForm)
def test_whatever_a_random_model_writes_is_a_call_of_the_schema(model: LlamaModel, form: ToolForm) -> None:
    """The tiny model writes noise. From the beginning of a call on each token is held to the grammar, so that even
    noise becomes a call of the tool.
    """
    schema = json.dumps(
        {
            "type": "object",
            "properties": {"kind": {"enum": ["one", "two"]}, "n": {"type": "integer"}, "on": {"type": "boolean"}},
            "required": ["kind", "n", "on"],
            "additionalProperties": False,
        }
    )
    tools = (ToolSpec("pick", "Picks.", schema),)
    beginnings = {ToolForm.HERMES: "<tool_call>", ToolForm.LLAMA_JSON: "{", ToolForm.PYTHONIC: "[pick("}
    forced = model.tokenize(beginnings[form], is_template=True)
    calls = ConstrainedCalls(grammar_of(tools, form), beginning_of(form, ["pick"]))
    noisy = Forced(model, list(forced))
    text, token = "", model.bos()[0]
    model.cut(0, 0)
    for position in range(400):
        assert model.decode([Row(0, position, token, True)])
        token = calls.sample(noisy, 0)
        text += model.spelled(token).decode(errors="replace")
        if calls.n_calls:
            break
    model.cut(0, 0)
    reader = ToolCallReader(["pick"])
    (call,) = [*reader.push(text), *reader.finish()]
    arguments = json.loads(call.arguments_json)  # type: ignore[union-attr] # a text fails here, and that is the test
    assert Draft202012Validator(json.loads(schema)).is_valid(arguments)


class Forced:
    """The model, made to begin a call; what follows is its own."""

    def __init__(self, model: LlamaModel, first: list[int]) -> None:
        self._model, self._first = model, first

    def sample(self, row: int) -> int:
        return self._first.pop(0) if self._first else self._model.sample(row)

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)


def test_a_prompt_with_tools_is_in_the_templates_own_form(model: LlamaModel) -> None:
    messages = (Message(Role.SYSTEM, "You are kind.", tools=TOOLS[:1]), Message(Role.CALLER, "Book me."))
    tokens = PromptTokens(model).up_to_reply(messages)
    text = b"".join(model.spelled(token) for token in tokens).decode()
    assert '"name": "clinic_book"' in text.partition("<|eot|>")[0]
    assert text.endswith("Book me.<|eot|><|header_start|>assistant<|header_end|>\n\n")
    assert llama.llama_vocab_n_tokens(model._vocab) == 264
