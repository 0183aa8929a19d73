"""Holds the arguments of a call against the tool's schema, so that no tool runs on what a model made up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.schemas import Check, check_of
from services.runtime.json_text import read_json
from services.runtime.logs import get_logger

log = get_logger(__name__)

_MOST_ARGUMENT_CHARS = 16 * 1024
_MOST_REASON_CHARS = 300
_REFUSED = "the arguments "  # how every refusal begins


class ArgumentsRefused(Exception):
    """The arguments are not those of the tool; the message is for the model."""


def is_misspelt(result_json: str) -> bool:
    """Return whether a result says that the arguments were refused here, so that the tool has not run."""
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
    check = _check(parameters_json)
    if check is None:
        return arguments
    try:
        return check(arguments)  # in bounded time: some schemas come from unknown servers
    except ToolRefused as refused:
        reason = str(refused)[:_MOST_REASON_CHARS]
        raise ArgumentsRefused(f"the arguments are not those of the tool: {reason}") from refused


@lru_cache(maxsize=256)
def _check(parameters_json: str) -> Check | None:
    """None: what came as a schema is none, and holds nothing back."""
    try:
        return check_of(parameters_json)
    except ValueError as error:
        log.warning("tool_schema_broken", error=str(error)[:_MOST_REASON_CHARS])
        return None
