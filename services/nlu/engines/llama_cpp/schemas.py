"""JSON schemas of arguments, reduced to the keywords that llama.cpp's converter to grammars knows. Sans-IO.

Rules that a grammar cannot express are left out, so the grammar lets more pass than the schema; the arguments are
checked against the whole schema before a tool runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ANY_VALUE: dict[str, Any] = {"type": ["string", "number", "boolean", "object", "array", "null"]}
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_DEEPEST = 12  # a schema that refers to itself has no end
_MOST_PARTS = 500  # of one that refers to itself at several places: a part that has more may be any value
_MOST_PROPERTIES = 100  # of one object, each with rules for all behind it; one with more may be any object
_WITH_PARTS = ("properties", "prefixItems", "allOf", "anyOf", "oneOf")
_MOST_REPEATED = 32  # each repetition is a rule of the grammar
_SAFE_PATTERN = re.compile(r"\^(?:[A-Za-z0-9 _:+@/,(){}|?*-]|\[[A-Za-z0-9 _:+@/-]+\])+\$")
_LONG_REPETITION = re.compile(r"\{\d*,?\d{3,}\}")
_DATE = "[0-9]{4}-[01][0-9]-[0-3][0-9]"
_TIME = "[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?"
_PATTERNS = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}(Z|[+-][0-2][0-9]:[0-5][0-9])?$",
    "date-time": f"^{_DATE}T{_TIME}(Z|[+-][0-2][0-9]:[0-5][0-9])?$",  # many a tool reads times by its own clock
}


Plain = Callable[[object], dict[str, Any]]


def plain_schema(schema: object) -> dict[str, Any]:
    """Return the schema without references, and with no keyword but those that become a rule."""
    return _plain(schema, schema if isinstance(schema, Mapping) else {}, 0, _Left())


@dataclass(slots=True)
class _Left:
    parts: int = _MOST_PARTS


def _plain(schema: object, root: Mapping[str, Any], depth: int, left: _Left) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return dict(ANY_VALUE)
    n_parts = sum(len(schema[name]) for name in _WITH_PARTS if isinstance(schema.get(name), list | Mapping))
    if n_parts > left.parts:
        return dict(ANY_VALUE)
    left.parts -= n_parts

    def plain(part: object) -> dict[str, Any]:
        return _plain(part, root, depth + 1, left)

    return _choice(schema, root, plain) or _typed(schema, plain)


def _choice(schema: Mapping[str, Any], root: Mapping[str, Any], plain: Plain) -> dict[str, Any] | None:
    """Return the choice of a schema that names others, or its values. None: it names none."""
    if "$ref" in schema:
        return plain(_resolve(str(schema["$ref"]), root))
    if "const" in schema:
        return {"const": schema["const"]}
    if isinstance(enum := schema.get("enum"), list) and enum:
        return {"enum": enum}
    if isinstance(parts := schema.get("allOf"), list) and parts:
        return _joined([plain(part) for part in parts] + [plain({k: v for k, v in schema.items() if k != "allOf"})])
    options = schema.get("anyOf") or schema.get("oneOf")
    if not options and isinstance(kinds := schema.get("type"), list):
        options = [{**schema, "type": kind} for kind in kinds if kind in _TYPES]
    if isinstance(options, list) and options:
        return {"anyOf": [plain(option) for option in options]}
    return None


def _typed(schema: Mapping[str, Any], plain: Plain) -> dict[str, Any]:
    kind = schema.get("type")
    if kind == "object" or (kind is None and "properties" in schema):
        return _object(schema, plain)
    if kind == "array":
        return _array(schema, plain)
    if kind == "string":
        return _string(schema)
    return {"type": kind} if isinstance(kind, str) and kind in _TYPES else dict(ANY_VALUE)


def _object(schema: Mapping[str, Any], plain: Plain) -> dict[str, Any]:
    properties = schema.get("properties")
    additional = schema.get("additionalProperties", False)
    if not isinstance(properties, Mapping):
        if additional is False and "properties" not in schema and "additionalProperties" in schema:
            return {"type": "object", "properties": {}, "additionalProperties": False}
        return {"type": "object"}
    if len(properties) > _MOST_PROPERTIES:
        return {"type": "object"}
    required = [name for name in schema.get("required") or [] if name in properties]
    return {
        "type": "object",
        "properties": {str(name): plain(value) for name, value in properties.items()},
        "required": required,
        "additionalProperties": False if not isinstance(additional, Mapping) else plain(additional),
    }


def _array(schema: Mapping[str, Any], plain: Plain) -> dict[str, Any]:
    if isinstance(items := schema.get("items"), Mapping):
        found: dict[str, Any] = {"type": "array", "items": plain(items)}
    elif isinstance(first := schema.get("prefixItems"), list) and first:
        return {"type": "array", "prefixItems": [plain(item) for item in first]}
    else:
        found = {"type": "array", "items": dict(ANY_VALUE)}
    return found | _bounds(schema, "minItems", "maxItems")


def _string(schema: Mapping[str, Any]) -> dict[str, Any]:
    pattern = str(schema.get("pattern", "")).replace("\\d", "[0-9]")
    if _SAFE_PATTERN.fullmatch(pattern) and not _LONG_REPETITION.search(pattern):
        return {"type": "string", "pattern": pattern}
    if (form := str(schema.get("format", ""))) in _PATTERNS:
        return {"type": "string", "pattern": _PATTERNS[form]}
    if form == "uuid":
        return {"type": "string", "format": "uuid"}
    return {"type": "string"} | _bounds(schema, "minLength", "maxLength")


def _bounds(schema: Mapping[str, Any], least: str, most: str) -> dict[str, int]:
    found = {key: schema[key] for key in (least, most) if isinstance(schema.get(key), int)}
    return {key: value for key, value in found.items() if 0 < value <= _MOST_REPEATED}


def _joined(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Join schemas that all hold: the properties of all objects; of others the first that says anything."""
    objects = [schema for schema in schemas if "properties" in schema]
    if not objects:
        return next((schema for schema in schemas if schema != ANY_VALUE), dict(ANY_VALUE))
    return {
        "type": "object",
        "properties": {name: value for schema in objects for name, value in schema["properties"].items()},
        "required": [name for schema in objects for name in schema["required"]],
        "additionalProperties": False,
    }


def _resolve(reference: str, root: Mapping[str, Any]) -> object:
    """Return what a reference within the schema names. None: nothing, or it is elsewhere."""
    if not reference.startswith("#"):
        return None
    found: object = root
    for step in reference.lstrip("#").strip("/").split("/"):
        if not step:
            continue
        if not isinstance(found, Mapping):
            return None
        found = found.get(step.replace("~1", "/").replace("~0", "~"))
    return found
