"""Grammar of tool calls: a call of one of the tools, with arguments of its schema.

GBNF, llama.cpp's notation. The rules of the arguments are made by llama-cpp-python's converter of JSON schemas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llama_cpp.llama_grammar import BuiltinRule, SchemaConverter

from services.nlu.engine import ToolSpec
from services.nlu.engines.llama_cpp.schemas import plain_schema
from services.nlu.tool_form import CALL_BEGINS, CALL_ENDS, ToolForm
from services.runtime.json_text import read_json
from services.runtime.logs import get_logger

log = get_logger(__name__)

_CHARACTER = r'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F])'
"""Of a string: JSON has no control characters there (RFC 8259, section 7), the converter's own rule lets them pass."""
_PYTHON = {"boolean": '("True" | "False") space', "null": '"None" space'}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def grammar_of(tools: Sequence[ToolSpec], form: ToolForm) -> str:
    """Return the rules; `root` is the calls in the form, with white space before them. Takes milliseconds for each
    tool.
    """
    converter = _Converter(is_python=form is ToolForm.PYTHONIC)
    calls = []
    for i, tool in enumerate(tools):
        try:
            schema = read_json(tool.parameters_json)
        except ValueError:
            schema = {}
        plain = plain_schema(schema)
        if form is ToolForm.PYTHONIC:
            arguments = converter.keywords(plain, f"arguments-{i}")
            calls.append(converter.add(f"call-{i}", f'{_literal(tool.name)} "(" {arguments} ")"'))
        else:
            key = "parameters" if form is ToolForm.LLAMA_JSON else "arguments"
            head = f'"{{" space {_quoted("name")} ":" space {_quoted(tool.name)} "," space {_quoted(key)} ":" space'
            calls.append(converter.add(f"call-{i}", f'{head} {converter.object_rule(plain, f"arguments-{i}")} "}}"'))
    call = converter.add("call", " | ".join(calls))
    converter.add("lead", r"[ \t\n]? [ \t\n]? [ \t\n]?")
    mark = converter.add("mark", '("<|python_start|>" | "<|python_tag|>")? lead')
    match form:
        case ToolForm.HERMES:
            root = f"lead ({_literal(CALL_BEGINS)} lead {call} lead {_literal(CALL_ENDS)} | {call})"
        case ToolForm.LLAMA_JSON:
            root = f"lead {mark} {call}"
        case ToolForm.PYTHONIC:
            root = f'lead {mark} "[" {call} ("," " "? {call})* "]"'
    converter.add("root", root)
    return str(converter.format_grammar())


def _literal(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _quoted(text: str) -> str:
    """A string of JSON, and the white space behind it."""
    return f"{_literal(json.dumps(text, ensure_ascii=False))} space"


_Base: Any = SchemaConverter  # without types


class _Converter(_Base):  # type: ignore[misc] # see _Base
    """Makes rules that are strict JSON, or literals of Python."""

    def __init__(self, *, is_python: bool) -> None:
        super().__init__(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        self._is_python = is_python
        self._own = {"char": _CHARACTER} | (_PYTHON if is_python else {})

    def add(self, name: str, rule: str) -> str:
        return str(self._add_rule(name, rule))

    def object_rule(self, schema: Mapping[str, Any], name: str) -> str:
        """Return the rule of an object; of any object where the converter does not know the schema."""
        try:
            return str(self.visit(dict(schema), name))
        except Exception as error:  # the converter asserts, and looks keys up
            log.warning("schema_not_in_grammar", what=name, error=f"{type(error).__name__}: {error}")
            return str(self.visit({"type": "object"}, f"{name}-any"))

    def keywords(self, schema: Mapping[str, Any], name: str) -> str:
        """Return the rule of named arguments: those that are required in their order, then any of the others in
        theirs.
        """
        properties: Mapping[str, Any] = schema.get("properties", {})
        required = [key for key in properties if key in schema.get("required", ())]
        rules = {
            key: self.add(f"{name}-{i}-named", f'{_literal(key)} "=" {self._value(value, f"{name}-{i}")}')
            for i, (key, value) in enumerate(properties.items())
            if key.isidentifier()
        }
        needed = ' "," " "? '.join(rules[key] for key in required if key in rules)
        others = [rule for key, rule in rules.items() if key not in required]
        following = "".join(f' ("," " "? {rule})?' for rule in others)
        if needed:
            return needed + following
        firsts = [rule + "".join(f' ("," " "? {later})?' for later in others[i + 1 :]) for i, rule in enumerate(others)]
        return f"({' | '.join(firsts)})?" if firsts else '""'

    def _value(self, schema: Mapping[str, Any], name: str) -> str:
        try:
            return str(self.visit(dict(schema), name))
        except Exception as error:
            log.warning("schema_not_in_grammar", what=name, error=f"{type(error).__name__}: {error}")
            return str(self.visit({"type": "string"}, f"{name}-any"))

    def _format_literal(self, literal: str) -> str:
        return _literal(literal)

    def _generate_constant_rule(self, value: object) -> str:
        is_word = self._is_python and (value is None or isinstance(value, bool))
        return _literal(str(value) if is_word else json.dumps(value, ensure_ascii=False))

    def _add_primitive(self, name: str, rule: BuiltinRule) -> str:
        own = self._own.get(name)
        return str(super()._add_primitive(name, BuiltinRule(own, rule.deps) if own else rule))
