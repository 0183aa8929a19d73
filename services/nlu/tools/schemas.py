"""Values held against JSON schemas that others wrote, in bounded time.

A schema of somebody else's may be written so that a check of a few words takes hours: an expression that tries every
way to read a text, a schema that refers to itself twice. Here expressions are matched by `patterns`, and each step of a
check is counted; what takes too many is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.pattern_search import TooLong
from services.nlu.tools.patterns import Pattern
from services.runtime.json_text import read_json

MOST_STEPS = 30_000  # of a check of arguments: some two tenths of a second at most
MOST_STEPS_OF_ANSWERS = 300_000  # some two seconds: such a check belongs into a thread
MOST_SCHEMA_CHARS = 65_536
_KEYWORD = 8  # steps: so many of a pattern take as long as a keyword
_SIZED_STEP = 4  # so many members of a list or mapping count as a step
_WRITTEN_STEP = 16  # so many characters of JSON that is written
_SAID_STEP = 64  # so many characters of an error, which holds the whole value
_COMPARED = frozenset({"const", "enum", "dependentRequired"})  # held against a value with all that lies in them
_REFERENCES = frozenset({"$ref", "$dynamicRef"})
# Keywords that jsonschema walks through, or matches, without a call of a keyword that could be counted.
_UNCOUNTED = ("patternProperties", "dependentSchemas")
_NOT_SCHEMAS = frozenset({"const", "enum", "default", "examples", "example"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})

Check = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def by_schema(schema: Mapping[str, Any], *, most_steps: int = MOST_STEPS) -> Check:
    """A check by JSON schema 2020-12 that raises ToolRefused; references lead within the schema and nowhere else.

    `most_steps` bounds one check. Raises ValueError: it is no schema, or its check cannot be bounded.
    """
    from jsonschema import (  # noqa: PLC0415 - only packages with schemas of others
        Draft202012Validator,
        FormatChecker,
        validators,
    )
    from jsonschema.exceptions import SchemaError, best_match  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415

    extended: Any = validators.extend  # it has no types
    try:
        written = json.dumps(schema)
        if len(written) > MOST_SCHEMA_CHARS:
            raise ValueError(f"a schema has at most {MOST_SCHEMA_CHARS} characters")
        for name in _UNCOUNTED if '"unevaluatedProperties"' in written else ():
            if f'"{name}"' in written:
                raise ValueError(f"unevaluatedProperties with {name} cannot be checked in bounded time")
        # Without formats: `regex` there is Python's, and `pattern` is ECMA's.
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
        patterns = {text: Pattern(text) for text in set(_patterns_in(schema))}
        # Read once: a name in it would else be looked for in the whole schema at each use.
        no_network: Any = Registry().with_resource("", DRAFT202012.create_resource(schema)).crawl()
    except SchemaError as error:
        raise ValueError(error.message[:300]) from error
    except RecursionError as error:
        raise ValueError("a schema lies too deep in itself") from error

    def check(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        budget = _Budget(most_steps, patterns)
        all_keywords = {**Draft202012Validator.VALIDATORS, **_own(budget)}
        keywords = {name: budget.counted(name, keyword) for name, keyword in all_keywords.items()}
        validator = extended(Draft202012Validator, keywords)(schema, registry=no_network)
        try:
            error = best_match(validator.iter_errors(dict(arguments)))
        except TooLong as late:
            raise ToolRefused("the tool's schema takes too long to check") from late
        except Exception as broken:  # a reference that leads nowhere, or round and round
            raise ToolRefused(f"the tool's schema cannot be used: {type(broken).__name__}") from broken
        if error is not None:
            where = ".".join(str(part) for part in error.absolute_path) or "arguments"
            raise ToolRefused(f"{where}: {error.message[:200]}")
        return dict(arguments)

    return check


def check_of(schema_json: str, *, most_steps: int = MOST_STEPS) -> Check:
    """The same by a schema as it is written, made once. Raises ValueError."""
    found = _made(schema_json, most_steps)
    if isinstance(found, str):
        raise ValueError(found)
    return found


@lru_cache(maxsize=1024)
def _made(schema_json: str, most_steps: int) -> Check | str:
    """The check, or why there is none."""
    try:
        return by_schema(read_json(schema_json or "{}"), most_steps=most_steps)
    except ValueError as error:
        return str(error)


def _patterns_in(schema: Any) -> Iterator[str]:
    """Every expression of a schema."""
    if isinstance(schema, list):
        for each in schema:
            yield from _patterns_in(each)
    if not isinstance(schema, Mapping):
        return
    for name, value in schema.items():
        if name == "pattern" and isinstance(value, str):
            yield value
        elif name in _NAMED and isinstance(value, Mapping):
            if name == "patternProperties":
                yield from value
            yield from _patterns_in(list(value.values()))
        elif name not in _NOT_SCHEMAS:
            yield from _patterns_in(value)


class _Budget:
    """Steps that one check may still take."""

    def __init__(self, most_steps: int, patterns: dict[str, Pattern]) -> None:
        self._left, self._patterns = most_steps, patterns

    def spend(self, n_steps: int) -> None:
        self._left -= n_steps
        if self._left < 0:
            raise TooLong

    def counted(self, name: str, keyword: Any) -> Any:
        """The keyword's function, each of whose calls and errors costs by the sizes of what it looks at."""
        size_of = _size_in_depth if name in _COMPARED else _size_of_path if name in _REFERENCES else _size

        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            self.spend(_KEYWORD + (size_of(value) + _size(instance)) // _SIZED_STEP)
            for error in keyword(validator, value, instance, schema) or ():
                self.spend(_KEYWORD + len(error.message) // _SAID_STEP)
                yield error

        return check

    def is_in(self, pattern: str, text: str) -> bool:
        """Return whether the expression is in the text."""
        if pattern not in self._patterns:  # behind a reference to what is no schema
            self._patterns[pattern] = Pattern(pattern)
        found, n_steps = self._patterns[pattern].search(text, most_steps=self._left)
        self.spend(n_steps)
        return found


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | Mapping) else 0


def _size_in_depth(value: Any) -> int:
    n_found, todo = 0, [value]
    while todo:
        each = todo.pop()
        n_found += 1
        if isinstance(each, list | Mapping):
            todo += each.values() if isinstance(each, Mapping) else each
    return n_found


def _size_of_path(reference: Any) -> int:
    """At each step of a path all the steps before it are looked at."""
    return int(reference.count("/") ** 2 // 4) if isinstance(reference, str) else 0


def _own(budget: _Budget) -> dict[str, Any]:
    """The keywords whose time jsonschema does not bound."""
    import jsonschema._utils as evaluated  # noqa: PLC0415
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

    places_in: Any = evaluated.find_evaluated_item_indexes_by_schema
    names_in: Any = evaluated.find_evaluated_property_keys_by_schema

    def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
        del schema
        if validator.is_type(instance, "string") and not budget.is_in(wanted, instance):
            yield ValidationError(f"{instance!r} does not match {wanted!r}")

    def pattern_properties(validator: Any, wanted: Mapping[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
        del schema
        if validator.is_type(instance, "object"):
            for text, held in wanted.items():
                for name, value in instance.items():
                    if budget.is_in(text, name):
                        yield from validator.descend(value, held, path=name, schema_path=text)

    def additional_properties(validator: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if not validator.is_type(instance, "object"):
            return
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        others = [name for name in instance if name not in known and not any(budget.is_in(p, name) for p in patterns)]
        if validator.is_type(allowed, "object"):
            for name in others:
                yield from validator.descend(instance[name], allowed, path=name)
        elif allowed is False and others:
            yield ValidationError(f"there is no {', '.join(map(repr, others[:5]))}")

    def unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        del schema
        if wanted is True and validator.is_type(instance, "array"):
            seen: set[str] = set()
            for each in instance:
                written = json.dumps(_plain(each), sort_keys=True)
                budget.spend(len(written) // _WRITTEN_STEP)
                seen.add(written)
            if len(seen) < len(instance):
                yield ValidationError("two items are the same")

    # jsonschema looks for each item, and each name, in the whole list of those that are known.
    def unevaluated_items(validator: Any, held: Any, instance: Any, schema: Any) -> Iterator[Any]:
        del held
        if validator.is_type(instance, "array"):
            places = places_in(validator, instance, schema)
            budget.spend(len(places) // _SIZED_STEP)
            if n_others := len(set(range(len(instance))).difference(places)):
                yield ValidationError(f"{n_others} of its items are not allowed")

    def unevaluated_properties(validator: Any, held: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if validator.is_type(instance, "object"):
            names = names_in(validator, instance, schema)
            budget.spend(len(names) // _SIZED_STEP)
            known = set(names)
            if others := [name for name in instance if name not in known]:
                why = "there is no" if held is False else "not as other properties must be:"
                yield ValidationError(f"{why} {', '.join(map(repr, others[:5]))}")

    return {
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "additionalProperties": additional_properties,
        "uniqueItems": unique_items,
        "unevaluatedItems": unevaluated_items,
        "unevaluatedProperties": unevaluated_properties,
    }


def _plain(value: Any) -> Any:
    """Numbers that are equal are written alike."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return value
