"""Chat template of a GGUF file, in Jinja as its makers publish it.

llama.cpp's C interface knows the published templates by their marks and renders them itself, faster and without tools;
this is for the others, and for tools.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.nlu.engine import ToolSpec


class TemplateUnusable(ValueError):
    """The template does not compile, or refuses the messages."""


class ChatTemplate:
    """Template of one model. It runs in Jinja's sandbox, since the file is not trusted."""

    def __init__(self, source: str, *, bos_token: str = "", eos_token: str = "") -> None:
        """Raises TemplateUnusable."""
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], autoescape=False
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
        self._special = {"bos_token": bos_token, "eos_token": eos_token}
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise TemplateUnusable(f"the chat template does not compile: {error}") from error

    def render(self, messages: Sequence[dict[str, Any]], *, opens_reply: bool, tools: Sequence[ToolSpec] = ()) -> str:
        """Render messages as OpenAI writes them: role, content, tool_calls. Raises TemplateUnusable."""
        specs = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": json.loads(tool.parameters_json),
                },
            }
            for tool in tools
        ]
        try:
            return str(
                self._template.render(
                    messages=list(messages),
                    tools=specs or None,
                    tools_in_user_message=False,  # Llama 3: in the opening, which is computed once
                    add_generation_prompt=opens_reply,
                    **self._special,
                )
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise TemplateUnusable(f"the chat template fails: {error}") from error


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    """Without Jinja's escapes for HTML, as the makers of templates expect."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateUnusable(message)
