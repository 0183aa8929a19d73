"""Schemas of an OpenAPI 3.0 or 3.1 description as JSON schemas that stand alone. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIX = "#/components/schemas/"
_MAX_SCHEMAS = 100
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


class DescriptionError(ValueError):
    """The description is none that can be used; the message says where."""


def resolved(document: Mapping[str, Any], value: Any, *, depth: int = 0) -> Any:
    """Return what a reference of the description points to; anything else as it is. Raises DescriptionError."""
    if not isinstance(value, Mapping) or "$ref" not in value:
        return value
    reference = str(value["$ref"])
    if depth > 10 or not reference.startswith("#/"):
        raise DescriptionError(f"{reference}: references lead within the description, and not in circles")
    found: Any = document
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            raise DescriptionError(f"{reference}: there is no such place in the description")
        found = found[name]
    return resolved(document, found, depth=depth + 1)


def stand_alone(document: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    """A schema with those it refers to under `$defs`. Raises DescriptionError."""
    wanted: list[str] = []
    made = _translated(schema, wanted)
    if not isinstance(made, dict):
        made = {}
    definitions: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name in definitions:
            continue
        if len(definitions) >= _MAX_SCHEMAS:
            raise DescriptionError(f"{name}: more than {_MAX_SCHEMAS} schemas belong to one operation")
        definitions[name] = {}
        definitions[name] = _translated(resolved(document, {"$ref": _PREFIX + name}), wanted)
    return {**made, "$defs": definitions} if definitions else made


def _translated(schema: Any, wanted: list[str]) -> Any:
    """Return the schema as JSON schema 2020-12: OpenAPI 3.0's `nullable` and boolean bounds are written otherwise
    there.
    """
    if isinstance(schema, list):
        return [_translated(each, wanted) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        reference = str(schema["$ref"])
        if not reference.startswith(_PREFIX):
            raise DescriptionError(f"{reference}: schemas are referred to under {_PREFIX}")
        wanted.append(reference.removeprefix(_PREFIX))
        return {"$ref": f"#/$defs/{reference.removeprefix(_PREFIX)}"}
    made = {
        name: ({key: _translated(each, wanted) for key, each in value.items()} if name == "properties" else value)
        if name in {"properties", "enum", "const", "default", "example", "examples"}
        else _translated(value, wanted)
        for name, value in schema.items()
        if name not in {"nullable", "example", "examples", "xml", "externalDocs", "discriminator"}
    }
    for exclusive, bound in _EXCLUSIVE.items():
        if isinstance(made.get(exclusive), bool):
            is_exclusive = made.pop(exclusive)
            if is_exclusive and bound in made:
                made[exclusive] = made.pop(bound)
    if schema.get("nullable") is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
            if "enum" in made:
                made["enum"] = [*made["enum"], None]
        else:
            made = {"anyOf": [made, {"type": "null"}]}
    return made
