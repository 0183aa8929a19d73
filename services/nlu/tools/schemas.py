"""Values held against JSON schemas that others wrote, in bounded time.

A schema of somebody else's may be written so that a check of a few words takes hours: an expression that tries every
way to read a text, a schema that refers to itself twice. Here expressions are matched by `patterns`, and each step of a
check is counted; what takes too many is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.patterns import TooLong, pattern_of

MOST_STEPS = 30_000  # of a check of arguments: some two tenths of a second at most
MOST_STEPS_OF_ANSWERS = 300_000  # some two seconds: such a check belongs into a thread
MOST_SCHEMA_CHARS = 65_536
_KEYWORD = 8  # steps: so many of a pattern take as long as a keyword
_SIZED_STEP = 4  # so many members of a list or mapping count as a step
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

    extended: Any = validators.extend  # it has no types
    try:
        written = json.dumps(schema)
        if len(written) > MOST_SCHEMA_CHARS:
            raise ValueError(f"a schema has at most {MOST_SCHEMA_CHARS} characters")
        if '"unevaluatedProperties"' in written and '"patternProperties"' in written:  # which jsonschema matches itself
            raise ValueError("unevaluatedProperties with patternProperties cannot be checked in bounded time")
        # Without formats: `regex` there is Python's, and `pattern` is ECMA's.
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
        for text in _patterns_in(schema):
            pattern_of(text)
    except SchemaError as error:
        raise ValueError(error.message[:300]) from error
    except RecursionError as error:
        raise ValueError("a schema lies too deep in itself") from error

    def check(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        budget = _Budget(most_steps)
        keywords = {name: budget.counted(keyword) for name, keyword in Draft202012Validator.VALIDATORS.items()}
        keywords |= {name: budget.counted(keyword) for name, keyword in _own(budget).items()}
        validator = extended(Draft202012Validator, keywords)(schema, registry=Registry())
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

    def __init__(self, most_steps: int) -> None:
        self._left = most_steps

    def spend(self, n_steps: int) -> None:
        self._left -= n_steps
        if self._left < 0:
            raise TooLong

    def counted(self, keyword: Any) -> Any:
        """The keyword's function, each of whose calls and errors costs by the sizes of what it looks at."""

        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            self.spend(_KEYWORD + (_size(value) + _size(instance)) // _SIZED_STEP)
            for error in keyword(validator, value, instance, schema) or ():
                self.spend(_KEYWORD)
                yield error

        return check

    def is_in(self, pattern: str, text: str) -> bool:
        """Whether the expression is in the text."""
        found, n_steps = pattern_of(pattern).search(text, most_steps=self._left)
        self.spend(n_steps)
        return found


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | Mapping) else 0


def _own(budget: _Budget) -> dict[str, Any]:
    """The keywords whose time jsonschema does not bound."""
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

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
            seen = {json.dumps(_plain(each), sort_keys=True) for each in instance}
            if len(seen) < len(instance):
                yield ValidationError("two items are the same")

    return {
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "additionalProperties": additional_properties,
        "uniqueItems": unique_items,
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
