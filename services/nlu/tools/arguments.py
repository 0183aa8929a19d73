"""Arguments of tools, read by a pydantic model; `schemas` holds them against a JSON schema."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from services.nlu.agent.tools import ToolRefused

_NO_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # Unicode: controls, lone surrogates, separators of lines


class ArgumentsModel(BaseModel):
    """The arguments of one operation. Of controls their texts have line feeds and tabs alone: another one could begin a
    header of a mail or a property of an event.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _has_no_controls(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = value.replace("\r\n", "\n").replace("\r", "\n")
        if any(unicodedata.category(char) in _NO_TEXT and char not in "\n\t" for char in text):
            raise ValueError("has control characters")
        return text


def schema_of(model: type[ArgumentsModel]) -> str:
    return json.dumps(model.model_json_schema())


def by_model(model: type[ArgumentsModel]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """A check that gives the fields as the model reads them, without those that are empty."""

    def check(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return model.model_validate(dict(arguments)).model_dump(exclude_none=True)
        except ValidationError as error:
            wrong = [
                f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg']}"
                for each in error.errors(include_input=False)
            ]
            raise ToolRefused("; ".join(wrong)) from error

    return check
