"""Prints `.env.example` from the settings themselves: `python -m deploy.env_example > .env.example`."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.settings import StackSettings
from deploy.stack import SERVICES
from services.runtime.settings import SHARED_PREFIX, ServiceSettings

_ROOT = Path(__file__).parents[1]
_HEAD = """\
# Every setting there is, with its default. Copy this file to .env and take the # off what you change.
# The process's environment wins over .env. Made by: python -m deploy.env_example > .env.example
"""
_SHARED_HEAD = """
# All services. TONG_DAI_<NAME> holds for all four; STT_, NLU_, TTS_ or GATEWAY_<NAME> for one of them, and wins.
"""


def env_example() -> str:
    """The whole file."""
    shared = {
        name: field for name, field in ServiceSettings.model_fields.items() if name not in {"port", "metrics_port"}
    }
    own = {name: field for name, field in StackSettings.model_fields.items() if name not in shared}
    lines = [_HEAD, _SHARED_HEAD, *_entries(SHARED_PREFIX, shared)]
    lines += ["\n# The commands: make run-stack, make models.\n", *_entries(SHARED_PREFIX, own)]
    for service in SERVICES:
        kind: type[BaseSettings] = getattr(
            importlib.import_module(f"services.{service.name}.settings"), service.settings_class
        )
        fields = {name: field for name, field in kind.model_fields.items() if _is_own(name, field, shared)}
        lines += [f"\n# {service.name}\n", *_entries(f"{service.prefix}_", fields)]
    return "".join(lines)


def _is_own(name: str, field: FieldInfo, shared: Mapping[str, FieldInfo]) -> bool:
    """Whether a service has the field for itself, or gives a shared one another default."""
    return name not in shared or field.default != shared[name].default


def _entries(prefix: str, fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        yield f"# {field.description}\n#{prefix}{name.upper()}={_shown(field.get_default(call_default_factory=True))}\n"


def _shown(default: Any) -> str:
    """A default as one would write it."""
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case Path() if default.is_relative_to(_ROOT):
            return str(default.relative_to(_ROOT))
        case dict():
            return ",".join(f"{key}={value}" for key, value in default.items())
        case list() | tuple() | set() | frozenset():
            return ",".join(str(item) for item in default)
        case _:
            return str(default)


if __name__ == "__main__":
    print(env_example(), end="")
