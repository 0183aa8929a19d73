"""Holds the arguments of a call against the tool's schema, so that no tool runs on what a model made up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from services.runtime.json_text import read_json
from services.runtime.logs import get_logger

log = get_logger(__name__)

_MOST_ARGUMENT_CHARS = 16 * 1024
_MOST_REASON_CHARS = 300
_REFUSED = "the arguments "  # how every refusal begins
_NO_NETWORK: Registry[Any] = Registry()  # a schema that refers to a URL is not fetched


class ArgumentsRefused(Exception):
    """The arguments are not those of the tool; the message is for the model."""


def is_misspelt(result_json: str) -> bool:
    """Whether a result says that the arguments were refused here, so that the tool has not run."""
    return result_json.startswith(f'{{"error": "{_REFUSED}')


def read_call(arguments_json: str, parameters_json: str) -> Mapping[str, object]:
    """The arguments of a call. Raises ArgumentsRefused."""
    if len(arguments_json) > _MOST_ARGUMENT_CHARS:
        raise ArgumentsRefused(f"the arguments have {len(arguments_json)} characters, more than {_MOST_ARGUMENT_CHARS}")
    try:
        arguments = read_json(arguments_json or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ArgumentsRefused("the arguments are no JSON object")
    validator = _validator(parameters_json)
    if validator is None:
        return arguments
    try:
        fault = best_match(validator.iter_errors(arguments))
    except (Unresolvable, RecursionError) as error:
        raise ArgumentsRefused("the arguments cannot be held against the tool's own schema") from error
    if fault is not None:
        at = ".".join(str(step) for step in fault.absolute_path)
        reason = f"{at}: {fault.message}" if at else fault.message
        raise ArgumentsRefused(f"the arguments are not those of the tool: {reason[:_MOST_REASON_CHARS]}")
    return arguments


@lru_cache(maxsize=256)
def _validator(parameters_json: str) -> Draft202012Validator | None:
    """None: what came as a schema is none, and holds nothing back."""
    try:
        schema = read_json(parameters_json or "{}")
        Draft202012Validator.check_schema(schema)
    except (ValueError, SchemaError) as error:
        log.warning("tool_schema_broken", error=str(error)[:_MOST_REASON_CHARS])
        return None
    return Draft202012Validator(schema, registry=_NO_NETWORK)
